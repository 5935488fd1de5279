//! Reads everything that a batch's operations will look at before they decide, all at once. On a shared database each look-up costs a
//! round trip, and a batch may hold a thousand operations.

use super::bytes::Bytes;
use super::cache::{MemberState, RoomState, WriterCache};
use super::needs::Needs;
use crate::store::lists::{AT_ONCE, RoomAndReader};
use crate::store::log::LogRow;
use crate::store::rooms::{Details, Earlier};
use crate::store::state::{self, MessageKey, ReactionKey};
use crate::store::threads::{self, ThreadMember, ThreadMemberKey};
use crate::store::untold::{self, Untold};
use crate::store::{log, members, present, rooms, sets};
use contract::{RoomId, UserId};
use db::{Error, Tx};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A user's nonce: of a send in a room, or of a room that the user creates.
type SendNonce = (RoomId, UserId, String);
type RoomNonce = (UserId, String);

/// Most heirs that are read of a room. After so many owners have left in one batch, the next heir is read on its own.
const HEIRS: usize = 16;

/// So few messages fit into a batch, however long they are.
const FEW: usize = 64;

/// What was read, or has changed since. A missing key was not read; a key with an empty value does not exist in the database.
#[derive(Default)]
pub(super) struct Prefetched {
    /// The message that was sent with each nonce.
    pub nonces: HashMap<SendNonce, Option<LogRow>>,
    /// The rooms that were created with each nonce: at most a direct room and another one.
    pub room_nonces: HashMap<RoomNonce, Vec<Earlier>>,
    /// The direct room of each pair.
    pub pairs: HashMap<Vec<u8>, Option<RoomId>>,
    /// Rooms that do not exist.
    pub no_rooms: HashSet<RoomId>,
    /// Users who were never in a room.
    pub no_members: HashSet<(RoomId, UserId)>,
    /// The longest-standing members of each room.
    pub heirs: HashMap<RoomId, Heirs>,
    /// Messages with their states.
    pub messages: HashMap<MessageKey, Option<Arc<LogRow>>>,
    /// Whether each reaction was given.
    pub reactions: HashMap<ReactionKey, bool>,
    /// What waits to be told of the reactions to each message.
    pub untold: HashMap<MessageKey, Option<Untold>>,
    /// How many messages are pinned in each room.
    pub pins: HashMap<RoomId, i64>,
    /// What each room is about.
    pub details: HashMap<RoomId, Details>,
    /// How somebody stands in a thread.
    pub thread_members: HashMap<ThreadMemberKey, Option<ThreadMember>>,
}

/// Members of a room, the longest-standing first.
pub(super) struct Heirs {
    members: Vec<UserId>,
    /// Whether these are all members.
    is_all: bool,
}

impl Heirs {
    /// The longest-standing member; `None` if that was not read.
    pub(super) fn first(&self) -> Option<Option<UserId>> {
        match self.members.first() {
            Some(first) => Some(Some(*first)),
            None => self.is_all.then_some(None),
        }
    }
}

impl Prefetched {
    /// For how many of these operations a batch may hold the messages that they need: for one at least. The sizes of many messages are read
    /// before they are.
    pub(super) async fn fitting(tx: &mut Tx, needs: &[(RoomId, Needs)]) -> Result<usize, Error> {
        let mut known: HashSet<MessageKey> = HashSet::new();
        let wanted = needs.iter().enumerate().flat_map(|(at, (room, needs))| needs.messages.iter().map(move |seq| (at, (*room, *seq))));
        // What is no seq is no message.
        let (places, keys): (Vec<usize>, Vec<MessageKey>) = wanted.filter(|(_, key)| key.1 > 0 && known.insert(*key)).unzip();
        if keys.len() <= FEW {
            return Ok(needs.len());
        }
        let mut bytes = Bytes::default();
        for (places, keys) in places.chunks(AT_ONCE).zip(keys.chunks(AT_ONCE)) {
            for (at, size) in places.iter().zip(sets::sizes_of(tx, keys).await?) {
                bytes.add_message(size);
                if bytes.are_used_up() {
                    return Ok((*at).max(1));
                }
            }
        }
        Ok(needs.len())
    }

    /// Reads the rooms and members that are not in the cache, and every nonce and pair.
    pub(super) async fn read(tx: &mut Tx, cache: &mut WriterCache, wanted: Vec<(RoomId, Needs)>) -> Result<Self, Error> {
        let (mut in_rooms, mut of_members, mut of_heirs) = (HashSet::new(), HashSet::new(), HashSet::new());
        let (mut nonces, mut room_nonces, mut pairs) = (HashSet::new(), HashSet::new(), HashSet::new());
        let (mut messages, mut reactions, mut of_untold) = (HashSet::new(), HashSet::new(), HashSet::new());
        let (mut of_pins, mut of_details, mut of_threads) = (HashSet::new(), HashSet::new(), HashSet::new());
        for (room, needs) in wanted {
            // A room that the operation creates does not exist yet.
            if needs.exists && !cache.rooms.contains(&room) {
                in_rooms.insert(room);
            }
            of_members.extend(needs.members.into_iter().map(|member| (room, member)).filter(|key| !cache.members.contains(key)));
            of_members.extend(needs.read_mark.map(|member| (room, member)));
            nonces.extend(needs.nonce.map(|(sender, nonce)| (room, sender, nonce)));
            room_nonces.extend(needs.room_nonce);
            pairs.extend(needs.pair);
            messages.extend(needs.messages.into_iter().map(|seq| (room, seq)));
            of_threads.extend(needs.thread_member.map(|(thread, member)| (room, thread, member)));
            reactions.extend(needs.reaction.map(|(seq, emoji, member)| (room, seq, emoji, member)));
            of_untold.extend(needs.untold.map(|seq| (room, seq)));
            for (wanted, of) in [(needs.heir, &mut of_heirs), (needs.pins, &mut of_pins), (needs.details, &mut of_details)] {
                if wanted {
                    of.insert(room);
                }
            }
        }
        let mut prefetched = Self::default();
        prefetched.read_rooms(tx, cache, in_rooms.into_iter().collect()).await?;
        prefetched.read_members(tx, cache, of_members.into_iter().collect()).await?;
        let nonces: Vec<SendNonce> = nonces.into_iter().collect();
        let found = log::by_nonce_each(tx, &nonces).await?;
        // A repeated send answers its message as it is now.
        messages.extend(found.iter().flatten().filter_map(|row| Some((row.room, row.seq?))));
        prefetched.nonces = nonces.into_iter().zip(found).collect();
        let room_nonces: Vec<RoomNonce> = room_nonces.into_iter().collect();
        let found = rooms::find_nonce_each(tx, &room_nonces).await?;
        prefetched.room_nonces = room_nonces.into_iter().zip(found).collect();
        let pairs: Vec<Vec<u8>> = pairs.into_iter().collect();
        let found = rooms::find_pair_each(tx, &pairs).await?;
        prefetched.pairs = pairs.into_iter().zip(found).collect();
        prefetched.read_heirs(tx, of_heirs.into_iter().collect()).await?;
        prefetched.read_messages(tx, messages.into_iter().collect()).await?;
        let reactions: Vec<ReactionKey> = reactions.into_iter().collect();
        let found = state::reacted_each(tx, &reactions).await?;
        prefetched.reactions = reactions.into_iter().zip(found).collect();
        let is_large = |room: &RoomId| cache.rooms.peek(room).is_some_and(RoomState::tells_reactions_together);
        let of_untold: Vec<MessageKey> = of_untold.into_iter().filter(|(room, _)| is_large(room)).collect();
        let found = untold::find_each(tx, &of_untold).await?;
        prefetched.untold = of_untold.into_iter().zip(found).collect();
        let of_pins: Vec<RoomId> = of_pins.into_iter().collect();
        let found = state::pins_each(tx, &of_pins).await?;
        prefetched.pins = of_pins.into_iter().zip(found).collect();
        let of_details: Vec<RoomId> = of_details.into_iter().collect();
        let found = rooms::details_each(tx, &of_details).await?;
        prefetched.details = of_details.into_iter().zip(found).filter_map(|(room, details)| Some((room, details?))).collect();
        let of_threads: Vec<ThreadMemberKey> = of_threads.into_iter().collect();
        let found = threads::find_each(tx, &of_threads).await?;
        prefetched.thread_members = of_threads.into_iter().zip(found).collect();
        Ok(prefetched)
    }

    async fn read_messages(&mut self, tx: &mut Tx, mut keys: Vec<MessageKey>) -> Result<(), Error> {
        let mut rows = log::by_seq_each(tx, &keys).await?;
        // What happens to a message in a thread changes what the thread's first message tells of it.
        let mut roots: Vec<MessageKey> = rows.iter().flatten().filter_map(threads::thread_of).filter(|root| !keys.contains(root)).collect();
        roots.sort_unstable();
        roots.dedup();
        rows.extend(log::by_seq_each(tx, &roots).await?);
        keys.extend(roots);
        let mut found: Vec<LogRow> = rows.iter_mut().filter_map(Option::take).filter(LogRow::is_message).collect();
        present::attach(tx, &mut found).await?;
        self.messages = keys.into_iter().map(|key| (key, None)).collect();
        self.messages.extend(found.into_iter().filter_map(|row| Some(((row.room, row.seq?), Some(Arc::new(row))))));
        Ok(())
    }

    async fn read_rooms(&mut self, tx: &mut Tx, cache: &mut WriterCache, ids: Vec<RoomId>) -> Result<(), Error> {
        let rows = rooms::find_each(tx, &ids).await?;
        let heads = log::head_each(tx, &ids).await?;
        for ((id, row), head) in ids.into_iter().zip(rows).zip(heads) {
            match row {
                Some(row) => _ = cache.rooms.put(id, RoomState::of(row, head.as_ref())),
                None => _ = self.no_rooms.insert(id),
            }
        }
        Ok(())
    }

    async fn read_members(&mut self, tx: &mut Tx, cache: &mut WriterCache, keys: Vec<(RoomId, UserId)>) -> Result<(), Error> {
        let rows = members::find_each(tx, &keys).await?;
        for (key, row) in keys.into_iter().zip(rows) {
            match row {
                Some(row) => _ = cache.members.put(key, MemberState::from(row)),
                None => _ = self.no_members.insert(key),
            }
        }
        Ok(())
    }

    async fn read_heirs(&mut self, tx: &mut Tx, ids: Vec<RoomId>) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        // No reader asks here; the statement only wants one.
        let pairs: Vec<RoomAndReader> = ids.iter().map(|room| (*room, UserId::from_bytes([0; 16]))).collect();
        let found = sets::members(tx, &pairs, None, HEIRS).await?;
        for (room, members) in ids.into_iter().zip(found) {
            let is_all = members.len() < HEIRS;
            self.heirs.insert(room, Heirs { members: members.into_iter().map(|(_, member)| member).collect(), is_all });
        }
        Ok(())
    }

    /// Adds a new member, the last to inherit.
    pub(super) fn entered(&mut self, room: RoomId, member: UserId) {
        if let Some(heirs) = self.heirs.get_mut(&room).filter(|heirs| heirs.is_all) {
            heirs.members.push(member);
        }
    }

    /// Removes a member who has left.
    pub(super) fn left(&mut self, room: RoomId, member: UserId) {
        if let Some(heirs) = self.heirs.get_mut(&room) {
            heirs.members.retain(|heir| *heir != member);
        }
    }
}
