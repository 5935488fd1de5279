//! What a batch has decided and not written yet. All of it is written together, in a handful of statements for any number of operations,
//! because everybody in the batch waits for each round trip.

use super::cache::WriterCache;
use super::thread_changes::ThreadChanges;
use crate::store::log::{self, LogRow};
use crate::store::members::{self, Entered, MembershipInterval};
use crate::store::mentions::{self, MessageMentions};
use crate::store::rooms::{self, Details, NewRoom};
use crate::store::search::Reindexed;
use crate::store::state::{self, MessageKey, MessageState, ReactionKey, ReactionPlace};
use crate::store::threads;
use crate::store::untold::{self, Untold};
use contract::{RoomId, Time, UserId};
use db::{Error, Tx};
use std::collections::{BTreeSet, HashMap, HashSet};

/// See the module.
#[derive(Default)]
pub(super) struct Changes {
    /// New rooms.
    rooms: Vec<NewRoom>,
    /// Rooms that have changed. Their new state is in the cache.
    changed: HashSet<RoomId>,
    /// Memberships that begin. One that ends in the same batch has its end already.
    begun: Vec<MembershipInterval>,
    /// Earlier memberships that end: the member, the room, the position and the seq.
    ended: Vec<(UserId, RoomId, i64, i64)>,
    /// New members, as they are at the batch's end.
    entered: HashMap<(RoomId, UserId), Entered>,
    /// Earlier members who have left.
    left: HashSet<(RoomId, UserId)>,
    /// The same, and those who have come back in this batch: nobody keeps how they stood in threads.
    forgotten: HashSet<(RoomId, UserId)>,
    /// Read marks that moved: written once, however often each moved.
    read: HashMap<(RoomId, UserId), i64>,
    /// What messages and rooms have become: written once, however often each changed.
    pub amendments: Amendments,
}

/// What messages and rooms have become in a batch.
#[derive(Default)]
pub(super) struct Amendments {
    pub states: HashMap<MessageKey, MessageState>,
    /// Reactions that were given, at a place and a time, or taken back.
    pub reactions: HashMap<ReactionKey, Option<(ReactionPlace, Time)>>,
    /// What waits to be told of messages since, or that nothing does.
    pub untold: HashMap<MessageKey, Option<Untold>>,
    /// Messages that were deleted.
    pub erased: BTreeSet<MessageKey>,
    /// Messages whose text is another one now.
    pub reindexed: HashMap<MessageKey, Reindexed>,
    pub details: HashMap<RoomId, Details>,
    pub threads: ThreadChanges,
    /// Whom messages mention.
    pub mentions: HashMap<MessageKey, MessageMentions>,
}

impl Amendments {
    /// Writes them, after the rows of the log. Answers which texts have changed, for the index.
    pub(super) async fn write(&mut self, tx: &mut Tx) -> Result<Vec<Reindexed>, Error> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let Self { states, reactions, untold, erased, reindexed, details, threads, mentions } = std::mem::take(self);
        rooms::set_details(tx, details.into_iter()).await?;
        state::save_each(tx, states.into_iter()).await?;
        state::save_reactions(tx, reactions.into_iter()).await?;
        untold::save_each(tx, untold.into_iter()).await?;
        mentions::replace_each(tx, &mentions.into_iter().collect::<Vec<_>>()).await?;
        self.threads = threads.write(tx).await?;
        if !erased.is_empty() {
            let erased: Vec<MessageKey> = erased.into_iter().collect();
            log::erase_each(tx, &erased).await?;
            state::remove_reactions(tx, &erased).await?;
        }
        Ok(reindexed.into_values().collect())
    }

    fn is_empty(&self) -> bool {
        let Self { states, reactions, untold, erased, reindexed, details, threads, mentions } = self;
        let is_plain = states.is_empty() && reactions.is_empty() && untold.is_empty() && erased.is_empty();
        is_plain && reindexed.is_empty() && details.is_empty() && threads.is_empty() && mentions.is_empty()
    }
}

impl Changes {
    pub(super) fn create(&mut self, room: NewRoom) {
        self.rooms.push(room);
    }

    /// The room in the cache has changed.
    pub(super) fn save(&mut self, room: RoomId) {
        self.changed.insert(room);
    }

    /// A membership begins at this position; the member has read up to `seq`.
    pub(super) fn enter(&mut self, room: RoomId, member: UserId, (part, position): (u16, i64), seq: i64) {
        self.begun.push(MembershipInterval { member, room, part, from_position: position, from_seq: seq, end: None });
        self.entered.insert((room, member), Entered { active: true, since: position, read: seq });
        self.left.remove(&(room, member));
        self.read.remove(&(room, member));
    }

    /// A membership ends at this position and seq.
    pub(super) fn leave(&mut self, room: RoomId, member: UserId, position: i64, seq: i64) {
        let same = |begun: &&mut MembershipInterval| begun.end.is_none() && (begun.room, begun.member) == (room, member);
        match self.begun.iter_mut().rev().find(same) {
            Some(begun) => begun.end = Some((position, seq)),
            None => self.ended.push((member, room, position, seq)),
        }
        self.forgotten.insert((room, member));
        match self.entered.get_mut(&(room, member)) {
            Some(entered) => entered.active = false,
            None => _ = self.left.insert((room, member)),
        }
    }

    pub(super) fn mark_read(&mut self, room: RoomId, member: UserId, seq: i64) {
        self.read.insert((room, member), seq);
    }

    /// Writes all of it but read marks and amendments, with these rows of the log. On SQLite this comes before each row, and mostly finds nothing to write.
    pub(super) async fn write(&mut self, tx: &mut Tx, rows: &[LogRow], cache: &mut WriterCache) -> Result<(), Error> {
        if rows.is_empty() && self.is_written() {
            return Ok(());
        }
        let (read, amendments) = (std::mem::take(&mut self.read), std::mem::take(&mut self.amendments));
        let Self { rooms, changed, begun, ended, entered, left, forgotten, .. } =
            std::mem::replace(self, Self { read, amendments, ..Self::default() });
        // The log and memberships refer to rooms. A membership ends before the next one of the same member begins.
        rooms::insert_each(tx, &rooms).await?;
        if !rows.is_empty() && !log::append(tx, rows).await?.into_iter().all(|written| written) {
            return Err(Error::Conflict("log.nonce: it was not there when this batch began".to_owned()));
        }
        members::end_intervals(tx, &ended).await?;
        members::begin_intervals(tx, &begun).await?;
        members::enter_each(tx, entered.into_iter()).await?;
        members::leave_each(tx, left.into_iter()).await?;
        let forgotten: Vec<(RoomId, UserId)> = forgotten.into_iter().collect();
        threads::forget_each(tx, &forgotten).await?;
        mentions::forget_each(tx, &forgotten).await?;
        let changed = changed.into_iter().filter_map(|id| {
            let room = cache.rooms.peek(&id)?;
            Some((id, room.name.clone(), room.owner, room.member_count))
        });
        rooms::update_each(tx, changed).await
    }

    /// Writes the read marks, which moved at the partition's last position: once, at the batch's end, because every send moves one. Those in threads
    /// are written already, and get the position.
    pub(super) async fn write_read_marks(&mut self, tx: &mut Tx, position: i64) -> Result<(), Error> {
        members::mark_read(tx, std::mem::take(&mut self.read).into_iter(), position).await?;
        self.amendments.threads.write_stamps(tx, position).await
    }

    /// Whether nothing but read marks and amendments waits.
    fn is_written(&self) -> bool {
        let Self { rooms, changed, begun, ended, entered, left, forgotten, read: _, amendments: _ } = self;
        let members = entered.is_empty() && left.is_empty() && forgotten.is_empty();
        rooms.is_empty() && changed.is_empty() && begun.is_empty() && ended.is_empty() && members
    }
}
