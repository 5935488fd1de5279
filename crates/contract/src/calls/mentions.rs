//! What the messages service answers about mentions.

use super::call;
use crate::{Limit, Message, Page, Placed};
use serde::{Deserialize, Serialize};

/// The messages that mention the caller, by name or with everybody, in all rooms that the caller is in; the newest first. Of those to everybody, only
/// what came since the caller joined.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MyMentions {
    /// From [`Page::next`].
    pub after: Option<String>,
    /// How many.
    pub limit: Limit,
}
call!(MyMentions => Page<Message>, "messages.my_mentions");

/// The same, and where each message stands in that list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MyMentionsPlaced {
    /// A place in an earlier answer, or [`Page::next`].
    pub after: Option<String>,
    /// How many.
    pub limit: Limit,
}
call!(MyMentionsPlaced => Placed<Message>, "messages.my_mentions_placed");
