//! What the users service answers: accounts, tokens, presence.

use super::call;
use crate::{DisplayName, GatewayId, Limit, Page, Password, Patch, Status, Time, TokenId, User, UserId, UserRef, Username};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Logs a user in by name and password, and creates the user who does not exist yet where registration is open. In `open` mode the
/// password may be absent. For [`crate::Caller::Anonymous`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Login {
    /// Who.
    pub username: Username,
    /// Absent only in `open` mode.
    pub password: Option<Password>,
}
call!(Login => LoggedIn, "users.login");

/// What a login gives.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoggedIn {
    /// Whether this login created the user.
    pub created: bool,
    /// What the client gets.
    pub login: LoginAnswer,
}

/// What a login answers.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LoginAnswer {
    /// The user.
    pub user: User,
    /// The bearer token: 256 random bits in base64url.
    pub token: String,
    /// Until when the token is valid.
    pub expires_at: Time,
}

/// Revokes the caller's own token, and tells gateways to cut its sockets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Logout {
    /// The token itself, which says until when it is to be denied where a host application has signed it. (A process of before this field
    /// says nothing.)
    #[serde(default)]
    pub token: Option<String>,
}
call!(Logout => (), "users.logout");

/// Finds out who shows this token. Refused with `unauthenticated` when it is not valid. In `jwt` mode the user appears on first sight.
/// For [`crate::Caller::Anonymous`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Authenticate {
    /// The bearer token as shown.
    pub token: String,
}
call!(Authenticate => Session, "users.authenticate");

/// A username alone as proof, which only `open` mode takes; everywhere else `unauthenticated`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthenticateOpen {
    /// Who.
    pub username: Username,
}
call!(AuthenticateOpen => Session, "users.authenticate_open");

/// A valid token and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Whose.
    pub user: User,
    /// The token's name.
    pub token: TokenId,
    /// Until when it is valid.
    pub expires_at: Time,
}

/// Which of these sessions are not valid any more (token, its user). Services only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WhichEnded {
    /// The tokens in question and whose they are; at most 1,000.
    pub sessions: Vec<(TokenId, UserId)>,
}
call!(WhichEnded => Vec<TokenId>, "users.which_ended");

/// The caller, with `online`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Me {}
call!(Me => User, "users.me");

/// Changes the caller's display name, status and metadata. What changes nothing is fine and told to nobody.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ChangeProfile {
    /// The new display name; the present one stays when absent.
    pub display_name: Option<DisplayName>,
    /// The status.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub status: Patch<Status>,
    /// A merge patch (RFC 7396) of the metadata; at most 4 KiB come of it.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub metadata: Patch<Map<String, Value>>,
}
call!(ChangeProfile => User, "users.change_profile");

impl ChangeProfile {
    /// A change of the display name alone.
    pub fn display_name(display_name: DisplayName) -> Self {
        Self { display_name: Some(display_name), ..Self::default() }
    }
}

/// Changes the caller's password and revokes all other tokens. A wrong current one is `invalid_credentials`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ChangePassword {
    /// The password as it is. (Not checked against the rules: only the right one passes.)
    pub current_password: String,
    /// The new one.
    pub new_password: Password,
}
call!(ChangePassword => (), "users.change_password");

/// One user by name, with `online`; `not_found` where there is none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GetUser {
    /// Who.
    pub username: Username,
}
call!(GetUser => User, "users.get");

/// The directory by username, with `online`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListUsers {
    /// Only usernames that begin so; lower-case. Empty for all.
    pub prefix: String,
    /// The username after which to go on.
    pub after: Option<String>,
    /// How many.
    pub limit: Limit,
}
call!(ListUsers => Page<User>, "users.list");

/// Several users by name, with `online`, in no order; unknown names are left out. At most 1,000.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GetUsers {
    /// Who.
    pub usernames: Vec<Username>,
}
call!(GetUsers => Vec<User>, "users.get_several");

/// Everyone with a live, authenticated socket anywhere, by username.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListOnline {
    /// The username after which to go on.
    pub after: Option<String>,
    /// How many.
    pub limit: Limit,
}
call!(ListOnline => Page<User>, "users.online");

/// Users by id, in no order; unknown ids are left out. Services only, at most 1,000.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UsersById {
    /// The ids.
    pub ids: Vec<UserId>,
    /// Without status and metadata, for who asks only what they are called. (A process of before this field tells neither.)
    #[serde(default)]
    pub brief: bool,
}
call!(UsersById => Vec<User>, "users.by_id");

/// Users by name, in no order; unknown names are left out. Services only, at most 1,000.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UsersByName {
    /// The names.
    pub usernames: Vec<Username>,
}
call!(UsersByName => Vec<UserRef>, "users.by_name");

/// A gateway says that a user has (or no longer has) live sockets at it; whoever changes from nowhere to somewhere or back is told
/// to contacts by [`crate::hint::PresenceChanged`]. Answers when it is stored. Services only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetPresence {
    /// Which gateway.
    pub gateway: GatewayId,
    /// Who.
    pub user: UserRef,
    /// Has sockets, or has none any more.
    pub online: bool,
}
call!(SetPresence => (), "users.set_presence");

/// A gateway says that it lives; without this for the lease's length (15 s) its users count as gone. Services only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RenewLease {
    /// Which gateway.
    pub gateway: GatewayId,
}
call!(RenewLease => (), "users.renew_lease");

/// A gateway stops for good: its users are gone at once, without a word to their contacts beyond [`crate::hint::PresenceChanged`].
/// Services only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndLease {
    /// Which gateway.
    pub gateway: GatewayId,
}
call!(EndLease => (), "users.end_lease");
