//! Services that answer out of memory: a log, who was a member at each place of it, and presence.

use super::fake_own::OwnRows;
use super::random::Random;
use bus::Bus;
use contract::calls::messages::{Head, Heads, InRoom, InRooms, Missed, ReadLog, ReadMissed, RoomHead, RoomHeads, RoomOf, RoomsOf};
use contract::calls::state::{StateEnds, StateKeysAfter, StateSince, StatesNow};
use contract::calls::users::{EndLease, RenewLease, SetPresence, WhichEnded};
use contract::hint::PresenceChanged;
use contract::log::{Batch, Entry, Event, Membership, RoomUpdated, Unknown};
use contract::{
    Answer, Caller, Cursor, Message, MessageId, Refusal, Room, RoomId, RoomKind, Time, TokenId, User, UserId, UserRef, Username,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(super) const EPOCH: u64 = 0xfeed;
/// How far back a cursor may reach.
pub(super) const MOST: usize = 60;

pub(super) type Shared = Arc<Mutex<World>>;

/// A partition and a position in it.
pub(super) type LogPosition = (u16, i64);

#[derive(Default)]
pub(super) struct World {
    pub(super) users: Vec<User>,
    rooms: BTreeMap<RoomId, FakeRoom>,
    /// Each partition's entries, and who hears each.
    pub(super) log: Vec<Vec<(Entry, BTreeSet<UserId>)>>,
    /// Users' own state.
    pub(super) own: OwnRows,
    /// The places of all entries, in the order in which they were committed.
    order: Vec<LogPosition>,
    online: BTreeSet<Username>,
    /// Of whom a gateway was not told that its word was taken, or not: it may say it again.
    doubtful: BTreeSet<Username>,
    /// Presence is stored, but nobody is answered that it is.
    deaf: bool,
    /// Presence is refused.
    refuses_presence: bool,
    /// It is not answered which tokens have ended.
    stuck: bool,
    /// The next renewal of a lease is told that there is none.
    no_lease: bool,
    fail: bool,
    ended: BTreeSet<TokenId>,
    /// How many times it cannot be said which tokens have ended.
    unsure: usize,
}

#[derive(Default)]
struct FakeRoom {
    seq: i64,
    members: BTreeSet<UserId>,
}

impl World {
    pub(super) fn shared(users: usize, partitions: usize, random: &mut Random) -> Shared {
        let username = |n: usize| format!("user{n}").as_str().try_into().unwrap();
        let user = |n: usize| User::plain(UserId::new(), username(n), "x".try_into().unwrap(), Time(0));
        let mut world = Self {
            users: (0..users).map(user).collect(),
            log: vec![Vec::new(); partitions],
            own: OwnRows::new(partitions),
            ..Self::default()
        };
        // Something is there before the gateway starts.
        world.commit(random.below(4), random);
        Arc::new(Mutex::new(world))
    }

    pub(super) fn user(&self, index: usize) -> (usize, User) {
        (index, self.users[index].clone())
    }

    pub(super) fn online(&self) -> &BTreeSet<Username> {
        &self.online
    }

    /// The next answer is a refusal.
    pub(super) fn fail_next(&mut self) {
        self.fail = true;
    }

    /// From now on presence is stored, but nobody is answered that it is; or it is as it was.
    pub(super) fn deafen(&mut self, deaf: bool) {
        self.deaf = deaf;
    }

    /// From now on presence is refused; or it is as it was.
    pub(super) fn refuse_presence(&mut self, refuses: bool) {
        self.refuses_presence = refuses;
    }

    /// From now on it is not answered which tokens have ended.
    pub(super) fn get_stuck(&mut self) {
        self.stuck = true;
    }

    /// The gateway's lease has run out: nobody is online, and it has to report its users again.
    pub(super) fn lose_lease(&mut self) {
        self.doubtful.extend(std::mem::take(&mut self.online));
        self.no_lease = true;
    }

    /// This token has ended, which is not found out before the `unsure + 1`-th asking.
    pub(super) fn end(&mut self, token: TokenId, unsure: usize) {
        self.ended.insert(token);
        self.unsure = unsure;
    }

    /// The places after `after` that this user is to hear, in the order in which they were committed.
    pub(super) fn heard_by(&self, user: UserId, after: &[i64]) -> Vec<LogPosition> {
        let is_heard = |(part, position): &&LogPosition| {
            let part = usize::from(*part);
            *position > after[part] && self.log[part][*position as usize - 1].1.contains(&user)
        };
        self.order.iter().filter(is_heard).copied().collect()
    }

    /// Where in the log an event stands that this reader has got, and who sent it if it is a message.
    pub(super) fn place_of(&self, reader: UserId, event: &Value) -> (LogPosition, Option<UserId>) {
        let created = event["room"].is_object();
        let (id, number) = if created { (&event["room"]["id"], &event["room"]["head"]) } else { (&event["room"], &event["seq"]) };
        let (id, number) = (RoomId::parse(id.as_str().unwrap()).unwrap(), number.as_i64().unwrap());
        let is_it = |entry: &&Entry| match &entry.event {
            Event::RoomCreated { reader: to, room } => created && to.id == reader && (room.id, room.head) == (id, number),
            other => !created && (other.room(), other.seq()) == (id, Some(number)),
        };
        let entry = self.log[self.part(id)].iter().map(|(entry, _)| entry).find(is_it).expect("an event is of the log");
        let sender = if let Event::NewMessage { sender, .. } = &entry.event { Some(sender.id) } else { None };
        ((entry.partition, entry.position), sender)
    }

    fn part(&self, room: RoomId) -> usize {
        usize::from(room.bytes()[15]) % self.log.len()
    }

    fn reference(&self, id: UserId) -> UserRef {
        let user = self.users.iter().find(|user| user.id == id).unwrap();
        UserRef { id, username: user.username.clone() }
    }

    fn append(&mut self, event: Event, hears: BTreeSet<UserId>) {
        let part = self.part(event.room());
        let position = self.log[part].len() as i64 + 1;
        self.log[part].push((Entry { partition: part as u16, position, event }, hears));
        self.order.push((part as u16, position));
    }

    fn room_for(&self, id: RoomId, room: &FakeRoom, owner: UserId) -> Box<Room> {
        Box::new(Room {
            id,
            kind: RoomKind::Group,
            name: None,
            topic: None,
            metadata: None,
            rev: 0,
            created_by: self.reference(owner).username,
            created_at: Time(0),
            usernames: Vec::new(),
            member_count: room.members.len() as i64,
            head: room.seq,
            read: room.seq,
            unread: 0,
            mentions: 0,
            unread_threads: 0,
            last_message: None,
        })
    }

    fn addressed(&mut self, room: RoomId, reader: UserId) {
        let event = Event::RoomCreated { reader: self.reference(reader), room: self.room_for(room, &self.rooms[&room], reader) };
        self.append(event, BTreeSet::from([reader]));
    }

    /// Where the log ends.
    pub(super) fn ends(&self) -> Vec<i64> {
        self.log.iter().map(|log| log.len() as i64).collect()
    }

    /// What has been added since, a batch for each partition to which something was.
    fn batches(&self, before: &[i64]) -> Vec<Batch> {
        let mut batches = Vec::new();
        for ((partition, log), before) in (0..).zip(&self.log).zip(before) {
            let entries: Vec<_> = log[*before as usize..].iter().map(|(entry, _)| entry.clone()).collect();
            if !entries.is_empty() {
                batches.push(Batch { epoch: EPOCH, partition, first: before + 1, last: log.len() as i64, entries, state: None });
            }
        }
        batches
    }

    /// A room of these users, of whom there is one at least.
    pub(super) fn create(&mut self, who: &[usize]) -> Vec<Batch> {
        self.create_as(RoomId::new(), who)
    }

    /// The same in this partition.
    pub(super) fn create_in(&mut self, partition: u8, who: &[usize]) -> Vec<Batch> {
        let mut id = RoomId::new().bytes();
        id[15] = partition;
        self.create_as(RoomId::from_bytes(id), who)
    }

    fn create_as(&mut self, id: RoomId, who: &[usize]) -> Vec<Batch> {
        let before = self.ends();
        let members: BTreeSet<_> = who.iter().map(|index| self.users[*index].id).collect();
        self.rooms.insert(id, FakeRoom { seq: 0, members: members.clone() });
        members.into_iter().for_each(|member| self.addressed(id, member));
        self.batches(&before)
    }

    /// About so many random changes, as what a commit to each partition has added.
    pub(super) fn commit(&mut self, changes: usize, random: &mut Random) -> Vec<Batch> {
        let before = self.ends();
        for _ in 0..changes {
            self.change(random);
        }
        self.batches(&before)
    }

    pub(super) fn change(&mut self, random: &mut Random) {
        let user = self.users[random.below(self.users.len())].id;
        let rooms: Vec<_> = self.rooms.keys().copied().collect();
        if rooms.len() < 2 || random.one_in(15) {
            let who: Vec<_> = (0..self.users.len()).filter(|_| random.one_in(2)).collect();
            self.create(&who);
            return;
        }
        let id = rooms[random.below(rooms.len())];
        let room = self.rooms.get_mut(&id).unwrap();
        let is_member = room.members.contains(&user);
        let membership = |world: &Self, room: &FakeRoom| Membership {
            room: id,
            seq: room.seq,
            user: world.reference(user),
            member_count: room.members.len() as i64,
        };
        match (is_member, random.below(4)) {
            (false, 0 | 1) => {
                room.members.insert(user);
                room.seq += 1;
                self.addressed(id, user);
                let room = &self.rooms[&id];
                let (joined, hears) = (membership(self, room), room.members.clone());
                self.append(Event::MemberJoined(joined), hears);
            }
            (true, 0) => {
                let hears = room.members.clone();
                room.members.remove(&user);
                room.seq += 1;
                let left = membership(self, &self.rooms[&id]);
                self.append(Event::MemberLeft(left), hears);
            }
            (true, 1) if random.one_in(4) => {
                room.seq += 1;
                let (seq, hears) = (room.seq, room.members.clone());
                let name = Some("new".try_into().unwrap());
                let updated = RoomUpdated { room: id, seq, by: None, name, topic: None, metadata: None };
                self.append(Event::RoomUpdated(Box::new(updated)), hears);
            }
            (true, 1) if random.one_in(4) => {
                room.seq += 1;
                let (seq, hears) = (Some(room.seq), room.members.clone());
                self.append(Event::Unknown(Unknown { room: id, seq, kind: 999, reader: None }), hears);
            }
            (true, _) => {
                room.seq += 1;
                let (seq, hears) = (room.seq, room.members.clone());
                let sender = self.reference(user);
                let (name, body) = (sender.username.clone(), "hi".try_into().unwrap());
                let message = Message::plain(MessageId::new(), id, seq, name, body, Time(0));
                let message = Message { nonce: Some("nonce".try_into().unwrap()), ..message };
                self.append(Event::NewMessage { sender, message: Box::new(message) }, hears);
            }
            (false, _) => {}
        }
    }
}

/// The services: each answer takes a while before and after it is read from the world.
pub(super) struct Fake {
    world: Shared,
    bus: Bus,
    random: Mutex<Random>,
}

impl Fake {
    pub(super) fn serve(bus: &Bus, world: &Shared, seed: u64) {
        let fake = Arc::new(Self { world: Arc::clone(world), bus: bus.clone(), random: Mutex::new(Random::new(seed + 1_000)) });
        bus.serve::<Head, _>(&fake).serve::<RoomsOf, _>(&fake).serve::<ReadLog, _>(&fake).serve::<ReadMissed, _>(&fake);
        bus.serve::<Heads, _>(&fake).serve::<SetPresence, _>(&fake).serve::<RenewLease, _>(&fake).serve::<EndLease, _>(&fake);
        bus.serve::<WhichEnded, _>(&fake).serve::<RoomOf, _>(&fake);
        bus.serve::<StateEnds, _>(&fake).serve::<StateKeysAfter, _>(&fake);
        bus.serve::<StatesNow, _>(&fake).serve::<StateSince, _>(&fake);
    }

    async fn dawdle(&self) {
        let ms = self.random.lock().unwrap().below(12).saturating_sub(4);
        tokio::time::sleep(Duration::from_millis(ms as u64)).await;
    }

    pub(super) async fn read<T>(&self, who: &Caller, read: impl FnOnce(&mut World) -> T) -> Result<T, Refusal> {
        who.must_be_service()?;
        self.dawdle().await;
        let read = {
            let mut world = self.world.lock().unwrap();
            if std::mem::take(&mut world.fail) { Err(Refusal::busy("a test")) } else { Ok(read(&mut world)) }
        };
        self.dawdle().await;
        read
    }
}

impl Answer<Head> for Fake {
    async fn answer(&self, who: &Caller, _: Head) -> Result<Cursor, Refusal> {
        self.read(who, |world| Cursor::new(EPOCH, world.ends())).await
    }
}

impl Answer<RoomsOf> for Fake {
    async fn answer(&self, who: &Caller, call: RoomsOf) -> Result<InRooms, Refusal> {
        self.read(who, |world| {
            let mine = world.rooms.iter().filter(|(_, room)| room.members.contains(&call.user));
            let rooms = mine.map(|(id, room)| InRoom { room: *id, kind: RoomKind::Group, member_count: room.members.len() as i64 });
            InRooms { rooms: rooms.collect(), epoch: EPOCH, positions: world.ends(), changed: world.own.changed(call.user) }
        })
        .await
    }
}

impl Answer<RoomOf> for Fake {
    async fn answer(&self, who: &Caller, call: RoomOf) -> Result<Option<InRoom>, Refusal> {
        self.read(who, |world| {
            let room = world.rooms.get(&call.room).filter(|room| room.members.contains(&call.user))?;
            Some(InRoom { room: call.room, kind: RoomKind::Group, member_count: room.members.len() as i64 })
        })
        .await
    }
}

impl Answer<ReadLog> for Fake {
    async fn answer(&self, who: &Caller, call: ReadLog) -> Result<Vec<Entry>, Refusal> {
        // Short pages, so that a gap takes several.
        let page = usize::from(call.limit).min(7);
        let after = call.after as usize;
        self.read(who, |world| world.log[usize::from(call.partition)][after..].iter().take(page).map(|(entry, _)| entry.clone()).collect())
            .await
    }
}

impl Answer<ReadMissed> for Fake {
    async fn answer(&self, who: &Caller, call: ReadMissed) -> Result<Missed, Refusal> {
        let too_far = |why: &str| Missed::TooFar { why: why.to_owned() };
        self.read(who, |world| {
            let Some(cursor) = Cursor::parse(&call.cursor) else { return too_far("malformed") };
            let (after, ends) = (cursor.positions, world.ends());
            let until = call.until.as_ref().map_or_else(|| ends.clone(), |until| until.positions.clone());
            let lies_between = after.iter().zip(&until).zip(&ends).all(|((after, until), end)| after <= until && until <= end);
            assert!(lies_between, "a replay asks for what lies between");
            let all = world.heard_by(call.user.id, &after);
            if !call.going_on && all.len() > MOST {
                return too_far("too far back");
            }
            let mut places: Vec<_> = all.into_iter().filter(|(part, position)| *position <= until[usize::from(*part)]).collect();
            let page = usize::from(call.limit).min(5);
            let rest = places.split_off(page.min(places.len()));
            let more = !rest.is_empty();
            // Each partition is covered up to what the next page tells of it.
            let next = |part| rest.iter().find(|(of, _)| *of == part).map(|(_, position)| position - 1);
            let cursor = (0..).zip(&until).map(|(part, until)| next(part).unwrap_or(*until)).collect();
            let entry = |(part, position): &LogPosition| world.log[usize::from(*part)][*position as usize - 1].0.clone();
            let mut entries: Vec<_> = places.iter().map(entry).collect();
            for entry in &mut entries {
                if let Event::NewMessage { sender, message } = &mut entry.event
                    && sender.id != call.user.id
                {
                    message.nonce = None;
                }
            }
            Missed::Entries { entries, cursor: Cursor::new(EPOCH, cursor), more }
        })
        .await
    }
}

impl Answer<Heads> for Fake {
    async fn answer(&self, who: &Caller, call: Heads) -> Result<RoomHeads, Refusal> {
        self.read(who, |world| {
            let mine = world.rooms.iter().filter(|(_, room)| room.members.contains(&call.user));
            let rooms = mine.map(|(id, room)| RoomHead { id: *id, head: room.seq }).collect();
            RoomHeads { rooms, cursor: Cursor::new(EPOCH, world.ends()) }
        })
        .await
    }
}

impl Answer<SetPresence> for Fake {
    async fn answer(&self, who: &Caller, call: SetPresence) -> Result<(), Refusal> {
        let (user, online) = (call.user.clone(), call.online);
        let name = &user.username;
        let set = |world: &mut World| if online { world.online.insert(name.clone()) } else { world.online.remove(name) };
        let doubtful = self.world.lock().unwrap().doubtful.remove(name);
        // Until it is answered: a connection may be over before that.
        self.world.lock().unwrap().doubtful.insert(name.clone());
        if self.world.lock().unwrap().refuses_presence {
            return Err(Refusal::busy("a test"));
        }
        let changed = self.read(who, set).await?;
        assert!(changed || doubtful, "a gateway tells only what is new");
        if changed {
            self.bus.publish(PresenceChanged { user: call.user, online });
        }
        let mut world = self.world.lock().unwrap();
        if world.deaf {
            return Err(Refusal::busy("a test"));
        }
        world.doubtful.remove(name);
        Ok(())
    }
}

impl Answer<RenewLease> for Fake {
    async fn answer(&self, _: &Caller, _: RenewLease) -> Result<(), Refusal> {
        if std::mem::take(&mut self.world.lock().unwrap().no_lease) {
            return Err(Refusal::not_found("a test"));
        }
        Ok(())
    }
}

impl Answer<EndLease> for Fake {
    async fn answer(&self, _: &Caller, _: EndLease) -> Result<(), Refusal> {
        Ok(())
    }
}

impl Answer<WhichEnded> for Fake {
    async fn answer(&self, _: &Caller, call: WhichEnded) -> Result<Vec<TokenId>, Refusal> {
        if self.world.lock().unwrap().stuck {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        let mut world = self.world.lock().unwrap();
        if world.unsure > 0 {
            world.unsure -= 1;
            return Err(Refusal::busy("a test"));
        }
        Ok(call.sessions.into_iter().map(|(token, _)| token).filter(|token| world.ended.contains(token)).collect())
    }
}
