//! Edits: what they tell, what is refused, and which of two wins.

use super::support::code;
use crate::tests::house::{House, caller};
use crate::tests::missed::brief;
use contract::RoomKind::{Direct, Group};
use contract::calls::messages as calls;
use contract::{Code, Limit, Patch};

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
    let page = calls::History { room, before: None, after: None, thread: None, limit: Limit::MOST };
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
        let call = calls::EditMessage {
            room,
            seq: 1,
            body,
            format: Patch::Keep,
            metadata: Patch::Keep,
            mentions: Patch::Keep,
            if_rev: Some(if_rev),
        };
        house.ask(&caller(1), call).await.map(|edited| edited.message)
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
