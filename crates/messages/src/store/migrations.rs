//! The tables.
//!
//! `log` is append-only with the position as its key, which is what makes appends fast on SQLite (design.md, "SQLite's layout decides
//! its speed"); everything else about a room's present can be recomputed from it, and `guild check` does. `stays` holds the
//! intervals of membership: from and to (both included) which position and seq. `members` holds the present state of each member.
//! Ids of users have no foreign key: users are another service's.

use db::{Migration, Migrations};

/// The schema of the messages service.
pub const MIGRATIONS: Migrations = Migrations {
    service: "messages",
    steps: &[
        Migration { number: 1, name: "rooms, members, stays, log", sqlite: SQLITE, postgres: POSTGRES },
        Migration { number: 2, name: "the partition of a stay", sqlite: SQLITE_STAYS, postgres: POSTGRES_STAYS },
        Migration { number: 3, name: "the index of words", sqlite: SQLITE_WORDS, postgres: POSTGRES_WORDS },
        Migration { number: 4, name: "the index of words by rules 2", sqlite: SQLITE_WORDS_2, postgres: POSTGRES_WORDS_2 },
        Migration { number: 5, name: "nonces of direct rooms beside those of others", sqlite: NONCES, postgres: NONCES },
        Migration { number: 6, name: "what messages and rooms become", sqlite: SQLITE_RICH, postgres: POSTGRES_RICH },
        Migration { number: 7, name: "users' own state", sqlite: SQLITE_OWN_STATE, postgres: POSTGRES_OWN_STATE },
        Migration { number: 8, name: "reactions that are told together", sqlite: SQLITE_TOGETHER, postgres: POSTGRES_TOGETHER },
        Migration { number: 9, name: "threads and mentions", sqlite: SQLITE_THREADS, postgres: POSTGRES_THREADS },
    ],
};

/// A pair has one direct room whatever the nonce, so its nonce need not stand once only. Both would: two partitions would then wait for each
/// other where one creates a direct room and the other another room with the same nonces, crossing.
const NONCES: &str = "
DROP INDEX rooms_nonce;
CREATE UNIQUE INDEX rooms_nonce ON rooms (creator, nonce) WHERE nonce IS NOT NULL AND pair IS NULL;
CREATE INDEX rooms_nonce_of_pair ON rooms (creator, nonce) WHERE nonce IS NOT NULL AND pair IS NOT NULL;
";

/// SQLite has one partition, so everything written before this stands in it.
const SQLITE_STAYS: &str = "ALTER TABLE stays ADD COLUMN part BIGINT NOT NULL DEFAULT 0;";

/// Positions of several partitions cannot be compared: a query for new rows names one partition.
const POSTGRES_STAYS: &str = "
ALTER TABLE stays ADD COLUMN part BIGINT NOT NULL DEFAULT 0;
CREATE INDEX stays_by_part ON stays (member, part);
";

/// The tokens of messages by position (`search`). No text is kept a second time, and no places within it: what is found is compared again. What
/// is there already is indexed by the server, in the background.
const SQLITE_WORDS: &str = "
CREATE TABLE indexed (part BIGINT NOT NULL PRIMARY KEY, position BIGINT NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5 (tokens, content = '', columnsize = 0, detail = none, tokenize = 'ascii');
";

/// Without a key, so that nothing but the index of tokens is ever used to look into it. What waits to be sorted into that index is read by
/// every search, so it is kept short.
const POSTGRES_WORDS: &str = "
CREATE TABLE indexed (part BIGINT NOT NULL PRIMARY KEY, position BIGINT NOT NULL);
CREATE TABLE words (part BIGINT NOT NULL, position BIGINT NOT NULL, tokens TSVECTOR NOT NULL);
CREATE INDEX words_by_token ON words USING gin (tokens) WITH (fastupdate = on, gin_pending_list_limit = 512);
";

/// Tokens are made by other rules since, so everything is indexed anew, by the server in the background. SQLite has one server at a time, and the old
/// index goes at once.
const SQLITE_WORDS_2: &str = "
DROP TABLE words;
DROP TABLE indexed;
CREATE TABLE indexed_2 (part BIGINT NOT NULL PRIMARY KEY, position BIGINT NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE words_2 USING fts5 (tokens, content = '', columnsize = 0, detail = none, tokenize = 'ascii');
";

/// The same. Servers of the version before may still run and need the old index for what they append and find; so it stays, and a later step drops it.
const POSTGRES_WORDS_2: &str = "
CREATE TABLE indexed_2 (part BIGINT NOT NULL PRIMARY KEY, position BIGINT NOT NULL);
CREATE TABLE words_2 (part BIGINT NOT NULL, position BIGINT NOT NULL, tokens TSVECTOR NOT NULL);
CREATE INDEX words_2_by_token ON words_2 USING gin (tokens) WITH (fastupdate = on, gin_pending_list_limit = 512);
";

/// Which changes of reactions wait to be told, in large rooms. Reactions that are told together have no seq of their own, so they have a place
/// among each other.
const SQLITE_TOGETHER: &str = "
ALTER TABLE reactions ADD COLUMN at_place BIGINT NOT NULL DEFAULT 0;
DROP INDEX reactions_by_age;
CREATE INDEX reactions_by_age ON reactions (room, seq, emoji, at_seq, at_place);
CREATE TABLE untold_reactions (
    room BLOB NOT NULL REFERENCES rooms (id),
    seq BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    changes BIGINT NOT NULL,
    member BLOB NOT NULL,
    PRIMARY KEY (room, seq)
) WITHOUT ROWID;
CREATE INDEX untold_reactions_due ON untold_reactions (due_at, room, seq);
";

/// The same.
const POSTGRES_TOGETHER: &str = "
ALTER TABLE reactions ADD COLUMN at_place BIGINT NOT NULL DEFAULT 0;
DROP INDEX reactions_by_age;
CREATE INDEX reactions_by_age ON reactions (room, seq, emoji, at_seq, at_place);
CREATE TABLE untold_reactions (
    room BYTEA NOT NULL REFERENCES rooms (id),
    seq BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    changes BIGINT NOT NULL,
    member BYTEA NOT NULL,
    PRIMARY KEY (room, seq)
);
CREATE INDEX untold_reactions_due ON untold_reactions (due_at, room, seq);
";

/// Amendments of messages, and what messages and rooms are now. A plain message has nothing in any of it.
const SQLITE_RICH: &str = "
ALTER TABLE log ADD COLUMN extra TEXT;
ALTER TABLE log ADD COLUMN active_at BIGINT;
CREATE INDEX log_ref ON log (room, ref_seq, kind, seq) WHERE ref_seq IS NOT NULL;
ALTER TABLE rooms ADD COLUMN topic TEXT;
ALTER TABLE rooms ADD COLUMN metadata TEXT;
ALTER TABLE rooms ADD COLUMN rev BIGINT NOT NULL DEFAULT 0;

CREATE TABLE message_state (
    room BLOB NOT NULL REFERENCES rooms (id),
    seq BIGINT NOT NULL,
    rev BIGINT NOT NULL,
    edits BIGINT NOT NULL,
    body TEXT,
    extra TEXT,
    edited_seq BIGINT,
    edited_at BIGINT,
    deleted_at BIGINT,
    deleted_by BLOB,
    reactions TEXT,
    pin_seq BIGINT,
    pinned_at BIGINT,
    pinned_by BLOB,
    PRIMARY KEY (room, seq)
) WITHOUT ROWID;
CREATE INDEX message_state_deleted ON message_state (room, seq) WHERE deleted_at IS NOT NULL;
CREATE INDEX message_state_pinned ON message_state (room, pin_seq) WHERE pin_seq IS NOT NULL;

CREATE TABLE reactions (
    room BLOB NOT NULL REFERENCES rooms (id),
    seq BIGINT NOT NULL,
    emoji TEXT NOT NULL,
    member BLOB NOT NULL,
    at_seq BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (room, seq, emoji, member)
) WITHOUT ROWID;
CREATE INDEX reactions_by_age ON reactions (room, seq, emoji, at_seq);
CREATE INDEX reactions_of_member ON reactions (member, room, seq);
";

/// The same.
const POSTGRES_RICH: &str = "
ALTER TABLE log ADD COLUMN extra TEXT;
ALTER TABLE log ADD COLUMN active_at BIGINT;
CREATE INDEX log_ref ON log (room, ref_seq, kind, seq) WHERE ref_seq IS NOT NULL;
ALTER TABLE rooms ADD COLUMN topic TEXT;
ALTER TABLE rooms ADD COLUMN metadata TEXT;
ALTER TABLE rooms ADD COLUMN rev BIGINT NOT NULL DEFAULT 0;

CREATE TABLE message_state (
    room BYTEA NOT NULL REFERENCES rooms (id),
    seq BIGINT NOT NULL,
    rev BIGINT NOT NULL,
    edits BIGINT NOT NULL,
    body TEXT,
    extra TEXT,
    edited_seq BIGINT,
    edited_at BIGINT,
    deleted_at BIGINT,
    deleted_by BYTEA,
    reactions TEXT,
    pin_seq BIGINT,
    pinned_at BIGINT,
    pinned_by BYTEA,
    PRIMARY KEY (room, seq)
);
CREATE INDEX message_state_deleted ON message_state (room, seq) WHERE deleted_at IS NOT NULL;
CREATE INDEX message_state_pinned ON message_state (room, pin_seq) WHERE pin_seq IS NOT NULL;

CREATE TABLE reactions (
    room BYTEA NOT NULL REFERENCES rooms (id),
    seq BIGINT NOT NULL,
    emoji TEXT COLLATE \"C\" NOT NULL,
    member BYTEA NOT NULL,
    at_seq BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (room, seq, emoji, member)
);
CREATE INDEX reactions_by_age ON reactions (room, seq, emoji, at_seq);
CREATE INDEX reactions_of_member ON reactions (member, room, seq);
";

/// Threads: which one a message is in, how many came in it up to the message, what a thread's first message tells of it, and who follows. A message outside
/// threads has nothing in any of it. A mark in a thread has the position at which it moved; it is null where it never has.
const SQLITE_THREADS: &str = "
ALTER TABLE log ADD COLUMN thread BIGINT;
ALTER TABLE log ADD COLUMN thread_count BIGINT;
CREATE INDEX log_thread ON log (room, thread, seq) WHERE thread IS NOT NULL;
ALTER TABLE message_state ADD COLUMN thread BIGINT;
ALTER TABLE message_state ADD COLUMN aside BIGINT;
ALTER TABLE message_state ADD COLUMN thread_total BIGINT;
ALTER TABLE message_state ADD COLUMN thread_deleted BIGINT;
ALTER TABLE message_state ADD COLUMN thread_last_seq BIGINT;
ALTER TABLE message_state ADD COLUMN thread_last_at BIGINT;
ALTER TABLE message_state ADD COLUMN thread_first TEXT;
CREATE INDEX message_state_threads ON message_state (room, thread_last_seq) WHERE thread_last_seq IS NOT NULL;
CREATE INDEX message_state_thread_deleted ON message_state (room, thread, seq) WHERE thread IS NOT NULL AND deleted_at IS NOT NULL;

CREATE TABLE thread_members (
    member BLOB NOT NULL,
    room BLOB NOT NULL REFERENCES rooms (id),
    thread BIGINT NOT NULL,
    following BIGINT NOT NULL,
    read BIGINT NOT NULL,
    unread BIGINT NOT NULL,
    read_position BIGINT,
    PRIMARY KEY (member, room, thread)
) WITHOUT ROWID;
CREATE INDEX thread_members_unread ON thread_members (member, room) WHERE unread = 1;
CREATE INDEX thread_members_following ON thread_members (room, thread, unread, read) WHERE following = 1;
CREATE INDEX thread_members_marked ON thread_members (member, room, read_position) WHERE read_position IS NOT NULL;

CREATE TABLE mentions (
    member BLOB NOT NULL,
    room BLOB NOT NULL REFERENCES rooms (id),
    seq BIGINT NOT NULL,
    thread BIGINT,
    aside BIGINT NOT NULL,
    seen BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (member, room, seq)
) WITHOUT ROWID;
CREATE INDEX mentions_unseen ON mentions (member, room, seq) WHERE aside = 1 AND seen = 0;
CREATE INDEX mentions_by_age ON mentions (member, created_at, room, seq);
CREATE INDEX mentions_in_thread ON mentions (member, room, thread, seq) WHERE thread IS NOT NULL;
CREATE INDEX mentions_of_message ON mentions (room, seq);

CREATE TABLE room_mentions (
    room BLOB NOT NULL REFERENCES rooms (id),
    seq BIGINT NOT NULL,
    thread BIGINT,
    aside BIGINT NOT NULL,
    sender BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (room, seq)
) WITHOUT ROWID;
CREATE INDEX room_mentions_in_thread ON room_mentions (room, thread, seq) WHERE thread IS NOT NULL;
";

/// The same.
const POSTGRES_THREADS: &str = "
ALTER TABLE log ADD COLUMN thread BIGINT;
ALTER TABLE log ADD COLUMN thread_count BIGINT;
CREATE INDEX log_thread ON log (room, thread, seq) WHERE thread IS NOT NULL;
ALTER TABLE message_state ADD COLUMN thread BIGINT;
ALTER TABLE message_state ADD COLUMN aside BIGINT;
ALTER TABLE message_state ADD COLUMN thread_total BIGINT;
ALTER TABLE message_state ADD COLUMN thread_deleted BIGINT;
ALTER TABLE message_state ADD COLUMN thread_last_seq BIGINT;
ALTER TABLE message_state ADD COLUMN thread_last_at BIGINT;
ALTER TABLE message_state ADD COLUMN thread_first TEXT;
CREATE INDEX message_state_threads ON message_state (room, thread_last_seq) WHERE thread_last_seq IS NOT NULL;
CREATE INDEX message_state_thread_deleted ON message_state (room, thread, seq) WHERE thread IS NOT NULL AND deleted_at IS NOT NULL;

CREATE TABLE thread_members (
    member BYTEA NOT NULL,
    room BYTEA NOT NULL REFERENCES rooms (id),
    thread BIGINT NOT NULL,
    following BIGINT NOT NULL,
    read BIGINT NOT NULL,
    unread BIGINT NOT NULL,
    read_position BIGINT,
    PRIMARY KEY (member, room, thread)
);
CREATE INDEX thread_members_unread ON thread_members (member, room) WHERE unread = 1;
CREATE INDEX thread_members_following ON thread_members (room, thread, unread, read) WHERE following = 1;
CREATE INDEX thread_members_marked ON thread_members (member, room, read_position) WHERE read_position IS NOT NULL;

CREATE TABLE mentions (
    member BYTEA NOT NULL,
    room BYTEA NOT NULL REFERENCES rooms (id),
    seq BIGINT NOT NULL,
    thread BIGINT,
    aside BIGINT NOT NULL,
    seen BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (member, room, seq)
);
CREATE INDEX mentions_unseen ON mentions (member, room, seq) WHERE aside = 1 AND seen = 0;
CREATE INDEX mentions_by_age ON mentions (member, created_at, room, seq);
CREATE INDEX mentions_in_thread ON mentions (member, room, thread, seq) WHERE thread IS NOT NULL;
CREATE INDEX mentions_of_message ON mentions (room, seq);

CREATE TABLE room_mentions (
    room BYTEA NOT NULL REFERENCES rooms (id),
    seq BIGINT NOT NULL,
    thread BIGINT,
    aside BIGINT NOT NULL,
    sender BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (room, seq)
);
CREATE INDEX room_mentions_in_thread ON room_mentions (room, thread, seq) WHERE thread IS NOT NULL;
";

/// Users' own state. A row without a value is one that was removed; it stays so that whoever was away hears of it. `user_state_floors` says up to
/// where such rows are gone. `user_state_ends` counts the changes of each partition. A read mark has the position at which it moved; it is null
/// where a program of before has written it. The table has row ids, because its values may be long.
const SQLITE_OWN_STATE: &str = "
CREATE TABLE user_state (
    member BLOB NOT NULL,
    key TEXT NOT NULL,
    value TEXT,
    stamp BLOB NOT NULL,
    part BIGINT NOT NULL,
    position BIGINT NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (member, key)
);
CREATE INDEX user_state_by_position ON user_state (member, part, position);
CREATE INDEX user_state_by_number ON user_state (part, number);
CREATE TABLE user_state_floors (
    member BLOB NOT NULL,
    part BIGINT NOT NULL,
    position BIGINT NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (member, part)
) WITHOUT ROWID;
CREATE TABLE user_state_ends (part BIGINT NOT NULL PRIMARY KEY, number BIGINT NOT NULL) WITHOUT ROWID;
ALTER TABLE members ADD COLUMN read_position BIGINT;
";

/// The same.
const POSTGRES_OWN_STATE: &str = "
CREATE TABLE user_state (
    member BYTEA NOT NULL,
    key TEXT COLLATE \"C\" NOT NULL,
    value TEXT,
    stamp BYTEA NOT NULL,
    part BIGINT NOT NULL,
    position BIGINT NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (member, key)
);
CREATE INDEX user_state_by_position ON user_state (member, part, position);
CREATE INDEX user_state_by_number ON user_state (part, number);
CREATE TABLE user_state_floors (
    member BYTEA NOT NULL,
    part BIGINT NOT NULL,
    position BIGINT NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (member, part)
);
CREATE TABLE user_state_ends (part BIGINT NOT NULL PRIMARY KEY, number BIGINT NOT NULL);
ALTER TABLE members ADD COLUMN read_position BIGINT;
";

const SQLITE: &str = "
CREATE TABLE rooms (
    id BLOB NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT,
    owner BLOB NOT NULL,
    creator BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    member_count BIGINT NOT NULL,
    pair BLOB UNIQUE,
    nonce TEXT,
    request BLOB
) WITHOUT ROWID;
CREATE UNIQUE INDEX rooms_nonce ON rooms (creator, nonce) WHERE nonce IS NOT NULL;
CREATE INDEX rooms_channels ON rooms (id) WHERE kind = 'channel';

CREATE TABLE members (
    room BLOB NOT NULL REFERENCES rooms (id),
    member BLOB NOT NULL,
    role TEXT NOT NULL,
    state TEXT NOT NULL,
    since BIGINT NOT NULL,
    read BIGINT NOT NULL,
    PRIMARY KEY (room, member)
) WITHOUT ROWID;
CREATE INDEX members_by_age ON members (room, since, member) WHERE state = 'active';

CREATE TABLE stays (
    member BLOB NOT NULL,
    room BLOB NOT NULL REFERENCES rooms (id),
    from_position BIGINT NOT NULL,
    from_seq BIGINT NOT NULL,
    to_position BIGINT,
    to_seq BIGINT,
    PRIMARY KEY (member, room, from_position)
) WITHOUT ROWID;
CREATE INDEX stays_open ON stays (member, room) WHERE to_position IS NULL;

CREATE TABLE log (
    position INTEGER PRIMARY KEY,
    part BIGINT NOT NULL,
    room BLOB NOT NULL REFERENCES rooms (id),
    seq BIGINT,
    kind BIGINT NOT NULL,
    version BIGINT NOT NULL,
    actor BLOB NOT NULL,
    subject BLOB,
    ref_seq BIGINT,
    messages BIGINT NOT NULL,
    newest BIGINT NOT NULL,
    member_count BIGINT NOT NULL,
    id BLOB,
    nonce TEXT,
    payload TEXT,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX log_seq ON log (room, seq);
CREATE UNIQUE INDEX log_nonce ON log (room, actor, nonce) WHERE nonce IS NOT NULL;
CREATE INDEX log_to_one ON log (subject, part, position) WHERE seq IS NULL;
";

const POSTGRES: &str = "
CREATE TABLE rooms (
    id BYTEA NOT NULL PRIMARY KEY,
    kind TEXT COLLATE \"C\" NOT NULL,
    name TEXT COLLATE \"C\",
    owner BYTEA NOT NULL,
    creator BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    member_count BIGINT NOT NULL,
    pair BYTEA UNIQUE,
    nonce TEXT COLLATE \"C\",
    request BYTEA
);
CREATE UNIQUE INDEX rooms_nonce ON rooms (creator, nonce) WHERE nonce IS NOT NULL;
CREATE INDEX rooms_channels ON rooms (id) WHERE kind = 'channel';

CREATE TABLE members (
    room BYTEA NOT NULL REFERENCES rooms (id),
    member BYTEA NOT NULL,
    role TEXT COLLATE \"C\" NOT NULL,
    state TEXT COLLATE \"C\" NOT NULL,
    since BIGINT NOT NULL,
    read BIGINT NOT NULL,
    PRIMARY KEY (room, member)
);
CREATE INDEX members_by_age ON members (room, since, member) WHERE state = 'active';

CREATE TABLE stays (
    member BYTEA NOT NULL,
    room BYTEA NOT NULL REFERENCES rooms (id),
    from_position BIGINT NOT NULL,
    from_seq BIGINT NOT NULL,
    to_position BIGINT,
    to_seq BIGINT,
    PRIMARY KEY (member, room, from_position)
);
CREATE INDEX stays_open ON stays (member, room) WHERE to_position IS NULL;

CREATE TABLE log (
    position BIGINT NOT NULL,
    part BIGINT NOT NULL,
    room BYTEA NOT NULL REFERENCES rooms (id),
    seq BIGINT,
    kind BIGINT NOT NULL,
    version BIGINT NOT NULL,
    actor BYTEA NOT NULL,
    subject BYTEA,
    ref_seq BIGINT,
    messages BIGINT NOT NULL,
    newest BIGINT NOT NULL,
    member_count BIGINT NOT NULL,
    id BYTEA,
    nonce TEXT COLLATE \"C\",
    payload TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (part, position)
);
CREATE UNIQUE INDEX log_seq ON log (room, seq) INCLUDE (position);
CREATE UNIQUE INDEX log_nonce ON log (room, actor, nonce) WHERE nonce IS NOT NULL;
CREATE INDEX log_to_one ON log (subject, part, position) WHERE seq IS NULL;
";
