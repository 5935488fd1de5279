//! A search query: words, `prefixes*` and `"quoted phrases"`, all of which a message must have. Every text is a query, so no syntax can be
//! wrong. Only a text without any letter, digit or emoji, and a prefix of a single letter, are refused.

use super::character::is_hebrew;
use super::tokens;
use super::units::{Kind, Units};
use contract::Refusal;
use std::ops::Range;

/// The longest query, in characters.
pub(crate) const LONGEST: usize = 500;

/// Most tokens that are looked up. A message that has them is compared with the whole query anyway.
const LOOKED_UP: usize = 24;

/// Most matches of one term that are marked in a message.
const MARKED: usize = 100;

/// Most steps to compare a message, each of a unit with a unit: some 20 ms, or 100 if each sign can be read in two ways. A usual text takes one
/// step for each of its units and each term. Far more steps come only from a text that begins like a long query thousands of times. Past this
/// limit such a message is not found.
const STEPS: usize = 1 << 20;

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

/// A token for the index query.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueryToken {
    pub token: String,
    /// Whether longer tokens match too.
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
            if term.is_too_short() {
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

    /// The tokens that every matching message has.
    pub(crate) fn wanted(&self) -> Vec<QueryToken> {
        let mut wanted: Vec<QueryToken> = self.terms.iter().flat_map(Term::wanted).collect();
        wanted.sort();
        wanted.dedup();
        wanted.truncate(LOOKED_UP);
        wanted
    }

    /// The matches in a text, as ranges of bytes, ascending and apart; `None` if the text does not match all terms. Adds the number of
    /// comparisons of two units to `steps`.
    pub(crate) fn find(&self, text: &str, steps: &mut usize) -> Option<Vec<Range<usize>>> {
        let units = Units::of(text);
        let most = steps.saturating_add(STEPS);
        let mut found: Vec<Range<usize>> = Vec::new();
        for term in &self.terms {
            let before = found.len();
            found.extend(term.places(&units, steps, most).take(MARKED));
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
        // A star makes a prefix only of what it stands right behind. An emoji does not go on.
        let ends_in_word = units.last().is_some_and(|last| last.kind != Kind::Emoji && last.end == bare.len());
        Self { prefix: bare.len() < text.len() && ends_in_word, units }
    }

    /// Whether this is the beginning of any word with one letter.
    fn is_too_short(&self) -> bool {
        let is_word = self.units.get(0).is_some_and(|unit| !unit.kind.is_in_rows());
        self.prefix && is_word && self.units.len() == 1 && self.units.text(0).chars().nth(1).is_none()
    }

    fn wanted(&self) -> Vec<QueryToken> {
        let units = &self.units;
        let mut wanted = Vec::with_capacity(units.len());
        let mut at = 0;
        while let Some(unit) = units.get(at) {
            let text = units.text(at);
            if let Some(reading) = units.readings_at(at).find(|reading| !reading.has_emoji) {
                // The message may have them as one word, or one by one: both begin so.
                wanted.push(QueryToken { token: tokens::cut(text).to_owned(), prefix: true });
                at = reading.to;
                continue;
            }
            let (follows, is_followed) = (units.is_joined(at), units.is_joined(at + 1));
            let goes_on = self.prefix && at + 1 == units.len() && !tokens::is_cut(text);
            match (unit.kind.is_in_rows(), follows, is_followed) {
                (false, ..) => wanted.push(QueryToken { token: tokens::cut(text).to_owned(), prefix: goes_on }),
                (true, _, true) => {
                    let (next, is_last) = (units.text(at + 1), at + 2 == units.len());
                    let goes_on = self.prefix && is_last && !tokens::is_cut(next);
                    wanted.push(QueryToken { token: format!("{}{}", tokens::cut(text), tokens::cut(next)), prefix: goes_on });
                }
                // The last of a row stands in the pair before.
                (true, true, false) => {}
                (true, false, false) => wanted.push(QueryToken { token: tokens::cut(text).to_owned(), prefix: true }),
            }
            at += 1;
        }
        wanted
    }

    /// The ranges in which these units have the term. It counts its steps, and ends with the last that it may take.
    fn places<'a>(&'a self, units: &'a Units, steps: &'a mut usize, most: usize) -> impl Iterator<Item = Range<usize>> + 'a {
        (0..units.len()).filter_map(move |from| {
            let last = self.last_at(units, from, steps, most)?;
            Some(units.get(from)?.start..units.get(last)?.end)
        })
    }

    /// The last of the units that are the term, if it stands at a place and there are steps enough to see it.
    fn last_at(&self, units: &Units, from: usize, steps: &mut usize, most: usize) -> Option<usize> {
        let (mut mine, mut theirs) = (0, from);
        while mine < self.units.len() {
            if *steps >= most {
                return None;
            }
            *steps += 1;
            if self.units.is_joined(mine) && !units.is_joined(theirs) {
                return None;
            }
            let (asked, there) = self.step(units, mine, theirs)?;
            (mine, theirs) = (mine + asked, theirs + there);
        }
        theirs.checked_sub(1)
    }

    /// How many units of the term, and how many of these, are the same from here on: mostly one and one.
    fn step(&self, units: &Units, mine: usize, theirs: usize) -> Option<(usize, usize)> {
        if theirs < units.len() && self.units.text(mine) == units.text(theirs) {
            return Some((1, 1));
        }
        ways(&self.units, mine, false).find_map(|asked| {
            let may_go_on = self.prefix && mine + asked.units == self.units.len();
            let is_same = |there: &Way| asked.text == there.text || (may_go_on && !there.is_emoji && there.text.starts_with(asked.text));
            let there = ways(units, theirs, true).find(is_same)?;
            Some((asked.units, there.units))
        })
    }
}

/// One way to read what stands at a place.
struct Way<'a> {
    text: &'a str,
    /// How many units it takes.
    units: usize,
    is_emoji: bool,
}

/// The ways to read what stands at a place: the unit itself, and what it gives with those behind it. An emoji that stands for letters is found by
/// them in a message, but does not ask for them in a query.
fn ways(units: &Units, at: usize, with_emoji: bool) -> impl Iterator<Item = Way<'_>> {
    let itself = units.get(at).map(|unit| Way { text: units.text(at), units: 1, is_emoji: unit.kind == Kind::Emoji });
    let readings = units.readings_at(at).filter(move |reading| with_emoji || !reading.has_emoji);
    itself.into_iter().chain(readings.map(|reading| Way { text: &reading.text, units: reading.to - reading.from, is_emoji: false }))
}

/// The quoted parts of a query, and what stands between spaces outside of quotes. A quote that is not closed goes to the end. Between two
/// letters of Hebrew it is no quote but a part of an abbreviation, as UAX 29 has it (WB7b).
fn texts(q: &str) -> Vec<String> {
    let (mut texts, mut quoted, mut before) = (vec![String::new()], false, None);
    let mut rest = q.chars();
    while let Some(character) = rest.next() {
        let is_between = || is_hebrew(before) && is_hebrew(rest.clone().next());
        let is_quote = matches!(character, '"' | '“' | '”' | '„' | '«' | '»') && !is_between();
        quoted ^= is_quote;
        if is_quote || (!quoted && character.is_whitespace()) {
            texts.push(String::new());
        } else if let Some(text) = texts.last_mut() {
            text.push(character);
        }
        before = Some(character);
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(q: &str, text: &str) -> bool {
        Query::read(q).unwrap().find(text, &mut 0).is_some()
    }

    fn marked<'a>(q: &str, text: &'a str) -> Vec<&'a str> {
        Query::read(q).unwrap().find(text, &mut 0).unwrap_or_default().into_iter().map(|range| &text[range]).collect()
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
            assert!(query.find(text, &mut 0).is_some(), "{q} is in {text}");
            let stored = tokens::of_message(ids.0, ids.1, text);
            let stored: Vec<_> = stored.split(' ').collect();
            for wanted in query.wanted() {
                let there = stored.iter().any(|token| *token == wanted.token || (wanted.prefix && token.starts_with(&wanted.token)));
                assert!(there, "{q}: {wanted:?} is not in {stored:?}");
            }
        }
    }

    #[test]
    fn comparing_ends_however_alike_a_text_and_a_query_are() {
        let steps = |q: &str, text: &str| {
            let mut steps = 0;
            let found = Query::read(q).unwrap().find(text, &mut steps);
            (found.is_some(), steps)
        };
        assert_eq!(steps("world hello", "Hello, world"), (true, 4), "a step for each word of the message and each of the query's");
        // As many as it can be, in a row that is nearly the query at each place.
        let q = format!("{}京", "北".repeat(499));
        let (is_found, took) = steps(&q, &format!("{} 北京", "北".repeat(2_000)));
        assert!(!is_found && (800_000..STEPS).contains(&took), "{took}");
        assert!(steps(&q, &format!("{}京", "北".repeat(2_000))).0);
        assert_eq!(steps(&q, &format!("{} 北京", "北".repeat(7_990))), (false, STEPS));
        // Signs that stand for six each, and such as may be read in two ways.
        assert_eq!(steps(&format!("{}京", "㌖".repeat(499)), &format!("{} 北京", "㌖".repeat(7_990))), (false, STEPS));
        assert_eq!(steps(&format!("\"{}x\"", "tm ".repeat(165)), &format!("{} x", "™".repeat(7_990))), (false, STEPS));
        let (mut steps, query) = (2 * STEPS, Query::read("world").unwrap());
        assert!(query.find("hello world", &mut steps).is_some() && steps == 2 * STEPS + 2, "each message has its own");
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
