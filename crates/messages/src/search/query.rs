//! What is asked for: words, `prefixes*` and `"quoted phrases"`, all of which a message must have. Every text is a query, there is no
//! syntax that can be wrong; only one without any letter, digit or emoji, and a prefix of a single letter, are refused.

use super::tokens;
use super::units::{Unit, Units};
use contract::Refusal;
use std::ops::Range;

/// The longest query, in characters.
pub(crate) const LONGEST: usize = 500;

/// So many tokens are looked up; a message that has them is compared with the whole query anyway.
const LOOKED_UP: usize = 24;

/// So many places of one term in a message are marked.
const MARKED: usize = 100;

/// A query.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    terms: Vec<Term>,
}

/// Units that must follow each other.
#[derive(Clone, Debug)]
struct Term {
    units: Units,
    /// Whether the last one may go on.
    prefix: bool,
}

/// A token that the index is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wanted {
    pub token: String,
    /// Whether longer tokens will do.
    pub prefix: bool,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// There is nothing in it to look for, or too much.
    pub(crate) fn read(q: &str) -> Result<Self, Refusal> {
        if q.chars().count() > LONGEST {
            return Err(Refusal::invalid("q", format!("q has at most {LONGEST} characters")));
        }
        let mut terms = Vec::new();
        for text in texts(q) {
            let term = Term::of(&text);
            if term.prefix && term.units.len() == 1 && term.units.text(0).chars().nth(1).is_none() {
                return Err(Refusal::invalid("q", "write at least two letters before a *"));
            }
            if !term.units.is_empty() {
                terms.push(term);
            }
        }
        if terms.is_empty() {
            return Err(Refusal::invalid("q", "q is what to look for: at least one letter, digit or emoji"));
        }
        Ok(Self { terms })
    }

    /// The tokens that every message has which this finds.
    pub(crate) fn wanted(&self) -> Vec<Wanted> {
        let mut wanted: Vec<Wanted> = self.terms.iter().flat_map(Term::wanted).collect();
        wanted.sort();
        wanted.dedup();
        wanted.truncate(LOOKED_UP);
        wanted
    }

    /// Where a text has what is asked for, as ranges of bytes, ascending and apart; `None` if it does not have all of it.
    pub(crate) fn find(&self, text: &str) -> Option<Vec<Range<usize>>> {
        let units = Units::of(text);
        let mut found: Vec<Range<usize>> = Vec::new();
        for term in &self.terms {
            let before = found.len();
            found.extend(term.places(&units).take(MARKED));
            if found.len() == before {
                return None;
            }
        }
        found.sort_by_key(|range| range.start);
        let mut apart: Vec<Range<usize>> = Vec::with_capacity(found.len());
        for range in found {
            match apart.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => apart.push(range),
            }
        }
        Some(apart)
    }
}

impl Term {
    fn of(text: &str) -> Self {
        let bare = text.trim_end_matches('*');
        let units = Units::of(bare);
        // A star makes a prefix only of what it stands right behind.
        let ends_in_word =
            units.len().checked_sub(1).and_then(|last| units.get(last)).is_some_and(|last| !last.glyph && last.end == bare.len());
        Self { prefix: bare.len() < text.len() && ends_in_word, units }
    }

    fn last(&self) -> usize {
        self.units.len().saturating_sub(1)
    }

    fn wanted(&self) -> Vec<Wanted> {
        let units = &self.units;
        let mut wanted = Vec::with_capacity(units.len());
        for at in 0..units.len() {
            let (Some(unit), text) = (units.get(at), units.text(at)) else { continue };
            let followed = units.get(at + 1).is_some_and(|next| next.joined);
            wanted.push(match (unit.glyph, followed, unit.joined) {
                (false, ..) => {
                    Wanted { token: tokens::cut(text).to_owned(), prefix: self.prefix && at == self.last() && !tokens::is_cut(text) }
                }
                (true, true, _) => Wanted { token: format!("{text}{}", units.text(at + 1)), prefix: false },
                // The last of a run stands in the pair before.
                (true, false, true) => continue,
                (true, false, false) => Wanted { token: text.to_owned(), prefix: true },
            });
        }
        wanted
    }

    /// The ranges in which these units have the term.
    fn places<'a>(&'a self, units: &'a Units) -> impl Iterator<Item = Range<usize>> + 'a {
        (0..units.len()).filter(|from| self.is_at(units, *from)).filter_map(|from| {
            let (first, last): (Unit, Unit) = (units.get(from)?, units.get(from + self.last())?);
            Some(first.start..last.end)
        })
    }

    fn is_at(&self, units: &Units, from: usize) -> bool {
        (0..self.units.len()).all(|at| {
            let (Some(mine), Some(theirs)) = (self.units.get(at), units.get(from + at)) else { return false };
            let (asked, there) = (self.units.text(at), units.text(from + at));
            let same = if self.prefix && at == self.last() { !theirs.glyph && there.starts_with(asked) } else { there == asked };
            same && (!mine.joined || theirs.joined)
        })
    }
}

/// The quoted parts of a query, and what stands between spaces outside of quotes. A quote that is not closed goes to the end.
fn texts(q: &str) -> Vec<String> {
    let (mut texts, mut quoted) = (vec![String::new()], false);
    for character in q.chars() {
        let is_quote = matches!(character, '"' | '“' | '”' | '„' | '«' | '»');
        quoted ^= is_quote;
        if is_quote || (!quoted && character.is_whitespace()) {
            texts.push(String::new());
        } else if let Some(text) = texts.last_mut() {
            text.push(character);
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(q: &str, text: &str) -> bool {
        Query::read(q).unwrap().find(text).is_some()
    }

    fn marked<'a>(q: &str, text: &'a str) -> Vec<&'a str> {
        Query::read(q).unwrap().find(text).unwrap_or_default().into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn all_words_are_needed() {
        assert!(finds("world hello", "Hello, world"));
        assert!(!finds("hello moon", "Hello, world"));
        assert!(!finds("hel", "hello"));
        assert!(finds("hel*", "Hello") && !finds("hel*", "shell"));
        assert_eq!(marked("hello wor*", "Hello world, hello"), ["Hello", "world", "hello"]);
    }

    #[test]
    fn a_phrase_is_in_order_and_whole() {
        assert!(finds("\"good morning\"", "A Good, morning!"));
        assert!(!finds("\"good morning\"", "morning, good"));
        assert!(!finds("\"good morn\"", "good morning"));
        assert!(finds("\"good morn*\"", "good morning"));
        assert!(finds("\"not closed", "not closed"));
        assert!(finds("don't", "I DON’T know") && !finds("don't", "don x t"));
        assert_eq!(marked("“good morning”", "say good morning"), ["good morning"]);
    }

    #[test]
    fn characters_of_chinese_are_found_within() {
        assert!(finds("京大", "北京大学") && finds("北京大学", "在北京大学读书"));
        assert!(!finds("北大", "北京大学") && !finds("北京", "北 京"));
        assert!(finds("京", "北京") && finds("京*", "北京大"));
        assert!(finds("東京タワー", "昨日、東京タワーに") && finds("안녕", "안녕하세요"));
        assert_eq!(marked("京大", "北京大学"), ["京大"]);
    }

    #[test]
    fn what_is_found_has_the_tokens_that_are_looked_up() {
        let ids = (contract::RoomId::from_bytes([0; 16]), contract::UserId::from_bytes([0; 16]));
        let cases = [
            ("hel*", "hello"),
            ("京", "北京"),
            ("北京大学", "在北京大学读书"),
            ("\"a b\"", "A B"),
            ("iphone手机", "iPhone手机壳"),
            ("\"北 京\"", "北 京"),
            ("\"北 京\"", "北京"),
            ("👍", "ok👍👍"),
        ];
        let long = "x".repeat(100);
        let cases = cases.into_iter().chain([(long.as_str(), long.as_str())]);
        for (q, text) in cases {
            let query = Query::read(q).unwrap();
            assert!(query.find(text).is_some(), "{q} is in {text}");
            let stored = tokens::of_message(ids.0, ids.1, text);
            let stored: Vec<_> = stored.split(' ').collect();
            for wanted in query.wanted() {
                let there = stored.iter().any(|token| *token == wanted.token || (wanted.prefix && token.starts_with(&wanted.token)));
                assert!(there, "{q}: {wanted:?} is not in {stored:?}");
            }
        }
    }

    #[test]
    fn nothing_to_look_for_is_refused() {
        for q in ["", "  ", "\"\"", "***", "()", "\0", "-", "a*", &"x".repeat(LONGEST + 1)] {
            assert_eq!(Query::read(q).unwrap_err().field.as_deref(), Some("q"), "{q:?}");
        }
        for q in ["a", "AND", "NOT", "x\0y", "a\"b", "hel*lo", "(x) OR {y}", "^x:y", &"x".repeat(LONGEST)] {
            assert!(Query::read(q).is_ok(), "{q:?}");
        }
    }
}
