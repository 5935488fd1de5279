//! The peer `oxide`: socketioxide as it comes, on axum, with the group-commit writer. One thread for the sockets, one for the database.
//!
//! ```text
//! oxide PORT FOLDER
//! ```

use std::{error::Error, fmt, sync::Arc, time::Duration};

use axum::{Router, serve::ListenerExt};
use peers::{
    Auth, Join, Send,
    writer::{self, Job, Jobs, Outcome, Saved},
};
use serde::Serialize;
use serde_json::json;
use socketioxide::{
    SocketIo, TransportType,
    extract::{AckSender, SocketRef, TryData},
    handler::ConnectHandler,
};
use uuid::Uuid;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (port, folder) = peers::arguments()?;
    let (jobs, mut committed) = writer::start::<AckSender>(&folder.join("oxide.db"))?;
    let (layer, io) = SocketIo::builder()
        .transports([TransportType::Websocket])
        .ping_interval(Duration::from_secs(25))
        .ping_timeout(Duration::from_secs(20))
        // Of packets. A full buffer loses events, and the default of 128 is less than one batch to a busy room.
        .max_buffer_size(65_536)
        .build_layer();

    // Handlers are registered in a middleware, before the client is told that it is connected: the connect handler itself runs after
    // that, and an event that finds no handler is dropped without a word.
    let register = async move |socket: SocketRef, TryData(auth): TryData<Auth>| register(&socket, auth.ok(), &jobs);
    io.ns("/", (async || {}).with(register));

    tokio::spawn(async move {
        while let Some(outcome) = committed.recv().await {
            tell(&io, outcome).await;
        }
    });
    let listener = peers::listen(port)?.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, Router::new().layer(layer)).await?)
}

/// The `connect_error` of a client that gives no readable name.
#[derive(Debug)]
struct Unauthenticated;

impl fmt::Display for Unauthenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unauthenticated")
    }
}

fn register(socket: &SocketRef, auth: Option<Auth>, jobs: &Jobs<AckSender>) -> Result<(), Unauthenticated> {
    let user = auth.and_then(Auth::name).ok_or(Unauthenticated)?;
    socket.on("join", async |socket: SocketRef, TryData(join): TryData<Join>, ack: AckSender| match join {
        Ok(Join { room }) => {
            socket.join(room.clone());
            let _ = ack.send(&json!({"ok": true, "room": room}));
        }
        Err(_) => refuse(ack, "invalid_request"),
    });
    let jobs = jobs.clone();
    socket.on("message", async move |TryData(sent): TryData<Send>, ack: AckSender| match sent {
        Ok(sent) => {
            if let Err(unsent) = jobs.send(Job { sent, sender: user.clone(), tag: ack }) {
                refuse(unsent.0.tag, "internal");
            }
        }
        Err(_) => refuse(ack, "invalid_request"),
    });
    Ok(())
}

/// Acknowledges a committed batch and sends it to its rooms. A client that is gone meanwhile is no error here.
async fn tell(io: &SocketIo, outcome: Outcome<AckSender>) {
    match outcome {
        Ok(batch) => {
            for Saved { message, nonce, tag } in batch {
                let _ = tag.send(&Acked { ok: true, message: Own::new(&message, &nonce) });
                let _ = io.to(message.room.clone()).emit("new message", &message).await;
            }
        }
        Err(tags) => tags.into_iter().for_each(|tag| refuse(tag, "internal")),
    }
}

fn refuse(ack: AckSender, code: &str) {
    let _ = ack.send(&json!({"ok": false, "error": {"code": code}}));
}

#[derive(Serialize)]
struct Acked<'a> {
    ok: bool,
    message: Own<'a>,
}

/// A message as its sender gets it back. Written out, because serde's `flatten` costs a map for each message.
#[derive(Serialize)]
struct Own<'a> {
    id: Uuid,
    room: &'a str,
    seq: i64,
    sender: &'a Arc<str>,
    body: &'a str,
    created_at: &'a Arc<str>,
    nonce: &'a str,
}

impl<'a> Own<'a> {
    fn new(message: &'a peers::Message, nonce: &'a str) -> Self {
        let peers::Message { id, room, seq, sender, body, created_at } = message;
        Self { id: *id, room, seq: *seq, sender, body, created_at, nonce }
    }
}
