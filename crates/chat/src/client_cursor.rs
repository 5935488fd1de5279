//! The cursor as a client has it: up to where the log has come through, and since when the client has not been told of what is the user's own.
//!
//! The two places are mostly the same, and then the text is that of the log's cursor. But what has changed of the user's own comes with `ready`. So the
//! cursors of a replay, which comes before, say where the client stood when it began: a client that goes away in the middle is told the rest
//! when it comes back. The text is then `<cursor>~<position>[.<position>…]`, or `<cursor>~r` where everything that is the user's own is to be
//! read anew.

use contract::Cursor;

/// Parts the log's cursor from the rest.
const MARK: char = '~';
const RESET: &str = "r";

/// Since when the client has not been told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OwnSince {
    /// Since this place.
    At(Cursor),
    /// It has to read everything anew.
    Reset,
}

/// Reads what a client shows: the text of the log's cursor, and since when. What cannot be read is not a cursor of the log either.
pub(crate) fn parse(text: &str) -> (&str, OwnSince) {
    let Some((log, own)) = text.split_once(MARK) else {
        return (text, Cursor::parse(text).map_or(OwnSince::Reset, OwnSince::At));
    };
    if own == RESET {
        return (log, OwnSince::Reset);
    }
    let positions = own.split('.').map(|position| position.parse().ok().filter(|position: &i64| *position >= 0));
    match (Cursor::parse(log), positions.collect::<Option<Vec<_>>>()) {
        (Some(cursor), Some(positions)) if positions.len() == cursor.positions.len() => {
            (log, OwnSince::At(Cursor::new(cursor.epoch, positions)))
        }
        _ => (text, OwnSince::Reset),
    }
}

/// The text for a client at this place of the log.
pub(crate) fn text(log: &Cursor, own: &OwnSince) -> String {
    match own {
        OwnSince::At(since) if since == log => log.to_string(),
        OwnSince::At(since) => {
            let positions: Vec<String> = since.positions.iter().map(i64::to_string).collect();
            format!("{log}{MARK}{}", positions.join("."))
        }
        OwnSince::Reset => format!("{log}{MARK}{RESET}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let log = Cursor::new(7, vec![80, 3]);
        for own in [OwnSince::At(log.clone()), OwnSince::At(Cursor::new(7, vec![10, 0])), OwnSince::Reset] {
            let text = text(&log, &own);
            assert_eq!(parse(&text), (log.to_string().as_str(), own));
        }
        assert_eq!(text(&log, &OwnSince::At(log.clone())), log.to_string());
    }

    #[test]
    fn nothing_else_is_a_cursor() {
        for wrong in ["", "nonsense", "1.7.80~", "1.7.80~x", "1.7.80~-1", "1.7.80~1.2", "1.7.80~r~r", "x~1"] {
            let (log, own) = parse(wrong);
            assert_eq!((Cursor::parse(log), own), (None, OwnSince::Reset), "{wrong}");
        }
    }
}
