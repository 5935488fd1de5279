//! The part of a message that is shown with a result: pieces of its text, each of which matched or did not. They are pieces rather than a
//! text with marks in it or with offsets, so that a page need not trust HTML nor count in somebody else's characters.

use contract::calls::messages::Piece;
use std::ops::Range;
use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

/// A message of up to so many characters is shown whole, a longer one cut to that.
const LONGEST: usize = 240;

/// How many characters stand before the first match where a text is cut.
const LEAD: usize = 60;

/// The excerpt around the first of these ranges (bytes of the text, ascending, apart), or from the beginning on if there is none. Neither it nor a piece of it begins or ends within a grapheme
/// cluster (UAX 29): an emoji, or a letter with its accents, is in one piece. So it is longer than [`LONGEST`] where its first cluster is.
pub(crate) fn of(text: &str, found: &[Range<usize>]) -> Vec<Piece> {
    let window = window(text, found.first().map_or(0, |first| first.start));
    let mut pieces = Vec::new();
    let mut at = window.start;
    let mut push = |range: Range<usize>, matched| match text.get(range) {
        Some(text) if !text.is_empty() => pieces.push(Piece { text: text.to_owned(), matched }),
        _ => {}
    };
    for range in found {
        let (start, end) = (border_before(text, range.start).max(at), border_after(text, range.end).min(window.end));
        if start < end {
            push(at..start, false);
            push(start..end, true);
            at = end;
        }
    }
    push(at..window.end, false);
    if window.start > 0 {
        dots(&mut pieces, true);
    }
    if window.end < text.len() {
        dots(&mut pieces, false);
    }
    pieces
}

/// Which bytes of the text are shown, where the first match begins at `first`.
fn window(text: &str, first: usize) -> Range<usize> {
    if text.chars().nth(LONGEST).is_none() {
        return 0..text.len();
    }
    let before = text.get(..first).unwrap_or_default();
    let lead = before.char_indices().rev().nth(LEAD - 1).map_or(0, |(start, _)| start);
    // Rather from the beginning of a word on.
    let start = match before.get(lead..).and_then(|lead| lead.find(char::is_whitespace)) {
        Some(space) if lead > 0 => lead + space,
        _ => lead,
    };
    let start = border_before(text, start);
    let (mut end, mut left) = (start, LONGEST);
    for cluster in text.get(start..).unwrap_or_default().graphemes(true) {
        let characters = cluster.chars().count();
        if characters > left && end > first {
            break;
        }
        (end, left) = (end + cluster.len(), left.saturating_sub(characters));
    }
    start..end
}

/// The last border between grapheme clusters up to a place.
fn border_before(text: &str, place: usize) -> usize {
    let mut cursor = GraphemeCursor::new(place, text.len(), true);
    match cursor.is_boundary(text, 0) {
        Ok(false) => cursor.prev_boundary(text, 0).ok().flatten().unwrap_or(0),
        _ => place,
    }
}

/// The first border between grapheme clusters from a place on.
fn border_after(text: &str, place: usize) -> usize {
    let mut cursor = GraphemeCursor::new(place, text.len(), true);
    match cursor.is_boundary(text, 0) {
        Ok(false) => cursor.next_boundary(text, 0).ok().flatten().unwrap_or(text.len()),
        _ => place,
    }
}

/// Says that the text goes on before or behind.
fn dots(pieces: &mut Vec<Piece>, before: bool) {
    let dots = || Piece { text: "…".to_owned(), matched: false };
    if before {
        match pieces.first_mut() {
            Some(first) if !first.matched => first.text.insert(0, '…'),
            _ => pieces.insert(0, dots()),
        }
    } else {
        match pieces.last_mut() {
            Some(last) if !last.matched => last.text.push('…'),
            _ => pieces.push(dots()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, found: &[Range<usize>]) -> String {
        of(text, found).into_iter().map(|piece| if piece.matched { format!("[{}]", piece.text) } else { piece.text }).collect()
    }

    #[test]
    fn a_short_text_is_whole() {
        assert_eq!(shown("say hello, hello", &[4..9, 11..16]), "say [hello], [hello]");
        assert_eq!(shown("hello", std::slice::from_ref(&(0..5))), "[hello]");
        assert_eq!(shown("hello", &[]), "hello");
        assert_eq!(shown("", &[]), "");
    }

    #[test]
    fn a_long_text_is_cut_around_the_match() {
        let text = format!("{}needle{}", "früher ".repeat(100), " später".repeat(100));
        let at = text.find("needle").unwrap();
        let shown = shown(&text, std::slice::from_ref(&(at..at + 6)));
        assert!(shown.starts_with('…') && shown.ends_with('…') && shown.contains("[needle]"), "{shown}");
        assert!(shown.chars().count() <= LONGEST + 4, "{shown}");
    }

    #[test]
    fn without_a_match_it_is_the_beginning() {
        assert_eq!(shown(&"x".repeat(241), &[]), format!("{}…", "x".repeat(LONGEST)));
        assert_eq!(shown(&"x".repeat(240), &[]), "x".repeat(LONGEST));
    }

    #[test]
    fn a_match_may_be_longer_than_the_excerpt() {
        let text = "x".repeat(8_000);
        assert_eq!(shown(&text, std::slice::from_ref(&(0..8_000))), format!("[{}]…", "x".repeat(LONGEST)));
        let wide = "北".repeat(1_000);
        assert!(shown(&wide, std::slice::from_ref(&(1_500..1_506))).contains("[北北]"));
    }
    #[test]
    fn nothing_is_cut_within_a_cluster() {
        let family = "👩\u{200d}👩\u{200d}👧\u{200d}👦";
        let text = format!("{}needle{}", family.repeat(50), "e\u{301}".repeat(300));
        let at = text.find("needle").unwrap();
        let shown = shown(&text, std::slice::from_ref(&(at..at + 6)));
        let inner = shown.trim_matches('…');
        let (before, after) = inner.split_once("[needle]").unwrap();
        assert_eq!(before, family.repeat(before.len() / family.len()));
        assert_eq!(after, "e\u{301}".repeat(after.len() / 3));
        assert!(before.len() / family.len() >= 8 && after.len() / 3 > 60, "{shown}");
        // Places within a cluster are widened to it, also where that is longer than an excerpt.
        let long = format!("e{}x{}", "\u{301}".repeat(400), " y".repeat(200));
        assert!(super::tests::shown(&long, std::slice::from_ref(&(1..3))).starts_with(&format!("[e{}]", "\u{301}".repeat(400))));
        assert_eq!(super::tests::shown("\u{600}1", std::slice::from_ref(&(2..3))), "[\u{600}1]");
    }
}
