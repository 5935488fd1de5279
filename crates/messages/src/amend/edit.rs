//! Editing a message. Only its sender may.

use super::target::{Target, target};
use crate::access;
use crate::extra::Extra;
use crate::mentions::{GivenMentions, follow_of_mentioned};
use crate::send::blank_body;
use crate::service::Messages;
use crate::store::log::{Kind, LogRow};
use crate::threads;
use crate::writer::{Batch, Denied, Needs, NewRow, Operation};
use contract::calls::messages::{EditMessage, Edited};
use contract::metadata::{MESSAGE_BYTES, changed};
use contract::{Answer, Body, Caller, Format, Patch, Refusal, RoomId, UserId, Warning};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Most edits of a message (rich.md, "Edit").
const MOST: i64 = 100;

impl Answer<EditMessage> for Messages {
    async fn answer(&self, who: &Caller, call: EditMessage) -> Result<Edited, Refusal> {
        let who = who.user()?;
        self.names.learn(who.id, &who.username);
        if let Some(body) = &call.body {
            self.must_not_be_long(body)?;
        }
        let EditMessage { room, seq, body, format, metadata, mentions, if_rev } = call;
        let _turn = self.turns.turn(room, who.id, !matches!(mentions, Patch::Set(_))).await;
        let mentions = match mentions {
            Patch::Keep => None,
            Patch::Clear => Some(GivenMentions::default()),
            Patch::Set(mentions) => Some(self.given_mentions(who, mentions).await?),
        };
        let (edited, dropped) = self.writer()?.write(Edit { room, seq, sender: who.id, body, format, metadata, mentions, if_rev }).await?;
        let warnings = if dropped { vec![Warning::mention_dropped()] } else { Vec::new() };
        Ok(Edited { message: self.message_after(edited, who.id).await?, warnings })
    }
}

struct Edit {
    room: RoomId,
    seq: i64,
    sender: UserId,
    body: Option<Body>,
    format: Patch<Format>,
    metadata: Patch<Map<String, Value>>,
    /// Whom it mentions from here on; none leaves that.
    mentions: Option<GivenMentions>,
    if_rev: Option<i64>,
}

impl Operation for Edit {
    /// The message after it, and whether the mention of everybody was dropped.
    type Done = (Arc<LogRow>, bool);

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        let mentioned = self.mentions.iter().flat_map(|mentions| mentions.ids.users.iter().copied());
        Needs { messages: vec![self.seq], ..Needs::of(std::iter::once(self.sender).chain(mentioned)) }
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<Self::Done, Denied> {
        let target = target(batch, self.room, self.sender, self.seq).await?;
        access::edit(target.message.actor == self.sender)?;
        target.must_be_there()?;
        let (before, body) = (target.message.body_now(), self.body.as_ref().map(Body::as_str));
        let extra_before = Extra::read(target.message.extra_now());
        let (mentions, dropped) = match &self.mentions {
            Some(mentions) => mentions.judged(batch, self.room, self.sender, &extra_before.mentions).await?,
            None => (extra_before.mentions.clone(), false),
        };
        let (body, extra) = (body.unwrap_or(before), Extra { mentions: mentions.clone(), ..self.extra(&extra_before)? });
        if body.is_empty() && !extra.speaks() {
            return Err(blank_body().into());
        }
        if body == before && extra == extra_before {
            return Ok((target.message, dropped));
        }
        self.must_be_newest(&target)?;
        let mut state = target.state();
        if state.edits >= MOST {
            return Err(Refusal::conflict(format!("a message can be edited {MOST} times, and this one was")).into());
        }
        let (body, extra, seq) = (Some(body.to_owned()), extra.column(), batch.next_seq(self.room).await?);
        state.edits += 1;
        state.edited = Some((seq, batch.now()));
        (state.body, state.extra) = (body.clone(), extra.clone());
        let new = NewRow { payload: body, extra, mentions: mentions.clone(), ..NewRow::new(Kind::MessageEdited, self.sender) };
        let message = batch.amend(&target.message, state, new).await?;
        if let Some(place) = message.thread {
            let last = batch.message(self.room, place.root).await?.map_or(0, |root| threads::last_of(&root));
            follow_of_mentioned(batch, &message, &mentions, last);
        }
        Ok((message, dropped))
    }
}

impl Edit {
    /// Refuses an edit of a text that its editor has not seen. Reactions and pins do not disturb an edit.
    fn must_be_newest(&self, target: &Target) -> Result<(), Refusal> {
        let state = target.message.state();
        let edited = state.and_then(|state| state.edited).map_or(self.seq, |(seq, _)| seq);
        let rev = state.map_or(self.seq, |state| state.rev);
        match self.if_rev {
            Some(if_rev) if if_rev < edited => {
                Err(Refusal::conflict("somebody has edited this message since; read it again").about("if_rev"))
            }
            Some(if_rev) if if_rev > rev => Err(Refusal::conflict("this message has no such rev yet; read it again").about("if_rev")),
            _ => Ok(()),
        }
    }

    /// What the message has besides its text after the edit.
    fn extra(&self, before: &Extra) -> Result<Extra, Refusal> {
        let metadata = changed(before.metadata.clone(), &self.metadata, MESSAGE_BYTES)?;
        Ok(Extra { format: self.format.applied(before.format), metadata, ..before.clone() })
    }
}
