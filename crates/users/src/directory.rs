//! `GetUser`, `GetUsers` and `ListUsers`: the directory, open to all who are logged in.

use crate::lookup;
use crate::service::{Users, after};
use contract::calls::users::{GetUser, GetUsers, ListUsers};
use contract::{Answer, Caller, Page, Refusal, User};

impl Answer<GetUser> for Users {
    async fn answer(&self, who: &Caller, call: GetUser) -> Result<User, Refusal> {
        who.user()?;
        self.store.user(&call.username, self.clock.now()).await?.ok_or_else(lookup::no_user)
    }
}

impl Answer<GetUsers> for Users {
    async fn answer(&self, who: &Caller, call: GetUsers) -> Result<Vec<User>, Refusal> {
        who.user()?;
        lookup::at_most_1000("usernames", call.usernames.len())?;
        Ok(self.store.users(&call.usernames, self.clock.now()).await?)
    }
}

impl Answer<ListUsers> for Users {
    async fn answer(&self, who: &Caller, call: ListUsers) -> Result<Page<User>, Refusal> {
        who.user()?;
        let after = after(call.after)?;
        let in_usernames = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
        if !call.prefix.bytes().all(in_usernames) {
            // No username begins so.
            return Ok(Page { items: Vec::new(), next: None });
        }
        let users = self.store.directory(&call.prefix, &after, call.limit.and_one(), self.clock.now()).await?;
        Ok(Page::cut(users, call.limit, |user| user.username.to_string()))
    }
}
