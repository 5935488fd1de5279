//! Turns rows into what readers get: ids become names, rows become entries, messages and rooms.

use crate::extra::{Extra, MentionIds, RoomExtra};
use crate::names::{Names, ResolvedNames};
use crate::rooms::view::{self, RawRoom};
use crate::store::log::{Form, Kind, LogRow};
use crate::store::state::{ReactionCount, ThreadState};
use contract::log::{Amended, Entry, Event, Membership, Pinned, ReactionChange, ReactionsChanged, RoomUpdated, Unknown};
use contract::message::{Mentions, REPLY_CHARS, ReplyTo, ThreadInfo, nonce_for_reader};
use contract::{Message, Nonce, Reaction, Refusal, Room, RoomId, UserId};
use db::Db;
use std::collections::HashSet;

/// Turns rows into what readers get.
#[derive(Clone)]
pub(crate) struct Resolver {
    pub(crate) db: Db,
    pub(crate) names: Names,
}

impl Resolver {
    /// Rows of the log as entries. A `room created` becomes the room as its reader sees it now.
    pub(crate) async fn entries(&self, rows: Vec<LogRow>) -> Result<Vec<Entry>, Refusal> {
        let wanted: Vec<(RoomId, UserId)> =
            rows.iter().filter(|row| row.kind == Kind::RoomCreated).filter_map(|row| Some((row.room, row.subject?))).collect();
        let mut rooms = if wanted.is_empty() { Vec::new() } else { self.db.read(|tx| Box::pin(view::some(tx, wanted))).await? }.into_iter();
        let mut ids = HashSet::new();
        rows.iter().for_each(|row| row.people(&mut ids));
        rooms.as_slice().iter().for_each(|room| room.people(&mut ids));
        let names = self.names.of(ids).await?;
        rows.into_iter()
            .map(|row| Ok(Entry { partition: row.part, position: row.position, event: event(row, &names, &mut rooms)? }))
            .collect()
    }

    /// Message rows as messages, in the same order, as `reader` sees them. Messages of an unknown version are left out.
    pub(crate) async fn messages(&self, rows: Vec<LogRow>, reader: UserId) -> Result<Vec<Message>, Refusal> {
        let names = self.names_in(&rows).await?;
        rows.into_iter().filter(LogRow::is_message).map(|row| message(row, &names, reader)).collect()
    }

    /// One message row as a message.
    pub(crate) async fn message(&self, row: LogRow, reader: UserId) -> Result<Message, Refusal> {
        let names = self.names_in(std::slice::from_ref(&row)).await?;
        message(row, &names, reader)
    }

    /// One message row as events and acknowledgements tell it to `reader`.
    pub(crate) async fn told(&self, row: LogRow, reader: UserId) -> Result<Message, Refusal> {
        let names = self.names_in(std::slice::from_ref(&row)).await?;
        told(row, &names, reader)
    }

    /// A message's reactions as `reader` sees them, who has reacted with `mine`.
    pub(crate) async fn reactions(&self, counts: &[ReactionCount], mine: &[String]) -> Result<Vec<Reaction>, Refusal> {
        let names = self.names.of(counts.iter().flat_map(|count| count.first.iter().copied()).collect()).await?;
        reactions(counts, &names, Some(mine))
    }

    /// The names of everybody in these rows.
    pub(crate) async fn names_in(&self, rows: &[LogRow]) -> Result<ResolvedNames, Refusal> {
        let mut ids = HashSet::new();
        rows.iter().for_each(|row| row.people(&mut ids));
        self.names.of(ids).await
    }

    /// Rooms as their reader sees them.
    pub(crate) async fn rooms(&self, rooms: Vec<RawRoom>) -> Result<Vec<Room>, Refusal> {
        let mut ids = HashSet::new();
        rooms.iter().for_each(|room| room.people(&mut ids));
        let names = self.names.of(ids).await?;
        rooms.into_iter().map(|raw| room(raw, &names)).collect()
    }
}

fn event(row: LogRow, names: &ResolvedNames, rooms: &mut impl Iterator<Item = RawRoom>) -> Result<Event, Refusal> {
    Ok(match row.kind {
        Kind::RoomCreated => {
            let reader = names.user(row.subject.ok_or_else(|| broken(&row))?)?;
            let raw = rooms.next().ok_or_else(|| broken(&row))?.for_who_left(&row);
            let room = room(raw, names)?;
            let room = Room { last_message: room.last_message.map(Message::for_events), ..room };
            Event::RoomCreated { reader, room: Box::new(room) }
        }
        Kind::Message => {
            let sender = names.user(row.actor)?;
            let reader = row.actor;
            Event::NewMessage { sender, message: Box::new(told(row, names, reader)?) }
        }
        Kind::MemberJoined => Event::MemberJoined(membership(&row, names)?),
        Kind::MemberLeft => Event::MemberLeft(membership(&row, names)?),
        Kind::RoomUpdated => {
            let (room, seq, by) = (row.room, seq(&row)?, Some(names.user(row.actor)?));
            let name = row.payload.clone().map(TryInto::try_into).transpose().map_err(|_| broken(&row))?;
            let RoomExtra { topic, metadata } =
                row.extra.as_deref().map(serde_json::from_str).transpose().map_err(|_| broken(&row))?.unwrap_or_default();
            Event::RoomUpdated(Box::new(RoomUpdated { room, seq, by, name, topic, metadata }))
        }
        Kind::MessageEdited => Event::MessageEdited(Box::new(amended(&row, names)?)),
        Kind::MessageDeleted => Event::MessageDeleted(Box::new(amended(&row, names)?)),
        Kind::ReactionsChanged => Event::ReactionsChanged(Box::new(reactions_changed(&row, names)?)),
        Kind::MessagePinned => Event::MessagePinned(pinned(&row, names)?),
        Kind::MessageUnpinned => Event::MessageUnpinned(pinned(&row, names)?),
        Kind::Unknown { number, .. } => {
            // A row without a seq is for its subject alone. In other rows this program does not know what the subject means.
            let reader = row.subject.filter(|_| row.seq.is_none()).and_then(|reader| names.user(reader).ok());
            Event::Unknown(Unknown { room: row.room, seq: row.seq, kind: number, reader })
        }
    })
}

fn membership(row: &LogRow, names: &ResolvedNames) -> Result<Membership, Refusal> {
    let user = names.user(row.subject.ok_or_else(|| broken(row))?)?;
    Ok(Membership { room: row.room, seq: seq(row)?, user, member_count: row.member_count })
}

fn amended(row: &LogRow, names: &ResolvedNames) -> Result<Amended, Refusal> {
    let about = row.with.as_ref().and_then(|with| with.message.as_deref()).ok_or_else(|| broken(row))?;
    // Nobody needs the nonce of a message that was told before.
    let thread_info = if row.kind == Kind::MessageDeleted { thread_info(thread_beside(row), names)? } else { None };
    let message = Message { nonce: None, thread_info, ..message(about.clone(), names, about.actor)?.for_events() };
    let reason = row.payload.clone().filter(|_| row.kind == Kind::MessageDeleted);
    Ok(Amended {
        room: row.room,
        seq: seq(row)?,
        kind: row.kind.number(Form::default()).0,
        ref_seq: row.ref_seq.ok_or_else(|| broken(row))?,
        by: names.user(row.actor)?,
        reason: reason.map(TryInto::try_into).transpose().map_err(|_| broken(row))?,
        message: Box::new(message),
    })
}

fn reactions_changed(row: &LogRow, names: &ResolvedNames) -> Result<ReactionsChanged, Refusal> {
    let about = row.with.as_ref().and_then(|with| with.message.as_deref()).ok_or_else(|| broken(row))?;
    let counts = about.state().map_or(&[][..], |state| &state.reactions);
    // The payload is gone with a deleted message, and there is none where several changes are told together.
    let change = match &row.payload {
        None => None,
        Some(payload) => {
            let (on, emoji) = payload.split_at_checked(1).ok_or_else(|| broken(row))?;
            let emoji = emoji.try_into().map_err(|_| broken(row))?;
            Some(ReactionChange { by: names.user(row.actor)?, emoji, on: on == "+" })
        }
    };
    Ok(ReactionsChanged {
        room: row.room,
        seq: seq(row)?,
        kind: row.kind.number(Form::default()).0,
        ref_seq: row.ref_seq.ok_or_else(|| broken(row))?,
        change,
        reactions: reactions(counts, names, None)?,
    })
}

fn pinned(row: &LogRow, names: &ResolvedNames) -> Result<Pinned, Refusal> {
    let (kind, ref_seq) = (row.kind.number(Form::default()).0, row.ref_seq.ok_or_else(|| broken(row))?);
    Ok(Pinned { room: row.room, seq: seq(row)?, kind, ref_seq, by: names.user(row.actor)? })
}

fn reactions(counts: &[ReactionCount], names: &ResolvedNames, mine: Option<&[String]>) -> Result<Vec<Reaction>, Refusal> {
    let one = |count: &ReactionCount| {
        Ok(Reaction {
            emoji: count.emoji.as_str().try_into().map_err(|why| edge::incident(&format!("a reaction that breaks the rules: {why}")))?,
            count: count.count,
            usernames: count.first.iter().map(|id| names.name(*id)).collect::<Result<_, _>>()?,
            mine: mine.map(|mine| mine.contains(&count.emoji)),
        })
    };
    counts.iter().map(one).collect()
}

/// A message row as events and acknowledgements tell it: of a message in a thread with what came there.
fn told(row: LogRow, names: &ResolvedNames, reader: UserId) -> Result<Message, Refusal> {
    let thread_info = thread_info(thread_beside(&row), names)?;
    Ok(Message { thread_info, ..message(row, names, reader)?.for_events() })
}

fn thread_beside(row: &LogRow) -> Option<&ThreadState> {
    row.with.as_ref()?.thread.as_deref()
}

fn thread_info(thread: Option<&ThreadState>, names: &ResolvedNames) -> Result<Option<Box<ThreadInfo>>, Refusal> {
    let Some((thread, (last_seq, last_at))) = thread.and_then(|thread| Some((thread, thread.last?))) else { return Ok(None) };
    let usernames = thread.first.iter().map(|id| names.name(*id)).collect::<Result<_, _>>()?;
    Ok(Some(Box::new(ThreadInfo { replies: thread.total - thread.deleted, last_seq, last_at, usernames })))
}

/// A message row as `reader` sees it.
pub(crate) fn message(mut row: LogRow, names: &ResolvedNames, reader: UserId) -> Result<Message, Refusal> {
    let sender = names.name(row.actor)?;
    let with = row.with.take();
    let state = with.as_ref().and_then(|with| with.state.as_deref());
    if let Some(edited) = state.filter(|state| state.edits > 0) {
        (row.payload, row.extra) = (edited.body.clone(), edited.extra.clone());
    }
    let mentions = mentions(&row, names)?;
    let mut now = plain(row, sender, reader)?;
    now.mentions = mentions.map(Box::new);
    let Some(with) = &with else { return Ok(now) };
    now.reply_to = with.replied.as_deref().map(|replied| reply_to(replied, names)).transpose()?.map(Box::new);
    if let Some(state) = state {
        now.rev = state.rev;
        now.edited_at = state.edited.map(|(_, at)| at).filter(|_| state.deleted.is_none());
        now.deleted_at = state.deleted.map(|(at, _)| at);
        now.deleted_by = state.deleted.map(|(_, by)| names.name(by)).transpose()?;
        now.reactions = reactions(&state.reactions, names, Some(&with.mine))?;
        now.thread_info = thread_info(state.thread.as_deref(), names)?;
        now.pinned_at = state.pinned.map(|(_, at, _)| at);
        now.pinned_by = state.pinned.map(|(_, _, by)| names.name(by)).transpose()?;
    }
    Ok(now)
}

fn mentions(row: &LogRow, names: &ResolvedNames) -> Result<Option<Mentions>, Refusal> {
    let MentionIds { users, room } = Extra::mentions(row.extra_now());
    let users = users.iter().map(|id| names.name(*id)).collect::<Result<_, _>>()?;
    let mentions = Mentions { users, room };
    Ok(Some(mentions).filter(|mentions| !mentions.is_empty()))
}

/// A message row to which nothing is attached, where the sender's name is known.
pub(crate) fn plain(mut row: LogRow, sender: contract::Username, reader: UserId) -> Result<Message, Refusal> {
    let seq = seq(&row)?;
    let id = row.id.ok_or_else(|| broken(&row))?;
    let nonce = nonce_for_reader(row.nonce.take(), row.actor == reader).map(Nonce::try_from).transpose().map_err(|_| broken(&row))?;
    let Extra { message_type, format, metadata, .. } = match &row.extra {
        None => Extra::default(),
        some => Extra::read(some.as_deref()),
    };
    let body = row.payload.take().unwrap_or_default().try_into().map_err(|_| broken(&row))?;
    let message = Message::plain(id, row.room, seq, sender, body, row.created_at);
    let (thread, also_in_room) = (row.thread.map(|thread| thread.root), (row.thread.is_some() && !row.is_aside()).then_some(true));
    Ok(Message { nonce, message_type, format, metadata, thread, also_in_room, ..message })
}

fn reply_to(replied: &LogRow, names: &ResolvedNames) -> Result<ReplyTo, Refusal> {
    let body = replied.body_now().chars().take(REPLY_CHARS).collect();
    Ok(ReplyTo { seq: seq(replied)?, sender: names.name(replied.actor)?, body })
}

fn room(raw: RawRoom, names: &ResolvedNames) -> Result<Room, Refusal> {
    let broken = |what: &str| edge::incident(&format!("room {} has {what} that breaks the rules; run `guild check`", raw.row.id));
    Ok(Room {
        id: raw.row.id,
        kind: raw.row.kind,
        name: raw.row.name.map(contract::RoomName::try_from).transpose().map_err(|_| broken("a name"))?,
        topic: raw.row.topic.map(contract::Topic::try_from).transpose().map_err(|_| broken("a topic"))?,
        metadata: raw.row.metadata.as_deref().map(serde_json::from_str).transpose().map_err(|_| broken("metadata"))?,
        rev: raw.row.rev,
        created_by: names.name(raw.row.owner)?,
        created_at: raw.row.created_at,
        usernames: raw.members.into_iter().map(|id| names.name(id)).collect::<Result<_, _>>()?,
        member_count: raw.row.member_count,
        head: raw.head,
        read: raw.read,
        unread: raw.unread,
        unread_threads: raw.unread_threads,
        mentions: raw.mentions,
        last_message: raw.last.filter(LogRow::is_message).map(|row| message(row, names, raw.reader)).transpose()?,
    })
}

fn seq(row: &LogRow) -> Result<i64, Refusal> {
    row.seq.ok_or_else(|| broken(row))
}

/// Happens only in a database that was changed by hand.
fn broken(row: &LogRow) -> Refusal {
    edge::incident(&format!("the log's row at position {} is not whole; run `guild check`", row.position))
}
