//! Delivery: one task takes the log's batches in the order of their positions and hands each entry to whoever it is for.
//!
//! A batch is a hint. One that begins where the last one ended is delivered as it came; one that is known already is dropped; one that
//! comes before the batch that it follows on (two servers publish side by side) waits a moment for it. Where something is missing, or
//! nothing has been heard of a partition for two seconds while the database knows more of it, the log is read instead. So a lost hint
//! costs time, never an event. Between the entries of a batch nothing is awaited, so that what one commit brought shares the writes.

use crate::cut;
use crate::outbound::{cut_slow, tell_why};
use crate::registry::{Passed, Registry};
use bus::{Bus, Heard, Subscription};
use contract::calls::messages::{Head, ReadLog};
use contract::log::{Batch, Entry};
use contract::{Caller, Cursor, Refusal};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

/// After so much silence of a partition the database is asked whether it knows more.
const SILENCE: Duration = Duration::from_secs(2);
/// How long a batch waits for the one before it; and how many may wait.
const ORDER: Duration = Duration::from_millis(20);
const AHEAD: usize = 64;
/// How soon a reading that failed is tried again.
const RETRY: Duration = Duration::from_millis(200);
/// How many entries are read at once.
const PAGE: u16 = 500;
/// How long whoever waits for a position trusts that the hint is on its way.
const PATIENCE: Duration = Duration::from_millis(20);
/// How long anybody waits for a position at all.
const WAIT: Duration = Duration::from_secs(10);

/// See the module.
pub(crate) struct Deliver {
    bus: Bus,
    who: Caller,
    registry: Arc<Registry>,
    nudge: Notify,
    /// How many times the log has been read to its end. Changes are told after every batch too.
    rounds: watch::Sender<u64>,
}

/// Batches that have come before the one that they follow on.
#[derive(Default)]
struct Ahead {
    /// By partition and first position.
    batches: BTreeMap<(u16, i64), Arc<Batch>>,
    /// Since when the first of them waits.
    since: Option<Instant>,
}

impl Ahead {
    fn put(&mut self, batch: Arc<Batch>) {
        self.batches.insert((batch.partition, batch.first), batch);
        self.since.get_or_insert_with(Instant::now);
    }

    /// Takes out a batch that follows on `here`, or that is known by then.
    fn next(&mut self, partition: u16, here: i64) -> Option<Arc<Batch>> {
        let (key, _) = self.batches.range((partition, i64::MIN)..=(partition, here + 1)).next()?;
        let batch = self.batches.remove(&key.clone());
        if self.batches.is_empty() {
            self.since = None;
        }
        batch
    }
}

/// When the log is read to its end, hints or not.
struct Due {
    /// When each partition was heard of last. Where much is said in one, the silence of another would not be noticed otherwise.
    heard: Vec<Instant>,
    /// A reading has failed, and is tried again then, whatever is heard meanwhile.
    retry: Option<Instant>,
}

impl Due {
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
    /// Everything up to there has been passed.
    Yes,
    /// The log ends before it.
    PastTheEnd,
}

impl Deliver {
    pub(crate) fn new(bus: Bus, registry: Arc<Registry>) -> Self {
        Self { bus, who: Caller::service("chat"), registry, nudge: Notify::new(), rounds: watch::Sender::new(0) }
    }

    /// Delivers until the bus is gone. `batches` must have been subscribed before anything else was asked.
    pub(crate) async fn run(&self, mut batches: Subscription<Batch>) {
        self.begin().await;
        let mut ahead = Ahead::default();
        let partitions = self.registry.cursor().map_or(0, |here| here.positions.len());
        let mut due = Due { heard: vec![Instant::now(); partitions], retry: None };
        loop {
            let at = due.at();
            let wake = ahead.since.map_or(at, |since| at.min(since + ORDER));
            let outcome = tokio::select! {
                biased;
                // Before the batches: they may come without end.
                () = std::future::ready(()), if at <= Instant::now() => self.catch_up(&mut due).await,
                heard = batches.next() => match heard {
                    Some(Heard::Hint(batch)) => {
                        due.heard(batch.partition);
                        self.take(batch, &mut ahead).await
                    }
                    Some(Heard::Missed(count)) => {
                        tracing::info!(count, "hints of the log were missed; reading the log");
                        self.catch_up(&mut due).await
                    }
                    None => return,
                },
                () = self.nudge.notified() => self.catch_up(&mut due).await,
                () = sleep_until(wake) => match ahead.since {
                    Some(since) if since + ORDER <= Instant::now() => self.fill(&mut ahead).await,
                    _ => self.catch_up(&mut due).await,
                },
            };
            if let Err(refusal) = outcome {
                // It is tried again soon, and said once.
                if due.retry.replace(Instant::now() + RETRY).is_some() {
                    tracing::debug!(%refusal, "the log still cannot be read");
                } else {
                    tracing::warn!(%refusal, "the log could not be read; live events wait until it can");
                }
            }
            // Wakes whoever waits for a position.
            self.rounds.send_modify(|_| {});
        }
    }

    /// Reads the log to its end soon, hints or not: the database was changed from outside.
    pub(crate) fn look(&self) {
        self.nudge.notify_one();
    }

    /// Whether this is the epoch that is delivered of. Another one may be newer than what is known here, so the log's end is asked for first.
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
        self.nudge.notify_one();
        // A reading that was under way when it was asked for may have ended too early; the next one has not.
        let read = tokio::time::timeout(WAIT, rounds.wait_for(|rounds| *rounds >= asked + 2));
        let nudge = async {
            loop {
                tokio::time::sleep(PATIENCE).await;
                self.nudge.notify_one();
            }
        };
        tokio::select! {
            read = read => match read {
                Ok(Ok(_)) => Ok(is_of()),
                Ok(Err(_)) => Err(Refusal::busy("the server stops")),
                Err(_) => Err(Refusal::busy("live events are behind; try again")),
            },
            () = nudge => Ok(is_of()),
        }
    }

    /// Waits until everything up to `positions` has been passed.
    ///
    /// # Errors
    /// `busy` if that takes too long.
    pub(crate) async fn reach(&self, positions: &[i64]) -> Result<Reached, Refusal> {
        if self.registry.covers(positions) {
            return Ok(Reached::Yes);
        }
        let mut rounds = self.rounds.subscribe();
        let asked = *rounds.borrow_and_update();
        let give_up = Instant::now() + WAIT;
        let mut patient_until = Instant::now() + PATIENCE;
        loop {
            if self.registry.covers(positions) {
                return Ok(Reached::Yes);
            }
            // A reading that was under way when it was asked for may have ended too early; the next one has not.
            if *rounds.borrow_and_update() >= asked + 2 {
                return Ok(Reached::PastTheEnd);
            }
            if Instant::now() >= give_up {
                return Err(Refusal::busy("live events are behind; try again"));
            }
            tokio::select! {
                changed = rounds.changed() => if changed.is_err() { return Err(Refusal::busy("the server stops")) },
                () = sleep_until(patient_until.min(give_up)) => {
                    self.nudge.notify_one();
                    patient_until = Instant::now() + PATIENCE;
                }
            }
        }
    }

    /// Finds out where the log's end is; before that there is nothing to deliver.
    async fn begin(&self) {
        loop {
            match self.bus.ask(&self.who, Head {}).await {
                Ok(head) => {
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

    /// Takes one batch, and those that were waiting for it.
    async fn take(&self, batch: Arc<Batch>, ahead: &mut Ahead) -> Result<(), Refusal> {
        let partition = batch.partition;
        if self.registry.cursor().is_some_and(|here| here.epoch != batch.epoch) {
            // It, or what is known here, is of before: the log's end says which.
            self.nudge.notify_one();
            return Ok(());
        }
        let Some(here) = self.position(partition) else {
            tracing::error!(partition, "a batch of a partition that the log does not have");
            return Ok(());
        };
        if batch.first > here + 1 {
            ahead.put(batch);
            return if ahead.batches.len() > AHEAD { self.fill(ahead).await } else { Ok(()) };
        }
        self.pass(partition, &batch.entries);
        while let Some(next) = self.position(partition).and_then(|here| ahead.next(partition, here)) {
            if next.epoch == batch.epoch {
                self.pass(partition, &next.entries);
            }
        }
        Ok(())
    }

    /// Reads what the waiting batches wait for, and takes them.
    async fn fill(&self, ahead: &mut Ahead) -> Result<(), Refusal> {
        let epoch = self.registry.cursor().map(|here| here.epoch);
        for ((partition, first), batch) in std::mem::take(ahead).batches {
            if Some(batch.epoch) != epoch {
                continue;
            }
            if let Some(here) = self.position(partition).filter(|here| *here + 1 < first) {
                tracing::info!(partition, from = here, to = first - 1, "a batch is missing; reading the log");
                self.read(partition, first - 1).await?;
            }
            self.pass(partition, &batch.entries);
        }
        Ok(())
    }

    /// Reads the log to its end.
    async fn catch_up(&self, due: &mut Due) -> Result<(), Refusal> {
        let began = Instant::now();
        let head = self.bus.ask(&self.who, Head {}).await?;
        if self.registry.cursor().is_some_and(|here| here.epoch != head.epoch) {
            self.begin_anew(&head);
        }
        for (partition, to) in (0..).zip(&head.positions) {
            self.read(partition, *to).await?;
        }
        // Everything up to then has been heard of, in each partition.
        *due = Due { heard: vec![began; head.positions.len()], retry: None };
        self.rounds.send_modify(|rounds| *rounds += 1);
        Ok(())
    }

    /// The database has begun a new epoch: a backup was restored, or a standby was promoted that may not have had everything. What is known here
    /// holds of nothing any more, and what clients have got may not be in the log. So all are cut; they come back with their cursors, and are told to
    /// fetch anew what they show.
    fn begin_anew(&self, head: &Cursor) {
        let cut = self.registry.begin_anew(head);
        tracing::warn!(
            sockets = cut.len(),
            "the database has begun a new epoch; all clients are cut, and fetch anew what they show when they come back"
        );
        let refusal = Refusal::busy("the database has begun a new epoch; reconnect");
        for out in cut {
            tell_why(&*out, &refusal);
            out.hang_up(cut::NEW_EPOCH);
        }
    }

    /// Reads a partition at least up to a position.
    async fn read(&self, partition: u16, to: i64) -> Result<(), Refusal> {
        while let Some(here) = self.position(partition).filter(|here| *here < to) {
            let Some(Cursor { epoch, .. }) = self.registry.cursor() else { return Ok(()) };
            let entries = self.bus.ask(&self.who, ReadLog { epoch, partition, after: here, limit: PAGE }).await?;
            self.pass(partition, &entries);
            if self.position(partition).is_none_or(|now| now <= here) {
                return Err(Refusal::busy(format!("the log has no entry after position {here}, but should reach {to}")));
            }
        }
        Ok(())
    }

    /// Hands out what is new among these entries, which are ascending and follow on what has been passed.
    fn pass(&self, partition: u16, entries: &[Entry]) {
        let Some(here) = self.position(partition) else { return };
        let mut passed = Passed::default();
        for entry in entries.iter().skip_while(|entry| entry.position <= here) {
            self.registry.pass(partition, entry, &mut passed);
        }
        if passed.deliveries > 0 {
            metrics::counter!("guild_deliveries_total").increment(passed.deliveries);
        }
        for out in passed.slow {
            cut_slow(&*out);
        }
    }

    fn position(&self, partition: u16) -> Option<i64> {
        let Cursor { positions, .. } = self.registry.cursor()?;
        positions.get(usize::from(partition)).copied()
    }
}
