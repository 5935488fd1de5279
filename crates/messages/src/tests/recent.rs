//! Recent messages: what others sent, the newest of all rooms first, and what looking for them may cost.

use super::house::{House, caller, user};
use contract::RoomKind::{Direct, Group};
use contract::calls::messages::{Recent, Recently};
use contract::{Limit, RoomId};
use db::values;

async fn ask(house: &House, by: u64, from: Option<u64>, days: u16, limit: i64) -> Recently {
    let from = from.map(|number| user(number).username);
    house.ask(&caller(by), Recent { from, days, limit: Limit::try_from(limit).unwrap() }).await.unwrap()
}

async fn bodies(house: &House, by: u64, from: Option<u64>, days: u16, limit: i64) -> Vec<String> {
    ask(house, by, from, days, limit).await.messages.into_iter().map(|message| message.body.into()).collect()
}

/// The room's last message again, so many times: much quicker than to send it.
async fn repeat_last(house: &House, room: RoomId, times: i64) {
    let sql = "INSERT INTO log (position, part, room, seq, kind, version, actor, messages, newest, member_count, id, payload, created_at)
        WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $2)
        SELECT l.position + i, l.part, l.room, l.seq + i, l.kind, l.version, l.actor, l.messages + i, l.newest + i, l.member_count, l.id,
            l.payload, l.created_at
        FROM n JOIN log l ON l.room = $1 AND l.seq = (SELECT MAX(seq) FROM log WHERE room = $1)";
    house.db.write(move |tx| Box::pin(async move { tx.execute(sql, &values![room.bytes(), times]).await })).await.unwrap();
}

pub async fn they_are_those_of_others(house: House) {
    let direct = house.room(1, Direct, None, &[2]).await.id;
    let group = house.room(2, Group, Some("g"), &[3]).await.id;
    house.send(2, direct, "old").await;
    house.turn_clock(3 * 24 * 60 * 60 * 1_000);
    house.send(2, group, "before 1 came").await;
    house.add(2, group, 1).await.unwrap();
    house.send(2, direct, "a").await;
    house.send(1, direct, "own").await;
    house.send(3, group, "b").await;
    house.send(2, group, "c").await;
    assert_eq!(bodies(&house, 1, None, 30, 100).await, ["c", "b", "a", "old"]);
    assert_eq!(bodies(&house, 1, None, 30, 2).await, ["c", "b"]);
    assert_eq!(bodies(&house, 1, None, 1, 100).await, ["c", "b", "a"]);
    assert_eq!(bodies(&house, 1, Some(2), 30, 100).await, ["c", "a", "old"]);
    assert_eq!(bodies(&house, 1, Some(3), 30, 100).await, ["b"]);
    assert_eq!(bodies(&house, 1, Some(1), 30, 100).await, Vec::<String>::new());
}

pub async fn they_are_the_newest_of_all_rooms(house: House) {
    let mut rooms = Vec::new();
    for number in 2..8 {
        rooms.push((number, house.room(number, Direct, None, &[1]).await.id));
    }
    let day = 24 * 60 * 60 * 1_000;
    // (who, whether within the last two days), as they were sent.
    let mut sent: Vec<(String, u64, bool)> = Vec::new();
    for n in 0..240_usize {
        if n == 60 {
            house.turn_clock(2 * day);
        }
        house.turn_clock(1);
        // Some rooms are busy and some nearly quiet, one has long stretches of own messages.
        let (other, room) = rooms[(n * n / 7 + n / 50) % rooms.len()];
        let by = if n % 3 == 0 || (other == 4 && n > 100) { 1 } else { other };
        let body = format!("{n}");
        house.send(by, room, &body).await;
        if by != 1 {
            sent.push((body, by, n >= 60));
        }
    }
    for from in [None, Some(3), Some(4), Some(7)] {
        for days in [1, 30] {
            let wanted = |(_, by, late): &&(String, u64, bool)| from.is_none_or(|from| from == *by) && (*late || days == 30);
            let all: Vec<&str> = sent.iter().rev().filter(wanted).map(|(body, ..)| body.as_str()).collect();
            for limit in [1, 7, 17, 50, 100] {
                let told = bodies(&house, 1, from, days, i64::try_from(limit).unwrap()).await;
                assert_eq!(told, all[..limit.min(all.len())], "from {from:?}, {days} days, {limit}");
            }
        }
    }
}

pub async fn a_call_looks_at_no_more_than_it_pays_for(house: House) {
    let quiet = house.room(1, Direct, None, &[3]).await.id;
    house.send(3, quiet, "older than what is looked at").await;
    house.turn_clock(1);
    let room = house.room(1, Direct, None, &[2]).await.id;
    house.send(2, room, "this, too").await;
    house.turn_clock(1);
    house.send(1, room, "own").await;
    repeat_last(&house, room, 9_000).await;
    house.turn_clock(1);
    house.send(2, room, "new").await;
    // All of it is within the bound yet.
    for from in [None, Some(2)] {
        let told = bodies(&house, 1, from, 3_650, 100).await;
        assert_eq!(told[..2], ["new", "this, too"], "{from:?}");
        assert_eq!(told.len(), if from.is_none() { 3 } else { 2 });
    }
    house.send(1, room, "own").await;
    repeat_last(&house, room, 2_000).await;
    for from in [None, Some(2)] {
        let recently = ask(&house, 1, from, 3_650, 100).await;
        let told: Vec<&str> = recently.messages.iter().map(|message| message.body.as_str()).collect();
        assert_eq!(told, ["new"], "nothing is told that something newer might be missing before");
        assert!((10_000..10_010).contains(&recently.looked_at), "what was passed over is counted: {}", recently.looked_at);
    }
    // Where there is enough to tell, little is looked at.
    for from in [None, Some(1)] {
        let recently = ask(&house, 2, from, 3_650, 100).await;
        assert_eq!(recently.messages.len(), 100);
        assert!((100..300).contains(&recently.looked_at), "{}", recently.looked_at);
    }
    // A sender who is not in a room has none of its rows looked at.
    let recently = ask(&house, 1, Some(3), 3_650, 100).await;
    assert_eq!((recently.messages.len(), recently.looked_at), (1, 4));
}
