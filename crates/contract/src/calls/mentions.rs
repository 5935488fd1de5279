//! What the messages service answers about mentions.

use super::call;
use crate::{Limit, Message, Page};
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
