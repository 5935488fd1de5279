//! The pieces of a GraphQL document as text: names, comments and strings, without a parser.

/// Whether a byte may stand in a name or a number.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'.')
}

/// What is left from the first wanted byte on.
pub(crate) fn skip_to(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> &[u8] {
    let at = bytes.iter().position(|byte| wanted(*byte)).unwrap_or(bytes.len());
    bytes.get(at..).unwrap_or_default()
}

/// What follows a string, given what follows its first quote. A string ends with its line at the latest.
pub(crate) fn skip_string(mut bytes: &[u8]) -> &[u8] {
    loop {
        match bytes {
            [b'\\', _, rest @ ..] => bytes = rest,
            // A string without an end is refused by the parser.
            [b'"' | b'\n', rest @ ..] => return rest,
            [_, rest @ ..] => bytes = rest,
            [] => return bytes,
        }
    }
}

/// What follows a block string, given what follows its first three quotes.
pub(crate) fn skip_block_string(mut bytes: &[u8]) -> &[u8] {
    loop {
        match bytes {
            [b'\\', b'"', b'"', b'"', rest @ ..] => bytes = rest,
            [b'"', b'"', b'"', rest @ ..] => return rest,
            [_, rest @ ..] => bytes = rest,
            [] => return bytes,
        }
    }
}
