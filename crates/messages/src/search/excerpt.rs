//! The part of a message that is shown with a result: pieces of its text, each of which matched or did not. They are pieces rather than a
//! text with marks in it or with offsets, so that a page need not trust HTML nor count in somebody else's characters.

use contract::calls::messages::Piece;
use std::ops::Range;

/// A message of up to so many characters is shown whole, a longer one cut to that.
const LONGEST: usize = 240;

/// How many characters stand before the first match where a text is cut.
const LEAD: usize = 60;

/// The excerpt around the first of these ranges (bytes of the text, ascending, apart).
pub(crate) fn of(text: &str, found: &[Range<usize>]) -> Vec<Piece> {
    let window = window(text, found.first().map_or(0, |first| first.start));
    let mut pieces = Vec::new();
    let mut at = window.start;
    let mut push = |range: Range<usize>, matched| match text.get(range) {
        Some(text) if !text.is_empty() => pieces.push(Piece { text: text.to_owned(), matched }),
        _ => {}
    };
    for range in found {
        let (start, end) = (range.start.max(at), range.end.min(window.end));
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
    let rest = text.get(start..).unwrap_or_default();
    let end = rest.char_indices().nth(LONGEST).map_or(text.len(), |(end, _)| start + end);
    start..end
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
    fn a_match_may_be_longer_than_the_excerpt() {
        let text = "x".repeat(8_000);
        assert_eq!(shown(&text, std::slice::from_ref(&(0..8_000))), format!("[{}]…", "x".repeat(LONGEST)));
        let wide = "北".repeat(1_000);
        assert!(shown(&wide, std::slice::from_ref(&(1_500..1_506))).contains("[北北]"));
    }
}
