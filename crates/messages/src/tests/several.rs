//! Many rooms at once: the same answers as one by one, for a fixed number of statements.

use super::house::{House, caller, service, user};
use contract::calls::messages::{
    GetRoom, GetRooms, Histories, History, ListMembers, MarkRead, MembersOf, MyRooms, OfRoom, Pins, PinsOf, ReadLog, Stretch,
};
use contract::log::Event;
use contract::{Code, Limit, Message, Page, Placed, Room, RoomId, RoomKind};

fn limit(limit: i64) -> Limit {
    Limit::try_from(limit).unwrap()
}

/// Rooms in every state that user 1 can meet: full, empty, read in part, with a head that is no message, left, foreign, a channel.
async fn rooms(house: &House) -> Vec<RoomId> {
    let full = house.room(1, RoomKind::Group, None, &[2, 3]).await.id;
    for number in 0..7 {
        house.send(1 + number % 3, full, &format!("{number}")).await;
    }
    house.ask(&caller(1), MarkRead { room: full, seq: 4 }).await.unwrap();
    let empty = house.room(1, RoomKind::Direct, None, &[2]).await.id;
    let renamed = house.room(2, RoomKind::Group, Some("a"), &[1]).await.id;
    house.send(2, renamed, "x").await;
    house.add(2, renamed, 4).await.unwrap();
    house.remove(2, renamed, 4).await.unwrap();
    let left = house.room(2, RoomKind::Group, None, &[1, 3]).await.id;
    house.send(1, left, "x").await;
    house.remove(1, left, 1).await.unwrap();
    let foreign = house.room(2, RoomKind::Group, None, &[3, 4]).await.id;
    house.send(2, foreign, "x").await;
    let channel = house.room(2, RoomKind::Channel, Some("c"), &[]).await.id;
    house.send(2, channel, "x").await;
    let joined = house.room(2, RoomKind::Channel, Some("j"), &[]).await.id;
    house.add(1, joined, 1).await.unwrap();
    vec![full, empty, renamed, left, foreign, channel, joined, RoomId::new()]
}

pub async fn they_are_seen_as_one_by_one(house: House) {
    let ids = rooms(&house).await;
    let several = house.ask(&caller(1), GetRooms { rooms: ids.clone() }).await.unwrap();
    let mut single: Vec<Room> = Vec::new();
    for room in &ids {
        single.extend(house.ask(&caller(1), GetRoom { room: *room }).await.ok());
    }
    assert_eq!((several.len(), &several), (5, &single));
    let mine = house.ask(&caller(1), MyRooms { after: None, limit: limit(50) }).await.unwrap().items;
    assert_eq!(mine.len(), 4);
    assert!(mine.iter().all(|room| single.contains(room)), "{mine:#?} {single:#?}");
    let too_many = GetRooms { rooms: vec![ids[0]; 101] };
    assert_eq!(house.ask(&caller(1), too_many).await.unwrap_err().code, Code::InvalidRequest);
    let too_many = MembersOf { rooms: vec![ids[0]; 1_001], after: None, limit: limit(1) };
    assert_eq!(house.ask(&caller(1), too_many).await.unwrap_err().code, Code::InvalidRequest);
    let too_many = Histories { rooms: vec![ids[0]; 101], after: 0, before: None, newest: true, limit: limit(1) };
    assert_eq!(house.ask(&caller(1), too_many).await.unwrap_err().code, Code::InvalidRequest);
    assert_eq!(house.ask(&caller(1), GetRooms { rooms: vec![] }).await.unwrap(), []);

    for (after, most) in [(None, 1), (None, 2), (None, 50)] {
        let call = MembersOf { rooms: ids.clone(), after, limit: limit(most) };
        let several = house.ask(&caller(1), call).await.unwrap();
        for (id, OfRoom { room, answer }) in ids.iter().zip(several) {
            assert_eq!(*id, room);
            let mut single = house.ask(&caller(1), ListMembers { room, after: None, limit: limit(most) }).await;
            assert_eq!(answer.map(Page::from), single);
            while let Ok(next) = single.map(|page| page.next)
                && let Some(after) = next
            {
                single = house.ask(&caller(1), ListMembers { room, after: Some(after.clone()), limit: limit(most) }).await;
                let call = MembersOf { rooms: vec![room], after: Some(after), limit: limit(most) };
                assert_eq!(house.ask(&caller(1), call).await.unwrap().pop().unwrap().answer.map(Page::from), single);
            }
        }
    }
}

pub async fn stretches_are_what_history_tells(house: House) {
    let ids = rooms(&house).await;
    for (after, before, newest, most) in
        [(0, None, true, 3), (0, None, true, 50), (3, None, false, 2), (0, Some(4), true, 2), (0, Some(1), true, 2), (99, None, false, 2)]
    {
        let call = Histories { rooms: ids.clone(), after, before, newest, limit: limit(most) };
        let several = house.ask(&caller(1), call).await.unwrap();
        assert_eq!(several.len(), ids.len());
        for (id, OfRoom { room, answer }) in ids.iter().zip(several) {
            assert_eq!(*id, room);
            let call = History { room, before, after: (!newest).then_some(after), thread: None, limit: limit(most) };
            let single = house.ask(&caller(1), call).await;
            match (answer, single) {
                (Ok(stretch), Ok(page)) => {
                    assert_eq!(stretch.messages, page.items);
                    assert!(stretch.messages.is_empty() || stretch.later == page.next.is_some());
                }
                (Err(refusal), Err(single)) => assert_eq!(refusal, single),
                (several, single) => panic!("{several:?} {single:?}"),
            }
        }
    }
    let within = |after, before, newest, most| Histories { rooms: vec![ids[0]], after, before, newest, limit: limit(most) };
    let seqs = |stretch: &Stretch| stretch.messages.iter().map(|message| message.seq).collect::<Vec<_>>();
    for (call, wanted, earlier, later) in [
        (within(1, Some(6), false, 3), vec![2, 3, 4], true, true),
        (within(1, Some(6), true, 3), vec![3, 4, 5], true, true),
        (within(0, Some(8), false, 50), vec![1, 2, 3, 4, 5, 6, 7], false, false),
        (within(7, None, false, 3), vec![], true, false),
        (within(0, Some(1), true, 3), vec![], false, true),
    ] {
        let stretch = house.ask(&caller(1), call.clone()).await.unwrap().pop().unwrap().answer.unwrap();
        assert_eq!((seqs(&stretch), stretch.earlier, stretch.later), (wanted, earlier, later), "{call:?}");
    }
    let wrong = within(-1, None, false, 3);
    assert_eq!(house.ask(&caller(1), wrong).await.unwrap_err().field.unwrap(), "after");
}

pub async fn pins_are_what_each_room_tells(house: House) {
    let ids = rooms(&house).await;
    let [full, _, renamed, left, foreign, channel, ..] = ids[..] else { panic!("{ids:?}") };
    for (by, room, seq) in
        [(1, full, 3), (2, full, 1), (1, full, 7), (3, full, 2), (2, renamed, 1), (2, left, 1), (2, foreign, 1), (2, channel, 1)]
    {
        house.pin(by, room, seq, true).await.unwrap();
    }
    house.pin(1, full, 7, false).await.unwrap();
    house.react(1, full, 1, "👍", true).await.unwrap();
    house.edit(2, full, 2, "what was pinned, edited").await.unwrap();
    for most in [1, 2, 3, 50] {
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let call = PinsOf { rooms: ids.clone(), after: after.clone(), limit: limit(most) };
            let several = house.ask(&caller(1), call).await.unwrap();
            assert_eq!(several.len(), ids.len());
            let mut next = None;
            for (id, OfRoom { room, answer }) in ids.iter().zip(several) {
                assert_eq!(*id, room);
                let single = house.ask(&caller(1), Pins { room, after: after.clone(), limit: limit(most) }).await;
                assert_eq!(answer.clone().map(Page::from), single);
                if room == full {
                    let page = answer.unwrap();
                    next = page.items.last().filter(|_| page.more).map(|(place, _)| place.clone());
                    seen.extend(page.items.into_iter().map(|(_, message)| message.seq));
                }
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, [2, 1, 3], "the newest pin first");
    }
    let call = |rooms: Vec<RoomId>, after: Option<&str>| PinsOf { rooms, after: after.map(str::to_owned), limit: limit(1) };
    let refused = house.ask(&caller(1), call(vec![full; 101], None)).await.unwrap_err();
    assert_eq!((refused.code, refused.field.as_deref()), (Code::InvalidRequest, Some("rooms")));
    let refused = house.ask(&caller(1), call(vec![full], Some("x"))).await.unwrap_err();
    assert_eq!((refused.code, refused.field.as_deref()), (Code::InvalidRequest, Some("after")));
    assert!(house.ask(&caller(1), call(vec![], None)).await.unwrap().is_empty());
}

pub async fn they_cost_a_fixed_number_of_statements(house: House) {
    let mut costs = Vec::new();
    for most in [2, 30] {
        while house.ask(&caller(1), MyRooms { after: None, limit: limit(100) }).await.unwrap().items.len() < most {
            let room = house.room(1, RoomKind::Group, None, &[2, 3]).await.id;
            for number in 1..4 {
                house.send(number, room, "x").await;
            }
            house.pin(1, room, 1, true).await.unwrap();
        }
        // What publishes the sends above may still read: the fewest of a few tries is what the calls themselves cost.
        let (mut fewest, mut seen) = (u64::MAX, None);
        for _ in 0..5 {
            let before = house.db.statements();
            let mine = house.ask(&caller(1), MyRooms { after: None, limit: limit(100) }).await.unwrap().items;
            let rooms: Vec<RoomId> = mine.iter().map(|room| room.id).collect();
            let call = Histories { rooms: rooms.clone(), after: 0, before: None, newest: true, limit: limit(20) };
            let stretches = house.ask(&caller(1), call).await.unwrap();
            let call = MembersOf { rooms: rooms.clone(), after: None, limit: limit(20) };
            let members = house.ask(&caller(1), call).await.unwrap();
            let call = PinsOf { rooms: rooms.clone(), after: None, limit: limit(20) };
            let pins = house.ask(&caller(1), call).await.unwrap();
            assert_eq!(house.ask(&caller(1), GetRooms { rooms }).await.unwrap(), mine);
            fewest = fewest.min(house.db.statements() - before);
            seen = Some((mine, stretches, members, pins));
        }
        costs.push(fewest);
        let (mine, stretches, members, pins) = seen.unwrap();
        assert_eq!(mine.len(), most);
        assert!(stretches.iter().all(|stretch| stretch.answer.as_ref().unwrap().messages.len() == 3));
        assert!(pins.iter().all(|page| page.answer.as_ref().unwrap().items[0].1.seq == 1));
        assert!(members.iter().all(|page| page.answer.as_ref().unwrap().items[0].1.username == user(1).username));
    }
    // One for the page of rooms, four for each view, five for messages, two for members, four for pins.
    assert_eq!(costs, [20, 20]);
}

/// The longest message: 8,000 characters of four bytes each.
fn long() -> String {
    "👍".repeat(8_000)
}

const MIB: usize = 1 << 20;

pub async fn long_messages_end_a_stretch_early(house: House) {
    let mut rooms = Vec::new();
    for (body, count) in [(long(), 40), ("short".to_owned(), 5), (long(), 40)] {
        let room = house.room(1, RoomKind::Group, None, &[2]).await.id;
        for _ in 0..count {
            house.send(2, room, &body).await;
        }
        rooms.push(room);
    }
    let seqs = |stretch: &Stretch| stretch.messages.iter().map(|message| message.seq).collect::<Vec<_>>();
    let bytes = |stretch: &Stretch| stretch.messages.iter().map(|message| message.body.as_str().len()).sum::<usize>();
    for newest in [true, false] {
        let call = |rooms: &[RoomId], after, before| Histories { rooms: rooms.to_vec(), after, before, newest, limit: limit(100) };
        let found = house.ask(&caller(1), call(&rooms, 0, None)).await.unwrap();
        let found: Vec<Stretch> = found.into_iter().map(|of| of.answer.unwrap()).collect();
        let all: usize = found.iter().map(bytes).sum();
        assert!(all <= MIB && all > MIB - 40_000, "{all}");
        assert_eq!(seqs(&found[1]), [1, 2, 3, 4, 5], "who has little is not cut for others' sake");
        assert_eq!((found[0].messages.len(), found[2].messages.len()), (16, 16));
        for stretch in [&found[0], &found[2]] {
            assert_eq!((stretch.earlier, stretch.later), (newest, !newest), "that there are more is said");
            assert_eq!(seqs(stretch), if newest { (25..=40).collect::<Vec<_>>() } else { (1..=16).collect() });
        }
        // Page by page there is everything, each once.
        let (mut seen, mut after, mut before) = (Vec::new(), 0, None);
        loop {
            let page = house.ask(&caller(1), call(&rooms[..1], after, before)).await.unwrap().pop().unwrap().answer.unwrap();
            assert!(bytes(&page) <= MIB && !page.messages.is_empty());
            let seqs = seqs(&page);
            seen.extend(seqs.iter().copied());
            (after, before) = if newest { (0, seqs.first().copied()) } else { (*seqs.last().unwrap(), None) };
            if !(if newest { page.earlier } else { page.later }) {
                break;
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, (1..=40).collect::<Vec<_>>());
    }
}

pub async fn long_messages_end_a_page_of_pins_early(house: House) {
    let mut rooms = Vec::new();
    for (body, count) in [(long(), 40), ("short".to_owned(), 5)] {
        let room = house.room(1, RoomKind::Group, None, &[2]).await.id;
        for seq in 1..=count {
            house.send(2, room, &body).await;
            house.pin(1, room, 2 * seq - 1, true).await.unwrap();
        }
        rooms.push(room);
    }
    let ask = async |rooms: &[RoomId], after| {
        let found = house.ask(&caller(1), PinsOf { rooms: rooms.to_vec(), after, limit: limit(100) }).await.unwrap();
        found.into_iter().map(|of| of.answer.unwrap()).collect::<Vec<Placed<Message>>>()
    };
    let seqs = |page: &Placed<Message>| page.items.iter().map(|(_, message)| message.seq).collect::<Vec<_>>();
    let bytes = |page: &Placed<Message>| page.items.iter().map(|(_, message)| message.body.as_str().len()).sum::<usize>();
    let found = ask(&rooms, None).await;
    let all: usize = found.iter().map(bytes).sum();
    assert!(all <= MIB && all > MIB - 40_000, "{all}");
    assert_eq!((seqs(&found[1]), found[1].more), (vec![9, 7, 5, 3, 1], false), "who has little is not cut for others' sake");
    assert!(found[0].more, "that there are more is said");
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = ask(&rooms[..1], after).await.remove(0);
        assert!(bytes(&page) <= MIB && !page.items.is_empty());
        seen.extend(seqs(&page));
        after = page.items.last().map(|(place, _)| place.clone());
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, (1..=40).rev().map(|n| 2 * n - 1).collect::<Vec<i64>>(), "page by page there is everything, each once");
}

pub async fn long_messages_end_a_page_of_the_log_early(house: House) {
    let room = house.room(1, RoomKind::Group, None, &[2]).await.id;
    for _ in 0..70 {
        house.send(2, room, &long()).await;
    }
    let partition = house.part(room);
    let (mut after, mut pages) = (0, Vec::new());
    loop {
        let entries = house.ask(&service(), ReadLog { epoch: house.db.epoch(), partition, after, limit: 500 }).await.unwrap();
        let Some(last) = entries.last() else { break };
        after = last.position;
        let bodies = entries.iter().filter_map(|entry| match &entry.event {
            Event::NewMessage { message, .. } => Some(message.body.as_str().len()),
            _ => None,
        });
        pages.push((entries.len(), bodies.sum::<usize>()));
    }
    assert!(pages.iter().all(|(_, bytes)| *bytes <= MIB), "{pages:?}");
    assert!((3..=4).contains(&pages.len()), "{pages:?}");
    assert_eq!(pages.iter().map(|(entries, _)| entries).sum::<usize>(), 70 + 2, "and two who hear of the room");
    assert_eq!(house.ask(&service(), ReadLog { epoch: house.db.epoch(), partition, after: 0, limit: 1 }).await.unwrap().len(), 1);
    assert_eq!(house.ask(&service(), ReadLog { epoch: house.db.epoch(), partition, after: 0, limit: 0 }).await.unwrap().len(), 0);
}
