//! Messages.

use crate::{Body, MessageId, Nonce, RoomId, Time, Username};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// The id.
    pub id: MessageId,
    /// The room that it was sent to.
    pub room: RoomId,
    /// Its place in the room's order: 1, 2, 3, … over messages, joins, leaves and renames, without a gap.
    #[schema(minimum = 1)]
    pub seq: i64,
    /// Who sent it.
    pub sender: Username,
    /// The text, exactly as sent.
    pub body: Body,
    /// When it was committed, by the server's clock.
    pub created_at: Time,
    /// The key that its sender gave it; only the sender sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub nonce: Option<Nonce>,
}

impl Message {
    /// The message as a reader sees it.
    pub fn for_reader(mut self, is_sender: bool) -> Self {
        self.nonce = nonce_for_reader(self.nonce, is_sender);
        self
    }
}

/// The nonce of a message as a reader sees it. Only the sender sees it; this is the one place that decides so.
pub fn nonce_for_reader<N>(nonce: Option<N>, is_sender: bool) -> Option<N> {
    nonce.filter(|_| is_sender)
}
