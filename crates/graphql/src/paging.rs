//! The arguments of lists.

use contract::{Limit, Refusal};

/// `first` or `last` as a limit; 50 where nothing is said.
pub(crate) fn limit(field: &str, count: Option<i32>) -> Result<Limit, Refusal> {
    match count {
        None => Ok(Limit::default()),
        Some(count) => Limit::try_from(i64::from(count)).map_err(|_| Refusal::invalid(field, format!("{field} is a number from 1 to 100"))),
    }
}

/// How often a field of a list counts towards a query's complexity.
pub(crate) fn times(counts: &[Option<i32>], otherwise: usize) -> usize {
    counts.iter().flatten().next().map_or(otherwise, |count| usize::try_from(*count).unwrap_or(0).clamp(1, 100))
}

/// The cursor of a message, which is its seq.
pub(crate) fn seq(field: &str, cursor: &str) -> Result<i64, Refusal> {
    // A number has several spellings, a cursor has one.
    let seq = cursor.parse().ok().filter(|seq: &i64| *seq >= 0 && seq.to_string() == cursor);
    seq.ok_or_else(|| Refusal::invalid(field, format!("{field} is the cursor of a message: its seq")))
}
