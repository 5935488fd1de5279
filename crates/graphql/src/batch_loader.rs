//! Loads in batches, so that there is no N+1: what was found together is asked about together.
//!
//! The rooms, messages and names of one answer form a batch. The first item of which more is wanted (its messages, its sender) asks for the
//! whole batch; the others wait for that answer. So a list costs one call for each field that is wanted of its items, however many items
//! there are, and however their resolvers are scheduled.

use crate::request_context::RequestContext;
use contract::calls::messages::{GetMessage, GetRooms, Histories, MembersOf, OfRoom, PinsOf, Stretch};
use contract::calls::users::GetUsers;
use contract::{Limit, Message, Placed, Refusal, Room, RoomId, User, Username};
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// How many names a service is asked about at once (the calls' own bound).
const AT_ONCE: usize = 1_000;

/// Something that is asked for once.
type Once<T> = OnceCell<Result<T, Refusal>>;

/// Something that is asked for once for each key.
struct OncePer<K, T>(Mutex<HashMap<K, Arc<Once<T>>>>);

impl<K, T> Default for OncePer<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, T: Clone> OncePer<K, T> {
    async fn get(&self, key: K, ask: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
        let once = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        once.get_or_init(|| ask).await.clone()
    }
}

/// Users who were named together.
#[derive(Default)]
pub(crate) struct UserBatch {
    names: BTreeSet<Username>,
    users: Once<Arc<HashMap<Username, User>>>,
}

impl UserBatch {
    pub(crate) fn new(names: impl IntoIterator<Item = Username>) -> Arc<Self> {
        Arc::new(Self { names: names.into_iter().collect(), users: Once::new() })
    }

    /// One of them, with `online`.
    pub(crate) async fn user(&self, context: &RequestContext, name: &Username) -> Result<User, Refusal> {
        let ask = || async {
            let mut users = HashMap::with_capacity(self.names.len());
            let names: Vec<&Username> = self.names.iter().collect();
            for names in names.chunks(AT_ONCE) {
                let usernames = names.iter().map(|name| (*name).clone()).collect();
                let some = context.ask(GetUsers { usernames }).await?;
                users.extend(some.into_iter().map(|user| (user.username.clone(), user)));
            }
            Ok(Arc::new(users))
        };
        let users = self.users.get_or_init(ask).await.clone()?;
        users.get(name).cloned().ok_or_else(|| Refusal::not_found("no such user").about("username"))
    }
}

/// Which messages of each room; see [`Histories`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct MessageRange {
    pub after: i64,
    pub before: Option<i64>,
    pub newest: bool,
    pub limit: i64,
}

/// A stretch of messages that may be shown several times without being copied.
#[derive(Clone)]
pub(crate) struct SharedStretch {
    pub messages: Vec<Arc<Message>>,
    pub earlier: bool,
    pub later: bool,
}

impl From<Stretch> for SharedStretch {
    fn from(Stretch { messages, earlier, later }: Stretch) -> Self {
        Self { messages: messages.into_iter().map(Arc::new).collect(), earlier, later }
    }
}

/// A page of pinned messages that may be shown several times without being copied, each with its place.
#[derive(Clone)]
pub(crate) struct SharedPins {
    pub messages: Vec<(String, Arc<Message>)>,
    pub more: bool,
}

impl From<Placed<Message>> for SharedPins {
    fn from(Placed { items, more }: Placed<Message>) -> Self {
        Self { messages: items.into_iter().map(|(place, message)| (place, Arc::new(message))).collect(), more }
    }
}

/// Something about each room of a batch, and who is named in it.
type Each<T> = (Arc<HashMap<RoomId, Result<T, Refusal>>>, Arc<UserBatch>);

/// A room as it was found. Its last message is kept beside it, and may be shown several times without being copied.
pub(crate) struct FoundRoom {
    pub room: Room,
    pub last: Option<Arc<Message>>,
}

impl FoundRoom {
    pub(crate) fn new(mut room: Room) -> Arc<Self> {
        let last = room.last_message.take().map(Arc::new);
        Arc::new(Self { room, last })
    }
}

/// Rooms that were found together.
#[derive(Default)]
pub(crate) struct RoomBatch {
    rooms: Vec<Arc<FoundRoom>>,
    people: Arc<UserBatch>,
    stretches: OncePer<MessageRange, Each<SharedStretch>>,
    members: OncePer<(Option<String>, i64), Each<Placed<User>>>,
    pins: OncePer<(Option<String>, i64), Each<SharedPins>>,
}

impl RoomBatch {
    pub(crate) fn new(rooms: Vec<Arc<FoundRoom>>) -> Arc<Self> {
        let last = rooms.iter().filter_map(|found| found.last.as_ref()).flat_map(|message| message.people());
        let names: Vec<Username> = rooms.iter().map(|found| &found.room.created_by).chain(last).cloned().collect();
        Arc::new(Self { people: UserBatch::new(names), rooms, ..Self::default() })
    }

    /// Who is named in them: their creators, and the people of their last messages.
    pub(crate) fn people(&self) -> &Arc<UserBatch> {
        &self.people
    }

    pub(crate) fn find(&self, room: RoomId) -> Option<&Arc<FoundRoom>> {
        self.rooms.iter().find(|found| found.room.id == room)
    }

    fn ids(&self) -> Vec<RoomId> {
        self.rooms.iter().map(|found| found.room.id).collect()
    }

    /// Messages of one of them, and the users who are named in messages of any of them.
    pub(crate) async fn messages(
        &self,
        context: &RequestContext,
        room: RoomId,
        which: MessageRange,
    ) -> Result<(SharedStretch, Arc<UserBatch>), Refusal> {
        let ask = async {
            let MessageRange { after, before, newest, limit } = which;
            let call = Histories { rooms: self.ids(), after, before, newest, limit: Limit::try_from(limit)? };
            let found = context.ask(call).await?;
            let people = |stretch: &Stretch| stretch.messages.iter().flat_map(Message::people).cloned().collect::<Vec<_>>();
            let people = UserBatch::new(found.iter().filter_map(|of| of.answer.as_ref().ok()).flat_map(people));
            Ok((by_room(found), people))
        };
        let (each, people) = self.stretches.get(which, ask).await?;
        Ok((of(&each, room)?, people))
    }

    /// Members of one of them, and the users among whom they were found.
    pub(crate) async fn members(
        &self,
        context: &RequestContext,
        room: RoomId,
        after: Option<String>,
        limit: Limit,
    ) -> Result<(Placed<User>, Arc<UserBatch>), Refusal> {
        let ask = async {
            let found = context.ask(MembersOf { rooms: self.ids(), after: after.clone(), limit }).await?;
            let names = |page: &Placed<User>| page.items.iter().map(|(_, user)| user.username.clone()).collect::<Vec<_>>();
            let people = UserBatch::new(found.iter().filter_map(|of| of.answer.as_ref().ok()).flat_map(names));
            Ok((by_room(found), people))
        };
        let (each, people) = self.members.get((after.clone(), limit.into()), ask).await?;
        Ok((of(&each, room)?, people))
    }

    /// Pinned messages of one of them, and the users who are named in pinned messages of any of them.
    pub(crate) async fn pins(
        &self,
        context: &RequestContext,
        room: RoomId,
        after: Option<String>,
        limit: Limit,
    ) -> Result<(SharedPins, Arc<UserBatch>), Refusal> {
        let ask = async {
            let found = context.ask(PinsOf { rooms: self.ids(), after: after.clone(), limit }).await?;
            let people = |page: &Placed<Message>| page.items.iter().flat_map(|(_, message)| message.people()).cloned().collect::<Vec<_>>();
            let people = UserBatch::new(found.iter().filter_map(|of| of.answer.as_ref().ok()).flat_map(people));
            Ok((by_room(found), people))
        };
        let (each, people) = self.pins.get((after.clone(), limit.into()), ask).await?;
        Ok((of(&each, room)?, people))
    }
}

fn by_room<T, U: From<T>>(found: Vec<OfRoom<T>>) -> Arc<HashMap<RoomId, Result<U, Refusal>>> {
    Arc::new(found.into_iter().map(|of| (of.room, of.answer.map(U::from))).collect())
}

fn of<T: Clone>(each: &HashMap<RoomId, Result<T, Refusal>>, room: RoomId) -> Result<T, Refusal> {
    each.get(&room).cloned().unwrap_or_else(|| Err(Refusal::no_room()))
}

/// The rooms that messages are in.
pub(crate) enum MessageRooms {
    /// They were reached from their room.
    Known(Arc<RoomBatch>),
    /// They were found by themselves; their rooms are asked for when a query wants them.
    Asked(Vec<RoomId>, Once<Arc<RoomBatch>>),
}

impl MessageRooms {
    pub(crate) fn of(messages: &[Message]) -> Arc<Self> {
        let rooms: BTreeSet<RoomId> = messages.iter().map(|message| message.room).collect();
        Arc::new(Self::Asked(rooms.into_iter().collect(), Once::new()))
    }

    pub(crate) fn one(room: RoomId) -> Arc<Self> {
        Arc::new(Self::Asked(vec![room], Once::new()))
    }

    pub(crate) async fn rooms(&self, context: &RequestContext) -> Result<Arc<RoomBatch>, Refusal> {
        match self {
            Self::Known(rooms) => Ok(Arc::clone(rooms)),
            Self::Asked(ids, once) => {
                let ask = || async {
                    let found = context.ask(GetRooms { rooms: ids.clone() }).await?;
                    Ok(RoomBatch::new(found.into_iter().map(FoundRoom::new).collect()))
                };
                once.get_or_init(ask).await.clone()
            }
        }
    }
}

/// A message that an event is about, as it is now, with what events leave out. It is asked for when a query wants it.
pub(crate) struct MessageNow {
    room: RoomId,
    seq: i64,
    found: Once<(Arc<Message>, Arc<UserBatch>)>,
}

impl MessageNow {
    pub(crate) fn new(room: RoomId, seq: i64) -> Arc<Self> {
        Arc::new(Self { room, seq, found: Once::new() })
    }

    /// The message, and the users who are named in it.
    pub(crate) async fn message(&self, context: &RequestContext) -> Result<(Arc<Message>, Arc<UserBatch>), Refusal> {
        let ask = || async {
            let message = context.ask(GetMessage { room: self.room, seq: self.seq }).await?;
            let people = UserBatch::new(message.people().cloned());
            Ok((Arc::new(message), people))
        };
        self.found.get_or_init(ask).await.clone()
    }
}
