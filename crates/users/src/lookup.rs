//! `UsersById` and `UsersByName`: other services ask who these are.

use crate::service::Users;
use contract::calls::users::{UsersById, UsersByName};
use contract::{Answer, Caller, Refusal, User, UserRef};

impl Answer<UsersById> for Users {
    async fn answer(&self, who: &Caller, call: UsersById) -> Result<Vec<User>, Refusal> {
        who.must_be_service()?;
        at_most_1000("ids", call.ids.len())?;
        let mut found = Vec::with_capacity(call.ids.len());
        let mut missing = Vec::new();
        let ticket = self.known.ticket();
        for id in call.ids {
            match self.known.get(&id) {
                Some(user) => found.push(user),
                None => missing.push(id),
            }
        }
        if !missing.is_empty() {
            for user in self.store.users_by_id(missing).await? {
                self.known.insert(ticket, user.id, user.clone());
                found.push(user);
            }
        }
        if call.brief {
            for user in &mut found {
                (user.status, user.metadata) = (None, None);
            }
        }
        Ok(found)
    }
}

impl Answer<UsersByName> for Users {
    async fn answer(&self, who: &Caller, call: UsersByName) -> Result<Vec<UserRef>, Refusal> {
        who.must_be_service()?;
        at_most_1000("usernames", call.usernames.len())?;
        Ok(self.store.users_by_name(call.usernames).await?)
    }
}

/// How many a service may ask about at once.
pub(crate) fn at_most_1000(field: &str, count: usize) -> Result<(), Refusal> {
    if count <= 1_000 { Ok(()) } else { Err(Refusal::invalid(field, format!("{field}: at most 1,000 at once, these are {count}"))) }
}

/// The one sentence for a user who does not exist.
pub(crate) fn no_user() -> Refusal {
    Refusal::not_found("no such user").about("username")
}
