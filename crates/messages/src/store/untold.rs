//! The table `untold_reactions`: messages whose reactions have changed and whose change the log has not told yet. Only large rooms have any
//! ([`crate::amend`]). A row is written in the transaction that changes the reactions, and goes in the one that appends the row of the log.

use super::state::MessageKey;
use contract::{RoomId, Time, UserId};
use db::{Error, Row, Tx, values};

/// What waits to be told of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Untold {
    /// When it is to be told.
    pub due: Time,
    /// How many changes wait.
    pub changes: i64,
    /// Whose change is the last of them.
    pub member: UserId,
}

/// What waits to be told of each of these messages.
pub(crate) async fn find_each(tx: &mut Tx, keys: &[MessageKey]) -> Result<Vec<Option<Untold>>, Error> {
    let sql = "SELECT due_at, changes, member FROM untold_reactions WHERE room = $1 AND seq = $2";
    let untold = |row: &Row<'_>| Ok(Untold { due: Time(row.int(0)?), changes: row.int(1)?, member: UserId::from_bytes(row.id(2)?) });
    let each: Vec<_> = keys.iter().map(|(room, seq)| values![room.bytes(), *seq].to_vec()).collect();
    tx.row_each(sql, &each, untold).await
}

/// The messages of which something waits, each with when it is to be told; the earliest first.
pub(crate) async fn waiting(tx: &mut Tx, limit: i64) -> Result<Vec<(MessageKey, Time)>, Error> {
    let sql = "SELECT room, seq, due_at FROM untold_reactions ORDER BY due_at, room, seq LIMIT $1";
    let one = |row: &Row<'_>| Ok(((RoomId::from_bytes(row.id(0)?), row.int(1)?), Time(row.int(2)?)));
    tx.rows(sql, &values![limit], one).await
}

/// Notes what waits to be told of messages, or that nothing does.
pub(crate) async fn save_each(tx: &mut Tx, messages: impl Iterator<Item = (MessageKey, Option<Untold>)>) -> Result<(), Error> {
    let wait = "INSERT INTO untold_reactions (room, seq, due_at, changes, member) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (room, seq) DO UPDATE SET due_at = $3, changes = $4, member = $5";
    let (mut waiting, mut told) = (Vec::new(), Vec::new());
    for ((room, seq), untold) in messages {
        match untold {
            Some(Untold { due, changes, member }) => waiting.push(values![room.bytes(), seq, due.0, changes, member.bytes()].to_vec()),
            None => told.push(values![room.bytes(), seq].to_vec()),
        }
    }
    tx.execute_each(wait, &waiting).await?;
    tx.execute_each("DELETE FROM untold_reactions WHERE room = $1 AND seq = $2", &told).await.map(|_| ())
}
