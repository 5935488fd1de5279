//! `read`: the read mark moves, never back. Members of small rooms hear `read`.

use crate::event::Event;
use contract::Refusal;
use contract::calls::messages;
use contract::wire::{MarkRead, ReadAck};

pub(crate) async fn on_read(event: Event, request: MarkRead) -> Result<ReadAck, Refusal> {
    let Event { connection, user, .. } = event;
    user.identity.check_claim(&request)?;
    let room = edge::room_id(&request.room)?;
    if request.seq < 0 {
        return Err(Refusal::invalid("seq", "seq is a number from 0 up"));
    }
    let messages::ReadMark { read, unread } =
        connection.gateway.bus.ask(&user.caller, messages::MarkRead { room, seq: request.seq }).await?;
    Ok(ReadAck { read, unread })
}
