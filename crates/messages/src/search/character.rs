//! What a character is to search. It follows Unicode's properties (General_Category, Word_Break, Script, Extended_Pictographic); where a rule is
//! our own, it says why.

use icu_properties::props::{
    BinaryProperty, EnumeratedProperty, ExtendedPictographic, GeneralCategory, GraphemeClusterBreak, IndicConjunctBreak, Script, WordBreak,
};
use std::iter::once;
use std::ops::Range;
use std::sync::LazyLock;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, compose, decompose_canonical, decompose_compatible};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// It ends what stands before it.
    Separator,
    /// As if it were not there: an accent, or what nobody sees.
    Ignored,
    /// U+200B. It separates words; where words have no spaces it only says where a line may break.
    ZeroWidthSpace,
    /// A part of a word.
    Letter,
    /// A mark that is a letter of its script, such as a vowel sign. It belongs to what it stands behind.
    Mark,
    /// A letter of a script that puts no spaces between words: a unit by itself, with its marks.
    Glyph,
    /// A number or symbol that stands for letters or digits, such as `①` or `㎏`. It is no part of the word beside it.
    Sign,
    /// An emoji or another pictograph.
    Emoji,
}

/// What is asked of every character of a text, so that most texts need no more than this.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub class: Class,
    /// Folding leaves it as it is.
    pub is_folded: bool,
    /// What it is to grapheme clusters.
    pub clusters: Clusters,
}

/// What a character is to grapheme clusters (UAX 29).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clusters {
    /// It begins one, whatever stands before it, unless that is `Other`.
    Begins,
    /// It belongs to the one before.
    GoesOn,
    /// It depends on more.
    Other,
}

/// The facts about the characters of the Basic Multilingual Plane, and about pictographs: to find them each time costs more than all else. They
/// are 200 KB, and made in some 20 ms when they are first asked for.
static FACTS: LazyLock<Vec<Facts>> = LazyLock::new(|| find_all(0..0x1_0000));
static PICTOGRAPHS: LazyLock<Vec<Facts>> = LazyLock::new(|| find_all(FIRST_PICTOGRAPH..0x1_fc00));
const FIRST_PICTOGRAPH: u32 = 0x1_f000;

fn find_all(characters: Range<u32>) -> Vec<Facts> {
    characters.map(|c| char::from_u32(c).map_or(NOTHING, find_facts)).collect()
}

/// Of what is no character.
const NOTHING: Facts = Facts { class: Class::Separator, is_folded: false, clusters: Clusters::Other };

/// The facts about a character.
pub(super) fn facts(character: char) -> Facts {
    let number = u32::from(character);
    let (table, place) = if number < FIRST_PICTOGRAPH { (&FACTS, number) } else { (&PICTOGRAPHS, number - FIRST_PICTOGRAPH) };
    usize::try_from(place).ok().and_then(|place| table.get(place)).copied().unwrap_or_else(|| find_facts(character))
}

fn find_facts(character: char) -> Facts {
    let class = find_class(character);
    // Glyphs are composed after all, words are not.
    let folded: String = if class == Class::Glyph { once(character).nfkc().collect() } else { once(character).nfkd().collect() };
    let folded: String = folded.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
    let is_alone = without_stroke(character).is_none() && folded.chars().eq([character]);
    let clusters = match GraphemeClusterBreak::for_char(character) {
        GraphemeClusterBreak::Other | GraphemeClusterBreak::LV | GraphemeClusterBreak::LVT => Clusters::Begins,
        GraphemeClusterBreak::Extend | GraphemeClusterBreak::SpacingMark
            if IndicConjunctBreak::for_char(character) != IndicConjunctBreak::Linker =>
        {
            Clusters::GoesOn
        }
        _ => Clusters::Other,
    };
    Facts { class, is_folded: is_alone && matches!(class, Class::Letter | Class::Mark | Class::Glyph), clusters }
}

/// Whether folding leaves a letter and its marks as they are: it leaves each of them, they are in order, and none makes one character with another.
pub(super) fn is_folded(cluster: &str) -> bool {
    let mut rest = cluster.chars();
    let Some(first) = rest.next().filter(|first| facts(*first).is_folded) else { return false };
    if rest.as_str().is_empty() {
        return true;
    }
    let mut is_whole = true;
    decompose_canonical(first, |part| is_whole &= part == first);
    let mut before = (first, canonical_combining_class(first));
    is_whole
        && rest.all(|part| {
            let order = canonical_combining_class(part);
            let is_apart = compose(first, part).is_none() && compose(before.0, part).is_none();
            let is_same = facts(part).is_folded && is_apart && (order == 0 || before.1 <= order);
            before = (part, order);
            is_same
        })
}

/// What this is.
pub(super) fn class(character: char) -> Class {
    facts(character).class
}

/// What this is. ASCII is decided without it, for speed: there are only letters, digits and separators.
fn find_class(character: char) -> Class {
    use GeneralCategory as Is;
    if let Some(class) = exception(character) {
        return class;
    }
    match GeneralCategory::for_char(character) {
        Is::LowercaseLetter | Is::UppercaseLetter | Is::TitlecaseLetter | Is::ModifierLetter | Is::OtherLetter | Is::LetterNumber => {
            if has_no_spaces(character) {
                Class::Glyph
            } else if stands_for_several(character) {
                Class::Sign
            } else {
                Class::Letter
            }
        }
        Is::DecimalNumber => Class::Letter,
        Is::OtherNumber => Class::Sign,
        Is::NonspacingMark | Is::EnclosingMark if is_accent(character) => Class::Ignored,
        Is::NonspacingMark | Is::EnclosingMark | Is::SpacingMark => Class::Mark,
        Is::Format => Class::Ignored,
        Is::Control | Is::LineSeparator | Is::ParagraphSeparator | Is::SpaceSeparator => Class::Separator,
        _ => symbol(character),
    }
}

/// Where the general category does not say what is needed.
fn exception(character: char) -> Option<Class> {
    Some(match character {
        '\u{200b}' => Class::ZeroWidthSpace,
        // Letters that are written for an apostrophe (also the Hawaiian okina and the half rings of transliterations), and so treated as U+2019 is.
        '\u{2b9}'..='\u{2c1}' | '\u{2ec}' | '\u{2ee}' | '\u{7f4}' | '\u{7f5}' | '\u{a78b}' | '\u{a78c}' => Class::Separator,
        // Accents, tones, stress and length that are written beside a letter.
        '\u{2c6}'..='\u{2d1}' => Class::Ignored,
        // What only stretches a word: the tatweel of Arabic, and its like of N'Ko.
        '\u{640}' | '\u{7fa}' => Class::Ignored,
        // The half-width voicing marks of kana, without a kana.
        '\u{ff9e}' | '\u{ff9f}' => Class::Ignored,
        // What nobody sees though it is a letter or a mark of its script: fillers of Hangul, vowels of Khmer, selectors of Mongolian.
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180d}' | '\u{180f}' => {
            Class::Ignored
        }
        // The one emoji that is a letter.
        'ℹ' => Class::Emoji,
        // Filed under mathematics: the sharp, unlike its neighbours flat and natural; and an emoji with a stroke.
        '♯' | '↮' => Class::Emoji,
        _ => return None,
    })
}

/// Whether this letter is written without spaces between words. UAX 29 leaves such letters out of its words (Han, Hiragana, Thai, Lao, Khmer,
/// Burmese and their like) but for three: it joins Katakana, and takes Bopomofo and Hangul for alphabets, whose words have no spaces or carry endings.
fn has_no_spaces(letter: char) -> bool {
    matches!(WordBreak::for_char(letter), WordBreak::Other | WordBreak::Katakana)
        || matches!(Script::for_char(letter), Script::Bopomofo | Script::Hangul)
}

/// The scripts whose nonspacing marks are accents and vowel points, which people leave away. In all others (the scripts of India and of South-East
/// Asia, Tibetan, Thaana, …) a mark is a letter that tells one word from another. What is `Inherited` is used with many scripts: accents.
const WITH_ACCENTS: [Script; 11] = [
    Script::Inherited,
    Script::Arabic,
    Script::Coptic,
    Script::Cyrillic,
    Script::Ethiopic,
    Script::Greek,
    Script::Hebrew,
    Script::Latin,
    Script::Mand,
    Script::Samaritan,
    Script::Syriac,
];

/// Whether this nonspacing or enclosing mark is an accent.
fn is_accent(mark: char) -> bool {
    WITH_ACCENTS.contains(&Script::for_char(mark))
}

/// Whether there is a separator in what this stands for, as in the Arabic `ﷺ`, which is a sentence.
fn stands_for_several(letter: char) -> bool {
    let mut several = false;
    decompose_compatible(letter, |part| several |= part != letter && find_class(part) == Class::Separator);
    several
}

/// A symbol, punctuation, or what Unicode does not know.
fn symbol(character: char) -> Class {
    use GeneralCategory as Is;
    if character.is_ascii() {
        return Class::Separator;
    }
    if ExtendedPictographic::for_char(character) {
        return Class::Emoji;
    }
    let category = GeneralCategory::for_char(character);
    // Circled letters, of which UAX 29 makes words.
    if category == Is::OtherSymbol && WordBreak::for_char(character) == WordBreak::ALetter {
        return Class::Letter;
    }
    let is_symbol = matches!(category, Is::OtherSymbol | Is::MathSymbol | Is::CurrencySymbol | Is::ModifierSymbol);
    let mut stands_for_letters = false;
    decompose_compatible(character, |part| {
        stands_for_letters |= part != character && matches!(find_class(part), Class::Letter | Class::Glyph);
    });
    match character {
        _ if stands_for_letters => Class::Sign,
        // Radicals and strokes of Han.
        '\u{2e80}'..='\u{2fdf}' | '\u{31c0}'..='\u{31ef}' => Class::Glyph,
        // Pictographs that are no emoji: Miscellaneous Symbols and Dingbats, Miscellaneous Symbols and Arrows, and the planes of pictographs.
        '\u{2600}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{1f000}'..='\u{1fbff}' if is_symbol => Class::Emoji,
        _ => Class::Separator,
    }
}

/// What makes ga of ka. It is `Inherited`, but no accent.
pub(super) fn is_voicing(mark: char) -> bool {
    matches!(mark, '\u{3099}' | '\u{309a}')
}

/// What only says how an emoji is to look: as text or as a picture, in which skin.
pub(super) fn is_look(part: char) -> bool {
    matches!(part, '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}')
}

/// What spells the name of a region behind a flag, such as England.
pub(super) fn is_tag(part: char) -> bool {
    matches!(part, '\u{e0020}'..='\u{e007f}')
}

/// Letters that people write without their stroke, or as two, and that Unicode does not take apart.
pub(super) fn without_stroke(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ẞ' => "ss",
        'æ' | 'Æ' => "ae",
        'œ' | 'Œ' => "oe",
        'ø' | 'Ø' => "o",
        'đ' | 'Đ' | 'ð' | 'Ð' => "d",
        'þ' | 'Þ' => "th",
        'ł' | 'Ł' => "l",
        'ħ' | 'Ħ' => "h",
        _ => return None,
    })
}

/// Whether this is a letter or a point of Hebrew.
pub(super) fn is_hebrew(character: Option<char>) -> bool {
    character.is_some_and(|character| Script::for_char(character) == Script::Hebrew)
}
