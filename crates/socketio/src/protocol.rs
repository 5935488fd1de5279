//! The life of a connection: what each packet means at which moment.
//!
//! It follows the reference server (socket.io 4, `client.ts`): an event before CONNECT, a second CONNECT, a packet for a namespace that the
//! client is not connected to, and a packet that cannot be read close the connection. It differs in one point: events that come while a
//! CONNECT is being answered are held.

use std::{mem, sync::Arc};

use bytes::Bytes;
use engineioxide::{DisconnectReason, Str, handler::EngineIoHandler};
use serde_json::Value;

use crate::{
    Ack, Conn, ConnectError, Incoming,
    connection_table::ConnectionTable,
    link::{EngineSocket, Link, LinkCell},
    packet::{self, Body},
    reader::{NamespaceState, Partial, Reader},
};

/// Events that may wait for the answer to a CONNECT.
const MAX_HELD: usize = 64;

/// Why a connection must close.
type Fatal = &'static str;

impl EngineIoHandler for ConnectionTable {
    type Data = LinkCell;

    fn on_connect(self: Arc<Self>, socket: Arc<EngineSocket>) {
        self.register(&socket);
    }

    fn on_message(self: &Arc<Self>, text: Str, socket: Arc<EngineSocket>) {
        self.hear(&socket, |reader, link| self.text(reader, link, &socket, &text));
    }

    fn on_binary(self: &Arc<Self>, data: Bytes, socket: Arc<EngineSocket>) {
        self.hear(&socket, |reader, _| self.attachment(reader, data.len()));
    }

    fn on_disconnect(&self, socket: Arc<EngineSocket>, reason: DisconnectReason) {
        if let Some(link) = socket.data.0.get() {
            let reason = link.ended(name(&reason));
            let state = mem::replace(&mut link.reader().state, NamespaceState::Closed);
            // The handler hears nothing of a CONNECT that is still being answered: the task ends.
            if let NamespaceState::Connected(conn) = state {
                conn.end();
                self.handler.disconnected(&conn, reason);
            }
        }
        self.forget(socket.id);
    }
}

impl ConnectionTable {
    fn hear(&self, socket: &Arc<EngineSocket>, handle: impl FnOnce(&mut Reader, &Arc<Link>) -> Result<(), Fatal>) {
        let Some(link) = socket.data.0.get() else {
            return;
        };
        let mut reader = link.reader();
        if link.is_closed() {
            return;
        }
        if let Err(reason) = handle(&mut reader, link) {
            link.close(reason);
        }
    }

    fn text(self: &Arc<Self>, reader: &mut Reader, link: &Arc<Link>, socket: &Arc<EngineSocket>, text: &str) -> Result<(), Fatal> {
        let packet = packet::parse(text).map_err(|why| {
            tracing::debug!(why = why.0, "a client sent a malformed packet");
            "parse error"
        })?;
        if reader.partial.is_some() {
            return Err("parse error");
        }
        match (packet.namespace, packet.body) {
            ("/", Body::Connect { auth }) => self.connect(reader, link, socket, auth),
            ("/", Body::Disconnect) => self.disconnect(reader, link),
            ("/", Body::Event { name, args, ack, attachments }) => {
                let event = Incoming { name, args, ack: ack.map(Ack), binary: attachments.is_some() };
                self.event(reader, event, attachments.unwrap_or(0))
            }
            ("/", Body::Ack { attachments }) => {
                if matches!(reader.state, NamespaceState::Unconnected) {
                    return Err("protocol error");
                }
                reader.expect(None, attachments);
                Ok(())
            }
            (namespace, Body::Connect { .. }) => {
                let refusal = packet::invalid_namespace(namespace);
                link.send(socket, Str::from(refusal)).map_err(|_| "slow client")
            }
            _ => Err("protocol error"),
        }
    }

    fn connect(self: &Arc<Self>, reader: &mut Reader, link: &Arc<Link>, socket: &Arc<EngineSocket>, auth: Value) -> Result<(), Fatal> {
        if !matches!(reader.state, NamespaceState::Unconnected) {
            return Err("protocol error");
        }
        let conn = Arc::new(Conn::new(Arc::clone(link), Arc::clone(socket)));
        reader.state = NamespaceState::Connecting { held: Vec::new(), bytes: 0 };
        let answer = Arc::clone(&self.handler).connect(Arc::clone(&conn), auth);
        let (table, link, socket) = (Arc::clone(self), Arc::clone(link), Arc::clone(socket));
        tokio::spawn(async move {
            // The handler's future is dropped when the connection ends first, with everything that it holds.
            tokio::select! {
                biased;
                answer = answer => table.answered(&link, &socket, conn, answer),
                () = conn.over() => conn.end(),
            }
        });
        Ok(())
    }

    /// The handler has answered a CONNECT.
    fn answered(&self, link: &Link, socket: &EngineSocket, conn: Arc<Conn>, answer: Result<(), ConnectError>) {
        let mut reader = link.reader();
        // The state is another one only when the transport has ended.
        let state = mem::replace(&mut reader.state, NamespaceState::Closed);
        match (answer, state) {
            (Ok(()), NamespaceState::Connecting { held, .. }) => {
                // A new connection's queue has room; if not, it is not worth keeping.
                if link.queue(socket, Str::from(packet::connect(conn.id()))).is_err() {
                    link.close("transport error");
                }
                if !conn.open() {
                    conn.end();
                    self.handler.disconnected(&conn, link.reason().unwrap_or("transport close"));
                    return;
                }
                link.deadlines().unconnected_since = None;
                reader.state = NamespaceState::Connected(Arc::clone(&conn));
                self.handler.connected(&conn);
                for event in held {
                    if conn.is_open() {
                        self.handler.event(&conn, event);
                    }
                }
            }
            (Ok(()), _) => {
                conn.end();
                self.handler.disconnected(&conn, link.reason().unwrap_or("transport close"));
            }
            (Err(error), NamespaceState::Connecting { .. }) => {
                conn.end();
                reader.state = NamespaceState::Unconnected;
                let refusal = packet::connect_error(&error.message, &error.data);
                if link.queue(socket, Str::from(refusal)).is_err() {
                    link.close("transport error");
                }
            }
            (Err(_), _) => conn.end(),
        }
    }

    fn disconnect(&self, reader: &mut Reader, link: &Link) -> Result<(), Fatal> {
        match mem::take(&mut reader.state) {
            NamespaceState::Connected(conn) => {
                link.deadlines().unconnected_since = Some(tokio::time::Instant::now());
                conn.end();
                self.handler.disconnected(&conn, "client namespace disconnect");
                Ok(())
            }
            // The answer is still being made, and is dropped. Closing keeps a client from asking for many.
            connecting @ NamespaceState::Connecting { .. } => {
                reader.state = connecting;
                Err("client namespace disconnect")
            }
            NamespaceState::Unconnected => Err("protocol error"),
            NamespaceState::Closed => {
                reader.state = NamespaceState::Closed;
                Ok(())
            }
        }
    }

    fn event(&self, reader: &mut Reader, event: Incoming, attachments: usize) -> Result<(), Fatal> {
        if matches!(reader.state, NamespaceState::Unconnected) {
            return Err("protocol error");
        }
        match attachments {
            0 => self.deliver(reader, event),
            _ => {
                reader.expect(Some(event), attachments);
                Ok(())
            }
        }
    }

    fn attachment(&self, reader: &mut Reader, len: usize) -> Result<(), Fatal> {
        let Some(mut partial) = reader.partial.take() else {
            return Err("parse error");
        };
        partial.left = partial.left.saturating_sub(1);
        partial.bytes = partial.bytes.saturating_add(len);
        if partial.bytes > self.config.max_payload {
            return Err("payload too large");
        }
        match partial {
            Partial { event: Some(event), left: 0, .. } => self.deliver(reader, event),
            Partial { left: 0, .. } => Ok(()),
            partial => {
                reader.partial = Some(partial);
                Ok(())
            }
        }
    }

    fn deliver(&self, reader: &mut Reader, event: Incoming) -> Result<(), Fatal> {
        match &mut reader.state {
            NamespaceState::Connected(conn) => {
                if conn.is_open() {
                    self.handler.event(conn, event);
                }
                Ok(())
            }
            NamespaceState::Connecting { held, bytes, .. } => {
                *bytes = bytes.saturating_add(size(&event));
                if held.len() >= MAX_HELD || *bytes > self.config.max_payload.saturating_mul(2) {
                    return Err("protocol error");
                }
                held.push(event);
                Ok(())
            }
            NamespaceState::Unconnected => Err("protocol error"),
            NamespaceState::Closed => Ok(()),
        }
    }
}

/// Bytes that holding an event costs, roughly.
fn size(event: &Incoming) -> usize {
    let args = event.args.iter().map(|arg| arg.get().len());
    event.name.len() + args.sum::<usize>()
}

/// The reference server's word for what the engine saw.
fn name(reason: &DisconnectReason) -> &'static str {
    match reason {
        DisconnectReason::TransportClose => "transport close",
        DisconnectReason::HeartbeatTimeout => "ping timeout",
        DisconnectReason::PacketParsingError => "parse error",
        DisconnectReason::ClosingServer => "server shutting down",
        DisconnectReason::TransportError | DisconnectReason::MultipleHttpPollingError => "transport error",
    }
}
