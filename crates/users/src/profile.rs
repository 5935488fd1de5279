//! `Me` and `ChangeDisplayName`: the caller's own user.

use crate::service::Users;
use contract::calls::users::{ChangeDisplayName, Me};
use contract::hint::UserChanged;
use contract::{Answer, Caller, Refusal, User};

impl Answer<Me> for Users {
    async fn answer(&self, who: &Caller, _call: Me) -> Result<User, Refusal> {
        let user = self.store.user(&who.user()?.username, self.clock.now()).await?;
        user.ok_or_else(Refusal::unauthenticated)
    }
}

impl Answer<ChangeDisplayName> for Users {
    async fn answer(&self, who: &Caller, call: ChangeDisplayName) -> Result<User, Refusal> {
        let id = who.user()?.id;
        let user = self.store.set_display_name(id, &call.display_name, self.clock.now()).await?;
        // Sessions carry the user too.
        self.forget_user(id, None);
        self.bus.publish(UserChanged { user: id });
        user.ok_or_else(Refusal::unauthenticated)
    }
}
