//! Removing a value from the caller's own state.

use crate::service::Messages;
use crate::store::user_state::StateRowKey;
use crate::writer::{Batch, Denied, Needs, Operation};
use contract::calls::state::RemoveState;
use contract::{Answer, Caller, Refusal, RoomId, Stamp};
use db::Error;

impl Answer<RemoveState> for Messages {
    async fn answer(&self, who: &Caller, call: RemoveState) -> Result<(), Refusal> {
        let key = (who.user()?.id, call.key);
        self.writer()?.write(Remove { key, new: Stamp::new() }).await
    }
}

/// Removes the value under a key, if there is one, by a change with this stamp.
pub(crate) async fn remove(batch: &mut Batch<'_>, key: &StateRowKey, stamp: Stamp) -> Result<(), Error> {
    if batch.user_state(key).await?.is_some_and(|row| row.value.is_some()) {
        batch.set_user_state(key.clone(), None, stamp);
    }
    Ok(())
}

struct Remove {
    key: StateRowKey,
    /// The stamp of this change.
    new: Stamp,
}

impl Operation for Remove {
    type Done = ();

    fn room(&self) -> RoomId {
        RoomId::from_bytes(self.key.0.bytes())
    }

    fn needs(&self) -> Needs {
        Needs { own_state: Some(self.key.clone()), ..Needs::default() }
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<(), Denied> {
        Ok(remove(batch, &self.key, self.new).await?)
    }
}
