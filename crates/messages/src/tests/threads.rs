//! Threads.

use super::house::{House, caller, service};
use contract::RoomKind::{Channel, Direct, Group};
use contract::calls::messages as calls;
use contract::calls::threads::{FollowThread, MarkThreadRead, MyThreads, MyThreadsPlaced, RepliesOf, RoomThreads, Thread, ThreadsOf};
use contract::log::Event;
use contract::message::ThreadInfo;
use contract::{Code, Limit, Message, Page, Refusal, RoomId};
use futures_util::future::join_all;

impl House {
    async fn page(&self, by: u64, room: RoomId, thread: Option<i64>, before: Option<i64>, limit: i64) -> Page<Message> {
        let call = calls::History { room, before, after: None, thread, limit: Limit::try_from(limit).unwrap() };
        self.ask(&caller(by), call).await.unwrap()
    }

    async fn bodies(&self, by: u64, room: RoomId, thread: Option<i64>) -> Vec<String> {
        self.page(by, room, thread, None, 100).await.items.into_iter().map(|message| message.body.as_str().to_owned()).collect()
    }

    async fn threads_of(&self, by: u64, room: RoomId) -> Vec<Thread> {
        self.ask(&caller(by), RoomThreads { room, after: None, limit: Limit::MOST }).await.unwrap().items
    }

    /// The first messages of the threads that somebody follows, each with what is unread.
    async fn followed(&self, by: u64, unread: bool) -> Vec<(i64, i64)> {
        let page = self.ask(&caller(by), MyThreads { unread, after: None, limit: Limit::MOST }).await.unwrap();
        page.items.into_iter().map(|thread| (thread.root.seq, thread.unread)).collect()
    }

    async fn follow(&self, by: u64, room: RoomId, thread: i64, on: bool) -> Result<(), Refusal> {
        self.ask(&caller(by), FollowThread { room, thread, on }).await
    }

    async fn read_thread(&self, by: u64, room: RoomId, thread: i64, seq: i64) -> (i64, i64) {
        let calls::ReadMark { read, unread } = self.ask(&caller(by), MarkThreadRead { room, thread, seq }).await.unwrap();
        (read, unread)
    }
}

fn info(message: &Message) -> Option<(i64, i64, Vec<&str>)> {
    let ThreadInfo { replies, last_seq, usernames, .. } = message.thread_info.as_deref()?;
    Some((*replies, *last_seq, usernames.iter().map(|name| name.as_str()).collect()))
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> (Code, Option<String>) {
    let refusal = outcome.unwrap_err();
    (refusal.code, refusal.field)
}

pub async fn a_thread_stands_beside_the_room(house: House) {
    let room = house.room(1, Group, Some("g"), &[2, 3]).await.id;
    house.send(1, room, "root").await;
    house.send(2, room, "other").await;
    let first = house.reply(2, room, 1, "first").await.unwrap();
    assert_eq!((first.seq, first.thread, first.also_in_room), (3, Some(1), None));
    assert_eq!(info(&first), Some((1, 3, vec!["u2"])), "the acknowledgement tells of the thread");
    house.turn_clock(1_000);
    let also = house.write_in_thread(3, room, 1, "second", true).await.unwrap();
    assert_eq!((also.seq, also.thread, also.also_in_room), (4, Some(1), Some(true)));

    assert_eq!(house.bodies(1, room, None).await, ["root", "other", "second"], "the room has what says so");
    assert_eq!(house.bodies(1, room, Some(1)).await, ["first", "second"], "the thread has all but its first message");
    let root = house.message(1, room, 1).await.unwrap();
    assert_eq!((info(&root), root.rev), (Some((2, 4, vec!["u2", "u3"])), 1), "what comes in a thread is no change of its first message");
    let seen = house.see(1, room).await.unwrap();
    assert_eq!(
        (seen.head, seen.unread, seen.last_message.unwrap().seq),
        (4, 2, 4),
        "what stands in the thread alone is not unread in the room"
    );
    assert_eq!(house.page(1, room, None, Some(4), 1).await.next.as_deref(), Some("2"));
    assert_eq!(house.page(1, room, Some(1), Some(4), 1).await.next.as_deref(), Some("3"));

    let around = calls::Around { room, seq: 4, thread: Some(1), limit: Limit::try_from(2).unwrap() };
    let around = house.ask(&caller(1), around).await.unwrap();
    assert_eq!(around.items.iter().map(|message| message.seq).collect::<Vec<_>>(), [3, 4]);
    house.must_be_sound().await;
}

pub async fn a_thread_is_of_a_message_in_no_thread(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let direct = house.room(1, Direct, None, &[2]).await.id;
    house.send(1, room, "root").await;
    house.send(1, direct, "root").await;
    house.reply(2, room, 1, "reply").await.unwrap();
    house.react(1, room, 1, "👍", true).await.unwrap();
    let invalid = (Code::InvalidRequest, Some("thread".to_owned()));
    for thread in [2, 3, 4, 99] {
        assert_eq!(refused(house.reply(2, room, thread, "no").await), invalid, "{thread}: in a thread, a change, not there");
    }
    assert_eq!(refused(house.reply(2, direct, 1, "no").await), (Code::Forbidden, Some("thread".to_owned())));
    let rich = calls::Rich { also_in_room: true, ..calls::Rich::default() };
    let call = calls::Send { room, body: "no".try_into().unwrap(), nonce: None, rich };
    assert_eq!(refused(house.ask(&caller(1), call).await), (Code::InvalidRequest, Some("also_in_room".to_owned())));
    for call in [2, 3, 99] {
        let missing = (Code::NotFound, Some("thread".to_owned()));
        assert_eq!(refused(house.follow(2, room, call, true).await), missing);
        assert_eq!(refused(house.ask(&caller(2), MarkThreadRead { room, thread: call, seq: 1 }).await), missing);
        let page = calls::History { room, before: None, after: None, thread: Some(call), limit: Limit::MOST };
        assert_eq!(refused(house.ask(&caller(2), page).await), missing);
    }
    assert_eq!(refused(house.reply(3, room, 1, "no").await).0, Code::NotFound, "a stranger");
    assert_eq!(refused(house.follow(3, room, 1, true).await).0, Code::NotFound);
    assert_eq!(refused(house.ask(&caller(3), RoomThreads { room, after: None, limit: Limit::MOST }).await).0, Code::NotFound);
    let negative = house.ask(&caller(2), MarkThreadRead { room, thread: 1, seq: -1 }).await;
    assert_eq!(refused(negative), (Code::InvalidRequest, Some("seq".to_owned())));
    let bad = MyThreads { unread: false, after: Some("x".into()), limit: Limit::MOST };
    assert_eq!(refused(house.ask(&caller(2), bad).await), (Code::InvalidRequest, Some("after".to_owned())));
    house.must_be_sound().await;
}

pub async fn who_is_in_a_thread_follows_it(house: House) {
    let room = house.room(1, Group, Some("g"), &[2, 3, 4]).await.id;
    house.send(1, room, "root").await;
    house.reply(2, room, 1, "one").await.unwrap();
    assert_eq!(house.followed(1, true).await, [(1, 1)], "who began it");
    assert_eq!((house.followed(2, true).await, house.followed(2, false).await), (vec![], vec![(1, 0)]), "who wrote has read it");
    assert_eq!(house.followed(3, false).await, [], "others do not");
    let threads = house.threads_of(3, room).await;
    assert_eq!((threads[0].replies, threads[0].unread), (1, 1), "who has no mark has read nothing");

    house.follow(3, room, 1, true).await.unwrap();
    assert_eq!(house.followed(3, false).await, [(1, 0)], "from the newest message on");
    house.reply(2, room, 1, "two").await.unwrap();
    assert_eq!(house.followed(3, true).await, [(1, 1)]);
    assert_eq!(house.followed(1, true).await, [(1, 2)]);
    for (who, unread) in [(1, 1), (2, 0), (3, 1), (4, 0)] {
        assert_eq!(house.see(who, room).await.unwrap().unread_threads, unread, "{who}");
        let mine = calls::MyRooms { after: None, limit: Limit::MOST };
        assert_eq!(house.ask(&caller(who), mine).await.unwrap().items[0].unread_threads, unread, "{who}, in a list");
    }
    assert_eq!(house.read_thread(1, room, 1, 2).await, (2, 1));
    assert_eq!(house.read_thread(1, room, 1, 1).await, (2, 1), "a mark never goes back");
    assert_eq!(house.read_thread(1, room, 1, 99).await, (3, 0), "past the newest means that one");
    assert_eq!(house.see(1, room).await.unwrap().unread_threads, 0);
    assert_eq!(house.read_thread(4, room, 1, 99).await, (3, 0));
    assert_eq!(house.followed(4, false).await, [], "to read is not to follow");

    house.follow(3, room, 1, false).await.unwrap();
    house.reply(1, room, 1, "three").await.unwrap();
    assert_eq!((house.followed(3, false).await, house.see(3, room).await.unwrap().unread_threads), (vec![], 0));
    house.follow(3, room, 1, true).await.unwrap();
    house.follow(3, room, 1, true).await.unwrap();
    assert_eq!(house.followed(3, false).await, [(1, 0)]);
    house.reply(2, room, 1, "four").await.unwrap();
    house.remove(3, room, 3).await.unwrap();
    house.must_be_sound().await;
    assert_eq!(house.followed(3, false).await, [], "who has left follows nothing");
    house.add(1, room, 3).await.unwrap();
    assert_eq!((house.followed(3, false).await, house.see(3, room).await.unwrap().unread_threads), (vec![], 0), "nor when back");
    house.must_be_sound().await;
}

pub async fn threads_are_listed_by_their_newest_message(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let channel = house.room(1, Channel, Some("c"), &[]).await.id;
    for _ in 0..3 {
        house.send(1, room, "root").await;
    }
    house.send(1, channel, "root").await;
    for (thread, body) in [(2, "a"), (1, "b"), (3, "c"), (2, "d")] {
        house.turn_clock(10);
        house.reply(2, room, thread, body).await.unwrap();
    }
    house.turn_clock(10);
    house.reply(1, channel, 1, "e").await.unwrap();
    let order = |threads: &[Thread]| threads.iter().map(|thread| thread.root.seq).collect::<Vec<_>>();
    assert_eq!(order(&house.threads_of(1, room).await), [2, 3, 1]);
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = house.ask(&caller(1), RoomThreads { room, after, limit: Limit::try_from(1).unwrap() }).await.unwrap();
        pages.extend(order(&page.items));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, [2, 3, 1]);
    let mut mine = Vec::new();
    loop {
        let page = house.ask(&caller(1), MyThreads { unread: false, after, limit: Limit::try_from(1).unwrap() }).await.unwrap();
        mine.extend(page.items.iter().map(|thread| (thread.root.room == channel, thread.root.seq, thread.unread)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(mine, [(true, 1, 0), (false, 2, 2), (false, 3, 1), (false, 1, 1)]);
    assert_eq!(house.followed(1, true).await, [(2, 2), (3, 1), (1, 1)]);
    house.must_be_sound().await;
}

pub async fn threads_of_several_rooms_come_together(house: House) {
    let mut rooms = Vec::new();
    for name in ["g", "h"] {
        let room = house.room(1, Group, Some(name), &[2]).await.id;
        for _ in 0..3 {
            house.send(1, room, "root").await;
        }
        for thread in [2, 1, 3, 2] {
            house.turn_clock(10);
            house.reply(2, room, thread, "x").await.unwrap();
        }
        house.read_thread(1, room, 2, 4).await;
        rooms.push(room);
    }
    let not_hers = house.room(2, Group, Some("i"), &[]).await.id;
    let channel = house.room(2, Channel, Some("c"), &[]).await.id;
    let asked = vec![rooms[1], not_hers, channel, rooms[0]];
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let call = ThreadsOf { rooms: asked.clone(), after: after.clone(), limit: Limit::try_from(2).unwrap() };
        let mut found = house.ask(&caller(1), call).await.unwrap();
        assert_eq!(found.iter().map(|of| of.room).collect::<Vec<_>>(), asked);
        assert_eq!(refused(found.remove(1).answer).0, Code::NotFound);
        assert_eq!(refused(found.remove(1).answer).0, Code::Forbidden);
        let pages: Vec<_> = found.into_iter().map(|of| of.answer.unwrap()).collect();
        assert_eq!(pages[0].more, pages[1].more);
        assert!(pages[0].items.iter().all(|(_, thread)| thread.root.room == rooms[1]));
        let brief = |items: &[(String, Thread)]| items.iter().map(|(_, thread)| (thread.root.seq, thread.unread)).collect::<Vec<_>>();
        assert_eq!(brief(&pages[0].items), brief(&pages[1].items));
        seen.extend(brief(&pages[0].items));
        if !pages[0].more {
            break;
        }
        after = pages[0].items.last().map(|(place, _)| place.clone());
    }
    assert_eq!(seen, [(2, 1), (3, 1), (1, 1)]);
    let whole: Vec<Thread> = house.threads_of(1, rooms[0]).await;
    let call = ThreadsOf { rooms: vec![rooms[0]], after: None, limit: Limit::MOST };
    let same = house.ask(&caller(1), call).await.unwrap().remove(0).answer.unwrap();
    assert_eq!(Page::from(same), Page { items: whole, next: None }, "the two calls answer the same");
    let call = MyThreadsPlaced { unread: true, after: None, limit: Limit::try_from(4).unwrap() };
    let mine = house.ask(&caller(1), call).await.unwrap();
    let call = MyThreadsPlaced { unread: true, after: Some(mine.items[1].0.clone()), limit: Limit::MOST };
    let rest = house.ask(&caller(1), call).await.unwrap();
    assert!(mine.more && !rest.more, "from any place of it");
    assert_eq!((rest.items.len(), &rest.items[..2]), (4, &mine.items[2..]));
    let too_many = ThreadsOf { rooms: vec![rooms[0]; 101], after: None, limit: Limit::MOST };
    assert_eq!(refused(house.ask(&caller(1), too_many).await).0, Code::InvalidRequest);
}

pub async fn messages_of_several_threads_come_together(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let not_hers = house.room(2, Group, Some("h"), &[]).await.id;
    for at in [room, room, not_hers] {
        house.send(2, at, "root").await;
    }
    house.send(1, room, "no thread").await;
    for (thread, body) in [(1, "a"), (2, "b"), (1, "c"), (1, "d")] {
        house.reply(2, room, thread, body).await.unwrap();
    }
    house.reply(2, not_hers, 1, "hidden").await.unwrap();
    house.edit(2, room, 4, "A").await.unwrap();
    house.delete(2, room, 6).await.unwrap();
    house.react(1, room, 7, "👍", true).await.unwrap();
    let page = async |after, limit| {
        let call =
            RepliesOf { threads: vec![(room, 2), (not_hers, 1), (room, 3), (room, 1)], after, limit: Limit::try_from(limit).unwrap() };
        let mut found = house.ask(&caller(1), call).await.unwrap();
        assert_eq!(refused(found.remove(1).answer).0, Code::NotFound);
        let brief =
            |items: &[(String, Message)]| items.iter().map(|(place, message)| format!("{place} {}", message.body.as_str())).collect();
        found.into_iter().map(|of| of.answer.map(|page| (brief(&page.items), page.more)).unwrap()).collect::<Vec<(Vec<String>, bool)>>()
    };
    let text = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    assert_eq!(page(0, 2).await, [(text(&["5 b"]), false), (vec![], false), (text(&["4 A", "6 "]), true)]);
    assert_eq!(page(6, 2).await, [(vec![], false), (vec![], false), (text(&["7 d"]), false)]);
    let call = RepliesOf { threads: vec![(room, 1)], after: 6, limit: Limit::MOST };
    let found = house.ask(&caller(1), call).await.unwrap().remove(0).answer.unwrap();
    assert_eq!(found.items[0].1, house.message(1, room, 7).await.unwrap(), "with what is told beside it");
    let call = RepliesOf { threads: vec![(room, 1)], after: -1, limit: Limit::MOST };
    assert_eq!(refused(house.ask(&caller(1), call).await), (Code::InvalidRequest, Some("after".to_owned())));
    let call = RepliesOf { threads: vec![(room, 1); 101], after: 0, limit: Limit::MOST };
    assert_eq!(refused(house.ask(&caller(1), call).await), (Code::InvalidRequest, Some("threads".to_owned())));
    assert!(house.ask(&caller(1), RepliesOf { threads: vec![], after: 0, limit: Limit::MOST }).await.unwrap().is_empty());
}

pub async fn deletions_leave_a_thread_in_order(house: House) {
    let room = house.room(1, Group, Some("g"), &[2, 3]).await.id;
    house.send(1, room, "root").await;
    for body in ["one", "two", "three"] {
        house.reply(2, room, 1, body).await.unwrap();
    }
    house.read_thread(1, room, 1, 3).await;
    assert_eq!(house.followed(1, true).await, [(1, 1)]);
    let left = house.delete(2, room, 4).await.unwrap();
    assert_eq!((left.thread, left.body.as_str()), (Some(1), ""));
    assert_eq!(info(&house.message(1, room, 1).await.unwrap()), Some((2, 3, vec!["u2"])), "the newest is the one before");
    assert_eq!((house.followed(1, true).await, house.see(1, room).await.unwrap().unread_threads), (vec![], 0));
    assert_eq!(house.see(3, room).await.unwrap().unread, 1, "of the room, the deleted one was never unread");
    house.delete(1, room, 1).await.unwrap();
    let root = house.message(1, room, 1).await.unwrap();
    assert_eq!((root.body.as_str(), info(&root)), ("", Some((2, 3, vec!["u2"]))), "a thread outlives its first message");
    house.reply(3, room, 1, "four").await.unwrap();
    assert_eq!(house.followed(1, true).await, [(1, 1)]);
    house.must_be_sound().await;
    // All of it, and its first message, in one call and in one batch.
    let second = house.room(1, Group, Some("h"), &[2]).await.id;
    house.send(1, second, "root").await;
    for _ in 0..3 {
        house.reply(1, second, 1, "x").await.unwrap();
    }
    house.reply(2, second, 1, "y").await.unwrap();
    let deleted = house.ask(&caller(1), calls::DeleteMessages { room: second, seqs: vec![3, 1, 5, 4, 2] }).await.unwrap();
    assert_eq!(deleted, [1, 2, 3, 4, 5]);
    let root = house.message(1, second, 1).await.unwrap();
    assert_eq!((info(&root), house.threads_of(1, second).await.len()), (None, 0));
    assert_eq!(house.see(1, second).await.unwrap().unread_threads, 0);
    house.must_be_sound().await;
}

pub async fn members_are_told_of_threads(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    house.send(1, room, "root").await;
    house.reply(2, room, 1, "one").await.unwrap();
    house.reply(2, room, 1, "two").await.unwrap();
    house.delete(2, room, 3).await.unwrap();
    let told = house.ask(&caller(1), calls::RoomEvents { room, after: 0, limit: 500 }).await.unwrap().items;
    let threads: Vec<_> = told
        .iter()
        .filter_map(|event| match event {
            Event::NewMessage { message, .. } => Some((message.seq, message.thread, info(message))),
            Event::MessageDeleted(deleted) => Some((deleted.seq, deleted.message.thread, info(&deleted.message))),
            _ => None,
        })
        .collect();
    let now = || Some((1, 2, vec!["u2"]));
    assert_eq!(threads, [(1, None, None), (2, Some(1), now()), (3, Some(1), now()), (4, Some(1), now())], "as the thread is now");
    let call = calls::ReadLog { epoch: house.db.epoch(), partition: house.part(room), after: 0, limit: 100 };
    let log = house.ask(&service(), call).await.unwrap();
    assert!(log.iter().any(|entry| matches!(&entry.event, Event::NewMessage { message, .. } if message.thread == Some(1))));
    house.must_be_sound().await;
}

/// Many write in one thread, delete, read and follow at once, in batches.
pub async fn random_threads_are_sound(house: House) {
    let room = house.room(1, Group, Some("g"), &[2, 3, 4]).await.id;
    for _ in 0..4 {
        house.send(1, room, "root").await;
    }
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for round in 0..12_i64 {
        house.turn_clock(5);
        let mut all = Vec::new();
        for _ in 0..25 {
            let (who, thread, what) = (1 + random(4), 1 + random(4) as i64, random(10));
            let seq = 1 + random(10 + 20 * round as u64) as i64;
            let house = &house;
            all.push(async move {
                // Refusals are part of it: whoever may not delete, seqs that are no message's.
                match what {
                    0..5 => _ = house.write_in_thread(who, room, thread, "x", what == 0).await,
                    5..7 => _ = house.delete(who, room, seq).await,
                    7 => _ = house.ask(&caller(who), MarkThreadRead { room, thread, seq }).await,
                    8 => _ = house.follow(who, room, thread, seq % 2 == 0).await,
                    _ => _ = house.send(who, room, "y").await,
                }
            });
        }
        join_all(all).await;
        house.must_be_sound().await;
    }
    for who in 1..=4 {
        let unread = house.followed(who, true).await;
        assert_eq!(house.see(who, room).await.unwrap().unread_threads, unread.len() as i64, "{who}");
        assert!(unread.iter().all(|(_, unread)| *unread > 0), "{who}: {unread:?}");
    }
}

/// A page of a room finds its messages however many rows lie between them.
pub async fn a_page_walks_past_a_long_thread(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let mut of_room = Vec::new();
    for round in 0..6 {
        of_room.push(house.send(1, room, &format!("m{round}")).await.seq);
        for _ in 0..30 {
            house.reply(2, room, 1, "x").await.unwrap();
        }
    }
    for limit in [1, 2, 3, 10] {
        let (mut before, mut back) = (None, Vec::new());
        loop {
            let page = house.page(1, room, None, before, limit).await;
            let Some(first) = page.items.first() else { break };
            before = Some(first.seq);
            back.extend(page.items.iter().rev().map(|message| message.seq));
        }
        back.reverse();
        assert_eq!(back, of_room, "back, {limit} at a time");
        let (mut after, mut forth) = (0, Vec::new());
        loop {
            let call = calls::History { room, before: None, after: Some(after), thread: None, limit: Limit::try_from(limit).unwrap() };
            let page = house.ask(&caller(1), call).await.unwrap();
            assert!(page.items.len() == limit as usize || page.next.is_none());
            forth.extend(page.items.iter().map(|message| message.seq));
            let Some(next) = page.next else { break };
            after = next.parse().unwrap();
        }
        assert_eq!(forth, of_room, "forth, {limit} at a time");
    }
    assert_eq!(house.bodies(2, room, Some(1)).await.len(), 100);
    house.must_be_sound().await;
}

pub async fn the_check_finds_broken_threads(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    house.send(1, room, "root").await;
    house.reply(2, room, 1, "one").await.unwrap();
    house.write_in_thread(2, room, 1, "two", true).await.unwrap();
    house.reply(1, room, 1, "three").await.unwrap();
    house.edit(2, room, 2, "uno").await.unwrap();
    house.must_be_sound().await;
    let breakages = [
        ("UPDATE log SET thread = 3 WHERE seq = 4", "names an earlier message"),
        ("UPDATE log SET thread = 4 WHERE seq = 2", "names an earlier message"),
        ("UPDATE log SET thread_count = NULL WHERE seq = 4", "names an earlier message"),
        ("UPDATE log SET version = 1 WHERE seq = 4", "names an earlier message"),
        ("UPDATE log SET thread_count = 2 WHERE seq = 4", "counted 1, 2, 3"),
        ("UPDATE message_state SET thread_total = 2 WHERE seq = 1", "tells what came in it"),
        ("UPDATE message_state SET thread_deleted = 1 WHERE seq = 1", "tells what came in it"),
        ("UPDATE message_state SET thread_last_seq = 3 WHERE seq = 1", "tells what came in it"),
        ("UPDATE message_state SET thread_last_at = 3 WHERE seq = 1", "tells what came in it"),
        ("DELETE FROM message_state WHERE seq = 1", "tells what came in it"),
        ("UPDATE message_state SET thread_total = 1, thread_deleted = 0 WHERE seq = 2", "tells what came in it"),
        ("UPDATE message_state SET thread_first = '[]' WHERE seq = 1", "first who wrote"),
        ("UPDATE message_state SET thread = NULL WHERE seq = 2", "stands in the message's thread"),
        ("UPDATE message_state SET aside = NULL WHERE seq = 2", "stands in the message's thread"),
        ("UPDATE thread_members SET unread = 1 - unread", "lies past the mark"),
        ("UPDATE thread_members SET read = 99", "lies past the mark"),
        ("UPDATE thread_members SET following = 2", "lies past the mark"),
        ("UPDATE thread_members SET read_position = 99", "a read mark has moved"),
        ("UPDATE log SET newest = 1, messages = 1 WHERE seq = 3", "count of messages and newest"),
        ("UPDATE log SET active_at = NULL WHERE seq = 2", "order of rooms"),
    ];
    for (breakage, says) in breakages {
        let found = house.problems_after(breakage).await;
        assert!(found.contains(says), "{breakage}: {found:?}");
    }
    house.must_be_sound().await;
}
