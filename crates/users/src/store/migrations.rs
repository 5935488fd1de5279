//! The tables.

use db::{Migration, Migrations};

/// The users service's schema.
///
/// - `users`: `password` is a PHC string or null; `origin` is null, or for a host application's user its `[iss, sub]`;
///   `disabled_at` is null for a user who may log in; `status` and `metadata` (a JSON object) are null until used.
/// - `tokens`: `hash` is the token's SHA-256, `id` its first 16 bytes.
/// - `revoked_jwts`: tokens of a host application that were logged out, until they expire.
/// - `presence`: who has sockets at which gateway; it counts while the gateway's lease runs.
pub const MIGRATIONS: Migrations = Migrations {
    service: "users",
    steps: &[
        Migration { number: 1, name: "accounts, tokens, presence", sqlite: SQLITE, postgres: POSTGRES },
        Migration { number: 2, name: "what users say beside their names", sqlite: SQLITE_PROFILES, postgres: POSTGRES_PROFILES },
    ],
};

/// Programs of before know nothing of these columns, and leave them as they are.
const SQLITE_PROFILES: &str = "
ALTER TABLE users ADD COLUMN status TEXT;
ALTER TABLE users ADD COLUMN metadata TEXT";

/// The same.
const POSTGRES_PROFILES: &str = "
ALTER TABLE users ADD COLUMN status TEXT COLLATE \"C\";
ALTER TABLE users ADD COLUMN metadata TEXT COLLATE \"C\"";

const SQLITE: &str = "
CREATE TABLE users (
    id BLOB NOT NULL PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    password TEXT,
    origin TEXT UNIQUE,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT
) WITHOUT ROWID;
CREATE TABLE tokens (
    hash BLOB NOT NULL PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    user_id BLOB NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX tokens_by_user ON tokens (user_id);
CREATE INDEX tokens_by_expiry ON tokens (expires_at);
CREATE TABLE revoked_jwts (
    id BLOB NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE TABLE gateways (
    id BLOB NOT NULL PRIMARY KEY,
    lease_until BIGINT NOT NULL
) WITHOUT ROWID;
CREATE TABLE presence (
    user_id BLOB NOT NULL,
    gateway_id BLOB NOT NULL,
    PRIMARY KEY (user_id, gateway_id)
) WITHOUT ROWID;
CREATE INDEX presence_by_gateway ON presence (gateway_id)";

const POSTGRES: &str = "
CREATE TABLE users (
    id BYTEA NOT NULL PRIMARY KEY,
    username TEXT COLLATE \"C\" NOT NULL UNIQUE,
    display_name TEXT COLLATE \"C\" NOT NULL,
    password TEXT COLLATE \"C\",
    origin TEXT COLLATE \"C\" UNIQUE,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT
);
CREATE TABLE tokens (
    hash BYTEA NOT NULL PRIMARY KEY,
    id BYTEA NOT NULL UNIQUE,
    user_id BYTEA NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX tokens_by_user ON tokens (user_id);
CREATE INDEX tokens_by_expiry ON tokens (expires_at);
CREATE TABLE revoked_jwts (
    id BYTEA NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE TABLE gateways (
    id BYTEA NOT NULL PRIMARY KEY,
    lease_until BIGINT NOT NULL
);
CREATE TABLE presence (
    user_id BYTEA NOT NULL,
    gateway_id BYTEA NOT NULL,
    PRIMARY KEY (user_id, gateway_id)
);
CREATE INDEX presence_by_gateway ON presence (gateway_id)";
