//! Full text over the rooms that the caller is a member of, newest first. `answer` is the call; `walk` finds the messages and bounds the
//! work. `candidates` says which messages are compared, and `filters` what they must be besides having the words.
//!
//! Both engines index the same tokens, which are made here (`units`, `tokens`). `query` compares each candidate with the query again, so
//! both engines find the same messages. `index` says when a message is indexed.

mod answer;
mod candidates;
mod character;
mod cursor;
mod excerpt;
mod filters;
pub(crate) mod index;
#[cfg(test)]
mod laws;
pub(crate) mod query;
pub(crate) mod tokens;
mod units;
mod walk;
