//! `SetPresence`, `RenewLease`, `EndLease`: gateways report who has live sockets.

use crate::presence_writer::{LEASE, publish};
use crate::service::Users;
use crate::store::Change;
use contract::calls::users::{EndLease, RenewLease, SetPresence};
use contract::{Answer, Caller, Refusal};

impl Answer<SetPresence> for Users {
    async fn answer(&self, who: &Caller, call: SetPresence) -> Result<(), Refusal> {
        who.must_be_service()?;
        Ok(self.presence.ask(Change { gateway: call.gateway, user: call.user, online: call.online }).await?)
    }
}

impl Answer<RenewLease> for Users {
    /// Refused with `not_found` if the gateway has no lease: it is new, or was silent for so long that its users count as offline. It then
    /// reports again who is online.
    async fn answer(&self, who: &Caller, call: RenewLease) -> Result<(), Refusal> {
        who.must_be_service()?;
        let renewed = self.store.renew_lease(call.gateway, self.clock.now().plus(LEASE)).await?;
        if renewed { Ok(()) } else { Err(Refusal::not_found("this gateway has no lease: say again who is online")) }
    }
}

impl Answer<EndLease> for Users {
    async fn answer(&self, who: &Caller, call: EndLease) -> Result<(), Refusal> {
        who.must_be_service()?;
        let gone = self.store.end_gateway(call.gateway, self.clock.now()).await?;
        publish(&self.bus, gone.into_iter().map(|user| (user, false)));
        Ok(())
    }
}
