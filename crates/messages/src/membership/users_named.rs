//! Finds the users of names that a request gives.

use crate::service::Messages;
use contract::calls::users::UsersByName;
use contract::{Caller, Refusal, UserCaller, UserId, Username};
use std::collections::{HashMap, HashSet};

impl Messages {
    /// The users of these names, each once, in the order of the names; and the names of no user.
    pub(crate) async fn users_named(&self, who: &UserCaller, usernames: Vec<Username>) -> Result<(Vec<UserId>, Vec<Username>), Refusal> {
        let mut ids = HashMap::from([(who.username.clone(), who.id)]);
        let others: HashSet<Username> = usernames.iter().filter(|name| **name != who.username).cloned().collect();
        if !others.is_empty() {
            let call = UsersByName { usernames: others.into_iter().collect() };
            for user in self.bus.ask(&Caller::service("messages"), call).await? {
                self.names.learn(user.id, &user.username);
                ids.insert(user.username, user.id);
            }
        }
        let (mut named, mut subjects, mut unknown) = (HashSet::new(), Vec::new(), Vec::new());
        for username in usernames {
            if named.insert(username.clone()) {
                match ids.get(&username) {
                    Some(id) => subjects.push(*id),
                    None => unknown.push(username),
                }
            }
        }
        Ok((subjects, unknown))
    }
}
