//! How a text is taken apart for search: the same for what is stored and for what is asked, on both engines.
//!
//! A *unit* is a word of a script that puts spaces between words, or a single character of one that does not (Han, kana, Hangul, Thai,
//! …) or an emoji. Case and diacritics are folded (`É`, `é` and `e` are one), compatibility forms too (`ﬁ` is `fi`, a full-width `Ａ`
//! is `a`); the voicing marks of kana are letters and stay. Whatever else there is separates.

use unicode_normalization::char::{canonical_combining_class, compose, decompose_compatible, is_combining_mark};

/// A text's units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Units {
    /// The folded texts of all units, one behind the other.
    folded: String,
    list: Vec<Unit>,
}

/// A place in a text, without the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    /// Where its folded text ends in `folded`; it begins where the one before ends.
    folded_to: usize,
    /// Where it stands in the original text, in bytes.
    pub start: usize,
    pub end: usize,
    /// A character that is a unit by itself, rather than a word.
    pub glyph: bool,
    /// A glyph that follows another one with nothing between them.
    pub joined: bool,
}

/// What the text so far ends with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Word,
    Glyph,
}

impl Units {
    /// Takes a text apart.
    pub(crate) fn of(text: &str) -> Self {
        let mut units = Self { folded: String::with_capacity(text.len()), list: Vec::with_capacity(text.len() / 5) };
        let mut open = Open::Nothing;
        for (start, character) in text.char_indices() {
            let place = (start, start + character.len_utf8());
            if character.is_ascii() {
                open = if character.is_ascii_alphanumeric() {
                    units.letter(character.to_ascii_lowercase(), place, open)
                } else {
                    Open::Nothing
                };
            } else {
                decompose_compatible(character, |part| open = units.part(part, place, open));
            }
        }
        units
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The unit at a place.
    pub(crate) fn get(&self, at: usize) -> Option<Unit> {
        self.list.get(at).copied()
    }

    /// The folded text of the unit at a place; empty past the end.
    pub(crate) fn text(&self, at: usize) -> &str {
        let from = at.checked_sub(1).and_then(|before| self.list.get(before)).map_or(0, |before| before.folded_to);
        let to = self.list.get(at).map_or(from, |unit| unit.folded_to);
        self.folded.get(from..to).unwrap_or_default()
    }

    /// One character of a decomposed one.
    fn part(&mut self, part: char, place: (usize, usize), open: Open) -> Open {
        if is_ignored(part) || (is_voicing(part) && open != Open::Glyph) {
            self.stretch(place.1, open);
            return open;
        }
        if is_voicing(part) || is_later_jamo(part) {
            if open == Open::Glyph && self.join(part) {
                self.stretch(place.1, open);
                return open;
            }
            return if is_voicing(part) { open } else { self.glyph(part, place, open) };
        }
        if is_glyph(part) {
            return self.glyph(part, place, open);
        }
        if is_combining_mark(part) {
            // A vowel sign, say: part of the word that it stands in.
            return if open == Open::Word { self.letter(part, place, open) } else { open };
        }
        if !part.is_alphanumeric() {
            return Open::Nothing;
        }
        let mut open = open;
        if let Some(plain) = plain(part) {
            plain.chars().for_each(|letter| open = self.letter(letter, place, open));
        } else {
            for lower in part.to_lowercase().filter(|lower| !is_ignored(*lower)) {
                open = self.letter(lower, place, open);
            }
        }
        open
    }

    fn letter(&mut self, letter: char, (start, end): (usize, usize), open: Open) -> Open {
        self.folded.push(letter);
        let folded_to = self.folded.len();
        match self.list.last_mut() {
            Some(word) if open == Open::Word => (word.folded_to, word.end) = (folded_to, end),
            _ => self.list.push(Unit { folded_to, start, end, glyph: false, joined: false }),
        }
        Open::Word
    }

    fn glyph(&mut self, glyph: char, (start, end): (usize, usize), open: Open) -> Open {
        self.folded.push(glyph);
        self.list.push(Unit { folded_to: self.folded.len(), start, end, glyph: true, joined: open == Open::Glyph });
        Open::Glyph
    }

    /// Makes one character of the last one and this, where there is one.
    fn join(&mut self, part: char) -> bool {
        let Some(whole) = self.folded.chars().next_back().and_then(|last| compose(last, part)) else { return false };
        self.folded.pop();
        self.folded.push(whole);
        if let Some(last) = self.list.last_mut() {
            last.folded_to = self.folded.len();
        }
        true
    }

    /// What is ignored belongs to what it stands behind.
    fn stretch(&mut self, end: usize, open: Open) {
        if let Some(last) = self.list.last_mut().filter(|_| open != Open::Nothing) {
            last.end = end;
        }
    }
}

/// Diacritics, and what only changes how the character before looks. Viramas (9) and nuktas (7) of Indic scripts are letters.
fn is_ignored(part: char) -> bool {
    matches!(part, '\u{200c}' | '\u{200d}' | '\u{ad}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' | '\u{1f3fb}'..='\u{1f3ff}')
        || !matches!(canonical_combining_class(part), 0 | 7..=9)
}

/// What makes ga of ka.
fn is_voicing(part: char) -> bool {
    matches!(part, '\u{3099}' | '\u{309a}')
}

/// A vowel or a final consonant of a syllable of Hangul.
fn is_later_jamo(part: char) -> bool {
    matches!(part, '\u{1161}'..='\u{1175}' | '\u{11a8}'..='\u{11c2}')
}

/// Scripts without spaces, Hangul (whose words carry endings), and emoji.
fn is_glyph(part: char) -> bool {
    matches!(part,
        '\u{e01}'..='\u{e4e}' | '\u{e81}'..='\u{ecf}' | '\u{1000}'..='\u{103f}' | '\u{1050}'..='\u{108f}' | '\u{1780}'..='\u{17d3}'
        | '\u{1100}'..='\u{11ff}' | '\u{a960}'..='\u{a97c}' | '\u{ac00}'..='\u{d7fb}'
        | '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{3029}' | '\u{3041}'..='\u{3096}' | '\u{309d}'..='\u{309f}'
        | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{312f}' | '\u{31a0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}'
        | '\u{2600}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{1f000}'..='\u{1fbff}')
}

/// Letters that people write without their stroke, and that Unicode does not take apart.
fn plain(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ß' | 'ẞ' => "ss",
        'æ' | 'Æ' => "ae",
        'œ' | 'Œ' => "oe",
        'ø' | 'Ø' => "o",
        'đ' | 'Đ' | 'ð' | 'Ð' => "d",
        'þ' | 'Þ' => "th",
        'ł' | 'Ł' => "l",
        'ħ' | 'Ħ' => "h",
        'ı' => "i",
        'ς' => "σ",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        let units = Units::of(text);
        (0..units.len()).map(|at| units.text(at).to_owned()).collect()
    }

    #[test]
    fn words_are_folded() {
        assert_eq!(texts("Hello, WORLD! don't e-mail x_y 42"), ["hello", "world", "don", "t", "e", "mail", "x", "y", "42"]);
        assert_eq!(texts("Crème BRÛLÉE"), ["creme", "brulee"]);
        assert_eq!(texts("cafe\u{301} straße Łódź Ærø İstanbul ΟΔΟΣ"), ["cafe", "strasse", "lodz", "aero", "istanbul", "οδοσ"]);
        assert_eq!(texts("ﬁsh Ａ１ ½"), ["fish", "a1", "1", "2"]);
        assert_eq!(texts("हिन्दी"), ["हिन्दी"], "vowel signs are letters");
        assert_eq!(texts("شَدَّة"), ["شدة"], "vowel points are not");
    }

    #[test]
    fn scripts_without_spaces_are_taken_apart() {
        assert_eq!(texts("北京大学"), ["北", "京", "大", "学"]);
        assert_eq!(texts("iPhone手机"), ["iphone", "手", "机"]);
        assert_eq!(texts("がか\u{3099}ｶﾞガ"), ["が", "が", "ガ", "ガ"], "a voiced kana is a letter of its own, however it is written");
        assert_eq!(texts("각\u{1100}\u{1161}\u{11a8}"), ["각", "각"]);
        assert_eq!(texts("👍🏽👩\u{200d}🚀"), ["👍", "👩", "🚀"]);
    }

    #[test]
    fn places_are_those_of_the_text() {
        let text = "«cafe\u{301}» 北京";
        let units = Units::of(text);
        let places: Vec<_> = (0..units.len()).filter_map(|at| units.get(at)).map(|unit| &text[unit.start..unit.end]).collect();
        assert_eq!(places, ["cafe\u{301}", "北", "京"]);
        let joined: Vec<_> = (0..units.len()).filter_map(|at| units.get(at)).map(|unit| unit.joined).collect();
        assert_eq!(joined, [false, false, true]);
    }

    #[test]
    fn nothing_is_no_unit() {
        for text in ["", " \n", "\0", "*\"()", "\u{301}", "\u{200d}\u{fe0f}", "\u{3099}"] {
            assert!(Units::of(text).is_empty(), "{text:?}");
        }
    }
}
