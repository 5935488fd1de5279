//! Text of words that are about as common as words are: the n-th most common has a share of 1/n (Zipf), of so many as a language has.

use crate::random::Random;

/// How many words there are.
const VOCABULARY: f64 = 30_000.0;

/// A word's rank, from 1 on: the logarithm of a rank is spread evenly, which is Zipf's law.
fn rank(random: &mut Random) -> usize {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let rank = VOCABULARY.powf(random.unit()) as usize;
    rank.max(1)
}

/// The word of this rank: syllables, more of them the rarer it is, so that some words begin with others.
pub fn word(rank: usize) -> String {
    const CONSONANTS: &[u8] = b"tnshrdlcmw";
    const VOWELS: &[u8] = b"aeiou";
    let (mut rest, mut text) = (rank, String::new());
    while rest > 0 {
        for letters in [CONSONANTS, VOWELS] {
            text.extend(letters.get(rest % letters.len()).map(|letter| char::from(*letter)));
            rest /= letters.len();
        }
    }
    text
}

/// The words of one message, drawn from its place: as many as fit into so many bytes.
pub fn text(room: usize, seq: usize, bytes: usize) -> String {
    let mut random = Random::of(room as u64, seq);
    let mut text = word(rank(&mut random));
    loop {
        let next = word(rank(&mut random));
        if text.len() + 1 + next.len() > bytes {
            return text;
        }
        text.push(' ');
        text.push_str(&next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn words_differ_and_common_ones_are_common() {
        let words: HashSet<String> = (1..30_000).map(word).collect();
        assert_eq!(words.len(), 29_999);
        let texts: Vec<String> = (0..1_000).map(|seq| text(7, seq, 100)).collect();
        assert!(texts.iter().all(|text| (80..=100).contains(&text.len())), "{:?}", texts.first());
        assert_eq!(text(7, 3, 100), texts[3]);
        let holding = |rank| texts.iter().filter(|text| text.split(' ').any(|one| one == word(rank))).count();
        assert!(holding(1) > 5 * holding(20) && holding(1) > 300, "{} {}", holding(1), holding(20));
    }
}
