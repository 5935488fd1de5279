//! Mentions: whom a message is for besides its room. They are named by its sender; the text is never read for them.

mod given;
mod mine;

pub(crate) use given::{GivenMentions, follow_of_mentioned};
