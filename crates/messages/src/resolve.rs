//! Turns rows into what readers get: ids become names, rows become entries, messages and rooms.

use crate::names::{Names, ResolvedNames};
use crate::rooms::view::{self, RawRoom};
use crate::store::log::{Kind, LogRow};
use contract::log::{Entry, Event, Membership, Unknown};
use contract::message::nonce_for_reader;
use contract::{Message, Nonce, Refusal, Room, RoomId, UserId};
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
        let mut ids: HashSet<UserId> = rows.iter().flat_map(|row| [Some(row.actor), row.subject]).flatten().collect();
        rooms.as_slice().iter().for_each(|room| room.people(&mut ids));
        let names = self.names.of(ids).await?;
        rows.into_iter()
            .map(|row| Ok(Entry { partition: row.part, position: row.position, event: event(row, &names, &mut rooms)? }))
            .collect()
    }

    /// Message rows as messages, in the same order, as `reader` sees them. Messages of an unknown version are left out.
    pub(crate) async fn messages(&self, rows: Vec<LogRow>, reader: UserId) -> Result<Vec<Message>, Refusal> {
        let names = self.names.of(rows.iter().map(|row| row.actor).collect()).await?;
        rows.into_iter().filter(LogRow::is_message).map(|row| message(row, &names, reader)).collect()
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
            Event::RoomCreated { reader, room: Box::new(room(raw, names)?) }
        }
        Kind::Message => {
            let sender = names.user(row.actor)?;
            let reader = row.actor;
            Event::NewMessage { sender, message: Box::new(message(row, names, reader)?) }
        }
        Kind::MemberJoined => Event::MemberJoined(membership(&row, names)?),
        Kind::MemberLeft => Event::MemberLeft(membership(&row, names)?),
        Kind::RoomUpdated => {
            let name = row.payload.clone().unwrap_or_default();
            Event::RoomUpdated { room: row.room, seq: seq(&row)?, name: name.try_into().map_err(|_| broken(&row))? }
        }
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

/// A message row as `reader` sees it.
pub(crate) fn message(row: LogRow, names: &ResolvedNames, reader: UserId) -> Result<Message, Refusal> {
    let sender = names.name(row.actor)?;
    message_of(row, sender, reader)
}

/// The same where the sender's name is known.
pub(crate) fn message_of(row: LogRow, sender: contract::Username, reader: UserId) -> Result<Message, Refusal> {
    let seq = seq(&row)?;
    let id = row.id.ok_or_else(|| broken(&row))?;
    let nonce = nonce_for_reader(row.nonce.clone(), row.actor == reader).map(Nonce::try_from).transpose().map_err(|_| broken(&row))?;
    let body = row.payload.clone().unwrap_or_default().try_into().map_err(|_| broken(&row))?;
    Ok(Message { id, room: row.room, seq, sender, body, created_at: row.created_at, nonce })
}

fn room(raw: RawRoom, names: &ResolvedNames) -> Result<Room, Refusal> {
    let name = raw.row.name.map(contract::RoomName::try_from).transpose();
    Ok(Room {
        id: raw.row.id,
        kind: raw.row.kind,
        name: name.map_err(|why| edge::incident(&format!("room {} has a name that breaks the rules: {why}", raw.row.id)))?,
        created_by: names.name(raw.row.owner)?,
        created_at: raw.row.created_at,
        usernames: raw.members.into_iter().map(|id| names.name(id)).collect::<Result<_, _>>()?,
        member_count: raw.row.member_count,
        head: raw.head,
        read: raw.read,
        unread: raw.unread,
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
