//! Putting a value into the caller's own state.

use crate::service::Messages;
use crate::store::user_state::StateRowKey;
use crate::writer::{Batch, Denied, Needs, Operation};
use contract::calls::state::{PutState, StateItem};
use contract::state::KEYS;
use contract::{Answer, Caller, Patch, Refusal, RoomId, Stamp};

impl Answer<PutState> for Messages {
    async fn answer(&self, who: &Caller, call: PutState) -> Result<StateItem, Refusal> {
        let owner = who.user()?.id;
        let PutState { key, value, if_stamp } = call;
        let put = Put { key: (owner, key.clone()), json: value.json(), if_stamp, new: Stamp::new() };
        let Stood { stamp, rows } = self.writer()?.write(put).await?;
        self.forget_removed(owner, rows).await;
        Ok(StateItem { key, value, stamp })
    }
}

struct Put {
    key: StateRowKey,
    json: String,
    if_stamp: Patch<Stamp>,
    /// The stamp of this change.
    new: Stamp,
}

/// What stands under the key, and how many rows the user has, if this call has added one.
struct Stood {
    stamp: Stamp,
    rows: i64,
}

impl Operation for Put {
    type Done = Stood;

    fn room(&self) -> RoomId {
        RoomId::from_bytes(self.key.0.bytes())
    }

    fn needs(&self) -> Needs {
        Needs { own_state: Some(self.key.clone()), ..Needs::default() }
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<Stood, Denied> {
        let row = batch.user_state(&self.key).await?;
        let (is_known, present) = (row.is_some(), row.filter(|row| row.value.is_some()));
        if let Some(present) = &present
            && present.value.as_ref() == Some(&self.json)
        {
            // So the call may be sent again after a lost answer, whatever stamp it names.
            return Ok(Stood { stamp: present.stamp, rows: 0 });
        }
        self.must_fit(present.as_ref().map(|present| present.stamp))?;
        let mut rows = 0;
        if present.is_none() {
            let count = batch.user_state_count(self.key.0).await?;
            if count.live >= KEYS {
                return Err(Refusal::conflict(format!("you have {KEYS} keys, which is the most; delete some first")).about("key").into());
            }
            rows = count.rows + i64::from(!is_known);
        }
        batch.set_user_state(self.key.clone(), Some(self.json.clone()), self.new);
        Ok(Stood { stamp: self.new, rows })
    }
}

impl Put {
    /// Refuses a change of a value that its author has not seen.
    fn must_fit(&self, present: Option<Stamp>) -> Result<(), Refusal> {
        let refused = |why: &str| Err(Refusal::conflict(why).about("if_stamp"));
        match (self.if_stamp, present) {
            (Patch::Keep, _) | (Patch::Clear, None) => Ok(()),
            (Patch::Clear, Some(_)) => refused("there is a value under this key already; read it first"),
            (Patch::Set(wanted), Some(present)) if wanted == present => Ok(()),
            (Patch::Set(_), Some(_)) => refused("this value has changed since; read it again"),
            (Patch::Set(_), None) => refused("this value was removed since"),
        }
    }
}
