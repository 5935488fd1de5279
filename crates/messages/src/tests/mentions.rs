//! Mentions.

use super::house::{House, caller, user};
use contract::RoomKind::{Channel, Group};
use contract::calls::mentions::{MyMentions, MyMentionsPlaced};
use contract::calls::messages as calls;
use contract::calls::threads::MarkThreadRead;
use contract::message::Mentions;
use contract::{Code, Limit, Message, Patch, Refusal, RoomId, Warning};

fn of(users: &[u64], room: bool) -> Mentions {
    Mentions { users: users.iter().map(|number| user(*number).username).collect(), room }
}

impl House {
    async fn mention(&self, by: u64, room: RoomId, thread: Option<i64>, mentions: Mentions) -> Result<calls::Sent, Refusal> {
        let rich = calls::Rich { thread, mentions: Some(mentions), ..calls::Rich::default() };
        self.ask(&caller(by), calls::Send { room, body: "hey".try_into().unwrap(), nonce: None, rich }).await
    }

    async fn edit_mentions(&self, by: u64, room: RoomId, seq: i64, mentions: Patch<Mentions>) -> Result<calls::Edited, Refusal> {
        let call = calls::EditMessage { room, seq, body: None, format: Patch::Keep, metadata: Patch::Keep, mentions, if_rev: None };
        self.ask(&caller(by), call).await
    }

    /// How many unread messages mention somebody, as one room and as a list of rooms tell it.
    async fn mentions(&self, who: u64, room: RoomId) -> i64 {
        let count = self.see(who, room).await.unwrap().mentions;
        let listed = self.ask(&caller(who), calls::GetRooms { rooms: vec![room] }).await.unwrap();
        assert_eq!(listed[0].mentions, count, "{who}");
        count
    }

    async fn mentioning(&self, who: u64) -> Vec<i64> {
        let (mut seqs, mut after) = (Vec::new(), None);
        loop {
            let page = self.ask(&caller(who), MyMentions { after, limit: Limit::try_from(2).unwrap() }).await.unwrap();
            seqs.extend(page.items.iter().map(|message: &Message| message.seq));
            after = page.next;
            if after.is_none() {
                return seqs;
            }
        }
    }
}

pub async fn a_mention_counts_until_it_is_read(house: House) {
    let room = house.room(1, Group, Some("g"), &[2, 3]).await.id;
    let sent = house.mention(1, room, None, of(&[2, 1, 2], false)).await.unwrap();
    assert_eq!(sent.message.mentions.as_deref(), Some(&of(&[2, 1], false)), "each once, as named");
    house.mention(1, room, None, of(&[], true)).await.unwrap();
    house.mention(3, room, None, of(&[2], true)).await.unwrap();
    house.send(1, room, "nobody @u2").await;
    assert_eq!((house.mentions(1, room).await, house.mentions(2, room).await, house.mentions(3, room).await), (0, 3, 0));
    house.ask(&caller(2), calls::MarkRead { room, seq: 1 }).await.unwrap();
    assert_eq!(house.mentions(2, room).await, 2, "a message counts once, however it mentions one");
    assert_eq!(house.mentioning(2).await, [3, 2, 1]);
    assert_eq!((house.mentioning(1).await, house.mentioning(3).await), (vec![3], vec![2]), "not what one has sent oneself");
    assert_eq!(house.message(3, room, 1).await.unwrap().mentions.as_deref(), Some(&of(&[2, 1], false)));
    house.must_be_sound().await;
}

pub async fn who_is_mentioned_is_a_member(house: House) {
    let room = house.room(1, Group, Some("g"), &[2, 3]).await.id;
    house.remove(3, room, 3).await.unwrap();
    for users in [&[2, 3][..], &[9]] {
        let refusal = house.mention(1, room, None, of(users, false)).await.unwrap_err();
        assert_eq!((refusal.code, refusal.field.as_deref()), (Code::InvalidRequest, Some("mentions")), "{users:?}");
    }
    let many: Vec<u64> = (1..=51).collect();
    let refusal = house.mention(1, room, None, of(&many, false)).await.unwrap_err();
    assert_eq!((refusal.code, refusal.field.as_deref()), (Code::InvalidRequest, Some("mentions")));
    assert_eq!(house.mention(9, room, None, of(&[1], false)).await.unwrap_err().code, Code::NotFound, "a stranger");
    assert_eq!(house.see(1, room).await.unwrap().last_message, None, "nothing was sent");
    house.must_be_sound().await;
}

pub async fn edits_and_deletions_move_mentions(house: House) {
    let room = house.room(1, Group, Some("g"), &[2, 3]).await.id;
    house.mention(1, room, None, of(&[2], false)).await.unwrap();
    let edited = house.edit_mentions(1, room, 1, Patch::Set(of(&[3], true))).await.unwrap();
    assert_eq!((edited.message.mentions.as_deref(), edited.warnings), (Some(&of(&[3], true)), vec![]));
    assert_eq!((house.mentions(2, room).await, house.mentions(3, room).await), (1, 1), "everybody now");
    house.edit_mentions(1, room, 1, Patch::Set(of(&[3], false))).await.unwrap();
    assert_eq!((house.mentions(2, room).await, house.mentions(3, room).await), (0, 1));
    house.edit(1, room, 1, "other words").await.unwrap();
    assert_eq!(house.mentions(3, room).await, 1, "an edit that does not name them leaves them");
    house.must_be_sound().await;
    house.edit_mentions(1, room, 1, Patch::Clear).await.unwrap();
    assert_eq!((house.mentions(3, room).await, house.mentioning(3).await), (0, vec![]));
    house.edit_mentions(1, room, 1, Patch::Set(of(&[2, 3], true))).await.unwrap();
    house.must_be_sound().await;
    let left = house.delete(1, room, 1).await.unwrap();
    assert_eq!((left.mentions, house.mentions(2, room).await, house.mentioning(2).await), (None, 0, vec![]));
    house.must_be_sound().await;
}

pub async fn a_mention_in_a_thread_counts_until_the_thread_is_read(house: House) {
    let room = house.room(1, Group, Some("g"), &[2, 3]).await.id;
    house.send(1, room, "root").await;
    house.mention(1, room, Some(1), of(&[2], false)).await.unwrap();
    house.mention(1, room, Some(1), of(&[], true)).await.unwrap();
    let threads = house.see(2, room).await.unwrap().unread_threads;
    assert_eq!((house.mentions(2, room).await, threads), (2, 1), "who is mentioned follows");
    assert_eq!((house.mentions(3, room).await, house.see(3, room).await.unwrap().unread_threads), (1, 0), "everybody does not");
    for who in [2, 3] {
        house.ask(&caller(who), calls::MarkRead { room, seq: 3 }).await.unwrap();
    }
    assert_eq!((house.mentions(2, room).await, house.mentions(3, room).await), (2, 1), "the room's mark passes none of them");
    house.ask(&caller(2), MarkThreadRead { room, thread: 1, seq: 2 }).await.unwrap();
    assert_eq!(house.mentions(2, room).await, 1);
    house.reply(2, room, 1, "I am here").await.unwrap();
    assert_eq!(house.mentions(2, room).await, 0, "who writes in it has read it");
    // A mention that an edit adds to a message that was read is read.
    house.edit_mentions(1, room, 2, Patch::Set(of(&[2, 3], false))).await.unwrap();
    assert_eq!((house.mentions(2, room).await, house.mentions(3, room).await), (0, 2));
    house.must_be_sound().await;
    house.remove(3, room, 3).await.unwrap();
    house.add(1, room, 3).await.unwrap();
    assert_eq!(house.mentions(3, room).await, 0, "nothing of before is left for who comes back");
    house.must_be_sound().await;
}

pub async fn only_an_owner_mentions_everybody_in_a_large_room(house: House) {
    let others: Vec<u64> = (2..=100).collect();
    let room = house.room(1, Group, Some("g"), &others).await.id;
    assert_eq!(house.mention(2, room, None, of(&[], true)).await.unwrap().warnings, []);
    house.add(1, room, 101).await.unwrap();
    let sent = house.mention(2, room, None, of(&[3], true)).await.unwrap();
    assert_eq!((sent.message.mentions.as_deref(), sent.warnings), (Some(&of(&[3], false)), vec![Warning::mention_dropped()]));
    let sent = house.mention(2, room, None, of(&[], true)).await.unwrap();
    assert_eq!((sent.message.mentions, sent.warnings), (None, vec![Warning::mention_dropped()]));
    let edited = house.edit_mentions(2, room, sent.message.seq, Patch::Set(of(&[], true))).await.unwrap();
    assert_eq!((edited.message.rev, edited.warnings), (sent.message.seq, vec![Warning::mention_dropped()]), "nothing changes");
    let sent = house.mention(1, room, None, of(&[], true)).await.unwrap();
    assert_eq!((sent.message.mentions.as_deref(), sent.warnings), (Some(&of(&[], true)), vec![]));
    assert_eq!(house.mentions(101, room).await, 1, "what came before one joined does not count");
    house.must_be_sound().await;
}

pub async fn mentions_of_everybody_are_found_in_all_rooms(house: House) {
    let one = house.room(1, Group, Some("g"), &[2]).await.id;
    let two = house.room(1, Channel, Some("c"), &[]).await.id;
    house.mention(1, two, None, of(&[], true)).await.unwrap();
    house.add(2, two, 2).await.unwrap();
    for round in 0..3 {
        house.turn_clock(10);
        house.mention(1, if round == 1 { one } else { two }, None, of(&[], true)).await.unwrap();
        house.turn_clock(10);
        house.mention(1, one, None, of(&[2], false)).await.unwrap();
    }
    assert_eq!(house.mentioning(2).await, [4, 4, 3, 2, 1, 3], "newest first, and only since one joined");
    let first = house.ask(&caller(2), MyMentionsPlaced { after: None, limit: Limit::try_from(4).unwrap() }).await.unwrap();
    let seqs = |items: &[(String, Message)]| items.iter().map(|(_, message)| message.seq).collect::<Vec<_>>();
    assert_eq!((seqs(&first.items), first.more), (vec![4, 4, 3, 2], true));
    let behind = MyMentionsPlaced { after: Some(first.items[2].0.clone()), limit: Limit::MOST };
    let rest = house.ask(&caller(2), behind).await.unwrap();
    assert_eq!((seqs(&rest.items), rest.more), (vec![2, 1, 3], false), "any place of a page goes on");
    house.remove(2, two, 2).await.unwrap();
    assert_eq!(house.mentioning(2).await, [4, 3, 2, 1]);
    let bad = MyMentions { after: Some("1".into()), limit: Limit::MOST };
    assert_eq!(house.ask(&caller(2), bad).await.unwrap_err().field.as_deref(), Some("after"));
    house.must_be_sound().await;
}

pub async fn the_check_finds_broken_mentions(house: House) {
    let room = house.room(1, Group, Some("g"), &[2, 3]).await.id;
    house.send(1, room, "root").await;
    house.mention(1, room, None, of(&[2], true)).await.unwrap();
    house.mention(1, room, Some(1), of(&[2], true)).await.unwrap();
    house.must_be_sound().await;
    let breakages = [
        "DELETE FROM mentions WHERE seq = 2",
        "DELETE FROM room_mentions WHERE seq = 2",
        "UPDATE mentions SET member = room WHERE seq = 2",
        "UPDATE mentions SET seq = 1 WHERE seq = 2",
        "UPDATE mentions SET aside = 1 WHERE seq = 2",
        "UPDATE mentions SET thread = NULL WHERE seq = 3",
        "UPDATE mentions SET created_at = 5 WHERE seq = 2",
        "UPDATE room_mentions SET aside = 0 WHERE seq = 3",
        "UPDATE room_mentions SET sender = room WHERE seq = 3",
        "UPDATE mentions SET seen = 1 WHERE seq = 3",
        "UPDATE log SET extra = NULL WHERE seq = 2",
    ];
    for breakage in breakages {
        let found = house.problems_after(breakage).await;
        assert!(found.contains("mentions"), "{breakage}: {found:?}");
    }
    house.must_be_sound().await;
}

pub async fn a_search_finds_what_mentions_one_and_what_is_in_a_thread(house: House) {
    let room = house.room(1, Group, Some("g"), &[2, 3]).await.id;
    house.send(1, room, "hey").await;
    house.mention(1, room, None, of(&[2], false)).await.unwrap();
    house.mention(1, room, Some(1), of(&[], true)).await.unwrap();
    house.mention(2, room, Some(1), of(&[3], true)).await.unwrap();
    house.reply(3, room, 1, "other").await.unwrap();
    house.edit_mentions(1, room, 2, Patch::Set(of(&[3], false))).await.unwrap();
    let search = async |who: u64, q: &str, thread: Option<i64>, mentions_me: bool| {
        let call = calls::Search { q: q.into(), room: Some(room), thread, mentions_me, limit: Limit::MOST, ..calls::Search::default() };
        let found = house.ask(&caller(who), call).await.unwrap().page.items;
        found.iter().map(|found| found.message.seq).collect::<Vec<_>>()
    };
    for indexed in [false, true] {
        if indexed {
            crate::search::index::catch_up(&house.db, 1, |_| {}).await.unwrap();
        }
        assert_eq!(search(2, "", None, true).await, [3], "not one's own, and what an edit has left");
        assert_eq!(search(3, "", None, true).await, [4, 3, 2]);
        assert_eq!(search(3, "hey", None, true).await, [4, 3, 2]);
        assert_eq!(search(3, "", Some(1), false).await, [5, 4, 3]);
        assert_eq!(search(3, "hey", Some(1), false).await, [4, 3]);
        assert_eq!(search(2, "hey", Some(1), true).await, [3]);
        assert!(search(2, "", Some(2), false).await.is_empty());
    }
    let call = calls::Search { thread: Some(1), limit: Limit::MOST, ..calls::Search::default() };
    let refusal = house.ask(&caller(1), call).await.unwrap_err();
    assert_eq!((refusal.code, refusal.field.as_deref()), (Code::InvalidRequest, Some("thread")));
    house.must_be_sound().await;
}

/// The users that a message mentions are looked up first. What its sender writes after it comes after it all the same.
pub async fn a_message_with_mentions_keeps_its_place(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let send = |n: u64| {
        let house = &house;
        async move {
            let mentions = n.is_multiple_of(3).then(|| of(&[2], false));
            let rich = calls::Rich { mentions, ..calls::Rich::default() };
            let call = calls::Send { room, body: n.to_string().as_str().try_into().unwrap(), nonce: None, rich };
            house.ask(&caller(1), call).await.unwrap().message
        }
    };
    let sent = futures_util::future::join_all((0..40).map(send)).await;
    let bodies: Vec<_> = sent.iter().map(|message| (message.seq, message.body.as_str().to_owned())).collect();
    assert_eq!(bodies, (0..40).map(|n| (n + 1, n.to_string())).collect::<Vec<_>>());
    house.must_be_sound().await;
}

/// A send or an edit whose answer was lost is sent again when somebody whom it mentions has left. It is on disk, and nothing is wrong with it.
pub async fn a_repeated_send_is_found_although_who_is_mentioned_has_left(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let send = || {
        let rich = calls::Rich { mentions: Some(of(&[2], false)), ..calls::Rich::default() };
        calls::Send { room, body: "hey".try_into().unwrap(), nonce: Some("n".try_into().unwrap()), rich }
    };
    let first = house.ask(&caller(1), send()).await.unwrap();
    house.remove(2, room, 2).await.unwrap();
    let again = house.ask(&caller(1), send()).await.unwrap();
    assert_eq!((again.message, again.created), (first.message, false));
    let other = calls::Send { nonce: Some("m".try_into().unwrap()), ..send() };
    assert_eq!(house.ask(&caller(1), other).await.unwrap_err().field.as_deref(), Some("mentions"), "a new one is refused");
    let edited = house.edit_mentions(1, room, 1, Patch::Set(of(&[2], false))).await.unwrap();
    assert_eq!(edited.message.rev, 1, "so it is with an edit that changes nothing");
    house.must_be_sound().await;
}
