//! For tests: a house of one user and one room, whose services answer out of memory.

use crate::budget::Budget;
use crate::feed::Feed;
use crate::limits::Limits;
use crate::request_context::RequestContext;
use crate::schema::schema;
use async_graphql::{Request, Response};
use bus::Bus;
use contract::calls::messages::{Found, GetMessage, GetRooms, Head, Histories, History, InRoom, InRooms, Missed, OfRoom, ReadMissed};
use contract::calls::messages::{Recent, Recently, RoomsOf, Search, Searched, Stretch};
use contract::calls::users::{Authenticate, GetUsers, Session, WhichEnded};
use contract::log::{Batch, Entry, Event};
use contract::message::ThreadInfo;
use contract::{
    Answer, Call, Caller, Cursor, DisplayName, Message, MessageId, Page, Reaction, Refusal, Room, RoomId, RoomKind, Time, TokenId, User,
    UserCaller, UserId, UserRef,
};
use edge::Admission;
use futures_util::stream::BoxStream;
use std::sync::{Arc, Mutex};
use vital::Vital;

/// See the module. Every token that begins with `good` is ann's.
pub(crate) struct House {
    pub bus: Bus,
    pub ann: User,
    inner: Arc<Inner>,
}

struct Inner {
    ann: User,
    room: RoomId,
    events: Mutex<Vec<Event>>,
}

impl House {
    pub(crate) fn new() -> Self {
        let (username, display_name) = ("ann".try_into().unwrap(), "Ann".try_into().unwrap());
        let ann = User::plain(UserId::new(), username, display_name, Time(0));
        let inner = Arc::new(Inner { ann: ann.clone(), room: RoomId::new(), events: Mutex::default() });
        let bus = Bus::near();
        bus.serve::<Authenticate, _>(&inner).serve::<WhichEnded, _>(&inner).serve::<GetUsers, _>(&inner);
        bus.serve::<GetRooms, _>(&inner).serve::<Histories, _>(&inner).serve::<RoomsOf, _>(&inner);
        bus.serve::<Head, _>(&inner).serve::<ReadMissed, _>(&inner);
        bus.serve::<History, _>(&inner).serve::<GetMessage, _>(&inner);
        bus.serve::<Search, _>(&inner).serve::<Recent, _>(&inner);
        Self { bus, ann, inner }
    }

    pub(crate) fn room(&self) -> RoomId {
        self.inner.room
    }

    /// Ann, as events name her.
    pub(crate) fn me(&self) -> UserRef {
        UserRef { id: self.ann.id, username: self.ann.username.clone() }
    }

    /// A message of ann's, whether it was said or not.
    pub(crate) fn message(&self, seq: i64, body: &str) -> Message {
        Message::plain(MessageId::new(), self.room(), seq, self.ann.username.clone(), body.to_owned().try_into().unwrap(), Time(0))
    }

    /// Ann says something.
    pub(crate) fn say(&self, body: &str) {
        let seq = i64::try_from(self.inner.events.lock().unwrap().len()).unwrap() + 1;
        self.happens(Event::NewMessage { sender: self.me(), message: Box::new(self.message(seq, body)) });
    }

    /// Something happens, at the next position.
    pub(crate) fn happens(&self, event: Event) {
        let position = {
            let mut events = self.inner.events.lock().unwrap();
            events.push(event);
            i64::try_from(events.len()).unwrap()
        };
        let entries = self.inner.entries().split_off(usize::try_from(position).unwrap() - 1);
        self.bus.publish(Batch { epoch: 1, partition: 0, first: position, last: position, entries, state: None });
    }

    fn context(&self, admission: &Arc<Admission>, budget: Budget) -> RequestContext {
        let User { id, username, .. } = self.ann.clone();
        let who = Caller::User(UserCaller { id, username, token: TokenId::from_bytes([1; 16]) });
        RequestContext { bus: self.bus.clone(), admission: Arc::clone(admission), who, budget: Arc::new(budget) }
    }

    /// Asks as ann; the request has been paid for.
    pub(crate) async fn ask(&self, admission: &Arc<Admission>, query: &str) -> Response {
        let limits = Limits::default();
        let request = Request::new(query).data(self.context(admission, Budget::new(&limits)));
        schema(Arc::new(Feed::silent()), &limits).execute(request).await
    }

    /// Subscribes as ann.
    pub(crate) fn subscribe(&self, admission: &Arc<Admission>, query: &str) -> BoxStream<'static, Response> {
        let limits = Limits::default();
        let request = Request::new(query).data(self.context(admission, Budget::of_event(&limits)));
        schema(Feed::start(self.bus.clone(), &Vital::new()), &limits).execute_stream(request)
    }
}

impl Inner {
    fn entries(&self) -> Vec<Entry> {
        let events = self.events.lock().unwrap().clone();
        events.into_iter().zip(1..).map(|(event, position)| Entry { partition: 0, position, event }).collect()
    }

    /// What was said, to which ann has reacted since, which she has pinned, and which she has answered in a thread.
    fn message(&self, seq: i64) -> Message {
        let events = self.events.lock().unwrap();
        let said = events.iter().find_map(|event| match event {
            Event::NewMessage { message, .. } if message.seq == seq => Some(Message::clone(message)),
            _ => None,
        });
        let ann = self.ann.username.clone();
        let reaction = Reaction { emoji: "x".try_into().unwrap(), count: 1, usernames: vec![ann.clone()], mine: Some(true) };
        let thread_info = Some(Box::new(ThreadInfo { replies: 1, last_seq: 9, last_at: Time(9), usernames: vec![ann.clone()] }));
        Message { reactions: vec![reaction], pinned_at: Some(Time(9)), pinned_by: Some(ann), thread_info, ..said.unwrap() }
    }

    fn room(&self) -> Room {
        let (created_by, usernames) = (self.ann.username.clone(), vec![self.ann.username.clone()]);
        Room {
            id: self.room,
            kind: RoomKind::Group,
            name: None,
            topic: None,
            metadata: None,
            rev: 0,
            created_by,
            created_at: Time(0),
            usernames,
            member_count: 1,
            head: 0,
            read: 0,
            unread: 0,
            mentions: 0,
            unread_threads: 0,
            last_message: None,
        }
    }
}

/// What a call is answered; none of them is refused but a token.
macro_rules! answers {
    ($($call:ident: |$inner:ident, $asked:pat_param| $answer:expr;)*) => {
        $(impl Answer<$call> for Inner {
            async fn answer(&self, _: &Caller, call: $call) -> Result<<$call as Call>::Reply, Refusal> {
                // As one that waits for a database, so that what is asked side by side is.
                tokio::task::yield_now().await;
                let ($inner, $asked) = (self, call);
                Ok($answer)
            }
        })*
    };
}

answers! {
    Authenticate: |inner, Authenticate { token }| {
        if !token.starts_with("good") {
            return Err(Refusal::unauthenticated());
        }
        Session { user: inner.ann.clone(), token: TokenId::from_bytes([1; 16]), expires_at: Time(i64::MAX) }
    };
    WhichEnded: |_inner, _| Vec::new();
    GetUsers: |inner, GetUsers { usernames }| usernames.into_iter().map(|username| {
        User { display_name: DisplayName::from(&username), username, ..inner.ann.clone() }
    }).collect();
    GetRooms: |inner, _| vec![inner.room()];
    Histories: |inner, _| vec![OfRoom { room: inner.room, answer: Ok(Stretch { messages: Vec::new(), earlier: false, later: false }) }];
    RoomsOf: |inner, _| InRooms { rooms: vec![InRoom { room: inner.room, kind: RoomKind::Group, member_count: 1 }], epoch: 1, positions: vec![0], changed: vec![-1] };
    Head: |inner, _| Cursor::new(1, vec![i64::try_from(inner.events.lock().unwrap().len()).unwrap()]);
    ReadMissed: |inner, ReadMissed { cursor, .. }| {
        let after = Cursor::parse(&cursor).unwrap().positions[0];
        let entries: Vec<Entry> = inner.entries().into_iter().filter(|entry| entry.position > after).collect();
        let last = entries.last().map_or(after, |entry| entry.position);
        Missed::Entries { entries, cursor: Cursor::new(1, vec![last]), more: false }
    };
    History: |_inner, _| Page { items: Vec::new(), next: None };
    GetMessage: |inner, GetMessage { seq, .. }| inner.message(seq);
    Search: |_inner, _| Searched { page: Page { items: Vec::<Found>::new(), next: None }, looked_at: 1 };
    Recent: |_inner, _| Recently { messages: Vec::new(), looked_at: 1 };
}
