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

/// What an edit makes of this message: `edit` is the number of the change.
pub fn edited(number: usize, edit: usize) -> String {
    format!("{number}.{edit} {}", body(edit))
}

/// The number of the message whose body this is, and of the edit that made it so; nothing where no message of this run has it.
pub fn read(body: &str) -> Option<(usize, Option<usize>)> {
    let (digits, _) = body.split_once(' ')?;
    let (number, edit) = match digits.split_once('.') {
        Some((number, edit)) => (number.parse().ok()?, Some(edit.parse().ok()?)),
        None => (digits.parse().ok()?, None),
    };
    let expected = edit.map_or_else(|| self::body(number), |edit| edited(number, edit));
    (expected == body).then_some((number, edit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_tells_its_number_and_whether_it_is_whole() {
        for number in 0..10_000 {
            assert_eq!(read(&body(number)), Some((number, None)));
            assert_eq!(read(&edited(number, 7)), Some((number, Some(7))));
        }
        let whole = body(77);
        assert_eq!(read(&whole[..whole.len() - 1]), None);
        assert_eq!(read(&format!("{whole} ")), None);
        assert_eq!(read(&edited(77, 8).replace("77.8", "77.9")), None);
        assert_eq!(read("x"), None);
    }

    #[test]
    fn every_text_occurs() {
        for text in TEXTS {
            assert!((0..1_000).any(|number| body(number).contains(text)), "{text:?}");
        }
    }
}
