//! Once a second: cuts sockets whose tokens have run out and connections that have not authenticated in time, and forgets users who have
//! been gone for long.

use crate::connection_state::{AuthenticationProgress, ConnectionState};
use crate::cut::cut_for_good;
use crate::gateway::Gateway;
use contract::{Code, Refusal};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const EVERY: Duration = Duration::from_secs(1);
/// How much longer than presence lasts a user's rooms are remembered: until the contacts have been told.
const REMEMBER: Duration = Duration::from_secs(5);
/// How soon a connection is looked at again that is authenticating when its deadline passes.
const EXTENSION: Duration = Duration::from_secs(1);

impl Gateway {
    /// See the module; it never ends.
    pub(crate) async fn sweep(self: Arc<Self>) {
        let remember = self.settings.presence_linger + REMEMBER;
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.cut_unauthenticated(Instant::now());
            let refusal = Refusal::new(Code::Unauthenticated, "this token has run out; log in again");
            for transport in self.registry.take_expired(self.clock.now()) {
                cut_for_good(&*transport, &refusal);
            }
            if let Some(before) = Instant::now().checked_sub(remember) {
                self.registry.forget(before);
            }
        }
    }

    fn cut_unauthenticated(&self, now: Instant) {
        for key in self.authentication_deadlines.take_due(now) {
            let Some(conn) = self.conn(key) else { continue };
            match conn.state::<ConnectionState>().map(|state| state.authentication_progress()) {
                Some(AuthenticationProgress::NotBegun) => {
                    let detail = "nobody has authenticated on this socket in time; log in, then connect";
                    cut_for_good(&*conn, &Refusal::new(Code::Unauthenticated, detail));
                }
                // It is cut later, unless this try succeeds.
                Some(AuthenticationProgress::Pending) => self.authentication_deadlines.put(key, now + EXTENSION),
                Some(AuthenticationProgress::Settled) | None => {}
            }
        }
    }
}
