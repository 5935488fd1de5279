//! Usernames of user ids: the log holds ids, clients see names. A username never changes, so a cached one stays true. The cache is bounded.

use bus::Bus;
use contract::calls::users::UsersById;
use contract::{Caller, Refusal, UserId, UserRef, Username};
use lru::LruCache;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Most names in the cache; some 150 bytes each.
const ENTRIES: usize = 100_000;

/// Most users that `UsersById` takes.
const AT_ONCE: usize = 1_000;

/// Usernames by id.
#[derive(Clone)]
pub(crate) struct Names {
    bus: Bus,
    known: Arc<Mutex<LruCache<UserId, Username>>>,
}

impl Names {
    pub(crate) fn new(bus: Bus) -> Self {
        Self { bus, known: Arc::new(Mutex::new(LruCache::unbounded())) }
    }

    /// Caches a name that came with a request.
    pub(crate) fn learn(&self, id: UserId, username: &Username) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(&id).is_none() {
            known.put(id, username.clone());
            if known.len() > ENTRIES {
                known.pop_lru();
            }
        }
    }

    /// The names of these users.
    ///
    /// # Errors
    /// The users service's refusal; `internal` if an id has no user.
    pub(crate) async fn of(&self, ids: HashSet<UserId>) -> Result<ResolvedNames, Refusal> {
        let mut found = HashMap::with_capacity(ids.len());
        let mut missing = Vec::new();
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            for id in ids {
                match known.get(&id) {
                    Some(username) => _ = found.insert(id, username.clone()),
                    None => missing.push(id),
                }
            }
        }
        for ids in missing.chunks(AT_ONCE) {
            for user in self.bus.ask(&Caller::service("messages"), UsersById { ids: ids.to_vec(), brief: true }).await? {
                self.learn(user.id, &user.username);
                found.insert(user.id, user.username);
            }
        }
        Ok(ResolvedNames(found))
    }
}

/// The names of a set of users.
pub(crate) struct ResolvedNames(HashMap<UserId, Username>);

impl ResolvedNames {
    /// The name of one of these users.
    ///
    /// # Errors
    /// `internal`: the log names a user whom the users service does not know.
    pub(crate) fn name(&self, id: UserId) -> Result<Username, Refusal> {
        self.0.get(&id).cloned().ok_or_else(|| edge::incident(&format!("user {id} is in the log and unknown to the users service")))
    }

    /// The same with the id.
    pub(crate) fn user(&self, id: UserId) -> Result<UserRef, Refusal> {
        Ok(UserRef { id, username: self.name(id)? })
    }
}
