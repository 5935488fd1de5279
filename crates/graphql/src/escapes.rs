//! The escapes of a string that the parser does not know, spelled out before it reads them: `\u{1F44D}`, and a pair of surrogates such as
//! `\ud83d\udc4d`, which is what Python's `json.dumps` and others write (GraphQL's specification, section 2.9.4, String Value).
//!
//! Where an escape is longer than its character, spaces behind the string make up for it. So a later error names the line and column of the
//! text as it was sent.

use crate::lexer::{skip_block_string, skip_string, skip_to};
use async_graphql::{Pos, ServerError};
use std::borrow::Cow;

/// The text with those escapes as characters; what is malformed stays, and the parser says what is wrong with it.
///
/// # Errors
/// An escape that stands for no character: half of a pair, or a number that Unicode does not have.
pub(crate) fn spelled_out(text: &str) -> Result<Cow<'_, str>, ServerError> {
    if !text.contains("\\u") {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(['"', '#']) {
        let (before, here) = rest.split_at(start);
        out.push_str(before);
        let bytes = here.as_bytes();
        let (after, is_string) = match bytes {
            [b'"', b'"', b'"', block @ ..] => (skip_block_string(block), false),
            [b'"', string @ ..] => (skip_string(string), true),
            _ => (skip_to(bytes, |byte| matches!(byte, b'\n' | b'\r')), false),
        };
        // Both ends are next to a character of ASCII, or the text's own.
        let (token, after) = here.split_at(here.len() - after.len());
        if is_string {
            let sent_before = text.len() - rest.len() + start;
            string(token, &mut out).map_err(|wrong| wrong.error(text, sent_before))?;
        } else {
            out.push_str(token);
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

/// An escape that stands for no character.
struct Wrong {
    /// Where it stands in its string.
    at: usize,
    message: String,
}

impl Wrong {
    fn error(self, text: &str, string: usize) -> ServerError {
        let before = text.get(..string + self.at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        ServerError::new(self.message, Some(Pos { line, column }))
    }
}

/// Writes one string, with its quotes.
fn string(token: &str, out: &mut String) -> Result<(), Wrong> {
    let (begin, mut at) = (out.len(), 0);
    while let Some(found) = token.get(at..).and_then(|rest| rest.find('\\')) {
        let rest = token.get(at + found..).unwrap_or_default();
        out.push_str(token.get(at..at + found).unwrap_or_default());
        at += found;
        let wrong = |message| Wrong { at, message };
        match escape(rest).map_err(wrong)? {
            Some((character, length)) => {
                write(character, out);
                at += length;
            }
            None => {
                // Two characters, of which the second may be a quote or a backslash, and of any length.
                let length: usize = rest.chars().take(2).map(char::len_utf8).sum();
                out.push_str(rest.get(..length).unwrap_or_default());
                at += length;
            }
        }
    }
    out.push_str(token.get(at..).unwrap_or_default());
    let written = out.get(begin..).unwrap_or_default().chars().count();
    out.extend(std::iter::repeat_n(' ', token.chars().count().saturating_sub(written)));
    Ok(())
}

/// The character that an escape at the beginning of this stands for, and the escape's length; none for what the parser knows, or refuses.
fn escape(text: &str) -> Result<Option<(char, usize)>, String> {
    if let Some(braced) = text.strip_prefix("\\u{") {
        let Some((digits, _)) = braced.split_once('}') else { return Ok(None) };
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let length = "\\u{}".len() + digits.len();
        let number = match digits.trim_start_matches('0') {
            "" => 0,
            digits => u32::from_str_radix(digits, 16).unwrap_or(u32::MAX),
        };
        let character = char::from_u32(number).ok_or_else(|| {
            let shown: String = digits.chars().take(16).collect();
            format!("\\u{{{shown}}} is no character: the numbers of Unicode's go up to 10FFFF, without D800 to DFFF")
        })?;
        return Ok(Some((character, length)));
    }
    let Some(first) = unit(text) else { return Ok(None) };
    if !(0xd800..=0xdfff).contains(&first) {
        return Ok(None);
    }
    let second = text.get(UNIT..).and_then(unit);
    let pair = second.and_then(|second| char::decode_utf16([first, second]).next()?.ok());
    let character = pair.ok_or_else(|| {
        format!(
            "\\u{first:04x} is half of a pair of surrogates, the other half must follow it; or write the character's number: \\u{{1F44D}}"
        )
    })?;
    Ok(Some((character, 2 * UNIT)))
}

/// The length of `\ud83d`.
const UNIT: usize = 6;

/// The number in `\ud83d` at the beginning of this.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    // A sign would be read as part of a number.
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

/// Writes a character so that the parser takes it as itself.
fn write(character: char, out: &mut String) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        other => out.push(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;
    use async_graphql::parser::types::Selection;

    /// What the parser makes of the first argument.
    fn value(text: &str) -> String {
        let document = parse_query(&*spelled_out(text).unwrap()).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        let Selection::Field(field) = &operation.node.selection_set.node.items[0].node else { panic!("a field") };
        field.node.arguments[0].1.node.clone().into_const().unwrap().into_json().unwrap().as_str().unwrap().to_owned()
    }

    #[test]
    fn both_ways_to_write_any_character_are_read() {
        for (escaped, read) in [
            (r"\ud83d\udc4d", "👍"),
            (r"\uD83D\uDC4D\ud83d\udc4d!", "👍👍!"),
            (r"\u{1F44D}", "👍"),
            (r"\u{1f44d}\u{61}\u{000000000061}", "👍aa"),
            (r"\u{10FFFF}", "\u{10ffff}"),
            (r"\u{22}\u{5c}\u{A}\u{d}\u{9}\u{1}\u{0}", "\"\\\n\r\t\u{1}\0"),
            (r#"a\u00e9\n\\\"\u{e9}"#, "aé\n\\\"é"),
            (r"\\ud83d \\u{1F44D}", r"\ud83d \u{1F44D}"),
            (r"\\\ud83d\udc4d", "\\👍"),
            (r"é👍\u{1F44D}é", "é👍👍é"),
        ] {
            assert_eq!(value(&format!("{{ a(x: \"{escaped}\") }}")), read, "{escaped}");
        }
    }

    #[test]
    fn block_strings_and_comments_have_no_escapes() {
        assert_eq!(value(r#"{ a(x: """\ud83d " \u{1F44D} ""\u{1F44D}""") }"#), r#"\ud83d " \u{1F44D} ""\u{1F44D}"#);
        for untouched in [
            r#"{ a(x: """\u{1F44D} \""" \u{110000}""", y: "") }"#,
            "# \\ud83d \" \\u{110000}\n{ a }",
            "{ a # \"\\ud83d\r b(x: \"\") }",
            "{ a(x: \"\"\"\\ud83d\"\"\", y: \"\") # \\u{0}",
            r#"{ a(x: "\\u{1F44D}") }"#,
        ] {
            assert_eq!(spelled_out(untouched).unwrap(), untouched);
        }
    }

    #[test]
    fn what_is_no_character_is_refused_where_it_stands() {
        for (escaped, what) in [
            (r"\ud83d", r"\ud83d is half"),
            (r"\ud83dx", r"\ud83d is half"),
            (r"\ud83d\ud83d", r"\ud83d is half"),
            (r"\udc4d\ud83d", r"\udc4d is half"),
            (r"\ud83d\u{dc4d}", r"\ud83d is half"),
            (r"\ud83d\u0041", r"\ud83d is half"),
            (r"\u{110000}", r"\u{110000} is no character"),
            (r"\u{d83d}\u{dc4d}", r"\u{d83d} is no character"),
            (r"\u{ffffffffffffffffffffffff}", r"\u{ffffffffffffffff} is no character"),
        ] {
            let error = spelled_out(&format!("{{\n  é(x: \"é\\n{escaped}\") }}")).unwrap_err();
            assert!(error.message.starts_with(what), "{}", error.message);
            assert_eq!(error.locations, [Pos { line: 2, column: 12 }], "{escaped}");
        }
    }

    #[test]
    fn what_is_malformed_is_left_to_the_parser() {
        for malformed in [r"\u{}", r"\u{xyz}", r"\u{1F44D", r"\u12", r"\u+123", r"\u{+1}", r"\x", r"\u{1F 44D}", r"\u\u{1F44D}"] {
            let text = format!("{{ a(x: \"{malformed}\") }}");
            assert!(parse_query(&*spelled_out(&text).unwrap()).is_err(), "{malformed}");
        }
        for open in ["{ a(x: \"\\ud83d\\udc4d", "{ a(x: \"\\u{1F44D}\n\") }", "{ a(x: \"\\", "\"\\u{1F44D}\\é"] {
            assert!(parse_query(&*spelled_out(open).unwrap()).is_err(), "{open}");
        }
    }

    #[test]
    fn errors_further_on_keep_their_place() {
        let sent = "{ a(x: \"\\ud83d\\udc4d \\u{1F44D}\", y: ! ) }";
        let at = sent.find('!').unwrap() + 1;
        let error: ServerError = parse_query(&*spelled_out(sent).unwrap()).unwrap_err().into();
        assert_eq!(error.locations, [Pos { line: 1, column: at }]);
    }
}
