//! Values as they are now, for a gateway that tells of them: see [`StatesNow`].

use super::get::value;
use crate::service::Messages;
use crate::store::user_state;
use contract::calls::state::{STATES_AT_ONCE, StateNow, StatesNow};
use contract::{Answer, Caller, Refusal, UserId};

impl Answer<StatesNow> for Messages {
    async fn answer(&self, who: &Caller, call: StatesNow) -> Result<Vec<(UserId, StateNow)>, Refusal> {
        who.must_be_service()?;
        let keys = call.keys;
        if keys.len() > STATES_AT_ONCE {
            return Err(Refusal::invalid("keys", format!("keys: at most {STATES_AT_ONCE} at once, these are {}", keys.len())));
        }
        let wanted = keys.clone();
        let rows = self.db.read(move |tx| Box::pin(async move { user_state::find_each(tx, &wanted).await })).await?;
        let mut found = Vec::with_capacity(keys.len());
        for ((user, key), row) in keys.into_iter().zip(rows) {
            if let Some(row) = row {
                let value = row.value.as_deref().map(value).transpose()?;
                found.push((user, StateNow { key, value, stamp: row.stamp }));
            }
        }
        Ok(found)
    }
}
