//! `typing`: passed on to the other members of small rooms, at most once a second; more is fine and dropped.
//!
//! The log may be a moment behind what a client knows already: right after `create room` or `join room` the room can be unknown here. Then
//! the messages service is asked.

use crate::events::Event;
use crate::gateway::Gateway;
use crate::registry::audience::Standing;
use contract::calls::messages::RoomOf;
use contract::hint;
use contract::room::LIVELY_MEMBERS;
use contract::wire::{NothingAck, SetTyping};
use contract::{Refusal, RoomId, UserId, UserRef};

pub(crate) async fn on_typing(event: Event, request: SetTyping) -> Result<NothingAck, Refusal> {
    let Event { line, known, .. } = event;
    let gateway = &line.gateway;
    known.user.check_claim(&request)?;
    let room = edge::room_id(&request.room)?;
    let standing = match gateway.registry.standing(known.user.id, room) {
        Standing::Outside => gateway.standing_in_log(known.user.id, room).await?,
        known => known,
    };
    match standing {
        Standing::Outside => return Err(Refusal::no_room()),
        Standing::Crowd => return Ok(NothingAck {}),
        Standing::Lively => {}
    }
    if gateway.throttle.pass(known.user.id, room, request.typing, gateway.clock.now()) {
        let user = UserRef { id: known.user.id, username: known.user.username.clone() };
        gateway.bus.publish(hint::Typing { room, user, typing: request.typing });
    }
    Ok(NothingAck {})
}

impl Gateway {
    /// How a user stands to a room that is not known here, or not as theirs. A member is remembered for a second, so that who types on costs
    /// little. Who is outside is asked about each time: they may have joined since, and the event has been paid for.
    async fn standing_in_log(&self, user: UserId, room: RoomId) -> Result<Standing, Refusal> {
        let now = self.clock.now();
        if let Some(found) = self.found.get(user, room, now) {
            return Ok(found);
        }
        let standing = match self.ask(RoomOf { user, room }).await? {
            None => return Ok(Standing::Outside),
            Some(room) if room.member_count <= LIVELY_MEMBERS => Standing::Lively,
            Some(_) => Standing::Crowd,
        };
        self.found.put(user, room, standing, now);
        Ok(standing)
    }
}
