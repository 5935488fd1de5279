//! One transaction of the writer, as operations see it: the present state of rooms and members, with the changes of earlier operations of
//! the same batch, and the way to append rows.

use super::bytes::{Bytes, texts_of};
use super::cache::{MemberState, RoomState, WriterCache};
use super::changes::Changes;
use super::denied::Denied;
use super::needs::Needs;
use super::prefetch::Prefetched;
use super::thread_changes::ThreadChanges;
use super::user_states::UserStates;
use crate::extra::{Extra, MentionIds};
use crate::partitions;
use crate::search::index;
use crate::send::publish::Committed;
use crate::store::log::{Form, Kind, LogRow, ThreadPlace, With};
use crate::store::mentions::MessageMentions;
use crate::store::rooms::{Details, Earlier};
use crate::store::search::Reindexed;
use crate::store::state::{self, MessageKey, MessageState, ReactionKey, ReactionPlace, ThreadState};
use crate::store::threads::{self, ThreadMember, ThreadMemberKey};
use crate::store::untold::{self, Untold};
use crate::store::user_state::{StateCount, StateRow, StateRowKey};
use crate::store::{log, members, present, rooms};
use contract::{Clock, MessageId, Refusal, RoomId, Stamp, Time, UserId};
use db::{Error, Tx};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// See the module.
pub(crate) struct Batch<'t> {
    tx: &'t mut Tx,
    part: u16,
    /// The log's minimal version: no newer kind may be written.
    min_version: i64,
    cache: &'t mut WriterCache,
    /// The appended rows, in order.
    rows: Vec<LogRow>,
    /// How many of them are in the table.
    written: usize,
    /// On a shared database: what was read before the first operation decides.
    prefetched: Option<Prefetched>,
    /// Everything else that is to be written.
    changes: Changes,
    /// Messages as operations have left them.
    amended: HashMap<MessageKey, Arc<LogRow>>,
    /// What waits to be told of reactions to messages, as operations have left it.
    untold: HashMap<MessageKey, Option<Untold>>,
    /// Whether something waits to be told that did not wait before.
    holds_back: bool,
    /// How many messages are pinned in rooms where operations have asked.
    pins: HashMap<RoomId, i64>,
    /// Texts that are others now in the database, and not yet in the index, by the positions of their messages.
    reindexed: BTreeMap<i64, Reindexed>,
    /// Users' own state as operations have read and left it.
    user_states: UserStates,
    /// The partition's last position, once everything is written.
    end: Arc<AtomicI64>,
    messages: u64,
    /// What it holds by now; on a shared database without what was read before.
    bytes: Bytes,
    /// For how many operations it has read before what they need; all of them where nothing is read before.
    prepared: usize,
}

/// Where a batch is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct WriteTarget {
    pub part: u16,
    /// The database's epoch.
    pub epoch: u64,
    /// The log's minimal version.
    pub min_version: i64,
}

/// What a committed batch has done.
pub(super) struct Outcome {
    /// What is told of it.
    pub committed: Committed,
    pub messages: u64,
    /// How many operations have decided. Those after them have done nothing.
    pub decided: usize,
    /// Whether changes of reactions wait to be told since.
    pub holds_back: bool,
}

/// A row of the log before it has a position and a seq.
pub(crate) struct NewRow {
    pub kind: Kind,
    pub actor: UserId,
    pub subject: Option<UserId>,
    pub id: Option<MessageId>,
    pub nonce: Option<String>,
    pub payload: Option<String>,
    pub ref_seq: Option<i64>,
    pub extra: Option<String>,
    /// Whom the message mentions, which stands in `extra` too.
    pub mentions: MentionIds,
    /// The thread that a message is in.
    pub thread: Option<NewInThread>,
    /// What is told with the row.
    pub with: Option<Box<With>>,
}

/// A message that comes in a thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewInThread {
    pub place: ThreadPlace,
    /// Whether it stands in the thread alone, and not among the room's messages.
    pub aside: bool,
}

impl NewRow {
    /// A row of this kind by this user, with nothing else.
    pub(crate) fn new(kind: Kind, actor: UserId) -> Self {
        Self {
            kind,
            actor,
            subject: None,
            id: None,
            nonce: None,
            payload: None,
            ref_seq: None,
            extra: None,
            mentions: MentionIds::default(),
            thread: None,
            with: None,
        }
    }
}

impl<'t> Batch<'t> {
    /// Locks the partition and brings the cache up to date, for so many operations. On a shared database it also reads what `needs` names, for as many
    /// operations as the batch may hold.
    pub(super) async fn begin(
        tx: &'t mut Tx,
        WriteTarget { part, epoch, min_version }: WriteTarget,
        cache: &'t mut WriterCache,
        count: usize,
        needs: Option<Vec<(RoomId, Needs)>>,
        clock: &Clock,
    ) -> Result<Self, Error> {
        // No other server appends to this partition until the commit.
        tx.lock(partitions::lock(part)).await?;
        if cache.epoch != epoch {
            cache.clear();
            cache.epoch = epoch;
        }
        recall(tx, part, cache).await?;
        cache.trim();
        // Times never fall within a partition, even if the machine's clock does.
        cache.time = cache.time.max(clock.now());
        let mut prepared = count;
        let mut user_states = UserStates::default();
        let prefetched = match needs {
            Some(mut needs) => {
                prepared = Prefetched::fitting(tx, &needs).await?;
                needs.truncate(prepared);
                user_states.prefetch(tx, needs.iter_mut().filter_map(|(_, needs)| needs.own_state.take()).collect()).await?;
                Some(Prefetched::read(tx, cache, needs).await?)
            }
            None => None,
        };
        Ok(Batch {
            tx,
            part,
            min_version,
            cache,
            rows: Vec::with_capacity(count),
            written: 0,
            prefetched,
            changes: Changes::default(),
            amended: HashMap::new(),
            untold: HashMap::new(),
            holds_back: false,
            pins: HashMap::new(),
            reindexed: BTreeMap::new(),
            user_states,
            end: Arc::default(),
            messages: 0,
            bytes: Bytes::default(),
            prepared,
        })
    }

    /// Whether it takes no more operations after so many.
    pub(super) fn is_full(&self, decided: usize) -> bool {
        decided >= self.prepared || self.bytes.are_used_up()
    }

    /// Writes everything that so many operations have decided, and indexes what is due for search.
    pub(super) async fn finish(mut self, decided: usize) -> Result<Outcome, Error> {
        self.settle().await?;
        let position = self.cache.position;
        self.end.store(position, Ordering::Relaxed);
        self.changes.write_read_marks(self.tx, position).await?;
        let state = self.user_states.write(self.tx, (self.part, position), self.cache.state_end).await?;
        self.cache.state_end = state.end;
        let has_forgotten = index::replace(self.tx, self.part, self.reindexed.values()).await?;
        index::keep_up(self.tx, self.part, position, &mut self.cache.indexed, has_forgotten).await?;
        let committed = Committed { epoch: self.cache.epoch, rows: self.rows, position, state };
        Ok(Outcome { committed, messages: self.messages, decided, holds_back: self.holds_back })
    }

    /// The transaction, after everything that was decided so far is in its tables.
    pub(crate) async fn tx(&mut self) -> Result<&mut Tx, Error> {
        self.flush().await?;
        Ok(self.tx)
    }

    /// Writes what waits to be written.
    async fn flush(&mut self) -> Result<(), Error> {
        let waiting = self.rows.get(self.written..).unwrap_or_default();
        self.changes.write(self.tx, waiting, self.cache).await?;
        self.written = self.rows.len();
        Ok(())
    }

    /// The transaction, after everything that was decided so far is in its tables, amendments too.
    async fn settle(&mut self) -> Result<&mut Tx, Error> {
        self.flush().await?;
        self.erase_rows();
        for changed in self.changes.amendments.write(self.tx).await? {
            let now = changed.now.clone();
            self.reindexed.entry(changed.position).or_insert(changed).now = now;
        }
        Ok(self.tx)
    }

    /// Removes the texts of messages that this batch has deleted from the rows that are published.
    fn erase_rows(&mut self) {
        let erased = &self.changes.amendments.erased;
        if erased.is_empty() {
            return;
        }
        for row in &mut self.rows {
            let own = row.seq.filter(|_| row.is_message()).map(|seq| (row.room, seq));
            if let Some(key) = own.or(row.about()).filter(|key| erased.contains(key)) {
                if row.kind != Kind::MessageDeleted {
                    (row.payload, row.extra) = (None, None);
                }
                if let Some(left) = self.amended.get(&key) {
                    let thread = row.with.as_ref().and_then(|with| with.thread.clone());
                    let mut with = if row.is_message() { left.with.as_deref().cloned().unwrap_or_default() } else { With::default() };
                    with.message = (!row.is_message()).then(|| Arc::clone(left));
                    with.thread = thread;
                    row.with = Some(Box::new(with));
                }
            }
            // A quote is replaced only where it was deleted: a row is published as of itself, because some may have left before the next one.
            let quotes_deleted = |with: &With| {
                let quoted = with.replied.as_ref().and_then(|replied| self.amended.get(&(replied.room, replied.seq?)));
                quoted.is_some_and(|quoted| quoted.is_deleted())
            };
            if let Some(with) = &mut row.with {
                if quotes_deleted(with) {
                    replace_replied(&self.amended, with);
                }
                if let Some(message) = &mut with.message
                    && message.with.as_deref().is_some_and(quotes_deleted)
                    && let Some(with) = &mut Arc::make_mut(message).with
                {
                    replace_replied(&self.amended, with);
                }
            }
        }
    }

    /// A message as earlier operations of the batch have left it; `None` if no message of the room has this seq.
    pub(crate) async fn message(&mut self, room: RoomId, seq: i64) -> Result<Option<Arc<LogRow>>, Error> {
        let key = (room, seq);
        if let Some(row) = self.amended.get(&key) {
            return Ok(Some(with_replied_now(&self.amended, Arc::clone(row))));
        }
        if let Some(known) = self.prefetched.as_ref().and_then(|prefetched| prefetched.messages.get(&key)) {
            return Ok(known.clone().map(|row| with_replied_now(&self.amended, row)));
        }
        let Some(row) = log::by_seq(self.tx().await?, room, seq).await?.filter(LogRow::is_message) else { return Ok(None) };
        let mut rows = [row];
        present::attach(self.tx, &mut rows).await?;
        let [row] = rows;
        let row = with_replied_now(&self.amended, Arc::new(row));
        self.bytes.add_message(texts_of(&row));
        self.amended.insert(key, Arc::clone(&row));
        Ok(Some(row))
    }

    /// The seq that the room's next row gets.
    pub(crate) async fn next_seq(&mut self, room: RoomId) -> Result<i64, Error> {
        Ok(self.room(room).await?.ok_or_else(|| gone(room))?.head + 1)
    }

    /// Appends a row about a message, and gives the message this state. The state's `rev` becomes the row's seq. Answers the message as it is then.
    pub(crate) async fn amend(&mut self, message: &LogRow, mut state: MessageState, new: NewRow) -> Result<Arc<LogRow>, Denied> {
        let key = (message.room, message.seq.unwrap_or(0));
        state.rev = self.next_seq(key.0).await?;
        let is_erased = state.deleted.is_some();
        state.place = message.thread.map(|place| (place.root, message.is_aside()));
        let after = in_state(message, &state);
        let thread = new.with.as_ref().and_then(|with| with.thread.clone());
        let with = With { message: Some(Arc::clone(&after)), thread, ..With::default() };
        self.append(key.0, NewRow { ref_seq: Some(key.1), with: Some(Box::new(with)), ..new }).await?.ok_or_else(|| gone(key.0))?;
        if let Some(pins) = self.pins.get_mut(&key.0) {
            let was = message.state().is_some_and(|state| state.pinned.is_some());
            *pins += i64::from(state.pinned.is_some()) - i64::from(was);
        }
        if is_erased || after.body_now() != message.body_now() {
            let (position, room, sender, before) = (message.position, message.room, message.actor, message.body_now().to_owned());
            let reindexed = self.changes.amendments.reindexed.entry(key).or_insert(Reindexed { position, room, sender, before, now: None });
            reindexed.now = (!is_erased).then(|| after.body_now().to_owned());
        }
        if is_erased {
            self.changes.amendments.erased.insert(key);
            self.set_untold(key, None);
        }
        self.note_mentions(message, &after);
        self.changes.amendments.states.insert(key, state);
        self.amended.insert(key, Arc::clone(&after));
        Ok(after)
    }

    /// Notes whom a message mentions after a change, where that is not whom it mentioned before.
    fn note_mentions(&mut self, before: &LogRow, after: &LogRow) {
        let ids = if after.is_deleted() { MentionIds::default() } else { Extra::mentions(after.extra_now()) };
        if ids == Extra::mentions(before.extra_now()) {
            return;
        }
        let place = after.thread.map(|place| (place.root, after.is_aside()));
        let mentions = MessageMentions { ids, sender: after.actor, created_at: after.created_at, place, is_new: false };
        self.changes.amendments.mentions.insert((after.room, after.seq.unwrap_or(0)), mentions);
    }

    /// Gives the first message of a thread this state, which differs in what came in the thread alone. No row tells of that.
    pub(crate) fn set_thread(&mut self, root: &LogRow, thread: ThreadState) {
        let key = (root.room, root.seq.unwrap_or(0));
        let mut state = root.state().cloned().unwrap_or_else(|| MessageState { rev: key.1, ..MessageState::default() });
        state.thread = Some(Arc::new(thread));
        let after = in_state(root, &state);
        self.changes.amendments.states.insert(key, state);
        self.amended.insert(key, after);
    }

    /// How somebody stands in a thread; none for who was never in it.
    pub(crate) async fn thread_member(&mut self, key: ThreadMemberKey) -> Result<Option<ThreadMember>, Error> {
        let is_changed = self.changes.amendments.threads.contains(&key);
        match self.prefetched.as_ref().and_then(|prefetched| prefetched.thread_members.get(&key)) {
            Some(known) if !is_changed => Ok(*known),
            _ => Ok(threads::find_each(self.settle().await?, &[key]).await?.into_iter().flatten().next()),
        }
    }

    /// The newest message of a thread below a seq that was not deleted, as operations before this one have left it.
    pub(crate) async fn last_left(&mut self, thread: MessageKey, below: i64) -> Result<Option<(i64, Time)>, Error> {
        threads::last_left(self.settle().await?, thread, below).await
    }

    /// What has changed in threads.
    pub(crate) fn thread_changes(&mut self) -> &mut ThreadChanges {
        &mut self.changes.amendments.threads
    }

    /// Gives a message a state with other reactions, and leaves it to a later row to tell them. `rev` stays, because no row has changed the message.
    /// Answers the message as it is then, and the place of this change.
    pub(crate) async fn hold_back(
        &mut self,
        message: &LogRow,
        mut state: MessageState,
        member: UserId,
    ) -> Result<(Arc<LogRow>, ReactionPlace), Denied> {
        self.may_append(Kind::ReactionsChanged, Form::default())?;
        let key = (message.room, message.seq.unwrap_or(0));
        let head = self.next_seq(key.0).await? - 1;
        let before = self.untold(key).await?;
        let (due, changes) = before.map_or((Time(self.now().0 + TOLD_EVERY), 1), |before| (before.due, before.changes + 1));
        if message.state().is_none() {
            state.rev = key.1;
        }
        state.place = message.thread.map(|place| (place.root, message.is_aside()));
        let after = in_state(message, &state);
        self.changes.amendments.states.insert(key, state);
        self.amended.insert(key, Arc::clone(&after));
        self.set_untold(key, Some(Untold { due, changes, member }));
        self.holds_back |= before.is_none();
        Ok((after, (head, changes)))
    }

    /// What waits to be told of the reactions to a message.
    pub(crate) async fn untold(&mut self, key: MessageKey) -> Result<Option<Untold>, Error> {
        if let Some(known) = self.untold.get(&key) {
            return Ok(*known);
        }
        // Whatever the batch itself has changed is in the map above.
        let found = match self.prefetched.as_ref().and_then(|prefetched| prefetched.untold.get(&key)) {
            Some(known) => *known,
            None => untold::find_each(self.tx, &[key]).await?.into_iter().flatten().next(),
        };
        self.untold.insert(key, found);
        Ok(found)
    }

    /// Says what waits to be told of the reactions to a message from here on.
    pub(crate) fn set_untold(&mut self, key: MessageKey, untold: Option<Untold>) {
        self.untold.insert(key, untold);
        self.changes.amendments.untold.insert(key, untold);
    }

    /// Whether a member has reacted with an emoji to a message that is not deleted.
    pub(crate) async fn has_reacted(&mut self, key: &ReactionKey) -> Result<bool, Error> {
        if let Some(change) = self.changes.amendments.reactions.get(key) {
            return Ok(change.is_some());
        }
        match self.prefetched.as_ref().and_then(|prefetched| prefetched.reactions.get(key)) {
            Some(reacted) => Ok(*reacted),
            // What the batch itself has changed is known above, so nothing needs to be written before.
            None => Ok(state::reacted_each(self.tx, std::slice::from_ref(key)).await?.contains(&true)),
        }
    }

    /// Notes that a reaction was given, at a place, or taken back.
    pub(crate) fn set_reaction(&mut self, key: ReactionKey, at: Option<ReactionPlace>) {
        let at = at.map(|place| (place, self.now()));
        if let Some(reacted) = self.prefetched.as_mut().and_then(|prefetched| prefetched.reactions.get_mut(&key)) {
            *reacted = at.is_some();
        }
        self.changes.amendments.reactions.insert(key, at);
    }

    /// The first who have reacted to a message with an emoji, as operations before this one have left it. Read only when one of those that are
    /// listed takes the reaction back.
    pub(crate) async fn first_reactors(&mut self, key: MessageKey, emoji: &str, limit: usize) -> Result<Vec<UserId>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let found = state::reactors(self.settle().await?, key, emoji, (0, 0), limit).await?;
        Ok(found.into_iter().map(|(_, member, _)| member).collect())
    }

    /// How many messages are pinned in a room.
    pub(crate) async fn pins(&mut self, room: RoomId) -> Result<i64, Error> {
        if let Some(pins) = self.pins.get(&room) {
            return Ok(*pins);
        }
        let mut pins = self.prefetched.as_ref().and_then(|prefetched| prefetched.pins.get(&room)).copied();
        // What was read before the batch is true only of a room in which the batch has changed no message.
        if pins.is_none() || self.amended.keys().any(|(amended, _)| *amended == room) {
            pins = state::pins_each(self.settle().await?, &[room]).await?.first().copied();
        }
        let pins = pins.unwrap_or(0);
        self.pins.insert(room, pins);
        Ok(pins)
    }

    /// What a room is about.
    pub(crate) async fn details(&mut self, room: RoomId) -> Result<Details, Error> {
        if let Some(details) = self.changes.amendments.details.get(&room) {
            return Ok(details.clone());
        }
        if let Some(details) = self.prefetched.as_ref().and_then(|prefetched| prefetched.details.get(&room)) {
            return Ok(details.clone());
        }
        let found = rooms::details_each(self.settle().await?, &[room]).await?;
        Ok(found.into_iter().flatten().next().unwrap_or_default())
    }

    /// Says what a room is about from here on.
    pub(crate) fn set_details(&mut self, room: RoomId, details: Details) {
        if let Some(prefetched) = &mut self.prefetched {
            prefetched.details.insert(room, details.clone());
        }
        self.changes.amendments.details.insert(room, details);
    }

    /// The earlier message with this nonce.
    pub(crate) async fn by_nonce(&mut self, room: RoomId, actor: UserId, nonce: &str) -> Result<Option<LogRow>, Error> {
        match &self.prefetched {
            Some(prefetched) if let Some(row) = prefetched.nonces.get(&(room, actor, nonce.to_owned())) => Ok(row.clone()),
            _ => log::by_nonce(self.tx().await?, room, actor, nonce).await,
        }
    }

    /// The rooms that this user has created with this nonce.
    pub(crate) async fn rooms_of_nonce(&mut self, creator: UserId, nonce: &str) -> Result<Vec<Earlier>, Error> {
        match &self.prefetched {
            Some(prefetched) if let Some(rooms) = prefetched.room_nonces.get(&(creator, nonce.to_owned())) => Ok(rooms.clone()),
            _ => rooms::find_nonce(self.tx().await?, creator, nonce).await,
        }
    }

    /// The direct room of two people.
    pub(crate) async fn room_of_pair(&mut self, pair: &[u8]) -> Result<Option<RoomId>, Error> {
        match &self.prefetched {
            Some(prefetched) if let Some(room) = prefetched.pairs.get(pair) => Ok(*room),
            _ => rooms::find_pair(self.tx().await?, pair).await,
        }
    }

    /// The longest-standing member of a room.
    pub(crate) async fn heir(&mut self, room: RoomId) -> Result<Option<UserId>, Error> {
        match self.prefetched.as_ref().and_then(|prefetched| prefetched.heirs.get(&room)?.first()) {
            Some(heir) => Ok(heir),
            None => members::oldest(self.tx().await?, room).await,
        }
    }

    /// Whether the log's minimal version allows rows of this kind.
    pub(crate) fn writes(&self, kind: Kind) -> bool {
        kind.since(Form::default()) <= self.min_version
    }

    /// The time that this batch's rows carry.
    pub(crate) fn now(&self) -> Time {
        self.cache.time
    }

    /// The state of a room; `None` if there is none.
    pub(crate) async fn room(&mut self, id: RoomId) -> Result<Option<&mut RoomState>, Error> {
        if !self.cache.rooms.contains(&id) {
            if self.prefetched.as_ref().is_some_and(|prefetched| prefetched.no_rooms.contains(&id)) {
                return Ok(None);
            }
            let Some(room) = rooms::find(self.tx, id).await? else { return Ok(None) };
            let head = log::head(self.tx, id).await?;
            self.cache.rooms.put(id, RoomState::of(room, head.as_ref()));
        }
        Ok(self.cache.rooms.get_mut(&id))
    }

    /// The state of a user in a room; `None` if the user was never a member.
    pub(crate) async fn member(&mut self, room: RoomId, member: UserId) -> Result<Option<MemberState>, Error> {
        if let Some(state) = self.cache.members.get(&(room, member)) {
            return Ok(Some(*state));
        }
        if self.prefetched.as_ref().is_some_and(|prefetched| prefetched.no_members.contains(&(room, member))) {
            return Ok(None);
        }
        let state = members::find(self.tx, room, member).await?.map(MemberState::from);
        if let Some(state) = state {
            self.cache.members.put((room, member), state);
        }
        Ok(state)
    }

    /// Creates a room without members.
    pub(crate) fn create(&mut self, new: rooms::NewRoom) {
        let room = &new.room;
        let state = RoomState::of(room.clone(), None);
        let state = RoomState { member_count: 0, ..state };
        self.cache.rooms.put(room.id, state);
        if let Some(prefetched) = &mut self.prefetched {
            if let Some(nonce) = new.nonce.clone() {
                let earlier = Earlier { room: room.id, request: new.request.clone().unwrap_or_default() };
                prefetched.room_nonces.entry((room.owner, nonce)).or_default().push(earlier);
            }
            if let Some(pair) = new.pair.clone() {
                prefetched.pairs.insert(pair, Some(room.id));
            }
        }
        self.changes.create(new);
    }

    /// Makes a user a member. One row, for this user alone, begins the membership. In a room that exists already (`joins`) a second row is
    /// for all members.
    pub(crate) async fn enter(&mut self, room: RoomId, actor: UserId, member: UserId, joins: bool) -> Result<(), Denied> {
        let Some(state) = self.room(room).await? else { return Err(gone(room).into()) };
        state.member_count += 1;
        let seq = if joins { state.head + 1 } else { 0 };
        let row = |kind| NewRow { subject: Some(member), ..NewRow::new(kind, actor) };
        let created = self.append(room, row(Kind::RoomCreated)).await?.ok_or_else(|| gone(room))?;
        if joins {
            self.append(room, row(Kind::MemberJoined)).await?;
        }
        self.changes.enter(room, member, (self.part, created.position), seq);
        if let Some(prefetched) = &mut self.prefetched {
            prefetched.entered(room, member);
        }
        self.cache.members.put((room, member), MemberState { active: true, read: seq });
        Ok(())
    }

    /// Ends a membership with a row for all members, the leaving one included.
    pub(crate) async fn leave(&mut self, room: RoomId, actor: UserId, member: UserId) -> Result<LogRow, Denied> {
        let Some(state) = self.room(room).await? else { return Err(gone(room).into()) };
        state.member_count -= 1;
        let new = NewRow { subject: Some(member), ..NewRow::new(Kind::MemberLeft, actor) };
        let row = self.append(room, new).await?.ok_or_else(|| gone(room))?;
        self.changes.leave(room, member, row.position, row.seq.unwrap_or(0));
        self.changes.amendments.threads.forget(room, member);
        if let Some(prefetched) = &mut self.prefetched {
            prefetched.left(room, member);
        }
        let read = self.cache.members.get(&(room, member)).map_or(0, |state| state.read);
        self.cache.members.put((room, member), MemberState { active: false, read });
        Ok(row)
    }

    /// Saves a room that has changed.
    pub(crate) fn save(&mut self, room: RoomId) {
        self.changes.save(room);
    }

    /// Where the partition's last position is found after the commit.
    pub(crate) fn end(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.end)
    }

    /// What stands under a key of a user's own state.
    pub(crate) async fn user_state(&mut self, key: &StateRowKey) -> Result<Option<StateRow>, Error> {
        self.user_states.row(self.tx, key).await
    }

    /// How many rows a user's own state has.
    pub(crate) async fn user_state_count(&mut self, owner: UserId) -> Result<StateCount, Error> {
        self.user_states.count(self.tx, owner).await
    }

    /// Changes what stands under a key of a user's own state, after [`Self::user_state`] of it; no value removes it.
    pub(crate) fn set_user_state(&mut self, key: StateRowKey, value: Option<String>, stamp: Stamp) {
        self.user_states.set(key, value, stamp);
    }

    /// Moves a read mark; the caller knows that it moves forward.
    pub(crate) fn mark_read(&mut self, room: RoomId, member: UserId, seq: i64) {
        if let Some(state) = self.cache.members.get_mut(&(room, member)) {
            state.read = seq;
        }
        self.changes.mark_read(room, member, seq);
    }

    /// Refuses a kind that is newer than the log's minimal version.
    fn may_append(&self, kind: Kind, form: Form) -> Result<(), Refusal> {
        if kind.since(form) > self.min_version {
            return Err(Refusal::busy(
                "this server was upgraded and may not write this yet: its operator finishes with guild upgrade finish",
            ));
        }
        Ok(())
    }

    /// Appends to the room's log. `None` if the sender has used this nonce in this room before; then nothing is appended. A kind that is
    /// newer than the log's minimal version is refused, so an operation appends such a row before it writes anything else.
    pub(crate) async fn append(&mut self, room: RoomId, new: NewRow) -> Result<Option<LogRow>, Denied> {
        self.may_append(
            new.kind,
            Form { has_extra: new.extra.is_some(), in_thread: new.thread.is_some(), has_mentions: !new.mentions.is_empty() },
        )?;
        let position = self.cache.position + 1;
        let (part, created_at) = (self.part, self.cache.time);
        let Some(state) = self.room(room).await? else { return Err(gone(room).into()) };
        let is_message = new.kind == Kind::Message;
        let new_mentions = new.mentions;
        // Only what stands among the room's messages counts there.
        let is_aside = new.thread.is_some_and(|thread| thread.aside);
        let is_of_room = is_message && !is_aside;
        let seq = (new.kind != Kind::RoomCreated).then_some(state.head + 1);
        let row = LogRow {
            part,
            position,
            room,
            seq,
            kind: new.kind,
            actor: new.actor,
            subject: new.subject,
            messages: state.messages + i64::from(is_of_room),
            newest: seq.filter(|_| is_of_room).unwrap_or(state.newest),
            member_count: state.member_count,
            id: new.id,
            nonce: new.nonce,
            payload: new.payload,
            created_at,
            ref_seq: new.ref_seq,
            extra: new.extra,
            active_at: (new.kind.is_amendment() || is_aside).then_some(state.active_at),
            thread: new.thread.map(|thread| thread.place),
            with: new.with,
        };
        if let Some(prefetched) = &mut self.prefetched
            && let Some(seq) = seq
        {
            // It was no message when the batch began.
            prefetched.messages.remove(&(room, seq));
        }
        let nonce = row.nonce.clone().map(|nonce| (room, row.actor, nonce));
        // Under the partition's lock the prefetched nonces stay true, so the row can wait and go out with the whole batch.
        let together = match (&mut self.prefetched, nonce) {
            (Some(prefetched), Some(nonce)) => match prefetched.nonces.get_mut(&nonce) {
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
            if seq.is_some() {
                state.active_at = row.active_at();
            }
        }
        if is_message && !new_mentions.is_empty() {
            let place = row.thread.map(|thread| (thread.root, is_aside));
            let mentions = MessageMentions { ids: new_mentions, sender: row.actor, created_at, place, is_new: true };
            self.changes.amendments.mentions.insert((room, seq.unwrap_or(0)), mentions);
        }
        self.cache.position = position;
        self.messages += u64::from(is_message);
        self.bytes.add_row(&row);
        self.rows.push(row.clone());
        Ok(Some(row))
    }
}

/// Changes of reactions are told together so many milliseconds after the first of them (rich.md, "Reactions").
const TOLD_EVERY: i64 = 1_000;

/// A message as it is in this state.
fn in_state(message: &LogRow, state: &MessageState) -> Arc<LogRow> {
    let is_erased = state.deleted.is_some();
    let mut after = message.clone();
    if is_erased {
        (after.payload, after.extra) = (None, None);
    }
    let mut with = message.with.as_deref().cloned().unwrap_or_default();
    with.state = Some(Arc::new(state.clone()));
    if is_erased {
        with.replied = None;
    }
    after.with = Some(Box::new(with));
    Arc::new(after)
}

/// Shows with a reply the message that it answers as the batch has left it.
fn replace_replied(amended: &HashMap<MessageKey, Arc<LogRow>>, with: &mut With) {
    let key = with.replied.as_ref().and_then(|replied| Some((replied.room, replied.seq?)));
    if let Some(now) = key.and_then(|key| amended.get(&key)) {
        with.replied = Some(Arc::clone(now));
    }
}

/// The same for a message that was read.
fn with_replied_now(amended: &HashMap<MessageKey, Arc<LogRow>>, mut row: Arc<LogRow>) -> Arc<LogRow> {
    if row.with.as_ref().is_some_and(|with| with.replied.is_some())
        && let Some(with) = &mut Arc::make_mut(&mut row).with
    {
        replace_replied(amended, with);
    }
    row
}

/// Makes the cache true for this transaction: removes what others have changed since the last one.
async fn recall(tx: &mut Tx, part: u16, cache: &mut WriterCache) -> Result<(), Error> {
    if tx.is_shared() {
        // Every change of a room or a membership is a row in the room's partition.
        let (position, time, state) = log::end_with_state(tx, part).await?;
        // A log that has become shorter is that of a promoted standby which lacked the last rows: nothing in the cache is true of it.
        if !(0..=FOREIGN).contains(&position.saturating_sub(cache.position)) {
            clear_but_epoch(cache);
        } else if position != cache.position {
            for (room, member) in log::touched(tx, part, cache.position).await? {
                cache.rooms.pop(&room);
                member.and_then(|member| cache.members.pop(&(room, member)));
            }
        }
        (cache.position, cache.time, cache.state_end) = (position, time, state);
    } else if cache.generation != Some(tx.generation()) {
        clear_but_epoch(cache);
        (cache.position, cache.time, cache.state_end) = log::end_with_state(tx, part).await?;
        cache.generation = Some(tx.generation());
    }
    Ok(())
}

fn clear_but_epoch(cache: &mut WriterCache) {
    let epoch = cache.epoch;
    cache.clear();
    cache.epoch = epoch;
}

/// If others have appended more rows than this, the whole cache is cleared, which costs less than to read the rows.
const FOREIGN: i64 = 4_096;

fn gone(room: RoomId) -> Error {
    Error::Failed(format!("room {room} was there and is gone within one transaction"))
}
