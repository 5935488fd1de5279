//! Large rooms, in which changes of reactions are told together.

use super::house::{House, caller, unlimited};
use super::missed::brief;
use crate::{Messages, Settings};
use contract::RoomKind::Group;
use contract::calls::messages as calls;
use contract::log::{Batch, Event, ReactionsChanged};
use contract::{Limit, RoomId};
use db::values;
use futures_util::future::{BoxFuture, join_all};
use std::time::Duration;

/// A group of users 1 to `members`, with a message of the first.
async fn group(house: House, members: u64) -> (House, RoomId) {
    let house = house.with(Settings { room_usernames: 0, ..unlimited() });
    let others: Vec<u64> = (2..=members).collect();
    let room = house.room(1, Group, Some("g"), &others).await.id;
    house.send(1, room, "x").await;
    (house, room)
}

impl House {
    /// Lets time pass, and tells what is due then.
    async fn tell_after(&self, ms: i64) -> Option<Duration> {
        self.turn_clock(ms);
        self.messages.tell_reactions().await.unwrap()
    }

    /// The changes of reactions that a room's log tells, as `seq ref: counts`, with a star for one that says who did what. The counts are those
    /// of now.
    async fn told(&self, room: RoomId) -> Vec<String> {
        let call = calls::RoomEvents { room, after: 0, limit: 500 };
        let page = self.ask(&caller(1), call).await.unwrap();
        page.items
            .into_iter()
            .filter_map(|event| if let Event::ReactionsChanged(changed) = event { Some(shown(&changed)) } else { None })
            .collect()
    }

    /// Who has reacted to the first message, in their order, read in pages.
    async fn reactors(&self, room: RoomId, emoji: &str, page: i64) -> Vec<String> {
        let (mut all, mut after, mut last) = (Vec::new(), None, None);
        loop {
            let limit = Limit::try_from(page).unwrap();
            let call = calls::Reactors { room, seq: 1, emoji: emoji.try_into().unwrap(), after, limit };
            let page = self.ask(&caller(1), call).await.unwrap();
            for reactor in page.items {
                assert!(last <= Some(reactor.created_at), "the oldest come first");
                last = Some(reactor.created_at);
                all.push(reactor.username.to_string());
            }
            after = page.next;
            if after.is_none() {
                return all;
            }
        }
    }

    async fn rows_that_wait(&self) -> Option<i64> {
        let sql = "SELECT COUNT(*) FROM untold_reactions";
        self.db.read(move |tx| Box::pin(async move { tx.row(sql, &[], |row| row.int(0)).await })).await.unwrap()
    }
}

fn shown(changed: &ReactionsChanged) -> String {
    let counts: Vec<String> = changed.reactions.iter().map(|reaction| format!("{}{}", reaction.emoji, reaction.count)).collect();
    let star = if changed.change.is_some() { "*" } else { "" };
    format!("{} {}: {}{star}", changed.seq, changed.ref_seq, counts.join(" "))
}

pub async fn many_reactions_at_once_are_told_in_one_row(house: House) {
    let (house, room) = group(house, 1_001).await;
    let reacted = join_all((1..=300).map(|by| house.react(by, room, 1, "👍", true))).await;
    assert!(reacted.iter().all(Result::is_ok));
    // On disk, and in every answer; the log tells nothing yet.
    let message = house.message(1, room, 1).await.unwrap();
    assert_eq!((message.rev, message.reactions[0].count, message.reactions[0].mine), (1, 300, Some(true)));
    assert_eq!(house.see(1, room).await.unwrap().head, 1);
    house.must_be_sound().await;
    // The same again changes nothing.
    house.react(7, room, 1, "👍", true).await.unwrap();
    assert_eq!(house.tell_after(999).await, Some(Duration::from_millis(1)));
    assert!(house.told(room).await.is_empty());
    assert_eq!(house.tell_after(1).await, None);
    assert_eq!(house.told(room).await, ["2 1: 👍300"]);
    assert_eq!(house.message(1, room, 1).await.unwrap().rev, 2);
    house.must_be_sound().await;
    // Each has a place, however many have one time.
    let all = house.reactors(room, "👍", 7).await;
    let mut each = all.clone();
    each.sort_unstable();
    each.dedup();
    assert_eq!((all.len(), each.len()), (300, 300));
    let first: Vec<String> = message.reactions[0].usernames.iter().map(ToString::to_string).collect();
    assert_eq!(first, all[..5]);
    // Two of those who are named go, and the next ones are named.
    let number = |name: &String| name[1..].parse().unwrap();
    house.react(number(&all[1]), room, 1, "👍", false).await.unwrap();
    let left = house.react(number(&all[3]), room, 1, "👍", false).await.unwrap();
    assert_eq!(left, [format!("👍 298 {},{},{},{},{}", all[0], all[2], all[4], all[5], all[6])]);
    house.react(number(&all[1]), room, 1, "👍", true).await.unwrap();
    assert_eq!(house.reactors(room, "👍", 50).await.last(), Some(&all[1]), "who comes back is the last");
    house.must_be_sound().await;
    house.tell_after(1_000).await;
    assert_eq!(house.told(room).await, ["2 1: 👍299", "3 1: 👍299"]);
    house.must_be_sound().await;
}

pub async fn the_last_change_is_always_told(house: House) {
    let (house, room) = group(house, 1_001).await;
    house.send(1, room, "y").await;
    let start = house.cursor().await;
    house.react(2, room, 1, "👍", true).await.unwrap();
    house.tell_after(1_000).await;
    // The next one within the same second waits for the next telling; other messages do not.
    house.turn_clock(10);
    house.react(3, room, 1, "👍", true).await.unwrap();
    house.turn_clock(500);
    house.react(3, room, 2, "❤", true).await.unwrap();
    assert_eq!(house.tell_after(499).await, Some(Duration::from_millis(1)));
    assert_eq!(house.tell_after(1).await, Some(Duration::from_millis(500)));
    assert_eq!(house.told(room).await, ["3 1: 👍2", "4 1: 👍2"]);
    assert_eq!(house.tell_after(500).await, None);
    assert_eq!(house.told(room).await.last().unwrap(), "5 2: ❤1");
    // What was given and taken back within the second has been seen by who asked, so it is told that it is as before.
    house.react(4, room, 1, "👍", true).await.unwrap();
    house.react(3, room, 2, "❤", false).await.unwrap();
    assert_eq!(house.react(4, room, 1, "👍", false).await.unwrap(), ["👍 2 u2,u3"]);
    assert_eq!(house.tell_after(1_000).await, None);
    let told = house.told(room).await;
    assert_eq!(told.len(), 5);
    assert!(told.contains(&"5 2: ".to_owned()), "{told:?}");
    house.must_be_sound().await;
    // An edit and a pin between leave the telling to come.
    house.react(5, room, 1, "👍", true).await.unwrap();
    assert_eq!(house.edit(1, room, 1, "z").await.unwrap().rev, 8);
    house.pin(1, room, 1, true).await.unwrap();
    house.must_be_sound().await;
    assert_eq!(house.tell_after(1_000).await, None);
    assert_eq!(house.message(1, room, 1).await.unwrap().rev, 10);
    assert_eq!(house.told(room).await.last().unwrap(), "10 1: 👍3");
    assert_eq!(house.tell_after(5_000).await, None);
    assert_eq!(house.see(1, room).await.unwrap().head, 10, "nothing is told twice");
    // Who was away hears of all, without a gap.
    let missed: Vec<String> = house.missed(900, &start, 50).await.iter().map(brief).collect();
    let seqs: Vec<&str> = missed.iter().filter_map(|event| event.split(' ').next()).collect();
    assert_eq!(seqs, ["3", "4", "5", "6", "7", "8", "9", "10"], "{missed:?}");
    house.must_be_sound().await;
}

pub async fn a_crash_between_two_tellings_loses_none(house: House) {
    let (house, room) = group(house, 1_001).await;
    house.react(2, room, 1, "👍", true).await.unwrap();
    house.tell_after(1_000).await;
    house.react(3, room, 1, "👍", true).await.unwrap();
    house.send(1, room, "later").await;
    let cursor = house.cursor().await;
    house.messages.close().await;
    let next = house.with(unlimited());
    drop(house);
    next.must_be_sound().await;
    next.turn_clock(1_000);
    // The new server tells it at its start.
    let mut hints = next.bus.subscribe::<Batch>();
    let telling = tokio::spawn(Messages::keep_telling(&next.messages));
    let mut hear = async |wanted: &str| {
        let hearing = async {
            loop {
                let Some(bus::Heard::Hint(batch)) = hints.next().await else { panic!("a hint was missed") };
                let told = batch.entries.iter().find_map(|entry| match &entry.event {
                    Event::ReactionsChanged(changed) => Some(shown(changed)),
                    _ => None,
                });
                if told.as_deref() == Some(wanted) {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), hearing).await.unwrap()
    };
    hear("4 1: 👍2").await;
    // A cursor from before the crash, past a later message, does not cover it.
    let missed: Vec<String> = next.missed(5, &cursor, 50).await.iter().map(brief).collect();
    assert_eq!(missed, ["4 reacts to 1: 👍2"]);
    // From here on it tells what it holds back itself.
    next.react(4, room, 1, "👍", true).await.unwrap();
    next.turn_clock(1_000);
    hear("5 1: 👍3").await;
    telling.abort();
    next.must_be_sound().await;
    assert_eq!(next.rows_that_wait().await, Some(0));
}

pub async fn a_room_of_a_thousand_tells_each(house: House) {
    let (house, room) = group(house, 1_000).await;
    house.react(2, room, 1, "👍", true).await.unwrap();
    house.react(3, room, 1, "👍", true).await.unwrap();
    assert_eq!(house.told(room).await, ["2 1: 👍2*", "3 1: 👍2*"]);
    assert_eq!((house.tell_after(1_000).await, house.rows_that_wait().await), (None, Some(0)));
    // With one member more, changes wait, also those of what was told before.
    house.add(1, room, 1_001).await.unwrap();
    assert_eq!(house.react(2, room, 1, "👍", false).await.unwrap(), ["👍 1 u3"]);
    house.react(5, room, 1, "👍", true).await.unwrap();
    house.must_be_sound().await;
    house.tell_after(1_000).await;
    assert_eq!(house.told(room).await.last().unwrap(), "5 1: 👍2");
    house.react(6, room, 1, "👍", true).await.unwrap();
    // With one member less, each is told again. What waited before is told all the same.
    house.remove(1_001, room, 1_001).await.unwrap();
    house.react(7, room, 1, "👍", true).await.unwrap();
    house.react(3, room, 1, "👍", false).await.unwrap();
    house.must_be_sound().await;
    house.tell_after(1_000).await;
    assert_eq!(house.told(room).await[3..], ["7 1: 👍3*", "8 1: 👍3*", "9 1: 👍3"]);
    assert_eq!(house.reactors(room, "👍", 1).await, ["u5", "u6", "u7"]);
    house.react(2, room, 1, "👍", true).await.unwrap();
    house.must_be_sound().await;
}

pub async fn a_deletion_is_told_in_place_of_what_waits(house: House) {
    let (house, room) = group(house, 1_001).await;
    for body in ["y", "z"] {
        house.send(1, room, body).await;
    }
    for seq in 1..=3 {
        house.react(2, room, seq, "👍", true).await.unwrap();
    }
    house.delete(1, room, 1).await.unwrap();
    assert_eq!(house.rows_that_wait().await, Some(2));
    house.must_be_sound().await;
    // In one batch as well.
    let (reacted, deleted) = tokio::join!(house.react(3, room, 2, "👍", true), house.delete(1, room, 2));
    assert!(reacted.is_ok() && deleted.is_ok());
    assert_eq!(house.rows_that_wait().await, Some(1));
    house.must_be_sound().await;
    assert_eq!(house.tell_after(1_000).await, None);
    assert_eq!(house.told(room).await, ["6 3: 👍1"]);
    // What was told of it before goes with it.
    house.delete(1, room, 3).await.unwrap();
    assert_eq!(house.told(room).await, ["6 3: "]);
    house.must_be_sound().await;
}

pub async fn two_servers_tell_it_once(house: House) {
    if house.db.engine() == db::Engine::Sqlite {
        return;
    }
    let (house, room) = group(house, 1_001).await;
    let other = House::on(house.db.clone());
    for (round, seq) in (2..=4).enumerate() {
        let by = 10 * u64::try_from(round).unwrap();
        join_all((1..=5).map(|n| house.react(by + n, room, 1, "👍", true))).await;
        join_all((6..=10).map(|n| other.react(by + n, room, 1, "👍", true))).await;
        assert_eq!(house.rows_that_wait().await, Some(1));
        house.turn_clock(1_000);
        other.turn_clock(1_000);
        let (here, there) = tokio::join!(house.messages.tell_reactions(), other.messages.tell_reactions());
        assert!(here.is_ok() && there.is_ok());
        assert_eq!(house.see(1, room).await.unwrap().head, seq);
    }
    assert_eq!(house.message(1, room, 1).await.unwrap().reactions[0].count, 30);
    house.must_be_sound().await;
}

/// Many changes at once and tellings between them; the whole is computed again from the log after each round.
pub async fn random_changes_of_a_large_room_are_sound(house: House) {
    let (house, room) = group(house, 1_001).await;
    let mut state = 11_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for round in 0..10 {
        let mut all: Vec<BoxFuture<'_, ()>> = Vec::new();
        for n in 0..40 {
            let (by, seq) = (1 + random(9), 1 + random(12) as i64);
            let house = &house;
            let emoji = ["👍", "❤"][usize::try_from(random(2)).unwrap()];
            let on = random(3) > 0;
            all.push(match random(12) {
                0 => Box::pin(async move { _ = house.try_send(by, room, &format!("said {n}"), None).await }),
                1 => Box::pin(async move { _ = house.edit(by, room, seq, &format!("edited {n}")).await }),
                2 => Box::pin(async move { _ = house.delete(by, room, seq).await }),
                3 => Box::pin(async move { _ = house.pin(by, room, seq, on).await }),
                4 => Box::pin(async move { _ = house.messages.tell_reactions().await }),
                // It becomes large and small in turn.
                5 if on => Box::pin(async move { _ = house.add(1, room, 1_001).await }),
                5 => Box::pin(async move { _ = house.remove(1_001, room, 1_001).await }),
                _ => Box::pin(async move { _ = house.react(by, room, seq, emoji, on).await }),
            });
        }
        join_all(all).await;
        house.must_be_sound().await;
        house.turn_clock(300 * round);
    }
    house.tell_after(1_000).await;
    assert_eq!(house.rows_that_wait().await, Some(0));
    house.must_be_sound().await;
}

pub async fn the_check_finds_what_is_told_by_nothing(house: House) {
    let (house, room) = group(house, 1_001).await;
    house.send(1, room, "y").await;
    house.react(2, room, 1, "👍", true).await.unwrap();
    house.tell_after(1_000).await;
    house.react(3, room, 1, "👍", true).await.unwrap();
    house.react(3, room, 2, "👍", true).await.unwrap();
    house.must_be_sound().await;
    let breakages = [
        ("DELETE FROM untold_reactions WHERE seq = 1", "told by a later one, or waits"),
        ("DELETE FROM untold_reactions WHERE seq = 2", "rev is that of its newest"),
        ("UPDATE untold_reactions SET seq = 3 WHERE seq = 1", "told by a later one, or waits"),
        ("DELETE FROM reactions WHERE at_seq = 2", "reactions are counted"),
        ("UPDATE reactions SET at_place = 0", "reactions are what the log says"),
        ("UPDATE message_state SET rev = 3 WHERE seq = 2", "rev is that of its newest"),
    ];
    for (sql, rule) in breakages {
        let outcome = house
            .db
            .write::<(), _>(move |tx| {
                Box::pin(async move {
                    tx.execute(sql, &values![]).await?;
                    let report = crate::check::inside(tx, false).await?;
                    // Undone: the next breakage starts from a sound database.
                    Err(db::Error::Conflict(report.problems.join("\n")))
                })
            })
            .await;
        let Err(db::Error::Conflict(problems)) = outcome else { panic!("{sql}: {outcome:?}") };
        assert!(problems.contains(rule), "{sql}: {problems:?}");
    }
    house.must_be_sound().await;
}
