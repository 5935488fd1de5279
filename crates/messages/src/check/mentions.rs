//! That the tables of mentions are what messages say now. What a message says is JSON, so it is read in pages.

use crate::extra::Extra;
use crate::store::log::{self, LogRow};
use crate::store::present;
use crate::store::state::MessageKey;
use contract::{RoomId, UserId};
use db::{Error, Row, Tx, values};
use std::collections::{BTreeSet, HashMap};

/// How many messages are compared at a time.
const PAGE: i64 = 500;

/// What a table says of one mention: who, the thread, whether the message stands there alone, when it came.
type Mention = (UserId, Option<i64>, bool, i64);

/// The messages whose mentions are not what the tables say.
pub(super) async fn check(tx: &mut Tx) -> Result<Vec<String>, Error> {
    let page = "SELECT room, seq FROM (SELECT room, seq FROM mentions UNION SELECT room, seq FROM room_mentions
            UNION SELECT room, seq FROM log WHERE kind = 2 AND extra LIKE '%\"mentions\"%'
            UNION SELECT room, seq FROM message_state WHERE extra LIKE '%\"mentions\"%') AS k
        WHERE (room, seq) > ($1, $2) ORDER BY room, seq LIMIT $3";
    let (mut last, mut broken) = (([0; 16], 0_i64), Vec::new());
    loop {
        let read = |row: &Row<'_>| Ok((RoomId::from_bytes(row.id(0)?), row.int(1)?));
        let keys: Vec<MessageKey> = tx.rows(page, &values![last.0, last.1, PAGE], read).await?;
        let Some((room, seq)) = keys.last() else { break };
        last = (room.bytes(), *seq);
        let mut rows: Vec<LogRow> = log::by_seq_each(tx, &keys).await?.into_iter().flatten().filter(LogRow::is_message).collect();
        present::attach_states(tx, &mut rows).await?;
        let rows: HashMap<MessageKey, LogRow> = rows.into_iter().filter_map(|row| Some(((row.room, row.seq?), row))).collect();
        for (key, noted) in keys.iter().zip(noted(tx, &keys).await?) {
            if rows.get(key).map(said) != Some(noted) {
                broken.push(format!("room {}, message {}", key.0, key.1));
            }
        }
    }
    broken.extend(seen(tx).await?);
    Ok(broken)
}

type Mentioned = (BTreeSet<Mention>, Option<Mention>);

/// What the tables say of each message: who is mentioned by name, and by whom everybody.
async fn noted(tx: &mut Tx, keys: &[MessageKey]) -> Result<Vec<Mentioned>, Error> {
    let names = "SELECT member, thread, aside, created_at FROM mentions WHERE room = $1 AND seq = $2";
    let everybody = "SELECT sender, thread, aside, created_at FROM room_mentions WHERE room = $1 AND seq = $2";
    let each: Vec<_> = keys.iter().map(|(room, seq)| values![room.bytes(), *seq].to_vec()).collect();
    let mention = |row: &Row<'_>| Ok((UserId::from_bytes(row.id(0)?), row.maybe_int(1)?, row.int(2)? == 1, row.int(3)?));
    let names = tx.rows_each(names, &each, mention).await?;
    let everybody = tx.row_each(everybody, &each, mention).await?;
    Ok(names.into_iter().map(BTreeSet::from_iter).zip(everybody).collect())
}

/// The same by what the message says.
fn said(row: &LogRow) -> Mentioned {
    let ids = if row.is_deleted() { Default::default() } else { Extra::mentions(row.extra_now()) };
    let mention = |user| (user, row.thread.map(|thread| thread.root), row.is_aside(), row.created_at.0);
    let names = ids.users.into_iter().filter(|user| *user != row.actor).map(mention).collect();
    (names, ids.room.then(|| mention(row.actor)))
}

/// Mentions in threads that are read by their member's mark and not noted so, or the other way round. One that came before its member left and came
/// back counts as read.
async fn seen(tx: &mut Tx) -> Result<Vec<String>, Error> {
    let sql =
        "SELECT m.room, m.seq FROM mentions m LEFT JOIN thread_members t ON t.member = m.member AND t.room = m.room AND t.thread = m.thread
        WHERE m.seen NOT IN (0, 1) OR m.aside = 1 AND m.seen = 0 AND COALESCE(t.read, 0) >= m.seq
            OR m.aside = 1 AND m.seen = 1 AND COALESCE(t.read, 0) < m.seq AND NOT EXISTS (SELECT 1 FROM stays s
                WHERE s.member = m.member AND s.room = m.room AND s.to_seq > m.seq)";
    tx.rows(sql, &[], |row| Ok(format!("room {}, message {}, seen", RoomId::from_bytes(row.id(0)?), row.int(1)?))).await
}
