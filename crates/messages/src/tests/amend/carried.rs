//! What messages and rooms carry besides texts and names.

use super::support::{code, object};
use crate::tests::house::{House, caller, user};
use contract::RoomKind::{Direct, Group};
use contract::calls::messages as calls;
use contract::log::Event;
use contract::{Code, Format, Limit, Message, Metadata, Patch};
use serde_json::{Value, json};

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
    let page = house.ask(&caller(1), calls::History { room, before: None, after: None, thread: None, limit: Limit::MOST }).await.unwrap();
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
        let call = calls::EditMessage { room, seq: 1, body: None, format, metadata, mentions: Patch::Keep, if_rev: None };
        house.ask(&caller(1), call).await.map(|edited| edited.message)
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
