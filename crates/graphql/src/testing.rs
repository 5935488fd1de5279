//! For tests: a house of one user and one room, whose services answer out of memory.

use crate::budget::Budget;
use crate::feed::Feed;
use crate::limits::Limits;
use crate::request_context::RequestContext;
use crate::schema::schema;
use async_graphql::{Request, Response};
use bus::Bus;
use contract::calls::messages::{Found, GetRooms, Head, Histories, InRoom, InRooms, Missed, OfRoom, ReadMissed, Recent, Recently};
use contract::calls::messages::{RoomsOf, Search, Searched, Stretch};
use contract::calls::users::{Authenticate, GetUsers, Session, WhichEnded};
use contract::log::{Batch, Entry, Event};
use contract::{
    Answer, Call, Caller, Cursor, Message, MessageId, Page, Refusal, Room, RoomId, RoomKind, Time, TokenId, User, UserCaller, UserId,
    UserRef,
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
    messages: Mutex<Vec<Message>>,
}

impl House {
    pub(crate) fn new() -> Self {
        let (username, display_name) = ("ann".try_into().unwrap(), "Ann".try_into().unwrap());
        let ann = User::plain(UserId::new(), username, display_name, Time(0));
        let inner = Arc::new(Inner { ann: ann.clone(), room: RoomId::new(), messages: Mutex::default() });
        let bus = Bus::near();
        bus.serve::<Authenticate, _>(&inner).serve::<WhichEnded, _>(&inner).serve::<GetUsers, _>(&inner);
        bus.serve::<GetRooms, _>(&inner).serve::<Histories, _>(&inner).serve::<RoomsOf, _>(&inner);
        bus.serve::<Head, _>(&inner).serve::<ReadMissed, _>(&inner);
        bus.serve::<Search, _>(&inner).serve::<Recent, _>(&inner);
        Self { bus, ann, inner }
    }

    /// Ann says something.
    pub(crate) fn say(&self, body: &str) {
        let position = {
            let mut messages = self.inner.messages.lock().unwrap();
            let seq = i64::try_from(messages.len()).unwrap() + 1;
            let (room, sender) = (self.inner.room, self.ann.username.clone());
            let body = body.to_owned().try_into().unwrap();
            messages.push(Message::plain(MessageId::new(), room, seq, sender, body, Time(0)));
            seq
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
        let sender = UserRef { id: self.ann.id, username: self.ann.username.clone() };
        let event = |message: &Message| Event::NewMessage { sender: sender.clone(), message: Box::new(message.clone()) };
        let entry = |message: &Message| Entry { partition: 0, position: message.seq, event: event(message) };
        self.messages.lock().unwrap().iter().map(entry).collect()
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
    GetUsers: |inner, _| vec![inner.ann.clone()];
    GetRooms: |inner, _| vec![inner.room()];
    Histories: |inner, _| vec![OfRoom { room: inner.room, answer: Ok(Stretch { messages: Vec::new(), earlier: false, later: false }) }];
    RoomsOf: |inner, _| InRooms { rooms: vec![InRoom { room: inner.room, kind: RoomKind::Group, member_count: 1 }], epoch: 1, positions: vec![0], changed: vec![-1] };
    Head: |inner, _| Cursor::new(1, vec![i64::try_from(inner.messages.lock().unwrap().len()).unwrap()]);
    ReadMissed: |inner, ReadMissed { cursor, .. }| {
        let after = Cursor::parse(&cursor).unwrap().positions[0];
        let entries: Vec<Entry> = inner.entries().into_iter().filter(|entry| entry.position > after).collect();
        let last = entries.last().map_or(after, |entry| entry.position);
        Missed::Entries { entries, cursor: Cursor::new(1, vec![last]), more: false }
    };
    Search: |_inner, _| Searched { page: Page { items: Vec::<Found>::new(), next: None }, looked_at: 1 };
    Recent: |_inner, _| Recently { messages: Vec::new(), looked_at: 1 };
}
