//! `ListOnline`: everyone with a live, authenticated socket anywhere.

use crate::service::{Users, after};
use contract::calls::users::ListOnline;
use contract::{Answer, Caller, Page, Refusal, User};

impl Answer<ListOnline> for Users {
    async fn answer(&self, who: &Caller, call: ListOnline) -> Result<Page<User>, Refusal> {
        who.user()?;
        let users = self.store.online(&after(call.after)?, call.limit.and_one(), self.clock.now()).await?;
        Ok(Page::cut(users, call.limit, |user| user.username.to_string()))
    }
}
