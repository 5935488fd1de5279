//! One transaction of the writer, as operations see it: where rooms and members stand (including what earlier operations of the same
//! batch did), and how to append.

use super::ahead::{self, Nonces};
use super::operation::{Denied, Pending};
use super::remembered::{MemberState, Remembered, RoomState};
use crate::partitions;
use crate::search::index;
use crate::store::log::{Kind, LogRow};
use crate::store::{log, members, rooms};
use contract::{Clock, MessageId, Refusal, RoomId, Time, UserId};
use db::{Error, Tx};
use std::collections::HashMap;

/// See the module.
pub(crate) struct Batch<'t> {
    tx: &'t mut Tx,
    part: u16,
    /// The log's minimal version: no kind that is newer may be written.
    min_version: i64,
    remembered: &'t mut Remembered,
    /// What was appended, in order.
    rows: Vec<LogRow>,
    /// How many of them are in the table.
    written: usize,
    /// On a shared database: the nonces that were looked up beforehand, or used since, with what was written by them.
    nonces: Option<Nonces>,
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
        (part, min_version): (u16, i64),
        remembered: &'t mut Remembered,
        pending: &mut [Box<dyn Pending>],
        clock: &Clock,
    ) -> Result<Outcome, Error> {
        // Nobody else appends to this partition until the commit.
        tx.lock(partitions::lock(part)).await?;
        recall(tx, part, remembered).await?;
        remembered.trim();
        // Times never fall within a partition, even if the machine's clock does.
        remembered.time = remembered.time.max(clock.now());
        let nonces = if tx.is_shared() {
            let wanted = pending.iter().map(|operation| (operation.room(), operation.needs())).collect();
            Some(ahead::read(tx, remembered, wanted).await?)
        } else {
            None
        };
        let rows = Vec::with_capacity(pending.len());
        let mut batch = Batch { tx, part, min_version, remembered, rows, written: 0, nonces, read: HashMap::new(), messages: 0 };
        for operation in pending {
            operation.decide(&mut batch).await?;
        }
        batch.flush().await?;
        index::keep_up(batch.tx, part, batch.remembered.position, &mut batch.remembered.indexed).await?;
        members::mark_read(batch.tx, std::mem::take(&mut batch.read).into_iter()).await?;
        Ok(Outcome { rows: batch.rows, messages: batch.messages })
    }

    /// The transaction, with everything in the tables that was appended so far.
    pub(crate) async fn tx(&mut self) -> Result<&mut Tx, Error> {
        self.flush().await?;
        Ok(self.tx)
    }

    /// Writes the rows that wait.
    async fn flush(&mut self) -> Result<(), Error> {
        let waiting = self.rows.get(self.written..).unwrap_or_default();
        if !waiting.is_empty() && !log::append(self.tx, waiting).await?.into_iter().all(|written| written) {
            return Err(Error::Conflict("log.nonce: it was not there when this batch began".to_owned()));
        }
        self.written = self.rows.len();
        Ok(())
    }

    /// What an earlier message with this nonce is.
    pub(crate) async fn by_nonce(&mut self, room: RoomId, actor: UserId, nonce: &str) -> Result<Option<LogRow>, Error> {
        match &self.nonces {
            Some(nonces) if let Some(row) = nonces.get(&(room, actor, nonce.to_owned())) => Ok(row.clone()),
            _ => log::by_nonce(self.tx().await?, room, actor, nonce).await,
        }
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
            self.remembered.rooms.put(id, RoomState::of(room, head.as_ref()));
        }
        Ok(self.remembered.rooms.get_mut(&id))
    }

    /// Where somebody stands in a room; `None` for who was never in it.
    pub(crate) async fn member(&mut self, room: RoomId, member: UserId) -> Result<Option<MemberState>, Error> {
        if let Some(state) = self.remembered.members.get(&(room, member)) {
            return Ok(Some(*state));
        }
        let state = members::find(self.tx, room, member).await?.map(MemberState::from);
        if let Some(state) = state {
            self.remembered.members.put((room, member), state);
        }
        Ok(state)
    }

    /// The same as the database has it now, and not as it is remembered: another server moves read marks without a row in the log.
    pub(crate) async fn member_now(&mut self, room: RoomId, member: UserId) -> Result<Option<MemberState>, Error> {
        if self.tx.is_shared() && !self.read.contains_key(&(room, member)) {
            self.remembered.members.pop(&(room, member));
        }
        self.member(room, member).await
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
    pub(crate) async fn enter(&mut self, room: RoomId, actor: UserId, member: UserId, joins: bool) -> Result<(), Denied> {
        let Some(state) = self.room(room).await? else { return Err(gone(room).into()) };
        state.member_count += 1;
        let seq = if joins { state.head + 1 } else { 0 };
        let row = |kind| NewRow { kind, actor, subject: Some(member), id: None, nonce: None, payload: None };
        let created = self.append(room, row(Kind::RoomCreated)).await?.ok_or_else(|| gone(room))?;
        if joins {
            self.append(room, row(Kind::MemberJoined)).await?;
        }
        members::join(self.tx, room, member, (self.part, created.position), seq).await?;
        self.remembered.members.put((room, member), MemberState { active: true, read: seq });
        self.read.remove(&(room, member));
        Ok(())
    }

    /// Ends a membership with a row that tells all members, the leaving one too.
    pub(crate) async fn leave(&mut self, room: RoomId, actor: UserId, member: UserId) -> Result<LogRow, Denied> {
        let Some(state) = self.room(room).await? else { return Err(gone(room).into()) };
        state.member_count -= 1;
        let new = NewRow { kind: Kind::MemberLeft, actor, subject: Some(member), id: None, nonce: None, payload: None };
        let row = self.append(room, new).await?.ok_or_else(|| gone(room))?;
        members::leave(self.tx, room, member, row.position, row.seq.unwrap_or(0)).await?;
        let read = self.remembered.members.get(&(room, member)).map_or(0, |state| state.read);
        self.remembered.members.put((room, member), MemberState { active: false, read });
        Ok(row)
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

    /// Appends to the room's log; `None`, and nothing appended, if the sender has used this nonce in this room before. A kind that not every
    /// process of the cluster knows is refused: an operation that writes one appends it first.
    pub(crate) async fn append(&mut self, room: RoomId, new: NewRow) -> Result<Option<LogRow>, Denied> {
        if new.kind.since() > self.min_version {
            return Err(Refusal::busy(
                "this server was upgraded and may not write this yet: its operator finishes with guild upgrade finish",
            )
            .into());
        }
        let position = self.remembered.position + 1;
        let (part, created_at) = (self.part, self.remembered.time);
        let Some(state) = self.room(room).await? else { return Err(gone(room).into()) };
        let is_message = new.kind == Kind::Message;
        let seq = (new.kind != Kind::RoomCreated).then_some(state.head + 1);
        let row = LogRow {
            part,
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
        let nonce = row.nonce.clone().map(|nonce| (room, row.actor, nonce));
        // Known without asking: nobody else writes to this partition meanwhile. All rows of the batch go out together.
        let together = match (&mut self.nonces, nonce) {
            (Some(nonces), Some(nonce)) => match nonces.get_mut(&nonce) {
                Some(Some(_)) => return Ok(None),
                Some(known) => {
                    *known = Some(row.clone());
                    true
                }
                None => false,
            },
            (Some(_), None) => true,
            (None, _) => false,
        };
        if !together {
            self.flush().await?;
            if log::append(self.tx, std::slice::from_ref(&row)).await? != [true] {
                return Ok(None);
            }
            self.written += 1;
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

/// Makes what is remembered right for this transaction: forgets what others have changed since the last one.
async fn recall(tx: &mut Tx, part: u16, remembered: &mut Remembered) -> Result<(), Error> {
    if tx.is_shared() {
        // Whatever changes a room or a membership leaves a row in the room's partition.
        let (position, time) = log::end(tx, part).await?;
        // Nothing that is remembered holds of a log that has become shorter: of a standby that was promoted before it had everything.
        if !(0..=FOREIGN).contains(&position.saturating_sub(remembered.position)) {
            remembered.forget();
        } else if position != remembered.position {
            for (room, member) in log::touched(tx, part, remembered.position).await? {
                remembered.rooms.pop(&room);
                member.and_then(|member| remembered.members.pop(&(room, member)));
            }
        }
        (remembered.position, remembered.time) = (position, time);
    } else if remembered.generation != Some(tx.generation()) {
        remembered.forget();
        (remembered.position, remembered.time) = log::end(tx, part).await?;
        remembered.generation = Some(tx.generation());
    }
    Ok(())
}

/// Where others have appended more rows than this, everything is forgotten: to look at the rows would cost more.
const FOREIGN: i64 = 4_096;

fn gone(room: RoomId) -> Error {
    Error::Failed(format!("room {room} was there and is gone within one transaction"))
}
