//! What a client emits: read at once, answered in the background. An answer's first step is taken right here, so that what one client
//! sends reaches the services in the order in which it was sent.

use crate::client::{Known, Turn};
use crate::line::Line;
use crate::on_create_room::on_create_room;
use crate::on_join_room::on_join_room;
use crate::on_leave_room::on_leave_room;
use crate::on_message::on_message;
use crate::on_read::on_read;
use crate::on_typing::on_typing;
use crate::settings::EVENTS_UNDER_WAY;
use contract::wire::client;
use contract::{Code, Refusal};
use edge::{Paid, Price};
use futures_util::future::{BoxFuture, FutureExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use socketio::{Conn, Incoming};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

/// One event of an authenticated user.
pub(crate) struct Event {
    pub(crate) line: Line,
    pub(crate) known: Arc<Known>,
    /// What the event's user has paid for it.
    pub(crate) paid: Paid,
}

/// The names of the events that clients emit.
pub(crate) const NAMES: [&str; 7] =
    [client::AUTHENTICATE, client::CREATE_ROOM, client::MESSAGE, client::JOIN_ROOM, client::LEAVE_ROOM, client::READ, client::TYPING];

/// Takes an event as it comes.
pub(crate) fn take(line: Line, event: Incoming) {
    let authenticates = event.name == client::AUTHENTICATE;
    let refused = match line.client.turn(event, authenticates) {
        Turn::For(known, event) => return answer(line, known, event),
        Turn::Unauthenticated(event) if authenticates => return crate::on_authenticate::first(line, event),
        Turn::Held | Turn::Gone => return,
        Turn::Unauthenticated(event) => (event, Refusal::unauthenticated()),
        Turn::TooMany(event) => (event, too_many()),
    };
    line.refuse(refused.0.ack, refused.1);
}

/// Answers an event of a user.
pub(crate) fn answer(line: Line, known: Arc<Known>, event: Incoming) {
    match event.name.as_str() {
        client::MESSAGE => run(line, known, event, Price::Send, on_message),
        client::TYPING => run(line, known, event, Price::Read, on_typing),
        client::READ => run(line, known, event, Price::Change, on_read),
        client::CREATE_ROOM => run(line, known, event, Price::Change, on_create_room),
        client::JOIN_ROOM => run(line, known, event, Price::Change, on_join_room),
        client::LEAVE_ROOM => run(line, known, event, Price::Change, on_leave_room),
        client::AUTHENTICATE => run(line, known, event, Price::Read, crate::on_authenticate::again),
        _ => {
            let refusal = unknown(&event.name);
            line.refuse(event.ack, refusal);
        }
    }
}

fn run<P, A, F>(line: Line, known: Arc<Known>, incoming: Incoming, price: Price, handler: fn(Event, P) -> F)
where
    P: DeserializeOwned,
    A: Serialize,
    F: Future<Output = Result<A, Refusal>> + Send + 'static,
{
    let began = Instant::now();
    let timed = incoming.name == client::MESSAGE;
    let one = line.client.under_way.begin(EVENTS_UNDER_WAY).zip(line.gateway.under_way.begin(usize::MAX));
    let admitted = match &one {
        None => Err(too_many()),
        Some(_) => line.gateway.must_not_drain().and_then(|()| {
            let paid = line.gateway.admission.pay(known.user.id, price)?;
            Ok((paid, read::<P>(&incoming)?))
        }),
    };
    let (paid, payload) = match admitted {
        Ok(admitted) => admitted,
        Err(refusal) => return line.refuse(incoming.ack, refusal),
    };
    let ack = incoming.ack;
    let answer = handler(Event { line: line.clone(), known, paid }, payload);
    start(Box::pin(async move {
        let answer = edge::caught(answer).await;
        line.answer(ack, answer);
        if timed {
            metrics::histogram!("guild_ack_seconds").record(began.elapsed().as_secs_f64());
        }
        drop(one);
    }));
}

/// Takes a future's first step now, and the rest in a task.
pub(crate) fn start(mut future: BoxFuture<'static, ()>) {
    // A task polls its future first thing, which puts the right waker in this one's place; nothing can be missed between the two.
    if future.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending() {
        tokio::spawn(future);
    }
}

/// The same for what serves its connection only: it is dropped where it stands when that is over.
pub(crate) fn start_while_open(conn: Arc<Conn>, work: impl Future<Output = ()> + Send + 'static) {
    start(Box::pin(async move {
        tokio::select! {
            biased;
            () = work => {}
            () = conn.over() => {}
        }
    }));
}

/// Reads an event's payload: exactly one object.
pub(crate) fn read<P: DeserializeOwned>(event: &Incoming) -> Result<P, Refusal> {
    match (event.args.as_slice(), event.binary) {
        ([payload], false) => edge::read_json(payload.get()),
        (_, true) => Err(Refusal::new(Code::InvalidRequest, "an event carries one JSON object, and nothing binary")),
        (args, false) => {
            Err(Refusal::new(Code::InvalidRequest, format!("an event carries exactly one JSON object, not {} arguments", args.len())))
        }
    }
}

fn unknown(name: &str) -> Refusal {
    let name: String = name.chars().take(64).collect();
    Refusal::new(Code::InvalidRequest, format!("there is no event {name:?}; the events are: {}", NAMES.join(", ")))
}

fn too_many() -> Refusal {
    metrics::counter!("guild_rate_limited_total", "what" => "events").increment(1);
    let detail = format!("more than {EVENTS_UNDER_WAY} events wait for their acknowledgements; wait for some of them");
    Refusal::rate_limited(detail, Duration::from_millis(100))
}
