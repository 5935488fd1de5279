//! One connection's own state: who it is, and what waits until that is known.

use crate::gateway::Gateway;
use crate::presence::Came;
use crate::registry::Key;
use crate::settings::{EVENTS_UNDER_WAY, HELD_BYTES};
use crate::under_way::UnderWay;
use contract::calls::users::Session;
use contract::{Refusal, User, UserCaller, UserId};
use edge::SocketSlot;
use socketio::Incoming;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// See the module. It must not hold the connection, which holds it.
pub(crate) struct Client {
    pub(crate) key: Key,
    /// The events of this connection that are being answered.
    pub(crate) under_way: Arc<UnderWay>,
    inner: Mutex<Inner>,
    /// See [`Gateway::kept`].
    _kept: Arc<()>,
}

struct Inner {
    phase: Phase,
    /// What CONNECT brought, until the connection is open.
    at_connect: Option<AtConnect>,
    /// The registry has a socket for this connection and user.
    entered: Option<UserId>,
    came: Option<Came>,
    /// Under the address's limit, as long as the connection lives; whatever still holds this state gives it back then. None for who was
    /// let in only to be told that there is none.
    place: Option<SocketSlot>,
}

/// What came of the `auth` of CONNECT.
pub(crate) enum AtConnect {
    /// Somebody, and from where on to replay.
    Proven(Proven, Option<String>),
    /// It could not be found out now; the connection is cut, and may come back.
    Failed(Refusal),
}

enum Phase {
    Nobody,
    /// What comes meanwhile waits, in order.
    Authenticating(Held),
    User(Arc<Known>),
    Gone,
}

/// Events that wait, within bounds.
#[derive(Default)]
struct Held {
    events: VecDeque<Incoming>,
    bytes: usize,
}

impl Held {
    /// Takes an event, or gives it back where too many wait.
    fn put(&mut self, event: Incoming) -> Result<(), Incoming> {
        let bytes = self.bytes + size(&event);
        if self.events.len() >= EVENTS_UNDER_WAY || bytes > HELD_BYTES && !self.events.is_empty() {
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

/// An authenticated user.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) caller: contract::Caller,
    pub(crate) user: UserCaller,
}

/// A user whose token has been checked, and up to which revocation that holds.
#[derive(Clone, Debug)]
pub(crate) struct Proven {
    pub(crate) session: Session,
    /// See [`crate::revoked::Revocations::mark`].
    pub(crate) asked_at: u64,
}

impl Proven {
    pub(crate) fn user(&self) -> &User {
        &self.session.user
    }

    fn known(&self) -> Arc<Known> {
        let user = UserCaller { id: self.session.user.id, username: self.session.user.username.clone(), token: self.session.token };
        Arc::new(Known { caller: contract::Caller::User(user.clone()), user })
    }
}

/// What to do with an event.
pub(crate) enum Turn {
    /// Answer it for this user.
    For(Arc<Known>, Incoming),
    /// Nobody is there yet.
    Unauthenticated(Incoming),
    /// It waits for its turn.
    Held,
    /// Too many wait.
    TooMany(Incoming),
    /// The connection is over.
    Gone,
}

/// A connection that may be over already.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gone;

impl Client {
    pub(crate) fn new(gateway: &Gateway, place: Option<SocketSlot>) -> Self {
        let inner = Inner { phase: Phase::Nobody, at_connect: None, entered: None, came: None, place };
        Self { key: gateway.key(), under_way: Arc::default(), inner: Mutex::new(inner), _kept: gateway.keep() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what came of CONNECT; events wait from now on.
    pub(crate) fn came_of_connect(&self, outcome: AtConnect) {
        let mut inner = self.lock();
        inner.at_connect = Some(outcome);
        inner.phase = Phase::Authenticating(Held::default());
    }

    /// What came of CONNECT, if it had an `auth`.
    pub(crate) fn take_at_connect(&self) -> Option<AtConnect> {
        self.lock().at_connect.take()
    }

    /// What to do with an event that has just come. With `authenticates` it begins an authentication where nobody is there yet.
    pub(crate) fn turn(&self, event: Incoming, authenticates: bool) -> Turn {
        let mut inner = self.lock();
        match &mut inner.phase {
            Phase::User(known) => Turn::For(Arc::clone(known), event),
            Phase::Authenticating(held) => match held.put(event) {
                Ok(()) => Turn::Held,
                Err(event) => Turn::TooMany(event),
            },
            Phase::Nobody => {
                if authenticates {
                    inner.phase = Phase::Authenticating(Held::default());
                }
                Turn::Unauthenticated(event)
            }
            Phase::Gone => Turn::Gone,
        }
    }

    /// The next event that waited; when none is left, the connection is the user's from here on.
    pub(crate) fn next_held(&self, proven: &Proven) -> Option<(Arc<Known>, Incoming)> {
        let mut inner = self.lock();
        let Phase::Authenticating(held) = &mut inner.phase else { return None };
        let next = held.next();
        let known = proven.known();
        if next.is_none() {
            inner.phase = Phase::User(Arc::clone(&known));
        }
        next.map(|event| (known, event))
    }

    /// The same after an authentication that failed; when none is left, nobody is there from here on.
    pub(crate) fn next_held_of_nobody(&self) -> Option<Incoming> {
        let mut inner = self.lock();
        let Phase::Authenticating(held) = &mut inner.phase else { return None };
        let next = held.next();
        if next.is_none() {
            inner.phase = Phase::Nobody;
        }
        next
    }

    /// From here on the connection is known by another token of the same user.
    pub(crate) fn renew(&self, proven: &Proven) {
        let mut inner = self.lock();
        if let Phase::User(known) = &mut inner.phase {
            *known = proven.known();
        }
    }

    /// Does what puts the connection into the registry, unless it is over; then it will be taken out again when it is.
    pub(crate) fn enter<T>(&self, user: UserId, enter: impl FnOnce() -> T) -> Result<T, Gone> {
        let mut inner = self.lock();
        if matches!(inner.phase, Phase::Gone) {
            return Err(Gone);
        }
        inner.entered = Some(user);
        Ok(enter())
    }

    /// Takes back [`Self::enter`]: the user to take out of the registry.
    pub(crate) fn retreat(&self) -> Option<UserId> {
        let mut inner = self.lock();
        inner.came = None;
        inner.entered.take()
    }

    /// Keeps the user online as long as the connection lives.
    pub(crate) fn came(&self, came: Came) -> Result<(), Gone> {
        let mut inner = self.lock();
        if matches!(inner.phase, Phase::Gone) {
            return Err(Gone);
        }
        inner.came = Some(came);
        Ok(())
    }

    /// The connection is over. The user to take out of the registry.
    pub(crate) fn gone(&self) -> Option<UserId> {
        let mut inner = self.lock();
        inner.phase = Phase::Gone;
        inner.at_connect = None;
        inner.came = None;
        inner.place = None;
        inner.entered.take()
    }

    /// Where a connection stands that must not stay unauthenticated.
    pub(crate) fn standing(&self) -> Standing {
        match self.lock().phase {
            Phase::Nobody => Standing::Nobody,
            Phase::Authenticating(_) => Standing::Authenticating,
            Phase::User(_) | Phase::Gone => Standing::Settled,
        }
    }

    /// Whose connection it is, for the log.
    pub(crate) fn username(&self) -> Option<String> {
        match &self.lock().phase {
            Phase::User(known) => Some(known.user.username.to_string()),
            _ => None,
        }
    }
}

/// See [`Client::standing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody is there.
    Nobody,
    /// Somebody is being authenticated.
    Authenticating,
    /// Somebody is there, or the connection is over.
    Settled,
}
