//! The bus over a real NATS server: calls, hints, and what happens when the server goes and comes back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

#[path = "support/nats.rs"]
mod nats;

use bus::{Bus, Heard, NatsSettings, Subscription};
use contract::hint::{Hint, Revoked};
use contract::log::{Batch, Entry, Event, Membership};
use contract::{Answer, Call, Caller, Code, Refusal, RoomId, UserId, UserRef};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};

#[derive(Serialize, Deserialize)]
struct Repeat {
    text: String,
    times: usize,
}
impl Call for Repeat {
    const SUBJECT: &'static str = "test.repeat";
    type Reply = (String, String);
}

#[derive(Serialize, Deserialize)]
struct Slow {}
impl Call for Slow {
    const SUBJECT: &'static str = "test.slow";
    type Reply = ();
}

#[derive(Serialize, Deserialize)]
struct Ordered(u32);
impl Call for Ordered {
    const SUBJECT: &'static str = "test.ordered";
    type Reply = ();
    fn in_order(&self) -> Option<[u8; 16]> {
        Some([7; 16])
    }
}

/// Answers under a name; `Slow` waits for a permit.
struct Service {
    name: &'static str,
    gate: Semaphore,
    began: Notify,
    done: AtomicUsize,
    order: Arc<std::sync::Mutex<Vec<u32>>>,
}

impl Service {
    fn on(bus: &Bus, name: &'static str) -> Arc<Self> {
        Self::sharing(bus, name, Arc::default())
    }

    fn sharing(bus: &Bus, name: &'static str, order: Arc<std::sync::Mutex<Vec<u32>>>) -> Arc<Self> {
        let service = Arc::new(Self { name, gate: Semaphore::new(0), began: Notify::new(), done: AtomicUsize::new(0), order });
        bus.serve::<Repeat, _>(&service).serve::<Slow, _>(&service).serve::<Ordered, _>(&service);
        service
    }
}

impl Answer<Repeat> for Service {
    async fn answer(&self, who: &Caller, call: Repeat) -> Result<(String, String), Refusal> {
        who.must_be_service()?;
        Ok((self.name.to_owned(), call.text.repeat(call.times)))
    }
}

impl Answer<Slow> for Service {
    async fn answer(&self, _who: &Caller, _call: Slow) -> Result<(), Refusal> {
        self.began.notify_one();
        self.gate.acquire().await.unwrap().forget();
        self.done.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

impl Answer<Ordered> for Service {
    async fn answer(&self, _who: &Caller, call: Ordered) -> Result<(), Refusal> {
        self.order.lock().unwrap().push(call.0);
        tokio::task::yield_now().await;
        Ok(())
    }
}

fn who() -> Caller {
    Caller::service("test")
}

async fn bus(server: &nats::Server, name: &str) -> Bus {
    let bus = unconnected(&server.url(), name).await;
    until(|| bus.missing().is_none()).await;
    bus
}

async fn unconnected(url: &str, name: &str) -> Bus {
    Bus::connected(NatsSettings { servers: url.parse().unwrap(), name: name.to_owned(), ..Default::default() }).await.unwrap()
}

/// The connection's state has no event that a test could wait for.
async fn until(holds: impl Fn() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < give_up, "it never came about");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Asks until somebody answers: a subscription takes a moment to be known.
async fn answered_at_last<C: Call, F: Fn() -> C>(bus: &Bus, call: F) -> C::Reply {
    let give_up = Instant::now() + Duration::from_secs(20);
    loop {
        match bus.ask(&who(), call()).await {
            Ok(answer) => return answer,
            Err(refusal) => assert!(refusal.code == Code::Busy && Instant::now() < give_up, "{refusal}"),
        }
    }
}

fn repeat(times: usize) -> Repeat {
    Repeat { text: "0123456789abcdef".to_owned(), times }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_answered_near_and_far_and_large() {
    let server = nats::Server::configured("max_payload: 65536");
    let (near, far) = (bus(&server, "near").await, bus(&server, "far").await);
    Service::on(&near, "it");
    assert_eq!(near.ask(&who(), repeat(1)).await.unwrap().0, "it");
    assert_eq!(answered_at_last(&far, || repeat(1)).await.1, "0123456789abcdef");
    // A refusal comes through as it is.
    assert_eq!(far.ask(&Caller::Anonymous, repeat(1)).await.unwrap_err().code, Code::Forbidden);
    // Three megabytes, where a message may have 64 KiB; many at a time.
    let asked = (0..20).map(|more| far.ask(who_ref(), repeat(200_000 + more)));
    for (more, answer) in futures_util::future::join_all(asked).await.into_iter().enumerate() {
        assert_eq!(answer.unwrap().1.len(), 16 * (200_000 + more));
    }
    let refusal = far.ask(&who(), Repeat { text: "x".repeat(70_000), times: 1 }).await.unwrap_err();
    assert_eq!(refusal.code, Code::TooLarge);
}

fn who_ref() -> &'static Caller {
    static WHO: std::sync::OnceLock<Caller> = std::sync::OnceLock::new();
    WHO.get_or_init(who)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_and_no_server_are_busy_at_once() {
    let server = nats::Server::start();
    let asking = bus(&server, "asking").await;
    let began = Instant::now();
    let refusal = asking.ask(&who(), repeat(1)).await.unwrap_err();
    assert!(refusal.code == Code::Busy && refusal.detail.contains("nobody answers test.repeat"), "{refusal}");
    let nowhere = unconnected("nats://127.0.0.1:1", "nowhere").await;
    let refusal = nowhere.ask(&who(), repeat(1)).await.unwrap_err();
    assert!(refusal.code == Code::Busy && refusal.detail.contains("cannot be reached"), "{refusal}");
    assert!(nowhere.missing().is_some());
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_spread_over_instances_and_keep_their_order_where_they_must() {
    let server = nats::Server::start();
    let (one, two, asking) = (bus(&server, "one").await, bus(&server, "two").await, bus(&server, "asking").await);
    let order = Arc::<std::sync::Mutex<Vec<u32>>>::default();
    Service::sharing(&one, "one", Arc::clone(&order));
    Service::sharing(&two, "two", Arc::clone(&order));
    let mut names = HashSet::new();
    let give_up = Instant::now() + Duration::from_secs(20);
    while names.len() < 2 {
        assert!(Instant::now() < give_up, "only {names:?}");
        names.insert(answered_at_last(&asking, || repeat(1)).await.0);
    }
    let asked = (0..200).map(|number| asking.ask(who_ref(), Ordered(number)));
    assert!(futures_util::future::join_all(asked).await.into_iter().all(|answer| answer.is_ok()));
    assert_eq!(*order.lock().unwrap(), (0..200).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_come_is_busy_after_the_deadline() {
    let server = nats::Server::start();
    let (serving, asking) = (bus(&server, "serving").await, bus(&server, "asking").await);
    Service::on(&serving, "it");
    answered_at_last(&asking, || repeat(1)).await;
    let began = Instant::now();
    let refusal = asking.ask(&who(), Slow {}).await.unwrap_err();
    assert!(refusal.code == Code::Busy && refusal.detail.contains("5 seconds"), "{refusal}");
    assert!((Duration::from_secs(4)..Duration::from_secs(8)).contains(&began.elapsed()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_answers_what_had_begun_and_takes_nothing_more() {
    let server = nats::Server::start();
    let (leaving, staying, asking) = (bus(&server, "leaving").await, bus(&server, "staying").await, bus(&server, "asking").await);
    let leaver = Service::on(&leaving, "leaving");
    answered_at_last(&asking, || repeat(1)).await;
    let asked = tokio::spawn({
        let asking = asking.clone();
        async move { asking.ask(&who(), Slow {}).await }
    });
    leaver.began.notified().await;
    Service::on(&staying, "staying");
    leaving.stop_taking().await;
    // Whoever asks meanwhile is answered by those who stay.
    for _ in 0..50 {
        assert_eq!(answered_at_last(&asking, || repeat(1)).await.0, "staying");
    }
    leaver.gate.add_permits(1);
    leaving.answered().await;
    assert_eq!(leaver.done.load(Ordering::SeqCst), 1);
    leaving.close().await;
    asked.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_under_load_costs_the_askers_nothing() {
    let server = nats::Server::start();
    let (leaving, staying, asking) = (bus(&server, "leaving").await, bus(&server, "staying").await, bus(&server, "asking").await);
    Service::on(&staying, "staying");
    Service::on(&leaving, "leaving");
    let give_up = Instant::now() + Duration::from_secs(20);
    while answered_at_last(&asking, || repeat(1)).await.0 != "leaving" {
        assert!(Instant::now() < give_up);
    }
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let askers = (0..50).map(|_| {
        let (asking, stop) = (asking.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut by_who_left = 0;
            while !stop.load(Ordering::Relaxed) {
                by_who_left += usize::from(asking.ask(&who(), repeat(1)).await.unwrap().0 == "leaving");
            }
            by_who_left
        })
    });
    let askers: Vec<_> = askers.collect();
    for _ in 0..500 {
        asking.ask(&who(), repeat(1)).await.unwrap();
    }
    leaving.stop_taking().await;
    leaving.answered().await;
    leaving.close().await;
    stop.store(true, Ordering::Relaxed);
    let mut by_who_left = 0;
    for asker in askers {
        by_who_left += asker.await.unwrap();
    }
    assert!(by_who_left > 0);
}

fn batch(partition: u16, first: i64, last: i64) -> Batch {
    let entry = |position| {
        let user = UserRef { id: UserId::new(), username: "a".try_into().unwrap() };
        let joined = Membership { room: RoomId::new(), seq: position, user, member_count: 1 };
        Entry { partition, position, event: Event::MemberJoined(joined) }
    };
    Batch { epoch: 1, partition, first, last, entries: (first..=last).map(entry).collect(), state: None }
}

async fn hint<H: Hint + std::fmt::Debug>(subscription: &mut Subscription<H>) -> Arc<H> {
    loop {
        match tokio::time::timeout(Duration::from_secs(20), subscription.next()).await.expect("a hint").expect("the bus") {
            Heard::Hint(hint) => return hint,
            // After connecting everybody looks into the database.
            Heard::Missed(_) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hints_come_once_and_in_order_also_where_they_are_too_large() {
    let server = nats::Server::configured("max_payload: 65536");
    let (telling, hearing) = (bus(&server, "telling").await, bus(&server, "hearing").await);
    let (mut own, mut others) = (telling.subscribe::<Batch>(), hearing.subscribe::<Batch>());
    let mut revoked = hearing.subscribe::<Revoked>();
    // What was asked for before this is known to the server when this is answered.
    Service::on(&hearing, "it");
    answered_at_last(&telling, || repeat(1)).await;
    for number in 0..300 {
        telling.publish(batch(1, number * 10 + 1, number * 10 + 10));
    }
    // About two hundred kilobytes.
    telling.publish(batch(1, 3_001, 4_000));
    telling.publish(Revoked::AskAgain);
    let mut position = 0;
    let mut batches = 0;
    while position < 4_000 {
        let batch = hint(&mut others).await;
        assert_eq!((batch.partition, batch.first), (1, position + 1));
        let held: Vec<i64> = batch.entries.iter().map(|entry| entry.position).collect();
        assert_eq!(held, (batch.first..=batch.last).collect::<Vec<_>>());
        position = batch.last;
        batches += 1;
    }
    assert!(batches > 301, "the last one was divided: {batches}");
    assert_eq!(*hint(&mut revoked).await, Revoked::AskAgain);
    // Here it came undivided, and once.
    for number in 0..300 {
        assert_eq!(hint(&mut own).await.first, number * 10 + 1);
    }
    assert_eq!(hint(&mut own).await.last, 4_000);
    hearing.publish(batch(2, 1, 1));
    assert_eq!(hint(&mut own).await.partition, 2, "nothing came twice before this");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nats_goes_and_comes_back_everything_goes_on_by_itself() {
    let mut server = nats::Server::start();
    let (serving, asking) = (bus(&server, "serving").await, bus(&server, "asking").await);
    let service = Service::on(&serving, "it");
    let (mut heard, mut own) = (asking.subscribe::<Revoked>(), asking.subscribe::<Batch>());
    answered_at_last(&asking, || repeat(1)).await;
    // An asker who waits while the connection goes is told at once.
    let waiting = tokio::spawn({
        let asking = asking.clone();
        async move { asking.ask(&who(), Slow {}).await }
    });
    service.began.notified().await;
    let began = Instant::now();
    server.kill();
    assert_eq!(waiting.await.unwrap().unwrap_err().code, Code::Busy);
    until(|| asking.missing().is_some() && serving.missing().is_some()).await;
    assert_eq!(asking.ask(&who(), repeat(1)).await.unwrap_err().code, Code::Busy);
    assert!(began.elapsed() < Duration::from_secs(4), "busy comes at once");
    // Within a process everything goes on.
    assert_eq!(serving.ask(&who(), repeat(1)).await.unwrap().0, "it");
    serving.publish(Revoked::AskAgain);
    asking.publish(batch(0, 1, 1));
    while !matches!(own.next().await, Some(Heard::Hint(_))) {}
    // Those from the first connecting; they come by two seconds after it.
    tokio::time::timeout(Duration::from_secs(3), async { while heard.next().await.is_some() {} }).await.unwrap_err();

    server.restart();
    let missed = tokio::time::timeout(Duration::from_secs(10), heard.next()).await.expect("told that hints were missed").unwrap();
    assert!(matches!(missed, Heard::Missed(_)), "{missed:?}");
    assert_eq!(answered_at_last(&asking, || repeat(1)).await.0, "it");
    serving.publish(Revoked::AskAgain);
    assert_eq!(*hint(&mut heard).await, Revoked::AskAgain);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_they_are_is_asked_and_may_stand_in_the_address() {
    let rights =
        "authorization { users = [ { user: guild, password: \"p@ss\", permissions: { publish: \"guild.>\", subscribe: \"guild.>\" } } ] }";
    let server = nats::Server::configured(rights);
    let named = NatsSettings {
        servers: server.url().parse().unwrap(),
        user: Some("guild".into()),
        password: Some("p@ss".into()),
        ..Default::default()
    };
    let serving = Bus::connected(named).await.unwrap();
    Service::on(&serving, "it");
    let asking = unconnected(&server.url().replace("nats://", "nats://guild:p%40ss@"), "asking").await;
    assert_eq!(answered_at_last(&asking, || repeat(1)).await.0, "it");
    let stranger = unconnected(&server.url(), "stranger").await;
    assert_eq!(stranger.ask(&who(), repeat(1)).await.unwrap_err().code, Code::Busy);
    assert!(stranger.missing().is_some());
}

#[tokio::test]
async fn files_that_cannot_be_used_are_told_by_their_settings() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "nothing").unwrap();
    let with = |change: fn(&mut NatsSettings, std::path::PathBuf)| {
        let mut settings = NatsSettings { servers: "nats://127.0.0.1:1".parse().unwrap(), ..Default::default() };
        change(&mut settings, file.clone());
        settings
    };
    let wrong: [(&str, NatsSettings); 4] = [
        ("nats.credentials: ", with(|settings, file| settings.credentials = Some(file))),
        ("nats.tls_ca: ", with(|settings, file| settings.tls_ca = Some(file))),
        ("nats.tls_cert: it needs nats.tls_key", with(|settings, file| settings.tls_cert = Some(file))),
        ("nats.tls_key: it needs nats.tls_cert", with(|settings, file| settings.tls_key = Some(file))),
    ];
    for (expected, settings) in wrong {
        let error = settings.check().unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
        assert!(Bus::connected(settings).await.is_err());
    }
}
