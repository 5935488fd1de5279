//! What a name may hold that people see: the Nickname profile of PRECIS (RFC 8266, over the FreeformClass of RFC 8264), with room for
//! emoji and for scripts that need joiners.
//!
//! As the profile says: any space is U+0020, there is none at the ends and never two in a row (RFC 8266, section 2.1); control characters,
//! line breaks, format characters (so all that turns the direction of writing), private use and what is ignored when text is shown are
//! refused (RFC 8264, section 9).
//!
//! Otherwise than the profile:
//! - U+FE0E and U+FE0F pass behind an emoji, U+200D passes between two, and tags behind a black flag: ❤️, 👩‍🚀, 🏴󠁧󠁢󠁥󠁮󠁧󠁿 are made of them (UTS 51).
//! - U+200C and U+200D pass between letters that join or make syllables, wherever these stand (Persian «می‌خواهم», Bengali র‍্যাব). RFC 5892
//!   (A.1, A.2) wants a virama before each, which Kannada and Bengali themselves do not.
//! - Ideographs keep their variation selectors (葛󠄀), Mongolian letters theirs.
//! - What no Unicode version that we know has assigned passes: a newer one's emoji and letters are as good as ours.
//! - Nothing is normalised: ™ and ① are what they are. (The profile's NFKC is for comparing, and names are not compared.)
//! - A name needs a character that shows. A mark alone, or the blank of Braille, does not.

use icu_properties::props::{
    DefaultIgnorableCodePoint, Emoji, ExtendedPictographic, GeneralCategory as Category, IndicSyllabicCategory, JoiningType,
    NoncharacterCodePoint, Script,
};
use icu_properties::{CodePointMapData, CodePointMapDataBorrowed, CodePointSetData, CodePointSetDataBorrowed};

const CATEGORY: CodePointMapDataBorrowed<'static, Category> = CodePointMapData::<Category>::new();
const JOINING: CodePointMapDataBorrowed<'static, JoiningType> = CodePointMapData::<JoiningType>::new();
const SYLLABIC: CodePointMapDataBorrowed<'static, IndicSyllabicCategory> = CodePointMapData::<IndicSyllabicCategory>::new();
const SCRIPT: CodePointMapDataBorrowed<'static, Script> = CodePointMapData::<Script>::new();
const EMOJI: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<Emoji>();
const PICTOGRAPH: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<ExtendedPictographic>();
const IGNORED: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<DefaultIgnorableCodePoint>();
const NO_CHARACTER: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<NoncharacterCodePoint>();

/// Symbols by their category, and empty to the eye: the blank of Braille, and a note without a head.
const EMPTY: [char; 2] = ['\u{2800}', '\u{1D159}'];

const ZWNJ: char = '\u{200C}';
const ZWJ: char = '\u{200D}';
/// The flag that tags make a region's, and the tag that ends them.
const BLACK_FLAG: char = '\u{1F3F4}';
const LAST_TAG: char = '\u{E007F}';

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It shows nothing.
    Blank,
    /// It has more characters than it may have.
    Long,
    /// It holds this character, where it stands.
    Holds(char),
}

/// The name as it is kept: with its spaces mapped, all else as it came.
///
/// # Errors
/// What is wrong with it; `most` is how many characters it may have then.
pub(crate) fn kept(text: &str, most: usize) -> Result<String, Wrong> {
    let words: Vec<&str> = text.split(is_space).filter(|word| !word.is_empty()).collect();
    let name = words.join(" ");
    if name.chars().count() > most {
        return Err(Wrong::Long);
    }
    let chars: Vec<char> = name.chars().collect();
    let mut shows = false;
    for (at, c) in chars.iter().copied().enumerate() {
        let (before, after) = chars.split_at(at);
        if !passes(c, before, after.get(1).copied()) {
            return Err(Wrong::Holds(c));
        }
        shows |= is_seen(c);
    }
    if shows { Ok(name) } else { Err(Wrong::Blank) }
}

fn is_space(c: char) -> bool {
    CATEGORY.get(c) == Category::SpaceSeparator
}

/// Whether a character may stand behind these and before that one.
fn passes(c: char, before: &[char], next: Option<char>) -> bool {
    let last = before.last().copied();
    let behind = |is: fn(char) -> bool| last.is_some_and(is);
    let precedes = |is: fn(char) -> bool| next.is_some_and(is);
    match c {
        ZWJ if behind(ends_an_emoji) && precedes(|next| PICTOGRAPH.contains(next)) => true,
        ZWJ | ZWNJ => base(before).is_some_and(joins) && behind(|last| last != ZWJ && last != ZWNJ) && precedes(joins),
        '\u{FE0E}' | '\u{FE0F}' if behind(|last| EMOJI.contains(last)) => true,
        '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' => behind(|last| SCRIPT.get(last) == Script::Han),
        '\u{180B}'..='\u{180F}' => behind(|last| SCRIPT.get(last) == Script::Mongolian && is_letter_or_mark(last)),
        LAST_TAG => behind(is_tag),
        _ if is_tag(c) => behind(|last| last == BLACK_FLAG || is_tag(last)) && precedes(|next| next == LAST_TAG || is_tag(next)),
        _ if IGNORED.contains(c) || NO_CHARACTER.contains(c) => false,
        _ => !matches!(
            CATEGORY.get(c),
            Category::Control | Category::Format | Category::LineSeparator | Category::ParagraphSeparator | Category::PrivateUse
        ),
    }
}

/// Whether an emoji may end so: with a pictograph, the selector or the colour of its skin, or the last tag.
fn ends_an_emoji(c: char) -> bool {
    PICTOGRAPH.contains(c) || matches!(c, '\u{FE0E}' | '\u{FE0F}' | LAST_TAG | '\u{1F3FB}'..='\u{1F3FF}')
}

/// A tag that spells out a flag's region.
fn is_tag(c: char) -> bool {
    matches!(c, '\u{E0020}'..='\u{E007E}')
}

/// The last of these that is no mark.
fn base(before: &[char]) -> Option<char> {
    before.iter().rev().copied().find(|c| !is_mark(*c))
}

/// A letter or a mark that changes its form by its neighbours, or makes a syllable with them.
fn joins(c: char) -> bool {
    let cursive = !matches!(JOINING.get(c), JoiningType::NonJoining | JoiningType::Transparent);
    is_letter_or_mark(c) && (cursive || SYLLABIC.get(c) != IndicSyllabicCategory::Other)
}

fn is_mark(c: char) -> bool {
    matches!(CATEGORY.get(c), Category::NonspacingMark | Category::SpacingMark | Category::EnclosingMark)
}

fn is_letter_or_mark(c: char) -> bool {
    let letter = matches!(
        CATEGORY.get(c),
        Category::UppercaseLetter
            | Category::LowercaseLetter
            | Category::TitlecaseLetter
            | Category::ModifierLetter
            | Category::OtherLetter
    );
    letter || is_mark(c)
}

/// Whether it shows where it stands alone.
fn is_seen(c: char) -> bool {
    !is_mark(c) && !is_space(c) && !IGNORED.contains(c) && !EMPTY.contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_call_themselves_is_kept_as_it_is() {
        for name in [
            "Alice",
            "Ann-Marie O’Neil, Jr.",
            "Zoë",
            "Zoe\u{308}",
            "Алёна",
            "山田 太郎",
            "葛\u{E0100}飾",
            "김철수",
            "\u{1112}\u{1161}\u{11AB}",
            "أحمد بن محمد",
            "دانش\u{200C}آموز",
            "می\u{200C}خواهم",
            "هٔ\u{200C}ا",
            "क्\u{200D}ष",
            "শ্রী",
            "র\u{200D}\u{9CD}যাব",
            "ರ\u{200D}\u{CCD}ಕ",
            "ශ්\u{200D}රී",
            "ก\u{e33}",
            "שָׁלוֹם",
            "\u{1820}\u{180B}",
            "❤️",
            "☺\u{FE0E}",
            "1️⃣",
            "👩‍🚀",
            "👩🏽‍❤️‍💋‍👨🏿",
            "🏳️‍🌈",
            "🏴‍☠️",
            "🇩🇪",
            "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}",
            "🤦‍♂️ team",
            "™ ① ﬁ ㎏",
            "c++ & more <b> €5 #1 @x /y",
            "\u{1FAFF}\u{1FC00}",
            "\u{5D0}\u{5D1}",
        ] {
            assert_eq!(kept(name, 100).as_deref(), Ok(name), "{}", name.escape_unicode());
        }
    }

    #[test]
    fn spaces_are_plain_single_and_inside() {
        assert_eq!(kept("  Alice\u{a0}\u{a0}B\u{3000}C\u{2003} ", 9).as_deref(), Ok("Alice B C"));
        assert_eq!(kept("Alice B C", 8), Err(Wrong::Long));
    }

    #[test]
    fn what_shows_nothing_is_no_name() {
        for name in ["", " ", "\u{a0}\u{3000}", "\u{2800}", "\u{1D159} \u{2800}", "\u{301}", "\u{20DD}", "\u{93E}"] {
            assert_eq!(kept(name, 100), Err(Wrong::Blank), "{}", name.escape_unicode());
        }
    }

    #[test]
    fn what_hides_turns_or_breaks_is_refused() {
        let mut hidden: Vec<char> = "\0\t\n\r\u{b}\u{1b}\u{7f}\u{85}\u{9f}\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{17b4}\u{180e}\u{200b}\u{200c}\u{200d}\
            \u{200e}\u{200f}\u{2028}\u{2029}\u{3164}\u{feff}\u{ffa0}\u{fe00}\u{fe0e}\u{fe0f}\u{fff0}\u{fff9}\u{fffb}\u{fdd0}\u{ffff}\u{1bca0}\u{1d173}\
            \u{e000}\u{f8ff}\u{e0001}\u{e0067}\u{e007f}\u{e0100}\u{e01ef}\u{e0fff}\u{f0000}\u{10ffff}"
            .chars()
            .collect();
        hidden.extend('\u{202a}'..='\u{202e}');
        hidden.extend('\u{2060}'..='\u{206f}');
        for c in hidden {
            for name in [format!("{c}"), format!("Al{c}ice"), format!("{c}Alice"), format!("Alice{c}"), format!("Al {c} ice")] {
                assert_eq!(kept(&name, 100), Err(Wrong::Holds(c)), "{}", name.escape_unicode());
            }
        }
    }

    #[test]
    fn joiners_selectors_and_tags_stand_only_where_they_do_something() {
        for name in [
            "👩\u{200D}",
            "👩\u{200D} 🚀",
            "\u{200D}🚀",
            "👩\u{200D}\u{200D}🚀",
            "a\u{200D}🚀",
            "👩\u{200D}a",
            "❤\u{FE0F}\u{FE0F}",
            "1\u{200D}2",
            "می\u{200C}",
            "می\u{200C} خ",
            "می\u{200C}\u{200C}خ",
            "می\u{200C}a",
            "\u{94D}\u{200D}",
            "-\u{200D}-",
            "🏴\u{E0067}",
            "🏴\u{E007F}",
            "🏴\u{E0067}x",
            "🏳\u{E0067}\u{E007F}",
            "é\u{FE0F}",
            "\u{E0100}葛",
            "葛\u{E0100}\u{E0101}",
        ] {
            assert!(matches!(kept(name, 100), Err(Wrong::Holds(_))), "{}", name.escape_unicode());
        }
    }
}
