//! What the messages say: the number of the message and then text that follows from it, so that every reader can tell which one it is
//! and whether anything of it was changed.

/// Texts that an encoder may trip over: quotes, a backslash, control characters, other planes, right to left, markup, blanks.
const TEXTS: [&str; 8] = [
    "the quick brown fox",
    "\"quoted\" \\ and / back",
    "two\nlines\tand a tab",
    "zażółć gęślą jaźń",
    "👩‍👩‍👧 🇪🇺 𝒳",
    "مرحبا بالعالم",
    "<b>&amp;</b> {\"ok\":true}",
    "  \u{1}\u{1f}\u{7f}\u{2028}  ",
];

/// The body of this message.
pub fn body(number: usize) -> String {
    let mixed = number.wrapping_mul(0x9e37_79b9) >> 7;
    let text = TEXTS.get(mixed % TEXTS.len()).copied().unwrap_or_default();
    format!("{number} {}", text.repeat(1 + mixed / TEXTS.len() % 8))
}

/// The number of the message whose body this is; nothing where no message of this run has it.
pub fn number(body: &str) -> Option<usize> {
    let (digits, _) = body.split_once(' ')?;
    let number = digits.parse().ok()?;
    (self::body(number) == body).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_tells_its_number_and_whether_it_is_whole() {
        for number in 0..10_000 {
            assert_eq!(self::number(&body(number)), Some(number));
        }
        let whole = body(77);
        assert_eq!(number(&whole[..whole.len() - 1]), None);
        assert_eq!(number(&format!("{whole} ")), None);
        assert_eq!(number("x"), None);
    }

    #[test]
    fn every_text_occurs() {
        for text in TEXTS {
            assert!((0..1_000).any(|number| body(number).contains(text)), "{text:?}");
        }
    }
}
