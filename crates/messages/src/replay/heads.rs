//! The log's end, and the newest seq of every room of a user.

use crate::service::Messages;
use crate::store::{log, members};
use contract::calls::messages::{Head, Heads, RoomHead, RoomHeads};
use contract::{Answer, Caller, Cursor, Refusal};

impl Answer<Head> for Messages {
    async fn answer(&self, who: &Caller, _: Head) -> Result<Cursor, Refusal> {
        who.must_be_service()?;
        let partitions = self.partitions;
        let (epoch, positions) = self.read_in_epoch(move |tx| Box::pin(log::ends(tx, partitions))).await?;
        Ok(Cursor::new(epoch, positions))
    }
}

impl Answer<Heads> for Messages {
    async fn answer(&self, who: &Caller, call: Heads) -> Result<RoomHeads, Refusal> {
        who.must_be_service()?;
        let partitions = self.partitions;
        let (epoch, (rooms, positions)) = self
            .read_in_epoch(move |tx| {
                Box::pin(async move {
                    let rooms: Vec<_> =
                        members::rooms_of_each(tx, &[call.user]).await?.into_iter().flatten().map(|room| room.room).collect();
                    let heads = log::head_row_each(tx, &rooms).await?;
                    let heads = rooms.into_iter().zip(heads).map(|(id, head)| RoomHead { id, head: head.map_or(0, |head| head.seq) });
                    Ok((heads.collect(), log::ends(tx, partitions).await?))
                })
            })
            .await?;
        Ok(RoomHeads { rooms, cursor: Cursor::new(epoch, positions) })
    }
}
