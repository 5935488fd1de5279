//! What stands in the index: tokens, each a run of letters and digits or of non-ASCII characters, so that both engines take them as they
//! are. A message has its words, its signs' other readings, its pairs of neighbouring glyphs (so that any two characters of Chinese are
//! found), and three tokens that no text can hold, because they begin with a private character: its room, its sender, and its block of
//! positions. A message that was indexed and deleted may keep its room and its sender, beside [`FORGOTTEN`].
//!
//! The tokens of what is found are a condition that a message must meet, not one that is enough: a message that matches them is looked at
//! again ([`super::query`]). So a room's token need not be its whole id.
//!
//! What is stored here is in every database. A change of it, or of the rules in `units` and `character` that make it, must index everything
//! anew: raise the number in the names of the tables in `store::search`, with a migration that makes the new ones. The test `rules_are_as_indexed`
//! notices.

use super::units::Units;
use contract::{RoomId, UserId};
use std::collections::HashSet;
use std::fmt::Write;

/// Longer words, and longer glyphs with their marks, are cut to so many characters.
const LONGEST: usize = 64;

/// How many positions share a block: 2 to this.
pub(crate) const BLOCK_BITS: u32 = 12;

/// The first character of the tokens of rooms, senders and blocks.
const ROOM: char = '\u{e000}';
const SENDER: char = '\u{e001}';
const BLOCK: char = '\u{e002}';

/// Says that a message was deleted, and that its words are gone from the index.
pub(crate) const FORGOTTEN: &str = "\u{e003}";

/// All of a message's tokens but its block's, with spaces between them.
pub(crate) fn of_message(room: RoomId, sender: UserId, body: &str) -> String {
    let units = Units::of(body);
    let mut tokens = String::with_capacity(body.len() * 2 + 32);
    tokens.push_str(&of_room(room));
    tokens.push(' ');
    tokens.push_str(&of_sender(sender));
    for at in 0..units.len() {
        tokens.push(' ');
        tokens.push_str(cut(units.text(at)));
        // A glyph begins a pair with the one behind it; the last of its row stands alone.
        if units.is_joined(at + 1) {
            tokens.push_str(cut(units.text(at + 1)));
        }
    }
    for reading in units.readings() {
        tokens.push(' ');
        tokens.push_str(cut(&reading.text));
    }
    tokens
}

/// The tokens of a message that was deleted after it was indexed.
pub(crate) fn of_forgotten(room: RoomId, sender: UserId) -> String {
    format!("{} {} {FORGOTTEN}", of_room(room), of_sender(sender))
}

/// Those of the first tokens that are not among the others, each once.
pub(crate) fn without(tokens: &str, others: &str) -> String {
    let mut known: HashSet<&str> = others.split(' ').collect();
    tokens.split(' ').filter(|token| known.insert(*token)).collect::<Vec<_>>().join(" ")
}

/// A room's token: the end of its id, which is random.
pub(crate) fn of_room(room: RoomId) -> String {
    named(ROOM, room.bytes())
}

/// A sender's token.
pub(crate) fn of_sender(sender: UserId) -> String {
    named(SENDER, sender.bytes())
}

/// The token of a block of positions of a partition.
pub(crate) fn of_block(part: u16, block: i64) -> String {
    format!("{BLOCK}{part}x{block:x}")
}

fn named(kind: char, id: [u8; 16]) -> String {
    let [.., a, b, c, d, e] = id;
    let mut token = String::with_capacity(13);
    token.push(kind);
    for byte in [a, b, c, d, e] {
        // Writing to a string cannot fail.
        let _ = write!(token, "{byte:02x}");
    }
    token
}

/// A word as it is indexed.
pub(crate) fn cut(word: &str) -> &str {
    let end = word.char_indices().nth(LONGEST).map_or(word.len(), |(end, _)| end);
    word.get(..end).unwrap_or(word)
}

/// Whether a word is indexed only by its beginning.
pub(crate) fn is_cut(word: &str) -> bool {
    cut(word).len() < word.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_pairs_and_names() {
        let room = RoomId::from_bytes([0xab; 16]);
        let sender = UserId::from_bytes([0x01; 16]);
        let tokens = of_message(room, sender, "Say 北京大 👍 a");
        assert_eq!(tokens, "\u{e000}ababababab \u{e001}0101010101 say 北京 京大 大 👍 a");
    }

    #[test]
    fn what_goes_and_what_comes() {
        let (before, now) = ("r s tea or tea", "r s tea and cake and");
        assert_eq!((without(before, now).as_str(), without(now, before).as_str()), ("or", "and cake"));
        assert_eq!(without(now, now), "");
    }

    #[test]
    fn a_long_word_is_cut() {
        let word = "é".repeat(100);
        assert_eq!(cut(&word).chars().count(), LONGEST);
        assert!(is_cut(&word) && !is_cut("short"));
    }
}
