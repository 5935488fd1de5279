//! The filters of a search, with words and without: the same on both engines, whether a message is indexed yet or not.

use super::house::{House, caller, user};
use super::search::{all_pages, ask, index_all, search, shown};
use contract::RoomKind::{Direct, Group};
use contract::calls::messages::{Found, Rich, Search, Send};
use contract::{Code, Limit, RoomId, Username};
use futures_util::future::join_all;

/// Everything that a user has said.
fn by(sender: u64) -> Search {
    Search { sender: Some(user(sender).username), ..search("") }
}

fn pinned(q: &str) -> Search {
    Search { pinned: true, ..search(q) }
}

fn few(limit: i64, call: &Search) -> Search {
    Search { limit: Limit::try_from(limit).unwrap(), ..call.clone() }
}

fn seqs(found: &[Found]) -> Vec<i64> {
    found.iter().map(|found| found.message.seq).collect()
}

/// The seqs of the messages that are found, the newest first.
async fn found(house: &House, reader: u64, call: Search) -> Vec<i64> {
    seqs(&all_pages(house, reader, call).await)
}

async fn refused(house: &House, call: Search) -> (Code, Option<String>) {
    let refusal = ask(house, 1, call).await.unwrap_err();
    (refusal.code, refusal.field)
}

pub async fn a_sender_has_two_names_and_needs_no_words(house: House) {
    let room = house.room(1, Group, Some("g"), &[2, 3]).await.id;
    let other = house.room(1, Direct, None, &[2]).await.id;
    for (sender, body) in [(1, "good morning"), (2, "morning"), (3, "good evening"), (2, "good night")] {
        house.send(sender, room, body).await;
    }
    house.send(2, other, "good").await;
    let name = |number: u64| Some(user(number).username);
    for _ in 0..2 {
        let in_room = |sender, from, q: &str| Search { room: Some(room), sender, from, ..search(q) };
        for (sender, from) in [(name(2), None), (None, name(2)), (name(2), name(2))] {
            assert_eq!(found(&house, 3, in_room(sender.clone(), from.clone(), "")).await, [4, 2]);
            assert_eq!(found(&house, 3, in_room(sender, from, "good")).await, [4]);
        }
        assert_eq!(found(&house, 1, by(2)).await.len(), 3, "in all rooms");
        assert_eq!(found(&house, 3, by(2)).await, [4, 2], "in all of one's own");
        assert_eq!(found(&house, 3, by(3)).await, [3]);
        assert_eq!(found(&house, 4, by(2)).await, Vec::<i64>::new());
        let invalid = |field: &str| (Code::InvalidRequest, Some(field.to_owned()));
        assert_eq!(refused(&house, in_room(name(1), name(2), "good")).await, invalid("sender"));
        assert_eq!(refused(&house, in_room(name(1), name(2), "")).await, invalid("sender"));
        let nobody: Option<Username> = Some("nobody".try_into().unwrap());
        assert_eq!(refused(&house, in_room(nobody.clone(), None, "")).await, (Code::NotFound, Some("sender".into())));
        assert_eq!(refused(&house, in_room(None, nobody, "")).await, (Code::NotFound, Some("from".into())));
        // A room alone does not stand for words, and words that say nothing are refused with a filter, too.
        assert_eq!(refused(&house, search("")).await, invalid("q"));
        assert_eq!(refused(&house, in_room(None, None, "")).await, invalid("q"));
        for q in [" ", "*", "\"\"", "a*"] {
            assert_eq!(refused(&house, in_room(name(2), None, q)).await, invalid("q"), "{q:?}");
        }
        index_all(&house).await;
    }
}

pub async fn without_words_the_present_messages_are_listed(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let long = "x".repeat(300);
    for body in ["frist", &long, "to be deleted"] {
        house.send(1, room, body).await;
    }
    let rich = Rich {
        metadata: Some(serde_json::from_str(r#"{"a":1}"#).unwrap()),
        message_type: Some("poll".try_into().unwrap()),
        ..Rich::default()
    };
    house.ask(&caller(1), Send { room, body: "".try_into().unwrap(), nonce: None, rich }).await.unwrap();
    for seq in 1..=4 {
        house.pin(2, room, seq, true).await.unwrap();
    }
    house.edit(1, room, 1, "first").await.unwrap();
    house.delete(1, room, 3).await.unwrap();
    for _ in 0..2 {
        for call in [by(1), pinned(""), Search { pinned: true, ..by(1) }] {
            let found = all_pages(&house, 2, call.clone()).await;
            assert_eq!(seqs(&found), [4, 2, 1]);
            let excerpts: Vec<String> = found.iter().map(shown).collect();
            assert_eq!(excerpts, [String::new(), format!("{}…", "x".repeat(240)), "first".to_owned()], "from the beginning on");
            assert_eq!((found[2].message.body.as_str(), found[2].message.pinned_at.is_some()), ("first", true));
        }
        assert_eq!(found(&house, 2, pinned("first")).await, [1]);
        assert_eq!(found(&house, 2, pinned("frist")).await, Vec::<i64>::new());
        assert_eq!(found(&house, 2, pinned("deleted")).await, Vec::<i64>::new());
        index_all(&house).await;
    }
    house.must_be_sound().await;
}

pub async fn pinned_messages_are_found_in_the_order_of_messages(house: House) {
    let mut rooms = Vec::new();
    for name in ["a", "b", "c"] {
        rooms.push(house.room(1, Group, Some(name), &[2]).await.id);
    }
    let others = house.room(3, Group, Some("others"), &[4]).await.id;
    let mut sent: Vec<(RoomId, i64)> = Vec::new();
    for n in 0..30 {
        house.turn_clock(1);
        let room = rooms[n % 3];
        let message = house.send(1 + n as u64 % 2, room, if n % 5 == 0 { "fifth" } else { "other" }).await;
        sent.push((room, message.seq));
    }
    house.send(3, others, "fifth").await;
    house.pin(4, others, 1, true).await.unwrap();
    // The oldest message is pinned last.
    let mut wanted: Vec<(RoomId, i64)> = sent.iter().copied().step_by(2).rev().collect();
    for (room, seq) in &wanted {
        house.pin(1, *room, *seq, true).await.unwrap();
    }
    let places = async |reader: u64, call: Search| {
        let found = all_pages(&house, reader, call).await;
        found.into_iter().map(|found| (found.message.room, found.message.seq)).collect::<Vec<_>>()
    };
    for _ in 0..2 {
        for limit in [1, 4, 15, 100] {
            assert_eq!(places(2, few(limit, &pinned(""))).await, wanted, "limit {limit}");
        }
        let of_one: Vec<_> = wanted.iter().copied().filter(|(room, _)| *room == rooms[1]).collect();
        assert_eq!(places(2, few(2, &Search { room: Some(rooms[1]), ..pinned("") })).await, of_one);
        assert_eq!(places(2, few(2, &pinned("fifth"))).await.len(), 3);
        assert_eq!(places(2, few(2, &Search { pinned: true, ..by(1) })).await, wanted, "those with an even number");
        assert_eq!(places(2, Search { pinned: true, ..by(2) }).await, []);
        assert_eq!(places(3, pinned("")).await, [(others, 1)]);
        assert_eq!(places(5, pinned("")).await, []);
        index_all(&house).await;
    }
    // What is pinned or unpinned meanwhile moves nothing.
    let first = ask(&house, 2, few(5, &pinned(""))).await.unwrap();
    let (room, seq) = *sent.last().unwrap();
    house.pin(2, room, seq, true).await.unwrap();
    house.pin(2, wanted[0].0, wanted[0].1, false).await.unwrap();
    let rest = places(2, Search { before: first.next, ..pinned("") }).await;
    assert_eq!(rest, wanted[5..]);
    wanted[0] = (room, seq);
    assert_eq!(places(2, pinned("")).await, wanted);
    // Who is no more in a room finds nothing of it.
    house.remove(2, rooms[0], 2).await.unwrap();
    wanted.retain(|(room, _)| *room != rooms[0]);
    assert_eq!(places(2, pinned("")).await, wanted);
    house.must_be_sound().await;
}

pub async fn a_sender_is_paged_without_a_gap(house: House) {
    let mut rooms = Vec::new();
    for other in 2..10 {
        rooms.push(house.room(1, Group, Some("g"), &[other, 20]).await.id);
    }
    let mut sent = Vec::new();
    for n in 0..150 {
        house.turn_clock(n % 3);
        let sender = if n % 3 == 0 { 20 } else { 1 };
        let message = house.send(sender, rooms[n as usize * 7 % 8], &n.to_string()).await;
        if sender == 20 {
            sent.push(message.id);
        }
        if n == 100 {
            index_all(&house).await;
        }
    }
    sent.sort();
    for limit in [1, 7, 49, 50, 51] {
        let mut ids: Vec<_> = all_pages(&house, 1, few(limit, &by(20))).await.into_iter().map(|found| found.message.id).collect();
        ids.sort();
        assert_eq!(ids, sent, "limit {limit}");
    }
}

pub async fn a_filter_without_words_looks_at_little(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    house.send(2, room, "long ago").await;
    house.pin(1, room, 1, true).await.unwrap();
    join_all((0..1_500).map(|_| house.try_send(1, room, "noise", None))).await;
    index_all(&house).await;
    for call in [by(2), pinned(""), Search { pinned: true, ..by(2) }, Search { room: Some(room), ..by(2) }] {
        let searched = house.ask(&caller(1), call).await.unwrap();
        assert_eq!((seqs(&searched.page.items), searched.page.next), (vec![1], None));
        assert!(searched.looked_at < 10, "{}", searched.looked_at);
    }
    // Long messages end a page early, as they do with words.
    let long = "ü".repeat(8_000);
    join_all((0..200).map(|_| house.try_send(2, room, &long, None))).await;
    index_all(&house).await;
    let first = ask(&house, 1, few(100, &by(2))).await.unwrap();
    assert!((50..80).contains(&first.items.len()) && first.next.is_some(), "{}", first.items.len());
    assert_eq!(found(&house, 1, few(100, &by(2))).await.len(), 201);
}

pub async fn more_pins_than_are_looked_up_are_found(house: House) {
    let room = house.room(1, Direct, None, &[2]).await.id;
    house.send(1, room, "gold").await;
    let part = i64::from(house.part(room));
    // As if all of them had been pinned, the oldest last. A room takes no more than 100 pins, but there may be many rooms.
    let pin_all = [
        "INSERT INTO log (position, part, room, seq, kind, version, actor, messages, newest, member_count, id, payload, created_at)
            WITH RECURSIVE n(i) AS (SELECT CAST(4 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 8502)
            SELECT i, part, room, i - 2, kind, version, actor, i - 2, i - 2, member_count, id, payload, created_at
            FROM n JOIN log ON kind = 2 AND part = $1 AND seq = 1",
        "INSERT INTO message_state (room, seq, rev, edits, pin_seq, pinned_at, pinned_by)
            SELECT room, seq, seq, 0, 100000 - seq, created_at, actor FROM log WHERE kind = 2 AND part = $1",
    ];
    let run = async |sql: &'static str, number: i64| {
        house.db.write(move |tx| Box::pin(async move { tx.execute(sql, &db::values![number]).await })).await.unwrap();
    };
    for sql in pin_all {
        run(sql, part).await;
    }
    house.send(1, room, "silver").await;
    index_all(&house).await;
    let first = house.ask(&caller(2), few(100, &pinned(""))).await.unwrap();
    assert_eq!(seqs(&first.page.items), (8_401..=8_500).rev().collect::<Vec<_>>());
    assert!(first.looked_at > 8_192, "{}", first.looked_at);
    assert_eq!(found(&house, 2, pinned("silver")).await, Vec::<i64>::new());
    // Once they are fewer, the same cursor goes on where the page ended.
    run("DELETE FROM message_state WHERE seq < $1 AND seq <> 77", 8_000).await;
    let rest = found(&house, 2, Search { before: first.page.next, ..few(100, &pinned("gold")) }).await;
    assert_eq!(rest, (8_000..=8_400).rev().chain([77]).collect::<Vec<_>>());
}
