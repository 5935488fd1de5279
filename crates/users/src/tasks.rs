//! The tasks that run beside the calls.

use crate::jwt::Jwt;
use crate::service::Users;
use crate::{sweep, watch};
use std::sync::Arc;
use tokio::task::JoinSet;

impl Users {
    /// Starts the tasks that run beside the calls: they notice changes from outside, end dead gateways and remove expired tokens. They run
    /// until the set is dropped.
    pub fn start(self: &Arc<Self>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let vital = &self.vital;
        tasks.spawn(vital.keep("the watch for changes of users from outside", watch::foreign_writes(Arc::clone(self))));
        // Subscribed before the task runs, so that no hint from here on is missed.
        let others = watch::others(Arc::clone(self), self.bus.subscribe(), self.bus.subscribe());
        tasks.spawn(vital.keep("the watch for changes of users by other processes", others));
        tasks.spawn(vital.keep("the sweep of dead gateways", sweep::dead_gateways(Arc::clone(self))));
        tasks.spawn(vital.keep("the count of who is online", sweep::online(Arc::clone(self))));
        tasks.spawn(vital.keep("the sweep of expired tokens", sweep::expired_tokens(Arc::clone(self))));
        if self.jwt.as_ref().is_some_and(Jwt::has_sources) {
            tasks.spawn(vital.keep("the refresh of the keys of auth.jwt", watch::keys(Arc::clone(self))));
        }
        tasks
    }
}
