//! What holds for any text whatever: UAX 29's words are found, excerpts keep clusters whole, nothing panics.

use super::query::Query;
use super::units::Units;
use super::{excerpt, tokens};
use contract::{RoomId, UserId};
use icu_properties::props::{EnumeratedProperty, GeneralCategory};
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// The words of a text by UAX 29, but never a part of a grapheme cluster: without a dictionary its rules cut Thai within one.
fn words(text: &str) -> Vec<&str> {
    let borders: Vec<usize> = text.grapheme_indices(true).map(|(start, _)| start).chain([text.len()]).collect();
    let (mut words, mut start) = (Vec::new(), 0);
    for (at, segment) in text.split_word_bound_indices() {
        let end = at + segment.len();
        if borders.binary_search(&end).is_ok() {
            words.push(&text[start..end]);
            start = end;
        }
    }
    // What a query has a meaning for may stand beside a letter in one cluster.
    let is_plain = |word: &&str| !word.contains(|c: char| c == '*' || c.is_whitespace() || "\"“”„«»".contains(c));
    words.into_iter().filter(|word| word.contains(char::is_alphanumeric)).filter(is_plain).collect()
}

/// Whether `unicode-segmentation` knows this character: its tables are of an older Unicode than those of `icu_properties`.
fn is_known(c: char) -> bool {
    use GeneralCategory as Is;
    match GeneralCategory::for_char(c) {
        Is::LowercaseLetter
        | Is::UppercaseLetter
        | Is::TitlecaseLetter
        | Is::ModifierLetter
        | Is::OtherLetter
        | Is::LetterNumber
        | Is::DecimalNumber
        | Is::OtherNumber => c.to_string().unicode_words().next().is_some(),
        Is::NonspacingMark | Is::EnclosingMark | Is::SpacingMark | Is::Format => {
            c == '\u{200b}' || format!("a{c}").split_word_bounds().count() == 1
        }
        _ => true,
    }
}

/// Every word of a text finds it, by its index and by itself, and can be shown: says what does not hold.
fn holds(text: &str) -> Result<(), String> {
    let stored = tokens::of_message(RoomId::from_bytes([0; 16]), UserId::from_bytes([0; 16]), text);
    let stored: Vec<&str> = stored.split(' ').collect();
    let is_token = |token: &&str| !token.is_empty() && !token.contains(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric());
    if !stored.iter().all(is_token) {
        return Err(format!("{text:?} has tokens that no index takes: {stored:?}"));
    }
    for word in words(text) {
        let Ok(query) = Query::read(word) else {
            if Units::of(word).is_empty() {
                continue;
            }
            return Err(format!("{word:?} of {text:?} is refused"));
        };
        let Some(found) = query.find(text, &mut 0) else {
            return Err(format!("{word:?} does not find {text:?}: {:?} in {:?}", Units::of(word), Units::of(text)));
        };
        for wanted in query.wanted() {
            let is_there = |token: &&str| *token == wanted.token || (wanted.prefix && token.starts_with(&wanted.token));
            if !stored.iter().any(is_there) {
                return Err(format!("{word:?} of {text:?}: {wanted:?} is not in {stored:?}"));
            }
        }
        let pieces = excerpt::of(text, &found);
        if !pieces.iter().any(|piece| piece.matched)
            || !is_a_slice(text, &pieces.iter().map(|piece| piece.text.as_str()).collect::<Vec<_>>())
        {
            return Err(format!("{word:?} in {text:?} is shown as {pieces:?}"));
        }
    }
    Ok(())
}

/// Whether the pieces are a slice of the text, with dots where it goes on, and each begins and ends between grapheme clusters.
fn is_a_slice(text: &str, pieces: &[&str]) -> bool {
    let borders: Vec<usize> = text.grapheme_indices(true).map(|(start, _)| start).chain([text.len()]).collect();
    let is_slice = |pieces: &[&str], is_start: bool, is_end: bool| {
        let whole = pieces.concat();
        text.match_indices(&whole).any(|(start, _)| {
            let mut at = start;
            let on_borders = pieces.iter().all(|piece| {
                at += piece.len();
                borders.binary_search(&at).is_ok()
            });
            on_borders && borders.binary_search(&start).is_ok() && (!is_start || start == 0) && (!is_end || at == text.len())
        })
    };
    [(false, false), (true, false), (false, true), (true, true)].into_iter().any(|(before, behind)| {
        let mut pieces = pieces.to_vec();
        if before && let Some(piece) = pieces.first_mut() {
            let Some(bare) = piece.strip_prefix('…') else { return false };
            *piece = bare;
        }
        if behind && let Some(piece) = pieces.last_mut() {
            let Some(bare) = piece.strip_suffix('…') else { return false };
            *piece = bare;
        }
        is_slice(&pieces, !before, !behind)
    })
}

/// All characters of the Basic Multilingual Plane and all pictographs, but of large blocks whose characters are alike only some.
fn characters() -> impl Iterator<Item = char> {
    let is_alike = |c: u32| matches!(c, 0x3400..=0x9ffe | 0xa000..0xa480 | 0xac00..0xd7a3 | 0xe000..0xf8ff | 0x10000..0x1f000 | 0x1fc00..0xe0000 | 0xe01f0..);
    (0..=0x10_ffff).filter(move |c| !is_alike(*c) || c % 257 == 0).filter_map(char::from_u32)
}

#[test]
fn every_character_beside_every_kind_of_other() {
    let texts = |c: char| [format!("a{c}1{c} {c}א"), format!("ก{c}京{c}カ"), format!("한{c}👍{c}क"), format!("①{c}.{c}{c}\u{301}")];
    let broken = characters().filter(|c| is_known(*c)).filter_map(|c| texts(c).iter().find_map(|text| holds(text).err()));
    assert_eq!(broken.take(20).collect::<Vec<_>>(), [""; 0]);
}

/// What is the same text to Unicode is the same here, however it is composed.
#[test]
fn every_character_composed_and_taken_apart() {
    let texts = |text: &str| -> Vec<String> {
        let units = Units::of(text);
        (0..units.len()).map(|at| units.text(at).to_owned()).collect()
    };
    let differs = |c: &char| {
        let text = format!("{c}a{c}\u{301} ก{c}\u{e38}\u{e48} {c}京က{c}ိ့ क{c}\u{93c}\u{94d} ");
        let (composed, apart): (String, String) = (text.nfc().collect(), text.nfd().collect());
        texts(&composed) != texts(&apart) || texts(&text) != texts(&apart)
    };
    assert_eq!(characters().filter(|c| is_known(*c)).filter(differs).take(20).collect::<Vec<char>>(), Vec::<char>::new());
}

#[test]
fn any_mixture() {
    let parts: Vec<&str> = concat!(
        "a b Z é e\u{301} 1 ² ½ ① ㎏ ™ № ℹ Ⓜ ⓐ ß İ ς ﷺ _ . ' ’ ʼ : \" “ ” „ « » * , א ב \u{5b8} ״ ה ـ ع \u{64e} \u{600} क \u{94d} ष \u{93f} ก \u{e34} ำ า \u{e48} ",
        "ລ ຳ ក \u{17d2} ត ် မ ဓ ္ བ ོ ་ 京 々 ー カ ﾞ ｶ か \u{3099} 한 \u{1100} \u{1161} \u{11a8} ㅋ 👍 🏽 \u{200d} 👩 🚀 \u{fe0f} \u{20e3} 🇩 🇪 🏴 \u{e0067} \u{e007f} ⏰ ‼ ✓ ",
        "\u{200b} \u{200c} \u{ad} \u{200e} \u{feff} \u{d4e} \u{110bd} \u{1f1e6} \u{e000} \r \n \t \0 # 🄰 🅰 ㊗ 🈁 ߴ ː ˇ 𝟘 𝕬 ๑ ٠ Ǆ ŉ"
    )
    .split(' ')
    .chain([" ", "\r\n", "word", "Straße", "東京タワー"])
    .collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for round in 0..2_000 {
        let length = if round % 200 == 0 { 400 } else { 1 + next(12) };
        holds(&(0..length).map(|_| parts[next(parts.len())]).collect::<String>()).unwrap();
        // Anything that is a character.
        holds(
            &(0..1 + next(8))
                .filter_map(|_| char::from_u32(u32::try_from(next(0x11_0000)).unwrap()))
                .filter(|c| is_known(*c))
                .collect::<String>(),
        )
        .unwrap();
        // As a query, too.
        let q: String = (0..1 + next(8)).map(|_| parts[next(parts.len())]).collect();
        let text: String = (0..1 + next(30)).map(|_| parts[next(parts.len())]).collect();
        if let Some(found) = Query::read(&q).ok().and_then(|query| query.find(&text, &mut 0)) {
            let pieces = excerpt::of(&text, &found);
            let pieces: Vec<_> = pieces.iter().map(|piece| piece.text.as_str()).collect();
            assert!(is_a_slice(&text, &pieces), "{q:?} in {text:?}: {pieces:?}");
        }
    }
}

/// Tokens are in databases. Where this fails, the rules are others than those of the tables in `store::search`: raise the number in the tables' names
/// with a migration that makes them, and then write the new number here.
#[test]
fn rules_are_as_indexed() {
    assert_eq!(unicode_segmentation::UNICODE_VERSION, (17, 0, 0));
    assert_eq!(unicode_normalization::UNICODE_VERSION, (18, 0, 0));
    if char::UNICODE_VERSION != (17, 0, 0) {
        // Another standard library gives other cases to letters that are new in Unicode, and to nothing else.
        return;
    }
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for c in characters() {
        let tokens = tokens::of_message(RoomId::from_bytes([0; 16]), UserId::from_bytes([0; 16]), &format!("{c}a{c}\u{301} ก{c}京{c}"));
        for byte in tokens.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    assert_eq!(hash, 7_808_103_083_903_116_344, "rules 2");
}
