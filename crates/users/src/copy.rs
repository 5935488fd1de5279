//! What `guild copy` takes to another database: accounts, tokens, and logged-out tokens of a host application. Presence is not copied: gateways
//! report it again.

use db::copy::{Column, Copy, CopyError, Key, Table};

/// What a target may not hold yet.
pub const MUST_BE_EMPTY: &[&str] = &["SELECT COUNT(*) FROM users", "SELECT COUNT(*) FROM tokens", "SELECT COUNT(*) FROM revoked_jwts"];

use Column::{Bytes, Int, Text};

const USERS: Table = Table {
    name: "users",
    read: "SELECT id, username, display_name, password, origin, created_at, disabled_at, status, metadata FROM users
        WHERE id > $1 ORDER BY id LIMIT $2",
    write: "INSERT INTO users (id, username, display_name, password, origin, created_at, disabled_at, status, metadata)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    columns: &[Bytes, Text, Text, Text, Text, Int, Int, Text, Text],
    key: &[(0, Key::Bytes(16))],
    count: "SELECT COUNT(*) FROM users",
};

const TOKENS: Table = Table {
    name: "tokens",
    read: "SELECT hash, id, user_id, created_at, expires_at FROM tokens WHERE hash > $1 ORDER BY hash LIMIT $2",
    write: "INSERT INTO tokens (hash, id, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
    columns: &[Bytes, Bytes, Bytes, Int, Int],
    key: &[(0, Key::Bytes(32))],
    count: "SELECT COUNT(*) FROM tokens",
};

const REVOKED: Table = Table {
    name: "logged out tokens",
    read: "SELECT id, expires_at FROM revoked_jwts WHERE id > $1 ORDER BY id LIMIT $2",
    write: "INSERT INTO revoked_jwts (id, expires_at) VALUES ($1, $2)",
    columns: &[Bytes, Int],
    key: &[(0, Key::Bytes(16))],
    count: "SELECT COUNT(*) FROM revoked_jwts",
};

static TABLES: [Table; 3] = [USERS, TOKENS, REVOKED];

/// How many rows each table of the source has, by name.
///
/// # Errors
/// The source's.
pub async fn counts(db: &db::Db) -> Result<Vec<(&'static str, u64)>, db::Error> {
    let mut counts = Vec::with_capacity(TABLES.len());
    for table in &TABLES {
        let count = db.read(move |tx| Box::pin(async move { tx.row(table.count, &[], |row| row.int(0)).await })).await?;
        counts.push((table.name, count.unwrap_or(0).unsigned_abs()));
    }
    Ok(counts)
}

/// Copies this service's tables, and compares them row by row.
///
/// # Errors
/// One of the databases failed, or the source was changed meanwhile.
pub async fn copy(copy: &mut Copy<'_>) -> Result<(), CopyError> {
    for table in &TABLES {
        copy.table(table).await?;
    }
    for table in &TABLES {
        copy.compare(table).await?;
        copy.count(table.name, table.count).await?;
    }
    Ok(())
}
