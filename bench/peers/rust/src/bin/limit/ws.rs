//! WebSocket (RFC 6455) as far as a load generator needs it: the upgrade, masked frames in, plain frames out. No fragmented
//! messages, no extensions, no check of UTF-8.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{BufMut, Bytes, BytesMut};
use sha1::{Digest, Sha1};

/// The longest payload taken from a client, in bytes.
pub const MAX_PAYLOAD: usize = 1_000_000;

pub const TEXT: u8 = 1;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// The client does not speak the protocol; cut it.
#[derive(Debug)]
pub struct ProtocolError;

/// Answers an HTTP request, its blank line included: the upgrade, or `None` where it asks for anything else.
pub fn upgrade(request: &[u8]) -> Option<Bytes> {
    let mut lines = std::str::from_utf8(request).ok()?.split("\r\n");
    let target = lines.next()?.strip_prefix("GET /socket.io/?")?.split(' ').next()?;
    if !target.split('&').any(|pair| pair == "transport=websocket") {
        return None;
    }
    let key = lines.find_map(|line| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key")))?.1.trim();
    let accept = BASE64_STANDARD.encode(Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize());
    let answer =
        format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n");
    Some(answer.into())
}

/// A client's frame, unmasked in place.
pub struct Frame<'a> {
    pub opcode: u8,
    pub payload: &'a [u8],
    /// What follows it.
    pub rest: &'a mut [u8],
}

/// Takes the first frame of what was read. `Err` holds all of it back where the frame is not complete yet.
pub fn split(read: &mut [u8]) -> Result<Result<Frame<'_>, &mut [u8]>, ProtocolError> {
    let (opcode, length, header) = match *read {
        [first, second, ..] if first & 0xf0 != 0x80 || second & 0x80 == 0 => return Err(ProtocolError),
        [first, 0xfe, a, b, ..] => (first & 15, usize::from(u16::from_be_bytes([a, b])), 4),
        [first, 0xff, 0, 0, 0, 0, a, b, c, d, ..] => (first & 15, u32::from_be_bytes([a, b, c, d]) as usize, 10),
        [_, 0xff, _, _, _, _, _, _, _, _, ..] => return Err(ProtocolError),
        [first, second, ..] if second < 0xfe => (first & 15, usize::from(second & 127), 2),
        _ => return Ok(Err(read)),
    };
    if length > MAX_PAYLOAD {
        return Err(ProtocolError);
    }
    if read.len() < header + 4 + length {
        return Ok(Err(read));
    }
    let (head, body) = read.split_at_mut(header + 4);
    let (payload, rest) = body.split_at_mut(length);
    if let Some(mask) = head.last_chunk::<4>() {
        for chunk in payload.chunks_mut(4) {
            chunk.iter_mut().zip(mask).for_each(|(byte, key)| *byte ^= key);
        }
    }
    Ok(Ok(Frame { opcode, payload, rest }))
}

/// A frame for a client, of the parts one after another. Encoded once, it can be sent to any number of clients.
pub fn frame(opcode: u8, parts: &[&[u8]]) -> Bytes {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut frame = BytesMut::with_capacity(length + 10);
    frame.put_u8(0x80 | opcode);
    match length {
        0..126 => frame.put_u8(length as u8),
        126..65_536 => {
            frame.put_u8(126);
            frame.put_u16(length as u16);
        }
        _ => {
            frame.put_u8(127);
            frame.put_u64(length as u64);
        }
    }
    parts.iter().for_each(|part| frame.put_slice(part));
    frame.freeze()
}
