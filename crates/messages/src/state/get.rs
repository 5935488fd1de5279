//! One value of the caller's own state.

use crate::service::Messages;
use crate::store::user_state;
use contract::calls::state::{GetState, StateItem};
use contract::{Answer, Caller, Refusal};
use db::Error;

impl Answer<GetState> for Messages {
    async fn answer(&self, who: &Caller, call: GetState) -> Result<StateItem, Refusal> {
        let key = (who.user()?.id, call.key.clone());
        let found = self.db.read(move |tx| Box::pin(async move { user_state::find_each(tx, &[key]).await })).await?;
        let row = found.into_iter().next().flatten();
        let nothing = || Refusal::not_found("there is nothing under this key").about("key");
        let (json, stamp) = row.and_then(|row| Some((row.value?, row.stamp))).ok_or_else(nothing)?;
        Ok(StateItem { key: call.key, value: value(&json)?, stamp })
    }
}

/// A value out of the database.
pub(super) fn value(json: &str) -> Result<contract::StateValue, Error> {
    serde_json::from_str(json).map_err(|why| Error::Failed(format!("a value in user_state: {why}")))
}
