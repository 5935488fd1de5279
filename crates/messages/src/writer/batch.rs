//! One transaction of the writer, as operations see it: where rooms and members stand (including what earlier operations of the same
//! batch did), and how to append.

use super::operation::Pending;
use super::remembered::{MemberState, Remembered, RoomState};
use crate::store::log::{Kind, LogRow};
use crate::store::{log, members, rooms};
use contract::{MessageId, RoomId, Time, UserId};
use db::{Error, Tx};
use std::collections::HashMap;

/// See the module.
pub(crate) struct Batch<'t> {
    pub(crate) tx: &'t mut Tx,
    remembered: &'t mut Remembered,
    /// What was appended, in order.
    rows: Vec<LogRow>,
    /// Read marks that moved: written once at the end, however often each moved.
    read: HashMap<(RoomId, UserId), i64>,
    messages: u64,
}

/// What a committed batch has done.
pub(super) struct Outcome {
    pub rows: Vec<LogRow>,
    pub messages: u64,
}

/// A row of the log before it has its place.
pub(crate) struct NewRow {
    pub kind: Kind,
    pub actor: UserId,
    pub subject: Option<UserId>,
    pub id: Option<MessageId>,
    pub nonce: Option<String>,
    pub payload: Option<String>,
}

impl<'t> Batch<'t> {
    /// Lets each of the operations decide, in order.
    pub(super) async fn decide_all(
        tx: &'t mut Tx,
        remembered: &'t mut Remembered,
        pending: &mut [Box<dyn Pending>],
        now: Time,
    ) -> Result<Outcome, Error> {
        if remembered.generation != Some(tx.generation()) {
            remembered.forget();
            (remembered.position, remembered.time) = log::end(tx).await?;
            remembered.generation = Some(tx.generation());
        }
        remembered.trim();
        // Times never fall within the log, even if the machine's clock does.
        remembered.time = remembered.time.max(now);
        let mut batch = Batch { tx, remembered, rows: Vec::with_capacity(pending.len()), read: HashMap::new(), messages: 0 };
        for operation in pending {
            operation.decide(&mut batch).await?;
        }
        for ((room, member), seq) in std::mem::take(&mut batch.read) {
            members::mark_read(batch.tx, room, member, seq).await?;
        }
        Ok(Outcome { rows: batch.rows, messages: batch.messages })
    }

    /// The time that this batch's rows carry.
    pub(crate) fn now(&self) -> Time {
        self.remembered.time
    }

    /// Where a room stands; `None` if there is none.
    pub(crate) async fn room(&mut self, id: RoomId) -> Result<Option<&mut RoomState>, Error> {
        if !self.remembered.rooms.contains(&id) {
            let Some(room) = rooms::find(self.tx, id).await? else { return Ok(None) };
            let head = log::head(self.tx, id).await?;
            let state = RoomState {
                kind: room.kind,
                name: room.name,
                owner: room.owner,
                member_count: room.member_count,
                head: head.as_ref().and_then(|row| row.seq).unwrap_or(0),
                messages: head.as_ref().map_or(0, |row| row.messages),
                newest: head.as_ref().map_or(0, |row| row.newest),
            };
            self.remembered.rooms.put(id, state);
        }
        Ok(self.remembered.rooms.get_mut(&id))
    }

    /// Where somebody stands in a room; `None` for who was never in it.
    pub(crate) async fn member(&mut self, room: RoomId, member: UserId) -> Result<Option<MemberState>, Error> {
        if let Some(state) = self.remembered.members.get(&(room, member)) {
            return Ok(Some(*state));
        }
        let state = members::find(self.tx, room, member).await?.map(|row| MemberState { active: row.active, read: row.read });
        if let Some(state) = state {
            self.remembered.members.put((room, member), state);
        }
        Ok(state)
    }

    /// Creates a room that has nobody in it yet.
    pub(crate) async fn create(&mut self, new: &rooms::NewRoom) -> Result<(), Error> {
        rooms::insert(self.tx, new).await?;
        let room = &new.room;
        let state =
            RoomState { kind: room.kind, name: room.name.clone(), owner: room.owner, member_count: 0, head: 0, messages: 0, newest: 0 };
        self.remembered.rooms.put(room.id, state);
        Ok(())
    }

    /// Makes somebody a member: a row that tells this user alone, which begins the membership, and for a room that exists already
    /// (`joins`) a row that tells all members.
    pub(crate) async fn enter(&mut self, room: RoomId, actor: UserId, member: UserId, joins: bool) -> Result<(), Error> {
        let Some(state) = self.room(room).await? else { return Err(gone(room)) };
        state.member_count += 1;
        let seq = if joins { state.head + 1 } else { 0 };
        let row = |kind| NewRow { kind, actor, subject: Some(member), id: None, nonce: None, payload: None };
        let created = self.append(room, row(Kind::RoomCreated)).await?.ok_or_else(|| gone(room))?;
        if joins {
            self.append(room, row(Kind::MemberJoined)).await?;
        }
        members::join(self.tx, room, member, created.position, seq).await?;
        self.remembered.members.put((room, member), MemberState { active: true, read: seq });
        self.read.remove(&(room, member));
        Ok(())
    }

    /// Ends a membership with a row that tells all members, the leaving one too.
    pub(crate) async fn leave(&mut self, room: RoomId, actor: UserId, member: UserId) -> Result<(), Error> {
        let Some(state) = self.room(room).await? else { return Err(gone(room)) };
        state.member_count -= 1;
        let new = NewRow { kind: Kind::MemberLeft, actor, subject: Some(member), id: None, nonce: None, payload: None };
        let row = self.append(room, new).await?.ok_or_else(|| gone(room))?;
        members::leave(self.tx, room, member, row.position, row.seq.unwrap_or(0)).await?;
        let read = self.remembered.members.get(&(room, member)).map_or(0, |state| state.read);
        self.remembered.members.put((room, member), MemberState { active: false, read });
        Ok(())
    }

    /// Writes down what changed about a room itself.
    pub(crate) async fn save(&mut self, room: RoomId) -> Result<(), Error> {
        let Some(state) = self.room(room).await?.cloned() else { return Err(gone(room)) };
        rooms::update(self.tx, room, state.name.as_deref(), state.owner, state.member_count).await
    }

    /// Moves a read mark; the caller knows that it moves forward.
    pub(crate) fn mark_read(&mut self, room: RoomId, member: UserId, seq: i64) {
        if let Some(state) = self.remembered.members.get_mut(&(room, member)) {
            state.read = seq;
        }
        self.read.insert((room, member), seq);
    }

    /// Appends to the room's log; `None`, and nothing appended, if the sender has used this nonce in this room before.
    pub(crate) async fn append(&mut self, room: RoomId, new: NewRow) -> Result<Option<LogRow>, Error> {
        let position = self.remembered.position + 1;
        let created_at = self.remembered.time;
        let Some(state) = self.room(room).await? else { return Err(gone(room)) };
        let is_message = new.kind == Kind::Message;
        let seq = (new.kind != Kind::RoomCreated).then_some(state.head + 1);
        let row = LogRow {
            position,
            room,
            seq,
            kind: new.kind,
            actor: new.actor,
            subject: new.subject,
            messages: state.messages + i64::from(is_message),
            newest: seq.filter(|_| is_message).unwrap_or(state.newest),
            member_count: state.member_count,
            id: new.id,
            nonce: new.nonce,
            payload: new.payload,
            created_at,
        };
        if !log::append(self.tx, &row).await? {
            return Ok(None);
        }
        if let Some(state) = self.room(room).await? {
            state.head = seq.unwrap_or(state.head);
            state.messages = row.messages;
            state.newest = row.newest;
        }
        self.remembered.position = position;
        self.messages += u64::from(is_message);
        self.rows.push(row.clone());
        Ok(Some(row))
    }
}

fn gone(room: RoomId) -> Error {
    Error::Failed(format!("room {room} was there and is gone within one transaction"))
}
