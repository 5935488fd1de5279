//! Users who were named together.

use crate::once::Once;
use crate::request_context::RequestContext;
use contract::calls::users::GetUsers;
use contract::{Refusal, User, Username};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// How many names a service is asked about at once (the calls' own bound).
const AT_ONCE: usize = 1_000;

/// Users who were named together.
#[derive(Default)]
pub(crate) struct UserBatch {
    names: BTreeSet<Username>,
    users: Once<Arc<HashMap<Username, User>>>,
}

impl UserBatch {
    pub(crate) fn new(names: impl IntoIterator<Item = Username>) -> Arc<Self> {
        Arc::new(Self { names: names.into_iter().collect(), users: Once::new() })
    }

    /// One of them, with `online`.
    pub(crate) async fn user(&self, context: &RequestContext, name: &Username) -> Result<User, Refusal> {
        let ask = || async {
            let mut users = HashMap::with_capacity(self.names.len());
            let names: Vec<&Username> = self.names.iter().collect();
            for names in names.chunks(AT_ONCE) {
                let usernames = names.iter().map(|name| (*name).clone()).collect();
                let some = context.ask(GetUsers { usernames }).await?;
                users.extend(some.into_iter().map(|user| (user.username.clone(), user)));
            }
            Ok(Arc::new(users))
        };
        let users = self.users.get_or_init(ask).await.clone()?;
        users.get(name).cloned().ok_or_else(|| Refusal::not_found("no such user").about("username"))
    }
}
