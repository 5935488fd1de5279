use crate::testing::House;
use async_graphql::Response;
use contract::{Clock, Time, UserId};
use edge::{Admission, AdmissionSettings};
use futures_util::StreamExt;
use futures_util::stream::{BoxStream, SelectAll};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Ten reads a second, and the clock of the test's runtime.
fn admission() -> Arc<Admission> {
    let start = Instant::now();
    let clock = Clock::from_fn(move || Time(i64::try_from(start.elapsed().as_millis()).unwrap()));
    Admission::new(&AdmissionSettings { reads_per_second: 10, reads_burst: 20, ..AdmissionSettings::default() }, &clock)
}

/// Takes what is there.
fn empty(admission: &Admission, user: UserId) {
    while admission.take_reads(user, 1).is_ok() {}
}

/// A subscription that has begun: it does when it is first looked at.
async fn begun(house: &House, admission: &Arc<Admission>, query: &str) -> BoxStream<'static, Response> {
    let mut events = house.subscribe(admission, query);
    assert!(timeout(Duration::from_millis(10), events.next()).await.is_err());
    events
}

/// How long it takes until so many messages have come that were said all at once, with nothing in the bucket.
async fn time_for(count: usize, query: &str) -> Duration {
    let (house, admission) = (House::new(), admission());
    let mut events = begun(&house, &admission, query).await;
    empty(&admission, house.ann.id);
    let began = Instant::now();
    for number in 0..count {
        house.say(&format!("{number}"));
    }
    for number in 0..count {
        let event = events.next().await.unwrap();
        assert_eq!(event.errors, [], "nobody is refused");
        let data = event.data.into_json().unwrap();
        assert_eq!(data["newMessage"]["body"], format!("{number}"), "nothing is lost");
    }
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn an_event_for_which_nothing_is_asked_is_free() {
    let query = "subscription { newMessage { id seq body createdAt nonce __typename } }";
    let took = time_for(100, query).await;
    assert!(took < Duration::from_millis(50), "{took:?}");

    let (house, admission) = (House::new(), admission());
    let mut events = begun(&house, &admission, query).await;
    for number in 0..100 {
        house.say(&format!("{number}"));
        assert_eq!(events.next().await.unwrap().errors, []);
    }
    let _ = admission.take_reads(house.ann.id, 20).expect("nothing was taken of what there is");
}

#[tokio::test(start_paused = true)]
async fn an_event_for_which_something_is_asked_waits_until_it_can_be_paid_for() {
    // One read each.
    let took = time_for(20, "subscription { newMessage { body sender { displayName } room { id } } }").await;
    assert!((1_900..2_300).contains(&took.as_millis()), "{took:?}");
    // Two: it could hold more than 200 values.
    let took = time_for(20, "subscription { newMessage { body room { messages(first: 100) { nodes { body } } } } }").await;
    assert!((3_900..4_300).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn many_subscriptions_share_what_there_is() {
    let (house, admission) = (House::new(), admission());
    let mut all = SelectAll::new();
    for _ in 0..5 {
        all.push(begun(&house, &admission, "subscription { newMessage { sender { username } } }").await);
    }
    empty(&admission, house.ann.id);
    let began = Instant::now();
    for _ in 0..4 {
        house.say("hello");
    }
    for _ in 0..20 {
        assert_eq!(all.next().await.unwrap().errors, []);
    }
    let took = began.elapsed();
    assert!((1_900..2_300).contains(&took.as_millis()), "{took:?}");
}
