//! Sending.

use super::house::{House, caller, unlimited};
use crate::Settings;
use contract::RoomKind::{Channel, Direct, Group};
use contract::calls::messages as calls;
use contract::{Code, Limit};
use futures_util::future::join_all;

pub async fn seqs_count_from_one_in_every_room(house: House) {
    let rooms = [house.room(1, Direct, None, &[2]).await.id, house.room(1, Group, Some("g"), &[2, 3]).await.id];
    let sends = (0..200).map(|n| {
        let (room, house) = (rooms[n % 2], &house);
        async move { house.send(1 + (n as u64 / 2) % 2, room, &format!("{n}")).await.seq }
    });
    let mut seqs = join_all(sends).await;
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=100).flat_map(|seq| [seq, seq]).collect::<Vec<_>>());
    // What was queued in one order is in the log in that order.
    let page = house
        .ask(&caller(1), calls::History { room: rooms[0], before: None, after: Some(0), thread: None, limit: Limit::MOST })
        .await
        .unwrap();
    let bodies: Vec<usize> = page.items.iter().map(|message| message.body.as_str().parse().unwrap()).collect();
    assert_eq!(bodies, (0..200).step_by(2).collect::<Vec<_>>());
    house.must_be_sound().await;
}

pub async fn a_nonce_returns_the_first_message(house: House) {
    let room = house.room(1, Direct, None, &[2]).await.id;
    let first = house.try_send(1, room, "hello", Some("n")).await.unwrap();
    assert!(first.created);
    let again = house.try_send(1, room, "hello", Some("n")).await.unwrap();
    assert_eq!((again.created, &again.message), (false, &first.message));
    let other = house.try_send(1, room, "other", Some("n")).await.unwrap_err();
    assert_eq!((other.code, other.field.as_deref()), (Code::NonceConflict, Some("nonce")));
    // The key is (room, sender): anybody else's same nonce is another key.
    assert!(house.try_send(2, room, "hello", Some("n")).await.unwrap().created);
    let elsewhere = house.room(1, Group, Some("g"), &[2]).await.id;
    assert!(house.try_send(1, elsewhere, "hello", Some("n")).await.unwrap().created);
    assert_eq!(house.see(1, room).await.unwrap().head, 2);
    house.must_be_sound().await;
}

pub async fn concurrent_sends_with_one_nonce_are_one_message(house: House) {
    let room = house.room(1, Direct, None, &[2]).await.id;
    let sent = join_all((0..50).map(|_| house.try_send(1, room, "once", Some("n")))).await;
    let sent: Vec<_> = sent.into_iter().map(Result::unwrap).collect();
    assert_eq!(sent.iter().filter(|sent| sent.created).count(), 1);
    assert!(sent.iter().all(|one| one.message == sent[0].message));
    assert_eq!(house.see(2, room).await.unwrap().head, 1);
    house.must_be_sound().await;
}

pub async fn a_refusal_fails_no_neighbour(house: House) {
    let room = house.room(1, Direct, None, &[2]).await.id;
    let channel = house.room(1, Channel, Some("c"), &[]).await.id;
    let sends = (0..90).map(|n| match n % 3 {
        0 => house.try_send(1, room, "fine", None),
        1 => house.try_send(3, room, "not a member", None),
        _ => house.try_send(3, channel, "not joined", None),
    });
    let outcomes = join_all(sends).await;
    for (n, outcome) in outcomes.into_iter().enumerate() {
        let code = outcome.map(|sent| sent.message.seq).map_err(|refusal| refusal.code);
        match n % 3 {
            0 => assert_eq!(code, Ok(n as i64 / 3 + 1)),
            1 => assert_eq!(code, Err(Code::NotFound)),
            _ => assert_eq!(code, Err(Code::Forbidden)),
        }
    }
    house.must_be_sound().await;
}

pub async fn too_many_sends_are_refused_but_a_repeated_one_is_found(house: House) {
    let house = house.with(Settings { sends_per_second: 1, sends_burst: 3, ..unlimited() });
    let room = house.room(1, Direct, None, &[2]).await.id;
    for n in 0..3 {
        house.try_send(1, room, "x", Some(&format!("{n}"))).await.unwrap();
        // Said again at once: it must not count.
        assert!(!house.try_send(1, room, "x", Some(&format!("{n}"))).await.unwrap().created);
    }
    let refused = house.try_send(1, room, "x", Some("3")).await.unwrap_err();
    assert_eq!((refused.code, refused.retry_after_ms), (Code::RateLimited, Some(1_000)));
    assert!(!house.try_send(1, room, "x", Some("2")).await.unwrap().created);
    assert!(house.try_send(2, room, "x", None).await.is_ok(), "another user has limits of their own");
    house.turn_clock(1_000);
    assert!(house.try_send(1, room, "x", Some("3")).await.unwrap().created);
    assert_eq!(house.try_send(1, room, "x", Some("4")).await.unwrap_err().code, Code::RateLimited);
}

pub async fn a_body_has_a_longest_length(house: House) {
    let house = house.with(Settings { message_chars: 5, ..unlimited() });
    let room = house.room(1, Direct, None, &[2]).await.id;
    assert_eq!(house.send(1, room, "😀😀😀😀😀").await.body.as_str(), "😀😀😀😀😀");
    let refused = house.try_send(1, room, "123456", None).await.unwrap_err();
    assert_eq!((refused.code, refused.field.as_deref()), (Code::InvalidRequest, Some("body")));
}
