//! Sending a message. Membership, nonce and seq are decided in the writer's transaction. The answer means that the message is on disk.

use crate::access;
use crate::extra::{Extra, MentionIds};
use crate::mentions::{GivenMentions, follow_of_mentioned};
use crate::resolve;
use crate::send::rate_limit_token::RateLimitToken;
use crate::service::{Limits, Messages};
use crate::state;
use crate::store::log::{Kind, LogRow, With};
use crate::store::user_state::StateRowKey;
use crate::threads::{self, Opened};
use crate::writer::{Batch, Denied, Needs, NewRow, Operation};
use contract::calls::messages::{Send, Sent};
use contract::hint::ThreadReadMoved;
use contract::metadata::MESSAGE_BYTES;
use contract::names::BLANK_BODY;
use contract::{Answer, Body, Caller, Code, MessageId, Refusal, RoomId, RoomKind, Stamp, UserId, Warning};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

impl Answer<Send> for Messages {
    async fn answer(&self, who: &Caller, call: Send) -> Result<Sent, Refusal> {
        let who = who.user()?;
        self.must_not_be_long(&call.body)?;
        let Send { room, body, nonce, mut rich } = call;
        rich.metadata =
            rich.metadata.map(|metadata| metadata.fit(MESSAGE_BYTES)).transpose().map_err(|why| Refusal::invalid("metadata", why))?;
        let (thread, also_in_room) = (rich.thread, rich.also_in_room);
        if also_in_room && thread.is_none() {
            return Err(Refusal::invalid("also_in_room", "also_in_room is for a message in a thread; give thread too, or leave it out"));
        }
        let mentioned = rich.mentions.as_ref().is_some_and(|mentions| !mentions.is_empty());
        let _turn = self.turns.turn(room, who.id, !mentioned).await;
        let mentions = match rich.mentions.take().filter(|mentions| !mentions.is_empty()) {
            Some(mentions) => self.given_mentions(who, mentions).await?,
            None => GivenMentions::default(),
        };
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
            extra,
            mentions,
            thread,
            also_in_room,
            clears,
            limits: Arc::clone(&self.limits),
            token: RateLimitToken::default(),
        };
        self.names.learn(who.id, &who.username);
        let Written { row, created, dropped, thread_read } = self.writer()?.write(operation).await?;
        if let Some((thread, end)) = row.thread.zip(thread_read) {
            // Who writes in a thread has read it.
            let read = row.seq.unwrap_or(0);
            let place = (self.partitions.of_room(row.room), end.load(Ordering::Relaxed));
            self.bus.publish(ThreadReadMoved { room: row.room, thread: thread.root, user: who.id, read, unread: 0, place });
        }
        let message = match row.with {
            None if Extra::mentions(row.extra.as_deref()).is_empty() => resolve::plain(row, who.username.clone(), who.id)?,
            _ => self.resolver.told(row, who.id).await?,
        };
        let warnings = if dropped { vec![Warning::mention_dropped()] } else { Vec::new() };
        Ok(Sent { message, created, warnings })
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
    /// What it has besides its text, but for the mentions.
    extra: Extra,
    mentions: GivenMentions,
    /// The seq of the message in whose thread it is written.
    thread: Option<i64>,
    also_in_room: bool,
    /// What goes from the sender's own state with this send, and the stamp of that change.
    clears: Option<(StateRowKey, Stamp)>,
    limits: Arc<Limits>,
    token: RateLimitToken,
}

/// The outcome of a send.
struct Written {
    /// The message's row.
    row: LogRow,
    /// Whether this send wrote it.
    created: bool,
    /// Whether the mention of everybody was dropped.
    dropped: bool,
    /// If it moved the sender's mark in a thread: the partition's last position after the commit.
    thread_read: Option<Arc<AtomicI64>>,
}

impl Written {
    fn earlier(row: LogRow) -> Self {
        Self { row, created: false, dropped: false, thread_read: None }
    }
}

impl Operation for SendMessage {
    type Done = Written;

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        let nonce = self.nonce.clone().map(|nonce| (self.sender, nonce));
        let members = std::iter::once(self.sender).chain(self.mentions.ids.users.iter().copied());
        let messages = self.extra.reply_to.into_iter().chain(self.thread).collect();
        let own_state = self.clears.as_ref().map(|(key, _)| key.clone());
        Needs { nonce, messages, own_state, ..Needs::of(members) }
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<Self::Done, Denied> {
        let (kind, head) = batch.room(self.room).await?.map(|room| (room.kind, room.head)).ok_or_else(Refusal::no_room)?;
        let member = batch.member(self.room, self.sender).await?.filter(|member| member.active);
        access::member_only(kind, member.is_some())?;
        if let Err(wait) = self.token.take(&self.limits.sends, self.sender) {
            // A repeated send does not count, so its message is found even without a token.
            if let Some(row) = self.earlier(batch).await? {
                return Ok(Written::earlier(row));
            }
            metrics::counter!("guild_rate_limited_total", "what" => "send").increment(1);
            return Err(Refusal::rate_limited("you send too fast; slow down", wait).into());
        }
        let ((with, opened), (mentions, dropped)) = match self.judged(batch, kind).await {
            Ok(judged) => judged,
            Err(denied) => {
                self.token.give_back(&self.limits.sends, self.sender);
                // What is on disk stays sent, though somebody whom it mentions has left since.
                return self.earlier(batch).await?.map(Written::earlier).ok_or(denied);
            }
        };
        let extra =
            if mentions.is_empty() { self.extra.column() } else { Extra { mentions: mentions.clone(), ..self.extra.clone() }.column() };
        let new = NewRow {
            id: Some(self.id),
            nonce: self.nonce.clone(),
            payload: Some(self.body.clone()),
            extra,
            mentions: mentions.clone(),
            thread: opened.as_ref().map(|opened| opened.new),
            with,
            ..NewRow::new(Kind::Message, self.sender)
        };
        match batch.append(self.room, new).await? {
            Some(row) => {
                if let Some(opened) = opened {
                    threads::wrote(batch, opened, &row);
                    follow_of_mentioned(batch, &row, &mentions, head + 1);
                }
                if !row.is_aside() {
                    // A sender has read everything up to the own message.
                    batch.mark_read(self.room, self.sender, head + 1);
                }
                if let Some((key, stamp)) = &self.clears {
                    state::remove(batch, key, *stamp).await?;
                }
                let thread_read = row.thread.map(|_| batch.end());
                Ok(Written { row, created: true, dropped, thread_read })
            }
            None => {
                self.token.give_back(&self.limits.sends, self.sender);
                let row = self.earlier(batch).await?.ok_or_else(|| db::Error::Failed("a nonce was there and is gone".into()))?;
                Ok(Written::earlier(row))
            }
        }
    }
}

/// The messages that a message is about, as its row and its thread need them.
type About = (Option<Box<With>>, Option<Opened>);

impl SendMessage {
    /// What the message is about, whom it will mention, and whether the mention of everybody was dropped.
    async fn judged(&self, batch: &mut Batch<'_>, kind: RoomKind) -> Result<(About, (MentionIds, bool)), Denied> {
        let about = self.about(batch, kind).await?;
        Ok((about, self.mentions.judged(batch, self.room, self.sender, &MentionIds::default()).await?))
    }

    /// The messages that it is about: the one that it answers, and the one in whose thread it is.
    async fn about(&self, batch: &mut Batch<'_>, kind: RoomKind) -> Result<About, Denied> {
        if self.extra.reply_to.is_none() && self.thread.is_none() {
            return Ok((None, None));
        }
        let mut with = With::default();
        if let Some(seq) = self.extra.reply_to {
            let no_reply = || Refusal::invalid("reply_to", "reply_to is the seq of an earlier message of this room");
            with.replied = Some(batch.message(self.room, seq).await?.ok_or_else(no_reply)?);
        }
        let opened = match self.thread {
            Some(thread) => Some(threads::open(batch, (self.room, kind), self.sender, thread, self.also_in_room).await?),
            None => None,
        };
        with.thread = opened.as_ref().map(|opened| Arc::clone(&opened.thread));
        Ok((Some(Box::new(with)), opened))
    }

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
