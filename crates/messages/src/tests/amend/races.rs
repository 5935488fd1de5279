//! Changes at the same time.

use crate::tests::house::{House, caller, service};
use contract::RoomKind::Group;
use contract::calls::messages as calls;
use contract::log::Event;
use contract::{Code, Limit};
use futures_util::future::join_all;

/// Whatever comes first: everybody ends with the same state, and that is what the log says.
pub async fn races_end_the_same_for_everybody(house: House) {
    let room = house.room(1, Group, Some("g"), &[2, 3]).await.id;
    for seq in 1..=10 {
        house.send(2, room, &seq.to_string()).await;
    }
    let mut outcomes = Vec::new();
    for seq in 1..=10 {
        let body = format!("edited {seq}");
        let (edited, deleted, reacted, pinned, owner) = tokio::join!(
            house.edit(2, room, seq, &body),
            house.delete(2, room, seq),
            house.react(3, room, seq, "👍", true),
            house.pin(3, room, seq, true),
            house.delete(1, room, seq),
        );
        for refusal in [edited.err(), reacted.err(), pinned.err()].into_iter().flatten() {
            assert_eq!(refusal.code, Code::Conflict, "{refusal}");
        }
        let (deleted, owner) = (deleted.unwrap(), owner.unwrap());
        assert_eq!((deleted.deleted_at, &deleted.deleted_by, deleted.rev), (owner.deleted_at, &owner.deleted_by, owner.rev));
        outcomes.push(deleted.rev);
    }
    for (seq, rev) in (1..=10).zip(outcomes) {
        for reader in 1..=3 {
            let message = house.message(reader, room, seq).await.unwrap();
            assert_eq!((message.body.as_str(), message.rev), ("", rev));
            assert!(message.reactions.is_empty() && message.pinned_at.is_none() && message.edited_at.is_none());
        }
    }
    house.must_be_sound().await;
}

/// On SQLite a batch holds what waits while one is written. What is published of it tells nothing that was deleted in it.
pub async fn a_send_and_its_change_in_one_batch(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let mut hints = house.bus.subscribe::<contract::log::Batch>();
    let change = async |seq: i64| {
        let send = house.try_send(1, room, "the secret", None);
        let edit = house.edit(1, room, seq, "the other secret");
        let react = house.react(1, room, seq, "👍", true);
        let delete = house.delete(1, room, seq);
        let (sent, edited, reacted, deleted) = tokio::join!(send, edit, react, delete);
        (sent.unwrap(), edited.unwrap(), reacted.unwrap(), deleted.unwrap())
    };
    for round in 0..5 {
        let (sent, _, _, deleted) = change(round * 4 + 1).await;
        assert_eq!((sent.message.seq, deleted.body.as_str()), (round * 4 + 1, ""));
    }
    house.must_be_sound().await;
    let mut last = 0;
    let end = house.ask(&service(), calls::Head {}).await.unwrap().positions[usize::from(house.part(room))];
    while last < end {
        let Some(bus::Heard::Hint(batch)) = hints.next().await else { panic!("a hint was missed") };
        last = batch.last;
        let deleted: Vec<i64> = batch
            .entries
            .iter()
            .filter_map(|entry| if let Event::MessageDeleted(deleted) = &entry.event { Some(deleted.ref_seq) } else { None })
            .collect();
        for entry in &batch.entries {
            let told = serde_json::to_string(&entry.event).unwrap();
            let about = match &entry.event {
                Event::NewMessage { message, .. } => message.seq,
                Event::MessageEdited(edited) => edited.ref_seq,
                _ => continue,
            };
            assert!(!deleted.contains(&about) || !told.contains("secret"), "{told}");
        }
    }
}

/// Many changes at once by several users, and then the whole is computed again from the log.
pub async fn random_changes_are_sound(house: House) {
    let rooms = [house.room(1, Group, Some("g"), &[2, 3, 4]).await.id, house.room(1, Group, Some("h"), &[2, 3, 4]).await.id];
    let mut state = 7_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for _ in 0..12 {
        let mut all: Vec<futures_util::future::BoxFuture<'_, ()>> = Vec::new();
        for n in 0..40 {
            let (by, room, seq) = (1 + random(4), rooms[usize::try_from(random(2)).unwrap()], 1 + random(60) as i64);
            let house = &house;
            let emoji = ["👍", "❤", ":party:"][usize::try_from(random(3)).unwrap()];
            let on = random(3) > 0;
            all.push(match random(7) {
                0 | 1 => Box::pin(async move { _ = house.try_send(by, room, &format!("said {n}"), None).await }),
                2 => Box::pin(async move { _ = house.edit(by, room, seq, &format!("edited {n}")).await }),
                3 => Box::pin(async move { _ = house.delete(by, room, seq).await }),
                4 | 5 => Box::pin(async move { _ = house.react(by, room, seq, emoji, on).await }),
                _ => Box::pin(async move { _ = house.pin(by, room, seq, on).await }),
            });
        }
        join_all(all).await;
    }
    house.must_be_sound().await;
    // Pages, single messages and events tell the same.
    for room in rooms {
        let page =
            house.ask(&caller(1), calls::History { room, before: None, after: Some(0), thread: None, limit: Limit::MOST }).await.unwrap();
        assert!(!page.items.is_empty());
        for message in &page.items {
            assert_eq!(house.message(1, room, message.seq).await.unwrap(), *message);
        }
        let stretches = calls::Histories { rooms: vec![room], after: 0, before: None, newest: false, limit: Limit::MOST };
        let stretch = house.ask(&caller(1), stretches).await.unwrap().pop().unwrap().answer.unwrap();
        assert_eq!(stretch.messages, page.items);
    }
}
