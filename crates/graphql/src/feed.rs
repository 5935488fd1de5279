//! What `newMessage` and `roomEvents` get: the log after the position at which the subscription began, read like a replay (`ReadMissed`). So order,
//! membership and exactly-once come from the log, whatever hints were lost. A batch on the bus only wakes the listeners that it concerns;
//! where one may be missing ([`GapDetector`]), all of them read.

use crate::gap_detector::GapDetector;
use crate::request_context::RequestContext;
use bus::{Bus, Heard};
use contract::calls::messages::{Head, History, Missed, ReadMissed, RoomsOf};
use contract::log::{Batch, Event};
use contract::{Caller, Limit, Refusal, RoomId, UserId, UserRef};
use futures_util::Stream;
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use vital::Vital;

/// How soon a read that failed is tried again.
const RETRY: Duration = Duration::from_millis(200);
/// How many batches may wait for one listener; past it the listener just reads the log.
const QUEUE: usize = 256;
/// How many entries are read at once.
const PAGE: u16 = 100;

/// Why a listener is woken.
#[derive(Clone)]
enum Pulse {
    /// This was committed.
    Batch(Arc<Batch>),
    /// Something may have been committed.
    Look,
}

/// Which events a listener hears.
#[derive(Clone, Copy)]
pub(crate) enum Hears {
    /// Messages in all rooms of the user, or in one.
    Messages(Option<RoomId>),
    /// All that has a place in the order of one room.
    Room(RoomId),
}

impl Hears {
    /// The one room, without which there is nothing to hear.
    fn only(self) -> Option<RoomId> {
        match self {
            Self::Messages(only) => only,
            Self::Room(room) => Some(room),
        }
    }

    /// Whether an event in one of the rooms is heard.
    fn hears(self, event: &Event) -> bool {
        match self {
            Self::Messages(_) => matches!(event, Event::NewMessage { .. }),
            Self::Room(_) => event.seq().is_some(),
        }
    }
}

/// Wakes the listeners.
pub(crate) struct Feed {
    pulses: broadcast::Sender<Pulse>,
    task: OnceLock<JoinHandle<()>>,
}

impl Feed {
    /// A feed that never wakes anybody.
    pub(crate) fn silent() -> Self {
        Self { pulses: broadcast::Sender::new(QUEUE), task: OnceLock::new() }
    }

    /// Begins to listen to the bus; call it within the runtime.
    pub(crate) fn start(bus: Bus, vital: &Vital) -> Arc<Self> {
        let feed = Self::silent();
        let task = tokio::spawn(vital.keep("what wakes subscriptions", run(bus.subscribe(), bus, feed.pulses.clone())));
        let _ = feed.task.set(task);
        Arc::new(feed)
    }

    /// The events from now on in the rooms of a user, or in one.
    ///
    /// # Errors
    /// The room's refusal; that of a service that cannot be reached.
    pub(crate) async fn listen(
        &self,
        context: RequestContext,
        hears: Hears,
    ) -> Result<impl Stream<Item = Result<Event, Refusal>> + use<>, Refusal> {
        // Before the position is read: every commit after it wakes this listener.
        let pulses = self.pulses.subscribe();
        let me = context.user()?;
        let me = UserRef { id: me.id, username: me.username.clone() };
        let service = Caller::service("graphql");
        let only = hears.only();
        if let Some(room) = only {
            // A user who may read the room may subscribe to it.
            context.ask(History { room, before: None, after: None, thread: None, limit: Limit::try_from(1)? }).await?;
        }
        let head = context.bus.ask(&service, Head {}).await?;
        let rooms = match only {
            Some(room) => HashSet::from([room]),
            None => context.bus.ask(&service, RoomsOf { user: me.id }).await?.rooms.into_iter().map(|room| room.room).collect(),
        };
        let listener = Listener {
            bus: context.bus,
            service,
            me,
            hears,
            rooms,
            pulses,
            cursor: head.to_string(),
            // There may be commits between the two reads above.
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
    let mut heard = GapDetector::new();
    // Nobody listening to a pulse is fine.
    loop {
        tokio::select! {
            told = batches.next() => match told {
                Some(Heard::Hint(batch)) => {
                    heard.hear(&batch);
                    let _ = pulses.send(Pulse::Batch(batch));
                }
                Some(Heard::Missed(_)) => _ = pulses.send(Pulse::Look),
                None => return,
            },
            () = sleep_until(heard.due()) => {
                let began = Instant::now();
                if pulses.receiver_count() == 0 {
                    heard.set_end(Vec::new(), began);
                } else if heard.has_gap(began) {
                    let _ = pulses.send(Pulse::Look);
                    heard.forget_gaps();
                } else {
                    match bus.ask(&service, Head {}).await {
                        Ok(head) => {
                            if !heard.set_end(head.positions, began) {
                                let _ = pulses.send(Pulse::Look);
                            }
                        }
                        // It is asked again after another silence.
                        Err(_) => heard.restart_silence(began),
                    }
                }
            }
        }
    }
}

/// One subscription.
struct Listener {
    bus: Bus,
    service: Caller,
    me: UserRef,
    hears: Hears,
    /// The user's rooms, as far as the log has been read: they only tell whether a batch is worth a read.
    rooms: HashSet<RoomId>,
    pulses: broadcast::Receiver<Pulse>,
    cursor: String,
    /// Whether there is more to read without a pulse.
    more: bool,
    ready: VecDeque<Event>,
    ended: bool,
}

impl Listener {
    /// The next event; `None` when there will be no more.
    async fn next(&mut self) -> Option<Result<Event, Refusal>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
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
                Ok(Pulse::Batch(batch)) if !concerns(&batch, self.me.id, &self.rooms, self.hears) => {}
                Ok(_) | Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return false,
            }
        }
        // One read covers all pulses that wait by now.
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
        let (room, only) = (event.room(), self.hears.only());
        if self.ended || only.is_some_and(|only| only != room) {
            return;
        }
        match &event {
            Event::MemberLeft(left) if left.user.id == self.me.id => {
                self.rooms.remove(&room);
                // It ends after what came before.
                self.ended = only.is_some();
            }
            Event::MemberJoined(joined) if joined.user.id == self.me.id => _ = self.rooms.insert(room),
            Event::RoomCreated { .. } => _ = self.rooms.insert(room),
            _ => {}
        }
        if self.hears.hears(&event) {
            self.ready.push_back(event);
        }
    }
}

/// Whether a batch may hold an event that this user hears, or a change of their rooms.
fn concerns(batch: &Batch, me: UserId, rooms: &HashSet<RoomId>, hears: Hears) -> bool {
    batch.entries.iter().any(|entry| match &entry.event {
        Event::RoomCreated { reader, .. } => reader.id == me,
        Event::MemberJoined(membership) | Event::MemberLeft(membership) if membership.user.id == me => true,
        event => hears.hears(event) && rooms.contains(&event.room()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gap_detector::{REORDER_WAIT, SILENCE};
    use contract::log::{Entry, Membership, Unknown};
    use contract::{Answer, Cursor};
    use std::sync::Mutex;

    #[test]
    fn only_a_batch_that_concerns_a_listener_wakes_it() {
        let (me, room, other) = (UserRef { id: UserId::new(), username: "ann".try_into().unwrap() }, RoomId::new(), RoomId::new());
        let event = |room, seq, reader| Event::Unknown(Unknown { room, seq, kind: 99, reader });
        let left = |user: UserRef| Event::MemberLeft(Membership { room: other, seq: 1, user, member_count: 1 });
        let somebody = UserRef { id: UserId::new(), username: "bob".try_into().unwrap() };
        let rooms = HashSet::from([room]);
        for (event, wakes_messages, wakes_room) in [
            (event(room, Some(1), None), false, true),
            (event(room, None, Some(me.clone())), false, false),
            (event(other, Some(1), None), false, false),
            (left(somebody), false, false),
            (left(me.clone()), true, true),
        ] {
            let batch =
                Batch { epoch: 1, partition: 0, first: 1, last: 1, entries: vec![Entry { partition: 0, position: 1, event }], state: None };
            assert_eq!(concerns(&batch, me.id, &rooms, Hears::Messages(None)), wakes_messages, "{batch:?}");
            assert_eq!(concerns(&batch, me.id, &rooms, Hears::Room(room)), wakes_room, "{batch:?}");
        }
    }

    struct Log(Mutex<Vec<i64>>);

    impl Answer<Head> for Log {
        async fn answer(&self, _: &Caller, _: Head) -> Result<Cursor, Refusal> {
            Ok(Cursor::new(1, self.0.lock().unwrap().clone()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_silence_of_a_partition_is_noticed_whatever_noise_there_is_in_another() {
        let bus = Bus::near();
        let log = Arc::new(Log(Mutex::new(vec![0, 0])));
        bus.serve::<Head, _>(&log);
        let feed = Feed::start(bus.clone(), &Vital::new());
        let mut pulses = feed.pulses.subscribe();
        let looks = |pulses: &mut broadcast::Receiver<Pulse>| {
            std::iter::from_fn(|| pulses.try_recv().ok()).filter(|pulse| matches!(pulse, Pulse::Look)).count()
        };
        // Never at the moment of a look: what is committed just then is seen before it is heard of.
        tokio::time::sleep(SILENCE * 2 + Duration::from_millis(100)).await;
        looks(&mut pulses);
        let noise = async |count| {
            for _ in 0..count {
                let position = {
                    let mut positions = log.0.lock().unwrap();
                    positions[0] += 1;
                    positions[0]
                };
                bus.publish(Batch { epoch: 1, partition: 0, first: position, last: position, entries: Vec::new(), state: None });
                tokio::time::sleep(SILENCE / 4 + Duration::from_millis(7)).await;
            }
        };
        noise(12).await;
        assert_eq!(looks(&mut pulses), 0, "all that was committed was heard of");
        log.0.lock().unwrap()[1] = 1;
        noise(6).await;
        assert_eq!(looks(&mut pulses), 1, "what was committed to the other partition was not");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_batch_is_noticed_however_many_follow_it_and_one_that_comes_late_is_not_lost() {
        let bus = Bus::near();
        let log = Arc::new(Log(Mutex::new(vec![0, 0])));
        bus.serve::<Head, _>(&log);
        let feed = Feed::start(bus.clone(), &Vital::new());
        let mut pulses = feed.pulses.subscribe();
        tokio::time::sleep(SILENCE + Duration::from_millis(100)).await;
        while pulses.try_recv().is_ok() {}
        let mut say = async |positions: &[i64]| {
            log.0.lock().unwrap()[1] = 1_000;
            for position in positions {
                bus.publish(Batch { epoch: 1, partition: 1, first: *position, last: *position, entries: Vec::new(), state: None });
                tokio::time::sleep(REORDER_WAIT / 4).await;
            }
            tokio::time::sleep(REORDER_WAIT).await;
            let told: Vec<Pulse> = std::iter::from_fn(|| pulses.try_recv().ok()).collect();
            let looks = told.iter().filter(|pulse| matches!(pulse, Pulse::Look)).count();
            (told.len() - looks, looks)
        };
        assert_eq!(say(&[1, 2, 3]).await, (3, 0));
        assert_eq!(say(&[5, 6, 7, 8, 9, 10]).await, (6, 1), "the fourth is missing, and nothing of it comes later");
        assert_eq!(say(&[4, 11]).await, (2, 0), "it comes far too late: that has been read");
        assert_eq!(say(&[13, 12, 12, 14]).await, (4, 0), "two servers publish side by side");
        assert_eq!(say(&[17, 15, 17]).await, (3, 1), "one of two is there, and another comes twice");
    }
}
