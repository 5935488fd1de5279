//! Usernames that nobody can take, because a path would mean something else by them: `GET /users/online` is no user's page.

use crate::{Refusal, Username};

/// Every word that stands, or is going to stand, where a path under `/users/` has a username or something of a user: the calls that
/// there are, and those that are planned. A test of the program compares it with the paths that it serves. Users who took one
/// of these names before it was reserved keep it.
pub const RESERVED_USERNAMES: [&str; 15] = [
    "blocks",
    "devices",
    "export",
    "exports",
    "login",
    "logout",
    "me",
    "mentions",
    "online",
    "openapi.json",
    "password",
    "rooms",
    "state",
    "threads",
    "tokens",
];

impl Username {
    /// Whether a new user may have this name.
    ///
    /// # Errors
    /// `invalid_request`, about the field `username`.
    pub fn must_be_free_to_take(&self) -> Result<(), Refusal> {
        if RESERVED_USERNAMES.contains(&self.as_str()) {
            let detail = format!("username: {self} is reserved, because addresses of this service use the word; take another name");
            return Err(Refusal::invalid("username", detail));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    #[test]
    fn a_reserved_name_is_refused_in_any_case_and_those_beside_it_are_not() {
        for name in RESERVED_USERNAMES {
            for written in [name.to_owned(), name.to_uppercase()] {
                let refusal = Username::try_from(written).unwrap().must_be_free_to_take().unwrap_err();
                assert_eq!((refusal.code, refusal.field.as_deref()), (Code::InvalidRequest, Some("username")));
            }
            assert!(Username::try_from(format!("{name}1")).unwrap().must_be_free_to_take().is_ok());
        }
    }
}
