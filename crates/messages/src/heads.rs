//! Where the log's end is, and where every room of a user stands.

use crate::service::Messages;
use crate::store::{log, members};
use contract::calls::messages::{Head, Heads, RoomHead, RoomHeads};
use contract::{Answer, Caller, Cursor, Refusal};

impl Answer<Head> for Messages {
    async fn answer(&self, who: &Caller, _: Head) -> Result<Cursor, Refusal> {
        who.must_be_service()?;
        let partitions = self.partitions;
        let positions = self.db.read(move |tx| Box::pin(log::ends(tx, partitions))).await?;
        Ok(Cursor::new(self.db.epoch(), positions))
    }
}

impl Answer<Heads> for Messages {
    async fn answer(&self, who: &Caller, call: Heads) -> Result<RoomHeads, Refusal> {
        who.must_be_service()?;
        let partitions = self.partitions;
        let (rooms, positions) = self
            .db
            .read(move |tx| {
                Box::pin(async move {
                    let mut heads = Vec::new();
                    for (id, _, _) in members::rooms_of(tx, call.user).await? {
                        let head = log::head_row(tx, id).await?.map_or(0, |head| head.seq);
                        heads.push(RoomHead { id, head });
                    }
                    Ok((heads, log::ends(tx, partitions).await?))
                })
            })
            .await?;
        Ok(RoomHeads { rooms, cursor: Cursor::new(self.db.epoch(), positions) })
    }
}
