//! What `guild check` finds about changed messages.

use super::support::object;
use crate::tests::house::{House, caller};
use contract::Patch;
use contract::RoomKind::Group;
use contract::calls::messages as calls;
use serde_json::json;

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
        db::Engine::Sqlite => "INSERT INTO words_2 (words_2, rowid, tokens) SELECT 'delete', position, '\u{e003}' FROM log WHERE seq = 3",
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
        let problems = house.problems_after(sql).await;
        if rule == "none" {
            assert_eq!(problems, "", "{sql}");
        } else {
            assert!(problems.contains(rule), "{sql}: {problems:?}");
        }
    }
    house.must_be_sound().await;
}
