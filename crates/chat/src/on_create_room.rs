//! `create room`: a room with the sender and others in it, or the one that is meant. Its members hear `room created`.

use crate::event::Event;
use contract::Refusal;
use contract::calls::messages;
use contract::wire::{CreateRoom, CreateRoomAck};

pub(crate) async fn on_create_room(event: Event, request: CreateRoom) -> Result<CreateRoomAck, Refusal> {
    let Event { connection, user, .. } = event;
    user.identity.check_claim(&request)?;
    let CreateRoom { usernames, name, kind, nonce, .. } = request;
    let call = messages::CreateRoom { usernames, name: name.map(Into::into), kind, nonce };
    let messages::Created { room, created } = connection.gateway.bus.ask(&user.caller, call).await?;
    Ok(CreateRoomAck { room, created })
}
