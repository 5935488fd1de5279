//! Messages of several rooms in one call.

use crate::request::at_most;
use crate::service::Messages;
use crate::store::log::LogRow;
use crate::store::present;
use crate::store::sets::{self, Span};
use crate::{access, resolve};
use contract::calls::messages::{Histories, OfRoom, Stretch};
use contract::{Answer, Caller, Refusal};
use std::collections::HashSet;

/// Most bytes of bodies in one call, of all rooms together: 1 MiB, as in a search. Each room gets one message, however long.
const BYTES: usize = 1 << 20;

impl Answer<Histories> for Messages {
    async fn answer(&self, who: &Caller, call: Histories) -> Result<Vec<OfRoom<Stretch>>, Refusal> {
        let reader = who.user()?.id;
        at_most(100, &call.rooms)?;
        for (field, seq) in [("after", Some(call.after)), ("before", call.before)] {
            if seq.is_some_and(|seq| seq < 0) {
                return Err(Refusal::invalid(field, format!("{field} is a seq: a whole number, 0 or more")));
            }
        }
        let before = call.before.unwrap_or(i64::MAX);
        let span = Span { after: call.after, before, newest: call.newest, limit: call.limit.get() };
        let pairs: Vec<_> = call.rooms.iter().map(|room| (*room, reader)).collect();
        let (found, heads, rows) = self
            .db
            .read_slowly(move |tx| {
                Box::pin(async move {
                    let (found, heads) = (sets::rooms_for_readers(tx, &pairs).await?, sets::counts(tx, &pairs).await?);
                    let members: Vec<_> =
                        pairs.iter().zip(&found).filter(|(_, room)| is_member(room.as_ref())).map(|(pair, _)| *pair).collect();
                    let mut rows = sets::messages(tx, &members, span, BYTES).await?;
                    let lengths: Vec<usize> = rows.iter().map(Vec::len).collect();
                    let mut all: Vec<LogRow> = rows.drain(..).flatten().collect();
                    present::attach_for(tx, &mut all, reader).await?;
                    let mut all = all.into_iter();
                    let rows: Vec<Vec<LogRow>> = lengths.into_iter().map(|length| all.by_ref().take(length).collect()).collect();
                    Ok((found, heads, rows))
                })
            })
            .await?;
        let mut people = HashSet::new();
        rows.iter().flatten().for_each(|row| row.people(&mut people));
        let names = self.names.of(people).await?;
        let mut rows = rows.into_iter();
        let mut stretches = Vec::with_capacity(call.rooms.len());
        for ((room, found), head) in call.rooms.into_iter().zip(found).zip(heads) {
            let may = match &found {
                Some(found) => access::member_only(found.row.kind, found.read.is_some()),
                None => Err(Refusal::no_room()),
            };
            let answer = match may {
                Err(refusal) => Err(refusal),
                Ok(()) => {
                    let rows = rows.next().unwrap_or_default();
                    // Each row counts the messages of its room, itself included. Without a row, all messages lie outside the span.
                    let (earlier, later) = match (rows.first(), rows.last()) {
                        (Some(first), Some(last)) => (first.messages > 1, last.messages < head.messages),
                        _ => (head.messages > 0 && span.after > 0, head.messages > 0 && span.after == 0),
                    };
                    let messages = rows
                        .into_iter()
                        .filter(LogRow::is_message)
                        .map(|row| resolve::message(row, &names, reader))
                        .collect::<Result<_, _>>()?;
                    Ok(Stretch { messages, earlier, later })
                }
            };
            stretches.push(OfRoom { room, answer });
        }
        Ok(stretches)
    }
}

fn is_member(room: Option<&sets::RoomForReader>) -> bool {
    room.is_some_and(|room| room.read.is_some())
}
