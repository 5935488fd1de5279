//! Reacting to a message, and taking a reaction back.

use super::target::{Target, target};
use crate::service::Messages;
use crate::store::log::{Kind, LogRow};
use crate::store::state::{self, ReactionCount};
use crate::writer::{Batch, Denied, Needs, NewRow, Operation};
use contract::calls::messages::React;
use contract::message::LISTED_REACTORS;
use contract::{Answer, Caller, Reaction, Refusal, RoomId, UserId};
use std::sync::Arc;

/// Most different emojis on a message (rich.md, "Reactions").
const MOST: usize = 20;

impl Answer<React> for Messages {
    async fn answer(&self, who: &Caller, call: React) -> Result<Vec<Reaction>, Refusal> {
        let who = who.user()?;
        self.names.learn(who.id, &who.username);
        let React { room, seq, emoji, on } = call;
        let reacted = self.writer()?.write(ReactTo { room, seq, member: who.id, emoji: emoji.into(), on }).await?;
        let Some(state) = reacted.state().filter(|state| !state.reactions.is_empty()) else { return Ok(Vec::new()) };
        let key = [(who.id, (room, seq))];
        let mine = self.db.read(move |tx| Box::pin(async move { state::reactions_of_each(tx, &key).await })).await?;
        self.resolver.reactions(&state.reactions, &mine.concat()).await
    }
}

struct ReactTo {
    room: RoomId,
    seq: i64,
    member: UserId,
    emoji: String,
    on: bool,
}

impl Operation for ReactTo {
    /// The message after it.
    type Done = Arc<LogRow>;

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        let reaction = Some((self.seq, self.emoji.clone(), self.member));
        Needs { messages: vec![self.seq], reaction, ..Needs::of([self.member]) }
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<Self::Done, Denied> {
        let target = target(batch, self.room, self.member, self.seq).await?;
        target.must_be_there()?;
        let key = (self.room, self.seq, self.emoji.clone(), self.member);
        if batch.has_reacted(&key).await? == self.on {
            return Ok(target.message);
        }
        if self.on { self.give(batch, &target).await } else { self.take_back(batch, &target).await }
    }
}

impl ReactTo {
    async fn give(&self, batch: &mut Batch<'_>, target: &Target) -> Result<Arc<LogRow>, Denied> {
        let (mut state, seq) = (target.state(), batch.next_seq(self.room).await?);
        let different = state.reactions.len();
        match state.reactions.iter_mut().find(|reaction| reaction.emoji == self.emoji) {
            Some(reaction) => {
                reaction.count += 1;
                if reaction.first.len() < LISTED_REACTORS {
                    reaction.first.push(self.member);
                }
            }
            None if different >= MOST => {
                return Err(Refusal::conflict(format!("a message has at most {MOST} different reactions")).about("emoji").into());
            }
            None => state.reactions.push(ReactionCount { emoji: self.emoji.clone(), count: 1, first: vec![self.member] }),
        }
        let message = batch.amend(&target.message, state, self.row("+")).await?;
        batch.set_reaction(self.key(), Some(seq));
        Ok(message)
    }

    async fn take_back(&self, batch: &mut Batch<'_>, target: &Target) -> Result<Arc<LogRow>, Denied> {
        let mut state = target.state();
        let Some(reaction) = state.reactions.iter_mut().find(|reaction| reaction.emoji == self.emoji) else {
            return Err(db::Error::Failed(format!("a reaction to message {} of room {} is not counted", self.seq, self.room)).into());
        };
        reaction.count -= 1;
        let listed = reaction.first.len();
        reaction.first.retain(|member| *member != self.member);
        if reaction.first.len() < listed && reaction.count > reaction.first.len() as i64 {
            let mut first = batch.first_reactors((self.room, self.seq), &self.emoji, LISTED_REACTORS + 1).await?;
            first.retain(|member| *member != self.member);
            first.truncate(LISTED_REACTORS);
            reaction.first = first;
        }
        state.reactions.retain(|reaction| reaction.count > 0);
        let message = batch.amend(&target.message, state, self.row("-")).await?;
        batch.set_reaction(self.key(), None);
        Ok(message)
    }

    fn key(&self) -> state::ReactionKey {
        (self.room, self.seq, self.emoji.clone(), self.member)
    }

    fn row(&self, sign: &str) -> NewRow {
        NewRow { payload: Some(format!("{sign}{}", self.emoji)), ..NewRow::new(Kind::ReactionsChanged, self.member) }
    }
}
