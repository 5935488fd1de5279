//! Takes a text apart: a [`Segmenter`] gets each piece in its order, folds it and makes units of it.

use super::super::character::{Class, Clusters, class, facts, is_folded, is_look, is_tag, is_voicing, without_stroke};
use super::{Kind, Unit, Units};
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

impl Units {
    /// Takes a text apart.
    pub(crate) fn of(text: &str) -> Self {
        let mut segmenter = Segmenter::of(text.len());
        let mut at = 0;
        while at < text.len() {
            let rest = text.get(at..).unwrap_or_default();
            let ascii = rest.bytes().position(|byte| !byte.is_ascii());
            // What is not ASCII may belong to the character before it.
            let plain = ascii.map_or(rest.len(), |ascii| ascii.saturating_sub(1));
            segmenter.plain(rest.get(..plain).unwrap_or_default(), at);
            let rest = rest.get(plain..).unwrap_or_default();
            let special = rest.bytes().skip(1).position(|byte| byte.is_ascii()).map_or(rest.len(), |ascii| ascii + 1);
            segmenter.special(rest.get(..special).unwrap_or_default(), at + plain);
            at += plain + special;
        }
        segmenter.done()
    }
}

/// What the text so far ends with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    /// A word that may go on.
    Word,
    /// A unit that may not.
    Unit,
    /// A glyph and a zero-width space, behind which a row of glyphs goes on.
    Row,
}

/// A text that is being taken apart.
pub(super) struct Segmenter {
    units: Units,
    open: Open,
    /// What letters are part of here.
    kind: Kind,
    /// Whether there is anything that may be read in more than one way.
    has_signs: bool,
    /// The emoji that stand for letters, such as `™`: which unit, and what.
    letters: Vec<(usize, String)>,
}

impl Segmenter {
    /// Before a text of so many bytes.
    pub(super) fn of(length: usize) -> Self {
        let units = Units { folded: String::with_capacity(length), list: Vec::with_capacity(length / 5), readings: Vec::new() };
        Self { units, open: Open::Nothing, kind: Kind::Word, has_signs: false, letters: Vec::new() }
    }

    /// ASCII, with nothing behind it that belongs to it.
    pub(super) fn plain(&mut self, text: &str, at: usize) {
        let mut start = 0;
        while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
            let word = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
            if word > 0 {
                let folded = self.units.folded.len();
                self.units.folded.push_str(rest.get(..word).unwrap_or_default());
                if let Some(folded) = self.units.folded.get_mut(folded..) {
                    folded.make_ascii_lowercase();
                }
                self.word((at + start, at + start + word));
            }
            let gap = rest.bytes().skip(word).take_while(|byte| !byte.is_ascii_alphanumeric()).count();
            if gap > 0 {
                self.open = Open::Nothing;
            }
            start += word + gap;
        }
    }

    /// Text with other characters, which is taken apart into grapheme clusters. Most are a letter with its marks; the whole of UAX 29 is for the rest.
    pub(super) fn special(&mut self, text: &str, at: usize) {
        let mut start = 0;
        while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
            let (mut is_simple, mut end) = (true, rest.len());
            for (place, character) in rest.char_indices() {
                match (facts(character).clusters, place) {
                    (Clusters::Begins, 0) => {}
                    (Clusters::GoesOn, 1..) => {}
                    (Clusters::Begins, _) if is_simple || !rest.get(..place).is_some_and(ends_open) => {
                        end = place;
                        break;
                    }
                    _ => is_simple = false,
                }
            }
            let stretch = rest.get(..end).unwrap_or_default();
            let place = at + start;
            if is_simple {
                self.cluster(stretch, (place, place + end));
            } else {
                for (start, cluster) in stretch.grapheme_indices(true) {
                    self.cluster(cluster, (place + start, place + start + cluster.len()));
                }
            }
            start += end;
        }
    }

    /// A grapheme cluster.
    fn cluster(&mut self, cluster: &str, place: (usize, usize)) {
        if let Some(keycap) = keycap(cluster) {
            return self.unit(&keycap, Kind::Emoji, place);
        }
        let mut rest = cluster.chars();
        loop {
            let whole = rest.as_str();
            let Some(character) = rest.next() else { return };
            let facts = facts(character);
            match facts.class {
                Class::Letter if facts.is_folded && rest.as_str().is_empty() => return self.letter(character, place),
                Class::Separator => self.open = Open::Nothing,
                Class::ZeroWidthSpace => self.pause(),
                Class::Ignored => self.stretch(place.1),
                Class::Emoji => return self.emoji(character, whole, place),
                Class::Glyph => return self.glyph(whole, place),
                Class::Sign => self.sign(character, place),
                // Without a word that it could belong to.
                Class::Mark if self.open != Open::Word => self.stretch(place.1),
                Class::Letter | Class::Mark => {
                    let marks = rest.as_str().find(|next| !matches!(class(next), Class::Mark | Class::Ignored));
                    let behind = marks.unwrap_or(rest.as_str().len());
                    let group = character.len_utf8() + behind;
                    self.letters(whole.get(..group).unwrap_or_default(), place);
                    rest = whole.get(group..).unwrap_or_default().chars();
                }
            }
        }
    }

    /// A letter and its marks.
    fn letters(&mut self, group: &str, place: (usize, usize)) {
        if is_folded(group) {
            return group.chars().for_each(|letter| self.letter(letter, place));
        }
        for part in group.nfkd() {
            match class(part) {
                Class::Ignored => {}
                Class::Separator => self.open = Open::Nothing,
                _ => match without_stroke(part) {
                    Some(letters) => letters.chars().for_each(|letter| self.letter(letter, place)),
                    // This is full case folding for all that NFKD leaves: what shares an upper case is one, as σ and ς are, and ß is ss.
                    None => part.to_uppercase().flat_map(char::to_lowercase).for_each(|letter| self.letter(letter, place)),
                },
            }
        }
    }

    /// A sign, as what it stands for.
    fn sign(&mut self, sign: char, place: (usize, usize)) {
        self.has_signs = true;
        let parts: String = std::iter::once(sign).nfkd().collect();
        // What is written with other signs between, such as ½, is read with nothing else.
        let is_apart = parts.chars().any(|part| class(part) == Class::Separator);
        self.end(is_apart);
        let before = std::mem::replace(&mut self.kind, Kind::Sign);
        for part in parts.graphemes(true) {
            if part.chars().eq([sign]) {
                self.letter(sign, place);
            } else {
                self.cluster(part, place);
            }
        }
        self.kind = before;
        self.end(is_apart);
    }

    fn glyph(&mut self, cluster: &str, place: (usize, usize)) {
        if is_folded(cluster) {
            return self.unit(cluster, Kind::Glyph, place);
        }
        let parts = cluster.nfkd().filter(|part| is_voicing(*part) || class(*part) != Class::Ignored);
        let folded: String = parts.nfc().collect();
        if folded.is_empty() {
            return self.stretch(place.1);
        }
        // NFKC makes two clusters of some, such as Thai with its vowel am.
        for part in folded.graphemes(true) {
            self.unit(part, Kind::Glyph, place);
        }
    }

    fn emoji(&mut self, first: char, cluster: &str, place: (usize, usize)) {
        let is_kept = |part: &char| !is_look(*part) && (class(*part) != Class::Ignored || *part == JOINER || is_tag(*part));
        let text: String = cluster.nfd().filter(is_kept).collect();
        let text = text.trim_end_matches(JOINER);
        // A skin by itself.
        let text = if text.is_empty() { cluster } else { text };
        self.unit(text, Kind::Emoji, place);
        if text.chars().eq([first]) {
            self.read(first);
        }
    }

    /// Notes what an emoji stands for, if it is a word.
    fn read(&mut self, emoji: char) {
        let parts: String = std::iter::once(emoji).nfkc().collect();
        if parts.chars().eq([emoji]) {
            return;
        }
        let parts = Units::of(&parts);
        if parts.len() == 1 {
            self.has_signs = true;
            self.letters.push((self.units.len() - 1, parts.text(0).to_owned()));
        }
    }

    fn letter(&mut self, letter: char, place: (usize, usize)) {
        self.units.folded.push(letter);
        self.word(place);
    }

    /// What was folded last is a word, or goes on with one.
    fn word(&mut self, (start, end): (usize, usize)) {
        let units = &mut self.units;
        let folded_to = units.folded.len();
        match units.list.last_mut() {
            Some(word) if self.open == Open::Word => (word.folded_to, word.end) = (folded_to, end),
            _ => units.list.push(Unit { folded_to, start, end, kind: self.kind, touches: self.open == Open::Unit }),
        }
        self.open = Open::Word;
    }

    fn unit(&mut self, text: &str, kind: Kind, (start, end): (usize, usize)) {
        self.units.folded.push_str(text);
        self.units.list.push(Unit { folded_to: self.units.folded.len(), start, end, kind, touches: self.open != Open::Nothing });
        self.open = Open::Unit;
    }

    /// No letter goes on with the word before; it touches what comes unless it is apart.
    fn end(&mut self, is_apart: bool) {
        self.open = match self.open {
            _ if is_apart => Open::Nothing,
            Open::Word => Open::Unit,
            other => other,
        };
    }

    /// A zero-width space.
    fn pause(&mut self) {
        let is_in_row = self.open != Open::Nothing && self.units.list.last().is_some_and(|last| last.kind.is_in_rows());
        self.open = if is_in_row { Open::Row } else { Open::Nothing };
    }

    /// What is ignored belongs to what it stands behind.
    fn stretch(&mut self, end: usize) {
        if let Some(last) = self.units.list.last_mut().filter(|_| matches!(self.open, Open::Word | Open::Unit)) {
            last.end = last.end.max(end);
        }
    }

    /// All units, with what they give when they are read together.
    pub(super) fn done(self) -> Units {
        let Self { mut units, letters, has_signs, .. } = self;
        let mut at = 0;
        while has_signs && at < units.len() {
            at = units.read_from(at, &letters);
        }
        units
    }
}

/// Whether what begins a cluster may belong to that of this text: it ends with what depends on more.
fn ends_open(text: &str) -> bool {
    text.chars().next_back().is_some_and(|last| facts(last).clusters != Clusters::Begins)
}

/// What joins several emoji to one.
const JOINER: char = '\u{200d}';

/// A keycap, such as 1️⃣. The tokens of an index hold no ASCII signs, so `#` and `*` stand there in their full width, which no other text has
/// after folding.
fn keycap(cluster: &str) -> Option<String> {
    let key = match cluster.chars().next()? {
        '#' => '＃',
        '*' => '＊',
        digit if digit.is_ascii_digit() => digit,
        _ => return None,
    };
    cluster.contains('\u{20e3}').then(|| format!("{key}\u{20e3}"))
}
