//! Search: the same on both engines, and the same whether a message is indexed yet or read from the log.

use super::house::{House, caller, user};
use crate::MIGRATIONS;
use crate::search::index;
use crate::store::{log, search};
use contract::RoomKind::{Channel, Direct, Group};
use contract::calls::messages::{Found, Search};
use contract::{Code, Limit, Page, Refusal, RoomId};
use futures_util::future::join_all;

pub fn search(q: &str) -> Search {
    Search { q: q.to_owned(), ..Search::default() }
}

pub async fn ask(house: &House, by: u64, call: Search) -> Result<Page<Found>, Refusal> {
    house.ask(&caller(by), call).await.map(|searched| searched.page)
}

async fn bodies(house: &House, by: u64, q: &str) -> Vec<String> {
    let page = ask(house, by, search(q)).await.unwrap();
    assert_eq!(page.next, None, "{q}");
    page.items.into_iter().map(|found| found.message.body.as_str().to_owned()).collect()
}

/// Indexes all that there is.
pub async fn index_all(house: &House) {
    index::catch_up(&house.db, 1, |_| {}).await.unwrap();
}

pub fn shown(found: &Found) -> String {
    found.excerpt.iter().map(|piece| if piece.matched { format!("[{}]", piece.text) } else { piece.text.clone() }).collect()
}

pub async fn words_prefixes_and_phrases_are_found(house: House) {
    let room = house.room(1, Direct, None, &[2]).await.id;
    for body in ["Good morning, Zoë", "a MORNING that is good", "Straße 42: crème brûlée", "shell hello help"] {
        house.send(1, room, body).await;
    }
    // First out of the log, then out of the index.
    for _ in 0..2 {
        assert_eq!(bodies(&house, 2, "morning good").await, ["a MORNING that is good", "Good morning, Zoë"], "newest first");
        assert_eq!(bodies(&house, 2, "\"good morning\"").await, ["Good morning, Zoë"]);
        assert_eq!(bodies(&house, 2, "zoe").await, ["Good morning, Zoë"]);
        assert_eq!(bodies(&house, 2, "ZOË").await, ["Good morning, Zoë"]);
        assert_eq!(bodies(&house, 2, "CREME strasse").await, ["Straße 42: crème brûlée"]);
        assert_eq!(bodies(&house, 2, "hel* good").await, Vec::<String>::new());
        let page = ask(&house, 2, search("hel*")).await.unwrap();
        assert_eq!(page.items.iter().map(shown).collect::<Vec<_>>(), ["shell [hello] [help]"]);
        assert_eq!(bodies(&house, 2, "morn").await, Vec::<String>::new(), "a word is whole without a star");
        index_all(&house).await;
    }
}

pub async fn characters_of_chinese_are_found_within(house: House) {
    let room = house.room(1, Direct, None, &[2]).await.id;
    for body in ["我在北京大学读书", "昨日、東京タワーに行った", "안녕하세요 여러분", "看iPhone手机 👍🏽"]
    {
        house.send(1, room, body).await;
    }
    for _ in 0..2 {
        for (q, found) in [
            ("北京", "我在[北京]大学读书"),
            ("京大学", "我在北[京大学]读书"),
            ("书", "我在北京大学读[书]"),
            ("東京 行", "昨日、[東京]タワーに[行]った"),
            ("ﾀﾜｰ", "昨日、東京[タワー]に行った"),
            ("하세요 여러", "안녕[하세요] [여러]분"),
            ("iphone手机", "看[iPhone手机] 👍🏽"),
            ("👍", "看iPhone手机 [👍🏽]"),
        ] {
            let page = ask(&house, 2, search(q)).await.unwrap();
            assert_eq!(page.items.iter().map(shown).collect::<Vec<_>>(), [found], "{q}");
        }
        assert_eq!(bodies(&house, 2, "北大").await, Vec::<String>::new());
        index_all(&house).await;
    }
}

pub async fn only_rooms_that_one_is_in_are_searched(house: House) {
    let pair = house.room(1, Direct, None, &[2]).await.id;
    let group = house.room(1, Group, Some("g"), &[3]).await.id;
    let channel = house.room(4, Channel, Some("c"), &[]).await.id;
    for (by, room) in [(1, pair), (1, group), (4, channel)] {
        house.send(by, room, "secret").await;
    }
    let rooms = async |by, room: Option<RoomId>, from: Option<u64>| {
        let call = Search { room, from: from.map(|from| user(from).username), ..search("secret") };
        let found = ask(&house, by, call).await.map_err(|refusal| (refusal.code, refusal.field))?;
        Ok::<_, (Code, Option<String>)>(found.items.into_iter().map(|found| found.message.room).collect::<Vec<_>>())
    };
    for _ in 0..2 {
        let mut both = rooms(1, None, None).await.unwrap();
        both.sort();
        assert_eq!(both, [pair, group]);
        assert_eq!(rooms(2, None, None).await, Ok(vec![pair]));
        assert_eq!(rooms(5, None, None).await, Ok(vec![]));
        assert_eq!(rooms(1, Some(group), None).await, Ok(vec![group]));
        assert_eq!(rooms(2, None, Some(1)).await, Ok(vec![pair]));
        assert_eq!(rooms(2, None, Some(2)).await, Ok(vec![]));
        assert_eq!(rooms(2, Some(group), None).await.unwrap_err().0, Code::NotFound);
        assert_eq!(rooms(2, Some(channel), None).await.unwrap_err().0, Code::Forbidden);
        assert_eq!(rooms(2, Some(RoomId::from_bytes([7; 16])), None).await.unwrap_err().0, Code::NotFound);
        let call = Search { from: Some("nobody".try_into().unwrap()), ..search("secret") };
        let refused = ask(&house, 1, call).await.unwrap_err();
        assert_eq!((refused.code, refused.field.as_deref()), (Code::NotFound, Some("from")));
        index_all(&house).await;
    }
    // Who joins reads the whole history; who has left reads nothing.
    house.add(5, channel, 5).await.unwrap();
    assert_eq!(rooms(5, None, None).await, Ok(vec![channel]));
    house.remove(5, channel, 5).await.unwrap();
    assert_eq!(rooms(5, None, None).await, Ok(vec![]));
    // The nonce is its sender's alone.
    house.try_send(1, pair, "hidden", Some("n")).await.unwrap();
    for (by, nonce) in [(1, true), (2, false)] {
        assert_eq!(ask(&house, by, search("hidden")).await.unwrap().items[0].message.nonce.is_some(), nonce);
    }
}

/// All pages of a search from its `before` on, newest first.
pub async fn all_pages(house: &House, by: u64, call: Search) -> Vec<Found> {
    let (mut found, mut before): (Vec<Found>, _) = (Vec::new(), call.before.clone());
    for _ in 0..1_000 {
        let page = ask(house, by, Search { before, ..call.clone() }).await.unwrap();
        assert!(page.items.len() <= call.limit.get());
        found.extend(page.items);
        before = page.next;
        if before.is_none() {
            assert!(found.is_sorted_by(|a, b| a.message.created_at >= b.message.created_at), "newest first");
            return found;
        }
    }
    panic!("no end after 1,000 pages");
}

pub async fn what_is_no_place_is_refused(house: House) {
    let room = house.room(1, Group, None, &[2]).await.id;
    // So many that a word in hexadecimal is a position that there is.
    for number in 0..300 {
        house.send(1, room, &format!("hello {number}")).await;
    }
    for before in ["abc", "1", "ff", "1-1-1-1", "0", "-1", "", " ", "null", "undefined", "2026-11-28", "ÿ", &room.to_string()] {
        let refusal = ask(&house, 2, Search { before: Some(before.to_owned()), ..search("hello") }).await.unwrap_err();
        assert_eq!((refusal.code, refusal.field.as_deref()), (Code::InvalidRequest, Some("before")), "{before}");
    }
    let few = |before| Search { before, limit: Limit::try_from(7).unwrap(), ..search("hello") };
    let (mut before, mut found) = (None, 0);
    loop {
        let page = ask(&house, 2, few(before)).await.unwrap();
        found += page.items.len();
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(found, 300, "what was given out is taken");
}

pub async fn pages_leave_no_gap(house: House) {
    let mut rooms = Vec::new();
    for other in 2..10 {
        rooms.push(house.room(1, Direct, None, &[other]).await.id);
    }
    let mut sent = Vec::new();
    for n in 0..150 {
        house.turn_clock(n % 3);
        let body = if n % 2 == 0 { "even" } else { "odd" };
        let message = house.send(1, rooms[n as usize * 7 % 8], &format!("{body} number {n}")).await;
        if n % 2 == 0 {
            sent.push(message.id);
        }
        if n == 100 {
            index_all(&house).await;
        }
    }
    sent.sort();
    for limit in [1, 7, 74, 75, 76] {
        let call = Search { limit: Limit::try_from(limit).unwrap(), ..search("even") };
        let mut ids: Vec<_> = all_pages(&house, 1, call).await.into_iter().map(|found| found.message.id).collect();
        ids.sort();
        assert_eq!(ids, sent, "limit {limit}");
    }
    // What comes meanwhile moves nothing.
    let call = Search { limit: Limit::try_from(50).unwrap(), ..search("even") };
    let first = ask(&house, 1, call.clone()).await.unwrap();
    house.send(1, rooms[0], "even later").await;
    let second = ask(&house, 1, Search { before: first.next, ..call }).await.unwrap();
    assert_eq!((first.items.len(), second.items.len(), second.next), (50, 25, None));
    // One room alone.
    let call = Search { room: Some(rooms[0]), limit: Limit::try_from(3).unwrap(), ..search("number") };
    assert_eq!(all_pages(&house, 1, call).await.len(), 19);
}

pub async fn what_is_acknowledged_is_found_however_much_is_indexed(house: House) {
    let room = house.room(1, Direct, None, &[2]).await.id;
    let other = house.room(3, Direct, None, &[4]).await.id;
    for round in 0..6 {
        join_all((0..150).map(|n| house.try_send(3, other, if n % 2 == 0 { "noise" } else { "needle in noise" }, None))).await;
        house.send(1, room, &format!("needle{round}")).await;
        assert_eq!(bodies(&house, 2, &format!("needle{round}")).await.len(), 1, "round {round}");
        assert_eq!(bodies(&house, 2, "needle*").await.len(), round + 1);
    }
    let part = house.part(other);
    let marks = house
        .db
        .read(move |tx| Box::pin(async move { Ok((search::indexed(tx, part).await?, log::end(tx, part).await?.0)) }))
        .await
        .unwrap();
    assert!(marks.0 > 0 && marks.1 - marks.0 < 2_000, "appends have indexed: {marks:?}");
    house.must_be_sound().await;
}

pub async fn the_index_and_the_log_find_the_same(house: House) {
    let room = house.room(1, Direct, None, &[2]).await.id;
    let words = ["über", "北京", "x", "42", "naïve", "Ω", "👍", "don't", "foo-bar", "longer"];
    // A generator of its own, so that every run is the same.
    let mut state = 7_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..200 {
        let body: Vec<_> = (0..=next(5)).map(|_| words[next(words.len())]).collect();
        house.send(1, room, &body.join(if next(3) == 0 { "" } else { " " })).await;
    }
    let queries: Vec<String> = (0..60)
        .map(|_| match next(4) {
            0 => words[next(words.len())].to_owned(),
            1 => format!("{} {}", words[next(words.len())], words[next(words.len())]),
            2 => format!("\"{} {}\"", words[next(words.len())], words[next(words.len())]),
            _ => format!("{}*", ["na", "lon", "foo", "ub", "北", "do"][next(6)]),
        })
        .collect();
    let mut answers = Vec::new();
    for _ in 0..2 {
        let mut these = Vec::new();
        for q in &queries {
            let found = all_pages(&house, 2, Search { limit: Limit::try_from(9).unwrap(), ..search(q) }).await;
            these.push(found.into_iter().map(|found| found.message.seq).collect::<Vec<_>>());
        }
        answers.push(these);
        index_all(&house).await;
    }
    assert!(answers[0].iter().filter(|found| !found.is_empty()).count() > 30, "the queries find something");
    for ((q, log), index) in queries.iter().zip(&answers[0]).zip(&answers[1]) {
        assert_eq!(log, index, "{q}");
    }
}

pub async fn whoever_is_in_many_rooms_finds_the_same(house: House) {
    // More than are named to the index, among messages of others.
    let mut sent = 0;
    for n in 0..140 {
        let room = house.room(1, Group, Some("many"), &[2]).await.id;
        if n % 10 == 0 {
            house.send(1, room, &format!("theory {n} zebra{n}")).await;
            sent += 1;
        }
    }
    let others = house.room(3, Direct, None, &[4]).await.id;
    join_all((0..1_500).map(|_| house.try_send(3, others, "theory of others", None))).await;
    for _ in 0..2 {
        for (q, found) in [("theory", sent), ("th*", sent), ("theor* ze*", sent), ("zebra130", 1), ("zx*", 0), ("\"theory of\"", 0)] {
            for limit in [3, 100] {
                let call = Search { limit: Limit::try_from(limit).unwrap(), ..search(q) };
                assert_eq!(all_pages(&house, 2, call).await.len(), found, "{q}, {limit} at a time");
            }
        }
        let call = Search { from: Some(user(4).username), ..search("th*") };
        assert_eq!(all_pages(&house, 4, call).await.len(), 0);
        index_all(&house).await;
    }
}

pub async fn no_text_breaks_the_query(house: House) {
    let room = house.room(1, Direct, None, &[2]).await.id;
    house.send(1, room, "it's \"quoted\" (x) OR y* : a\\b 'c' & | ! <-> NEAR").await;
    let long = format!("{} end", "w".repeat(7_996));
    house.send(1, room, &long).await;
    house.send(1, room, &"長".repeat(8_000)).await;
    index_all(&house).await;
    for q in [
        "\"quoted\"",
        "(x)",
        "OR",
        "AND OR",
        "y *",
        "it's",
        "a\\b",
        "'c'",
        "c & x",
        "!c",
        "x <-> y",
        "NEAR(x y)",
        "tokens:x",
        "^it",
        "x\0y",
        "-x",
        "{x}",
    ] {
        let found = ask(&house, 2, search(q)).await;
        assert!(found.is_ok(), "{q}: {found:?}");
    }
    assert_eq!(bodies(&house, 2, "x OR NEAR").await.len(), 1, "no word is an operator");
    assert_eq!(bodies(&house, 2, "end").await, [long]);
    assert_eq!(bodies(&house, 2, &"長".repeat(500)).await.len(), 1);
    assert_eq!(bodies(&house, 2, &"w".repeat(64)).await.len(), 0, "a cut word is compared whole");
    assert_eq!(bodies(&house, 2, &format!("{}*", "w".repeat(100))).await.len(), 1);
    for q in ["", " ", "\"\"", "*", "()", "\0", "%_", "a*", &"x".repeat(501), &"\"".repeat(8_000)] {
        let refused = ask(&house, 2, search(q)).await.unwrap_err();
        assert_eq!((refused.code, refused.field.as_deref()), (Code::InvalidRequest, Some("q")), "{q:?}");
    }
    for before in ["", "x", "-1", "1-2-3-4-5", "99999999999999999999"] {
        let refused = ask(&house, 2, Search { before: Some(before.to_owned()), ..search("x") }).await.unwrap_err();
        assert_eq!((refused.code, refused.field.as_deref()), (Code::InvalidRequest, Some("before")), "{before:?}");
    }
}

pub async fn what_was_there_before_is_indexed(house: House) {
    let room = house.room(1, Direct, None, &[2]).await.id;
    house.send(1, room, "old gold").await;
    // As a database is that was written by a version without search.
    let part = i64::from(house.part(room));
    house
        .db
        .write(move |tx| {
            Box::pin(async move {
                let sql = "INSERT INTO log (position, part, room, seq, kind, version, actor, messages, newest, member_count, id, payload, created_at)
                    WITH RECURSIVE n(i) AS (SELECT CAST(4 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 9000)
                    SELECT i, part, room, i - 2, kind, version, actor, i - 2, i - 2, member_count, id, payload, created_at
                    FROM n JOIN log ON kind = 2 AND part = $1 AND seq = 1";
                tx.execute(sql, &db::values![part]).await
            })
        })
        .await
        .unwrap();
    // Too much to read in one page, but it is all there, the newest first.
    house.send(1, room, "new gold").await;
    let call = Search { limit: Limit::MOST, ..search("gold") };
    for _ in 0..2 {
        let first = ask(&house, 2, call.clone()).await.unwrap();
        assert_eq!(first.items[0].message.body.as_str(), "new gold");
        assert_eq!(all_pages(&house, 2, call.clone()).await.len(), 8_999);
        assert_eq!(all_pages(&house, 2, search("silver")).await.len(), 0);
        index_all(&house).await;
    }
}

pub async fn an_index_by_older_rules_is_made_anew(house: House) {
    let room = house.room(1, Direct, None, &[2]).await.id;
    house.send(1, room, "ฟังวิทยุ TensorFlow™").await;
    index_all(&house).await;
    // As the version before leaves it: everything is indexed, by its rules.
    let [_, _, words, anew, ..] = MIGRATIONS.steps else { panic!("steps") };
    let (part, is_shared) = (i64::from(house.part(room)), house.db.engine() == db::Engine::Postgres);
    let run = async |sql: &'static str| {
        for statement in sql.split(';').filter(|statement| !statement.trim().is_empty()) {
            house.db.write(move |tx| Box::pin(async move { tx.execute(statement, &[]).await })).await.unwrap();
        }
    };
    run("DROP TABLE words_2; DROP TABLE indexed_2").await;
    if is_shared {
        run("INSERT INTO words SELECT part, position, to_tsvector('simple', 'tensorflowtm') FROM log WHERE kind = 2").await;
    } else {
        run(words.sqlite).await;
        run("INSERT INTO words (rowid, tokens) SELECT position, 'tensorflowtm' FROM log WHERE kind = 2").await;
    }
    run("INSERT INTO indexed SELECT part, MAX(position) FROM log GROUP BY part").await;
    run(if is_shared { anew.postgres } else { anew.sqlite }).await;
    for _ in 0..2 {
        assert_eq!(bodies(&house, 2, "วิทยุ tensorflow").await.len(), 1);
        index_all(&house).await;
    }
    let marks = house.db.read(move |tx| Box::pin(async move { search::indexed(tx, u16::try_from(part).unwrap()).await })).await.unwrap();
    assert!(marks > 0, "by the new rules");
    if is_shared {
        // A server of the version before goes on writing what it knows, and nobody here takes it for the new.
        run("INSERT INTO words SELECT part, position, to_tsvector('simple', 'nonsense') FROM log WHERE kind = 2").await;
        run("UPDATE indexed SET position = position + 1").await;
        house.send(1, room, "วิทยุ").await;
        assert_eq!(bodies(&house, 2, "nonsense").await.len(), 0);
        assert_eq!(bodies(&house, 2, "วิทยุ").await.len(), 2);
    }
    house.must_be_sound().await;
}

pub async fn what_is_nearly_the_query_ends_a_page_early_and_is_paid_for(house: House) {
    let room = house.room(1, Direct, None, &[2]).await.id;
    let q = format!("{}京", "北".repeat(499));
    house.send(1, room, &format!("{q} to be found")).await;
    for _ in 0..2 {
        house.send(1, room, &format!("{} 北京", "北".repeat(3_000))).await;
    }
    for _ in 0..2 {
        // One of those messages takes as long as thousands of others.
        let first = house.ask(&caller(2), search(&q)).await.unwrap();
        assert!(first.page.next.is_some() && first.page.items.is_empty());
        assert!(first.looked_at > 2_048, "{}", first.looked_at);
        assert_eq!(all_pages(&house, 2, search(&q)).await.len(), 1, "there is no gap");
        // Ordinary words in the same messages cost what their length does.
        let ordinary = house.ask(&caller(2), search("北京")).await.unwrap();
        assert_eq!((ordinary.page.items.len(), ordinary.page.next), (3, None));
        assert!(ordinary.looked_at < 50, "{}", ordinary.looked_at);
        index_all(&house).await;
    }
}
