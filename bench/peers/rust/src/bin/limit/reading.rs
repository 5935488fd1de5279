//! The loop that reads from one client's socket. It moves bytes; what they mean is [`crate::hub`]'s.

use std::{future::poll_fn, io, pin::Pin, rc::Rc};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::tcp::OwnedReadHalf,
};

use crate::{
    connection::Connection,
    hub::Hub,
    ws::{self, ProtocolError},
};

/// The longest HTTP request.
const MAX_REQUEST: usize = 8192;

/// Serves the client until it leaves.
pub async fn serve(connection: &Rc<Connection>, mut reader: OwnedReadHalf, hub: &Hub) -> io::Result<()> {
    // What was read and is not a whole request or frame yet; nearly always empty, so that an idle client costs no buffer.
    let mut partial = Vec::new();
    let mut upgraded = false;
    loop {
        // One buffer for all clients: nothing else runs between reading into it and having taken out what it holds.
        let length = poll_fn(|context| {
            let mut buffer = hub.buffer.borrow_mut();
            let mut buffer = ReadBuf::new(&mut buffer);
            Pin::new(&mut reader).poll_read(context, &mut buffer).map_ok(|()| buffer.filled().len())
        });
        let length = length.await?;
        let mut buffer = hub.buffer.borrow_mut();
        let mut read = &mut buffer[..length];
        if read.is_empty() {
            return Ok(());
        }
        let mut joined = std::mem::take(&mut partial);
        if !joined.is_empty() {
            joined.extend_from_slice(read);
            read = &mut joined;
        }
        if !upgraded {
            let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
                if read.len() > MAX_REQUEST {
                    return Ok(());
                }
                partial = read.to_vec();
                continue;
            };
            let (request, rest) = read.split_at_mut(end + 4);
            let Some(answer) = ws::upgrade(request) else {
                connection.push(Bytes::from_static(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
                connection.flush();
                return Ok(());
            };
            upgraded = true;
            connection.push(answer);
            hub.opened(connection);
            read = rest;
        }
        match take_frames(connection, hub, read) {
            Ok(Some(rest)) => partial = rest.to_vec(),
            Ok(None) | Err(ProtocolError) => return Ok(()),
        }
    }
}

/// Handles every whole frame and returns what is left; `None` ends the connection.
fn take_frames<'a>(connection: &Rc<Connection>, hub: &Hub, mut read: &'a mut [u8]) -> Result<Option<&'a mut [u8]>, ProtocolError> {
    loop {
        let frame = match ws::split(read)? {
            Ok(frame) => frame,
            Err(rest) => return Ok(Some(rest)),
        };
        match frame.opcode {
            ws::TEXT => hub.received(connection, frame.payload)?,
            ws::PING => connection.send(ws::frame(ws::PONG, &[frame.payload])),
            ws::PONG => {}
            ws::CLOSE => {
                connection.send(ws::frame(ws::CLOSE, &[frame.payload]));
                return Ok(None);
            }
            _ => return Err(ProtocolError),
        }
        read = frame.rest;
    }
}
