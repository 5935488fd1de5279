//! Pages of messages: of a room, and of a thread.
//!
//! Among a room's messages may lie any number of rows that are not told there: changes of messages, and messages that stand in threads alone. So a
//! page looks at a few rows beside one another first, because mostly the messages are there. For the rest it walks: every row has the seq of
//! the newest message up to it, so that each earlier message costs two look-ups, however far away it is.

use super::log::{LogRow, columns, columns_of, log_row};
use contract::RoomId;
use db::{Error, Tx, values};

/// So many rows are looked at for each message that is wanted, before the walk begins.
const ROWS_A_MESSAGE: i64 = 4;

/// A room's messages with a smaller seq, the newest first.
pub(crate) async fn before(tx: &mut Tx, room: RoomId, seq: i64, limit: i64) -> Result<Vec<LogRow>, Error> {
    let sql = columns!("WHERE room = $1 AND seq >= $2 AND seq < $3 AND kind = 2 AND newest = seq ORDER BY seq DESC LIMIT $4");
    let (head, _) = head(tx, room).await?;
    let to = seq.min(head + 1);
    let from = (to - limit.saturating_mul(ROWS_A_MESSAGE)).max(1);
    let mut rows = tx.rows(sql, &values![room.bytes(), from, to, limit], log_row).await?;
    let rest = limit - rows.len() as i64;
    if rest > 0 && from > 1 {
        rows.extend(back_from(tx, room, from - 1, 0, rest).await?);
    }
    Ok(rows)
}

/// A room's messages with a larger seq, the oldest first.
pub(crate) async fn after(tx: &mut Tx, room: RoomId, seq: i64, limit: i64) -> Result<Vec<LogRow>, Error> {
    let sql = columns!("WHERE room = $1 AND seq > $2 AND seq <= $3 AND kind = 2 AND newest = seq ORDER BY seq LIMIT $4");
    let (head, messages) = head(tx, room).await?;
    let to = head.min(seq.max(0).saturating_add(limit.saturating_mul(ROWS_A_MESSAGE)));
    let mut rows = tx.rows(sql, &values![room.bytes(), seq, to, limit], log_row).await?;
    let rest = limit - rows.len() as i64;
    if rest > 0 && to < head {
        let counted = super::log::messages_up_to(tx, room, to).await?;
        let last = seq_of_count(tx, room, (to + 1, head), messages.min(counted + rest)).await?;
        let mut more = back_from(tx, room, last, to, rest).await?;
        more.reverse();
        rows.extend(more);
    }
    Ok(rows)
}

/// Messages of a thread with a smaller seq, the newest first.
pub(crate) async fn thread_before(tx: &mut Tx, room: RoomId, root: i64, seq: i64, limit: i64) -> Result<Vec<LogRow>, Error> {
    let sql = columns!("WHERE room = $1 AND thread = $2 AND seq < $3 ORDER BY seq DESC LIMIT $4");
    tx.rows(sql, &values![room.bytes(), root, seq, limit], log_row).await
}

/// Messages of a thread with a larger seq, the oldest first.
pub(crate) async fn thread_after(tx: &mut Tx, room: RoomId, root: i64, seq: i64, limit: i64) -> Result<Vec<LogRow>, Error> {
    let sql = columns!("WHERE room = $1 AND thread = $2 AND seq > $3 ORDER BY seq LIMIT $4");
    tx.rows(sql, &values![room.bytes(), root, seq, limit], log_row).await
}

/// The seq of a room's newest row, and how many messages the room holds; zeros for a room in which nothing has happened.
async fn head(tx: &mut Tx, room: RoomId) -> Result<(i64, i64), Error> {
    let sql = "SELECT seq, messages FROM log WHERE room = $1 AND seq > 0 ORDER BY seq DESC LIMIT 1";
    Ok(tx.row(sql, &values![room.bytes()], |row| Ok((row.int(0)?, row.int(1)?))).await?.unwrap_or((0, 0)))
}

/// The newest messages up to a seq, and past `above`; the newest first. There is a row with this seq.
async fn back_from(tx: &mut Tx, room: RoomId, seq: i64, above: i64, limit: i64) -> Result<Vec<LogRow>, Error> {
    const SQL: &str = concat!(
        "WITH RECURSIVE back(seq, n) AS (
            SELECT newest, CAST(1 AS BIGINT) FROM log WHERE room = $1 AND seq = $2
            UNION ALL SELECT l.newest, b.n + 1 FROM back b CROSS JOIN log l WHERE l.room = $1 AND l.seq = b.seq - 1 AND b.seq > $3 AND b.n < $4)
        SELECT ",
        columns_of!("l"),
        " FROM back b CROSS JOIN log l WHERE l.room = $1 AND l.seq = b.seq AND b.seq > $3 ORDER BY l.seq DESC"
    );
    tx.rows(SQL, &values![room.bytes(), seq, above, limit], log_row).await
}

/// The first seq of a range, both ends included, up to which the room holds so many messages; its last one where there is none. Found by binary
/// search, because the count never falls.
async fn seq_of_count(tx: &mut Tx, room: RoomId, (low, high): (i64, i64), count: i64) -> Result<i64, Error> {
    let sql = "WITH RECURSIVE halves(low, high) AS (
            SELECT CAST($2 AS BIGINT), CAST($3 AS BIGINT)
            UNION ALL SELECT CASE WHEN l.messages >= $4 THEN h.low ELSE (h.low + h.high) / 2 + 1 END,
                CASE WHEN l.messages >= $4 THEN (h.low + h.high) / 2 ELSE h.high END
            FROM halves h CROSS JOIN log l WHERE l.room = $1 AND l.seq = (h.low + h.high) / 2 AND h.low < h.high)
        SELECT high FROM halves WHERE low >= high";
    Ok(tx.row(sql, &values![room.bytes(), low, high, count], |row| row.int(0)).await?.unwrap_or(high))
}
