//! `Me` and `ChangeProfile`: the caller's own user.

use crate::service::Users;
use crate::store::Changed;
use contract::calls::users::{ChangeProfile, Me};
use contract::hint::UserChanged;
use contract::{Answer, Caller, Refusal, User};

impl Answer<Me> for Users {
    async fn answer(&self, who: &Caller, _call: Me) -> Result<User, Refusal> {
        let user = self.store.user(&who.user()?.username, self.clock.now()).await?;
        user.ok_or_else(Refusal::unauthenticated)
    }
}

impl Answer<ChangeProfile> for Users {
    async fn answer(&self, who: &Caller, call: ChangeProfile) -> Result<User, Refusal> {
        let id = who.user()?.id;
        match self.store.change_profile(id, call, self.clock.now()).await? {
            Changed::Done(user) => {
                // Sessions carry the user too.
                self.forget_user(id, None);
                self.bus.publish(UserChanged { user: id, now: Some(User { online: None, ..user.clone() }) });
                Ok(user)
            }
            Changed::Same(user) => Ok(user),
            Changed::Refused(refusal) => Err(refusal),
            Changed::NoUser => Err(Refusal::unauthenticated()),
        }
    }
}
