//! Users' own state: a user's sockets are told of every change of it.
//!
//! A batch of the log says whose value has changed under which key. The value is read, and so it is the newest, in whatever order the batches of two
//! partitions come. It is told before the entries of the batch: whoever has a cursor has been told of what changed before it.
//!
//! Changes are counted in each partition. Where a number is missing, the keys that have changed since are read from the database, as the log is.

use crate::cut::{FORGOTTEN, cut_slow, tell_why};
use crate::encode::frame;
use crate::registry::{Applied, Registry};
use bus::Bus;
use contract::calls::state::{ChangedKeys, STATES_AT_ONCE, StateEnds, StateKeysAfter, StatesNow};
use contract::hint::Revoked;
use contract::log::Batch;
use contract::wire::{StateChanged, server};
use contract::{Caller, Refusal, StateKey, UserId};
use std::sync::{Arc, Mutex, PoisonError};

/// How many keys are read at once.
const PAGE: u16 = 1_000;

/// See the module.
pub(crate) struct OwnState {
    bus: Bus,
    who: Caller,
    registry: Arc<Registry>,
    /// The number of the last change that was told, for each partition. Empty until the messages service has told its own: one of a version
    /// before does not know of it.
    ends: Mutex<Vec<i64>>,
}

impl OwnState {
    pub(crate) fn new(bus: Bus, who: Caller, registry: Arc<Registry>) -> Self {
        Self { bus, who, registry, ends: Mutex::default() }
    }

    /// The numbers of the last changes in the database; none if the messages service does not know of them, as one of a version before.
    ///
    /// # Errors
    /// They are known to be counted, and cannot be read now.
    pub(crate) async fn find_ends(&self) -> Result<Option<Vec<i64>>, Refusal> {
        match self.bus.ask(&self.who, StateEnds {}).await {
            Ok(ends) => Ok(Some(ends)),
            Err(refusal) if self.is_counted() => Err(refusal),
            Err(_) => Ok(None),
        }
    }

    /// Everything up to these numbers is told, or is for nobody who is here.
    pub(crate) fn begin(&self, ends: Vec<i64>) {
        *self.ends.lock().unwrap_or_else(PoisonError::into_inner) = ends;
    }

    /// Tells of what a batch has changed, and of what was not heard of before it.
    ///
    /// # Errors
    /// Something could not be read; then nothing of it counts as told.
    pub(crate) async fn hear(&self, batch: &Batch) -> Result<(), Refusal> {
        let Some(state) = &batch.state else { return Ok(()) };
        let (partition, told) = (batch.partition, self.end(batch.partition));
        if state.end <= told {
            return Ok(());
        }
        if state.before() != told {
            return self.read(batch.epoch, partition).await;
        }
        self.tell((partition, batch.last), &state.keys).await?;
        self.set_end(partition, state.end);
        Ok(())
    }

    /// Tells of what has changed up to these numbers and was not heard of.
    ///
    /// # Errors
    /// As [`Self::hear`].
    pub(crate) async fn reach(&self, epoch: u64, ends: &[i64]) -> Result<(), Refusal> {
        for (partition, end) in (0..).zip(ends) {
            if *end > self.end(partition) {
                self.read(epoch, partition).await?;
            }
        }
        Ok(())
    }

    /// Tells of everything that has changed by now and was not heard of.
    ///
    /// # Errors
    /// As [`Self::hear`].
    pub(crate) async fn catch_up(&self, epoch: u64, partition: u16) -> Result<(), Refusal> {
        if self.is_counted() { self.read(epoch, partition).await } else { Ok(()) }
    }

    async fn read(&self, epoch: u64, partition: u16) -> Result<(), Refusal> {
        loop {
            let after = self.end(partition);
            let call = StateKeysAfter { epoch, partition, after, limit: PAGE };
            let ChangedKeys { keys, forgotten, end, position, more } = self.bus.ask(&self.who, call).await?;
            self.tell((partition, position), &keys).await?;
            self.send_back((partition, position), &forgotten);
            self.set_end(partition, end);
            if !more || end <= after {
                return Ok(());
            }
        }
    }

    /// Tells those who are here of the values under these keys, which have changed at this place of the log or before it.
    async fn tell(&self, place: (u16, i64), keys: &[(UserId, StateKey)]) -> Result<(), Refusal> {
        let keys = self.registry.note_own_changes(place, keys);
        for keys in keys.chunks(STATES_AT_ONCE) {
            let values = self.bus.ask(&self.who, StatesNow { keys: keys.to_vec() }).await?;
            let mut applied = Applied::default();
            for (user, now) in values {
                if let Some(frame) = frame(server::STATE_CHANGED, &StateChanged::from(now)) {
                    self.registry.push_to_user(user, &frame, &mut applied);
                }
            }
            for transport in applied.slow {
                cut_slow(&*transport);
            }
        }
        Ok(())
    }

    /// Cuts the sockets of users who have missed what cannot be told any more. Their cursors lie before it, so they hear that they have to read
    /// everything anew.
    fn send_back(&self, place: (u16, i64), users: &[UserId]) {
        let refusal = Refusal::busy("what has changed of your own state cannot be told any more; reconnect");
        for user in users {
            self.registry.note_own_change(*user, place);
            for transport in self.registry.take_revoked(&Revoked::User { user: *user, except: None }) {
                tell_why(&*transport, &refusal);
                transport.hang_up(FORGOTTEN);
            }
        }
    }

    fn is_counted(&self) -> bool {
        !self.ends.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn end(&self, partition: u16) -> i64 {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.get(usize::from(partition)).copied().unwrap_or(0)
    }

    fn set_end(&self, partition: u16, end: i64) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let partition = usize::from(partition);
        if ends.len() <= partition {
            ends.resize(partition + 1, 0);
        }
        if let Some(told) = ends.get_mut(partition) {
            *told = end.max(*told);
        }
    }
}
