//! The rules of users' own state, and of where read marks have moved.

use super::Column::{Id, Number};
use super::{Report, Rule};
use contract::state::KEYS;
use contract::{StateKey, StateValue, UserId};
use db::{Error, Tx, values};

/// How many values are read at a time: at most 4 MiB.
const PAGE: i64 = 250;

pub(super) const RULES: [Rule; 3] = [
    Rule {
        says: "users' own state has changed where the log has been",
        finds: "SELECT s.member, s.part, s.position FROM user_state s WHERE s.position < 0
                OR s.position > COALESCE((SELECT l.position FROM log l WHERE l.part = s.part ORDER BY l.position DESC LIMIT 1), 0)
            UNION ALL SELECT f.member, f.part, f.position FROM user_state_floors f WHERE f.position < 0
                OR f.position > COALESCE((SELECT l.position FROM log l WHERE l.part = f.part ORDER BY l.position DESC LIMIT 1), 0)",
        columns: &[Id("user"), Number("partition"), Number("position")],
    },
    Rule {
        says: "changes of users' own state are counted",
        finds: "SELECT s.member, s.part, s.number FROM user_state s
            WHERE s.number < 0 OR s.number > COALESCE((SELECT e.number FROM user_state_ends e WHERE e.part = s.part), 0)",
        columns: &[Id("user"), Number("partition"), Number("number")],
    },
    Rule {
        says: "a read mark has moved where the log has been",
        finds: "SELECT m.room, m.member, m.read_position FROM members m WHERE m.read_position < 0
            OR m.read_position > COALESCE((SELECT l.position FROM log l
                WHERE l.part = (SELECT r.part FROM log r WHERE r.room = m.room LIMIT 1) ORDER BY l.position DESC LIMIT 1), 0)
            UNION ALL SELECT t.room, t.member, t.read_position FROM thread_members t WHERE t.read_position < 0
                OR t.read_position > COALESCE((SELECT l.position FROM log l
                    WHERE l.part = (SELECT r.part FROM log r WHERE r.room = t.room LIMIT 1) ORDER BY l.position DESC LIMIT 1), 0)",
        columns: &[Id("room"), Id("member"), Number("position")],
    },
];

/// The rules that SQL cannot say for both engines.
pub(super) async fn check(tx: &mut Tx, report: &mut Report) -> Result<(), Error> {
    let broken = values_are_json(tx).await?;
    report.note("users' own state has keys and values that may be", broken);
    let broken = too_many(tx).await?;
    report.note("a user's own state has at most 5,000 keys", broken);
    Ok(())
}

async fn values_are_json(tx: &mut Tx) -> Result<Vec<String>, Error> {
    let page = "SELECT member, key, value FROM user_state WHERE (member, key) > ($1, $2) ORDER BY member, key LIMIT $3";
    let (mut last, mut broken) = (([0; 16], String::new()), Vec::new());
    loop {
        let read = |row: &db::Row<'_>| Ok((row.id(0)?, row.text(1)?, row.maybe_text(2)?));
        let rows = tx.rows(page, &values![last.0, last.1, PAGE], read).await?;
        let Some((member, key, _)) = rows.last() else { return Ok(broken) };
        last = (*member, key.clone());
        for (member, key, value) in rows {
            let is_value = |json: &String| serde_json::from_str::<StateValue>(json).is_ok();
            if StateKey::try_from(key.as_str()).is_err() || !value.as_ref().is_none_or(is_value) {
                broken.push(format!("user {}, key {key:?}", UserId::from_bytes(member)));
            }
        }
    }
}

async fn too_many(tx: &mut Tx) -> Result<Vec<String>, Error> {
    let sql = "SELECT member, COUNT(value) FROM user_state GROUP BY member HAVING COUNT(value) > $1";
    let says = |row: &db::Row<'_>| Ok(format!("user {}, {} keys", UserId::from_bytes(row.id(0)?), row.int(1)?));
    tx.rows(sql, &values![KEYS], says).await
}
