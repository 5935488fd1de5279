//! Sending a message. Membership, nonce and seq are decided in the writer's transaction. The answer means that the message is on disk.

use crate::access;
use crate::extra::Extra;
use crate::resolve;
use crate::send::rate_limit_token::RateLimitToken;
use crate::service::{Limits, Messages};
use crate::state;
use crate::store::log::{Kind, LogRow, With};
use crate::store::user_state::StateRowKey;
use crate::writer::{Batch, Denied, Needs, NewRow, Operation};
use contract::calls::messages::{Send, Sent};
use contract::metadata::MESSAGE_BYTES;
use contract::names::BLANK_BODY;
use contract::{Answer, Body, Caller, Code, MessageId, Refusal, RoomId, Stamp, UserId};
use std::sync::Arc;

impl Answer<Send> for Messages {
    async fn answer(&self, who: &Caller, call: Send) -> Result<Sent, Refusal> {
        let who = who.user()?;
        self.must_not_be_long(&call.body)?;
        let Send { room, body, nonce, mut rich } = call;
        rich.metadata =
            rich.metadata.map(|metadata| metadata.fit(MESSAGE_BYTES)).transpose().map_err(|why| Refusal::invalid("metadata", why))?;
        let clears = rich.clears.take().map(|key| ((who.id, key), Stamp::new()));
        let extra = Extra::from(rich);
        if body.as_str().is_empty() && !extra.speaks() {
            return Err(blank_body());
        }
        let operation = SendMessage {
            id: MessageId::new(),
            room,
            sender: who.id,
            body: body.into(),
            nonce: nonce.map(String::from),
            reply_to: extra.reply_to,
            extra: extra.column(),
            clears,
            limits: Arc::clone(&self.limits),
            token: RateLimitToken::default(),
        };
        self.names.learn(who.id, &who.username);
        let (row, created) = self.writer()?.write(operation).await?;
        let message = match row.with {
            None => resolve::plain(row, who.username.clone(), who.id)?,
            Some(_) => self.resolver.message(row, who.id).await?.for_events(),
        };
        Ok(Sent { message, created })
    }
}

impl Messages {
    /// Refuses a text that is longer than the settings allow.
    pub(crate) fn must_not_be_long(&self, body: &Body) -> Result<(), Refusal> {
        let most = self.settings.message_chars;
        if most > 0 && body.as_str().chars().count() > most {
            return Err(Refusal::invalid("body", format!("a message has at most {most} characters")));
        }
        Ok(())
    }
}

struct SendMessage {
    id: MessageId,
    room: RoomId,
    sender: UserId,
    body: String,
    nonce: Option<String>,
    /// The seq of the message that it answers.
    reply_to: Option<i64>,
    extra: Option<String>,
    /// What goes from the sender's own state with this send, and the stamp of that change.
    clears: Option<(StateRowKey, Stamp)>,
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
        let nonce = self.nonce.clone().map(|nonce| (self.sender, nonce));
        let own_state = self.clears.as_ref().map(|(key, _)| key.clone());
        Needs { nonce, messages: self.reply_to.into_iter().collect(), own_state, ..Needs::of([self.sender]) }
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
        let with = match self.reply_to {
            None => None,
            Some(seq) => {
                let Some(replied) = batch.message(self.room, seq).await? else {
                    self.token.give_back(&self.limits.sends, self.sender);
                    return Err(Refusal::invalid("reply_to", "reply_to is the seq of an earlier message of this room").into());
                };
                Some(Box::new(With { replied: Some(replied), ..With::default() }))
            }
        };
        let new = NewRow {
            id: Some(self.id),
            nonce: self.nonce.clone(),
            payload: Some(self.body.clone()),
            extra: self.extra.clone(),
            with,
            ..NewRow::new(Kind::Message, self.sender)
        };
        match batch.append(self.room, new).await? {
            Some(row) => {
                // A sender has read everything up to the own message.
                batch.mark_read(self.room, self.sender, head + 1);
                if let Some((key, stamp)) = &self.clears {
                    state::remove(batch, key, *stamp).await?;
                }
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
    /// The message that an earlier send with this nonce wrote, as it is now; refused if that said something else at first. Of a deleted message
    /// nobody knows what it said.
    async fn earlier(&self, batch: &mut Batch<'_>) -> Result<Option<LogRow>, Denied> {
        let Some(nonce) = &self.nonce else { return Ok(None) };
        let row = batch.by_nonce(self.room, self.sender, nonce).await?;
        if let Some(seq) = row.as_ref().filter(|row| row.is_message()).and_then(|row| row.seq)
            && let Some(message) = batch.message(self.room, seq).await?
            && message.with.is_some()
        {
            let is_same = message.is_deleted() || message.payload.as_deref() == Some(&self.body);
            return if is_same { Ok(Some(message.as_ref().clone())) } else { Err(other_message().into()) };
        }
        if row.as_ref().is_some_and(|row| !row.is_message()) {
            return Err(
                Refusal::busy("this message is on disk, written by a newer server; send it again to reach one that can show it").into()
            );
        }
        if row.as_ref().is_some_and(|row| row.payload.as_deref() != Some(&self.body)) {
            return Err(other_message().into());
        }
        Ok(row)
    }
}

/// A text that shows nothing, in the words of the edge that refuses one of white space.
pub(crate) fn blank_body() -> Refusal {
    Refusal::invalid("body", format!("body: {BLANK_BODY}"))
}

fn other_message() -> Refusal {
    let detail = "this nonce was used in this room for another message; use a new one for a new message";
    Refusal::new(Code::NonceConflict, detail).about("nonce")
}
