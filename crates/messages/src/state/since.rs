//! What has changed of a user's own state and read marks since a cursor: what `ready` tells. See [`StateSince`].

use super::get::value;
use crate::partitions::Partitions;
use crate::service::Messages;
use crate::store::lists::{AT_ONCE, RoomAndReader};
use crate::store::threads::MarkedThread;
use crate::store::user_state::{self, Since};
use crate::store::{members, mentions, sets, threads};
use contract::calls::state::{Mark, StateNews, StateNow, StateSince};
use contract::{Answer, Caller, Cursor, Refusal, RoomId, UserId};
use db::{Error, Tx};

/// Most bytes that are told (rich.md, "A member's own state").
const BYTES: i64 = 256 * 1024;

/// About so many bytes a mark takes.
const MARK_BYTES: i64 = 100;

impl Answer<StateSince> for Messages {
    async fn answer(&self, who: &Caller, call: StateSince) -> Result<StateNews, Refusal> {
        who.must_be_service()?;
        let StateSince { user, cursor: Cursor { epoch, positions } } = call;
        let partitions = self.partitions;
        if positions.len() != usize::from(partitions.count()) {
            return Ok(StateNews::Reset);
        }
        let read = self.read_in_epoch(move |tx| Box::pin(async move { read(tx, partitions, user, &positions).await }));
        let (now, news) = read.await?;
        Ok(if now == epoch { news } else { StateNews::Reset })
    }
}

async fn read(tx: &mut Tx, partitions: Partitions, user: UserId, positions: &[i64]) -> Result<StateNews, Error> {
    let Since::Rows(rows) = user_state::since(tx, user, positions, BYTES).await? else { return Ok(StateNews::Reset) };
    let first = positions.iter().min().copied().unwrap_or(0);
    let moved = |(room, position): (RoomId, i64)| {
        let since = positions.get(usize::from(partitions.of_room(room)));
        since.is_some_and(|since| position >= *since).then_some((room, user))
    };
    let moved: Vec<RoomAndReader> = members::marks_since(tx, user, first).await?.into_iter().filter_map(moved).collect();
    let in_threads = threads::marks_since(tx, user, positions, BYTES / MARK_BYTES + 1).await?;
    let told: usize = rows.iter().map(|(key, row)| key.as_str().len() + row.value.as_ref().map_or(4, String::len) + 80).sum();
    let marks = i64::try_from(moved.len() + in_threads.len()).unwrap_or(i64::MAX).saturating_mul(MARK_BYTES);
    if marks.saturating_add(i64::try_from(told).unwrap_or(i64::MAX)) > BYTES {
        return Ok(StateNews::Reset);
    }
    let mut values = Vec::with_capacity(rows.len());
    for (key, row) in rows {
        values.push(StateNow { key, value: row.value.as_deref().map(value).transpose()?, stamp: row.stamp });
    }
    let mut marks = marks_in(tx, &moved).await?;
    marks.extend(marks_in_threads(tx, user, &in_threads).await?);
    Ok(StateNews::Changes { values, marks })
}

/// A user's read marks in these rooms.
async fn marks_in(tx: &mut Tx, pairs: &[RoomAndReader]) -> Result<Vec<Mark>, Error> {
    let mut marks = Vec::with_capacity(pairs.len());
    for pairs in pairs.chunks(AT_ONCE) {
        let rooms = sets::rooms_for_readers(tx, pairs).await?;
        let heads = sets::counts(tx, pairs).await?;
        marks.extend(rooms.into_iter().zip(heads).filter_map(|(room, head)| {
            let room = room?;
            let (read, messages_read) = room.read?;
            let unread = head.messages - messages_read - room.deleted;
            Some(Mark { room: room.row.id, thread: None, read, unread, mentions: room.mentions })
        }));
    }
    Ok(marks)
}

/// A user's read marks in these threads.
async fn marks_in_threads(tx: &mut Tx, user: UserId, threads: &[MarkedThread]) -> Result<Vec<Mark>, Error> {
    let unread = threads::unread_each(tx, threads).await?;
    let mentions = mentions::unread_in_threads(tx, user, threads).await?;
    let counted = threads.iter().zip(unread).zip(mentions);
    let mark = |((((room, thread), read, _), unread), mentions): ((&MarkedThread, i64), i64)| Mark {
        room: *room,
        thread: Some(*thread),
        read: *read,
        unread,
        mentions,
    };
    Ok(counted.map(mark).collect())
}
