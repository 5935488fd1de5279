//! The service itself: what it holds, how it starts, and which calls it answers.

use crate::cache::Cache;
use crate::hashing::Hashing;
use crate::jwt::Jwt;
use crate::presence_writer::{self, Presence};
use crate::settings::{CannotStart, Mode, Registration, Settings};
use crate::store::{Credential, Identity, NewUser, Store};
use crate::token::Hash;
use bus::Bus;
use contract::calls::users as calls;
use contract::calls::users::Session;
use contract::{Clock, Refusal, TokenId, User, UserId};
use db::{Coalescer, Db};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use vital::Vital;

/// Most sessions, and most users, in the caches (about 3 MB each). Every REST call authenticates, and every page of messages names senders.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// Most bytes, in each cache, of what these users say beside their names: 1.6 KB for each, which is metadata of 400 bytes.
const REMEMBERED_BYTES: usize = 16 * 1024 * 1024;

/// Most lookups that share a snapshot. Each takes some 10 microseconds, and no caller should wait long for the others.
const LOOKUPS: usize = 64;

/// How many such snapshots there may be at a time: readers do other things too.
const LOOKING: usize = 2;

/// Most users who are created in one transaction: on SQLite other writes, the messages too, wait for it.
const CREATIONS: usize = 256;

/// The users service.
pub struct Users {
    pub(crate) store: Store,
    pub(crate) db: Db,
    pub(crate) bus: Bus,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) hashing: Hashing,
    pub(crate) jwt: Option<Jwt>,
    pub(crate) sessions: Cache<TokenId, Known>,
    pub(crate) known: Cache<UserId, User>,
    /// Look-ups of credentials, joined.
    pub(crate) lookups: Coalescer<Credential, Identity>,
    /// Creations of users who come for the first time and have no password, joined.
    pub(crate) creations: Coalescer<NewUser, bool>,
    pub(crate) presence: Presence,
    pub(crate) vital: Vital,
}

/// A session in the cache, with the hash of the whole token that was found valid, signature included.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) whole: Hash,
    pub(crate) session: Session,
    /// Of a host application's token: the set of keys by which its signature was found good ([`Jwt::generation`]).
    pub(crate) keys: Option<u64>,
}

impl Users {
    /// Makes the service over a database that has [`crate::MIGRATIONS`]. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// A setting that cannot be, a key file that cannot be read, a mode that lacks its keys: a line that names the setting.
    pub fn new(db: Db, bus: Bus, settings: Settings, clock: Clock) -> Result<Arc<Self>, CannotStart> {
        if !(1..=3_650).contains(&settings.token_days) {
            return Err(CannotStart(format!("auth.token_days is {}: it must be a number of days from 1 to 3650", settings.token_days)));
        }
        let jwt = settings.mode.takes_jwt().then(|| Jwt::new(&settings.jwt)).transpose()?;
        let hashing = Hashing::start(settings.hashing).map_err(CannotStart)?;
        let store = Store::new(db.clone());
        let presence = presence_writer::start(store.clone(), bus.clone(), clock.clone());
        let looking = store.clone();
        let lookups = Coalescer::start(LOOKING, LOOKUPS, move |credentials| {
            let store = looking.clone();
            async move { store.look_up(credentials).await }
        });
        let creating = store.clone();
        let creations = Coalescer::start(1, CREATIONS, move |new| {
            let store = creating.clone();
            async move { store.create_all(new).await }
        });
        let sessions = Cache::new(REMEMBERED, REMEMBERED_BYTES, |known: &Known| said(&known.session.user));
        let (known, vital) = (Cache::new(REMEMBERED, REMEMBERED_BYTES, said), Vital::new());
        Ok(Arc::new(Self { store, db, bus, settings, clock, hashing, jwt, sessions, known, lookups, creations, presence, vital }))
    }

    /// Whether this database may be served in this mode: `open` never serves one that holds passwords, because anybody could be anybody.
    ///
    /// # Errors
    /// Why not, for the operator.
    pub async fn start_check(&self) -> Result<(), CannotStart> {
        if self.settings.mode != Mode::Open {
            return Ok(());
        }
        match self.store.holds_passwords().await {
            Ok(false) => {
                tracing::warn!("auth.mode is open: everybody can be anybody here. For demos and tests only");
                Ok(())
            }
            Ok(true) => Err(CannotStart(
                "auth.mode is open, but this database holds users with passwords, and anybody could log in as them: use mode password, \
                 or another database (database.url)"
                    .into(),
            )),
            Err(error) => Err(CannotStart(format!("the users cannot be read: {error}"))),
        }
    }

    /// Registers every call that the service answers.
    pub fn serve(self: &Arc<Self>, bus: &Bus) {
        bus.serve::<calls::Login, _>(self)
            .serve::<calls::Logout, _>(self)
            .serve::<calls::Authenticate, _>(self)
            .serve::<calls::AuthenticateOpen, _>(self)
            .serve::<calls::WhichEnded, _>(self)
            .serve::<calls::Me, _>(self)
            .serve::<calls::ChangeProfile, _>(self)
            .serve::<calls::ChangePassword, _>(self)
            .serve::<calls::GetUser, _>(self)
            .serve::<calls::GetUsers, _>(self)
            .serve::<calls::ListUsers, _>(self)
            .serve::<calls::ListOnline, _>(self)
            .serve::<calls::UsersById, _>(self)
            .serve::<calls::UsersByName, _>(self)
            .serve::<calls::SetPresence, _>(self)
            .serve::<calls::RenewLease, _>(self)
            .serve::<calls::EndLease, _>(self);
    }

    /// What this service cannot do without.
    pub fn vital(&self) -> Vital {
        self.vital.clone()
    }

    /// Reads the keys of `auth.jwt.…` again, from their files and their address, without waiting for the next time.
    pub async fn reload_keys(&self) {
        if let Some(jwt) = &self.jwt {
            jwt.reload().await;
        }
    }

    /// How long a token is valid that a login gives.
    pub(crate) fn token_lifetime(&self) -> Duration {
        Duration::from_secs(u64::from(self.settings.token_days) * 86_400)
    }

    pub(crate) fn may_register(&self) -> bool {
        self.settings.registration == Registration::Open
    }

    /// Removes a user who has changed from the caches; `keep` is a session that stays valid.
    pub(crate) fn forget_user(&self, user: UserId, keep: Option<TokenId>) {
        self.known.forget(&user);
        self.sessions.forget_where(|token, known| known.session.user.id == user && Some(*token) != keep);
    }
}

/// About how many bytes of memory a user's status and metadata take. A small value takes more in memory than as text.
fn said(user: &User) -> usize {
    user.status.as_ref().map_or(0, |status| status.as_str().len()) + user.metadata.as_ref().map_or(0, |metadata| 4 * metadata.bytes())
}

/// What a list is given as `after`: the username that was its `next`.
///
/// # Errors
/// `invalid_request` for anything else.
pub(crate) fn after(after: Option<String>) -> Result<String, Refusal> {
    match after {
        None => Ok(String::new()),
        Some(text) => match contract::Username::try_from(text) {
            Ok(username) => Ok(username.into()),
            Err(_) => Err(Refusal::invalid("after", "after: pass the `next` of the page before")),
        },
    }
}
