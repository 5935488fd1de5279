//! Which rooms a user is in, for a gateway: see [`RoomsOf`].

use crate::service::Messages;
use contract::calls::messages::{InRooms, RoomsOf};
use contract::{Answer, Caller, Refusal};

impl Answer<RoomsOf> for Messages {
    async fn answer(&self, who: &Caller, call: RoomsOf) -> Result<InRooms, Refusal> {
        who.must_be_service()?;
        Ok(self.memberships.ask(call.user).await?)
    }
}
