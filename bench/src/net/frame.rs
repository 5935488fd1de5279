//! Websocket frames (RFC 6455), as a client needs them.

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// A whole text message.
    Text(&'a str),
    /// To be answered with the same payload.
    Ping(&'a [u8]),
    /// Needs no answer.
    Pong,
    /// The other side is done.
    Close,
}

const FINAL: u8 = 0x80;
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// The first frame of these bytes and its length; nothing where its end has not come.
///
/// # Errors
/// The server sends what no Socket.IO server sends as text: a fragment, a masked frame, binary, bytes that are not UTF-8.
pub(super) fn next(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>, String> {
    let (Some(first), Some(second)) = (bytes.first(), bytes.get(1)) else { return Ok(None) };
    let (head, length): (usize, usize) = match second {
        126 => match bytes.get(2..4).and_then(|length| length.try_into().ok()) {
            Some(length) => (4, usize::from(u16::from_be_bytes(length))),
            None => return Ok(None),
        },
        127 => match bytes.get(2..10).and_then(|length| length.try_into().ok()) {
            Some(length) => (10, usize::try_from(u64::from_be_bytes(length)).map_err(|_| "a frame is too long".to_owned())?),
            None => return Ok(None),
        },
        length @ ..126 => (2, usize::from(*length)),
        _ => return Err("the server masks its frames".to_owned()),
    };
    let Some(payload) = head.checked_add(length).and_then(|end| bytes.get(head..end)) else { return Ok(None) };
    if first & FINAL == 0 {
        return Err("the server sends fragments, which this client does not read".to_owned());
    }
    let frame = match first & 0x0f {
        TEXT => Frame::Text(std::str::from_utf8(payload).map_err(|_| "a frame is not UTF-8".to_owned())?),
        PING => Frame::Ping(payload),
        PONG => Frame::Pong,
        CLOSE => Frame::Close,
        other => return Err(format!("a frame of the unexpected kind {other}")),
    };
    Ok(Some((frame, head + length)))
}

/// Appends a text frame.
pub(super) fn text(out: &mut Vec<u8>, payload: &[u8]) {
    write(out, TEXT, payload);
}

/// Appends the answer to a ping.
pub(super) fn pong(out: &mut Vec<u8>, payload: &[u8]) {
    write(out, PONG, payload);
}

/// A client masks its frames, against proxies that take them for HTTP. There is none here, so the key is zero, which leaves the bytes
/// as they are; the server has the same work with every key.
fn write(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    const MASKED: u8 = 0x80;
    out.push(FINAL | kind);
    if let Ok(length @ ..126) = u8::try_from(payload.len()) {
        out.push(MASKED | length);
    } else if let Ok(length) = u16::try_from(payload.len()) {
        out.push(MASKED | 126);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(MASKED | 127);
        out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same frame as a server sends it.
    fn from_server(payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        text(&mut out, payload);
        let head = out.len() - payload.len() - 4;
        out.drain(head..head + 4);
        out[1] &= 0x7f;
        out
    }

    #[test]
    fn frames_of_every_length_are_read_once_they_are_whole() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let bytes = from_server(&payload);
            for cut in [1, bytes.len() - 1] {
                assert_eq!(next(&bytes[..cut]), Ok(None), "{length}");
            }
            let (frame, used) = next(&bytes).unwrap().unwrap();
            assert_eq!((frame, used), (Frame::Text(std::str::from_utf8(&payload).unwrap()), bytes.len()));
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        assert!(next(&[0x01, 0x00]).unwrap_err().contains("fragments"));
        assert!(next(&[0x81, 0x81, 0, 0, 0, 0, 0]).unwrap_err().contains("masks"));
        assert!(next(&[0x82, 0x00]).unwrap_err().contains("kind 2"));
        assert!(next(&[0x81, 0x01, 0xff]).unwrap_err().contains("UTF-8"));
    }
}
