//! Which rooms a user is in, for a gateway: see [`RoomsOf`]. In a storm of reconnecting users many are asked for at once.

use crate::partitions::Partitions;
use crate::service::Messages;
use crate::store::{log, members};
use contract::calls::messages::{InRoom, InRooms, RoomsOf};
use contract::{Answer, Caller, Refusal, UserId};
use db::{Db, Error, Together};

/// Most users whose rooms are read in one snapshot, and how many such snapshots there may be at a time: readers do other things too.
const TOGETHER: (usize, usize) = (64, 2);

/// The users whose rooms are to be read.
pub(crate) type Memberships = Together<UserId, InRooms>;

/// Starts to read them.
pub(crate) fn start(db: Db) -> Memberships {
    let (most, lanes) = TOGETHER;
    Together::start(lanes, most, move |users| read(db.clone(), users))
}

impl Answer<RoomsOf> for Messages {
    async fn answer(&self, who: &Caller, call: RoomsOf) -> Result<InRooms, Refusal> {
        who.must_be_service()?;
        Ok(self.memberships.ask(call.user).await?)
    }
}

async fn read(db: Db, users: Vec<UserId>) -> Result<Vec<InRooms>, Error> {
    let (partitions, epoch) = (Partitions::of(&db), db.epoch());
    let read = db.read(move |tx| {
        Box::pin(async move {
            let positions = log::ends(tx, partitions).await?;
            let mut all = Vec::with_capacity(users.len());
            for rooms in members::rooms_of_each(tx, &users).await? {
                let rooms = rooms.into_iter().map(|(room, kind, member_count)| InRoom { room, kind, member_count }).collect();
                all.push(InRooms { rooms, epoch, positions: positions.clone() });
            }
            Ok(all)
        })
    });
    let all = read.await?;
    // What was read of one server may not be told with the epoch of the other.
    if db.epoch() == epoch { Ok(all) } else { Err(Error::Busy("a new epoch of the database has just begun".to_owned())) }
}
