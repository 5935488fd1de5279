//! What `newMessage` hears: the log after the place where it began, read as a replay is read (`ReadMissed`), so that order, membership and
//! exactly-once are the log's and hold whatever hints were lost. A batch of the log that is told on the bus only wakes those whom it
//! concerns; after two seconds of silence the log's end is looked at, once for all.

use crate::ask::Asker;
use bus::{Bus, Heard};
use contract::calls::messages::{Head, History, Missed, ReadMissed, RoomsOf};
use contract::log::{Batch, Event};
use contract::{Caller, Limit, Message, Refusal, RoomId, UserId, UserRef};
use futures_util::Stream;
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::task::JoinHandle;

/// After so much silence the database is asked whether it knows more.
const SILENCE: Duration = Duration::from_secs(2);
/// How soon a reading that failed is tried again.
const RETRY: Duration = Duration::from_millis(200);
/// How many batches may wait for one listener, who otherwise just looks.
const QUEUE: usize = 256;
/// How many entries are read at once.
const PAGE: u16 = 100;

/// Why a listener is woken.
#[derive(Clone)]
enum Pulse {
    /// This was committed.
    Batch(Arc<Batch>),
    /// Something may have been.
    Look,
}

/// Wakes whoever listens.
pub(crate) struct Feed {
    pulses: broadcast::Sender<Pulse>,
    task: OnceLock<JoinHandle<()>>,
}

impl Feed {
    /// One that nobody wakes.
    pub(crate) fn silent() -> Self {
        Self { pulses: broadcast::Sender::new(QUEUE), task: OnceLock::new() }
    }

    /// Begins to listen to the bus; call it within the runtime.
    pub(crate) fn start(bus: Bus) -> Arc<Self> {
        let feed = Self::silent();
        let task = tokio::spawn(run(bus.subscribe(), bus, feed.pulses.clone()));
        let _ = feed.task.set(task);
        Arc::new(feed)
    }

    /// The messages from now on in the rooms of a user, or in one.
    ///
    /// # Errors
    /// The room's refusal; that of a service that cannot be reached.
    pub(crate) async fn listen(
        &self,
        asker: Asker,
        only: Option<RoomId>,
    ) -> Result<impl Stream<Item = Result<Message, Refusal>> + use<>, Refusal> {
        // Before the place is read: what is committed after it wakes this listener.
        let pulses = self.pulses.subscribe();
        let me = asker.user()?;
        let me = UserRef { id: me.id, username: me.username.clone() };
        let service = Caller::service("graphql");
        if let Some(room) = only {
            // Whoever may read the room may listen to it.
            asker.ask(History { room, before: None, after: None, limit: Limit::try_from(1)? }).await?;
        }
        let head = asker.bus.ask(&service, Head {}).await?;
        let rooms = match only {
            Some(room) => HashSet::from([room]),
            None => asker.bus.ask(&service, RoomsOf { user: me.id }).await?.rooms.into_iter().map(|room| room.room).collect(),
        };
        let listener = Listener {
            bus: asker.bus,
            service,
            me,
            only,
            rooms,
            pulses,
            cursor: head.to_string(),
            // What was committed between the two readings above.
            more: true,
            ready: VecDeque::new(),
            ended: false,
        };
        Ok(futures_util::stream::unfold(listener, |mut listener| async { Some((listener.next().await?, listener)) }))
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

async fn run(mut batches: bus::Subscription<Batch>, bus: Bus, pulses: broadcast::Sender<Pulse>) {
    let service = Caller::service("graphql");
    // Nobody listening to a pulse is fine.
    let mut seen: Option<Vec<i64>> = None;
    loop {
        tokio::select! {
            heard = batches.next() => match heard {
                Some(Heard::Hint(batch)) => {
                    if let Some(seen) = seen.as_mut().and_then(|seen| seen.get_mut(usize::from(batch.partition))) {
                        *seen = batch.last.max(*seen);
                    }
                    let _ = pulses.send(Pulse::Batch(batch));
                }
                Some(Heard::Missed(_)) => _ = pulses.send(Pulse::Look),
                None => return,
            },
            () = tokio::time::sleep(SILENCE) => {
                if pulses.receiver_count() == 0 {
                    seen = None;
                    continue;
                }
                if let Ok(head) = bus.ask(&service, Head {}).await
                    && seen.as_ref() != Some(&head.positions)
                {
                    seen = Some(head.positions);
                    let _ = pulses.send(Pulse::Look);
                }
            }
        }
    }
}

/// One who listens.
struct Listener {
    bus: Bus,
    service: Caller,
    me: UserRef,
    only: Option<RoomId>,
    /// The rooms that the user is in, as far as has been read: only to tell whether a batch is worth a look.
    rooms: HashSet<RoomId>,
    pulses: broadcast::Receiver<Pulse>,
    cursor: String,
    /// Whether there is something to read without being woken.
    more: bool,
    ready: VecDeque<Message>,
    ended: bool,
}

impl Listener {
    /// The next message; `None` when there will be no more.
    async fn next(&mut self) -> Option<Result<Message, Refusal>> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(Ok(message));
            }
            if self.ended {
                return None;
            }
            if !self.more && !self.woken().await {
                return None;
            }
            if let Err(refusal) = self.read().await {
                self.ended = true;
                return Some(Err(refusal));
            }
        }
    }

    /// Waits for a pulse that concerns this user. False when the server stops.
    async fn woken(&mut self) -> bool {
        loop {
            match self.pulses.recv().await {
                Ok(Pulse::Batch(batch)) if !concerns(&batch, self.me.id, &self.rooms) => {}
                Ok(_) | Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return false,
            }
        }
        // One reading answers all that wait by now.
        while self.pulses.try_recv().is_ok() {}
        true
    }

    /// Reads one page.
    async fn read(&mut self) -> Result<(), Refusal> {
        let call = ReadMissed { user: self.me.clone(), cursor: self.cursor.clone(), until: None, limit: PAGE, going_on: true };
        match self.bus.ask(&self.service, call).await {
            Ok(Missed::Entries { entries, cursor, more }) => {
                self.cursor = cursor.to_string();
                self.more = more;
                for entry in entries {
                    self.take(entry.event);
                }
                Ok(())
            }
            Ok(Missed::TooFar { why }) => {
                tracing::info!(user = %self.me.username, why, "a subscription could not go on");
                Err(Refusal::busy("the log cannot be followed any more: fetch what you show, and subscribe again"))
            }
            Err(refusal) => {
                tracing::debug!(%refusal, "the log could not be read for a subscription; it is tried again");
                tokio::time::sleep(RETRY).await;
                self.more = true;
                Ok(())
            }
        }
    }

    fn take(&mut self, event: Event) {
        let room = event.room();
        if self.ended || self.only.is_some_and(|only| only != room) {
            return;
        }
        match event {
            Event::NewMessage { message, .. } => self.ready.push_back(*message),
            Event::MemberLeft(left) if left.user.id == self.me.id => {
                self.rooms.remove(&room);
                // It ends after what came before.
                self.ended = self.only.is_some();
            }
            Event::MemberJoined(joined) if joined.user.id == self.me.id => _ = self.rooms.insert(room),
            Event::RoomCreated { .. } => _ = self.rooms.insert(room),
            Event::MemberJoined(_) | Event::MemberLeft(_) | Event::RoomUpdated { .. } => {}
        }
    }
}

/// Whether a batch may hold a message for this user, or a change of their rooms.
fn concerns(batch: &Batch, me: UserId, rooms: &HashSet<RoomId>) -> bool {
    batch.entries.iter().any(|entry| match &entry.event {
        Event::NewMessage { message, .. } => rooms.contains(&message.room),
        Event::RoomCreated { reader, .. } => reader.id == me,
        Event::MemberJoined(membership) | Event::MemberLeft(membership) => membership.user.id == me,
        Event::RoomUpdated { .. } => false,
    })
}
