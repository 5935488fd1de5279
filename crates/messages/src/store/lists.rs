//! Lists of rooms, for one statement about any number of them. The engines have no form of a list in common, so a list goes in as one value, its
//! ids side by side, and a recursive table takes it apart again. Each row of the answer has the room's index in the list.

use contract::{RoomId, UserId};
use db::{Error, Row, Value};

/// A room and the user who reads it.
pub(crate) type RoomAndReader = (RoomId, UserId);

/// Makes the table `pairs` (n, room, reader) of the values `$1` and `$2`. The first part of `given` tells PostgreSQL that both are bytes.
macro_rules! pairs {
    ($($rest:expr),+) => {
        concat!(
            "WITH RECURSIVE given(rooms, readers) AS (SELECT id, id FROM rooms WHERE id IS NULL UNION ALL SELECT $1, $2),
            pairs(n, room, reader) AS (
                SELECT 1, substr(rooms, 1, 16), substr(readers, 1, 16) FROM given
                UNION ALL SELECT n + 16, substr(rooms, n + 16, 16), substr(readers, n + 16, 16)
                FROM pairs, given WHERE n + 16 <= length(rooms))",
            $($rest),+
        )
    };
}
pub(super) use pairs;

/// Pairs in one statement. With a longer list, taking it apart costs more than the statements that it saves.
pub(crate) const AT_ONCE: usize = 256;

pub(super) fn lists(pairs: &[RoomAndReader]) -> [Value; 2] {
    let rooms: Vec<u8> = pairs.iter().flat_map(|(room, _)| room.bytes()).collect();
    let readers: Vec<u8> = pairs.iter().flat_map(|(_, reader)| reader.bytes()).collect();
    [rooms.into(), readers.into()]
}

pub(super) fn index(row: &Row<'_>, column: usize) -> Result<usize, Error> {
    Ok(usize::try_from(row.int(column)?.saturating_sub(1) / 16).unwrap_or(usize::MAX))
}

/// A seq in a list of seqs, which is one text: as many digits as the largest may have.
pub(super) fn digits(seq: i64) -> String {
    format!("{seq:019}")
}

/// Puts each item at its index among `count`.
pub(super) fn placed<T>(count: usize, found: Vec<(usize, T)>) -> Vec<Option<T>> {
    let mut all: Vec<Option<T>> = std::iter::repeat_with(|| None).take(count).collect();
    for (at, thing) in found {
        if let Some(place) = all.get_mut(at) {
            *place = Some(thing);
        }
    }
    all
}

/// Gathers the items of each of `count` indices, in the order in which they came.
pub(super) fn gathered<T>(count: usize, found: Vec<(usize, T)>) -> Vec<Vec<T>> {
    let mut all: Vec<Vec<T>> = std::iter::repeat_with(Vec::new).take(count).collect();
    for (at, thing) in found {
        if let Some(place) = all.get_mut(at) {
            place.push(thing);
        }
    }
    all
}
