//! The table `rooms`.

use contract::{RoomId, RoomKind, Time, UserId};
use db::{Error, Row, Tx, values};

/// A row of `rooms`.
#[derive(Clone, Debug)]
pub(crate) struct RoomRow {
    pub id: RoomId,
    pub kind: RoomKind,
    pub name: Option<String>,
    pub owner: UserId,
    pub created_at: Time,
    pub member_count: i64,
    pub topic: Option<String>,
    /// JSON.
    pub metadata: Option<String>,
    /// The seq of the row that last changed its name, topic or metadata; 0 if a program that does not note it did.
    pub rev: i64,
}

/// What a room is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Details {
    pub topic: Option<String>,
    /// JSON.
    pub metadata: Option<String>,
    /// The seq of the row that last changed its name, topic or metadata; 0 before an upgrade is finished.
    pub rev: i64,
}

/// A room that is to be created.
pub(crate) struct NewRoom {
    pub room: RoomRow,
    /// A direct room's two people, see [`pair`].
    pub pair: Option<Vec<u8>>,
    pub nonce: Option<String>,
    /// A hash of the request, to tell a retry from another request with the same nonce.
    pub request: Option<Vec<u8>>,
}

/// The key of two people, the same in either order.
pub(crate) fn pair(a: UserId, b: UserId) -> Vec<u8> {
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    [first.bytes(), second.bytes()].concat()
}

macro_rules! columns {
    ($rest:literal) => {
        concat!("SELECT id, kind, name, owner, created_at, member_count, topic, metadata, rev FROM rooms ", $rest)
    };
}

pub(super) fn room_row(row: &Row<'_>) -> Result<RoomRow, Error> {
    let kind = row.text(1)?;
    Ok(RoomRow {
        id: RoomId::from_bytes(row.id(0)?),
        kind: RoomKind::parse(&kind).ok_or_else(|| Error::Failed(format!("a room of the unknown kind {kind:?}")))?,
        name: row.maybe_text(2)?,
        owner: UserId::from_bytes(row.id(3)?),
        created_at: Time(row.int(4)?),
        member_count: row.int(5)?,
        topic: row.maybe_text(6)?,
        metadata: row.maybe_text(7)?,
        rev: row.int(8)?,
    })
}

const FIND: &str = columns!("WHERE id = $1");

pub(crate) async fn find(tx: &mut Tx, id: RoomId) -> Result<Option<RoomRow>, Error> {
    tx.row(FIND, &values![id.bytes()], room_row).await
}

/// The same for each of these.
pub(crate) async fn find_each(tx: &mut Tx, ids: &[RoomId]) -> Result<Vec<Option<RoomRow>>, Error> {
    let each: Vec<_> = ids.iter().map(|id| values![id.bytes()].to_vec()).collect();
    tx.row_each(FIND, &each, room_row).await
}

pub(crate) async fn find_pair(tx: &mut Tx, pair: &[u8]) -> Result<Option<RoomId>, Error> {
    tx.row(FIND_PAIR, &values![pair], |row| row.id(0).map(RoomId::from_bytes)).await
}

/// The same for each of these.
pub(crate) async fn find_pair_each(tx: &mut Tx, pairs: &[Vec<u8>]) -> Result<Vec<Option<RoomId>>, Error> {
    let each: Vec<_> = pairs.iter().map(|pair| values![pair.clone()].to_vec()).collect();
    tx.row_each(FIND_PAIR, &each, |row| row.id(0).map(RoomId::from_bytes)).await
}

const FIND_PAIR: &str = "SELECT id FROM rooms WHERE pair = $1";

/// A room that was created with a nonce.
#[derive(Clone, Debug)]
pub(crate) struct Earlier {
    pub room: RoomId,
    /// The hash of that request.
    pub request: Vec<u8>,
}

/// The rooms that this creator has made with this nonce: one, or two where a direct room and another one were asked for at the same moment.
pub(crate) async fn find_nonce(tx: &mut Tx, creator: UserId, nonce: &str) -> Result<Vec<Earlier>, Error> {
    tx.rows(FIND_NONCE, &values![creator.bytes(), nonce], earlier).await
}

/// The same for each of these.
pub(crate) async fn find_nonce_each(tx: &mut Tx, nonces: &[(UserId, String)]) -> Result<Vec<Vec<Earlier>>, Error> {
    let each: Vec<_> = nonces.iter().map(|(creator, nonce)| values![creator.bytes(), nonce.clone()].to_vec()).collect();
    tx.rows_each(FIND_NONCE, &each, earlier).await
}

const FIND_NONCE: &str = "SELECT id, request FROM rooms WHERE creator = $1 AND nonce = $2 AND pair IS NULL
    UNION ALL SELECT id, request FROM rooms WHERE creator = $1 AND nonce = $2 AND pair IS NOT NULL";

fn earlier(row: &Row<'_>) -> Result<Earlier, Error> {
    Ok(Earlier { room: RoomId::from_bytes(row.id(0)?), request: row.maybe_bytes(1)?.unwrap_or_default() })
}

/// Channels with smaller ids than `before`, newest first.
pub(crate) async fn channels(tx: &mut Tx, before: Option<RoomId>, limit: i64) -> Result<Vec<RoomRow>, Error> {
    let sql = columns!("WHERE kind = 'channel' AND id < $1 ORDER BY id DESC LIMIT $2");
    let before = before.map_or([0xff; 16], RoomId::bytes);
    tx.rows(sql, &values![before, limit], room_row).await
}

pub(crate) async fn insert_each(tx: &mut Tx, new: &[NewRoom]) -> Result<(), Error> {
    let sql = "INSERT INTO rooms (id, kind, name, owner, creator, created_at, member_count, pair, nonce, request)
        VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8, $9)";
    let values = |NewRoom { room, pair, nonce, request }: &NewRoom| {
        values![
            room.id.bytes(),
            room.kind.as_str(),
            room.name.clone(),
            room.owner.bytes(),
            room.created_at.0,
            room.member_count,
            pair.clone(),
            nonce.clone(),
            request.clone()
        ]
        .to_vec()
    };
    tx.execute_each(sql, &new.iter().map(values).collect::<Vec<_>>()).await.map(|_| ())
}

/// Writes what can change about rooms but their details: the name, the owner, the count of members.
pub(crate) async fn update_each(tx: &mut Tx, rooms: impl Iterator<Item = (RoomId, Option<String>, UserId, i64)>) -> Result<(), Error> {
    let sql = "UPDATE rooms SET name = $2, owner = $3, member_count = $4 WHERE id = $1";
    let each: Vec<_> = rooms.map(|(id, name, owner, member_count)| values![id.bytes(), name, owner.bytes(), member_count]).collect();
    tx.execute_each(sql, &each).await.map(|_| ())
}

/// What each of these rooms is about.
pub(crate) async fn details_each(tx: &mut Tx, rooms: &[RoomId]) -> Result<Vec<Option<Details>>, Error> {
    let sql = "SELECT topic, metadata, rev FROM rooms WHERE id = $1";
    let each: Vec<_> = rooms.iter().map(|id| values![id.bytes()]).collect();
    tx.row_each(sql, &each, |row| Ok(Details { topic: row.maybe_text(0)?, metadata: row.maybe_text(1)?, rev: row.int(2)? })).await
}

/// Writes what rooms are about.
pub(crate) async fn set_details(tx: &mut Tx, rooms: impl Iterator<Item = (RoomId, Details)>) -> Result<(), Error> {
    let sql = "UPDATE rooms SET topic = $2, metadata = $3, rev = $4 WHERE id = $1";
    let each: Vec<_> = rooms.map(|(id, Details { topic, metadata, rev })| values![id.bytes(), topic, metadata, rev]).collect();
    tx.execute_each(sql, &each).await.map(|_| ())
}

/// Gives every room the rev that its log says: before an upgrade is finished, older programs rename rooms and do not note it.
pub(crate) async fn note_revs(tx: &mut Tx) -> Result<(), Error> {
    let sql = "UPDATE rooms SET rev = COALESCE((SELECT MAX(l.seq) FROM log l WHERE l.room = rooms.id AND l.kind = 5), 0)
        WHERE rev <> COALESCE((SELECT MAX(l.seq) FROM log l WHERE l.room = rooms.id AND l.kind = 5), 0)";
    tx.execute(sql, &[]).await.map(|_| ())
}
