//! Lists are paged: `{items, next}`; `next` is given back as `after` for the next page and is null on the last one.

use crate::Refusal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// What is on this page, in the list's order.
    pub items: Vec<T>,
    /// Pass it as `after` to get the next page; null at the end. Opaque.
    #[schema(required)]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Cuts `items` (read with a limit of one more than wanted) to `limit`; `key` names the last one kept where more follow.
    pub fn cut(mut items: Vec<T>, limit: Limit, key: impl Fn(&T) -> String) -> Self {
        let more = items.len() > limit.get();
        items.truncate(limit.get());
        let next = if more { items.last().map(key) } else { None };
        Self { items, next }
    }

    /// The same page of other things.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), next: self.next }
    }
}

/// One page of a list whose items each say where they stand, for those who go on from any of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed<T> {
    /// What is on this page, in the list's order, each with what to pass as `after` to get what follows it. Opaque.
    pub items: Vec<(String, T)>,
    /// Whether more follow the last one.
    pub more: bool,
}

impl<T> Placed<T> {
    /// Cuts `items` (read with a limit of one more than wanted) to `limit`; `key` says where each stands.
    pub fn cut(mut items: Vec<T>, limit: Limit, key: impl Fn(&T) -> String) -> Self {
        let more = items.len() > limit.get();
        items.truncate(limit.get());
        Self { items: items.into_iter().map(|item| (key(&item), item)).collect(), more }
    }
}

impl<T> From<Placed<T>> for Page<T> {
    fn from(placed: Placed<T>) -> Self {
        let next = placed.items.last().filter(|_| placed.more).map(|(place, _)| place.clone());
        Self { items: placed.items.into_iter().map(|(_, item)| item).collect(), next }
    }
}

/// How many items a page may have: 1-100, 50 when nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Limit(u8);

impl Limit {
    /// The most.
    pub const MOST: Limit = Limit(100);

    /// As a number of items.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }

    /// One more than the page may have, which tells whether there is a next one.
    pub fn and_one(self) -> i64 {
        i64::from(self.0) + 1
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl TryFrom<i64> for Limit {
    type Error = Refusal;
    fn try_from(limit: i64) -> Result<Self, Refusal> {
        match u8::try_from(limit) {
            Ok(n @ 1..=100) => Ok(Self(n)),
            _ => Err(Refusal::invalid("limit", "limit is a number from 1 to 100")),
        }
    }
}

impl From<Limit> for i64 {
    fn from(limit: Limit) -> i64 {
        limit.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_tells_whether_more_follows() {
        let limit = Limit::try_from(2).unwrap();
        assert_eq!(Page::cut(vec![1, 2, 3], limit, i32::to_string), Page { items: vec![1, 2], next: Some("2".into()) });
        assert_eq!(Page::cut(vec![1, 2], limit, i32::to_string), Page { items: vec![1, 2], next: None });
    }

    #[test]
    fn a_limit_is_never_clamped() {
        for wrong in [i64::MIN, -1, 0, 101, 300, i64::MAX] {
            assert!(Limit::try_from(wrong).is_err(), "{wrong}");
        }
    }
}
