//! One room.

use crate::service::Messages;
use contract::calls::messages::GetRoom;
use contract::{Answer, Caller, Refusal, Room};

impl Answer<GetRoom> for Messages {
    async fn answer(&self, who: &Caller, call: GetRoom) -> Result<Room, Refusal> {
        self.room_for(who.user()?, call.room).await
    }
}
