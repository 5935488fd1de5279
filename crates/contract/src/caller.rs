//! Who asks. Every call to a service comes with one; what it may do is decided by the service, never by an edge.

use crate::{Claimed, Claims, Code, Refusal, TokenId, UserId, Username};
use serde::{Deserialize, Serialize};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Caller {
    /// Nobody yet: a login is on its way.
    Anonymous,
    /// A user, known by a token.
    User(UserCaller),
    /// Another service of this house, or later a bot or the host application's back end, by name.
    Service(String),
}

/// A user who has been authenticated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserCaller {
    /// The user.
    pub id: UserId,
    /// The user's name, which never changes.
    pub username: Username,
    /// The token that was shown.
    pub token: TokenId,
}

impl Caller {
    /// One of this house's own services, named for the log.
    pub fn service(name: &str) -> Self {
        Self::Service(name.to_owned())
    }

    /// The user who asks.
    ///
    /// # Errors
    /// `unauthenticated` for nobody, `forbidden` for a service, which is not a user.
    pub fn user(&self) -> Result<&UserCaller, Refusal> {
        match self {
            Self::User(user) => Ok(user),
            Self::Anonymous => Err(Refusal::unauthenticated()),
            Self::Service(_) => Err(Refusal::forbidden("only a user can do this")),
        }
    }

    /// Lets only this house's services pass.
    ///
    /// # Errors
    /// `forbidden` for everybody else.
    pub fn must_be_service(&self) -> Result<(), Refusal> {
        match self {
            Self::Service(_) => Ok(()),
            _ => Err(Refusal::forbidden("only for this server's own services")),
        }
    }
}

impl UserCaller {
    /// Refuses a request that claims to come from somebody else. No claim, or the user's own name in any case, is fine.
    ///
    /// # Errors
    /// `forbidden`, about the field.
    pub fn check_claim(&self, request: &impl Claims) -> Result<(), Refusal> {
        let Claimed { sender, username } = request.claimed();
        for (field, claimed) in [("sender", sender), ("username", username)] {
            if claimed.is_some_and(|name| !name.eq_ignore_ascii_case(self.username.as_str())) {
                let detail = format!("you are {}, and cannot act as somebody else", self.username);
                return Err(Refusal::new(Code::Forbidden, detail).about(field));
            }
        }
        Ok(())
    }
}
