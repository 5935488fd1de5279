use crate::testing::House;
use async_graphql::Response;
use contract::log::{Amended, Event, Membership, Pinned, ReactionChange, ReactionsChanged, RoomUpdated, Unknown};
use contract::message::ThreadInfo;
use contract::{Clock, Message, Reaction, Room, RoomId, RoomKind, Time, UserId, UserRef};
use edge::{Admission, AdmissionSettings};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

const ALL: &str = "__typename
    ... on NewMessage { seq room { id } message { seq body sender { username } } }
    ... on MessageEdited { seq ref by { username } message { seq rev body } }
    ... on MessageDeleted { seq ref by { username } reason message { body deletedBy { username } reactions { emoji } } }
    ... on ReactionsChanged { seq ref by { username } emoji on reactions { emoji count usernames } }
    ... on MessagePinned { seq ref by { username } }
    ... on MessageUnpinned { seq ref by { username } }
    ... on MemberJoined { seq user { username } }
    ... on MemberLeft { seq user { username } }
    ... on RoomUpdated { seq by { username } name topic metadata }
    ... on UnknownEvent { seq kind }";

fn admission() -> Arc<Admission> {
    Admission::new(&AdmissionSettings::default(), &Clock::from_fn(|| Time(0)))
}

/// A subscription to the house's room that has begun: it does when it is first looked at.
async fn begun(house: &House, admission: &Arc<Admission>, fields: &str) -> BoxStream<'static, Response> {
    let query = format!("subscription {{ roomEvents(room: \"{}\") {{ {fields} }} }}", house.room());
    let mut events = house.subscribe(admission, &query);
    assert!(timeout(Duration::from_millis(10), events.next()).await.is_err());
    events
}

async fn next(events: &mut BoxStream<'static, Response>) -> Value {
    let event = timeout(Duration::from_secs(60), events.next()).await.unwrap().unwrap();
    assert_eq!(event.errors, []);
    event.data.into_json().unwrap()["roomEvents"].clone()
}

fn bob() -> UserRef {
    UserRef { id: UserId::new(), username: "bob".try_into().unwrap() }
}

fn edited(house: &House, seq: i64, ref_seq: i64, body: &str) -> Amended {
    let message = Box::new(Message { rev: seq, ..house.message(ref_seq, body) });
    Amended { room: house.room(), seq, kind: 6, ref_seq, by: house.me(), reason: None, message }
}

fn reacted(house: &House, seq: i64, change: Option<ReactionChange>) -> ReactionsChanged {
    let reaction = |emoji: &str| Reaction { emoji: emoji.try_into().unwrap(), count: 2, usernames: vec![bob().username], mine: None };
    ReactionsChanged { room: house.room(), seq, kind: 8, ref_seq: 1, change, reactions: vec![reaction("x"), reaction("y")] }
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_event_is_told_whole_and_in_order() {
    let (house, admission) = (House::new(), admission());
    let mut events = begun(&house, &admission, ALL).await;
    let room = house.room();
    house.say("hello");
    house.happens(Event::MessageEdited(Box::new(edited(&house, 2, 1, "hello!"))));
    let change = ReactionChange { by: bob(), emoji: "x".try_into().unwrap(), on: true };
    house.happens(Event::ReactionsChanged(Box::new(reacted(&house, 3, Some(change)))));
    house.happens(Event::ReactionsChanged(Box::new(reacted(&house, 4, None))));
    let pinned = |seq, kind| Pinned { room, seq, kind, ref_seq: 1, by: bob() };
    house.happens(Event::MessagePinned(pinned(5, 9)));
    house.happens(Event::MessageUnpinned(pinned(6, 10)));
    let of_bob = |seq| Membership { room, seq, user: bob(), member_count: 2 };
    house.happens(Event::MemberJoined(of_bob(7)));
    house.happens(Event::MemberLeft(of_bob(8)));
    let topic = Some("tea".try_into().unwrap());
    house.happens(Event::RoomUpdated(Box::new(RoomUpdated { room, seq: 9, by: Some(bob()), name: None, topic, metadata: None })));
    house.happens(Event::Unknown(Unknown { room, seq: None, kind: 77, reader: Some(house.me()) }));
    house.happens(Event::Unknown(Unknown { room, seq: Some(10), kind: 99, reader: None }));
    let Amended { message, .. } = edited(&house, 11, 1, "");
    let message = Box::new(Message { deleted_at: Some(Time(5)), deleted_by: Some(bob().username), ..*message });
    let reason = Some("a mistake".try_into().unwrap());
    house.happens(Event::MessageDeleted(Box::new(Amended { room, seq: 11, kind: 7, ref_seq: 1, by: bob(), reason, message })));

    let (ann, bob) = (json!({ "username": "ann" }), json!({ "username": "bob" }));
    let reactions = json!([{ "emoji": "x", "count": 2, "usernames": ["bob"] }, { "emoji": "y", "count": 2, "usernames": ["bob"] }]);
    let message = json!({ "seq": 1, "body": "hello", "sender": ann });
    for wanted in [
        json!({ "__typename": "NewMessage", "seq": 1, "room": { "id": room.to_string() }, "message": message }),
        json!({ "__typename": "MessageEdited", "seq": 2, "ref": 1, "by": ann, "message": { "seq": 1, "rev": 2, "body": "hello!" } }),
        json!({ "__typename": "ReactionsChanged", "seq": 3, "ref": 1, "by": bob, "emoji": "x", "on": true, "reactions": reactions }),
        json!({ "__typename": "ReactionsChanged", "seq": 4, "ref": 1, "by": null, "emoji": null, "on": null, "reactions": reactions }),
        json!({ "__typename": "MessagePinned", "seq": 5, "ref": 1, "by": bob }),
        json!({ "__typename": "MessageUnpinned", "seq": 6, "ref": 1, "by": bob }),
        json!({ "__typename": "MemberJoined", "seq": 7, "user": bob }),
        json!({ "__typename": "MemberLeft", "seq": 8, "user": bob }),
        json!({ "__typename": "RoomUpdated", "seq": 9, "by": bob, "name": null, "topic": "tea", "metadata": null }),
        json!({ "__typename": "UnknownEvent", "seq": 10, "kind": 99 }),
        json!({ "__typename": "MessageDeleted", "seq": 11, "ref": 1, "by": bob, "reason": "a mistake",
            "message": { "body": "", "deletedBy": bob, "reactions": [] } }),
    ] {
        assert_eq!(next(&mut events).await, wanted);
    }
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_ones_own_leave_and_hears_no_other_room() {
    let (house, admission) = (House::new(), admission());
    let mut events = begun(&house, &admission, "__typename ... on MemberLeft { user { username } }").await;
    let other = RoomId::new();
    let elsewhere = |seq, user| Membership { room: other, seq, user, member_count: 1 };
    let created_by = house.me().username;
    let created = Room {
        id: other,
        kind: RoomKind::Group,
        name: None,
        topic: None,
        metadata: None,
        rev: 0,
        usernames: vec![created_by.clone()],
        created_by,
        created_at: Time(0),
        member_count: 1,
        head: 0,
        read: 0,
        unread: 0,
        mentions: 0,
        unread_threads: 0,
        last_message: None,
    };
    house.happens(Event::RoomCreated { reader: house.me(), room: Box::new(created) });
    house.happens(Event::MemberJoined(elsewhere(1, bob())));
    house.happens(Event::MemberLeft(elsewhere(2, house.me())));
    house.happens(Event::MemberLeft(Membership { room: house.room(), seq: 1, user: house.me(), member_count: 1 }));
    house.happens(Event::Unknown(Unknown { room: house.room(), seq: Some(2), kind: 99, reader: None }));
    assert_eq!(next(&mut events).await, json!({ "__typename": "MemberLeft", "user": { "username": "ann" } }));
    assert!(timeout(Duration::from_secs(60), events.next()).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn what_an_event_leaves_out_is_asked_for() {
    let (house, admission) = (House::new(), admission());
    let whole = "message { body reactions { emoji mine } pinnedAt pinnedBy { username } }";
    let fields = format!(
        "... on NewMessage {{ {whole} }} ... on MessageEdited {{ {whole} }} ... on ReactionsChanged {{ reactions {{ emoji mine }} }}"
    );
    let mut events = begun(&house, &admission, &fields).await;
    house.say("hello");
    house.happens(Event::MessageEdited(Box::new(edited(&house, 2, 1, "hello!"))));
    house.happens(Event::ReactionsChanged(Box::new(reacted(&house, 3, None))));
    let new = json!({ "message": { "body": "hello", "reactions": [], "pinnedAt": null, "pinnedBy": null } });
    assert_eq!(next(&mut events).await, new, "nothing has happened to it yet");
    let message = next(&mut events).await["message"].take();
    assert_eq!((&message["body"], &message["reactions"]), (&json!("hello!"), &json!([{ "emoji": "x", "mine": true }])));
    assert_eq!((&message["pinnedAt"], &message["pinnedBy"]["username"]), (&json!(Time(9).to_string()), &json!("ann")));
    let reactions = json!([{ "emoji": "x", "mine": true }, { "emoji": "y", "mine": false }]);
    assert_eq!(next(&mut events).await, json!({ "reactions": reactions }));
}

#[tokio::test(start_paused = true)]
async fn a_thread_is_told_of_the_message_that_begins_it() {
    let (house, admission) = (House::new(), admission());
    let mut events =
        begun(&house, &admission, "... on NewMessage { message { seq thread alsoInRoom threadInfo { replies lastSeq usernames } } }").await;
    house.say("hello");
    let thread_info = Some(Box::new(ThreadInfo { replies: 1, last_seq: 2, last_at: Time(9), usernames: vec![house.me().username] }));
    let message = Box::new(Message { thread: Some(1), thread_info, ..house.message(2, "aside") });
    house.happens(Event::NewMessage { sender: house.me(), message });
    let begins =
        json!({ "seq": 1, "thread": null, "alsoInRoom": false, "threadInfo": { "replies": 1, "lastSeq": 9, "usernames": ["ann"] } });
    assert_eq!(next(&mut events).await["message"], begins, "asked for, because an event leaves it out");
    let aside = json!({ "seq": 2, "thread": 1, "alsoInRoom": false, "threadInfo": null });
    assert_eq!(next(&mut events).await["message"], aside, "an event tells it beside every message of the thread");
}

#[tokio::test(start_paused = true)]
async fn an_event_for_which_nothing_is_asked_is_free() {
    let (house, admission) = (House::new(), admission());
    let fields = "... on NewMessage { message { seq body } } ... on MessageEdited { seq ref message { rev body editedAt } }
        ... on ReactionsChanged { ref emoji on reactions { emoji count } }";
    let mut events = begun(&house, &admission, fields).await;
    while admission.take_reads(house.ann.id, 1).is_ok() {}
    house.say("hello");
    house.happens(Event::MessageEdited(Box::new(edited(&house, 2, 1, "hello!"))));
    house.happens(Event::ReactionsChanged(Box::new(reacted(&house, 3, None))));
    for _ in 0..3 {
        next(&mut events).await;
    }
}
