//! Delivery: one task takes the log's batches in the order of their positions and fans each entry out to the sockets that it is for.
//!
//! A batch is a hint. One that begins where the last one ended is delivered at once. One that is known already is dropped. One that comes
//! before the batch that it follows on (two servers publish side by side) waits a moment for it. The log is read instead where a batch is
//! missing, or where a partition has been silent for two seconds and the database knows more of it. So a lost hint costs time, never an
//! event. Nothing is awaited between the entries of a batch, so that the entries of one commit share the writes to a socket. What a batch
//! has changed of users' own state is told before its entries ([`OwnState`]).

use crate::cut::{NEW_EPOCH, cut_slow, tell_why};
use crate::own_state::OwnState;
use crate::registry::{Applied, Registry};
use crate::reorder_buffer::ReorderBuffer;
use bus::{Bus, Heard, Subscription};
use contract::calls::messages::{Head, ReadLog};
use contract::log::{Batch, Entry};
use contract::{Caller, Cursor, Refusal};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

/// After so long a silence of a partition the database is asked whether it knows more.
const SILENCE: Duration = Duration::from_secs(2);
/// How long a batch waits for the one before it; and how many may wait.
const REORDER_WAIT: Duration = Duration::from_millis(20);
const REORDER_MOST: usize = 64;
/// How soon a read that failed is tried again.
const RETRY: Duration = Duration::from_millis(200);
/// How many entries are read at once.
const PAGE: u16 = 500;
/// How often it is asked at the start how far changes of users' own state are counted. A messages service of a version before never says.
const ASKS: u32 = 3;
/// How long a waiter for a position trusts that the hint is on its way, before the log is read.
const HINT_WAIT: Duration = Duration::from_millis(20);
/// How long a waiter for a position waits at all.
const REACH_WAIT: Duration = Duration::from_secs(10);

/// See the module.
pub(crate) struct Delivery {
    bus: Bus,
    who: Caller,
    registry: Arc<Registry>,
    own_state: OwnState,
    /// Asks for the log to be read to its end.
    catch_up_soon: Notify,
    /// How many times the log has been read to its end. Watchers are also woken after every batch.
    rounds: watch::Sender<u64>,
}

/// When the log is read to its end, with or without hints.
struct CatchUpTimer {
    /// When each partition was last heard of. The silence of one must be noticed however much is written to another.
    heard: Vec<Instant>,
    /// A read has failed; it is tried again then, whatever is heard meanwhile.
    retry: Option<Instant>,
}

impl CatchUpTimer {
    fn heard(&mut self, partition: u16) {
        if let Some(at) = self.heard.get_mut(usize::from(partition)) {
            *at = Instant::now();
        }
    }

    fn at(&self) -> Instant {
        self.retry.unwrap_or_else(|| self.heard.iter().min().copied().unwrap_or_else(Instant::now) + SILENCE)
    }
}

/// What came of waiting for a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// Everything up to there has been delivered.
    Yes,
    /// The log ends before it.
    PastTheEnd,
}

impl Delivery {
    pub(crate) fn new(bus: Bus, registry: Arc<Registry>) -> Self {
        let who = Caller::service("chat");
        let own_state = OwnState::new(bus.clone(), who.clone(), Arc::clone(&registry));
        Self { bus, who, registry, own_state, catch_up_soon: Notify::new(), rounds: watch::Sender::new(0) }
    }

    /// Delivers until the bus is gone. `batches` must have been subscribed before anything else was asked.
    pub(crate) async fn run(&self, mut batches: Subscription<Batch>) {
        self.begin().await;
        let mut early = ReorderBuffer::default();
        let partitions = self.registry.cursor().map_or(0, |here| here.positions.len());
        let mut timer = CatchUpTimer { heard: vec![Instant::now(); partitions], retry: None };
        loop {
            let at = timer.at();
            let wake = early.waits_since().map_or(at, |since| at.min(since + REORDER_WAIT));
            let outcome = tokio::select! {
                biased;
                // Before the batches, which may never pause.
                () = std::future::ready(()), if at <= Instant::now() => self.catch_up(&mut timer).await,
                heard = batches.next() => match heard {
                    Some(Heard::Hint(batch)) => {
                        timer.heard(batch.partition);
                        self.take(batch, &mut early).await
                    }
                    Some(Heard::Missed(count)) => {
                        tracing::info!(count, "hints of the log were missed; reading the log");
                        self.catch_up(&mut timer).await
                    }
                    None => return,
                },
                () = self.catch_up_soon.notified() => self.catch_up(&mut timer).await,
                () = sleep_until(wake) => match early.waits_since() {
                    Some(since) if since + REORDER_WAIT <= Instant::now() => self.fill(&mut early).await,
                    _ => self.catch_up(&mut timer).await,
                },
            };
            if let Err(refusal) = outcome {
                // It is tried again soon, and logged once.
                if timer.retry.replace(Instant::now() + RETRY).is_some() {
                    tracing::debug!(%refusal, "the log still cannot be read");
                } else {
                    tracing::warn!(%refusal, "the log could not be read; live events wait until it can");
                }
            }
            // Wakes the waiters for a position.
            self.rounds.send_modify(|_| {});
        }
    }

    /// Reads the log to its end soon: the database may have been changed from outside.
    pub(crate) fn request_catch_up(&self) {
        self.catch_up_soon.notify_one();
    }

    /// Whether the log is delivered from this epoch. Another one may be newer than what is known here, so the log's end is asked for first.
    ///
    /// # Errors
    /// `busy` if that takes too long.
    pub(crate) async fn is_of(&self, epoch: u64) -> Result<bool, Refusal> {
        let is_of = || self.registry.cursor().is_some_and(|here| here.epoch == epoch);
        if is_of() {
            return Ok(true);
        }
        let mut rounds = self.rounds.subscribe();
        let asked = *rounds.borrow_and_update();
        self.catch_up_soon.notify_one();
        // A read that had begun before this call may have ended too early; the next one has not.
        let read = tokio::time::timeout(REACH_WAIT, rounds.wait_for(|rounds| *rounds >= asked + 2));
        let ask_again = async {
            loop {
                tokio::time::sleep(HINT_WAIT).await;
                self.catch_up_soon.notify_one();
            }
        };
        tokio::select! {
            read = read => match read {
                Ok(Ok(_)) => Ok(is_of()),
                Ok(Err(_)) => Err(Refusal::busy("the server stops")),
                Err(_) => Err(Refusal::busy("live events are behind; try again")),
            },
            () = ask_again => Ok(is_of()),
        }
    }

    /// Waits until everything up to `positions` has been delivered.
    ///
    /// # Errors
    /// `busy` if that takes too long.
    pub(crate) async fn reach(&self, positions: &[i64]) -> Result<Reached, Refusal> {
        if self.registry.covers(positions) {
            return Ok(Reached::Yes);
        }
        let mut rounds = self.rounds.subscribe();
        let asked = *rounds.borrow_and_update();
        let give_up = Instant::now() + REACH_WAIT;
        let mut hint_until = Instant::now() + HINT_WAIT;
        loop {
            if self.registry.covers(positions) {
                return Ok(Reached::Yes);
            }
            // A read that had begun before this call may have ended too early; the next one has not.
            if *rounds.borrow_and_update() >= asked + 2 {
                return Ok(Reached::PastTheEnd);
            }
            if Instant::now() >= give_up {
                return Err(Refusal::busy("live events are behind; try again"));
            }
            tokio::select! {
                changed = rounds.changed() => if changed.is_err() { return Err(Refusal::busy("the server stops")) },
                () = sleep_until(hint_until.min(give_up)) => {
                    self.catch_up_soon.notify_one();
                    hint_until = Instant::now() + HINT_WAIT;
                }
            }
        }
    }

    /// Finds the log's end, from which delivery begins.
    async fn begin(&self) {
        loop {
            match self.bus.ask(&self.who, Head {}).await {
                Ok(head) => {
                    // Before any socket can enter: what changes from here on is told.
                    self.begin_own_state().await;
                    self.registry.begin(&head);
                    self.rounds.send_modify(|_| {});
                    return;
                }
                Err(refusal) => {
                    tracing::warn!(%refusal, "the log's end could not be found; live connections wait until it can");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Finds how far changes of users' own state are counted.
    async fn begin_own_state(&self) {
        for _ in 0..ASKS {
            if let Ok(Some(ends)) = self.own_state.find_ends().await {
                return self.own_state.begin(ends);
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Takes one batch, and those that waited for it.
    async fn take(&self, batch: Arc<Batch>, early: &mut ReorderBuffer) -> Result<(), Refusal> {
        let partition = batch.partition;
        if self.registry.cursor().is_some_and(|here| here.epoch != batch.epoch) {
            // The batch or this gateway is behind: the log's end says which.
            self.catch_up_soon.notify_one();
            return Ok(());
        }
        let Some(here) = self.position(partition) else {
            tracing::error!(partition, "a batch of a partition that the log does not have");
            return Ok(());
        };
        if batch.first > here + 1 {
            early.put(batch);
            return if early.len() > REORDER_MOST { self.fill(early).await } else { Ok(()) };
        }
        self.deliver(&batch).await?;
        while let Some(next) = self.position(partition).and_then(|here| early.take_next(partition, here)) {
            if next.epoch == batch.epoch {
                self.deliver(&next).await?;
            }
        }
        Ok(())
    }

    /// Reads the entries that the early batches wait for, and takes the batches.
    async fn fill(&self, early: &mut ReorderBuffer) -> Result<(), Refusal> {
        let epoch = self.registry.cursor().map(|here| here.epoch);
        for batch in early.take_all() {
            if Some(batch.epoch) != epoch {
                continue;
            }
            let (partition, first) = (batch.partition, batch.first);
            if let Some(here) = self.position(partition).filter(|here| *here + 1 < first) {
                tracing::info!(partition, from = here, to = first - 1, "a batch is missing; reading the log");
                self.read(partition, first - 1).await?;
            }
            self.deliver(&batch).await?;
        }
        Ok(())
    }

    /// Delivers a batch that follows on what has been delivered, or whose beginning was.
    async fn deliver(&self, batch: &Batch) -> Result<(), Refusal> {
        self.own_state.hear(batch).await?;
        self.apply(batch.partition, &batch.entries);
        Ok(())
    }

    /// Reads the log to its end.
    async fn catch_up(&self, timer: &mut CatchUpTimer) -> Result<(), Refusal> {
        let began = Instant::now();
        let head = self.bus.ask(&self.who, Head {}).await?;
        let ends = self.own_state.find_ends().await?;
        if self.registry.cursor().is_some_and(|here| here.epoch != head.epoch) {
            self.own_state.begin(ends.unwrap_or_default());
            self.begin_anew(&head);
        } else if let Some(ends) = ends {
            self.own_state.reach(head.epoch, &ends).await?;
        }
        for (partition, to) in (0..).zip(&head.positions) {
            self.read(partition, *to).await?;
        }
        // Each partition has been heard of up to then.
        *timer = CatchUpTimer { heard: vec![began; head.positions.len()], retry: None };
        self.rounds.send_modify(|rounds| *rounds += 1);
        Ok(())
    }

    /// The database has begun a new epoch: a backup was restored, or a standby was promoted that may lack the last commits. Nothing that is known
    /// here holds any more, and what clients have got may not be in the log. So all clients are cut. They come back with their cursors, and are
    /// told to fetch again what they show.
    fn begin_anew(&self, head: &Cursor) {
        let cut = self.registry.begin_anew(head);
        tracing::warn!(
            sockets = cut.len(),
            "the database has begun a new epoch; all clients are cut, and fetch again what they show when they come back"
        );
        let refusal = Refusal::busy("the database has begun a new epoch; reconnect");
        for transport in cut {
            tell_why(&*transport, &refusal);
            transport.hang_up(NEW_EPOCH);
        }
    }

    /// Reads a partition at least up to a position.
    async fn read(&self, partition: u16, to: i64) -> Result<(), Refusal> {
        while let Some(here) = self.position(partition).filter(|here| *here < to) {
            let Some(Cursor { epoch, .. }) = self.registry.cursor() else { return Ok(()) };
            let entries = self.bus.ask(&self.who, ReadLog { epoch, partition, after: here, limit: PAGE }).await?;
            // After the entries were read, and before they are told: so nothing that changed before them is missing.
            self.own_state.catch_up(epoch, partition).await?;
            self.apply(partition, &entries);
            if self.position(partition).is_none_or(|now| now <= here) {
                return Err(Refusal::busy(format!("the log has no entry after position {here}, but should reach {to}")));
            }
        }
        Ok(())
    }

    /// Applies the new ones among these entries, which are ascending and follow on what has been delivered.
    fn apply(&self, partition: u16, entries: &[Entry]) {
        let Some(here) = self.position(partition) else { return };
        let mut applied = Applied::default();
        for entry in entries.iter().skip_while(|entry| entry.position <= here) {
            self.registry.apply_entry(partition, entry, &mut applied);
        }
        if applied.deliveries > 0 {
            metrics::counter!("guild_deliveries_total").increment(applied.deliveries);
        }
        for transport in applied.slow {
            cut_slow(&*transport);
        }
    }

    fn position(&self, partition: u16) -> Option<i64> {
        let Cursor { positions, .. } = self.registry.cursor()?;
        positions.get(usize::from(partition)).copied()
    }
}
