//! `typing`: passed on to the other members of small rooms, at most once a second; more is fine and dropped.
//!
//! The log may be behind what a client knows: right after `create room` or `join room` this gateway may not know the room yet. Then the
//! messages service is asked.

use crate::event::Event;
use crate::gateway::Gateway;
use crate::registry::audience::RoomMembership;
use contract::calls::messages::RoomOf;
use contract::hint;
use contract::room::LIVELY_MEMBERS;
use contract::wire::{NothingAck, SetTyping};
use contract::{Refusal, RoomId, UserId, UserRef};

pub(crate) async fn on_typing(event: Event, request: SetTyping) -> Result<NothingAck, Refusal> {
    let Event { connection, user, .. } = event;
    let (gateway, user) = (&connection.gateway, &user.identity);
    user.check_claim(&request)?;
    let room = edge::room_id(&request.room)?;
    let membership = match gateway.registry.membership(user.id, room) {
        RoomMembership::NotMember => gateway.membership_in_log(user.id, room).await?,
        known => known,
    };
    match membership {
        RoomMembership::NotMember => return Err(Refusal::no_room()),
        RoomMembership::LargeRoom => return Ok(NothingAck {}),
        RoomMembership::SmallRoom => {}
    }
    if gateway.typing_throttle.pass(user.id, room, request.typing, gateway.clock.now()) {
        let user = UserRef { id: user.id, username: user.username.clone() };
        gateway.bus.publish(hint::Typing { room, user, typing: request.typing });
    }
    Ok(NothingAck {})
}

impl Gateway {
    /// Asks the messages service whether a user is in a room. A yes is remembered for a second, so that somebody who types on costs little. A
    /// no is not remembered: the user may join at any moment, and the event has been paid for.
    async fn membership_in_log(&self, user: UserId, room: RoomId) -> Result<RoomMembership, Refusal> {
        let now = self.clock.now();
        if let Some(membership) = self.memberships.get(user, room, now) {
            return Ok(membership);
        }
        let membership = match self.ask(RoomOf { user, room }).await? {
            None => return Ok(RoomMembership::NotMember),
            Some(room) if room.member_count <= LIVELY_MEMBERS => RoomMembership::SmallRoom,
            Some(_) => RoomMembership::LargeRoom,
        };
        self.memberships.put(user, room, membership, now);
        Ok(membership)
    }
}
