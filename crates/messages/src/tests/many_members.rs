//! Making several users members at once.

use super::house::{House, caller, unlimited, user};
use super::missed::brief;
use crate::Settings;
use bus::Heard;
use contract::RoomKind::{Channel, Direct, Group};
use contract::calls::messages as calls;
use contract::log::Batch;
use contract::{Code, Refusal, RoomId, Username};
use db::Engine;

fn code<T>(outcome: Result<T, Refusal>) -> (Code, Option<String>) {
    let Err(refusal) = outcome else { panic!("it was done") };
    (refusal.code, refusal.field)
}

fn about_usernames(code: Code) -> (Code, Option<String>) {
    (code, Some("usernames".to_owned()))
}

impl House {
    async fn add_many(&self, by: u64, room: RoomId, others: impl IntoIterator<Item = u64>) -> Result<(), Refusal> {
        self.add_named(by, room, others.into_iter().map(|number| user(number).username).collect()).await
    }

    async fn add_named(&self, by: u64, room: RoomId, usernames: Vec<Username>) -> Result<(), Refusal> {
        self.ask(&caller(by), calls::AddMembers { room, usernames }).await
    }

    async fn head(&self, by: u64, room: RoomId) -> (i64, i64) {
        let room = self.see(by, room).await.unwrap();
        (room.head, room.member_count)
    }
}

pub async fn a_hundred_join_in_one_transaction(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    house.send(1, room, "before").await;
    let start = house.cursor().await;
    let (writes, statements) = (house.db.trips().writes, house.db.statements());
    // In the order given, and not in that of names or ids.
    let order: Vec<u64> = (3..103).rev().collect();
    let (mut hints, end) = (house.bus.subscribe::<Batch>(), start.positions[usize::from(house.part(room))]);
    house.add_many(2, room, order.clone()).await.unwrap();
    let (writes, statements) = (house.db.trips().writes - writes, house.db.statements() - statements);
    let batch = loop {
        let Some(Heard::Hint(batch)) = hints.next().await else { panic!("a hint was missed") };
        if batch.last > end {
            break batch;
        }
    };
    assert_eq!(batch.entries.len(), 200, "one commit holds all of them");
    assert_eq!(house.head(1, room).await, (101, 102));
    let told: Vec<String> = house.missed(1, &start, 200).await.iter().map(brief).collect();
    let expected: Vec<String> = (2..).zip(&order).map(|(seq, number)| format!("{seq} u{number} joined")).collect();
    assert_eq!(told, expected);
    let first: Vec<String> = house.missed(102, &start, 2).await.iter().take(2).map(brief).collect();
    assert_eq!(first, ["room for u102", "2 u102 joined"]);
    match house.db.engine() {
        // The lock, the partition's end, members, rows of the log, intervals, members, the room; and rooms and heads, if another server has written.
        Engine::Postgres => assert!(writes <= 12, "{writes}"),
        // A look at each, two rows of the log, an interval and a member; and what the hint tells.
        Engine::Sqlite => assert!(statements <= 6 * 100 + 50, "{statements}"),
    }
    // Who is in already is fine, and nobody is told.
    house.add_many(1, room, order.clone()).await.unwrap();
    house.add_many(3, room, [1, 2, 3]).await.unwrap();
    house.add_many(3, room, []).await.unwrap();
    assert_eq!(house.head(1, room).await, (101, 102));
    // A name that stands twice is one member.
    house.add_many(1, room, [200, 3, 201, 200, 1]).await.unwrap();
    assert_eq!(house.head(201, room).await, (103, 104));
    house.must_be_sound().await;
}

pub async fn many_at_once_are_all_or_none(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let with_unknown = || vec![user(3).username, "nobody".try_into().unwrap(), user(4).username, "no-one".try_into().unwrap()];
    let refusal = house.add_named(1, room, with_unknown()).await.unwrap_err();
    assert_eq!((refusal.code, refusal.field.as_deref()), (Code::NotFound, Some("usernames")));
    assert!(refusal.detail.contains("nobody, no-one"), "{}", refusal.detail);
    assert_eq!(code(house.add_many(1, room, 3..104).await), about_usernames(Code::InvalidRequest));
    // A stranger learns nothing of the room, nor of who there is.
    let stranger = code(house.add_many(3, room, [4]).await);
    assert_eq!(stranger, code(house.add(3, room, 4).await));
    assert_eq!(code(house.add_named(3, room, with_unknown()).await), stranger);
    assert_eq!(code(house.add_many(3, room, []).await), stranger);
    assert_eq!(code(house.add_many(1, RoomId::new(), [3]).await), stranger);
    assert_eq!(house.head(1, room).await, (0, 2));

    let direct = house.room(1, Direct, None, &[2]).await.id;
    assert_eq!(code(house.add_many(1, direct, [3]).await), code(house.add(1, direct, 3).await));
    assert_eq!(code(house.add_named(1, direct, with_unknown()).await), code(house.add(1, direct, 3).await));

    let channel = house.room(1, Channel, Some("c"), &[]).await.id;
    for who in [1, 2] {
        assert_eq!(code(house.add_many(who, channel, [2, 3]).await), about_usernames(Code::Forbidden), "everybody joins by themselves");
    }
    house.add_many(2, channel, [2, 2]).await.unwrap();
    assert_eq!(house.head(1, channel).await, (1, 2));
    for who in [1, 2] {
        house.remove(who, channel, who).await.unwrap();
    }
    house.add_many(3, channel, [3]).await.unwrap();
    assert_eq!(house.see(3, channel).await.unwrap().created_by, user(3).username, "an empty channel belongs to the first who comes");

    // The last place is taken, and not one more.
    let small = house.with(Settings { room_members: 4, ..unlimited() });
    assert_eq!(code(small.add_many(1, room, [2, 3, 4, 5]).await), about_usernames(Code::Conflict));
    assert_eq!(small.head(1, room).await, (0, 2));
    small.add_many(1, room, [2, 3, 4, 1]).await.unwrap();
    small.add_many(1, room, [4, 3]).await.unwrap();
    assert_eq!(code(small.add_many(1, room, [3, 5]).await), about_usernames(Code::Conflict));
    assert_eq!(small.head(1, room).await, (2, 4));
    house.must_be_sound().await;
}

pub async fn many_at_once_race_with_leaves(house: House) {
    let room = house.room(1, Group, Some("g"), &[2, 3]).await.id;
    for _ in 0..10 {
        // Whoever adds is removed meanwhile: all are added before, or none.
        let (added, removed) = tokio::join!(house.add_many(2, room, [5, 6, 7]), house.remove(1, room, 2));
        removed.unwrap();
        let members = house.see(1, room).await.unwrap().usernames;
        let count = [5, 6, 7].iter().filter(|number| members.contains(&user(**number).username)).count();
        match added {
            Ok(()) => assert_eq!(count, 3),
            Err(refusal) => assert_eq!((refusal.code, count), (Code::NotFound, 0)),
        }
        // One who is in already leaves meanwhile: the leaving is before, and undone, or after, and stays.
        let (added, left) = tokio::join!(house.add_many(1, room, [2, 3, 5]), house.remove(3, room, 3));
        added.unwrap();
        left.unwrap();
        let (head, members) = house.head(1, room).await;
        house.add_many(1, room, [3, 5, 6, 7]).await.unwrap();
        assert!(house.head(1, room).await.0 <= head + 3 && members >= 3);
        for number in [5, 6, 7] {
            house.remove(1, room, number).await.unwrap();
        }
        assert_eq!(house.head(1, room).await.1, 3);
    }
    house.must_be_sound().await;
}
