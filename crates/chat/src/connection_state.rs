//! One connection's own state: whose it is, and the events that wait until that is known.

use crate::authenticated_user::{AuthenticatedUser, VerifiedSession};
use crate::in_flight::InFlight;
use crate::presence::PresenceGuard;
use crate::registry::Key;
use crate::settings::{EVENTS_IN_FLIGHT, HELD_BYTES};
use contract::{Refusal, UserId};
use edge::SocketSlot;
use socketio::Incoming;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// See the module. It must not hold the connection, which holds it.
pub(crate) struct ConnectionState {
    pub(crate) key: Key,
    /// The events of this connection that are being answered.
    pub(crate) in_flight: Arc<InFlight>,
    inner: Mutex<Inner>,
    /// See [`crate::gateway::Gateway::kept`].
    _kept: Arc<()>,
}

struct Inner {
    authentication: Authentication,
    /// What came of the `auth` of CONNECT, until the connection is open.
    connect_outcome: Option<ConnectOutcome>,
    /// Whose socket the registry has for this connection.
    registered: Option<UserId>,
    presence: Option<PresenceGuard>,
    /// Counts under the address's limit; given back as soon as the connection is over, whatever still holds this state. None for a
    /// connection that was let in only to be told that the address has no slot left.
    slot: Option<SocketSlot>,
}

/// What came of the `auth` of CONNECT.
pub(crate) enum ConnectOutcome {
    /// The session, and the cursor to replay from.
    Verified(VerifiedSession, Option<String>),
    /// The check failed for now; the connection is cut, and may come back.
    Failed(Refusal),
}

enum Authentication {
    Unauthenticated,
    /// Events that come meanwhile wait, in order.
    Pending(HeldEvents),
    Authenticated(Arc<AuthenticatedUser>),
    /// The connection is over.
    Closed,
}

/// Events that wait, within bounds.
#[derive(Default)]
struct HeldEvents {
    events: VecDeque<Incoming>,
    bytes: usize,
}

impl HeldEvents {
    /// Takes an event, or gives it back where too many wait.
    fn put(&mut self, event: Incoming) -> Result<(), Incoming> {
        let bytes = self.bytes + size(&event);
        if self.events.len() >= EVENTS_IN_FLIGHT || bytes > HELD_BYTES && !self.events.is_empty() {
            return Err(event);
        }
        self.bytes = bytes;
        self.events.push_back(event);
        Ok(())
    }

    fn next(&mut self) -> Option<Incoming> {
        let event = self.events.pop_front()?;
        self.bytes -= size(&event);
        Some(event)
    }
}

/// Bytes that holding an event costs, roughly.
fn size(event: &Incoming) -> usize {
    event.name.len() + event.args.iter().map(|arg| arg.get().len()).sum::<usize>()
}

/// What to do with an event.
pub(crate) enum EventRoute {
    /// Answer it for this user.
    Answer(Arc<AuthenticatedUser>, Incoming),
    /// Nobody has authenticated.
    Unauthenticated(Incoming),
    /// It waits until the authentication is done.
    Held,
    /// Too many wait.
    TooMany(Incoming),
    /// The connection is over.
    Closed,
}

/// The connection is over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConnectionClosed;

impl ConnectionState {
    /// The state of a new connection; `kept` is a clone of [`crate::gateway::Gateway::keep`].
    pub(crate) fn new(key: Key, kept: Arc<()>, slot: Option<SocketSlot>) -> Self {
        let authentication = Authentication::Unauthenticated;
        let inner = Inner { authentication, connect_outcome: None, registered: None, presence: None, slot };
        Self { key, in_flight: Arc::default(), inner: Mutex::new(inner), _kept: kept }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what came of CONNECT; events wait from now on.
    pub(crate) fn set_connect_outcome(&self, outcome: ConnectOutcome) {
        let mut inner = self.lock();
        inner.connect_outcome = Some(outcome);
        inner.authentication = Authentication::Pending(HeldEvents::default());
    }

    /// What came of CONNECT, if it had an `auth`.
    pub(crate) fn take_connect_outcome(&self) -> Option<ConnectOutcome> {
        self.lock().connect_outcome.take()
    }

    /// What to do with an event that has just come. Where nobody has authenticated, an event that `authenticates` begins to.
    pub(crate) fn route(&self, event: Incoming, authenticates: bool) -> EventRoute {
        let mut inner = self.lock();
        match &mut inner.authentication {
            Authentication::Authenticated(user) => EventRoute::Answer(Arc::clone(user), event),
            Authentication::Pending(held) => match held.put(event) {
                Ok(()) => EventRoute::Held,
                Err(event) => EventRoute::TooMany(event),
            },
            Authentication::Unauthenticated => {
                if authenticates {
                    inner.authentication = Authentication::Pending(HeldEvents::default());
                }
                EventRoute::Unauthenticated(event)
            }
            Authentication::Closed => EventRoute::Closed,
        }
    }

    /// The next event that waited. When none is left, the connection is the user's from here on.
    pub(crate) fn next_held(&self, verified: &VerifiedSession) -> Option<(Arc<AuthenticatedUser>, Incoming)> {
        let mut inner = self.lock();
        let Authentication::Pending(held) = &mut inner.authentication else { return None };
        let next = held.next();
        let user = verified.authenticated_user();
        if next.is_none() {
            inner.authentication = Authentication::Authenticated(Arc::clone(&user));
        }
        next.map(|event| (user, event))
    }

    /// The same after an authentication that failed. When none is left, the connection is unauthenticated again.
    pub(crate) fn next_held_unauthenticated(&self) -> Option<Incoming> {
        let mut inner = self.lock();
        let Authentication::Pending(held) = &mut inner.authentication else { return None };
        let next = held.next();
        if next.is_none() {
            inner.authentication = Authentication::Unauthenticated;
        }
        next
    }

    /// From here on the connection belongs to another token of the same user.
    pub(crate) fn renew(&self, verified: &VerifiedSession) {
        let mut inner = self.lock();
        if let Authentication::Authenticated(user) = &mut inner.authentication {
            *user = verified.authenticated_user();
        }
    }

    /// Registers the connection by `register`, unless it is over. [`Self::close`] says then that it has to be taken out again.
    pub(crate) fn register<T>(&self, user: UserId, register: impl FnOnce() -> T) -> Result<T, ConnectionClosed> {
        let mut inner = self.lock();
        if matches!(inner.authentication, Authentication::Closed) {
            return Err(ConnectionClosed);
        }
        inner.registered = Some(user);
        Ok(register())
    }

    /// Undoes [`Self::register`]: the user whose socket has to be taken out of the registry.
    pub(crate) fn unregister(&self) -> Option<UserId> {
        let mut inner = self.lock();
        inner.presence = None;
        inner.registered.take()
    }

    /// Keeps the user online as long as the connection lives.
    pub(crate) fn keep_online(&self, presence: PresenceGuard) -> Result<(), ConnectionClosed> {
        let mut inner = self.lock();
        if matches!(inner.authentication, Authentication::Closed) {
            return Err(ConnectionClosed);
        }
        inner.presence = Some(presence);
        Ok(())
    }

    /// The connection is over: the user whose socket has to be taken out of the registry.
    pub(crate) fn close(&self) -> Option<UserId> {
        let mut inner = self.lock();
        inner.authentication = Authentication::Closed;
        inner.connect_outcome = None;
        inner.presence = None;
        inner.slot = None;
        inner.registered.take()
    }

    /// How far the authentication has come.
    pub(crate) fn authentication_progress(&self) -> AuthenticationProgress {
        match self.lock().authentication {
            Authentication::Unauthenticated => AuthenticationProgress::NotBegun,
            Authentication::Pending(_) => AuthenticationProgress::Pending,
            Authentication::Authenticated(_) | Authentication::Closed => AuthenticationProgress::Settled,
        }
    }

    /// Whose connection it is, for the log.
    pub(crate) fn username(&self) -> Option<String> {
        match &self.lock().authentication {
            Authentication::Authenticated(user) => Some(user.identity.username.to_string()),
            _ => None,
        }
    }
}

/// See [`ConnectionState::authentication_progress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthenticationProgress {
    /// Nobody has tried, or the last try failed.
    NotBegun,
    /// A token is being checked.
    Pending,
    /// A user is authenticated, or the connection is over.
    Settled,
}
