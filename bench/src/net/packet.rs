//! Engine.IO 4 and Socket.IO 5 packets, as text, of the namespace `/`.

/// What a connection brings.
#[derive(Debug)]
pub enum Heard<'a> {
    /// Engine.IO is open; the server waits for Socket.IO's CONNECT.
    Open,
    /// The CONNECT was taken.
    Connected,
    /// The CONNECT was refused, with this JSON.
    Refused(&'a str),
    /// An event: the JSON array `["name",…]`.
    Event(&'a str),
    /// An acknowledgement: its number and the JSON array of its arguments.
    Ack(u64, &'a str),
    /// An HTTP answer.
    Response(u16, &'a [u8]),
    /// The connection has ended, for this reason. Nothing follows.
    Closed(&'a str),
}

/// What a text message is.
#[derive(Debug)]
pub(super) enum Packet<'a> {
    /// For whoever hears.
    Heard(Heard<'a>),
    /// To be answered with `3`.
    Ping,
    /// Needs nothing.
    Nothing,
}

/// Reads one text message.
///
/// # Errors
/// It is none of the packets that a server sends, or the server says goodbye.
pub(super) fn read(text: &str) -> Result<Packet<'_>, String> {
    let heard = match text.get(..2).unwrap_or(text) {
        "42" => Heard::Event(text.get(2..).unwrap_or_default()),
        "43" => {
            let rest = text.get(2..).unwrap_or_default();
            let (number, arguments) = rest.split_at(rest.find('[').unwrap_or(0));
            Heard::Ack(number.parse().map_err(|_| format!("an acknowledgement without a number: {text}"))?, arguments)
        }
        "40" => Heard::Connected,
        "44" => Heard::Refused(text.get(2..).unwrap_or_default()),
        "41" => return Err("the server disconnected the client".to_owned()),
        "2" => return Ok(Packet::Ping),
        "6" => return Ok(Packet::Nothing),
        "1" => return Err("the server closed Engine.IO".to_owned()),
        start if start.starts_with('0') => Heard::Open,
        _ => return Err(format!("an unexpected packet: {}", text.chars().take(80).collect::<String>())),
    };
    Ok(Packet::Heard(heard))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_told_apart() {
        assert!(matches!(read("0{\"sid\":\"x\"}"), Ok(Packet::Heard(Heard::Open))));
        assert!(matches!(read("2"), Ok(Packet::Ping)));
        assert!(matches!(read("40{\"sid\":\"x\"}"), Ok(Packet::Heard(Heard::Connected))));
        assert!(matches!(read("42[\"a\",{}]"), Ok(Packet::Heard(Heard::Event("[\"a\",{}]")))));
        assert!(matches!(read("4317[{}]"), Ok(Packet::Heard(Heard::Ack(17, "[{}]")))));
        assert!(matches!(read("44{\"message\":\"no\"}"), Ok(Packet::Heard(Heard::Refused("{\"message\":\"no\"}")))));
        assert!(read("43[{}]").unwrap_err().contains("without a number"));
        assert!(read("41").is_err());
        assert!(read("x").unwrap_err().contains("unexpected"));
    }
}
