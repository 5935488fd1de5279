//! Users.

use crate::{DisplayName, Metadata, Status, Time, UserId, Username};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A user, as everybody who is logged in may see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// The id, for ever.
    pub id: UserId,
    /// The name to log in and be addressed by; unique, never changes.
    pub username: Username,
    /// The name to show; at first the username.
    pub display_name: DisplayName,
    /// What the user says beside the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub status: Option<Status>,
    /// What the application noted on the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub metadata: Option<Metadata>,
    /// When the user was first seen.
    pub created_at: Time,
    /// Whether the user has a live, authenticated socket; only where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub online: Option<bool>,
}

impl User {
    /// A user of whom nothing else is said.
    pub fn plain(id: UserId, username: Username, display_name: DisplayName, created_at: Time) -> Self {
        Self { id, username, display_name, status: None, metadata: None, created_at, online: None }
    }
}

/// The two names of a user that never change.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UserRef {
    /// The id.
    pub id: UserId,
    /// The username.
    pub username: Username,
}
