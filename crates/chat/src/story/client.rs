//! A client that keeps an account of what it got, and proves it against the log.

use super::Tally;
use super::fake::{EPOCH, LogPosition, Shared};
use super::random::Random;
use crate::authenticated_user::VerifiedSession;
use crate::client_cursor;
use crate::connection_state::ConnectionState;
use crate::gateway::Gateway;
use crate::resume::{Resume, Stop};
use crate::transport::Transport;
use contract::calls::users::Session;
use contract::{Cursor, Time, TokenId, User};
use futures_util::future::BoxFuture;
use serde_json::Value;
use socketio::{Frame, SendError};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The transport to a client that takes what is queued only now and then.
#[derive(Default)]
struct Queue {
    most: usize,
    state: Mutex<State>,
    closed: AtomicBool,
    failed: AtomicBool,
}

#[derive(Default)]
struct State {
    queued: usize,
    got: Vec<String>,
}

impl Transport for Queue {
    fn id(&self) -> &str {
        "test"
    }

    fn send(&self, frame: &Frame) -> Result<(), SendError> {
        let mut state = self.state.lock().unwrap();
        if self.closed.load(Ordering::SeqCst) {
            return Err(SendError::Closed);
        }
        if state.queued >= self.most {
            return Err(SendError::Full);
        }
        state.queued += 1;
        state.got.push(frame.as_str().to_owned());
        Ok(())
    }

    fn close(&self, _: &'static str) {
        self.closed.store(true, Ordering::SeqCst);
    }

    fn hang_up(&self, reason: &'static str) {
        self.close(reason);
    }

    fn abort(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    fn behind(&self) -> usize {
        self.state.lock().unwrap().queued
    }

    fn drained(&self, bytes: usize) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            while self.behind() > bytes {
                tokio::time::sleep(Duration::from_millis(3)).await;
                self.state.lock().unwrap().queued /= 2;
            }
            !self.closed.load(Ordering::SeqCst)
        })
    }
}

pub(super) struct Sim {
    pub(super) index: usize,
    user: User,
    cursor: Option<String>,
    state: Arc<ConnectionState>,
    queue: Arc<Queue>,
    task: tokio::task::JoinHandle<()>,
}

/// What a client has got, read.
struct Account {
    /// Where the durable events stand in the log, and the cursor that came with each.
    got: Vec<(LogPosition, Vec<i64>)>,
    /// How many came before `ready`, its cursor, and whether it said that the client's own was taken up.
    ready: Option<(usize, Vec<i64>, bool)>,
    resync: Option<Vec<i64>>,
    last_cursor: Option<String>,
}

impl Sim {
    pub(super) fn connect(gateway: &Arc<Gateway>, (index, user): (usize, User), cursor: Option<String>, narrow: bool) -> Self {
        let state = Arc::new(ConnectionState::new(gateway.next_key(), gateway.keep(), None));
        let queue = Arc::new(Queue { most: if narrow { 6 } else { 100_000 }, ..Queue::default() });
        let session = Session { user: user.clone(), token: token(index), expires_at: Time(i64::MAX) };
        let verified = VerifiedSession { session, revocation_mark: gateway.revocations.mark() };
        let resume = Resume { gateway: Arc::clone(gateway), user: user.clone(), key: state.key, transport: queue.clone() };
        let (registering, transport, shown) = (Arc::clone(&state), Arc::clone(&queue), cursor.clone());
        let task = tokio::spawn(async move {
            let registered = resume.gateway.register(&registering, &verified, transport.clone()).await;
            let done = match registered {
                Ok(()) => resume.run(shown).await,
                Err(refusal) => Err(Stop::Failed(refusal)),
            };
            if done.is_err() {
                transport.failed.store(true, Ordering::SeqCst);
                transport.abort();
            }
        });
        Self { index, user, cursor, state, queue, task }
    }

    /// The token by which it lives.
    pub(super) fn token(&self) -> TokenId {
        token(self.index)
    }

    /// The network takes some of what is queued.
    pub(super) fn take(&self, random: &mut Random) {
        if random.one_in(2) {
            self.queue.state.lock().unwrap().queued = 0;
        }
    }

    /// Whether the connection was cut.
    pub(super) fn is_over(&self) -> bool {
        self.queue.closed.load(Ordering::SeqCst)
    }

    /// The events that came.
    pub(super) fn events(&self) -> Vec<(String, Value)> {
        self.queue.state.lock().unwrap().got.iter().map(|text| event(text)).collect()
    }

    /// The names of the events that came.
    pub(super) fn names(&self) -> Vec<String> {
        self.queue.state.lock().unwrap().got.iter().map(|text| event(text).0).collect()
    }

    /// Goes away. What it got was its own, in order, from its cursor on, without a gap; the cursors that it saw are handed back.
    pub(super) fn disconnect(self, gateway: &Gateway, world: &Shared, tally: &mut Tally) -> Option<String> {
        let account = self.account(world);
        let (from, resumed) = self.started(&account);
        if let Some(from) = &from {
            let heard = world.lock().unwrap().heard_by(self.user.id, from);
            for (count, (_, cursor)) in (1..).zip(&account.got) {
                // Each cursor stands for exactly what has come with and before it.
                let expected: Vec<_> = heard.iter().filter(|place| is_within(place, cursor)).copied().collect();
                let got: Vec<_> = account.got.iter().take(count).map(|(place, _)| *place).collect();
                assert_eq!(by_partition(got), by_partition(expected), "after {count} events, at {cursor:?}");
            }
        } else {
            assert!(account.got.is_empty(), "nothing comes before ready without a cursor");
        }
        if let Some((before, at, said)) = &account.ready {
            assert_eq!(*said, resumed, "ready says whether the cursor was taken up");
            let (missed, live) = account.got.split_at(*before);
            assert!(missed.iter().all(|(place, _)| is_within(place, at)), "{missed:?} before ready at {at:?}");
            assert!(live.iter().all(|(place, _)| !is_within(place, at)), "{live:?} after ready at {at:?}");
            let all = world.lock().unwrap().heard_by(self.user.id, from.as_ref().unwrap_or(at));
            assert_eq!(all.iter().filter(|place| is_within(place, at)).count(), missed.len(), "ready comes after all that was missed");
        }
        match account.ready {
            _ if self.is_over() => tally.cut += 1,
            Some((_, _, true)) => tally.resumed += 1,
            Some(_) if account.resync.is_some() => tally.resynced += 1,
            Some(_) => tally.fresh += 1,
            None => {}
        }
        self.queue.closed.store(true, Ordering::SeqCst);
        gateway.take_out(self.state.key, self.state.close());
        account.last_cursor
    }

    /// A client that is still there has got everything.
    pub(super) fn must_be_complete(&self, world: &Shared) {
        assert!(self.task.is_finished() && !self.queue.failed.load(Ordering::SeqCst), "it became live");
        let account = self.account(world);
        let from = self.started(&account).0.expect("it is ready");
        let got: Vec<_> = account.got.into_iter().map(|(place, _)| place).collect();
        assert_eq!(by_partition(got), by_partition(world.lock().unwrap().heard_by(self.user.id, &from)));
    }

    /// What came before `ready`, to a client that came when all was quiet, came in the order of commits over all partitions. How often it went
    /// from one partition to another; none for a client that was not served from its own cursor.
    pub(super) fn must_be_in_order(&self, world: &Shared) -> Option<usize> {
        let account = self.account(world);
        let (from, true) = self.started(&account) else { return None };
        let (before, _, _) = account.ready?;
        let got: Vec<_> = account.got.iter().take(before).map(|(place, _)| *place).collect();
        assert_eq!(got, world.lock().unwrap().heard_by(self.user.id, &from?));
        Some(got.windows(2).filter(|two| two[0].0 != two[1].0).count())
    }

    /// After which positions it is to hear everything, and whether its own cursor was taken up.
    fn started(&self, account: &Account) -> (Option<Vec<i64>>, bool) {
        if let Some(at) = &account.resync {
            return (Some(at.clone()), false);
        }
        match self.cursor.as_deref().map(|cursor| Cursor::parse(client_cursor::parse(cursor).0).map(|cursor| cursor.positions)) {
            Some(Some(shown)) => (Some(shown), true),
            Some(None) => (None, false),
            None => (account.ready.as_ref().map(|(_, at, _)| at.clone()), false),
        }
    }

    fn account(&self, world: &Shared) -> Account {
        let mut account = Account { got: Vec::new(), ready: None, resync: None, last_cursor: None };
        for text in &self.queue.state.lock().unwrap().got {
            let (name, payload) = event(text);
            let Some(cursor) = payload["cursor"].as_str() else { continue };
            let parsed = Cursor::parse(client_cursor::parse(cursor).0).unwrap();
            assert_eq!(parsed.epoch, EPOCH);
            account.last_cursor = Some(cursor.to_owned());
            let at = parsed.positions;
            match name.as_str() {
                "ready" => {
                    assert!(account.ready.is_none(), "ready comes once");
                    account.ready = Some((account.got.len(), at, payload["resumed"].as_bool().unwrap()));
                }
                "resync" => {
                    assert!(account.ready.is_none() && account.resync.is_none() && account.got.is_empty());
                    account.resync = Some(at);
                }
                _ => {
                    let (place, sender) = world.lock().unwrap().place_of(self.user.id, &payload);
                    assert_eq!(payload.get("nonce").is_some(), sender == Some(self.user.id), "a nonce is its sender's");
                    account.got.push((place, at));
                }
            }
        }
        account
    }
}

/// One partition after the other, each in its own order: live events of several partitions have no order among each other.
fn by_partition(mut places: Vec<LogPosition>) -> Vec<LogPosition> {
    places.sort_by_key(|(part, _)| *part);
    places
}

/// Whether a cursor of these positions covers a position of the log.
fn is_within((part, position): &LogPosition, positions: &[i64]) -> bool {
    *position <= positions[usize::from(*part)]
}

/// The token of this user.
fn token(index: usize) -> TokenId {
    TokenId::from_bytes([index as u8; 16])
}

/// A packet's event and payload.
fn event(text: &str) -> (String, Value) {
    let (name, payload): (String, Value) = serde_json::from_str(text.strip_prefix('2').unwrap()).unwrap();
    (name, payload)
}
