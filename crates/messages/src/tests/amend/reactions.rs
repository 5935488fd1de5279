//! Reactions.

use super::support::code;
use crate::tests::house::{House, caller};
use contract::RoomKind::{Channel, Direct, Group};
use contract::calls::messages as calls;
use contract::{Code, Limit};
use futures_util::future::join_all;

pub async fn reactions_are_counted_and_told(house: House) {
    let others: Vec<u64> = (2..=8).collect();
    let room = house.room(1, Group, Some("g"), &others).await.id;
    house.send(1, room, "x").await;
    assert_eq!(house.react(1, room, 1, "👍", true).await.unwrap(), ["👍 1 u1*"]);
    assert_eq!(house.react(2, room, 1, "❤\u{fe0f}", true).await.unwrap(), ["👍 1 u1", "❤ 1 u2*"]);
    for by in 2..=7 {
        house.react(by, room, 1, "👍", true).await.unwrap();
    }
    assert_eq!(house.react(3, room, 1, "👍", true).await.unwrap(), ["👍 7 u1,u2,u3,u4,u5*", "❤ 1 u2"], "it was given already");
    assert_eq!(house.see(1, room).await.unwrap().head, 9);
    // One of those who are named goes, and the next one is named.
    assert_eq!(house.react(1, room, 1, "👍", false).await.unwrap(), ["👍 6 u2,u3,u4,u5,u6", "❤ 1 u2"]);
    assert_eq!(house.react(1, room, 1, "👍", true).await.unwrap(), ["👍 7 u2,u3,u4,u5,u6*", "❤ 1 u2"], "and is the last now");
    assert_eq!(house.react(2, room, 1, "❤", false).await.unwrap(), ["👍 7 u2,u3,u4,u5,u6*"]);
    let reactors = async |after, limit| {
        let call = calls::Reactors { room, seq: 1, emoji: "👍".try_into().unwrap(), after, limit: Limit::try_from(limit).unwrap() };
        let page = house.ask(&caller(8), call).await.unwrap();
        (page.items.iter().map(|reactor| reactor.username.to_string()).collect::<Vec<_>>(), page.next)
    };
    let (first, next) = reactors(None, 5).await;
    assert_eq!(first, ["u2", "u3", "u4", "u5", "u6"]);
    assert_eq!(reactors(next, 5).await, (vec!["u7".to_owned(), "u1".to_owned()], None));
    // Answers say which are one's own; events do not.
    let message = house.message(2, room, 1).await.unwrap();
    assert_eq!((message.reactions[0].count, message.reactions[0].mine), (7, Some(true)));
    assert_eq!(house.message(8, room, 1).await.unwrap().reactions[0].mine, Some(false));
    assert_eq!(house.events(8, room).await.last().unwrap(), "12 reacts to 1: 👍7");
    house.must_be_sound().await;
}

pub async fn the_same_reaction_many_times_at_once_is_one(house: House) {
    let room = house.room(1, Direct, None, &[2]).await.id;
    house.send(1, room, "x").await;
    let all = join_all((0..20).map(|_| house.react(2, room, 1, "👍", true))).await;
    assert!(all.into_iter().all(|outcome| outcome.unwrap() == ["👍 1 u2*"]));
    assert_eq!(house.see(1, room).await.unwrap().head, 2);
    let all = join_all((0..20).map(|_| house.react(2, room, 1, "👍", false))).await;
    assert!(all.into_iter().all(|outcome| outcome.unwrap().is_empty()));
    assert_eq!(house.see(1, room).await.unwrap().head, 3);
    house.must_be_sound().await;
}

pub async fn a_reaction_that_cannot_be_given_is_refused(house: House) {
    let room = house.room(1, Channel, Some("c"), &[]).await.id;
    house.send(1, room, "x").await;
    assert_eq!(code(house.react(2, room, 1, "👍", true).await), (Code::Forbidden, Some("room".into())));
    for n in 0..20 {
        house.react(1, room, 1, &n.to_string(), true).await.unwrap();
    }
    assert_eq!(code(house.react(1, room, 1, "20", true).await), (Code::Conflict, Some("emoji".into())));
    assert!(house.react(1, room, 1, "19", true).await.is_ok());
    assert_eq!(code(house.react(1, room, 2, "19", true).await), (Code::NotFound, Some("seq".into())), "a reaction is no message");
    house.delete(1, room, 1).await.unwrap();
    assert_eq!(code(house.react(1, room, 1, "👍", true).await), (Code::Conflict, Some("seq".into())));
    house.must_be_sound().await;
}
