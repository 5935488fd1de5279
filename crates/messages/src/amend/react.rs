//! Reacting to a message, and taking a reaction back.

use super::target::target;
use crate::service::Messages;
use crate::store::log::{Kind, LogRow};
use crate::store::state::{self, MessageState, ReactionCount};
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
        let mine = match state.reactions_of(who.id) {
            Some(mine) => mine,
            None => {
                let key = [(who.id, (room, seq))];
                self.db.read(move |tx| Box::pin(async move { state::reactions_of_each(tx, &key).await })).await?.concat()
            }
        };
        self.resolver.reactions(&state.reactions, &mine).await
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
        Needs { messages: vec![self.seq], reaction, untold: Some(self.seq), ..Needs::of([self.member]) }
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<Self::Done, Denied> {
        let target = target(batch, self.room, self.member, self.seq).await?;
        target.must_be_there()?;
        let key = (self.room, self.seq, self.emoji.clone(), self.member);
        if batch.has_reacted(&key).await? == self.on {
            return Ok(target.message);
        }
        let state = if self.on { self.give(target.state())? } else { self.take_back(batch, target.state()).await? };
        self.change(batch, &target.message, state).await
    }
}

impl ReactTo {
    /// The message's state with this reaction.
    fn give(&self, mut state: MessageState) -> Result<MessageState, Refusal> {
        let different = state.reactions.len();
        match state.reactions.iter_mut().find(|reaction| reaction.emoji == self.emoji) {
            Some(reaction) => {
                reaction.count += 1;
                if reaction.first.len() < LISTED_REACTORS {
                    reaction.first.push(self.member);
                }
            }
            None if different >= MOST => {
                return Err(Refusal::conflict(format!("a message has at most {MOST} different reactions")).about("emoji"));
            }
            None => state.reactions.push(ReactionCount { emoji: self.emoji.clone(), count: 1, first: vec![self.member] }),
        }
        Ok(state)
    }

    /// The message's state without this reaction.
    async fn take_back(&self, batch: &mut Batch<'_>, mut state: MessageState) -> Result<MessageState, Denied> {
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
        Ok(state)
    }

    /// Writes the change: with a row that tells it, or in a large room without one.
    async fn change(&self, batch: &mut Batch<'_>, message: &LogRow, state: MessageState) -> Result<Arc<LogRow>, Denied> {
        let is_large = batch.room(self.room).await?.is_some_and(|room| room.tells_reactions_together());
        let (after, place) = if is_large {
            batch.hold_back(message, state, self.member).await?
        } else {
            let seq = batch.next_seq(self.room).await?;
            let sign = if self.on { "+" } else { "-" };
            let new = NewRow { payload: Some(format!("{sign}{}", self.emoji)), ..NewRow::new(Kind::ReactionsChanged, self.member) };
            (batch.amend(message, state, new).await?, (seq, 0))
        };
        let key = (self.room, self.seq, self.emoji.clone(), self.member);
        batch.set_reaction(key, self.on.then_some(place));
        Ok(after)
    }
}
