//! Rules that SQL cannot say for both engines: counted reactions and what rooms are about are JSON, and the search index has its own language.
//! Each is read in pages.

use super::Report;
use crate::extra::RoomExtra;
use crate::store::rooms::Details;
use crate::store::state::{self, ReactionCount};
use crate::store::{log, search};
use contract::message::{LISTED_REACTORS, LISTED_REPLIERS};
use contract::{RoomId, UserId};
use db::{Error, Tx, values};

/// How many rows are compared at a time.
const PAGE: i64 = 500;

pub(super) async fn check(tx: &mut Tx, report: &mut Report) -> Result<(), Error> {
    let broken = counted_reactions(tx).await?;
    report.note("reactions are counted, and the first are named", broken);
    let broken = repliers(tx).await?;
    report.note("the first who wrote in a thread are named", broken);
    let broken = rooms(tx).await?;
    report.note("a room is called and about what its last change says", broken);
    let broken = indexed(tx).await?;
    report.note("a deleted message is in no search index", broken);
    Ok(())
}

async fn counted_reactions(tx: &mut Tx) -> Result<Vec<String>, Error> {
    let page = "SELECT room, seq, reactions FROM message_state s WHERE (room, seq) > ($1, $2)
        AND (reactions IS NOT NULL OR EXISTS (SELECT 1 FROM reactions r WHERE r.room = s.room AND r.seq = s.seq)) ORDER BY room, seq LIMIT $3";
    let each = "SELECT emoji, COUNT(*) FROM reactions WHERE room = $1 AND seq = $2 GROUP BY emoji";
    let (mut last, mut broken) = (([0; 16], 0_i64), Vec::new());
    loop {
        let read = |row: &db::Row<'_>| Ok((row.id(0)?, row.int(1)?, row.maybe_text(2)?));
        let states = tx.rows(page, &values![last.0, last.1, PAGE], read).await?;
        let Some((room, seq, _)) = states.last() else { return Ok(broken) };
        last = (*room, *seq);
        let keys: Vec<_> = states.iter().map(|(room, seq, _)| values![*room, *seq]).collect();
        let counted = tx.rows_each(each, &keys, |row| Ok((row.text(0)?, row.int(1)?))).await?;
        for ((room, seq, json), counted) in states.into_iter().zip(counted) {
            let noted: Option<Vec<ReactionCount>> = json.map_or(Some(Vec::new()), |json| serde_json::from_str(&json).ok());
            let room = RoomId::from_bytes(room);
            let is_right = match &noted {
                Some(noted) => is_counted(noted, &counted) && are_first(tx, room, seq, noted).await?,
                None => false,
            };
            if !is_right {
                broken.push(format!("room {room}, message {seq}"));
            }
        }
    }
}

fn is_counted(noted: &[ReactionCount], counted: &[(String, i64)]) -> bool {
    let is_there = |(emoji, count): &(String, i64)| noted.iter().any(|noted| noted.emoji == *emoji && noted.count == *count);
    noted.len() == counted.len() && counted.iter().all(is_there)
}

/// Whether those who are named have reacted, and are as many as can be named.
async fn are_first(tx: &mut Tx, room: RoomId, seq: i64, noted: &[ReactionCount]) -> Result<bool, Error> {
    for ReactionCount { emoji, first, .. } in noted {
        let limit = i64::try_from(LISTED_REACTORS).unwrap_or(i64::MAX);
        let found = state::reactors(tx, (room, seq), emoji, (0, 0), limit).await?;
        let found: Vec<UserId> = found.into_iter().map(|(_, member, _)| member).collect();
        if found != *first {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn repliers(tx: &mut Tx) -> Result<Vec<String>, Error> {
    let page = "SELECT room, seq, thread_first FROM message_state WHERE (room, seq) > ($1, $2) AND thread_total IS NOT NULL
        ORDER BY room, seq LIMIT $3";
    let each = "SELECT actor, MIN(seq) FROM log WHERE room = $1 AND thread = $2 GROUP BY actor ORDER BY MIN(seq) LIMIT $3";
    let most = i64::try_from(LISTED_REPLIERS).unwrap_or(i64::MAX);
    let (mut last, mut broken) = (([0; 16], 0_i64), Vec::new());
    loop {
        let read = |row: &db::Row<'_>| Ok((row.id(0)?, row.int(1)?, row.maybe_text(2)?));
        let threads = tx.rows(page, &values![last.0, last.1, PAGE], read).await?;
        let Some((room, seq, _)) = threads.last() else { return Ok(broken) };
        last = (*room, *seq);
        let keys: Vec<_> = threads.iter().map(|(room, seq, _)| values![*room, *seq, most].to_vec()).collect();
        let first = tx.rows_each(each, &keys, |row| Ok(UserId::from_bytes(row.id(0)?))).await?;
        for ((room, seq, json), first) in threads.into_iter().zip(first) {
            let noted: Option<Vec<UserId>> = json.and_then(|json| serde_json::from_str(&json).ok());
            if noted.as_ref() != Some(&first) {
                broken.push(format!("room {}, thread {seq}", RoomId::from_bytes(room)));
            }
        }
    }
}

async fn rooms(tx: &mut Tx) -> Result<Vec<String>, Error> {
    let page = "SELECT id, name, topic, metadata, rev FROM rooms WHERE id > $1 AND (rev > 0 OR topic IS NOT NULL OR metadata IS NOT NULL)
        ORDER BY id LIMIT $2";
    let (mut last, mut broken) = ([0; 16], Vec::new());
    loop {
        let read = |row: &db::Row<'_>| {
            let details = Details { topic: row.maybe_text(2)?, metadata: row.maybe_text(3)?, rev: row.int(4)? };
            Ok((row.id(0)?, row.maybe_text(1)?, details))
        };
        let rooms = tx.rows(page, &values![last, PAGE], read).await?;
        let Some((id, ..)) = rooms.last() else { return Ok(broken) };
        last = *id;
        let keys: Vec<_> = rooms.iter().map(|(id, _, details)| (RoomId::from_bytes(*id), details.rev)).collect();
        let rows = log::by_seq_each(tx, &keys).await?;
        for ((id, name, details), row) in rooms.into_iter().zip(rows) {
            let rev = details.rev;
            if row.as_ref().is_some_and(|row| matches!(row.kind, log::Kind::Unknown { .. })) {
                // A newer program has written it, and only that one knows what it says.
                continue;
            }
            let says =
                row.filter(|row| row.kind == log::Kind::RoomUpdated).map(|row| (row.payload.clone(), about(row.extra.as_deref(), rev)));
            if says != Some((name, Some(details))) {
                broken.push(format!("room {}, rev {rev}", RoomId::from_bytes(id)));
            }
        }
    }
}

/// What a row says that its room is about.
fn about(extra: Option<&str>, rev: i64) -> Option<Details> {
    let RoomExtra { topic, metadata } = extra.map_or(Some(RoomExtra::default()), |json| serde_json::from_str(json).ok())?;
    let metadata = match metadata {
        Some(metadata) => Some(serde_json::to_string(&metadata).ok()?),
        None => None,
    };
    Some(Details { topic: topic.map(String::from), metadata, rev })
}

async fn indexed(tx: &mut Tx) -> Result<Vec<String>, Error> {
    let page = "SELECT l.part, l.position, l.room, l.actor FROM message_state s JOIN log l ON l.room = s.room AND l.seq = s.seq
        WHERE s.deleted_at IS NOT NULL AND (l.part, l.position) > ($1, $2) ORDER BY l.part, l.position LIMIT $3";
    let (mut last, mut broken) = ((0_i64, 0_i64), Vec::new());
    loop {
        let read = |row: &db::Row<'_>| Ok((row.int(0)?, row.int(1)?, RoomId::from_bytes(row.id(2)?), UserId::from_bytes(row.id(3)?)));
        let deleted = tx.rows(page, &values![last.0, last.1, PAGE], read).await?;
        let Some((part, position, ..)) = deleted.last() else { return Ok(broken) };
        last = (*part, *position);
        for (part, position, room, sender) in deleted {
            if search::is_indexed(tx, crate::partitions::number(part)?, position, room, sender).await? {
                broken.push(format!("room {room}, position {position}"));
            }
        }
    }
}
