//! Resuming: what was missed since a cursor, exactly.

use super::house::{House, caller, service, user};
use bus::Heard;
use contract::RoomKind::{Channel, Direct, Group};
use contract::calls::messages::{self as calls, Missed, ReadMissed};
use contract::log::{Batch, Entry, Event};
use contract::{Cursor, RoomId};
use db::values;
use std::collections::HashMap;

impl House {
    pub async fn cursor(&self) -> Cursor {
        self.ask(&service(), calls::Head {}).await.unwrap()
    }

    /// A group of users 1 and 2 in each partition of the log, in the order of partitions. They may have come to be in some more.
    async fn a_room_in_each_partition(&self) -> Vec<RoomId> {
        let mut rooms = vec![None; self.cursor().await.positions.len()];
        while rooms.iter().any(Option::is_none) {
            self.turn_clock(1);
            let room = self.room(1, Group, Some("g"), &[2]).await.id;
            rooms[usize::from(self.part(room))] = Some(room);
        }
        rooms.into_iter().flatten().collect()
    }

    /// When each row of the log was committed.
    async fn times(&self) -> HashMap<(u16, i64), i64> {
        let sql = "SELECT part, position, created_at FROM log";
        let times =
            self.db.read(move |tx| Box::pin(async move { tx.rows(sql, &[], |row| Ok((row.int(0)?, row.int(1)?, row.int(2)?))).await }));
        times.await.unwrap().into_iter().map(|(part, position, at)| ((part as u16, position), at)).collect()
    }

    /// Everything that a user has missed, in pages.
    pub async fn missed(&self, number: u64, cursor: &Cursor, limit: u16) -> Vec<Entry> {
        let mut all = Vec::new();
        let mut cursor = cursor.clone();
        let mut going_on = false;
        loop {
            let call = ReadMissed { user: user(number), cursor: cursor.to_string(), until: None, limit, going_on };
            match self.ask(&service(), call).await.unwrap() {
                Missed::TooFar { why } => panic!("{why}"),
                Missed::Entries { entries, cursor: next, more } => {
                    assert!(entries.len() <= usize::from(limit));
                    assert!(next.positions.iter().zip(&cursor.positions).all(|(next, before)| next >= before));
                    all.extend(entries);
                    cursor = next;
                    going_on = true;
                    if !more {
                        return all;
                    }
                }
            }
        }
    }
}

pub fn brief(entry: &Entry) -> String {
    match &entry.event {
        Event::RoomCreated { reader, .. } => format!("room for {}", reader.username),
        Event::NewMessage { message, .. } => format!("{} {}", message.seq, message.body),
        Event::MemberJoined(m) => format!("{} {} joined", m.seq, m.user.username),
        Event::MemberLeft(m) => format!("{} {} left", m.seq, m.user.username),
        Event::RoomUpdated(updated) => format!("{} named {}", updated.seq, updated.name.as_ref().map_or("", |name| name.as_str())),
        Event::MessageEdited(edited) => format!("{} edits {} to {}", edited.seq, edited.ref_seq, edited.message.body),
        Event::MessageDeleted(deleted) => format!("{} deletes {}{}", deleted.seq, deleted.ref_seq, deleted.message.body),
        Event::ReactionsChanged(changed) => {
            let counts: Vec<String> = changed.reactions.iter().map(|reaction| format!("{}{}", reaction.emoji, reaction.count)).collect();
            format!("{} reacts to {}: {}", changed.seq, changed.ref_seq, counts.join(" "))
        }
        Event::MessagePinned(pinned) => format!("{} pins {}", pinned.seq, pinned.ref_seq),
        Event::MessageUnpinned(unpinned) => format!("{} unpins {}", unpinned.seq, unpinned.ref_seq),
        Event::Unknown(unknown) => match (&unknown.reader, unknown.seq) {
            (Some(reader), None) => format!("kind {} for {}", unknown.kind, reader.username),
            (reader, seq) => format!("{seq:?} kind {} {reader:?}", unknown.kind),
        },
    }
}

pub async fn a_replay_holds_what_was_missed_and_nothing_else(house: House) {
    let start = house.cursor().await;
    let direct = house.room(1, Direct, None, &[3]).await.id;
    house.turn_clock(1);
    let group = house.room(1, Group, Some("g"), &[2]).await.id;
    let part = usize::from(house.part(group));
    house.send(1, group, "before").await;
    house.try_send(1, direct, "private", Some("secret")).await.unwrap();
    house.turn_clock(1);
    house.add(1, group, 3).await.unwrap();
    house.send(2, group, "with 3").await;
    house.remove(3, group, 3).await.unwrap();
    house.send(2, group, "without 3").await;
    house.add(1, group, 3).await.unwrap();
    house.send(2, group, "with 3 again").await;

    let three: Vec<_> = house.missed(3, &start, 2).await.iter().map(brief).collect();
    let expected =
        ["room for u3", "1 private", "room for u3", "2 u3 joined", "3 with 3", "4 u3 left", "room for u3", "6 u3 joined", "7 with 3 again"];
    assert_eq!(three, expected);
    assert_eq!(house.missed(3, &start, 200).await.iter().map(brief).collect::<Vec<_>>(), expected);
    assert!(house.missed(4, &start, 200).await.is_empty(), "a cursor names nobody; who was in no room gets nothing");

    // Nonces are their sender's alone.
    let nonce = async |number| {
        let entries = house.missed(number, &start, 200).await;
        entries.into_iter().find_map(|entry| match entry.event {
            Event::NewMessage { message, .. } if message.room == direct => Some(message.nonce.map(String::from)),
            _ => None,
        })
    };
    assert_eq!(nonce(1).await, Some(Some("secret".into())));
    assert_eq!(nonce(3).await, Some(None));

    // Who has left a group since gets told that it was in it, and nothing of what the group has become.
    house.remove(1, group, 3).await.unwrap();
    house.ask(&caller(1), calls::UpdateRoom::name(group, "since renamed".try_into().unwrap())).await.unwrap();
    house.add(1, group, 4).await.unwrap();
    let rooms = house.missed(3, &start, 200).await.into_iter().filter_map(|entry| match entry.event {
        Event::RoomCreated { room, .. } if room.id == group => Some((room.name, room.usernames, room.head, room.last_message)),
        _ => None,
    });
    assert!(rooms.collect::<Vec<_>>().iter().all(|room| *room == (None, vec![user(3).username], 0, None)));
    let expected = [&expected[..], &["8 u3 left"]].concat();

    // Up to a place, and from there on.
    let middle = house.missed(3, &start, 200).await[3].position;
    let mut until = house.cursor().await;
    until.positions[part] = middle;
    let until = Some(until);
    let call = ReadMissed { user: user(3), cursor: start.to_string(), until, limit: 200, going_on: false };
    let Missed::Entries { entries, cursor, more } = house.ask(&service(), call).await.unwrap() else { panic!() };
    assert_eq!((entries.len(), cursor.positions[part], more), (4, middle, false));
    assert_eq!(house.missed(3, &cursor, 200).await.iter().map(brief).collect::<Vec<_>>(), expected[4..]);
    assert!(house.missed(3, &house.cursor().await, 200).await.is_empty());
}

pub async fn a_page_of_large_messages_is_short(house: House) {
    let start = house.cursor().await;
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    for _ in 0..20 {
        house.send(1, room, &"\u{1F600}".repeat(8_000)).await;
    }
    let call = ReadMissed { user: user(2), cursor: start.to_string(), until: None, limit: 200, going_on: false };
    let Missed::Entries { entries, cursor, more } = house.ask(&service(), call).await.unwrap() else { panic!() };
    assert_eq!((entries.len(), more), (10, true), "the room and 9 times 32,000 bytes, the first that are 256 KiB");
    assert_eq!(entries.last().map(|entry| entry.position), Some(cursor.positions[usize::from(house.part(room))]));
    let seq = |entry: Entry| if let Event::NewMessage { message, .. } = entry.event { Some(message.seq) } else { None };
    let seqs: Vec<_> = house.missed(2, &start, 200).await.into_iter().filter_map(seq).collect();
    assert_eq!(seqs, (1..=20).collect::<Vec<_>>(), "nothing is lost between pages");
}

pub async fn a_cursor_that_cannot_be_taken_up_is_said(house: House) {
    let start = house.cursor().await;
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let why = async |cursor: String, going_on| {
        let call = ReadMissed { user: user(2), cursor, until: None, limit: 10, going_on };
        match house.ask(&service(), call).await.unwrap() {
            Missed::TooFar { why } => Some(why),
            Missed::Entries { .. } => None,
        }
    };
    let at = |epoch, positions| Cursor::new(epoch, positions).to_string();
    let parts = start.positions.len();
    assert!(why("nonsense".into(), false).await.is_some());
    assert!(why(at(start.epoch ^ 1, vec![0; parts]), false).await.is_some());
    assert!(why(at(start.epoch, vec![999; parts]), false).await.is_some());
    assert!(why(at(start.epoch, vec![0; parts + 1]), false).await.is_some());
    assert!(why(at(start.epoch, vec![0; parts]), false).await.is_none());
    // 1 room created and 4,999 messages are 5,000 events of this user; one more is too many.
    for chunk in 0..5 {
        let count = if chunk == 4 { 999 } else { 1_000 };
        futures_util::future::join_all((0..count).map(|_| house.send(1, room, "x"))).await;
    }
    assert!(why(start.to_string(), false).await.is_none());
    house.send(1, room, "x").await;
    assert!(why(start.to_string(), false).await.is_some());
    assert!(why(start.to_string(), true).await.is_none(), "a replay that was begun goes on");
    let heads = house.ask(&service(), calls::Heads { user: user(2).id }).await.unwrap();
    assert_eq!((heads.rooms.len(), heads.rooms[0].head, heads.cursor), (1, 5_000, house.cursor().await));
}

/// What was committed over all partitions comes as it was committed, in pages of any length, and every cursor that a client can have got is a
/// place to go on from exactly.
pub async fn a_replay_comes_in_the_order_of_commits(house: House) {
    let start = house.cursor().await;
    let rooms = house.a_room_in_each_partition().await;
    let mut told: Vec<String> = house.missed(2, &start, 200).await.iter().map(brief).collect();
    let mut random = Random(11);
    for n in 0..60 {
        house.turn_clock(1);
        let room = rooms[random.below(rooms.len())];
        house.send(1, room, &format!("n{n}")).await;
        let seq = house.see(1, room).await.unwrap().head;
        told.push(format!("{seq} n{n}"));
    }
    for limit in [1, 2, 7, 200] {
        assert_eq!(house.missed(2, &start, limit).await.iter().map(brief).collect::<Vec<_>>(), told, "in pages of {limit}");
    }
    // As a gateway makes them: a partition's place is that of the last entry that was sent of it.
    let mut cursor = start;
    for (count, entry) in (1..).zip(house.missed(2, &cursor.clone(), 200).await) {
        cursor.positions[usize::from(entry.partition)] = entry.position;
        assert_eq!(house.missed(2, &cursor, 5).await.iter().map(brief).collect::<Vec<_>>(), told[count..], "after {count}");
    }
}

/// Up to where the caller has the rest by other means, every partition is covered, and nothing past it is told.
pub async fn a_replay_ends_where_it_is_told_to(house: House) {
    let start = house.cursor().await;
    let rooms = house.a_room_in_each_partition().await;
    let mut ends = Vec::new();
    for _ in 0..10 {
        for room in &rooms {
            house.turn_clock(1);
            house.send(1, *room, "x").await;
        }
        ends.push(house.cursor().await);
    }
    // A place that partitions have reached at different times, as a gateway's is.
    let mut until = ends[2].clone();
    if let Some(last) = until.positions.last_mut() {
        *last = *ends[7].positions.last().unwrap();
    }
    let (mut cursor, mut told, mut more) = (start.clone(), Vec::new(), true);
    while more {
        let call = ReadMissed { user: user(2), cursor: cursor.to_string(), until: Some(until.clone()), limit: 3, going_on: true };
        let Missed::Entries { entries, cursor: next, more: is_more } = house.ask(&service(), call).await.unwrap() else { panic!() };
        told.extend(entries.iter().map(|entry| (entry.partition, entry.position)));
        (cursor, more) = (next, is_more);
    }
    assert_eq!(cursor, until);
    let all: Vec<_> = house.missed(2, &start, 200).await.iter().map(|entry| (entry.partition, entry.position)).collect();
    let within = |(part, position): &(u16, i64)| *position <= until.positions[usize::from(*part)];
    assert_eq!(told, all.iter().copied().filter(within).collect::<Vec<_>>());
    assert_eq!(told.len() + house.missed(2, &until, 200).await.len(), all.len());
}

/// However much was missed, a page looks at little more than what it tells.
pub async fn a_page_costs_what_it_holds(house: House) {
    let start = house.cursor().await;
    let rooms = house.a_room_in_each_partition().await;
    let mut costs = Vec::new();
    for most in [25, 400] {
        for room in &rooms {
            let count = most - house.see(1, *room).await.unwrap().head;
            futures_util::future::join_all((0..count).map(|_| house.send(1, *room, "x"))).await;
        }
        let call = ReadMissed { user: user(2), cursor: start.to_string(), until: None, limit: 20, going_on: false };
        let before = house.db.statements();
        let Missed::Entries { entries, more: true, .. } = house.ask(&service(), call).await.unwrap() else { panic!() };
        assert_eq!(entries.len(), 20);
        costs.push(house.db.statements() - before);
    }
    // Of each partition: its end, what is for one alone, rooms with news, one room's head, five halvings or nine, its places, and four rows more
    // than are taken. At the most twice the rows that are taken. And three for the rooms that were created, as they are now.
    let parts = rooms.len() as u64;
    assert!(costs[0] <= parts * 14 + 2 * 20 + 3 && costs[1] <= costs[0] + parts * 4, "{costs:?} statements for {parts} partitions");
}

/// Random joins, leaves, renames and messages, by a clock that is set back now and then; then every user's replay from every place is what the
/// log says that user lived through.
pub async fn random_histories_are_replayed_exactly(house: House) {
    let mut random = Random(7);
    let mut rooms: Vec<RoomId> = Vec::new();
    for n in 0..4 {
        rooms.push(house.room(1 + n % 3, Channel, Some("c"), &[]).await.id);
    }
    for n in 0..250 {
        let (room, number) = (rooms[random.below(4)], 1 + random.below(5) as u64);
        house.turn_clock(if random.below(20) == 0 { -10 } else { 1 });
        // Whatever is refused (a leave of who is not in) changes nothing, which is part of the test.
        match random.below(6) {
            0 | 1 => _ = house.add(number, room, number).await,
            2 => _ = house.remove(number, room, number).await,
            3 => _ = house.ask(&caller(number), calls::UpdateRoom::name(room, format!("n{n}").try_into().unwrap())).await,
            _ => _ = house.try_send(number, room, &format!("m{n}"), None).await,
        }
    }
    house.must_be_sound().await;
    let end = house.cursor().await;
    let mut log = Vec::new();
    for partition in 0..end.positions.len() as u16 {
        log.extend(house.ask(&service(), calls::ReadLog { epoch: house.db.epoch(), partition, after: 0, limit: 10_000 }).await.unwrap());
    }
    let times = house.times().await;
    // By time; times never fall within a partition, so its order is kept.
    log.sort_by_key(|entry| (times[&(entry.partition, entry.position)], entry.partition, entry.position));
    for number in 1..=5 {
        let me = user(number);
        // What this user lived through, by the log alone.
        let mut inside: HashMap<RoomId, bool> = HashMap::new();
        let mut lived = Vec::new();
        for entry in &log {
            let room = entry.event.room();
            let mine = match &entry.event {
                Event::RoomCreated { reader, .. } => {
                    if *reader == me {
                        inside.insert(room, true);
                    }
                    *reader == me
                }
                Event::MemberLeft(membership) if membership.user == me => inside.insert(room, false) == Some(true),
                _ => inside.get(&room) == Some(&true),
            };
            if mine {
                lived.push((entry.partition, entry.position, brief(entry)));
            }
        }
        for _ in 0..20 {
            let from = end.positions.iter().map(|end| random.below(*end as usize + 1) as i64).collect();
            let cursor = Cursor::new(end.epoch, from);
            let place = |entry: &Entry| (entry.partition, entry.position, brief(entry));
            let replay: Vec<_> = house.missed(number, &cursor, 7).await.iter().map(place).collect();
            let expected: Vec<_> =
                lived.iter().filter(|(part, position, _)| *position > cursor.positions[usize::from(*part)]).cloned().collect();
            assert_eq!(replay, expected, "user {number} from {cursor}");
        }
    }
}

/// What an operator has made of the times by hand, or a copy of another program's, makes no cursor wrong.
pub async fn times_that_fall_lose_and_double_nothing(house: House) {
    let start = house.cursor().await;
    let rooms = house.a_room_in_each_partition().await;
    let created = house.missed(2, &start, 200).await.len();
    for n in 0..40 {
        house.send(1, rooms[n % rooms.len()], &format!("n{n}")).await;
    }
    let sql = "UPDATE log SET created_at = created_at + 1000 - (position * 7919) % 13";
    house.db.write(move |tx| Box::pin(async move { tx.execute(sql, &values![]).await })).await.unwrap();
    let place = |entry: &Entry| (entry.partition, entry.position);
    let all: Vec<_> = house.missed(2, &start, 200).await.iter().map(place).collect();
    assert_eq!(all.len(), created + 40);
    for part in 0..start.positions.len() as u16 {
        let own: Vec<_> = all.iter().filter(|(of, _)| *of == part).collect();
        assert!(own.is_sorted(), "a partition's order is that of its positions: {own:?}");
    }
    let mut cursor = start;
    for (count, (part, position)) in (1..).zip(all.clone()) {
        cursor.positions[usize::from(part)] = position;
        assert_eq!(house.missed(2, &cursor, 3).await.iter().map(place).collect::<Vec<_>>(), all[count..], "after {count}");
    }
}

/// What is told of each entry that is no `room created`.
fn events(entries: &[Entry]) -> Vec<Event> {
    entries.iter().map(|entry| entry.event.clone()).filter(|event| !matches!(event, Event::RoomCreated { .. })).collect()
}

/// A former member hears of the time in the room as it was at the leaving: no edit, reaction or pin from later. What was deleted since is gone.
pub async fn who_has_left_hears_nothing_from_after_the_leaving(house: House) {
    let start = house.cursor().await;
    let room = house.room(1, Group, Some("g"), &[2, 3]).await.id;
    house.send(1, room, "one").await;
    let rich = calls::Rich { reply_to: Some(1), ..calls::Rich::default() };
    house.ask(&caller(2), calls::Send { room, body: "yes".try_into().unwrap(), nonce: None, rich }).await.unwrap();
    house.edit(1, room, 1, "one, edited").await.unwrap();
    house.react(2, room, 1, "x", true).await.unwrap();
    house.send(2, room, "to be deleted").await;
    house.send(2, room, "never changed then").await;
    house.remove(3, room, 3).await.unwrap();
    let left = house.missed(3, &start, 200).await;
    let told = [
        "room for u3",
        "1 one, edited",
        "2 yes",
        "3 edits 1 to one, edited",
        "4 reacts to 1: x1",
        "5 to be deleted",
        "6 never changed then",
        "7 u3 left",
    ];
    assert_eq!(left.iter().map(brief).collect::<Vec<_>>(), told);

    house.edit(1, room, 1, "a secret").await.unwrap();
    house.react(1, room, 1, "x", true).await.unwrap();
    house.react(2, room, 1, "x", false).await.unwrap();
    house.react(2, room, 1, "y", true).await.unwrap();
    house.edit(2, room, 2, "a secret, too").await.unwrap();
    house.edit(2, room, 6, "a third secret").await.unwrap();
    house.pin(1, room, 6, true).await.unwrap();
    for limit in [1, 3, 200] {
        assert_eq!(events(&house.missed(3, &start, limit).await), events(&left), "in pages of {limit}");
    }
    house.delete(2, room, 5).await.unwrap();
    let told = told.map(|told| if told == "5 to be deleted" { "5 " } else { told });
    let now = house.missed(3, &start, 200).await;
    assert_eq!(now.iter().map(brief).collect::<Vec<_>>(), told);
    let tombstone = now.iter().find_map(|entry| match &entry.event {
        Event::NewMessage { message, .. } if message.seq == 5 => message.deleted_by.clone(),
        _ => None,
    });
    assert_eq!(tombstone, Some(user(2).username));

    // The quote of what is deleted is gone, too, also for who has left.
    house.delete(1, room, 1).await.unwrap();
    let now = house.missed(3, &start, 200).await;
    let quote = now.iter().find_map(|entry| match &entry.event {
        Event::NewMessage { message, .. } if message.seq == 2 => message.reply_to.as_ref().map(|reply_to| reply_to.body.clone()),
        _ => None,
    });
    assert_eq!(quote.as_deref(), Some(""));
    let told = ["room for u3", "1 ", "2 yes", "3 edits 1 to ", "4 reacts to 1: ", "5 ", "6 never changed then", "7 u3 left"];
    assert_eq!(now.iter().map(brief).collect::<Vec<_>>(), told);
    // Who is in the room hears the present.
    assert_eq!(brief(&house.missed(2, &start, 200).await[2]), "2 a secret, too");
    house.must_be_sound().await;
}

/// Who is in the room again may read all of it, so the present is told; who has left again hears it as of the last leaving.
pub async fn who_is_back_hears_the_present(house: House) {
    let start = house.cursor().await;
    let room = house.room(1, Group, Some("g"), &[2, 3]).await.id;
    house.send(1, room, "first").await;
    house.remove(3, room, 3).await.unwrap();
    house.edit(1, room, 1, "second").await.unwrap();
    house.send(1, room, "without 3").await;
    let told = async || house.missed(3, &start, 200).await.iter().map(brief).collect::<Vec<_>>();
    assert_eq!(told().await, ["room for u3", "1 first", "2 u3 left"]);
    house.add(1, room, 3).await.unwrap();
    let back = ["room for u3", "1 second", "2 u3 left", "room for u3", "5 u3 joined"];
    assert_eq!(told().await, back);
    house.edit(1, room, 1, "third").await.unwrap();
    assert_eq!(told().await[1], "1 third");
    house.remove(3, room, 3).await.unwrap();
    house.edit(1, room, 1, "fourth").await.unwrap();
    let left = ["room for u3", "1 third", "2 u3 left", "room for u3", "5 u3 joined", "6 edits 1 to third", "7 u3 left"];
    assert_eq!(told().await, left);
    // From a place within the second time on.
    let mut cursor = start.clone();
    let entries = house.missed(3, &start, 200).await;
    cursor.positions[usize::from(house.part(room))] = entries[4].position;
    assert_eq!(house.missed(3, &cursor, 200).await.iter().map(brief).collect::<Vec<_>>(), left[5..]);
}

/// A gateway that reads the log passes it on to those who were members then, and some may have left since. So it reads what the hints have told,
/// whatever came after.
pub async fn a_gateway_reads_what_hints_have_told(house: House) {
    let mut hints = house.bus.subscribe::<Batch>();
    let room = house.room(1, Group, Some("g"), &[2, 3, 4]).await.id;
    let partition = house.part(room);
    let (mut random, mut told, mut last) = (Random(5), Vec::new(), 0);
    for n in 0..230 {
        let (by, seq) = (1 + random.below(4) as u64, 1 + random.below(30) as i64);
        let (emoji, on) = (["a", "b", "c"][random.below(3)], random.below(3) > 0);
        // First the messages that are changed. Whatever is refused changes nothing.
        match if n < 30 { 0 } else { random.below(8) } {
            0 | 1 => _ = house.try_send(by, room, &format!("said {n}"), None).await,
            2 | 3 => _ = house.edit(by, room, seq, &format!("edited {n}")).await,
            4 | 5 => _ = house.react(by, room, seq, emoji, on).await,
            6 => _ = house.pin(by, room, seq, on).await,
            _ => _ = house.remove(by, room, 2 + n % 3).await.is_ok() && house.add(1, room, 2 + n % 3).await.is_ok(),
        }
        let end = house.cursor().await.positions[usize::from(partition)];
        while last < end {
            let Some(Heard::Hint(batch)) = hints.next().await else { panic!("a hint was missed") };
            last = batch.last;
            told.extend(events(&batch.entries));
        }
    }
    assert!(told.len() > 100);
    let call = calls::ReadLog { epoch: house.db.epoch(), partition, after: 0, limit: 10_000 };
    assert_eq!(events(&house.ask(&service(), call.clone()).await.unwrap()), told);
    // Of what is deleted nothing is told again.
    let seq = house.send(1, room, "to be deleted").await.seq;
    house.edit(1, room, seq, "to be deleted, too").await.unwrap();
    house.delete(1, room, seq).await.unwrap();
    let entries = house.ask(&service(), call).await.unwrap();
    let told: Vec<String> = entries.iter().rev().take(3).map(brief).collect();
    assert_eq!(told, [format!("{} deletes {seq}", seq + 2), format!("{} edits {seq} to ", seq + 1), format!("{seq} ")]);
    house.must_be_sound().await;
}

/// A small generator of our own, so that a failure can be run again as it was (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize) % most
    }
}
