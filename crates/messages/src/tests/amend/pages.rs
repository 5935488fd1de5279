//! How lists tell what was changed: the events of a room, a page around a message, the order of rooms.

use super::support::code;
use crate::tests::house::{House, caller};
use contract::RoomKind::Group;
use contract::calls::messages as calls;
use contract::log::Event;
use contract::{Code, Limit, Patch};

pub async fn events_of_a_room_are_paged_as_they_are_now(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    house.try_send(1, room, "one", Some("n")).await.unwrap();
    house.add(1, room, 3).await.unwrap();
    house.pin(2, room, 1, true).await.unwrap();
    house.edit(1, room, 1, "uno").await.unwrap();
    house.react(2, room, 1, "👍", true).await.unwrap();
    house.pin(2, room, 1, false).await.unwrap();
    house.remove(3, room, 3).await.unwrap();
    house.ask(&caller(1), calls::UpdateRoom::name(room, "h".try_into().unwrap())).await.unwrap();
    let all = ["1 uno", "2 u3 joined", "3 pins 1", "4 edits 1 to uno", "5 reacts to 1: 👍1", "6 unpins 1", "7 u3 left", "8 named h"];
    assert_eq!(house.events(2, room).await, all);
    let page = async |by: u64, after, limit| house.ask(&caller(by), calls::RoomEvents { room, after, limit }).await;
    let seqs = |page: contract::Page<Event>| (page.items.iter().map(|event| event.seq().unwrap()).collect::<Vec<_>>(), page.next);
    assert_eq!(seqs(page(1, 0, 3).await.unwrap()), (vec![1, 2, 3], Some("3".into())));
    assert_eq!(seqs(page(1, 3, 5).await.unwrap()), (vec![4, 5, 6, 7, 8], None));
    assert_eq!(seqs(page(1, 8, 5).await.unwrap()), (vec![], None));
    assert_eq!(code(page(1, -1, 5).await).1.unwrap(), "after");
    assert_eq!(code(page(1, 0, 0).await).1.unwrap(), "limit");
    assert_eq!(code(page(1, 0, 501).await).1.unwrap(), "limit");
    assert_eq!(code(page(3, 0, 5).await).0, Code::NotFound);
    let nonce = |page: contract::Page<Event>| match page.items.into_iter().next().unwrap() {
        Event::NewMessage { message, .. } => message.nonce,
        other => panic!("{other:?}"),
    };
    assert!(nonce(page(1, 0, 1).await.unwrap()).is_some());
    assert!(nonce(page(2, 0, 1).await.unwrap()).is_none());
    for _ in 0..50 {
        house.send(1, room, &"x".repeat(8_000)).await;
    }
    let long = page(2, 8, 500).await.unwrap();
    assert!(long.items.len() == 50 && long.next.is_none());
    for _ in 0..100 {
        house.send(1, room, &"x".repeat(8_000)).await;
    }
    let (mut after, mut seen) = (8, Vec::new());
    loop {
        let (seqs, next) = seqs(page(2, after, 500).await.unwrap());
        assert!(seqs.len() < 140, "a page ends after a MiB");
        seen.extend(seqs);
        let Some(next) = next else { break };
        after = next.parse().unwrap();
    }
    assert_eq!(seen, (9..=158).collect::<Vec<_>>());
    house.must_be_sound().await;
}

pub async fn a_page_around_a_message(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    for n in 1..=20 {
        house.send(1, room, &n.to_string()).await;
    }
    let around = async |seq, limit| {
        let page = house.ask(&caller(2), calls::Around { room, seq, thread: None, limit: Limit::try_from(limit).unwrap() }).await.unwrap();
        (page.items.first().map(|m| m.seq), page.items.last().map(|m| m.seq), page.before, page.next)
    };
    assert_eq!(around(10, 6).await, (Some(7), Some(12), Patch::Set(7), Some("12".into())));
    assert_eq!(around(10, 5).await, (Some(8), Some(12), Patch::Set(8), Some("12".into())));
    assert_eq!(around(1, 5).await, (Some(1), Some(5), Patch::Clear, Some("5".into())));
    assert_eq!(around(3, 5).await, (Some(1), Some(5), Patch::Clear, Some("5".into())));
    assert_eq!(around(20, 4).await, (Some(18), Some(20), Patch::Set(18), None));
    assert_eq!(around(99, 4).await, (Some(19), Some(20), Patch::Set(19), None));
    assert_eq!(around(10, 1).await, (Some(10), Some(10), Patch::Set(10), Some("10".into())));
}

pub async fn changes_do_not_move_a_room(house: House) {
    let older = house.room(1, Group, Some("older"), &[2]).await.id;
    house.send(1, older, "x").await;
    house.turn_clock(1_000);
    let newer = house.room(1, Group, Some("newer"), &[2]).await.id;
    house.send(1, newer, "x").await;
    house.turn_clock(1_000);
    house.edit(1, older, 1, "y").await.unwrap();
    house.react(2, older, 1, "👍", true).await.unwrap();
    house.pin(2, older, 1, true).await.unwrap();
    let order = async || {
        let page = house.ask(&caller(2), calls::MyRooms { after: None, limit: Limit::MOST }).await.unwrap();
        page.items.into_iter().map(|room| (room.id, room.unread, room.last_message.unwrap().seq)).collect::<Vec<_>>()
    };
    assert_eq!(order().await, [(newer, 1, 1), (older, 1, 1)]);
    house.send(1, older, "z").await;
    assert_eq!(order().await, [(older, 2, 5), (newer, 1, 1)]);
    house.must_be_sound().await;
}
