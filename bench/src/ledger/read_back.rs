//! Reads the log of every room back over REST, page after page, and gives it to the accounts.

use anyhow::{Context, Result};
use serde_json::Value;

use super::accounts::{Ledger, Shown, States, Text};
use super::world::{Room, World};
use super::{bodies, events};
use crate::one_at_a_time::OneAtATime;
use crate::progress::Progress;
use crate::target::Target;

/// Messages of a page: the most that the contract allows.
const PAGE: usize = 100;

/// One connection straight to the server.
pub struct Reading<'a>(OneAtATime<'a>);

impl<'a> Reading<'a> {
    /// Opens it.
    ///
    /// # Errors
    /// No socket is to be had.
    pub fn open(target: &'a Target) -> Result<Self> {
        Ok(Self(OneAtATime::open(target)?))
    }

    /// Tells the accounts how far each room has come.
    ///
    /// # Errors
    /// The server does not answer, or not with what the contract says.
    pub fn heads(&mut self, world: &World, ledger: &mut Ledger) -> Result<()> {
        for (number, room) in world.rooms.iter().enumerate() {
            let head = self.get(&format!("/rooms/{}", room.id), first(room)?)?.get("head").and_then(Value::as_u64);
            ledger.head(number, head.context("a room without a head")?);
        }
        Ok(())
    }

    /// Gives the whole log to the accounts.
    ///
    /// # Errors
    /// As [`Reading::heads`].
    pub fn log(&mut self, world: &World, ledger: &mut Ledger) -> Result<()> {
        let progress = Progress::new("reading back", world.rooms.len() as u64);
        for (number, room) in world.rooms.iter().enumerate() {
            let (mut log, mut states) = (Vec::new(), States::new());
            let mut next = Some("0".to_owned());
            while let Some(after) = next {
                let page = self.get(&format!("/rooms/{}/messages?after={after}&limit={PAGE}", room.id), first(room)?)?;
                for item in page.get("items").and_then(Value::as_array).context("a page without items")? {
                    let text = |field: &str| item[field].as_str().unwrap_or_default();
                    let sender = World::user(text("sender")).unwrap_or(usize::MAX);
                    let seq = item["seq"].as_u64().unwrap_or(0);
                    let said = events::text_of(item);
                    let rev = item["rev"].as_u64().unwrap_or(0);
                    states.insert(
                        seq,
                        Shown { text_rev: 0, rev, reactions_rev: 0, text: said.unwrap_or_default(), reactions: events::reactions_of(item) },
                    );
                    // Of what was deleted nobody can tell which message it was.
                    if said != Some(Text::Gone) {
                        log.push((seq, sender, bodies::read(text("body")).map(|(number, _)| number)));
                    }
                }
                next = page.get("next").and_then(Value::as_str).map(str::to_owned);
            }
            ledger.read_back_states(number, &states);
            ledger.read_back(number, &log);
            progress.at(number as u64, String::new);
        }
        progress.done("done");
        Ok(())
    }

    fn get(&mut self, path: &str, user: usize) -> Result<Value> {
        Ok(serde_json::from_slice(&self.0.get(path, &World::name(user))?)?)
    }
}

/// Whoever made the room reads it.
fn first(room: &Room) -> Result<usize> {
    room.members.first().copied().context("a room without members")
}
