//! Pins.

use super::support::code;
use crate::tests::house::{House, caller, user};
use contract::RoomKind::Channel;
use contract::calls::messages as calls;
use contract::{Code, Limit};
use futures_util::future::join_all;

pub async fn pins_are_listed_and_bounded(house: House) {
    let room = house.room(1, Channel, Some("c"), &[]).await.id;
    house.add(2, room, 2).await.unwrap();
    for n in 0..103 {
        house.send(2, room, &n.to_string()).await;
    }
    assert_eq!(code(house.pin(2, room, 5, true).await), (Code::Forbidden, Some("room".into())));
    let outcomes = join_all((0..101).map(|n| house.pin(1, room, 2 + n, true))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 100);
    assert_eq!(code(outcomes.into_iter().find(Result::is_err).unwrap()).0, Code::Conflict);
    let pins = async |after, limit| {
        let page = house.ask(&caller(2), calls::Pins { room, after, limit: Limit::try_from(limit).unwrap() }).await.unwrap();
        (page.items.iter().map(|m| m.seq).collect::<Vec<_>>(), page.next)
    };
    let (newest, next) = pins(None, 2).await;
    let (after, _) = pins(next, 2).await;
    assert_eq!([newest.clone(), after].concat(), [101, 100, 99, 98]);
    house.pin(1, room, 101, false).await.unwrap();
    house.pin(1, room, 101, false).await.unwrap();
    house.delete(2, room, 100).await.unwrap();
    assert_eq!(code(house.pin(1, room, 100, true).await), (Code::Conflict, Some("seq".into())));
    assert_eq!(pins(None, 2).await.0, [99, 98]);
    house.pin(1, room, 103, true).await.unwrap();
    assert_eq!(pins(None, 2).await.0, [103, 99]);
    let pinned = house.message(2, room, 103).await.unwrap();
    assert!(pinned.pinned_at.is_some() && pinned.pinned_by == Some(user(1).username));
    house.must_be_sound().await;
}
