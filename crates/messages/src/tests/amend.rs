//! Changing messages that are there: edits, reactions, pins; what messages and rooms carry besides texts and names.

use super::house::{House, caller, service, user};
use super::missed::brief;
use contract::RoomKind::{Channel, Direct, Group};
use contract::calls::messages as calls;
use contract::log::Event;
use contract::{Code, Format, Limit, Message, Metadata, Patch, Refusal, RoomId};
use db::values;
use futures_util::future::join_all;
use serde_json::{Map, Value, json};

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("not an object") };
    object
}

fn code<T>(outcome: Result<T, Refusal>) -> (Code, Option<String>) {
    let Err(refusal) = outcome else { panic!("it was done") };
    (refusal.code, refusal.field)
}

impl House {
    /// A room's events as they are told now.
    async fn events(&self, by: u64, room: RoomId) -> Vec<String> {
        let call = calls::RoomEvents { room, after: 0, limit: 500 };
        let page = self.ask(&caller(by), call).await.unwrap();
        let entry = |event: Event| contract::log::Entry { partition: 0, position: 0, event };
        page.items.into_iter().map(|event| brief(&entry(event))).collect()
    }

    async fn send_rich(&self, by: u64, room: RoomId, body: &str, rich: calls::Rich) -> Result<Message, Refusal> {
        let call = calls::Send { room, body: body.try_into().unwrap(), nonce: None, rich };
        Ok(self.ask(&caller(by), call).await?.message)
    }
}

pub async fn an_edit_is_told_and_kept(house: House) {
    let start = house.cursor().await;
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    house.send(1, room, "frist").await;
    house.send(2, room, "second").await;
    let edited = house.edit(1, room, 1, "first").await.unwrap();
    assert_eq!((edited.seq, edited.rev, edited.body.as_str()), (1, 3, "first"));
    assert!(edited.edited_at.is_some() && edited.deleted_at.is_none());
    // What changes nothing is told to nobody.
    assert_eq!(house.edit(1, room, 1, "first").await.unwrap(), edited);
    assert_eq!(house.see(2, room).await.unwrap().head, 3);
    house.edit(1, room, 1, "the first").await.unwrap();
    // History, one message, a replay and the log tell the present.
    assert_eq!(house.message(2, room, 1).await.unwrap().body.as_str(), "the first");
    let page = calls::History { room, before: None, after: None, limit: Limit::MOST };
    let page = house.ask(&caller(2), page).await.unwrap();
    assert_eq!(page.items.iter().map(|m| (m.seq, m.rev, m.body.as_str())).collect::<Vec<_>>(), [(1, 4, "the first"), (2, 2, "second")]);
    let told = ["1 the first", "2 second", "3 edits 1 to the first", "4 edits 1 to the first"];
    assert_eq!(house.events(2, room).await, told);
    let missed: Vec<String> = house.missed(2, &start, 3).await.iter().map(brief).collect();
    assert_eq!(missed, [&["room for u2"], &told[..]].concat());
    let versions = house.ask(&caller(1), calls::Versions { room, seq: 1 }).await.unwrap();
    assert_eq!(versions.iter().map(|v| (v.rev, v.body.as_str())).collect::<Vec<_>>(), [(1, "frist"), (3, "first"), (4, "the first")]);
    // The newest message of a room, and what is recent.
    house.edit(2, room, 2, "the second").await.unwrap();
    assert_eq!(house.see(1, room).await.unwrap().last_message.unwrap().body.as_str(), "the second");
    let recent = house.ask(&caller(1), calls::Recent { from: None, days: 30, limit: Limit::MOST }).await.unwrap();
    assert_eq!(recent.messages[0].body.as_str(), "the second");
    house.must_be_sound().await;
}

pub async fn an_edit_that_cannot_be_made_is_refused(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let other = house.room(1, Group, Some("h"), &[2]).await.id;
    house.send(1, room, "x").await;
    assert_eq!(code(house.edit(2, room, 1, "y").await), (Code::Forbidden, Some("seq".into())));
    assert_eq!(code(house.edit(3, room, 1, "y").await), (Code::NotFound, Some("room".into())), "what is not yours does not exist");
    for seq in [0, -1, 2, i64::MAX, i64::MIN] {
        assert_eq!(code(house.edit(1, room, seq, "y").await), (Code::NotFound, Some("seq".into())), "{seq}");
    }
    assert_eq!(code(house.edit(1, other, 1, "y").await), (Code::NotFound, Some("seq".into())));
    // An amendment is no message.
    house.edit(1, room, 1, "y").await.unwrap();
    assert_eq!(code(house.edit(1, room, 2, "z").await), (Code::NotFound, Some("seq".into())));
    assert_eq!(code(house.edit(1, room, 1, "").await), (Code::InvalidRequest, Some("body".into())));
    let long = "x".repeat(8_001);
    assert_eq!(code(house.edit(1, room, 1, &long).await), (Code::InvalidRequest, Some("body".into())));
    for n in 2..=100 {
        house.edit(1, room, 1, &n.to_string()).await.unwrap();
    }
    assert_eq!(code(house.edit(1, room, 1, "one too many").await).0, Code::Conflict);
    assert!(house.edit(1, room, 1, "100").await.is_ok(), "what changes nothing is no edit");
    house.must_be_sound().await;
}

pub async fn two_edits_of_one_rev_have_one_winner(house: House) {
    let room = house.room(1, Direct, None, &[2]).await.id;
    house.send(1, room, "x").await;
    let edit = async |body: &str, if_rev| {
        let body = Some(body.try_into().unwrap());
        let call = calls::EditMessage { room, seq: 1, body, format: Patch::Keep, metadata: Patch::Keep, if_rev: Some(if_rev) };
        house.ask(&caller(1), call).await
    };
    let (one, two) = tokio::join!(edit("one", 1), edit("two", 1));
    let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
    assert_eq!(code(lost), (Code::Conflict, Some("if_rev".into())));
    let rev = won.unwrap().rev;
    // Sent again after a lost answer, it is answered as if it had just been done.
    let said = house.message(1, room, 1).await.unwrap();
    assert_eq!(edit(said.body.as_str(), 1).await.unwrap().rev, rev);
    // Reactions and pins do not disturb an edit, but a rev that is not there yet is refused.
    house.react(2, room, 1, "👍", true).await.unwrap();
    house.pin(2, room, 1, true).await.unwrap();
    assert_eq!(edit("three", rev).await.unwrap().rev, rev + 3);
    assert_eq!(code(edit("four", rev + 4).await), (Code::Conflict, Some("if_rev".into())));
    house.must_be_sound().await;
}

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

pub async fn a_reply_shows_what_it_answers(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let long = "ü".repeat(300);
    house.send(1, room, &long).await;
    let to = |seq| calls::Rich { reply_to: Some(seq), ..calls::Rich::default() };
    let reply = house.send_rich(2, room, "yes", to(1)).await.unwrap();
    let shown = reply.reply_to.clone().unwrap();
    assert_eq!((shown.seq, shown.sender, shown.body.chars().count()), (1, user(1).username, 200));
    for wrong in [0, -1, 3, 4, i64::MAX] {
        assert_eq!(code(house.send_rich(2, room, "yes", to(wrong)).await), (Code::InvalidRequest, Some("reply_to".into())), "{wrong}");
    }
    house.edit(1, room, 1, "short").await.unwrap();
    assert_eq!(house.message(1, room, 2).await.unwrap().reply_to.unwrap().body, "short");
    let page = house.ask(&caller(1), calls::History { room, before: None, after: None, limit: Limit::MOST }).await.unwrap();
    assert_eq!(page.items[1].reply_to.as_ref().unwrap().body, "short");
    house.delete(1, room, 1).await.unwrap();
    let shown = house.message(1, room, 2).await.unwrap().reply_to.unwrap();
    assert_eq!((shown.seq, shown.body.as_str()), (1, ""));
    assert!(house.send_rich(2, room, "to what is gone", to(1)).await.is_ok());
    // An edit keeps what it answers.
    assert_eq!(house.edit(2, room, 2, "no").await.unwrap().reply_to.unwrap().seq, 1);
    house.must_be_sound().await;
}

pub async fn what_a_message_carries_is_kept(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let metadata = |value| Some(Metadata::try_from(object(value)).unwrap());
    let rich = calls::Rich {
        message_type: Some("poll".try_into().unwrap()),
        format: Some(Format::Markdown),
        metadata: metadata(json!({"options": ["tea", "coffee"], "n": 1.5, "deep": {"null": null}})),
        ..calls::Rich::default()
    };
    let sent = house.send_rich(1, room, "**what?**", rich.clone()).await.unwrap();
    assert_eq!(
        (sent.message_type.clone(), sent.format, sent.metadata.clone()),
        (rich.message_type.clone(), rich.format, rich.metadata.clone())
    );
    assert_eq!(house.message(2, room, 1).await.unwrap(), Message { nonce: None, ..sent });
    // A text is not needed where there is a type with metadata.
    assert_eq!(house.send_rich(1, room, "", rich.clone()).await.unwrap().body.as_str(), "");
    let typed = calls::Rich { metadata: None, ..rich.clone() };
    assert_eq!(code(house.send_rich(1, room, "", typed).await), (Code::InvalidRequest, Some("body".into())));
    let large = calls::Rich { metadata: metadata(json!({"a": "x".repeat(4_096)})), ..rich.clone() };
    assert_eq!(code(house.send_rich(1, room, "x", large).await), (Code::InvalidRequest, Some("metadata".into())));
    let edit = async |format, metadata: Patch<Value>| {
        let metadata = match metadata {
            Patch::Keep => Patch::Keep,
            Patch::Clear => Patch::Clear,
            Patch::Set(value) => Patch::Set(object(value)),
        };
        let call = calls::EditMessage { room, seq: 1, body: None, format, metadata, if_rev: None };
        house.ask(&caller(1), call).await
    };
    let merged = edit(Patch::Keep, Patch::Set(json!({"n": null, "deep": {"more": 1}}))).await.unwrap();
    let expected = json!({"options": ["tea", "coffee"], "deep": {"null": null, "more": 1}});
    assert_eq!(serde_json::to_value(merged.metadata).unwrap(), expected);
    assert_eq!(
        code(edit(Patch::Keep, Patch::Set(json!({"big": "x".repeat(4_096)}))).await),
        (Code::InvalidRequest, Some("metadata".into()))
    );
    let deep = json!({"deep": {"a": {"b": {"c": {"d": {}}}}}});
    assert_eq!(code(edit(Patch::Keep, Patch::Set(deep)).await), (Code::InvalidRequest, Some("metadata".into())));
    let plain = edit(Patch::Clear, Patch::Clear).await.unwrap();
    assert_eq!((plain.format, plain.metadata, plain.body.as_str()), (None, None, "**what?**"));
    let versions = house.ask(&caller(1), calls::Versions { room, seq: 1 }).await.unwrap();
    assert_eq!(versions.iter().map(|version| version.metadata.is_some()).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(versions[0].metadata, rich.metadata);
    house.must_be_sound().await;
}

pub async fn a_room_has_a_topic_and_metadata(house: House) {
    let room = house.room(1, Group, None, &[2]).await.id;
    let update = |by: u64, name: Option<&str>, topic: Patch<&str>, metadata: Patch<Value>, if_rev: Option<i64>| {
        let topic = match topic {
            Patch::Keep => Patch::Keep,
            Patch::Clear => Patch::Clear,
            Patch::Set(topic) => Patch::Set(topic.try_into().unwrap()),
        };
        let metadata = match metadata {
            Patch::Keep => Patch::Keep,
            Patch::Clear => Patch::Clear,
            Patch::Set(value) => Patch::Set(object(value)),
        };
        let call = calls::UpdateRoom { room, name: name.map(|name| name.try_into().unwrap()), topic, metadata, if_rev };
        let house = &house;
        async move { house.ask(&caller(by), call).await }
    };
    let now = update(1, None, Patch::Set("tea"), Patch::Set(json!({"a": {"b": 1}})), Some(0)).await.unwrap();
    assert_eq!((now.rev, now.name, now.topic.unwrap().as_str()), (1, None, "tea"));
    let again = update(1, None, Patch::Set("tea"), Patch::Set(json!({"a": {"b": 1}})), None).await.unwrap();
    assert_eq!((again.rev, again.head), (1, 1), "nothing changed");
    assert_eq!(code(update(1, None, Patch::Set("cake"), Patch::Keep, Some(0)).await), (Code::Conflict, Some("if_rev".into())));
    assert_eq!(code(update(2, None, Patch::Set("cake"), Patch::Keep, None).await).0, Code::Forbidden);
    assert_eq!(code(update(3, None, Patch::Set("cake"), Patch::Keep, None).await).0, Code::NotFound);
    assert_eq!(code(update(1, None, Patch::Keep, Patch::Set(json!({"c": "x".repeat(8_192)})), None).await).1.unwrap(), "metadata");
    let named = update(1, Some("plans"), Patch::Keep, Patch::Set(json!({"a": {"c": 2}})), Some(1)).await.unwrap();
    assert_eq!(serde_json::to_value(named.metadata).unwrap(), json!({"a": {"b": 1, "c": 2}}));
    let cleared = update(1, None, Patch::Clear, Patch::Clear, None).await.unwrap();
    assert_eq!((cleared.rev, cleared.topic, cleared.metadata, cleared.name.unwrap().as_str()), (3, None, None, "plans"));
    let events = house.ask(&caller(2), calls::RoomEvents { room, after: 0, limit: 10 }).await.unwrap().items;
    let told: Vec<_> = events
        .iter()
        .map(|event| match event {
            Event::RoomUpdated(updated) => (
                updated.by.as_ref().unwrap().username.to_string(),
                updated.name.is_some(),
                updated.topic.is_some(),
                updated.metadata.is_some(),
            ),
            other => panic!("{other:?}"),
        })
        .collect();
    let by = || "u1".to_owned();
    assert_eq!(told, [(by(), false, true, true), (by(), true, true, true), (by(), true, false, false)]);
    let direct = house.room(1, Direct, None, &[2]).await.id;
    let call = |name: Option<&str>, topic| calls::UpdateRoom {
        room: direct,
        name: name.map(|name| name.try_into().unwrap()),
        topic,
        metadata: Patch::Keep,
        if_rev: None,
    };
    assert!(house.ask(&caller(2), call(None, Patch::Set("us".try_into().unwrap()))).await.unwrap().topic.is_some());
    assert_eq!(code(house.ask(&caller(2), call(Some("x"), Patch::Keep)).await).0, Code::Forbidden);
    house.must_be_sound().await;
}

pub async fn events_of_a_room_are_paged_as_they_are_now(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    house.try_send(1, room, "one", Some("n")).await.unwrap();
    house.add(1, room, 3).await.unwrap();
    house.pin(2, room, 1, true).await.unwrap();
    house.edit(1, room, 1, "uno").await.unwrap();
    house.react(2, room, 1, "👍", true).await.unwrap();
    house.pin(2, room, 1, false).await.unwrap();
    house.remove(3, room, 3).await.unwrap();
    house.ask(&caller(1), calls::UpdateRoom::name(room, "h".try_into().unwrap())).await.unwrap();
    let all = ["1 uno", "2 u3 joined", "3 pins 1", "4 edits 1 to uno", "5 reacts to 1: 👍1", "6 unpins 1", "7 u3 left", "8 named h"];
    assert_eq!(house.events(2, room).await, all);
    let page = async |by: u64, after, limit| house.ask(&caller(by), calls::RoomEvents { room, after, limit }).await;
    let seqs = |page: contract::Page<Event>| (page.items.iter().map(|event| event.seq().unwrap()).collect::<Vec<_>>(), page.next);
    assert_eq!(seqs(page(1, 0, 3).await.unwrap()), (vec![1, 2, 3], Some("3".into())));
    assert_eq!(seqs(page(1, 3, 5).await.unwrap()), (vec![4, 5, 6, 7, 8], None));
    assert_eq!(seqs(page(1, 8, 5).await.unwrap()), (vec![], None));
    assert_eq!(code(page(1, -1, 5).await).1.unwrap(), "after");
    assert_eq!(code(page(1, 0, 0).await).1.unwrap(), "limit");
    assert_eq!(code(page(1, 0, 501).await).1.unwrap(), "limit");
    assert_eq!(code(page(3, 0, 5).await).0, Code::NotFound);
    let nonce = |page: contract::Page<Event>| match page.items.into_iter().next().unwrap() {
        Event::NewMessage { message, .. } => message.nonce,
        other => panic!("{other:?}"),
    };
    assert!(nonce(page(1, 0, 1).await.unwrap()).is_some());
    assert!(nonce(page(2, 0, 1).await.unwrap()).is_none());
    for _ in 0..50 {
        house.send(1, room, &"x".repeat(8_000)).await;
    }
    let long = page(2, 8, 500).await.unwrap();
    assert!(long.items.len() == 50 && long.next.is_none());
    for _ in 0..100 {
        house.send(1, room, &"x".repeat(8_000)).await;
    }
    let (mut after, mut seen) = (8, Vec::new());
    loop {
        let (seqs, next) = seqs(page(2, after, 500).await.unwrap());
        assert!(seqs.len() < 140, "a page ends after a MiB");
        seen.extend(seqs);
        let Some(next) = next else { break };
        after = next.parse().unwrap();
    }
    assert_eq!(seen, (9..=158).collect::<Vec<_>>());
    house.must_be_sound().await;
}

pub async fn a_page_around_a_message(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    for n in 1..=20 {
        house.send(1, room, &n.to_string()).await;
    }
    let around = async |seq, limit| {
        let page = house.ask(&caller(2), calls::Around { room, seq, limit: Limit::try_from(limit).unwrap() }).await.unwrap();
        (page.items.first().map(|m| m.seq), page.items.last().map(|m| m.seq), page.before, page.next)
    };
    assert_eq!(around(10, 6).await, (Some(7), Some(12), Patch::Set(7), Some("12".into())));
    assert_eq!(around(10, 5).await, (Some(8), Some(12), Patch::Set(8), Some("12".into())));
    assert_eq!(around(1, 5).await, (Some(1), Some(5), Patch::Clear, Some("5".into())));
    assert_eq!(around(3, 5).await, (Some(1), Some(5), Patch::Clear, Some("5".into())));
    assert_eq!(around(20, 4).await, (Some(18), Some(20), Patch::Set(18), None));
    assert_eq!(around(99, 4).await, (Some(19), Some(20), Patch::Set(19), None));
    assert_eq!(around(10, 1).await, (Some(10), Some(10), Patch::Set(10), Some("10".into())));
}

pub async fn changes_do_not_move_a_room(house: House) {
    let older = house.room(1, Group, Some("older"), &[2]).await.id;
    house.send(1, older, "x").await;
    house.turn_clock(1_000);
    let newer = house.room(1, Group, Some("newer"), &[2]).await.id;
    house.send(1, newer, "x").await;
    house.turn_clock(1_000);
    house.edit(1, older, 1, "y").await.unwrap();
    house.react(2, older, 1, "👍", true).await.unwrap();
    house.pin(2, older, 1, true).await.unwrap();
    let order = async || {
        let page = house.ask(&caller(2), calls::MyRooms { after: None, limit: Limit::MOST }).await.unwrap();
        page.items.into_iter().map(|room| (room.id, room.unread, room.last_message.unwrap().seq)).collect::<Vec<_>>()
    };
    assert_eq!(order().await, [(newer, 1, 1), (older, 1, 1)]);
    house.send(1, older, "z").await;
    assert_eq!(order().await, [(older, 2, 5), (newer, 1, 1)]);
    house.must_be_sound().await;
}

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
        let page = house.ask(&caller(1), calls::History { room, before: None, after: Some(0), limit: Limit::MOST }).await.unwrap();
        assert!(!page.items.is_empty());
        for message in &page.items {
            assert_eq!(house.message(1, room, message.seq).await.unwrap(), *message);
        }
        let stretches = calls::Histories { rooms: vec![room], after: 0, before: None, newest: false, limit: Limit::MOST };
        let stretch = house.ask(&caller(1), stretches).await.unwrap().pop().unwrap().answer.unwrap();
        assert_eq!(stretch.messages, page.items);
    }
}

pub async fn the_check_finds_what_is_broken(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    for body in ["one", "two", "three"] {
        house.send(1, room, body).await;
    }
    house.edit(1, room, 1, "uno").await.unwrap();
    house.react(2, room, 1, "👍", true).await.unwrap();
    house.react(1, room, 1, "👍", true).await.unwrap();
    house.react(2, room, 1, "❤", true).await.unwrap();
    house.react(2, room, 1, "❤", false).await.unwrap();
    house.pin(1, room, 1, true).await.unwrap();
    house.pin(1, room, 2, true).await.unwrap();
    house.pin(1, room, 2, false).await.unwrap();
    house.edit(1, room, 3, "drei").await.unwrap();
    house.react(2, room, 3, "👍", true).await.unwrap();
    crate::search::index::catch_up(&house.db, 1, |_| {}).await.unwrap();
    house.delete(1, room, 3).await.unwrap();
    let topic = calls::UpdateRoom {
        room,
        name: None,
        topic: Patch::Set("tea".try_into().unwrap()),
        metadata: Patch::Set(object(json!({"a": 1}))),
        if_rev: None,
    };
    house.ask(&caller(1), topic).await.unwrap();
    house.must_be_sound().await;
    let reindex = match house.db.engine() {
        db::Engine::Sqlite => {
            "INSERT INTO words_2 (rowid, tokens) SELECT l.position, (SELECT '\u{e000}' || lower(substr(hex(l.room), 23)) || ' \u{e001}' || lower(substr(hex(l.actor), 23))) FROM log l WHERE l.seq = 3"
        }
        db::Engine::Postgres => {
            "INSERT INTO words_2 (part, position, tokens) SELECT part, (SELECT position FROM log WHERE seq = 3), tokens FROM words_2 WHERE position = (SELECT position FROM log WHERE seq = 1)"
        }
    };
    let breakages = [
        ("UPDATE log SET ref_seq = 99 WHERE kind = 6 AND seq = 4", "names an earlier message"),
        ("UPDATE log SET ref_seq = 1 WHERE seq = 2", "names an earlier message"),
        ("UPDATE log SET active_at = created_at + 1 WHERE kind = 6 AND seq = 4", "order of rooms"),
        ("UPDATE log SET active_at = NULL WHERE kind = 8", "order of rooms"),
        ("UPDATE log SET active_at = 5 WHERE seq = 1", "order of rooms"),
        ("UPDATE message_state SET rev = rev - 1 WHERE seq = 1", "rev is that of its newest"),
        ("DELETE FROM message_state WHERE seq = 2", "rev is that of its newest"),
        ("UPDATE message_state SET body = 'due' WHERE seq = 1", "newest edit says"),
        ("UPDATE message_state SET extra = '{}' WHERE seq = 1", "newest edit says"),
        ("UPDATE message_state SET edits = 2 WHERE seq = 1", "newest edit says"),
        ("UPDATE message_state SET edited_seq = 5 WHERE seq = 1", "newest edit says"),
        ("UPDATE message_state SET edited_at = NULL WHERE seq = 1", "newest edit says"),
        ("UPDATE log SET actor = subject, payload = payload WHERE seq = 0", "none"),
        ("UPDATE log SET payload = 'three' WHERE seq = 3", "nothing is left"),
        ("UPDATE log SET payload = NULL WHERE seq = 2", "only that has no text"),
        ("UPDATE log SET payload = 'drei' WHERE kind = 6 AND ref_seq = 3", "nothing is left"),
        ("UPDATE log SET payload = '+👍' WHERE kind = 8 AND ref_seq = 3", "nothing is left"),
        ("UPDATE message_state SET body = 'drei', edits = 1 WHERE seq = 3", "nothing is left"),
        ("UPDATE message_state SET reactions = '[]' WHERE seq = 3", "nothing is left"),
        ("UPDATE message_state SET deleted_at = NULL WHERE seq = 3", "deleted where the log says so"),
        ("UPDATE message_state SET deleted_by = room WHERE seq = 3", "deleted where the log says so"),
        ("UPDATE message_state SET deleted_at = 7, deleted_by = room WHERE seq = 2", "deleted where the log says so"),
        ("DELETE FROM reactions WHERE at_seq = 5", "reactions are what the log says"),
        ("UPDATE reactions SET at_seq = 7 WHERE at_seq = 5", "reactions are what the log says"),
        ("UPDATE reactions SET emoji = '👎' WHERE at_seq = 5", "reactions are what the log says"),
        ("UPDATE log SET payload = '-👍' WHERE seq = 5", "reactions are what the log says"),
        ("UPDATE message_state SET reactions = NULL WHERE seq = 1", "reactions are counted"),
        ("UPDATE message_state SET reactions = replace(reactions, '\"n\":2', '\"n\":3') WHERE seq = 1", "reactions are counted"),
        ("UPDATE message_state SET reactions = 'nonsense' WHERE seq = 1", "reactions are counted"),
        ("UPDATE message_state SET pin_seq = NULL, pinned_at = NULL, pinned_by = NULL WHERE seq = 1", "pins are"),
        ("UPDATE message_state SET pinned_by = room WHERE seq = 1", "pins are"),
        ("UPDATE message_state SET pin_seq = 10 WHERE seq = 2", "pins are"),
        ("UPDATE rooms SET topic = 'coffee'", "about what its last change says"),
        ("UPDATE rooms SET metadata = NULL", "about what its last change says"),
        ("UPDATE rooms SET rev = 0", "about what its last change says"),
        (reindex, "in no search index"),
    ];
    for (sql, rule) in breakages {
        let outcome = house
            .db
            .write::<(), _>(move |tx| {
                Box::pin(async move {
                    tx.execute(sql, &values![]).await?;
                    let report = crate::check::inside(tx, false).await?;
                    // Undone: the next breakage starts from a sound database.
                    Err(db::Error::Conflict(report.problems.join("\n")))
                })
            })
            .await;
        let Err(db::Error::Conflict(problems)) = outcome else { panic!("{sql}: {outcome:?}") };
        if rule == "none" {
            assert_eq!(problems, "", "{sql}");
        } else {
            assert!(problems.contains(rule), "{sql}: {problems:?}");
        }
    }
    house.must_be_sound().await;
}
