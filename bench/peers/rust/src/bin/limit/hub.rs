//! What the bytes mean: Engine.IO and Socket.IO packets, rooms, and the fan-out of a committed batch.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use peers::{
    Auth, Join, Send,
    writer::{Job, Jobs, Outcome, Saved},
};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    connection::Connection,
    ws::{self, ProtocolError},
};

/// Seconds between the server's pings to one client.
const PING_INTERVAL: u64 = 25;
/// Bytes read at once.
const BUFFER: usize = 1 << 16;

/// Whom to acknowledge; the writer's thread cannot hold the connection itself.
pub struct Ticket {
    connection: u64,
    ack: Option<u64>,
}

pub struct Hub {
    /// Where everybody reads into.
    pub buffer: RefCell<Vec<u8>>,
    connections: RefCell<HashMap<u64, Rc<Connection>>>,
    rooms: RefCell<HashMap<Rc<str>, Vec<Rc<Connection>>>>,
    next: Cell<u64>,
    jobs: Jobs<Ticket>,
}

impl Hub {
    pub fn new(jobs: Jobs<Ticket>) -> Self {
        Self { buffer: RefCell::new(vec![0; BUFFER]), connections: RefCell::default(), rooms: RefCell::default(), next: Cell::new(0), jobs }
    }

    /// A number for a new connection.
    pub fn number(&self) -> u64 {
        self.next.replace(self.next.get() + 1)
    }

    /// The upgrade is done: says so, with Engine.IO's handshake.
    pub fn opened(&self, connection: &Rc<Connection>) {
        self.connections.borrow_mut().insert(connection.id, connection.clone());
        let open = format!(
            r#"0{{"sid":"{}","upgrades":[],"pingInterval":{},"pingTimeout":20000,"maxPayload":{}}}"#,
            Uuid::now_v7().simple(),
            PING_INTERVAL * 1000,
            ws::MAX_PAYLOAD,
        );
        connection.send(ws::frame(ws::TEXT, &[open.as_bytes()]));
    }

    /// The client is gone.
    pub fn closed(&self, connection: &Rc<Connection>) {
        self.connections.borrow_mut().remove(&connection.id);
        let mut rooms = self.rooms.borrow_mut();
        for room in connection.rooms.take() {
            if let Some(members) = rooms.get_mut(&room) {
                members.retain(|member| !Rc::ptr_eq(member, connection));
                if members.is_empty() {
                    rooms.remove(&room);
                }
            }
        }
    }

    /// Handles one Engine.IO packet.
    pub fn received(&self, connection: &Rc<Connection>, packet: &[u8]) -> Result<(), ProtocolError> {
        match packet {
            b"3" => connection.awaits_pong.set(false),
            [b'4', b'0', auth @ ..] => {
                let user = serde_json::from_slice::<Auth>(auth).ok().and_then(Auth::name);
                let reply = match user.map(|user| connection.user.set(user)) {
                    Some(Ok(())) => format!(r#"40{{"sid":"{}"}}"#, Uuid::now_v7().simple()),
                    _ => r#"44{"message":"unauthenticated"}"#.to_owned(),
                };
                connection.send(ws::frame(ws::TEXT, &[reply.as_bytes()]));
            }
            [b'4', b'2', event @ ..] => {
                let digits = event.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let (ack, event) = event.split_at(digits);
                let ack = std::str::from_utf8(ack).ok().and_then(|digits| digits.parse().ok());
                if self.event(connection, ack, event).is_none() {
                    refuse(connection, ack, "invalid_request");
                }
            }
            // 1 closes the transport, 41 leaves the namespace; nothing else may come here.
            _ => return Err(ProtocolError),
        }
        Ok(())
    }

    /// Handles `[name, object]`; `None` where it cannot be read, or comes before CONNECT.
    fn event(&self, connection: &Rc<Connection>, ack: Option<u64>, event: &[u8]) -> Option<()> {
        let user = connection.user.get()?;
        match serde_json::from_slice::<(&str, &RawValue)>(event).ok()? {
            ("message", sent) => {
                let sent = serde_json::from_str::<Send>(sent.get()).ok()?;
                if self.jobs.send(Job { sent, sender: user.clone(), tag: Ticket { connection: connection.id, ack } }).is_err() {
                    refuse(connection, ack, "internal");
                }
            }
            ("join", join) => {
                let Join { room } = serde_json::from_str(join.get()).ok()?;
                self.join(connection, &room);
                let reply = serde_json::to_vec(&[serde_json::json!({"ok": true, "room": room})]).ok()?;
                acknowledge(connection, ack, &[&reply]);
                connection.flush();
            }
            _ => return None,
        }
        Some(())
    }

    fn join(&self, connection: &Rc<Connection>, room: &str) {
        let mut joined = connection.rooms.borrow_mut();
        if joined.iter().any(|one| **one == *room) {
            return;
        }
        let mut rooms = self.rooms.borrow_mut();
        let name = rooms.get_key_value(room).map_or_else(|| room.into(), |(name, _)| name.clone());
        rooms.entry(Rc::clone(&name)).or_default().push(connection.clone());
        joined.push(name);
    }

    /// Queues a whole committed batch for everybody, and only then writes: a client gets all that is new to it in one system call.
    pub fn tell(&self, outcome: Outcome<Ticket>) {
        let connections = self.connections.borrow();
        let rooms = self.rooms.borrow();
        let mut owed = Vec::new();
        let mut push = |connection: &Rc<Connection>, frame| {
            if connection.push(frame) {
                owed.push(connection.clone());
            }
        };
        match outcome {
            Ok(batch) => {
                for Saved { message, nonce, tag } in batch {
                    let (Ok(json), Ok(nonce)) = (serde_json::to_vec(&message), serde_json::to_vec(&nonce)) else { continue };
                    if let (Some(connection), Some(ack)) = (connections.get(&tag.connection), tag.ack) {
                        // The sender gets the same object with its nonce as one more field, before the closing brace.
                        let open = &json[..json.len() - 1];
                        let ack = ack.to_string();
                        let parts = [b"43", ack.as_bytes(), br#"[{"ok":true,"message":"#, open, br#","nonce":"#, &nonce, b"}}]"];
                        push(connection, ws::frame(ws::TEXT, &parts));
                    }
                    if let Some(members) = rooms.get(message.room.as_str()) {
                        let frame = ws::frame(ws::TEXT, &[br#"42["new message","#, &json, b"]"]);
                        members.iter().for_each(|member| push(member, frame.clone()));
                    }
                }
            }
            Err(tickets) => {
                for ticket in tickets {
                    if let Some(connection) = connections.get(&ticket.connection) {
                        refuse(connection, ticket.ack, "internal");
                    }
                }
            }
        }
        owed.iter().for_each(Connection::flush);
    }

    /// To be called each second: pings every client once in [`PING_INTERVAL`] of these and cuts those that did not answer the last one.
    pub fn heartbeat(&self, second: u64) {
        let ping = ws::frame(ws::TEXT, &[b"2"]);
        for connection in self.connections.borrow().values().filter(|one| one.id % PING_INTERVAL == second % PING_INTERVAL) {
            if connection.awaits_pong.replace(true) {
                connection.cut();
            } else {
                connection.send(ping.clone());
            }
        }
    }
}

/// Queues an acknowledgement where one is asked for.
fn acknowledge(connection: &Connection, ack: Option<u64>, arguments: &[&[u8]]) {
    if let Some(ack) = ack {
        connection.push(ws::frame(ws::TEXT, &[&[b"43", ack.to_string().as_bytes()], arguments].concat()));
    }
}

fn refuse(connection: &Rc<Connection>, ack: Option<u64>, code: &str) {
    acknowledge(connection, ack, &[br#"[{"ok":false,"error":{"code":""#, code.as_bytes(), br#""}}]"#]);
    connection.flush();
}
