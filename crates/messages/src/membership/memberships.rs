//! Reads which rooms users are in. In a storm of reconnecting users, many of these reads share one transaction.

use crate::partitions::Partitions;
use crate::store::{log, members, user_state};
use contract::UserId;
use contract::calls::messages::{InRoom, InRooms};
use db::{Coalescer, Db, Error};

/// Most users in one snapshot.
const MOST: usize = 64;

/// How many such snapshots there may be at a time: readers do other things too.
const LANES: usize = 2;

/// The rooms of users, read together.
pub(crate) type Memberships = Coalescer<UserId, InRooms>;

/// Starts the readers.
pub(crate) fn start(db: Db) -> Memberships {
    Coalescer::start(LANES, MOST, move |users| read(db.clone(), users))
}

async fn read(db: Db, users: Vec<UserId>) -> Result<Vec<InRooms>, Error> {
    let (partitions, epoch) = (Partitions::of(&db), db.epoch());
    let read = db.read(move |tx| {
        Box::pin(async move {
            let positions = log::ends(tx, partitions).await?;
            let mut all = Vec::with_capacity(users.len());
            let rooms = members::rooms_of_each(tx, &users).await?;
            let values = user_state::changed_each(tx, &users).await?;
            for (rooms, values) in rooms.into_iter().zip(values) {
                let marks = rooms.iter().filter_map(|room| Some((partitions.of_room(room.room), room.read_position?)));
                let mut changed = vec![-1; positions.len()];
                for (part, position) in values.into_iter().chain(marks) {
                    if let Some(last) = changed.get_mut(usize::from(part)) {
                        *last = position.max(*last);
                    }
                }
                let rooms = rooms.iter().map(|own| InRoom { room: own.room, kind: own.kind, member_count: own.member_count }).collect();
                all.push(InRooms { rooms, epoch, positions: positions.clone(), changed });
            }
            Ok(all)
        })
    });
    let all = read.await?;
    // The server may have been exchanged during the read. Then these rows do not belong to the new epoch.
    if db.epoch() == epoch { Ok(all) } else { Err(Error::Busy("a new epoch of the database has just begun".to_owned())) }
}
