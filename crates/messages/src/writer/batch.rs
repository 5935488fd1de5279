//! One transaction of the writer, as operations see it: where rooms and members stand (including what earlier operations of the same
//! batch did), and how to append.

use super::ahead::Ahead;
use super::changes::Changes;
use super::denied::Denied;
use super::needs::Needs;
use super::remembered::{MemberState, Remembered, RoomState};
use crate::partitions;
use crate::search::index;
use crate::store::log::{Kind, LogRow};
use crate::store::rooms::Earlier;
use crate::store::{log, members, rooms};
use contract::{Clock, MessageId, Refusal, RoomId, Time, UserId};
use db::{Error, Tx};

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
    /// On a shared database: what was looked up beforehand.
    ahead: Option<Ahead>,
    /// What else is to be written.
    changes: Changes,
    messages: u64,
}

/// Where a batch is written to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub part: u16,
    /// The database's epoch.
    pub epoch: u64,
    /// The log's minimal version.
    pub min_version: i64,
}

/// What a committed batch has done.
pub(super) struct Outcome {
    /// The database's epoch.
    pub epoch: u64,
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
    /// Locks the partition and brings the cache up to date, for so many operations. On a shared database it also reads what `needs` names.
    pub(super) async fn begin(
        tx: &'t mut Tx,
        Place { part, epoch, min_version }: Place,
        remembered: &'t mut Remembered,
        count: usize,
        needs: Option<Vec<(RoomId, Needs)>>,
        clock: &Clock,
    ) -> Result<Self, Error> {
        // Nobody else appends to this partition until the commit.
        tx.lock(partitions::lock(part)).await?;
        if remembered.epoch != epoch {
            remembered.forget();
            remembered.epoch = epoch;
        }
        recall(tx, part, remembered).await?;
        remembered.trim();
        // Times never fall within a partition, even if the machine's clock does.
        remembered.time = remembered.time.max(clock.now());
        let ahead = match needs {
            Some(needs) => Some(Ahead::read(tx, remembered, needs).await?),
            None => None,
        };
        let rows = Vec::with_capacity(count);
        Ok(Batch { tx, part, min_version, remembered, rows, written: 0, ahead, changes: Changes::default(), messages: 0 })
    }

    /// Writes everything that was decided, and indexes what is due for search.
    pub(super) async fn finish(mut self) -> Result<Outcome, Error> {
        self.flush().await?;
        index::keep_up(self.tx, self.part, self.remembered.position, &mut self.remembered.indexed).await?;
        Ok(Outcome { epoch: self.remembered.epoch, rows: self.rows, messages: self.messages })
    }

    /// The transaction, with everything in the tables that was decided so far.
    pub(crate) async fn tx(&mut self) -> Result<&mut Tx, Error> {
        self.flush().await?;
        Ok(self.tx)
    }

    /// Writes what waits to be written.
    async fn flush(&mut self) -> Result<(), Error> {
        let waiting = self.rows.get(self.written..).unwrap_or_default();
        self.changes.write(self.tx, waiting, self.remembered).await?;
        self.written = self.rows.len();
        Ok(())
    }

    /// What an earlier message with this nonce is.
    pub(crate) async fn by_nonce(&mut self, room: RoomId, actor: UserId, nonce: &str) -> Result<Option<LogRow>, Error> {
        match &self.ahead {
            Some(ahead) if let Some(row) = ahead.nonces.get(&(room, actor, nonce.to_owned())) => Ok(row.clone()),
            _ => log::by_nonce(self.tx().await?, room, actor, nonce).await,
        }
    }

    /// The rooms that this user has created with this nonce.
    pub(crate) async fn rooms_of_nonce(&mut self, creator: UserId, nonce: &str) -> Result<Vec<Earlier>, Error> {
        match &self.ahead {
            Some(ahead) if let Some(rooms) = ahead.room_nonces.get(&(creator, nonce.to_owned())) => Ok(rooms.clone()),
            _ => rooms::find_nonce(self.tx().await?, creator, nonce).await,
        }
    }

    /// The direct room of two people.
    pub(crate) async fn room_of_pair(&mut self, pair: &[u8]) -> Result<Option<RoomId>, Error> {
        match &self.ahead {
            Some(ahead) if let Some(room) = ahead.pairs.get(pair) => Ok(*room),
            _ => rooms::find_pair(self.tx().await?, pair).await,
        }
    }

    /// Who has been a member of a room the longest.
    pub(crate) async fn heir(&mut self, room: RoomId) -> Result<Option<UserId>, Error> {
        match self.ahead.as_ref().and_then(|ahead| ahead.heirs.get(&room)?.first()) {
            Some(heir) => Ok(heir),
            None => members::oldest(self.tx().await?, room).await,
        }
    }

    /// The time that this batch's rows carry.
    pub(crate) fn now(&self) -> Time {
        self.remembered.time
    }

    /// Where a room stands; `None` if there is none.
    pub(crate) async fn room(&mut self, id: RoomId) -> Result<Option<&mut RoomState>, Error> {
        if !self.remembered.rooms.contains(&id) {
            if self.ahead.as_ref().is_some_and(|ahead| ahead.no_rooms.contains(&id)) {
                return Ok(None);
            }
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
        if self.ahead.as_ref().is_some_and(|ahead| ahead.no_members.contains(&(room, member))) {
            return Ok(None);
        }
        let state = members::find(self.tx, room, member).await?.map(MemberState::from);
        if let Some(state) = state {
            self.remembered.members.put((room, member), state);
        }
        Ok(state)
    }

    /// Creates a room that has nobody in it yet.
    pub(crate) fn create(&mut self, new: rooms::NewRoom) {
        let room = &new.room;
        let state =
            RoomState { kind: room.kind, name: room.name.clone(), owner: room.owner, member_count: 0, head: 0, messages: 0, newest: 0 };
        self.remembered.rooms.put(room.id, state);
        if let Some(ahead) = &mut self.ahead {
            if let Some(nonce) = new.nonce.clone() {
                let earlier = Earlier { room: room.id, request: new.request.clone().unwrap_or_default() };
                ahead.room_nonces.entry((room.owner, nonce)).or_default().push(earlier);
            }
            if let Some(pair) = new.pair.clone() {
                ahead.pairs.insert(pair, Some(room.id));
            }
        }
        self.changes.create(new);
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
        self.changes.enter(room, member, (self.part, created.position), seq);
        if let Some(ahead) = &mut self.ahead {
            ahead.entered(room, member);
        }
        self.remembered.members.put((room, member), MemberState { active: true, read: seq });
        Ok(())
    }

    /// Ends a membership with a row that tells all members, the leaving one too.
    pub(crate) async fn leave(&mut self, room: RoomId, actor: UserId, member: UserId) -> Result<LogRow, Denied> {
        let Some(state) = self.room(room).await? else { return Err(gone(room).into()) };
        state.member_count -= 1;
        let new = NewRow { kind: Kind::MemberLeft, actor, subject: Some(member), id: None, nonce: None, payload: None };
        let row = self.append(room, new).await?.ok_or_else(|| gone(room))?;
        self.changes.leave(room, member, row.position, row.seq.unwrap_or(0));
        if let Some(ahead) = &mut self.ahead {
            ahead.left(room, member);
        }
        let read = self.remembered.members.get(&(room, member)).map_or(0, |state| state.read);
        self.remembered.members.put((room, member), MemberState { active: false, read });
        Ok(row)
    }

    /// Writes down what changed about a room itself.
    pub(crate) fn save(&mut self, room: RoomId) {
        self.changes.save(room);
    }

    /// Moves a read mark; the caller knows that it moves forward.
    pub(crate) fn mark_read(&mut self, room: RoomId, member: UserId, seq: i64) {
        if let Some(state) = self.remembered.members.get_mut(&(room, member)) {
            state.read = seq;
        }
        self.changes.mark_read(room, member, seq);
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
        let together = match (&mut self.ahead, nonce) {
            (Some(ahead), Some(nonce)) => match ahead.nonces.get_mut(&nonce) {
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
            forget_but_epoch(remembered);
        } else if position != remembered.position {
            for (room, member) in log::touched(tx, part, remembered.position).await? {
                remembered.rooms.pop(&room);
                member.and_then(|member| remembered.members.pop(&(room, member)));
            }
        }
        (remembered.position, remembered.time) = (position, time);
    } else if remembered.generation != Some(tx.generation()) {
        forget_but_epoch(remembered);
        (remembered.position, remembered.time) = log::end(tx, part).await?;
        remembered.generation = Some(tx.generation());
    }
    Ok(())
}

fn forget_but_epoch(remembered: &mut Remembered) {
    let epoch = remembered.epoch;
    remembered.forget();
    remembered.epoch = epoch;
}

/// Where others have appended more rows than this, everything is forgotten: to look at the rows would cost more.
const FOREIGN: i64 = 4_096;

fn gone(room: RoomId) -> Error {
    Error::Failed(format!("room {room} was there and is gone within one transaction"))
}
