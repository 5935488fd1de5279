//! Rooms, members, and how each sees them.

use super::house::{House, caller, service, user};
use crate::rooms::view::{self, Parting};
use contract::RoomKind::{Channel, Direct, Group};
use contract::calls::messages as calls;
use contract::{Code, Limit, Nonce, Username};
use futures_util::future::join_all;

fn names(numbers: &[u64]) -> Vec<Username> {
    numbers.iter().map(|number| user(*number).username).collect()
}

fn create(others: &[u64], nonce: Option<&str>) -> calls::CreateRoom {
    let nonce = nonce.map(|nonce| Nonce::try_from(nonce).unwrap());
    calls::CreateRoom { usernames: names(others), name: None, kind: None, nonce }
}

pub async fn a_pair_has_one_direct_room(house: House) {
    let (one, two) = (caller(1), caller(2));
    let created = join_all((0..20).map(|n| {
        let (who, others) = if n % 2 == 0 { (&one, [1, 2]) } else { (&two, [1, 2]) };
        house.ask(who, create(&others, None))
    }))
    .await;
    let created: Vec<_> = created.into_iter().map(Result::unwrap).collect();
    assert_eq!(created.iter().filter(|created| created.created).count(), 1);
    assert!(created.iter().all(|one| one.room.id == created[0].room.id && one.room.kind == Direct && one.room.name.is_none()));
    let room = created[0].room.id;
    assert_eq!(house.add(1, room, 3).await.unwrap_err().code, Code::Forbidden);
    assert_eq!(house.remove(1, room, 1).await.unwrap_err().code, Code::Forbidden);
    assert_eq!(house.add(3, room, 3).await.unwrap_err().code, Code::NotFound);
    let unknown = house.ask(&caller(1), calls::CreateRoom { usernames: vec!["nobody".try_into().unwrap()], ..create(&[], None) }).await;
    let unknown = unknown.unwrap_err();
    assert_eq!((unknown.code, unknown.field.as_deref()), (Code::NotFound, Some("usernames")));
    house.must_be_sound().await;
}

pub async fn a_room_nonce_returns_the_first_room(house: House) {
    let first = house.ask(&caller(1), create(&[2, 3], Some("n"))).await.unwrap();
    let again = house.ask(&caller(1), create(&[3, 2, 1], Some("n"))).await.unwrap();
    assert_eq!((first.created, again.created, &again.room), (true, false, &first.room));
    let other = house.ask(&caller(1), create(&[2, 4], Some("n"))).await.unwrap_err();
    assert_eq!((other.code, other.field.as_deref()), (Code::NonceConflict, Some("nonce")));
    assert!(house.ask(&caller(2), create(&[1, 3], Some("n"))).await.unwrap().created);
    house.must_be_sound().await;
}

pub async fn a_nonce_tells_nothing_of_a_room_that_was_left(house: House) {
    let group = house.ask(&caller(1), create(&[2, 3], Some("g"))).await.unwrap().room.id;
    let named = || calls::CreateRoom { name: Some("c".try_into().unwrap()), kind: Some(Channel), ..create(&[2], Some("c")) };
    let channel = house.ask(&caller(1), named()).await.unwrap().room.id;
    for room in [group, channel] {
        house.try_send(1, room, "mine", Some("n")).await.unwrap();
        house.remove(1, room, 1).await.unwrap();
        let rename = calls::UpdateRoom::name(room, "what it has become".try_into().unwrap());
        house.ask(&caller(2), rename).await.unwrap();
        house.send(2, room, "for members").await;
    }
    let left = house.ask(&caller(1), create(&[2, 3], Some("g"))).await.unwrap_err();
    assert_eq!((left.code, left.field.as_deref()), (Code::NotFound, Some("nonce")));
    assert_eq!(house.ask(&caller(1), create(&[2], Some("g"))).await.unwrap_err().code, Code::NonceConflict);
    // Anybody may look at a channel.
    let again = house.ask(&caller(1), named()).await.unwrap();
    assert_eq!((again.created, &again.room), (false, &house.see(1, channel).await.unwrap()));
    assert_eq!((again.room.member_count, again.room.read, again.room.unread, again.room.last_message), (1, 0, 0, None));
    // A send's nonce tells as little.
    assert_eq!(house.try_send(1, group, "mine", Some("n")).await.unwrap_err().code, Code::NotFound);
    assert_eq!(house.try_send(1, channel, "mine", Some("n")).await.unwrap_err().code, Code::Forbidden);
    // Who is in it again finds it again.
    house.add(2, group, 1).await.unwrap();
    let again = house.ask(&caller(1), create(&[2, 3], Some("g"))).await.unwrap();
    assert_eq!((again.created, again.room.id, again.room.name.is_some()), (false, group, true));
    house.must_be_sound().await;
}

pub async fn who_leaves_is_told_what_the_room_was_then(house: House) {
    let room = house.room(1, Group, Some("then"), &[2, 3]).await.id;
    let then = house.remove(3, room, 3).await.unwrap();
    assert_eq!(
        (then.usernames.clone(), then.member_count, then.head, then.unread, then.last_message.clone()),
        (names(&[1, 2]), 2, 1, 0, None)
    );
    let end = house.ask(&service(), calls::Head {}).await.unwrap().positions[usize::from(house.part(room))];
    // What happens before the answer is made is none of it.
    house.ask(&caller(1), calls::UpdateRoom::name(room, "now".try_into().unwrap())).await.unwrap();
    house.add(1, room, 4).await.unwrap();
    house.send(1, room, "for members").await;
    house.remove(1, room, 1).await.unwrap();
    let (reader, owner) = (user(3).id, user(1).id);
    let parting = Parting { position: end, head: then.head, name: Some("then".to_owned()), owner, member_count: then.member_count };
    let late = house.db.read(move |tx| Box::pin(async move { view::when_left(tx, room, reader, parting).await })).await.unwrap().unwrap();
    assert_eq!((late.row.name.as_deref(), late.row.owner, late.row.member_count), (Some("then"), owner, 2));
    assert_eq!((late.members, late.head, late.read, late.unread), (vec![user(2).id], 1, 0, 0));
    assert!(late.last.is_none());
}

pub async fn members_come_and_go(house: House) {
    let group = house.room(1, Group, Some("g"), &[2]).await;
    assert_eq!((group.member_count, group.usernames.clone(), group.head), (2, names(&[1, 2]), 0));
    assert_eq!(house.add(3, group.id, 3).await.unwrap_err().code, Code::NotFound);
    let after = house.add(2, group.id, 3).await.unwrap();
    assert_eq!((after.member_count, after.head), (3, 1));
    assert_eq!(house.add(2, group.id, 3).await.unwrap().head, 1, "who is in already is told to nobody");
    assert_eq!(house.see(3, group.id).await.unwrap().read, 1, "who is added later starts at the head");
    assert_eq!(house.remove(2, group.id, 3).await.unwrap_err().code, Code::Forbidden);
    assert_eq!(house.remove(1, group.id, 4).await.unwrap_err().code, Code::NotFound);
    assert_eq!(house.remove(1, group.id, 3).await.unwrap().member_count, 2);
    assert_eq!(house.see(3, group.id).await.unwrap_err().code, Code::NotFound);
    assert_eq!(house.try_send(3, group.id, "x", None).await.unwrap_err().code, Code::NotFound);

    let channel = house.room(1, Channel, Some("c"), &[]).await.id;
    assert_eq!(house.see(4, channel).await.unwrap().member_count, 1);
    assert_eq!(house.add(1, channel, 4).await.unwrap_err().code, Code::Forbidden);
    assert_eq!(house.add(4, channel, 4).await.unwrap().member_count, 2);
    house.remove(4, channel, 4).await.unwrap();
    house.add(4, channel, 4).await.unwrap();
    assert_eq!(house.see(4, channel).await.unwrap().head, 3);
    let rename = |name: &str| calls::UpdateRoom::name(channel, name.try_into().unwrap());
    assert_eq!(house.ask(&caller(4), rename("d")).await.unwrap_err().code, Code::Forbidden);
    assert_eq!(house.ask(&caller(1), rename("d")).await.unwrap().head, 4);
    assert_eq!(house.ask(&caller(1), rename("d")).await.unwrap().head, 4, "the same name is told to nobody");
    house.must_be_sound().await;
}

pub async fn a_gateway_asks_how_one_stands_in_a_room(house: House) {
    let stands = async |number, room| {
        let found = house.ask(&service(), calls::RoomOf { user: user(number).id, room }).await.unwrap();
        found.map(|found| (found.room, found.kind, found.member_count))
    };
    let group = house.room(1, Group, Some("g"), &[2]).await.id;
    assert_eq!(stands(1, group).await, Some((group, Group, 2)));
    assert_eq!(stands(3, group).await, None);
    house.add(1, group, 3).await.unwrap();
    assert_eq!(stands(3, group).await, Some((group, Group, 3)));
    house.remove(3, group, 3).await.unwrap();
    assert_eq!((stands(3, group).await, stands(2, group).await), (None, Some((group, Group, 2))));
    let channel = house.room(1, Channel, Some("c"), &[]).await.id;
    assert_eq!((stands(1, channel).await, stands(2, channel).await), (Some((channel, Channel, 1)), None));
    assert_eq!(stands(1, contract::RoomId::new()).await, None);
    let asked_by_a_user = house.ask(&caller(1), calls::RoomOf { user: user(1).id, room: group }).await;
    assert_eq!(asked_by_a_user.unwrap_err().code, Code::Forbidden);
}

pub async fn the_longest_standing_member_inherits(house: House) {
    let room = house.room(1, Channel, Some("c"), &[]).await.id;
    for number in [3, 2, 4] {
        house.add(number, room, number).await.unwrap();
    }
    house.remove(1, room, 1).await.unwrap();
    assert_eq!(house.see(2, room).await.unwrap().created_by, user(3).username);
    for number in [3, 2, 4] {
        house.remove(number, room, number).await.unwrap();
    }
    let empty = house.see(1, room).await.unwrap();
    assert_eq!((empty.member_count, empty.created_by), (0, user(4).username));
    house.add(2, room, 2).await.unwrap();
    assert_eq!(house.see(1, room).await.unwrap().created_by, user(2).username);
    house.must_be_sound().await;
}

pub async fn everybody_sees_the_room_with_their_own_marks(house: House) {
    let room = house.room(1, Group, Some("g"), &[2, 3]).await.id;
    house.send(1, room, "one").await;
    house.send(2, room, "two").await;
    house.add(1, room, 4).await.unwrap();
    let marks = async |number| house.see(number, room).await.map(|room| (room.read, room.unread)).unwrap();
    assert_eq!(marks(1).await, (1, 1), "sending moves one's own mark");
    assert_eq!(marks(2).await, (2, 0));
    assert_eq!(marks(3).await, (0, 2));
    assert_eq!(marks(4).await, (3, 0));
    let read = async |seq| house.ask(&caller(3), calls::MarkRead { room, seq }).await.map(|mark| (mark.read, mark.unread));
    assert_eq!(read(1).await, Ok((1, 1)));
    assert_eq!(read(0).await, Ok((1, 1)), "never back");
    assert_eq!(read(99).await, Ok((3, 0)), "past the head is the head");
    assert_eq!(read(-1).await.unwrap_err().code, Code::InvalidRequest);
    let last = house.see(3, room).await.unwrap().last_message.unwrap();
    assert_eq!((last.seq, last.body.as_str()), (2, "two"), "a join is no message");
    house.must_be_sound().await;
}

pub async fn lists_are_paged(house: House) {
    let rooms = join_all((0..5).map(|n| house.room(1, Channel, Some("c"), if n % 2 == 0 { &[2, 3, 4] } else { &[] }))).await;
    house.turn_clock(10);
    house.send(1, rooms[2].id, "newest activity").await;
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = house.ask(&caller(1), calls::MyRooms { after, limit: Limit::try_from(2).unwrap() }).await.unwrap();
        seen.extend(page.items.iter().map(|room| room.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((seen.len(), seen[0]), (5, rooms[2].id));
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 5);
    let mine = house.ask(&caller(2), calls::MyRooms { after: None, limit: Limit::MOST }).await.unwrap();
    assert_eq!(mine.items.len(), 3);
    let channels = house.ask(&caller(9), calls::ListChannels { after: None, limit: Limit::try_from(3).unwrap() }).await.unwrap();
    let rest = house.ask(&caller(9), calls::ListChannels { after: channels.next, limit: Limit::MOST }).await.unwrap();
    assert_eq!((channels.items.len(), rest.items.len(), rest.next), (3, 2, None));
    let members = calls::ListMembers { room: rooms[0].id, after: None, limit: Limit::try_from(3).unwrap() };
    let page = house.ask(&caller(2), members.clone()).await.unwrap();
    let rest = house.ask(&caller(2), calls::ListMembers { after: page.next, ..members.clone() }).await.unwrap();
    let all: Vec<_> = page.items.into_iter().chain(rest.items).map(|user| user.username).collect();
    assert_eq!(all, names(&[1, 2, 3, 4]));
    assert_eq!(house.ask(&caller(9), members).await.unwrap_err().code, Code::Forbidden);
    let wrong = house.ask(&caller(1), calls::MyRooms { after: Some("x".into()), limit: Limit::MOST }).await.unwrap_err();
    assert_eq!((wrong.code, wrong.field.as_deref()), (Code::InvalidRequest, Some("after")));
}

pub async fn a_place_in_a_list_may_be_in_upper_case(house: House) {
    let room = house.room(1, Channel, Some("c"), &[2, 3]).await.id;
    for _ in 0..2 {
        house.room(1, Channel, Some("c"), &[]).await;
    }
    let one = Limit::try_from(1).unwrap();
    let upper = |next: Option<String>| next.map(|next| next.to_uppercase());
    let rooms = async |after| house.ask(&caller(1), calls::MyRooms { after, limit: one }).await.unwrap();
    let next = rooms(None).await.next;
    assert_eq!(rooms(upper(next.clone())).await, rooms(next).await);
    let channels = async |after| house.ask(&caller(1), calls::ListChannels { after, limit: one }).await.unwrap();
    let next = channels(None).await.next;
    assert_eq!(channels(upper(next.clone())).await, channels(next).await);
    let members = async |after| house.ask(&caller(1), calls::ListMembers { room, after, limit: one }).await.unwrap();
    let next = members(None).await.next;
    assert_eq!(members(upper(next.clone())).await, members(next).await);
}

pub async fn a_name_from_before_its_rules_is_told_as_it_is(house: House) {
    let old = "\u{202e}nalp eht\n\u{200b}";
    let room = house.room(1, Group, Some(old), &[2]).await;
    assert_eq!(house.see(2, room.id).await.unwrap().name.unwrap().as_str(), old);
    let renamed = calls::UpdateRoom::name(room.id, format!("{old}!").try_into().unwrap());
    house.ask(&caller(1), renamed).await.unwrap();
    let entries = house
        .ask(&service(), calls::ReadLog { epoch: house.db.epoch(), partition: house.part(room.id), after: 0, limit: 1000 })
        .await
        .unwrap();
    let told = entries.into_iter().find_map(|entry| match entry.event {
        contract::log::Event::RoomUpdated(updated) => updated.name,
        _ => None,
    });
    assert_eq!(told.unwrap().as_str(), format!("{old}!"));
    house.must_be_sound().await;
}
