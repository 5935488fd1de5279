//! The tables `message_state` (what messages are now that were changed since they were sent) and `reactions` (who has reacted with what). Both
//! are projections of the log: they are written in the transaction that appends the change, and `guild check` computes them again.
//!
//! A message that nobody has changed has no row here, so a plain send writes nothing more.

use super::lists::{self, lists, pairs};
use contract::{RoomId, Time, UserId};
use db::{Error, Row, Tx, Value, values};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

/// What a message is now, as far as its row in the log does not say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MessageState {
    /// The seq of the newest row that changed it.
    pub rev: i64,
    /// How often it was edited. Then `body` and `extra` are the present ones; before, those of its row are.
    pub edits: i64,
    pub body: Option<String>,
    pub extra: Option<String>,
    /// The seq and the time of the newest edit.
    pub edited: Option<(i64, Time)>,
    /// When it was deleted, and by whom.
    pub deleted: Option<(Time, UserId)>,
    /// In the order of their first use.
    pub reactions: Vec<ReactionCount>,
    /// The seq of the pin, when, and by whom.
    pub pinned: Option<(i64, Time, UserId)>,
    /// What came in the thread that begins with the message.
    pub thread: Option<Arc<ThreadState>>,
    /// The thread that the message is in, and whether it stands there alone.
    pub place: Option<(i64, bool)>,
}

impl MessageState {
    /// With what a member has reacted, as far as those who are named first tell it; none if the table `reactions` must tell.
    pub(crate) fn reactions_of(&self, member: UserId) -> Option<Vec<String>> {
        let mut given = Vec::new();
        for ReactionCount { emoji, count, first } in &self.reactions {
            if first.contains(&member) {
                given.push(emoji.clone());
            } else if usize::try_from(*count) != Ok(first.len()) {
                return None;
            }
        }
        Some(given)
    }
}

/// What came in a thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ThreadState {
    /// How many messages, with those that were deleted.
    pub total: i64,
    /// How many of them were deleted.
    pub deleted: i64,
    /// The seq and the time of the newest that was not deleted.
    pub last: Option<(i64, Time)>,
    /// The first [`contract::message::LISTED_REPLIERS`] who wrote in it.
    pub first: Vec<UserId>,
}

/// How often an emoji was used, and by whom first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReactionCount {
    #[serde(rename = "e")]
    pub emoji: String,
    #[serde(rename = "n")]
    pub count: i64,
    /// The first [`contract::message::LISTED_REACTORS`] of them.
    #[serde(rename = "u")]
    pub first: Vec<UserId>,
}

/// How many bytes the state `s` of a message adds to what is read and told of it.
macro_rules! size_of_state {
    () => {
        "COALESCE(octet_length(s.body), 0) + COALESCE(octet_length(s.extra), 0) + COALESCE(octet_length(s.reactions), 0)"
    };
}
pub(super) use size_of_state;

const COLUMNS: usize = 19;

macro_rules! columns {
    ($table:literal) => {
        concat!(
            $table,
            ".rev, ",
            $table,
            ".edits, ",
            $table,
            ".body, ",
            $table,
            ".extra, ",
            $table,
            ".edited_seq, ",
            $table,
            ".edited_at, ",
            $table,
            ".deleted_at, ",
            $table,
            ".deleted_by, ",
            $table,
            ".reactions, ",
            $table,
            ".pin_seq, ",
            $table,
            ".pinned_at, ",
            $table,
            ".pinned_by, ",
            $table,
            ".thread, ",
            $table,
            ".aside, ",
            $table,
            ".thread_total, ",
            $table,
            ".thread_deleted, ",
            $table,
            ".thread_last_seq, ",
            $table,
            ".thread_last_at, ",
            $table,
            ".thread_first"
        )
    };
}

fn state(row: &Row<'_>) -> Result<MessageState, Error> {
    let reactions = match row.maybe_str(8)? {
        Some(json) => serde_json::from_str(json).map_err(|why| Error::Failed(format!("reactions in message_state: {why}")))?,
        None => Vec::new(),
    };
    let user = |column| Ok::<_, Error>(row.maybe_id(column)?.map(UserId::from_bytes));
    // Most of it is null in most rows, and what stands beside a null is not read.
    let edited = match row.maybe_int(4)? {
        Some(seq) => row.maybe_int(5)?.map(|at| (seq, Time(at))),
        None => None,
    };
    let deleted = match row.maybe_int(6)? {
        Some(at) => user(7)?.map(|by| (Time(at), by)),
        None => None,
    };
    let pinned = match row.maybe_int(9)? {
        Some(seq) => row.maybe_int(10)?.zip(user(11)?).map(|(at, by)| (seq, Time(at), by)),
        None => None,
    };
    Ok(MessageState {
        rev: row.int(0)?,
        edits: row.int(1)?,
        body: row.maybe_text(2)?,
        extra: row.maybe_text(3)?,
        edited,
        deleted,
        reactions,
        pinned,
        thread: thread(row)?.map(Arc::new),
        place: row.maybe_int(12)?.map(|root| Ok::<_, Error>((root, row.maybe_int(13)? == Some(1)))).transpose()?,
    })
}

fn thread(row: &Row<'_>) -> Result<Option<ThreadState>, Error> {
    let Some(total) = row.maybe_int(14)? else { return Ok(None) };
    let first = row.maybe_text(18)?.unwrap_or_default();
    let first = serde_json::from_str(&first).map_err(|why| Error::Failed(format!("thread_first in message_state: {why}")))?;
    let last = row.maybe_int(16)?.zip(row.maybe_int(17)?.map(Time));
    Ok(Some(ThreadState { total, deleted: row.maybe_int(15)?.unwrap_or(0), last, first }))
}

/// A message: its room and its seq.
pub(crate) type MessageKey = (RoomId, i64);

const MANY: &str = pairs!(
    " SELECT ",
    columns!("s"),
    ", CAST(p.n AS BIGINT) FROM pairs p
        CROSS JOIN message_state s WHERE s.room = p.room AND s.seq = CAST(substr(CAST($3 AS TEXT), (p.n - 1) / 16 * 19 + 1, 19) AS BIGINT)"
);

/// The states of these messages; none for one that nobody has changed.
pub(crate) async fn find_each(tx: &mut Tx, keys: &[MessageKey]) -> Result<Vec<Option<MessageState>>, Error> {
    const ONE: &str = concat!("SELECT ", columns!("s"), " FROM message_state s WHERE s.room = $1 AND s.seq = $2");
    match keys {
        [] => Ok(Vec::new()),
        [(room, seq)] => Ok(vec![tx.row(ONE, &values![room.bytes(), *seq], state).await?]),
        keys => {
            let mut all = Vec::with_capacity(keys.len());
            for keys in keys.chunks(lists::AT_ONCE) {
                let [rooms, readers] = lists(&keys.iter().map(|(room, _)| (*room, UserId::from_bytes([0; 16]))).collect::<Vec<_>>());
                let seqs: String = keys.iter().map(|(_, seq)| lists::digits(*seq)).collect();
                let found = tx.rows(MANY, &values![rooms, readers, seqs], |row| Ok((lists::index(row, COLUMNS)?, state(row)?))).await?;
                all.extend(lists::placed(keys.len(), found));
            }
            Ok(all)
        }
    }
}

/// The states of a room's messages from one seq to another, both included, by seq, ascending.
pub(crate) async fn find_between(tx: &mut Tx, (room, from, to): (RoomId, i64, i64)) -> Result<Vec<(i64, Arc<MessageState>)>, Error> {
    const SQL: &str =
        concat!("SELECT ", columns!("s"), ", s.seq FROM message_state s WHERE s.room = $1 AND s.seq >= $2 AND s.seq <= $3 ORDER BY s.seq");
    tx.rows(SQL, &values![room.bytes(), from, to], |row| Ok((row.int(COLUMNS)?, Arc::new(state(row)?)))).await
}

/// Writes the states of messages.
pub(crate) async fn save_each(tx: &mut Tx, states: impl Iterator<Item = (MessageKey, MessageState)>) -> Result<(), Error> {
    let sql = "INSERT INTO message_state (room, seq, rev, edits, body, extra, edited_seq, edited_at, deleted_at, deleted_by, reactions,
            pin_seq, pinned_at, pinned_by, thread, aside, thread_total, thread_deleted, thread_last_seq, thread_last_at, thread_first)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
        ON CONFLICT (room, seq) DO UPDATE SET rev = $3, edits = $4, body = $5, extra = $6, edited_seq = $7, edited_at = $8, deleted_at = $9,
            deleted_by = $10, reactions = $11, pin_seq = $12, pinned_at = $13, pinned_by = $14,
            thread = $15, aside = $16, thread_total = $17, thread_deleted = $18, thread_last_seq = $19, thread_last_at = $20, thread_first = $21";
    let each: Result<Vec<Vec<Value>>, Error> = states.map(|((room, seq), state)| values_of(room, seq, state)).collect();
    tx.execute_each(sql, &each?).await.map(|_| ())
}

fn values_of(room: RoomId, seq: i64, state: MessageState) -> Result<Vec<Value>, Error> {
    let MessageState { rev, edits, body, extra, edited, deleted, reactions, pinned, thread, place } = state;
    let reactions = match reactions.as_slice() {
        [] => None,
        some => Some(serde_json::to_string(some).map_err(|why| Error::Failed(why.to_string()))?),
    };
    let (edited_seq, edited_at) = edited.map(|(seq, at)| (seq, at.0)).unzip();
    let (deleted_at, deleted_by) = deleted.map(|(at, by)| (at.0, by.bytes())).unzip();
    let pin_seq = pinned.map(|(seq, _, _)| seq);
    let first = thread.as_ref().map(|thread| serde_json::to_string(&thread.first)).transpose();
    let first = first.map_err(|why| Error::Failed(why.to_string()))?;
    let (last_seq, last_at) = thread.as_ref().and_then(|thread| thread.last).map(|(seq, at)| (seq, at.0)).unzip();
    let (root, aside) = place.map(|(root, aside)| (root, aside.then_some(1_i64))).unzip();
    let (pinned_at, pinned_by) = pinned.map(|(_, at, by)| (at.0, by.bytes())).unzip();
    Ok(values![
        room.bytes(),
        seq,
        rev,
        edits,
        body,
        extra,
        edited_seq,
        edited_at,
        deleted_at,
        deleted_by,
        reactions,
        pin_seq,
        pinned_at,
        pinned_by,
        root,
        aside.flatten(),
        thread.as_ref().map(|thread| thread.total),
        thread.as_ref().map(|thread| thread.deleted),
        last_seq,
        last_at,
        first
    ])
}

/// How many messages are pinned in each room.
pub(crate) async fn pins_each(tx: &mut Tx, rooms: &[RoomId]) -> Result<Vec<i64>, Error> {
    let sql = "SELECT COUNT(*) FROM message_state WHERE room = $1 AND pin_seq IS NOT NULL";
    let each: Vec<_> = rooms.iter().map(|room| values![room.bytes()]).collect();
    Ok(tx.row_each(sql, &each, |row| row.int(0)).await?.into_iter().map(Option::unwrap_or_default).collect())
}

/// How many of a room's messages past one seq and up to another were deleted, without those that stood in threads alone.
pub(crate) async fn deleted_between(tx: &mut Tx, room: RoomId, after: i64, to: i64) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) FROM message_state WHERE room = $1 AND seq > $2 AND seq <= $3 AND deleted_at IS NOT NULL AND aside IS NULL";
    Ok(tx.row(sql, &values![room.bytes(), after, to], |row| row.int(0)).await?.unwrap_or(0))
}

/// Where a reaction stands among those to its message, which is their order: the seq of the row that tells it, and 0. One that is told together
/// with others has the seq of the room's newest row before it, and its number among the changes that wait ([`super::untold`]).
pub(crate) type ReactionPlace = (i64, i64);

/// A reaction: the message, the emoji, and who reacted.
pub(crate) type ReactionKey = (RoomId, i64, String, UserId);

fn reaction_key((room, seq, emoji, member): &ReactionKey) -> Vec<Value> {
    values![room.bytes(), *seq, emoji.clone(), member.bytes()]
}

/// Whether each of these reactions was given.
pub(crate) async fn reacted_each(tx: &mut Tx, keys: &[ReactionKey]) -> Result<Vec<bool>, Error> {
    let sql = "SELECT at_seq FROM reactions WHERE room = $1 AND seq = $2 AND emoji = $3 AND member = $4";
    let each: Vec<_> = keys.iter().map(reaction_key).collect();
    Ok(tx.row_each(sql, &each, |row| row.int(0)).await?.iter().map(Option::is_some).collect())
}

/// Writes reactions: given at a place and a time, or taken back.
pub(crate) async fn save_reactions(
    tx: &mut Tx,
    reactions: impl Iterator<Item = (ReactionKey, Option<(ReactionPlace, Time)>)>,
) -> Result<(), Error> {
    let give = "INSERT INTO reactions (room, seq, emoji, member, at_seq, at_place, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (room, seq, emoji, member) DO UPDATE SET at_seq = $5, at_place = $6, created_at = $7";
    let take = "DELETE FROM reactions WHERE room = $1 AND seq = $2 AND emoji = $3 AND member = $4";
    let (mut given, mut taken) = (Vec::new(), Vec::new());
    for (key, at) in reactions {
        let mut values = reaction_key(&key);
        match at {
            Some(((seq, place), time)) => {
                values.extend([seq.into(), place.into(), time.0.into()]);
                given.push(values);
            }
            None => taken.push(values),
        }
    }
    tx.execute_each(give, &given).await?;
    tx.execute_each(take, &taken).await.map(|_| ())
}

/// Removes all reactions to these messages.
pub(crate) async fn remove_reactions(tx: &mut Tx, messages: &[MessageKey]) -> Result<(), Error> {
    let sql = "DELETE FROM reactions WHERE room = $1 AND seq = $2";
    let each: Vec<_> = messages.iter().map(|(room, seq)| values![room.bytes(), *seq]).collect();
    tx.execute_each(sql, &each).await.map(|_| ())
}

/// A page of those who have reacted with an emoji, the first ones first: the place of the reaction, who, and when. Only those after a place.
pub(crate) async fn reactors(
    tx: &mut Tx,
    (room, seq): MessageKey,
    emoji: &str,
    after: ReactionPlace,
    limit: i64,
) -> Result<Vec<(ReactionPlace, UserId, Time)>, Error> {
    let sql = "SELECT at_seq, at_place, member, created_at FROM reactions WHERE room = $1 AND seq = $2 AND emoji = $3
        AND (at_seq, at_place) > ($4, $5) ORDER BY at_seq, at_place LIMIT $6";
    let reactor = |row: &Row<'_>| Ok(((row.int(0)?, row.int(1)?), UserId::from_bytes(row.id(2)?), Time(row.int(3)?)));
    tx.rows(sql, &values![room.bytes(), seq, emoji, after.0, after.1, limit], reactor).await
}

/// The emojis with which a member has reacted to a room's messages from one seq to another, both included, each with the seq.
pub(crate) async fn reactions_between(
    tx: &mut Tx,
    member: UserId,
    (room, from, to): (RoomId, i64, i64),
) -> Result<HashMap<i64, Vec<String>>, Error> {
    let sql = "SELECT seq, emoji FROM reactions WHERE member = $1 AND room = $2 AND seq >= $3 AND seq <= $4";
    let mut each: HashMap<i64, Vec<String>> = HashMap::new();
    for (seq, emoji) in tx.rows(sql, &values![member.bytes(), room.bytes(), from, to], |row| Ok((row.int(0)?, row.text(1)?))).await? {
        each.entry(seq).or_default().push(emoji);
    }
    Ok(each)
}

/// The emojis with which each member has reacted to each message.
pub(crate) async fn reactions_of_each(tx: &mut Tx, keys: &[(UserId, MessageKey)]) -> Result<Vec<Vec<String>>, Error> {
    let sql = "SELECT emoji FROM reactions WHERE member = $1 AND room = $2 AND seq = $3";
    let each: Vec<_> = keys.iter().map(|(member, (room, seq))| values![member.bytes(), room.bytes(), *seq]).collect();
    tx.rows_each(sql, &each, |row| row.text(0)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_named_first_tells_whether_a_member_is_among_them() {
        let [one, two, other] = [1, 2, 3].map(|n| UserId::from_bytes([n; 16]));
        let reaction = |emoji: &str, count, first: &[UserId]| ReactionCount { emoji: emoji.to_owned(), count, first: first.to_vec() };
        let all_named = vec![reaction("👍", 2, &[one, two]), reaction("❤", 1, &[two])];
        let state = MessageState { reactions: all_named.clone(), ..MessageState::default() };
        assert_eq!(state.reactions_of(two), Some(vec!["👍".to_owned(), "❤".to_owned()]));
        assert_eq!(state.reactions_of(other), Some(Vec::new()));
        let more = [all_named, vec![reaction("🎉", 3, &[one, two])]].concat();
        let state = MessageState { reactions: more, ..MessageState::default() };
        assert_eq!(state.reactions_of(other), None);
        assert_eq!(state.reactions_of(one), Some(vec!["👍".to_owned(), "🎉".to_owned()]));
    }
}
