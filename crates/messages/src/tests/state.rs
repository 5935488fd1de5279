//! Users' own state, and own read marks.

use super::house::{House, caller, service, user};
use crate::Partitions;
use bus::Heard;
use contract::RoomKind::{Channel, Group};
use contract::calls::messages as calls;
use contract::calls::state::{
    GetState, ListState, Mark, PutState, RemoveState, StateEnds, StateItem, StateKeysAfter, StateNews, StateSince, StatesNow,
};
use contract::calls::threads::{FollowThread, MarkThreadRead};
use contract::hint::{ReadMoved, ThreadReadMoved};
use contract::log::{Batch, Event, StateChanges};
use contract::message::Mentions;
use contract::state::KEYS;
use contract::{Code, Cursor, Limit, Patch, Refusal, RoomId, Stamp, StateKey, StateValue};
use db::{Value, values};
use futures_util::future::join_all;
use serde_json::json;

fn key(text: &str) -> StateKey {
    text.try_into().unwrap()
}

fn value(json: serde_json::Value) -> StateValue {
    json.try_into().unwrap()
}

impl House {
    async fn put(&self, by: u64, name: &str, json: serde_json::Value, if_stamp: Patch<Stamp>) -> Result<Stamp, Refusal> {
        let put = self.ask(&caller(by), PutState { key: key(name), value: value(json.clone()), if_stamp }).await?;
        assert_eq!((put.key, put.value), (key(name), value(json)));
        Ok(put.stamp)
    }

    async fn kept(&self, by: u64, name: &str) -> Result<StateItem, Refusal> {
        self.ask(&caller(by), GetState { key: key(name) }).await
    }

    async fn drop_key(&self, by: u64, name: &str) {
        self.ask(&caller(by), RemoveState { key: key(name) }).await.unwrap();
    }

    async fn clearing(&self, by: u64, room: RoomId, name: &str, nonce: &str) -> calls::Sent {
        let rich = calls::Rich { clears: Some(key(name)), ..calls::Rich::default() };
        let call = calls::Send { room, body: "sent".try_into().unwrap(), nonce: Some(nonce.try_into().unwrap()), rich };
        self.ask(&caller(by), call).await.unwrap()
    }

    async fn read_head(&self) -> Cursor {
        self.ask(&service(), calls::Head {}).await.unwrap()
    }

    async fn news(&self, of: u64, cursor: &Cursor) -> StateNews {
        self.ask(&service(), StateSince { user: user(of).id, cursor: cursor.clone() }).await.unwrap()
    }

    /// What has changed of a user's values since a cursor, by key: nothing for what was removed.
    async fn changed(&self, of: u64, cursor: &Cursor) -> Vec<(String, Option<StateValue>)> {
        let StateNews::Changes { values, .. } = self.news(of, cursor).await else { panic!("a reset") };
        let mut values: Vec<_> = values.into_iter().map(|now| (String::from(now.key), now.value)).collect();
        values.sort_by(|a, b| a.0.cmp(&b.0));
        values
    }

    async fn marks(&self, of: u64, cursor: &Cursor) -> Vec<Mark> {
        let StateNews::Changes { marks, .. } = self.news(of, cursor).await else { panic!("a reset") };
        marks
    }

    async fn list(&self, by: u64, prefix: Option<&str>, after: Option<String>, limit: i64) -> (Vec<String>, Option<String>) {
        let call = ListState { prefix: prefix.map(key), after, limit: Limit::try_from(limit).unwrap() };
        let page = self.ask(&caller(by), call).await.unwrap();
        (page.items.into_iter().map(|item| item.key.into()).collect(), page.next)
    }

    /// Writes rows past the service, as if they had been changed before anything else.
    async fn fill(&self, of: u64, rows: impl Iterator<Item = (String, Option<&str>)>) {
        let row = |(name, json): (String, Option<&str>)| {
            values![user(of).id.bytes(), name, json.map(str::to_owned), Stamp::new().bytes(), 0_i64, 0_i64, 0_i64]
        };
        let rows: Vec<Vec<Value>> = rows.map(row).collect();
        let sql = "INSERT INTO user_state (member, key, value, stamp, part, position, number) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        self.db.write(move |tx| Box::pin(async move { tx.execute_each(sql, &rows).await })).await.unwrap();
    }

    async fn count(&self, sql: &'static str) -> i64 {
        self.db.read(move |tx| Box::pin(async move { tx.row(sql, &values![], |row| row.int(0)).await })).await.unwrap().unwrap()
    }

    /// Where a user's own changes are written.
    fn own_part(&self, of: u64) -> usize {
        usize::from(Partitions::of(&self.db).of_room(RoomId::from_bytes(user(of).id.bytes())))
    }
}

pub async fn values_are_kept_and_paged(house: House) {
    assert_eq!(house.kept(1, "draft:a").await.unwrap_err().field.as_deref(), Some("key"));
    let stamp = house.put(1, "draft:a", json!({"body": "hel\u{0}lo"}), Patch::Keep).await.unwrap();
    let kept = house.kept(1, "draft:a").await.unwrap();
    assert_eq!(kept, StateItem { key: key("draft:a"), value: value(json!({"body": "hel\u{0}lo"})), stamp });
    assert_eq!(house.kept(2, "draft:a").await.unwrap_err().code, Code::NotFound, "everybody has their own");
    for (name, json) in [("draft:b", json!(1)), ("Draft:a", json!([])), ("draft.c", json!("x")), ("star:a:1", json!(true))] {
        house.put(1, name, json, Patch::Keep).await.unwrap();
    }
    assert_eq!(house.list(1, None, None, 100).await.0, ["Draft:a", "draft.c", "draft:a", "draft:b", "star:a:1"]);
    assert_eq!(house.list(1, Some("draft:"), None, 100).await, (vec!["draft:a".into(), "draft:b".into()], None));
    let (first, next) = house.list(1, Some("d"), None, 2).await;
    assert_eq!(first, ["draft.c", "draft:a"]);
    assert_eq!(house.list(1, Some("d"), next, 2).await, (vec!["draft:b".into()], None));
    house.drop_key(1, "draft:a").await;
    house.drop_key(1, "draft:a").await;
    house.drop_key(1, "never").await;
    assert_eq!(house.kept(1, "draft:a").await.unwrap_err().code, Code::NotFound);
    assert_eq!(house.list(1, Some("draft:"), None, 100).await.0, ["draft:b"]);
    house.must_be_sound().await;
}

pub async fn a_value_is_changed_only_by_who_has_seen_it(house: House) {
    let first = house.put(1, "k", json!(1), Patch::Clear).await.unwrap();
    let refused = house.put(1, "k", json!(2), Patch::Clear).await.unwrap_err();
    assert_eq!((refused.code, refused.field.as_deref()), (Code::Conflict, Some("if_stamp")));
    let second = house.put(1, "k", json!(2), Patch::Set(first)).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(house.put(1, "k", json!(2), Patch::Set(first)).await.unwrap(), second, "the same again is done already");
    assert_eq!(house.put(1, "k", json!(3), Patch::Set(first)).await.unwrap_err().code, Code::Conflict);
    let third = house.put(1, "k", json!(3), Patch::Keep).await.unwrap();
    house.drop_key(1, "k").await;
    assert_eq!(house.put(1, "k", json!(4), Patch::Set(third)).await.unwrap_err().code, Code::Conflict, "it was removed");
    let fourth = house.put(1, "k", json!(4), Patch::Clear).await.unwrap();
    assert_eq!(house.kept(1, "k").await.unwrap().stamp, fourth);
    house.must_be_sound().await;
}

pub async fn a_user_has_a_number_of_keys(house: House) {
    house.fill(1, (0..KEYS - 1).map(|n| (format!("k{n}"), Some("1")))).await;
    // Two at once, of which one finds room.
    let (a, b) = tokio::join!(house.put(1, "a", json!(1), Patch::Keep), house.put(1, "b", json!(1), Patch::Keep));
    let refused = [a, b].into_iter().find_map(Result::err).unwrap();
    assert_eq!((refused.code, refused.field.as_deref()), (Code::Conflict, Some("key")));
    assert_eq!(house.count("SELECT COUNT(value) FROM user_state").await, KEYS);
    house.put(1, "k7", json!(2), Patch::Keep).await.unwrap();
    house.put(2, "a", json!(1), Patch::Keep).await.unwrap();
    house.drop_key(1, "k8").await;
    house.put(1, "c", json!(1), Patch::Keep).await.unwrap();
    house.must_be_sound().await;
}

pub async fn a_send_takes_its_draft_away(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    house.put(1, "draft", json!("hel"), Patch::Keep).await.unwrap();
    house.put(2, "draft", json!("wor"), Patch::Keep).await.unwrap();
    let mut hints = house.bus.subscribe::<Batch>();
    assert!(house.clearing(1, room, "draft", "n").await.created);
    let sent = |batch: &Batch| batch.entries.iter().any(|entry| matches!(entry.event, Event::NewMessage { .. }));
    let batch = loop {
        match hints.next().await {
            Some(Heard::Hint(batch)) if sent(&batch) => break batch,
            Some(Heard::Hint(_)) => {}
            _ => panic!("a hint was missed"),
        }
    };
    assert_eq!(batch.state.as_ref().unwrap().keys, [(user(1).id, key("draft"))], "one hint tells of both");
    assert_eq!(house.kept(1, "draft").await.unwrap_err().code, Code::NotFound);
    assert!(house.kept(2, "draft").await.is_ok(), "another's stays");
    house.put(1, "draft", json!("next"), Patch::Keep).await.unwrap();
    assert!(!house.clearing(1, room, "draft", "n").await.created);
    assert_eq!(house.kept(1, "draft").await.unwrap().value, value(json!("next")), "a repeat removes nothing");
    house.clearing(1, room, "never", "m").await;
    let other = house.room(3, Group, Some("h"), &[]).await.id;
    let rich = calls::Rich { clears: Some(key("draft")), ..calls::Rich::default() };
    let call = calls::Send { room: other, body: "x".try_into().unwrap(), nonce: None, rich };
    house.ask(&caller(1), call).await.unwrap_err();
    assert!(house.kept(1, "draft").await.is_ok(), "nor does a send that is refused");
    house.must_be_sound().await;
}

pub async fn one_of_many_changes_at_once_wins(house: House) {
    let outcomes = join_all((0..40).map(|n| house.put(1, "new", json!(n), Patch::Clear))).await;
    let stamps: Vec<Stamp> = outcomes.into_iter().filter_map(Result::ok).collect();
    assert_eq!(stamps.len(), 1);
    let outcomes = join_all((100..140).map(|n| house.put(1, "new", json!(n), Patch::Set(stamps[0])))).await;
    let won: Vec<Stamp> = outcomes.into_iter().filter_map(Result::ok).collect();
    assert_eq!(won, [house.kept(1, "new").await.unwrap().stamp]);
    house.must_be_sound().await;
}

/// On PostgreSQL the rooms are in several partitions, whose writers change the same rows.
pub async fn sends_and_changes_of_the_same_keys_wait_for_each_other(house: House) {
    let mut rooms = Vec::new();
    for _ in 0..8 {
        rooms.push(house.room(1, Channel, Some("c"), &[]).await.id);
    }
    for round in 0..10 {
        let puts = (0..30).map(|n| {
            let house = &house;
            async move {
                house.put(1, &format!("k{}", n % 5), json!([round, n]), Patch::Keep).await.unwrap();
            }
        });
        let sends = (0..30_usize).map(|n| {
            let (house, room) = (&house, rooms[n % rooms.len()]);
            async move {
                assert!(house.clearing(1, room, &format!("k{}", 4 - n % 5), &format!("{round}.{n}")).await.created);
            }
        });
        tokio::join!(join_all(puts), join_all(sends));
        // A stamp that was read guards against a send that comes between.
        house.put(1, "k0", json!("guarded"), Patch::Keep).await.unwrap();
        let stamp = house.kept(1, "k0").await.unwrap().stamp;
        let nonce = format!("guard {round}");
        let (put, _) = tokio::join!(
            house.put(1, "k0", json!("again"), Patch::Set(stamp)),
            house.clearing(1, rooms[round % rooms.len()], "k0", &nonce)
        );
        if put.is_err() {
            assert_eq!(house.kept(1, "k0").await.unwrap_err().code, Code::NotFound);
        }
    }
    house.must_be_sound().await;
}

pub async fn changes_are_counted_and_found(house: House) {
    let part = house.own_part(1);
    let ends = async || house.ask(&service(), StateEnds {}).await.unwrap();
    assert_eq!(ends().await[part], 0);
    let mut hints = house.bus.subscribe::<Batch>();
    house.put(1, "a", json!(1), Patch::Keep).await.unwrap();
    let Some(Heard::Hint(batch)) = hints.next().await else { panic!("a hint was missed") };
    assert_eq!((batch.first, batch.last, batch.entries.len()), (1, 0, 0), "nothing was appended");
    assert_eq!(batch.state, Some(StateChanges { end: 1, keys: vec![(user(1).id, key("a"))] }));
    house.put(1, "a", json!(1), Patch::Keep).await.unwrap();
    house.put(1, "b", json!(1), Patch::Keep).await.unwrap();
    house.put(1, "a", json!(2), Patch::Keep).await.unwrap();
    let Some(Heard::Hint(batch)) = hints.next().await else { panic!("a hint was missed") };
    assert_eq!(batch.state.as_ref().map(StateChanges::before), Some(1), "what changes nothing is not counted");
    assert_eq!(ends().await[part], 3);
    let epoch = house.db.epoch();
    let after = async |after, limit| {
        let call = StateKeysAfter { epoch, partition: u16::try_from(part).unwrap(), after, limit };
        let found = house.ask(&service(), call).await.unwrap();
        (found.keys.into_iter().map(|(_, key)| String::from(key)).collect::<Vec<_>>(), found.end, found.more)
    };
    assert_eq!(after(0, 10).await, (vec!["b".into(), "a".into()], 3, false));
    assert_eq!(after(0, 1).await, (vec!["b".into()], 2, true));
    assert_eq!(after(3, 10).await, (vec![], 3, false));
    let now = house.ask(&service(), StatesNow { keys: vec![(user(1).id, key("a")), (user(2).id, key("a"))] }).await.unwrap();
    assert_eq!(now.len(), 1);
    assert_eq!((now[0].0, &now[0].1.value), (user(1).id, &Some(value(json!(2)))));
    for refused in [
        house.ask(&caller(1), StateEnds {}).await.map(|_| ()),
        house.ask(&caller(1), StatesNow { keys: Vec::new() }).await.map(|_| ()),
        house.ask(&caller(1), StateSince { user: user(1).id, cursor: house.read_head().await }).await.map(|_| ()),
    ] {
        assert_eq!(refused.unwrap_err().code, Code::Forbidden);
    }
    house.must_be_sound().await;
}

pub async fn what_has_changed_since_a_cursor_is_told(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    house.put(1, "before", json!(1), Patch::Keep).await.unwrap();
    // Something happens in every partition, so that the positions move.
    for _ in 0..48 {
        house.room(3, Group, Some("g"), &[]).await;
    }
    let cursor = house.read_head().await;
    assert_eq!(house.changed(1, &cursor).await, []);
    house.put(1, "a", json!(1), Patch::Keep).await.unwrap();
    house.put(1, "b", json!(1), Patch::Keep).await.unwrap();
    house.put(2, "a", json!(1), Patch::Keep).await.unwrap();
    house.drop_key(1, "b").await;
    let both = [("a".to_owned(), Some(value(json!(1)))), ("b".to_owned(), None)];
    assert_eq!(house.changed(1, &cursor).await, both);
    assert_eq!(house.changed(1, &house.read_head().await).await, both, "what was changed just at the cursor comes again");
    house.clearing(1, room, "a", "n").await;
    assert_eq!(house.changed(1, &cursor).await[0], ("a".to_owned(), None));
    assert_eq!(house.changed(1, &Cursor::new(cursor.epoch, vec![0; cursor.positions.len()])).await.len(), 3);
    for wrong in [Cursor::new(cursor.epoch + 1, cursor.positions.clone()), Cursor::new(cursor.epoch, vec![0; 9])] {
        assert_eq!(house.news(1, &wrong).await, StateNews::Reset);
    }
    let rooms = house.ask(&service(), calls::RoomsOf { user: user(1).id }).await.unwrap();
    assert_eq!(rooms.changed.len(), rooms.positions.len());
    assert!(rooms.changed.iter().zip(&cursor.positions).any(|(changed, since)| changed >= since));
    let rooms = house.ask(&service(), calls::RoomsOf { user: user(9).id }).await.unwrap();
    assert!(rooms.changed.iter().all(|changed| *changed == -1));
    house.must_be_sound().await;
}

pub async fn own_read_marks_are_told_since_a_cursor(house: House) {
    let (room, quiet) = (house.room(1, Group, Some("g"), &[2]).await.id, house.room(1, Group, Some("h"), &[2]).await.id);
    for body in ["1", "2", "3"] {
        house.send(1, room, body).await;
        house.send(1, quiet, body).await;
    }
    for _ in 0..48 {
        house.room(3, Group, Some("g"), &[]).await;
    }
    let cursor = house.read_head().await;
    assert_eq!(house.marks(2, &cursor).await, []);
    let mut moved = house.bus.subscribe::<ReadMoved>();
    house.ask(&caller(2), calls::MarkRead { room, seq: 2 }).await.unwrap();
    let mark = |unread| Mark { room, thread: None, read: 2, unread, mentions: 0 };
    assert_eq!(house.marks(2, &cursor).await, [mark(1)]);
    let Some(Heard::Hint(hint)) = moved.next().await else { panic!("a hint was missed") };
    assert_eq!((hint.seq, hint.unread, hint.mentions), (2, Some(1), Some(0)));
    let (part, position) = hint.place.unwrap();
    assert_eq!((part, position), (house.part(room), house.read_head().await.positions[usize::from(part)]));
    house.delete(1, room, 3).await.unwrap();
    assert_eq!(house.marks(2, &cursor).await, [mark(0)], "as it is now");
    assert_eq!(house.marks(1, &cursor).await, []);
    house.send(2, quiet, "4").await;
    assert_eq!(house.marks(2, &cursor).await.len(), 2, "a send moves the own mark");
    house.remove(2, quiet, 2).await.unwrap();
    assert_eq!(house.marks(2, &cursor).await.len(), 1, "not in a room that one has left");
    house.must_be_sound().await;
}

pub async fn own_marks_in_threads_are_told_since_a_cursor(house: House) {
    let room = house.room(1, Group, Some("g"), &[2, 3]).await.id;
    house.send(1, room, "root").await;
    house.reply(1, room, 1, "two").await.unwrap();
    for (users, everybody) in [(vec![user(2).username], false), (Vec::new(), true)] {
        let rich = calls::Rich { thread: Some(1), mentions: Some(Mentions { users, room: everybody }), ..calls::Rich::default() };
        house.ask(&caller(1), calls::Send { room, body: "hey".try_into().unwrap(), nonce: None, rich }).await.unwrap();
    }
    let mark = |read, unread, mentions| Mark { room, thread: Some(1), read, unread, mentions };
    let mut hints = house.bus.subscribe::<ThreadReadMoved>();
    // The place that the hint tells is that of the log's end, and that up to which a gateway which loads the user knows of changes.
    let mut told = async |who: u64| {
        let Some(Heard::Hint(hint)) = hints.next().await else { panic!("a hint was missed") };
        let part = usize::from(house.part(room));
        let end = house.read_head().await.positions[part];
        assert_eq!((hint.user, usize::from(hint.place.0), hint.place.1), (user(who).id, part, end));
        assert_eq!(house.ask(&service(), calls::RoomsOf { user: user(who).id }).await.unwrap().changed[part], end);
        (hint.read, hint.unread)
    };
    let start = house.read_head().await;
    assert_eq!(house.marks(2, &start).await, [], "to be mentioned moves no mark");
    house.ask(&caller(2), MarkThreadRead { room, thread: 1, seq: 2 }).await.unwrap();
    assert_eq!((house.marks(2, &start).await, house.marks(3, &start).await), (vec![mark(2, 2, 2)], vec![]));
    assert_eq!(told(2).await, (2, 2));

    house.send(1, room, "five").await;
    let cursor = house.read_head().await;
    assert_eq!(house.marks(2, &cursor).await, [], "not again");
    house.reply(2, room, 1, "six").await.unwrap();
    assert_eq!((house.marks(2, &cursor).await, house.marks(2, &start).await), (vec![mark(6, 0, 0)], vec![mark(6, 0, 0)]));
    assert_eq!(told(2).await, (6, 0));

    house.send(1, room, "seven").await;
    let cursor = house.read_head().await;
    assert_eq!((house.marks(2, &cursor).await, house.marks(3, &cursor).await), (vec![], vec![]));
    house.ask(&caller(3), FollowThread { room, thread: 1, on: true }).await.unwrap();
    assert_eq!(house.marks(3, &cursor).await, [mark(6, 0, 0)], "who begins to follow has read it");
    assert_eq!(told(3).await, (6, 0));
    house.send(1, room, "eight").await;
    let cursor = house.read_head().await;
    house.ask(&caller(3), FollowThread { room, thread: 1, on: false }).await.unwrap();
    assert_eq!(house.marks(3, &cursor).await, [], "who stops has moved no mark");

    house.remove(2, room, 2).await.unwrap();
    assert_eq!(house.marks(2, &start).await, [], "not in a room that one has left");
    house.must_be_sound().await;
}

pub async fn more_than_is_told_is_a_reset(house: House) {
    let cursor = house.read_head().await;
    for n in 0..15 {
        house.put(1, &format!("k{n}"), json!("x".repeat(16_000)), Patch::Keep).await.unwrap();
    }
    assert_eq!(house.changed(1, &cursor).await.len(), 15);
    for n in 15..18 {
        house.put(1, &format!("k{n}"), json!("x".repeat(16_000)), Patch::Keep).await.unwrap();
    }
    assert_eq!(house.news(1, &cursor).await, StateNews::Reset);
}

pub async fn what_was_removed_long_ago_is_forgotten(house: House) {
    house.fill(1, (0..9_999).map(|n| (format!("k{n:04}"), None))).await;
    house.put(1, "kept", json!(1), Patch::Keep).await.unwrap();
    assert_eq!(house.count("SELECT COUNT(*) FROM user_state").await, 10_000);
    let beginning = Cursor::new(house.db.epoch(), vec![0; house.read_head().await.positions.len()]);
    house.put(1, "k0000", json!(1), Patch::Keep).await.unwrap();
    assert_eq!(house.count("SELECT COUNT(*) FROM user_state").await, 10_000, "a key that was there before is no new row");
    assert_eq!(house.count("SELECT COUNT(*) FROM user_state_floors").await, 0);
    house.put(1, "more", json!(1), Patch::Keep).await.unwrap();
    assert_eq!(house.count("SELECT COUNT(*) FROM user_state").await, 9_000);
    assert_eq!(house.news(1, &beginning).await, StateNews::Reset, "what is gone cannot be told");
    let gone = async |after| {
        let call = StateKeysAfter { epoch: house.db.epoch(), partition: 0, after, limit: 1 };
        house.ask(&service(), call).await.unwrap().forgotten
    };
    assert_eq!(gone(-1).await, [user(1).id], "nor to a gateway that has not heard of it");
    assert_eq!(gone(0).await, []);
    assert!(house.kept(1, "k0000").await.is_ok());
    assert_eq!(house.list(1, None, None, 100).await.0, ["k0000", "kept", "more"]);
    let others = beginning.clone();
    assert_eq!(house.changed(2, &others).await, []);
    house.must_be_sound().await;
}

pub async fn the_check_finds_what_is_broken_in_it(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    house.send(1, room, "x").await;
    house.ask(&caller(2), calls::MarkRead { room, seq: 1 }).await.unwrap();
    house.put(1, "a", json!(1), Patch::Keep).await.unwrap();
    house.must_be_sound().await;
    for (sql, rule) in [
        ("UPDATE user_state SET position = 99", "where the log has been"),
        ("UPDATE user_state SET number = 99", "are counted"),
        ("UPDATE user_state SET key = 'a b'", "keys and values"),
        ("UPDATE user_state SET value = '{'", "keys and values"),
        ("UPDATE user_state SET value = 'null'", "keys and values"),
        ("UPDATE members SET read_position = 99", "a read mark has moved"),
    ] {
        let outcome = house.db.write::<(), _>(move |tx| {
            Box::pin(async move {
                tx.execute(sql, &values![]).await?;
                let report = crate::check::inside(tx, false).await?;
                // Undone: the next one starts from a sound database.
                Err(db::Error::Conflict(report.problems.join("\n")))
            })
        });
        let Err(db::Error::Conflict(problems)) = outcome.await else { panic!("{sql}") };
        assert!(problems.contains(rule), "{sql}: {problems:?}");
    }
    house.must_be_sound().await;
}

pub async fn members_see_how_far_others_have_read(house: House) {
    let room = house.room(1, Group, Some("g"), &[2, 3]).await.id;
    house.send(1, room, "x").await;
    house.send(2, room, "y").await;
    let reads = async |by: u64, room: RoomId, after: Option<String>, limit: i64| {
        let page = house.ask(&caller(by), calls::ListReads { room, after, limit: Limit::try_from(limit).unwrap() }).await?;
        let items: Vec<_> = page.items.into_iter().map(|read| (String::from(read.username), read.read)).collect();
        Ok::<_, Refusal>((items, page.next))
    };
    let (mut all, next) = reads(3, room, None, 2).await.unwrap();
    let (rest, end) = reads(3, room, next, 2).await.unwrap();
    all.extend(rest);
    all.sort();
    assert_eq!((all, end), (vec![("u1".to_owned(), 1), ("u2".to_owned(), 2), ("u3".to_owned(), 0)], None));
    assert_eq!(reads(4, room, None, 2).await.unwrap_err().code, Code::NotFound);
    let others: Vec<u64> = (2..=101).collect();
    let large = house.room(1, Group, Some("h"), &others).await.id;
    let refused = reads(1, large, None, 2).await.unwrap_err();
    assert_eq!((refused.code, refused.field.as_deref()), (Code::Forbidden, Some("room")));
    let channel = house.room(1, Channel, Some("c"), &[]).await.id;
    assert_eq!(reads(2, channel, None, 2).await.unwrap_err().code, Code::Forbidden);
}
