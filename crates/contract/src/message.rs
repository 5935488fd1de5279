//! Messages.

use crate::{Body, Emoji, MessageId, MessageType, Metadata, Nonce, RoomId, Time, Username};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How many of those who reacted are named with the reaction.
pub const LISTED_REACTORS: usize = 5;

/// How many of those who replied in a thread are named with it.
pub const LISTED_REPLIERS: usize = 5;

/// Most characters of the earlier message that are told with a reply.
pub const REPLY_CHARS: usize = 200;

/// A message as it is now. A field that is not used is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// The id.
    pub id: MessageId,
    /// The room that it was sent to.
    pub room: RoomId,
    /// Its place in the room's order: 1, 2, 3, … over all of the room's durable events, without a gap.
    #[schema(minimum = 1)]
    pub seq: i64,
    /// The `seq` of the newest event that changed it; its own at first. Of two states of a message the one with the higher `rev` is the newer one.
    #[serde(default)]
    #[schema(minimum = 1, required)]
    pub rev: i64,
    /// Who sent it.
    pub sender: Username,
    /// The text as it is now; empty when it was deleted.
    pub body: Body,
    /// When it was committed, by the server's clock.
    pub created_at: Time,
    /// The key that its sender gave it; only the sender sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub nonce: Option<Nonce>,
    /// The application's own word for what it is.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub message_type: Option<MessageType>,
    /// How the text is meant; plain when absent. The server does not read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub format: Option<Format>,
    /// What the application noted on it, as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub metadata: Option<Metadata>,
    /// The earlier message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reply_to: Option<Box<ReplyTo>>,
    /// The seq of the message whose thread this is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1)]
    pub thread: Option<i64>,
    /// True for a message in a thread that stands among the room's messages too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub also_in_room: Option<bool>,
    /// What came in the thread of this message. Only in answers of REST and GraphQL; in `new message` and `message deleted` of a message in a
    /// thread, and in the acknowledgement of its send, it is the thread that the message is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub thread_info: Option<Box<ThreadInfo>>,
    /// Whom it mentions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub mentions: Option<Box<Mentions>>,
    /// When its text or what belongs to it was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub edited_at: Option<Time>,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub deleted_at: Option<Time>,
    /// Who deleted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub deleted_by: Option<Username>,
    /// The reactions, in the order of their first use. Only in answers of REST and GraphQL.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub reactions: Vec<Reaction>,
    /// When it was pinned. Only in answers of REST and GraphQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pinned_at: Option<Time>,
    /// Who pinned it. Only in answers of REST and GraphQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pinned_by: Option<Username>,
}

/// How a text is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Markdown, as the clients agree on it.
    Markdown,
}

/// The earlier message of a reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplyTo {
    /// Its place in the room.
    #[schema(minimum = 1)]
    pub seq: i64,
    /// Who sent it.
    pub sender: Username,
    /// Its first 200 characters as they are now; empty when it was deleted.
    pub body: String,
}

/// Most users that a message mentions by name.
pub const MOST_MENTIONED: usize = 50;

/// Whom a message mentions. The text is never read for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mentions {
    /// Members, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, max_items = 50)]
    pub users: Vec<Username>,
    /// Everybody in the room.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub room: bool,
}

impl Mentions {
    /// Whether it mentions nobody.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && !self.room
    }
}

/// What came in a thread. Deleted messages do not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThreadInfo {
    /// How many messages there are.
    #[schema(minimum = 1)]
    pub replies: i64,
    /// The seq of the newest one.
    #[schema(minimum = 1)]
    pub last_seq: i64,
    /// When that one came.
    pub last_at: Time,
    /// The first 5 who wrote in it.
    pub usernames: Vec<Username>,
}

/// How often one emoji was used on a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reaction {
    /// The emoji.
    pub emoji: Emoji,
    /// How many have reacted with it.
    #[schema(minimum = 1)]
    pub count: i64,
    /// The first 5 of them.
    pub usernames: Vec<Username>,
    /// Whether you are among them. Only in answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub mine: Option<bool>,
}

/// The text of a message as it was once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// The text.
    pub body: Body,
    /// How it was meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub format: Option<Format>,
    /// What the application had noted on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub metadata: Option<Metadata>,
    /// The `seq` of the message, or of the edit that made this version.
    #[schema(minimum = 1)]
    pub rev: i64,
    /// When it was written.
    pub at: Time,
}

impl Message {
    /// A message with a text and nothing else, as it is when it has just been sent.
    pub fn plain(id: MessageId, room: RoomId, seq: i64, sender: Username, body: Body, created_at: Time) -> Self {
        Self {
            id,
            room,
            seq,
            rev: seq,
            sender,
            body,
            created_at,
            nonce: None,
            message_type: None,
            format: None,
            metadata: None,
            reply_to: None,
            thread: None,
            also_in_room: None,
            thread_info: None,
            mentions: None,
            edited_at: None,
            deleted_at: None,
            deleted_by: None,
            reactions: Vec::new(),
            pinned_at: None,
            pinned_by: None,
        }
    }

    /// Everybody whom it names but those who have reacted or written in its thread: its sender, who deleted or pinned it, and the sender of the message that it answers.
    pub fn people(&self) -> impl Iterator<Item = &Username> {
        let others = [self.deleted_by.as_ref(), self.pinned_by.as_ref(), self.reply_to.as_ref().map(|reply_to| &reply_to.sender)];
        std::iter::once(&self.sender).chain(others.into_iter().flatten())
    }

    /// The message as a reader sees it.
    pub fn for_reader(mut self, is_sender: bool) -> Self {
        self.nonce = nonce_for_reader(self.nonce, is_sender);
        self
    }

    /// The message as events and acknowledgements carry it: without what only answers of REST and GraphQL tell.
    pub fn for_events(self) -> Self {
        Self { reactions: Vec::new(), thread_info: None, pinned_at: None, pinned_by: None, ..self }
    }
}

/// The nonce of a message as a reader sees it. Only the sender sees it; this is the one place that decides so.
pub fn nonce_for_reader<N>(nonce: Option<N>, is_sender: bool) -> Option<N> {
    nonce.filter(|_| is_sender)
}
