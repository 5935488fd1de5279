//! The tables `words_2` (the tokens of messages) and `indexed_2` (the position up to which each partition is indexed). The number in their names
//! is the version of the rules that make tokens ([`crate::search::tokens`]). Other rules have tables of their own, so programs with different
//! rules can run side by side.
//!
//! Only here do the engines get different statements: SQLite has FTS5, PostgreSQL a `tsvector` with GIN. Both hold the same tokens, unchanged.
//! FTS5 walks its lists from the newest on and stops. GIN gathers all matches before it sorts them, so it gets some blocks of positions at a
//! time ([`steps`]).

use super::log::{LogRow, columns_of, log_row};
use crate::search::query::QueryToken;
use crate::search::tokens::{self, BLOCK_BITS};
use contract::{RoomId, UserId};
use db::{Error, Tx, Value, values};

/// Up to which position a partition's messages are indexed; 0 for not at all.
pub(crate) async fn indexed(tx: &mut Tx, part: u16) -> Result<i64, Error> {
    let sql = "SELECT position FROM indexed_2 WHERE part = $1";
    Ok(tx.row(sql, &values![i64::from(part)], |row| row.int(0)).await?.unwrap_or(0))
}

/// Sets it.
pub(crate) async fn set_indexed(tx: &mut Tx, part: u16, position: i64) -> Result<(), Error> {
    let sql = "INSERT INTO indexed_2 (part, position) VALUES ($1, $2) ON CONFLICT (part) DO UPDATE SET position = excluded.position";
    tx.execute(sql, &values![i64::from(part), position]).await.map(|_| ())
}

/// A message to index.
pub(crate) struct ToIndex {
    pub position: i64,
    pub room: RoomId,
    pub sender: UserId,
    pub body: String,
}

/// A partition's messages after a position, up to and including another, with their texts as they are now. Messages of an unknown version are left out: the newer program that
/// wrote them has index tables of its own.
pub(crate) async fn to_index(tx: &mut Tx, part: u16, after: i64, to: i64) -> Result<Vec<ToIndex>, Error> {
    let sql = "SELECT l.position, l.room, l.actor, CASE WHEN s.edits > 0 THEN s.body ELSE l.payload END FROM log l
        LEFT JOIN message_state s ON s.room = l.room AND s.seq = l.seq
        WHERE l.part = $1 AND l.position > $2 AND l.position <= $3 AND l.kind = 2 AND l.version BETWEEN 1 AND 3 AND l.payload IS NOT NULL
        ORDER BY l.position";
    tx.rows(sql, &values![i64::from(part), after, to], |row| {
        Ok(ToIndex {
            position: row.int(0)?,
            room: RoomId::from_bytes(row.id(1)?),
            sender: UserId::from_bytes(row.id(2)?),
            body: row.maybe_text(3)?.unwrap_or_default(),
        })
    })
    .await
}

/// Indexes messages that are not indexed yet.
pub(crate) async fn insert(tx: &mut Tx, part: u16, messages: &[ToIndex]) -> Result<(), Error> {
    let text = |message: &ToIndex| tokens::of_message(message.room, message.sender, &message.body);
    if tx.is_shared() {
        let sql = "INSERT INTO words_2 (part, position, tokens) VALUES ($1, $2, array_to_tsvector(string_to_array($3, ' ')))";
        let each: Vec<_> = messages
            .iter()
            .map(|message| {
                let text = format!("{} {}", text(message), tokens::of_block(part, message.position >> BLOCK_BITS));
                values![i64::from(part), message.position, text]
            })
            .collect();
        tx.execute_each(sql, &each).await.map(|_| ())
    } else {
        let sql = "INSERT INTO words_2 (rowid, tokens) VALUES ($1, $2)";
        let each: Vec<_> = messages.iter().map(|message| values![message.position, text(message)]).collect();
        tx.execute_each(sql, &each).await.map(|_| ())
    }
}

/// A message whose text has changed.
pub(crate) struct Reindexed {
    pub position: i64,
    pub room: RoomId,
    pub sender: UserId,
    /// The text that the index may know.
    pub before: String,
    /// The text now; none if the message was deleted.
    pub now: Option<String>,
}

/// Tells FTS5 how to forget: at once and for good, or, which is faster, by noting beside a token that it is gone. It holds for what the transaction has
/// indexed until its commit.
pub(crate) async fn forget_for_good(tx: &mut Tx, for_good: bool) -> Result<(), Error> {
    if tx.is_shared() {
        return Ok(());
    }
    let now = tx.row("SELECT v FROM words_2_config WHERE k = 'secure-delete'", &[], |row| row.int(0)).await?.unwrap_or(0);
    if (now != 0) != for_good {
        tx.execute("INSERT INTO words_2 (words_2, rank) VALUES ('secure-delete', $1)", &values![i64::from(for_good)]).await?;
    }
    Ok(())
}

/// Replaces texts in the index. FTS5 wants to know the tokens that it is to forget, and rewrites a page for each. So only those go that are not in the
/// new text: a deleted message keeps its room and its sender, whose lists are long, and is noted as forgotten. On PostgreSQL a row is found by its
/// tokens, because the table has no key.
pub(crate) async fn replace(tx: &mut Tx, part: u16, messages: &[&Reindexed]) -> Result<(), Error> {
    if tx.is_shared() {
        let sql = "DELETE FROM words_2 WHERE tokens @@ CAST(CAST($1 AS TEXT) AS tsquery) AND part = $2 AND position = $3";
        let each = messages.iter().map(|message| {
            let block = tokens::of_block(part, message.position >> BLOCK_BITS);
            let query = format!("'{}' & '{}' & '{block}'", tokens::of_room(message.room), tokens::of_sender(message.sender));
            values![query, i64::from(part), message.position]
        });
        tx.execute_each(sql, &each.collect::<Vec<_>>()).await?;
        let now = messages.iter().filter_map(|message| {
            let Reindexed { position, room, sender, now, .. } = message;
            Some(ToIndex { position: *position, room: *room, sender: *sender, body: now.clone()? })
        });
        return insert(tx, part, &now.collect::<Vec<_>>()).await;
    }
    let (mut go, mut come) = (Vec::new(), Vec::new());
    for Reindexed { position, room, sender, before, now } in messages {
        let before = tokens::of_message(*room, *sender, before);
        let now = now.as_ref().map_or_else(|| tokens::of_forgotten(*room, *sender), |now| tokens::of_message(*room, *sender, now));
        let (gone, new) = (tokens::without(&before, &now), tokens::without(&now, &before));
        // FTS5 counts rows, so each goes and comes, even without a token. Texts that differ in signs alone have the same tokens.
        if !gone.is_empty() || !new.is_empty() {
            go.push(values![*position, gone].to_vec());
            come.push(values![*position, new].to_vec());
        }
    }
    forget_for_good(tx, true).await?;
    tx.execute_each("INSERT INTO words_2 (words_2, rowid, tokens) VALUES ('delete', $1, $2)", &go).await?;
    // In one flush FTS5 loses what follows a rowid that is deleted and inserted again (3.51, `fts5FlushOneHash` with detail=none).
    tx.execute("INSERT INTO words_2 (words_2) VALUES ('flush')", &[]).await?;
    tx.execute_each("INSERT INTO words_2 (rowid, tokens) VALUES ($1, $2)", &come).await.map(|_| ())
}

/// Whether the index has anything of the message at this position, but that it was forgotten.
pub(crate) async fn is_indexed(tx: &mut Tx, part: u16, position: i64, room: RoomId, sender: UserId) -> Result<bool, Error> {
    let (room, sender) = (tokens::of_room(room), tokens::of_sender(sender));
    let found = if tx.is_shared() {
        let sql = "SELECT position FROM words_2 WHERE tokens @@ CAST(CAST($1 AS TEXT) AS tsquery) AND part = $2 AND position = $3 LIMIT 1";
        let query = format!("'{room}' & '{sender}' & '{}'", tokens::of_block(part, position >> BLOCK_BITS));
        tx.row(sql, &values![query, i64::from(part), position], |row| row.int(0)).await?
    } else {
        let sql = "SELECT rowid FROM words_2 WHERE words_2 MATCH $1 AND rowid = $2 LIMIT 1";
        tx.row(sql, &values![format!("(\"{room}\" AND \"{sender}\") NOT \"{}\"", tokens::FORGOTTEN), position], |row| row.int(0)).await?
    };
    Ok(found.is_some())
}

/// A query for the index: messages that have all of these tokens, the sender's token, and one of the rooms' tokens.
pub(crate) struct IndexQuery {
    pub wanted: Vec<QueryToken>,
    /// Tokens of rooms; empty for any room.
    pub rooms: Vec<String>,
    pub sender: Option<String>,
}

impl IndexQuery {
    /// The same without its prefixes of up to three letters, in these rooms; none if it has no such prefix.
    pub(crate) fn without_short_prefixes(&self, rooms: Vec<String>) -> Option<Self> {
        let is_short = |wanted: &&QueryToken| wanted.prefix && wanted.token.chars().nth(3).is_none();
        self.wanted.iter().any(|wanted| is_short(&wanted)).then(|| Self {
            wanted: self.wanted.iter().filter(|wanted| !is_short(wanted)).cloned().collect(),
            rooms,
            sender: self.sender.clone(),
        })
    }

    /// Whether it has two lists that may be long and have little in common: two words anywhere, or a sender and rooms.
    fn has_lists_apart(&self) -> bool {
        let is_sender_in_rooms = self.wanted.is_empty() && self.sender.is_some() && !self.rooms.is_empty();
        is_sender_in_rooms || (self.rooms.is_empty() && self.wanted.len() > 1)
    }

    /// Whether every message matches.
    pub(crate) fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.rooms.is_empty() && self.sender.is_none()
    }
}

/// Ranges of positions to search one after the other, from the newest on. Each is a function from its end (excluded) to its begin.
pub(crate) fn steps(tx: &Tx, asked: &IndexQuery) -> &'static [fn(i64) -> i64] {
    /// So many blocks up to and including the one that holds the end.
    fn blocks<const N: i64>(end: i64) -> i64 {
        ((((end - 1) >> BLOCK_BITS) - (N - 1)) << BLOCK_BITS).max(1)
    }
    fn a_million(end: i64) -> i64 {
        (end - 1_000_000).max(1)
    }
    fn all(_: i64) -> i64 {
        1
    }
    if asked.is_empty() {
        &[all]
    } else if tx.is_shared() {
        &[blocks::<1>, blocks::<8>, blocks::<64>, all]
    } else if asked.has_lists_apart() {
        // Two long lists with little in common could be walked for a long time before the first match.
        &[a_million]
    } else {
        &[all]
    }
}

/// A partition's messages that match, with positions from `from` (included) to `to` (excluded), the newest first.
pub(crate) async fn candidates(
    tx: &mut Tx,
    asked: &IndexQuery,
    part: u16,
    (from, to): (i64, i64),
    limit: i64,
) -> Result<Vec<LogRow>, Error> {
    let (sql, text) = if tx.is_shared() { (POSTGRES, postgres_query(asked, part, from, to)) } else { (SQLITE, sqlite_query(asked)) };
    tx.rows(sql, &values![text, i64::from(part), from, to, limit], log_row).await
}

const SQLITE: &str = concat!(
    "SELECT ",
    columns_of!("l"),
    " FROM (SELECT rowid AS position FROM words_2 WHERE words_2 MATCH $1 AND rowid >= $3 AND rowid < $4 ORDER BY rowid DESC LIMIT $5) AS h
        CROSS JOIN log l ON l.position = h.position WHERE l.part = $2 ORDER BY h.position DESC"
);

const POSTGRES: &str = concat!(
    "WITH hits AS MATERIALIZED (SELECT position FROM words_2
        WHERE tokens @@ CAST(CAST($1 AS TEXT) AS tsquery) AND part = $2 AND position >= $3 AND position < $4 ORDER BY position DESC LIMIT $5)
    SELECT ",
    columns_of!("l"),
    " FROM hits h CROSS JOIN log l WHERE l.part = $2 AND l.position = h.position ORDER BY h.position DESC"
);

/// FTS5's language. Tokens hold letters, digits and no ASCII signs, so a quoted one is always a whole token.
fn sqlite_query(asked: &IndexQuery) -> String {
    let wanted = asked.wanted.iter().map(|wanted| format!("\"{}\"{}", wanted.token, if wanted.prefix { "*" } else { "" }));
    let text = joined(asked, wanted, "\"", " AND ", " OR ");
    // What was deleted has no words left.
    if asked.wanted.is_empty() { format!("({text}) NOT \"{}\"", tokens::FORGOTTEN) } else { text }
}

/// The language of `tsquery`, with the blocks of these positions if they are few.
fn postgres_query(asked: &IndexQuery, part: u16, from: i64, to: i64) -> String {
    let wanted = asked.wanted.iter().map(|wanted| format!("'{}'{}", wanted.token, if wanted.prefix { ":*" } else { "" }));
    let mut text = joined(asked, wanted, "'", " & ", " | ");
    let (first, last) = (from >> BLOCK_BITS, (to - 1) >> BLOCK_BITS);
    if last - first < 64 {
        let blocks: Vec<_> = (first..=last).map(|block| format!("'{}'", tokens::of_block(part, block))).collect();
        text.push_str(&format!(" & ({})", blocks.join(" | ")));
    }
    text
}

fn joined(asked: &IndexQuery, wanted: impl Iterator<Item = String>, quote: &str, and: &str, or: &str) -> String {
    let quoted = |token: &String| format!("{quote}{token}{quote}");
    let mut parts: Vec<String> = wanted.chain(asked.sender.as_ref().map(quoted)).collect();
    if !asked.rooms.is_empty() {
        parts.push(format!("({})", asked.rooms.iter().map(quoted).collect::<Vec<_>>().join(or)));
    }
    parts.join(and)
}

/// At most `limit` messages of a partition between two positions, both excluded, the newest first.
pub(crate) async fn newest(tx: &mut Tx, part: u16, after: i64, before: i64, limit: i64) -> Result<Vec<LogRow>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        columns_of!("l"),
        " FROM log l WHERE l.part = $1 AND l.position > $2 AND l.position < $3 AND l.kind = 2 ORDER BY l.position DESC LIMIT $4"
    );
    let values: [Value; 4] = [i64::from(part).into(), after.into(), before.into(), limit.into()];
    tx.rows(SQL, &values, log_row).await
}
