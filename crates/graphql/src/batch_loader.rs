//! Loads in batches, so that there is no N+1: what was found together is asked about together.
//!
//! The rooms, messages and names of one answer form a batch. The first item of which more is wanted (its messages, its sender) asks for the
//! whole batch; the others wait for that answer. So a list costs one call for each field that is wanted of its items, however many items
//! there are, and however their resolvers are scheduled.

use crate::message_batch::MessageBatch;
use crate::once::{Once, OncePer};
use crate::request_context::RequestContext;
use crate::shared_page::{FoundThread, SharedPage};
use crate::user_batch::UserBatch;
use contract::calls::messages::{GetMessage, GetRooms, Histories, MembersOf, OfRoom, PinsOf, Stretch};
use contract::calls::threads::ThreadsOf;
use contract::{Limit, Message, Placed, Refusal, Room, RoomId, User};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

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

/// Something about each room of a batch, and who is named in it, or what was found with it.
type Each<T, With = MessageBatch> = (Arc<HashMap<RoomId, Result<T, Refusal>>>, Arc<With>);

/// A page of things of each room, by where it begins and how long it may be.
type Pages<T> = OncePer<(Option<String>, i64), Each<SharedPage<T>>>;

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
    last_messages: Arc<MessageBatch>,
    stretches: OncePer<MessageRange, Each<SharedStretch>>,
    members: OncePer<(Option<String>, i64), Each<Placed<User>, UserBatch>>,
    pins: Pages<Arc<Message>>,
    threads: Pages<FoundThread>,
}

impl RoomBatch {
    pub(crate) fn new(rooms: Vec<Arc<FoundRoom>>) -> Arc<Self> {
        let last = rooms.iter().filter_map(|found| found.last.as_deref());
        let last_messages = MessageBatch::with(rooms.iter().map(|found| &found.room.created_by), last);
        Arc::new(Self { last_messages, rooms, ..Self::default() })
    }

    /// Their last messages; who is named there, and who created the rooms.
    pub(crate) fn last_messages(&self) -> &Arc<MessageBatch> {
        &self.last_messages
    }

    pub(crate) fn find(&self, room: RoomId) -> Option<&Arc<FoundRoom>> {
        self.rooms.iter().find(|found| found.room.id == room)
    }

    fn ids(&self) -> Vec<RoomId> {
        self.rooms.iter().map(|found| found.room.id).collect()
    }

    /// Messages of one of them, and all that were found with them.
    pub(crate) async fn messages(
        &self,
        context: &RequestContext,
        room: RoomId,
        which: MessageRange,
    ) -> Result<(SharedStretch, Arc<MessageBatch>), Refusal> {
        let ask = async {
            let MessageRange { after, before, newest, limit } = which;
            let call = Histories { rooms: self.ids(), after, before, newest, limit: Limit::try_from(limit)? };
            let found = context.ask(call).await?;
            let batch = MessageBatch::new(found.iter().filter_map(|of| of.answer.as_ref().ok()).flat_map(|stretch| &stretch.messages));
            Ok((by_room(found), batch))
        };
        let (each, batch) = self.stretches.get(which, ask).await?;
        Ok((of(&each, room)?, batch))
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

    /// Pinned messages of one of them, and all that were found with them.
    pub(crate) async fn pins(
        &self,
        context: &RequestContext,
        room: RoomId,
        after: Option<String>,
        limit: Limit,
    ) -> Result<(SharedPage<Arc<Message>>, Arc<MessageBatch>), Refusal> {
        let ask = async {
            let found = context.ask(PinsOf { rooms: self.ids(), after: after.clone(), limit }).await?;
            let pages = found.iter().filter_map(|of| of.answer.as_ref().ok());
            let batch = MessageBatch::new(pages.flat_map(|page| &page.items).map(|(_, message)| message));
            Ok((by_room(found), batch))
        };
        let (each, batch) = self.pins.get((after.clone(), limit.into()), ask).await?;
        Ok((of(&each, room)?, batch))
    }

    /// Threads of one of them, and all first messages that were found with theirs.
    pub(crate) async fn threads(
        &self,
        context: &RequestContext,
        room: RoomId,
        after: Option<String>,
        limit: Limit,
    ) -> Result<(SharedPage<FoundThread>, Arc<MessageBatch>), Refusal> {
        let ask = async {
            let found = context.ask(ThreadsOf { rooms: self.ids(), after: after.clone(), limit }).await?;
            let pages = found.iter().filter_map(|of| of.answer.as_ref().ok());
            let batch = MessageBatch::new(pages.flat_map(|page| &page.items).map(|(_, thread)| &thread.root));
            Ok((by_room(found), batch))
        };
        let (each, batch) = self.threads.get((after.clone(), limit.into()), ask).await?;
        Ok((of(&each, room)?, batch))
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
    pub(crate) fn of<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Arc<Self> {
        let rooms: BTreeSet<RoomId> = messages.into_iter().map(|message| message.room).collect();
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
    found: Once<(Arc<Message>, Arc<MessageBatch>)>,
}

impl MessageNow {
    pub(crate) fn new(room: RoomId, seq: i64) -> Arc<Self> {
        Arc::new(Self { room, seq, found: Once::new() })
    }

    /// The message, and what it is found with: itself.
    pub(crate) async fn message(&self, context: &RequestContext) -> Result<(Arc<Message>, Arc<MessageBatch>), Refusal> {
        let ask = || async {
            let message = context.ask(GetMessage { room: self.room, seq: self.seq }).await?;
            let batch = MessageBatch::new([&message]);
            Ok((Arc::new(message), batch))
        };
        self.found.get_or_init(ask).await.clone()
    }
}
