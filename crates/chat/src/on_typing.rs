//! `typing`: passed on to the other members of small rooms, at most once a second; more is fine and dropped.

use crate::events::Event;
use crate::registry::audience::Standing;
use contract::Refusal;
use contract::UserRef;
use contract::hint;
use contract::wire::{NothingAck, SetTyping};

pub(crate) async fn on_typing(event: Event, request: SetTyping) -> Result<NothingAck, Refusal> {
    let Event { line, known, .. } = event;
    let gateway = &line.gateway;
    known.user.must_be(request.sender.as_deref(), request.username.as_deref())?;
    let room = edge::room_id(&request.room)?;
    match gateway.registry.standing(known.user.id, room) {
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
