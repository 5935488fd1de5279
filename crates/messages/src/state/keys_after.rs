//! Whose values have changed after a number of a partition, for a gateway that has missed hints: see [`StateKeysAfter`].

use crate::service::Messages;
use crate::store::{log, user_state};
use contract::calls::state::{ChangedKeys, StateEnds, StateKeysAfter};
use contract::{Answer, Caller, Refusal};

/// Most keys of an answer: some 250 KiB.
const MOST: u16 = 1_000;

impl Answer<StateEnds> for Messages {
    async fn answer(&self, who: &Caller, _: StateEnds) -> Result<Vec<i64>, Refusal> {
        who.must_be_service()?;
        let partitions = self.partitions;
        Ok(self.db.read(move |tx| Box::pin(user_state::ends(tx, partitions))).await?)
    }
}

impl Answer<StateKeysAfter> for Messages {
    async fn answer(&self, who: &Caller, call: StateKeysAfter) -> Result<ChangedKeys, Refusal> {
        who.must_be_service()?;
        let StateKeysAfter { epoch, partition, after, limit } = call;
        let (partitions, limit) = (self.partitions, i64::from(limit.clamp(1, MOST)));
        let read = self.read_in_epoch(move |tx| {
            Box::pin(async move {
                let keys = user_state::keys_after(tx, partition, after, limit).await?;
                let forgotten = user_state::forgotten_after(tx, partition, after).await?;
                Ok((keys, forgotten, user_state::ends(tx, partitions).await?, log::end(tx, partition).await?.0))
            })
        });
        let (now, (keys, forgotten, ends, position)) = read.await?;
        if now != epoch {
            return Err(Refusal::busy("the database is of another epoch by now; ask where its log ends"));
        }
        let more = i64::try_from(keys.len()).is_ok_and(|count| count >= limit);
        // The last changes of a partition may have been overwritten from another one, which tells of them.
        let end = match keys.last() {
            Some((number, _)) if more => *number,
            _ => ends.get(usize::from(partition)).copied().unwrap_or(0).max(after),
        };
        Ok(ChangedKeys { keys: keys.into_iter().map(|(_, key)| key).collect(), forgotten, end, position, more })
    }
}
