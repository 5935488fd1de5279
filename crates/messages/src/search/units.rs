//! How a text is taken apart for search: the same for what is stored and for what is asked, on both engines.
//!
//! A *unit* is a word; or a grapheme cluster of a script that puts no spaces between words (Han, kana, Hangul, Thai, Lao, Khmer, Burmese, …); or an
//! emoji, which is a grapheme cluster as well; or a sign that stands for letters or digits. The text is taken apart first (UAX 29) and each piece
//! folded after that, so that a sign never becomes a part of the word beside it. Folding is NFKC without accents and without case.
//!
//! Two texts are the same to search where their units are. A sign may be written as letters, too (`5㎏` as `5kg`, `H₂O` as `H2O`): what signs and
//! the words beside them give when they are read together is a [`Reading`].

// It adds `Units::of`.
mod segmenter;

/// A text's units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Units {
    /// The folded texts of all units, one behind the other.
    folded: String,
    list: Vec<Unit>,
    readings: Vec<Reading>,
}

/// A place in a text, without the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    /// Where its folded text ends in `folded`; it begins where the one before ends.
    folded_to: usize,
    /// Where it stands in the original text, in bytes: whole grapheme clusters.
    pub start: usize,
    pub end: usize,
    pub kind: Kind,
    /// Nothing stands between the unit before and this.
    pub touches: bool,
}

/// What kind of unit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Word,
    /// A word that a sign stands for.
    Sign,
    /// Of a script without spaces.
    Glyph,
    Emoji,
}

impl Kind {
    /// Whether it is found in a row of its like.
    pub(crate) fn is_in_rows(self) -> bool {
        matches!(self, Self::Glyph | Self::Emoji)
    }
}

/// What some units give that touch each other, when they are read as one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Which units.
    pub from: usize,
    pub to: usize,
    pub text: String,
    /// One of them is an emoji, which is asked for by itself and not by what it stands for.
    pub has_emoji: bool,
}

impl Units {
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

    /// The last unit.
    pub(crate) fn last(&self) -> Option<Unit> {
        self.list.last().copied()
    }

    /// Whether the unit at a place stands in a row with the one before: glyphs or emoji with nothing between them.
    pub(crate) fn is_joined(&self, at: usize) -> bool {
        let is_in_rows = |at: usize| self.list.get(at).is_some_and(|unit| unit.kind.is_in_rows());
        self.list.get(at).is_some_and(|unit| unit.touches) && is_in_rows(at) && at.checked_sub(1).is_some_and(is_in_rows)
    }

    /// The folded text of the unit at a place; empty past the end.
    pub(crate) fn text(&self, at: usize) -> &str {
        let from = at.checked_sub(1).and_then(|before| self.list.get(before)).map_or(0, |before| before.folded_to);
        let to = self.list.get(at).map_or(from, |unit| unit.folded_to);
        self.folded.get(from..to).unwrap_or_default()
    }

    /// All readings, in the order of their units.
    pub(crate) fn readings(&self) -> &[Reading] {
        &self.readings
    }

    /// The readings that begin with the unit at a place.
    pub(crate) fn readings_at(&self, at: usize) -> impl Iterator<Item = &Reading> {
        let from = self.readings.partition_point(|reading| reading.from < at);
        self.readings.iter().skip(from).take_while(move |reading| reading.from == at)
    }
}

impl Units {
    /// Reads the words, signs and emoji that touch each other from a place on, and answers where they end.
    fn read_from(&mut self, from: usize, letters: &[(usize, String)]) -> usize {
        let stands_for =
            |at: usize| letters.binary_search_by_key(&at, |(unit, _)| *unit).ok().and_then(|at| letters.get(at)).map(|(_, text)| text);
        let is_read = |at: usize| match self.list.get(at).map(|unit| unit.kind) {
            Some(Kind::Word | Kind::Sign) => true,
            Some(Kind::Emoji) => stands_for(at).is_some(),
            Some(Kind::Glyph) | None => false,
        };
        if !is_read(from) {
            return from + 1;
        }
        let goes_on = |at: &usize| is_read(*at) && self.list.get(*at).is_some_and(|unit| unit.touches);
        let to = from + 1 + (from + 1..self.len()).take_while(goes_on).count();
        let mut readings = Vec::new();
        if to > from + 1 {
            let text = (from..to).map(|at| stands_for(at).map_or_else(|| self.text(at), String::as_str)).collect();
            let has_emoji = (from..to).any(|at| stands_for(at).is_some());
            readings.push(Reading { from, to, text, has_emoji });
        }
        let alone = (from..to).filter_map(|at| Some(Reading { from: at, to: at + 1, text: stands_for(at)?.clone(), has_emoji: true }));
        readings.extend(alone);
        self.readings.extend(readings);
        to
    }
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
        assert_eq!(texts("cafe\u{301} straße STRAẞE Łódź Ærø ΟΔΟΣ οδος"), ["cafe", "strasse", "strasse", "lodz", "aero", "οδοσ", "οδοσ"]);
        assert_eq!(texts("İstanbul ISTANBUL ıstanbul istanbul"), ["istanbul"; 4]);
        assert_eq!(texts("ﬁsh Ａ１ ª ⓗⓘ Ⅷ ſ K ᲀ ქართული ᲥᲐᲠᲗᲣᲚᲘ"), ["fish", "a1", "a", "hi", "viii", "s", "k", "в", "ქართული", "ქართული"]);
    }

    #[test]
    fn accents_are_not_there_and_other_marks_are_letters() {
        assert_eq!(texts("شَدَّة الـعـربـيـة"), ["شدة", "العربية"]);
        assert_eq!(texts("שָׁלוֹם ё й ὦ"), ["שלום", "е", "и", "ω"]);
        for word in ["हिन्दी", "తెలుగు", "ދިވެހި", "བོད", "ગુજરાતી", "සිංහල"] {
            assert_eq!(texts(word), [word]);
        }
        assert_eq!(texts("क॑ a⃝ҁ҈"), ["क", "aҁ"], "what is used with many scripts, or encloses, is an accent");
    }

    #[test]
    fn what_nobody_sees_is_not_there() {
        let invisible = [
            "\u{ad}", "\u{200c}", "\u{200d}", "\u{200e}", "\u{200f}", "\u{202b}", "\u{2060}", "\u{2066}", "\u{feff}", "\u{fe0f}", "\u{34f}",
        ];
        for part in invisible {
            assert_eq!(texts(&format!("co{part}op é{part}a")), ["coop", "ea"], "{part:?}");
        }
        assert_eq!(texts("a\u{200b}b"), ["a", "b"], "a zero-width space is a space");
    }

    #[test]
    fn apostrophes_are_all_one() {
        for apostrophe in [
            '\'', '\u{2019}', '\u{2018}', '\u{2bc}', '\u{2bb}', '\u{2be}', '\u{ff07}', '\u{55a}', '\u{a78c}', '\u{2b9}', '`', '\u{b4}',
            '\u{2032}',
        ] {
            assert_eq!(texts(&format!("don{apostrophe}t")), ["don", "t"], "{apostrophe}");
        }
        assert_eq!(texts("צה״ל צה\"ל צ׳יפס"), ["צה", "ל", "צה", "ל", "צ", "יפס"]);
    }

    #[test]
    fn scripts_without_spaces_are_taken_apart() {
        assert_eq!(texts("北京大学"), ["北", "京", "大", "学"]);
        assert_eq!(texts("iPhone手机"), ["iphone", "手", "机"]);
        assert_eq!(texts("がか\u{3099}ｶﾞガ"), ["が", "が", "ガ", "ガ"], "a voiced kana is a letter of its own, however it is written");
        assert_eq!(texts("각\u{1100}\u{1161}\u{11a8}"), ["각", "각"]);
        assert_eq!(texts("วิทยุ"), ["วิ", "ท", "ยุ"], "with their marks");
        assert_eq!(texts("ທຳ ท\u{e4d}\u{e32} ທ\u{ecd}\u{eb2}"), ["ທ\u{ecd}", "\u{eb2}", "ท\u{e4d}", "\u{e32}", "ທ\u{ecd}", "\u{eb2}"]);
        assert_eq!(texts("㌔ ㈱"), ["キ", "ロ", "株"]);
        let row = |text: &str| {
            let units = Units::of(text);
            (0..units.len()).map(|at| units.is_joined(at)).collect::<Vec<_>>()
        };
        assert_eq!(row("ក\u{200b}ខ គ"), [false, true, false], "a zero-width space is no space there");
        assert_eq!(row("北a京👍👍 👍"), [false, false, false, true, true, false]);
    }

    #[test]
    fn signs_are_no_part_of_a_word() {
        assert_eq!(
            texts("TensorFlow™ ①install 5㎏ хлеб№5 H₂O m²"),
            ["tensorflow", "™", "1", "install", "5", "kg", "хлеб", "no", "5", "h", "2", "o", "m", "2"]
        );
        assert_eq!(texts("1½ ፩፪ محمدﷺ"), ["1", "1", "2", "፩", "፪", "محمد", "صلى", "الله", "عليه", "وسلم"]);
        let readings = |text: &str| Units::of(text).readings().iter().map(|reading| reading.text.clone()).collect::<Vec<_>>();
        assert_eq!(readings("5㎏, H₂O; x² ™"), ["5kg", "h2o", "x2", "tm"]);
        assert_eq!(readings("TensorFlow™"), ["tensorflowtm", "tm"]);
        assert_eq!(readings("1½ a b 北① 👍①"), [""; 0], "only what touches, and only words");
    }

    #[test]
    fn emoji_are_whole() {
        assert_eq!(texts("👍🏽👩\u{200d}🚀"), ["👍", "👩\u{200d}🚀"]);
        assert_eq!(texts("⏰⌛▶️▶‼️‼❤❤️☺︎"), ["⏰", "⌛", "▶", "▶", "‼", "‼", "❤", "❤", "☺"]);
        assert_eq!(texts("1️⃣1⃣#️⃣*️⃣ 1"), ["1⃣", "1⃣", "＃⃣", "＊⃣", "1"]);
        assert_eq!(texts("🇩🇪🇫🇷🇪"), ["🇩🇪", "🇫🇷", "🇪"]);
        let (england, scotland) =
            ("🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}", "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}");
        assert_eq!(texts(&format!("{england}{scotland}🏴")), [england, scotland, "🏴"]);
        assert_eq!(texts("👩🏽\u{200d}🤝\u{200d}👨🏿 👁️\u{200d}🗨️ 🏽"), ["👩\u{200d}🤝\u{200d}👨", "👁\u{200d}🗨", "🏽"]);
        assert_eq!(texts("✓☆♫♯℃"), ["✓", "☆", "♫", "♯", "c"]);
    }

    #[test]
    fn places_are_those_of_the_text() {
        let text = "«cafe\u{301}» 北京 ko\u{ad} ทำ";
        let units = Units::of(text);
        let places: Vec<_> = (0..units.len()).filter_map(|at| units.get(at)).map(|unit| &text[unit.start..unit.end]).collect();
        assert_eq!(places, ["cafe\u{301}", "北", "京", "ko\u{ad}", "ทำ", "ทำ"]);
    }

    #[test]
    fn nothing_is_no_unit() {
        for text in [
            "",
            " \n",
            "\0",
            "*\"()",
            "\u{301}",
            "\u{200d}\u{fe0f}",
            "\u{3099}",
            "\u{640}",
            "\u{2bc}",
            "\u{93f}",
            "¡…→€\u{e000}",
            "\u{3164}",
        ] {
            assert!(Units::of(text).is_empty(), "{text:?}");
        }
    }
}
