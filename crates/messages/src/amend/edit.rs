//! Editing a message. Only its sender may.

use super::target::{Target, target};
use crate::access;
use crate::extra::Extra;
use crate::send::blank_body;
use crate::service::Messages;
use crate::store::log::{Kind, LogRow};
use crate::writer::{Batch, Denied, Needs, NewRow, Operation};
use contract::calls::messages::EditMessage;
use contract::metadata::{MESSAGE_BYTES, changed};
use contract::{Answer, Body, Caller, Format, Message, Patch, Refusal, RoomId, UserId};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Most edits of a message (rich.md, "Edit").
const MOST: i64 = 100;

impl Answer<EditMessage> for Messages {
    async fn answer(&self, who: &Caller, call: EditMessage) -> Result<Message, Refusal> {
        let who = who.user()?;
        self.names.learn(who.id, &who.username);
        if let Some(body) = &call.body {
            self.must_not_be_long(body)?;
        }
        let EditMessage { room, seq, body, format, metadata, if_rev } = call;
        let edited = self.writer()?.write(Edit { room, seq, sender: who.id, body, format, metadata, if_rev }).await?;
        self.message_after(edited, who.id).await
    }
}

struct Edit {
    room: RoomId,
    seq: i64,
    sender: UserId,
    body: Option<Body>,
    format: Patch<Format>,
    metadata: Patch<Map<String, Value>>,
    if_rev: Option<i64>,
}

impl Operation for Edit {
    type Done = Arc<LogRow>;

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        Needs { messages: vec![self.seq], ..Needs::of([self.sender]) }
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<Self::Done, Denied> {
        let target = target(batch, self.room, self.sender, self.seq).await?;
        access::edit(target.message.actor == self.sender)?;
        target.must_be_there()?;
        let (before, body) = (target.message.body_now(), self.body.as_ref().map(Body::as_str));
        let extra_before = Extra::read(target.message.extra_now());
        let (body, extra) = (body.unwrap_or(before), self.extra(&extra_before)?);
        if body.is_empty() && !extra.speaks() {
            return Err(blank_body().into());
        }
        if body == before && extra == extra_before {
            return Ok(target.message);
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
        let new = NewRow { payload: body, extra, ..NewRow::new(Kind::MessageEdited, self.sender) };
        batch.amend(&target.message, state, new).await
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
