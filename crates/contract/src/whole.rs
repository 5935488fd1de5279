//! Whole numbers from JSON, which knows only numbers: to JSON Schema, and so to the documents, `7.0` is an integer as `7` is.

use serde::Deserializer;
use serde::de::{Error, Unexpected, Visitor};
use std::fmt;

/// Reads a whole number, however it is written; for `#[serde(deserialize_with = …)]`.
///
/// # Errors
/// What is no number, has a fraction, or does not fit.
pub fn number<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    from.deserialize_i64(Whole)
}

/// The same for a number that may be left out or null; for a field with `#[serde(default)]`.
///
/// # Errors
/// As [`number`].
pub fn maybe<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    from.deserialize_option(Maybe)
}

/// The same for a list of numbers.
///
/// # Errors
/// As [`number`], for any of them.
pub fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<i64>, D::Error> {
    #[derive(serde::Deserialize)]
    struct One(#[serde(deserialize_with = "number")] i64);
    Ok(<Vec<One> as serde::Deserialize>::deserialize(from)?.into_iter().map(|One(number)| number).collect())
}

struct Maybe;

impl<'de> Visitor<'de> for Maybe {
    type Value = Option<i64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("i64 or null")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        number(from).map(Some)
    }
}

struct Whole;

impl Visitor<'_> for Whole {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("i64")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<i64, E> {
        Ok(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<i64, E> {
        i64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<i64, E> {
        // 2^63, the first that does not fit
        const END: f64 = 9_223_372_036_854_775_808.0;
        if number.fract() != 0.0 {
            return Err(E::invalid_type(Unexpected::Float(number), &self));
        }
        if (-END..END).contains(&number) { Ok(number as i64) } else { Err(E::invalid_value(Unexpected::Float(number), &self)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<i64, serde_json::Error> {
        number(&mut serde_json::Deserializer::from_str(json))
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        for (json, is) in [("7", 7), ("7.0", 7), ("-1", -1), ("-1.0", -1), ("1e3", 1000), ("9223372036854775807", i64::MAX)] {
            assert_eq!(read(json).unwrap(), is, "{json}");
        }
    }

    #[test]
    fn what_may_be_left_out_and_what_is_a_list() {
        #[derive(serde::Deserialize)]
        struct Both {
            #[serde(default, deserialize_with = "maybe")]
            one: Option<i64>,
            #[serde(deserialize_with = "list")]
            many: Vec<i64>,
        }
        let read = |json| serde_json::from_str::<Both>(json).map(|both| (both.one, both.many));
        assert_eq!(read(r#"{"many":[1.0,-2]}"#).unwrap(), (None, vec![1, -2]));
        assert_eq!(read(r#"{"one":null,"many":[]}"#).unwrap(), (None, vec![]));
        assert_eq!(read(r#"{"one":3.0,"many":[]}"#).unwrap(), (Some(3), vec![]));
        assert!(read(r#"{"one":"3","many":[]}"#).is_err() && read(r#"{"many":[1.5]}"#).is_err());
    }

    #[test]
    fn what_is_none_is_refused() {
        for json in ["1.5", "9223372036854775808", "9223372036854775808.0", "1e300", "-1e19", "\"7\"", "null", "true", "[]"] {
            assert!(read(json).is_err(), "{json}");
        }
        let said = read("1.5").unwrap_err().to_string();
        assert!(said.starts_with("invalid type: floating point `1.5`, expected i64"), "{said}");
    }
}
