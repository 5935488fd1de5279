//! Several values of one figure, as the middle and the ends.

use crate::report::Cell;

/// Smallest, middle and greatest of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The smallest.
    pub least: f64,
    /// The middle one; of an even number the upper of both.
    pub middle: f64,
    /// The greatest.
    pub most: f64,
}

/// Of these values; nothing where none is a number.
pub fn spread(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
    let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    Some(Spread { least: *values.first()?, middle: *values.get(values.len() / 2)?, most: *values.last()? })
}

/// The ratios of values that belong together, in pairs: `2.1 (1.9–2.4)`.
pub fn ratios(of: &[f64], to: &[f64]) -> Cell {
    spread(of.iter().zip(to).map(|(of, to)| of / to)).map_or(Cell::Nothing, |spread| Cell::Text(spread.words()))
}

/// The middle of these values.
pub fn middle(values: &[f64]) -> Cell {
    Cell::maybe(spread(values.iter().copied()).map(|spread| spread.middle))
}

impl Spread {
    /// `2.1 (1.9–2.4)`.
    pub fn words(self) -> String {
        let shown = |value: f64| Cell::number(value).shown();
        format!("{} ({}–{})", shown(self.middle), shown(self.least), shown(self.most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_its_middle_between_its_ends() {
        assert_eq!(spread([3.0, 1.0, 2.0]), Some(Spread { least: 1.0, middle: 2.0, most: 3.0 }));
        assert_eq!(spread([f64::NAN]), None);
        assert_eq!(spread([18.0, 19.5, 21.0]).unwrap().words(), "19.5 (18.0–21.0)");
    }

    #[test]
    fn ratios_are_of_pairs_and_not_of_middles() {
        assert_eq!(ratios(&[1.0, 20.0, 6.0], &[2.0, 10.0, 4.0]).shown(), "1.50 (0.50–2.00)");
        assert_eq!(ratios(&[1.0], &[0.0]).shown(), "–");
        assert_eq!(middle(&[5.0, 1.0, 9.0]).shown(), "5.00");
    }
}
