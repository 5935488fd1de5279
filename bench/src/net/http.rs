//! As much of HTTP/1.1 as a benchmark's client needs: the answer to an upgrade, and answers with a `content-length`.

/// The length of the answer that accepts the upgrade; 0 where its end has not come.
///
/// # Errors
/// The upgrade was refused.
pub(super) fn upgraded(bytes: &[u8]) -> Result<usize, String> {
    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return Ok(0) };
    let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
    let first = head.lines().next().unwrap_or_default();
    if first.split(' ').nth(1) == Some("101") { Ok(end + 4) } else { Err(format!("the websocket was refused: {first}")) }
}

/// A status, a body, and the length of all of it.
type Answer<'a> = (u16, &'a [u8], usize);

/// The first answer of these bytes: its status, its body, and its whole length; nothing where its end has not come.
///
/// # Errors
/// It is no HTTP, or its length is not given.
pub(super) fn answer(bytes: &[u8]) -> Result<Option<Answer<'_>>, String> {
    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(bytes.get(..end).unwrap_or_default()).map_err(|_| "an answer is not HTTP".to_owned())?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| "an answer is not HTTP".to_owned())?;
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, length)| length.trim().parse::<usize>());
    let length = match (length, status) {
        (Some(Ok(length)), _) => length,
        (None, 204) => 0,
        _ => return Err("an answer does not tell its length".to_owned()),
    };
    let start = end + 4;
    Ok(start.checked_add(length).and_then(|end| Some((status, bytes.get(start..end)?, end))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_once_it_is_whole() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Type: x\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1";
        assert_eq!(answer(&bytes[..20]), Ok(None));
        assert_eq!(answer(&bytes[..57]), Ok(None));
        assert_eq!(answer(bytes), Ok(Some((200, &b"abc"[..], bytes.len() - 8))));
        assert!(answer(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert_eq!(answer(b"HTTP/1.1 204 No Content\r\n\r\n"), Ok(Some((204, &b""[..], 27))));
    }

    #[test]
    fn an_upgrade_is_taken_or_refused() {
        assert_eq!(upgraded(b"HTTP/1.1 101 Switching"), Ok(0));
        assert_eq!(upgraded(b"HTTP/1.1 101 Switching Protocols\r\na: b\r\n\r\n\x81"), Ok(42));
        assert!(upgraded(b"HTTP/1.1 403 Forbidden\r\n\r\n").unwrap_err().contains("403"));
    }
}
