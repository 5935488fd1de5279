//! Reads single settings into types that cannot be wrong, and remembers everything that was wrong on the way.

use std::ops::RangeInclusive;

use super::layers::Layered;
use super::origin::Origin;
use super::problem::{Problem, Problems};
use super::shown::shown;
use super::value::Value;

/// Reads settings one by one. What cannot be read is `None`, and a problem more.
pub struct Reader<'a> {
    layered: &'a Layered,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// A reader over what the layers came to.
    pub fn new(layered: &'a Layered) -> Self {
        Self { layered, problems: Vec::new() }
    }

    /// A text.
    pub fn text(&mut self, key: &str) -> Option<String> {
        match self.value(key)? {
            Value::Text(text) => Some(text.clone()),
            _ => self.refuse(key, "allowed is a text"),
        }
    }

    /// A text, or `None` inside where it is empty.
    pub fn optional(&mut self, key: &str) -> Option<Option<String>> {
        self.text(key).map(|text| Some(text).filter(|text| !text.is_empty()))
    }

    /// A text that has a meaning; `parse` says why it has none.
    pub fn parsed<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(key)?;
        parse(&text).map_err(|why| self.refuse::<()>(key, why)).ok()
    }

    /// A list of texts that together have a meaning.
    pub fn list<T>(&mut self, key: &str, parse: impl FnOnce(Vec<String>) -> Result<T, String>) -> Option<T> {
        match self.value(key)? {
            Value::List(texts) => parse(texts.clone()).map_err(|why| self.refuse::<()>(key, why)).ok(),
            _ => self.refuse(key, "allowed is a list of texts"),
        }
    }

    /// A number within a range.
    pub fn number<N: TryFrom<u64>>(&mut self, key: &str, range: RangeInclusive<u64>) -> Option<N> {
        match self.value(key)? {
            Value::Number(number) if range.contains(number) => N::try_from(*number).ok(),
            _ => self.refuse(key, format!("allowed is a whole number from {} to {}", range.start(), range.end())),
        }
    }

    /// Yes or no.
    pub fn flag(&mut self, key: &str) -> Option<bool> {
        match self.value(key)? {
            Value::Flag(flag) => Some(*flag),
            _ => self.refuse(key, "allowed is true or false"),
        }
    }

    /// Notes that this setting's value is not allowed. Answers `None`, for the caller to pass on.
    pub fn refuse<T>(&mut self, key: &str, why: impl Into<String>) -> Option<T> {
        let given = self.layered.get(key);
        self.problems.push(Problem::Wrong {
            key: key.to_owned(),
            value: given.map(|given| shown(key, &given.value)).unwrap_or_default(),
            origin: given.map_or(Origin::Default, |given| given.origin.clone()),
            why: why.into(),
        });
        None
    }

    /// All settings as they were read, or all that was wrong with them.
    ///
    /// # Errors
    /// The problems.
    pub fn finish<T>(self, settings: Option<T>) -> Result<T, Problems> {
        match settings {
            Some(settings) if self.problems.is_empty() => Ok(settings),
            _ => Err(Problems(self.problems)),
        }
    }

    fn value(&self, key: &str) -> Option<&'a Value> {
        self.layered.get(key).map(|given| &given.value)
    }
}
