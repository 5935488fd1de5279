//! The log after a position, for a gateway that has missed hints: see [`ReadLog`].
//!
//! Each row is told as of itself, as the hint told it: the gateway passes it on to those who were members at that row, and some may have left before what
//! came after it.

use crate::service::Messages;
use crate::store::{log, past};
use contract::calls::messages::ReadLog;
use contract::log::Entry;
use contract::{Answer, Caller, Refusal};

/// An answer ends after so many bytes of bodies: a gateway that was away reads thousands of entries, one answer after the other.
const BYTES: i64 = 1 << 20;

impl Answer<ReadLog> for Messages {
    async fn answer(&self, who: &Caller, call: ReadLog) -> Result<Vec<Entry>, Refusal> {
        who.must_be_service()?;
        let read = self.read_in_epoch(move |tx| {
            Box::pin(async move {
                let mut rows = log::after(tx, call.partition, call.after, i64::from(call.limit), BYTES).await?;
                past::attach(tx, &mut rows, |row| row.seq).await?;
                Ok(rows)
            })
        });
        let (epoch, rows) = read.await?;
        if epoch != call.epoch {
            return Err(Refusal::busy("the database is of another epoch by now; ask where its log ends"));
        }
        self.resolver.entries(rows).await
    }
}
