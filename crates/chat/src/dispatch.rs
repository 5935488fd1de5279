//! The table of the events that clients emit: what each costs, and which handler answers it.
//!
//! An event is read at once and answered in the background. Its answer takes its first step right here, so that what one client sends
//! reaches the services in the order in which it was sent.

use crate::authenticated_user::AuthenticatedUser;
use crate::connection::Connection;
use crate::event::{Event, read};
use crate::on_authenticate::on_authenticate;
use crate::on_create_room::on_create_room;
use crate::on_delete_message::on_delete_message;
use crate::on_edit_message::on_edit_message;
use crate::on_join_room::on_join_room;
use crate::on_leave_room::on_leave_room;
use crate::on_message::on_message;
use crate::on_pin_message::{on_pin_message, on_unpin_message};
use crate::on_react::on_react;
use crate::on_read::on_read;
use crate::on_typing::on_typing;
use crate::settings::EVENTS_IN_FLIGHT;
use crate::start::start;
use contract::wire::client;
use contract::{Code, Refusal};
use edge::{Price, Warnings};
use serde::Serialize;
use serde::de::DeserializeOwned;
use socketio::Incoming;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The names of the events that clients emit.
pub(crate) const NAMES: [&str; 12] = [
    client::AUTHENTICATE,
    client::CREATE_ROOM,
    client::MESSAGE,
    client::EDIT_MESSAGE,
    client::DELETE_MESSAGE,
    client::REACT,
    client::PIN_MESSAGE,
    client::UNPIN_MESSAGE,
    client::JOIN_ROOM,
    client::LEAVE_ROOM,
    client::READ,
    client::TYPING,
];

/// Answers an event of a user.
pub(crate) fn dispatch(connection: Connection, user: Arc<AuthenticatedUser>, event: Incoming) {
    match event.name.as_str() {
        client::MESSAGE => run(connection, user, event, Price::Send, on_message),
        client::TYPING => run(connection, user, event, Price::Read, on_typing),
        client::READ => run(connection, user, event, Price::Change, on_read),
        client::EDIT_MESSAGE => run(connection, user, event, Price::Change, on_edit_message),
        client::DELETE_MESSAGE => run(connection, user, event, Price::Change, on_delete_message),
        client::REACT => run(connection, user, event, Price::Change, on_react),
        client::PIN_MESSAGE => run(connection, user, event, Price::Change, on_pin_message),
        client::UNPIN_MESSAGE => run(connection, user, event, Price::Change, on_unpin_message),
        client::CREATE_ROOM => run(connection, user, event, Price::Change, on_create_room),
        client::JOIN_ROOM => run(connection, user, event, Price::Change, on_join_room),
        client::LEAVE_ROOM => run(connection, user, event, Price::Change, on_leave_room),
        client::AUTHENTICATE => run(connection, user, event, Price::Read, on_authenticate),
        _ => {
            let refusal = unknown(&event.name);
            connection.refuse(event.ack, refusal);
        }
    }
}

fn run<P, A, F>(connection: Connection, user: Arc<AuthenticatedUser>, incoming: Incoming, price: Price, handler: fn(Event, P) -> F)
where
    P: DeserializeOwned,
    A: Serialize,
    F: Future<Output = Result<A, Refusal>> + Send + 'static,
{
    let began = Instant::now();
    let timed = incoming.name == client::MESSAGE;
    let in_flight = connection.state.in_flight.begin(EVENTS_IN_FLIGHT).zip(connection.gateway.in_flight.begin(usize::MAX));
    let admitted = match &in_flight {
        None => Err(too_many()),
        Some(_) => connection.gateway.must_not_drain().and_then(|()| {
            let paid = connection.gateway.admission.pay(user.identity.id, price)?;
            Ok((paid, read::<P>(&incoming)?))
        }),
    };
    let (paid, (payload, unknown)) = match admitted {
        Ok(admitted) => admitted,
        Err(refusal) => return connection.refuse(incoming.ack, refusal),
    };
    let ack = incoming.ack;
    let warnings = Warnings::default();
    warnings.add(unknown);
    let answer = handler(Event { connection: connection.clone(), user, paid, warnings: warnings.clone() }, payload);
    start(Box::pin(async move {
        let answer = edge::caught(answer).await;
        connection.answer(ack, answer, warnings.take());
        if timed {
            metrics::histogram!("guild_ack_seconds").record(began.elapsed().as_secs_f64());
        }
        drop(in_flight);
    }));
}

fn unknown(name: &str) -> Refusal {
    let name: String = name.chars().take(64).collect();
    Refusal::new(Code::InvalidRequest, format!("there is no event {name:?}; the events are: {}", NAMES.join(", ")))
}

/// What a client is told that has too many events without an acknowledgement.
pub(crate) fn too_many() -> Refusal {
    metrics::counter!("guild_rate_limited_total", "what" => "events").increment(1);
    let detail = format!("more than {EVENTS_IN_FLIGHT} events wait for their acknowledgements; wait for some of them");
    Refusal::rate_limited(detail, Duration::from_millis(100))
}
