//! Deleting messages: what is told afterwards, and that nothing is left.

use super::house::{House, caller, user};
use crate::search::index;
use contract::RoomKind::{Channel, Direct, Group};
use contract::calls::messages as calls;
use contract::{Code, Limit, Message};

pub async fn a_deletion_leaves_a_tombstone(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let sent = house.send(2, room, "the secret").await;
    house.edit(2, room, 1, "the other secret").await.unwrap();
    house.react(1, room, 1, "👍", true).await.unwrap();
    house.pin(1, room, 1, true).await.unwrap();
    let call = calls::DeleteMessage { room, seq: 1, reason: Some("off topic".try_into().unwrap()) };
    let left = house.ask(&caller(1), call).await.unwrap();
    let expected = Message {
        rev: 5,
        deleted_at: left.deleted_at,
        deleted_by: Some(user(1).username),
        ..Message::plain(sent.id, room, 1, user(2).username, "".try_into().unwrap(), sent.created_at)
    };
    assert_eq!(left, expected);
    assert!(left.deleted_at.is_some());
    assert_eq!(house.delete(2, room, 1).await.unwrap(), left, "a second deletion changes nothing");
    assert_eq!(house.message(2, room, 1).await.unwrap(), left);
    let events = house.ask(&caller(2), calls::RoomEvents { room, after: 0, limit: 100 }).await.unwrap();
    let told = serde_json::to_string(&events).unwrap();
    assert!(!told.contains("secret") && !told.contains('👍') && told.contains("off topic"), "{told}");
    assert_eq!(events.items.len(), 5);
    assert!(house.ask(&caller(2), calls::Versions { room, seq: 1 }).await.unwrap().is_empty());
    // It is the newest message all the same, and of none the present is told elsewhere.
    assert_eq!(house.see(2, room).await.unwrap().last_message, Some(left));
    let recent = house.ask(&caller(1), calls::Recent { from: None, days: 30, limit: Limit::MOST }).await.unwrap();
    assert!(recent.messages.is_empty());
    for refused in [house.edit(2, room, 1, "back").await.map(|_| ()), house.pin(1, room, 1, true).await] {
        assert_eq!(refused.unwrap_err().code, Code::Conflict);
    }
    assert!(house.pin(1, room, 1, false).await.is_ok(), "it is not pinned");
    house.must_be_sound().await;
}

pub async fn whoever_may_not_delete_is_refused(house: House) {
    let group = house.room(1, Group, Some("g"), &[2, 3]).await.id;
    house.send(2, group, "x").await;
    assert_eq!(house.delete(3, group, 1).await.unwrap_err().code, Code::Forbidden);
    assert_eq!(house.delete(4, group, 1).await.unwrap_err().code, Code::NotFound);
    assert_eq!(house.delete(2, group, 7).await.unwrap_err().field.as_deref(), Some("seq"));
    house.delete(1, group, 1).await.unwrap();
    let direct = house.room(1, Direct, None, &[2]).await.id;
    house.send(2, direct, "x").await;
    assert_eq!(house.delete(1, direct, 1).await.unwrap_err().code, Code::Forbidden, "nobody owns a direct room");
    house.delete(2, direct, 1).await.unwrap();
    let channel = house.room(1, Channel, Some("c"), &[]).await.id;
    house.send(1, channel, "x").await;
    assert_eq!(house.delete(2, channel, 1).await.unwrap_err().code, Code::Forbidden, "no member");
    for versions in [(3, group, Code::Forbidden), (1, direct, Code::Forbidden)] {
        let (by, room, code) = versions;
        assert_eq!(house.ask(&caller(by), calls::Versions { room, seq: 1 }).await.unwrap_err().code, code);
    }
    house.must_be_sound().await;
}

pub async fn several_at_once_are_all_or_none(house: House) {
    let room = house.room(1, Group, Some("g"), &[2, 3]).await.id;
    for n in 0..4 {
        house.send(2 + n % 2, room, "x").await;
    }
    let many = async |by, seqs: &[i64]| house.ask(&caller(by), calls::DeleteMessages { room, seqs: seqs.to_vec() }).await;
    assert_eq!(many(2, &[1, 2]).await.unwrap_err().code, Code::Forbidden);
    assert_eq!(house.see(1, room).await.unwrap().head, 4, "nothing was done");
    assert_eq!(many(2, &[3, 1, 3, 99, -5]).await.unwrap(), [1, 3]);
    assert_eq!(many(1, &[1, 2, 3, 4, 5]).await.unwrap(), [2, 4], "those that are deleted, and what is no message, are passed over");
    assert_eq!(many(1, &[]).await.unwrap_err().field.as_deref(), Some("seqs"));
    assert_eq!(many(1, &(1..=101).collect::<Vec<_>>()).await.unwrap_err().field.as_deref(), Some("seqs"));
    house.must_be_sound().await;
}

pub async fn a_deleted_message_is_not_unread(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    for _ in 0..5 {
        house.send(1, room, "x").await;
    }
    let unread = async || {
        let one = house.see(2, room).await.unwrap().unread;
        let listed = house.ask(&caller(2), calls::MyRooms { after: None, limit: Limit::MOST }).await.unwrap().items[0].unread;
        assert_eq!(one, listed);
        one
    };
    house.delete(1, room, 2).await.unwrap();
    house.delete(1, room, 5).await.unwrap();
    assert_eq!(unread().await, 3);
    let marked = house.ask(&caller(2), calls::MarkRead { room, seq: 3 }).await.unwrap();
    assert_eq!((marked.read, marked.unread), (3, 1));
    assert_eq!(unread().await, 1);
    house.delete(1, room, 1).await.unwrap();
    assert_eq!(unread().await, 1, "what was read does not count");
    house.delete(1, room, 4).await.unwrap();
    assert_eq!(unread().await, 0);
    house.must_be_sound().await;
}

pub async fn a_late_retry_answers_the_tombstone(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    house.try_send(1, room, "frist", Some("n")).await.unwrap();
    house.edit(1, room, 1, "first").await.unwrap();
    let again = house.try_send(1, room, "frist", Some("n")).await.unwrap();
    assert_eq!((again.created, again.message.body.as_str(), again.message.rev), (false, "first", 2));
    assert_eq!(house.try_send(1, room, "first", Some("n")).await.unwrap_err().code, Code::NonceConflict, "that is not what was sent first");
    house.delete(1, room, 1).await.unwrap();
    for body in ["frist", "anything"] {
        let again = house.try_send(1, room, body, Some("n")).await.unwrap();
        assert_eq!((again.created, again.message.body.as_str(), again.message.rev), (false, "", 3));
        assert!(again.message.deleted_at.is_some() && again.message.nonce.is_some());
    }
    house.must_be_sound().await;
}

/// Whether the message was indexed before its change or is indexed after it.
pub async fn a_search_finds_the_present_text(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let found = async |q: &str| {
        let call = calls::Search { q: q.to_owned(), limit: Limit::MOST, ..calls::Search::default() };
        let searched = house.ask(&caller(2), call).await.unwrap();
        searched.page.items.into_iter().map(|found| found.message.body.to_string()).collect::<Vec<_>>()
    };
    for indexed in [true, false] {
        house.send(1, room, "quince marmalade").await;
        house.send(1, room, "quince jelly").await;
        let head = house.see(1, room).await.unwrap().head;
        if indexed {
            index::catch_up(&house.db, 1, |_| {}).await.unwrap();
        }
        house.edit(1, room, head - 1, "plum marmalade").await.unwrap();
        for _ in 0..2 {
            assert_eq!(found("quince").await, ["quince jelly"]);
            assert_eq!(found("plum").await, ["plum marmalade"]);
            assert_eq!(found("marmalade").await, ["plum marmalade"]);
            // Once from the log, once from the index.
            index::catch_up(&house.db, 1, |_| {}).await.unwrap();
        }
        house.delete(1, room, head).await.unwrap();
        house.delete(1, room, head - 1).await.unwrap();
        for _ in 0..2 {
            for word in ["quince", "plum", "marmalade", "jelly"] {
                assert!(found(word).await.is_empty(), "{word}");
            }
            index::catch_up(&house.db, 1, |_| {}).await.unwrap();
        }
    }
    house.must_be_sound().await;
}

/// An edit of an indexed message, and enough new ones that they are indexed in the same transaction: all are found.
pub async fn an_edit_takes_nothing_else_out_of_the_index(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    house.send(1, room, "quince marmalade").await;
    index::catch_up(&house.db, 1, |_| {}).await.unwrap();
    let sends = futures_util::future::join_all((0..600).map(|n| house.try_send(1, room, if n % 2 == 0 { "quince" } else { "plum" }, None)));
    let bodies = ["quince jelly", "quince marmalade"].into_iter().cycle().take(20);
    let edits = futures_util::future::join_all(bodies.map(|body| house.edit(1, room, 1, body)));
    let (sent, edited) = tokio::join!(sends, edits);
    assert!(sent.into_iter().all(|sent| sent.is_ok()) && edited.into_iter().all(|edited| edited.is_ok()));
    for _ in 0..2 {
        let (mut found, mut before) = (0, None);
        loop {
            let call = calls::Search { q: "quince".to_owned(), room: Some(room), before, limit: Limit::MOST, ..calls::Search::default() };
            let page = house.ask(&caller(2), call).await.unwrap().page;
            found += page.items.len();
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(found, 301);
        index::catch_up(&house.db, 1, |_| {}).await.unwrap();
    }
    house.must_be_sound().await;
}

/// A message without a text is in the index, too: by its room and its sender.
pub async fn a_message_without_a_text_leaves_the_index(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let rich = calls::Rich {
        metadata: Some(serde_json::from_str(r#"{"a":1}"#).unwrap()),
        message_type: Some("poll".try_into().unwrap()),
        ..calls::Rich::default()
    };
    let call = calls::Send { room, body: "".try_into().unwrap(), nonce: None, rich };
    house.ask(&caller(1), call).await.unwrap();
    index::catch_up(&house.db, 1, |_| {}).await.unwrap();
    house.delete(1, room, 1).await.unwrap();
    house.must_be_sound().await;
}

/// A reply quotes what it answers, also in the event of its own edit, in one batch with the deletion.
pub async fn a_quote_of_what_is_deleted_is_told_no_more(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let mut hints = house.bus.subscribe::<contract::log::Batch>();
    let mut last = 0;
    for round in 0..10 {
        let seq = round * 4 + 1;
        house.send(1, room, "the secret").await;
        let rich = calls::Rich { reply_to: Some(seq), ..calls::Rich::default() };
        let call = calls::Send { room, body: "yes".try_into().unwrap(), nonce: None, rich };
        house.ask(&caller(2), call).await.unwrap();
        let (deleted, edited) = tokio::join!(house.delete(1, room, seq), house.edit(2, room, seq + 1, "no"));
        assert!(deleted.is_ok() && edited.is_ok());
        assert_eq!(house.message(2, room, seq + 1).await.unwrap().reply_to.unwrap().body, "");
    }
    let end = house.ask(&super::house::service(), calls::Head {}).await.unwrap().positions[usize::from(house.part(room))];
    while last < end {
        let Some(bus::Heard::Hint(batch)) = hints.next().await else { panic!("a hint was missed") };
        last = batch.last;
        let deleted: Vec<i64> = batch
            .entries
            .iter()
            .filter_map(|entry| match &entry.event {
                contract::log::Event::MessageDeleted(deleted) => Some(deleted.ref_seq),
                _ => None,
            })
            .collect();
        for entry in &batch.entries {
            if let contract::log::Event::MessageEdited(edited) = &entry.event
                && let Some(reply_to) = &edited.message.reply_to
                && deleted.contains(&reply_to.seq)
            {
                assert_eq!(reply_to.body, "");
            }
        }
    }
    house.must_be_sound().await;
}

/// No table holds a word of what was deleted; `store_of_deleted` looks into the files.
pub async fn nothing_is_left_in_the_database(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let rich = calls::Rich {
        metadata: Some(serde_json::from_str(r#"{"note":"zzsecretmeta"}"#).unwrap()),
        message_type: Some("zzsecrettype".try_into().unwrap()),
        ..calls::Rich::default()
    };
    let call = calls::Send { room, body: "zzsecretone".try_into().unwrap(), nonce: Some("kept".try_into().unwrap()), rich };
    house.ask(&caller(1), call).await.unwrap();
    house.edit(1, room, 1, "zzsecrettwo").await.unwrap();
    index::catch_up(&house.db, 1, |_| {}).await.unwrap();
    house.edit(1, room, 1, "zzsecretthree").await.unwrap();
    house.react(2, room, 1, ":zzsecretfour:", true).await.unwrap();
    house.delete(1, room, 1).await.unwrap();
    let tables = [
        "SELECT COUNT(*) FROM log WHERE payload LIKE '%zzsecret%' OR extra LIKE '%zzsecret%'",
        "SELECT COUNT(*) FROM message_state WHERE body LIKE '%zzsecret%' OR extra LIKE '%zzsecret%' OR reactions LIKE '%zzsecret%'",
        "SELECT COUNT(*) FROM reactions WHERE emoji LIKE '%zzsecret%'",
        match house.db.engine() {
            db::Engine::Sqlite => "SELECT COUNT(*) FROM words_2 WHERE words_2 MATCH 'zzsecret*'",
            db::Engine::Postgres => "SELECT COUNT(*) FROM words_2 WHERE tokens @@ CAST('zzsecret:*' AS tsquery)",
        },
    ];
    for sql in tables {
        let left = house.db.read(move |tx| Box::pin(async move { tx.row(sql, &[], |row| row.int(0)).await })).await.unwrap();
        assert_eq!(left, Some(0), "{sql}");
    }
    house.must_be_sound().await;
}
