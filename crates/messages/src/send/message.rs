//! Sending a message. Membership, nonce and seq are decided in the writer's transaction. The answer means that the message is on disk.

use crate::access;
use crate::resolve;
use crate::send::rate_limit_token::RateLimitToken;
use crate::service::{Limits, Messages};
use crate::store::log::{Kind, LogRow};
use crate::writer::{Batch, Denied, Needs, NewRow, Operation};
use contract::calls::messages::{Send, Sent};
use contract::{Answer, Caller, Code, MessageId, Refusal, RoomId, UserId};
use std::sync::Arc;

impl Answer<Send> for Messages {
    async fn answer(&self, who: &Caller, call: Send) -> Result<Sent, Refusal> {
        let who = who.user()?;
        let most = self.settings.message_chars;
        if most > 0 && call.body.as_str().chars().count() > most {
            return Err(Refusal::invalid("body", format!("a message has at most {most} characters")));
        }
        let operation = SendMessage {
            id: MessageId::new(),
            room: call.room,
            sender: who.id,
            body: call.body.into(),
            nonce: call.nonce.map(String::from),
            limits: Arc::clone(&self.limits),
            token: RateLimitToken::default(),
        };
        self.names.learn(who.id, &who.username);
        let (row, created) = self.writer()?.write(operation).await?;
        Ok(Sent { message: resolve::message_of(row, who.username.clone(), who.id)?, created })
    }
}

struct SendMessage {
    id: MessageId,
    room: RoomId,
    sender: UserId,
    body: String,
    nonce: Option<String>,
    limits: Arc<Limits>,
    token: RateLimitToken,
}

impl Operation for SendMessage {
    /// The message's row, and whether this send wrote it.
    type Done = (LogRow, bool);

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        Needs { nonce: self.nonce.clone().map(|nonce| (self.sender, nonce)), ..Needs::of([self.sender]) }
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<Self::Done, Denied> {
        let (kind, head) = batch.room(self.room).await?.map(|room| (room.kind, room.head)).ok_or_else(Refusal::no_room)?;
        let member = batch.member(self.room, self.sender).await?.filter(|member| member.active);
        access::member_only(kind, member.is_some())?;
        if let Err(wait) = self.token.take(&self.limits.sends, self.sender) {
            // A repeated send does not count, so its message is found even without a token.
            if let Some(row) = self.earlier(batch).await? {
                return Ok((row, false));
            }
            metrics::counter!("guild_rate_limited_total", "what" => "send").increment(1);
            return Err(Refusal::rate_limited("you send too fast; slow down", wait).into());
        }
        let new = NewRow {
            kind: Kind::Message,
            actor: self.sender,
            subject: None,
            id: Some(self.id),
            nonce: self.nonce.clone(),
            payload: Some(self.body.clone()),
        };
        match batch.append(self.room, new).await? {
            Some(row) => {
                // A sender has read everything up to the own message.
                batch.mark_read(self.room, self.sender, head + 1);
                Ok((row, true))
            }
            None => {
                self.token.give_back(&self.limits.sends, self.sender);
                let row = self.earlier(batch).await?.ok_or_else(|| db::Error::Failed("a nonce was there and is gone".into()))?;
                Ok((row, false))
            }
        }
    }
}

impl SendMessage {
    /// The row that an earlier send with this nonce wrote; refused if it holds another message.
    async fn earlier(&self, batch: &mut Batch<'_>) -> Result<Option<LogRow>, Denied> {
        let Some(nonce) = &self.nonce else { return Ok(None) };
        let row = batch.by_nonce(self.room, self.sender, nonce).await?;
        if row.as_ref().is_some_and(|row| !row.is_message()) {
            return Err(
                Refusal::busy("this message is on disk, written by a newer server; send it again to reach one that can show it").into()
            );
        }
        if row.as_ref().is_some_and(|row| row.payload.as_deref() != Some(&self.body)) {
            let detail = "this nonce was used in this room for another message; use a new one for a new message";
            return Err(Refusal::new(Code::NonceConflict, detail).about("nonce").into());
        }
        Ok(row)
    }
}
