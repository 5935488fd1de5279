//! Delivery and resuming as a whole, in this process: services that answer out of memory at random paces, hints that are lost, late or
//! out of order, clients that come, go and do not keep up, and an account of what each of them got.

mod client;
mod fake;
mod fake_own;
mod own_state;
mod pace;
mod random;

use crate::gateway::Gateway;
use crate::settings::Settings;
use bus::Bus;
use client::Sim;
use contract::hint::{PresenceChanged, Revoked, UserChanged};
use contract::log::Batch;
use contract::{Clock, Time, User};
use edge::{Admission, AdmissionSettings};
use fake::{Fake, World};
use random::Random;
use std::sync::Arc;
use std::time::Duration;

/// The hints that are on their way.
struct Hints {
    bus: Bus,
    late: Vec<Batch>,
}

impl Hints {
    fn commit(&mut self, batch: Batch, random: &mut Random) {
        match random.below(10) {
            0 | 1 => {}
            2 | 3 => self.late.push(batch),
            _ => self.bus.publish(batch),
        }
        if !self.late.is_empty() && random.one_in(4) {
            let at = random.below(self.late.len());
            self.bus.publish(self.late.swap_remove(at));
        }
    }
}

fn gateway(bus: &Bus) -> Arc<Gateway> {
    let clock = Clock::from_fn(|| Time(1_800_000_000_000));
    let admission = Admission::new(&AdmissionSettings::unlimited(), &clock);
    Gateway::new(bus.clone(), Settings::default(), clock, admission)
}

async fn pause(random: &mut Random) {
    tokio::time::sleep(Duration::from_millis(random.below(8) as u64)).await;
}

/// What has happened in some lives, so that a quiet test is not taken for a good one.
#[derive(Debug, Default)]
struct Tally {
    resumed: usize,
    fresh: usize,
    resynced: usize,
    /// Cut, or could not be served.
    cut: usize,
    complete: usize,
    /// Replays of a quiet log, and how often these went from one partition to another.
    ordered: usize,
    turns: usize,
}

async fn one_life(seed: u64, tally: &mut Tally) {
    let mut random = Random::new(seed);
    let bus = if seed.is_multiple_of(2) { Bus::near() } else { Bus::encoding() };
    let world = World::shared(6, if seed.is_multiple_of(3) { 1 } else { 3 }, &mut random);
    Fake::serve(&bus, &world, seed);
    let gateway = gateway(&bus);
    let tasks = crate::chat::run(&gateway);
    let mut hints = Hints { bus: bus.clone(), late: Vec::new() };
    let mut sims: Vec<Sim> = Vec::new();
    let mut last_cursors: Vec<Vec<String>> = vec![Vec::new(); 6];
    for _ in 0..200 {
        match random.below(20) {
            0..12 => {
                // A commit of several entries, as the writer makes them.
                let batches = world.lock().unwrap().commit(1 + random.below(4), &mut random);
                for batch in batches {
                    hints.commit(batch, &mut random);
                }
            }
            12..15 => {
                let who = random.below(6);
                let cursors = &last_cursors[who];
                let cursor = match random.below(6) {
                    0 => None,
                    1 => Some("nonsense".to_owned()),
                    2 if !cursors.is_empty() => Some(cursors[random.below(cursors.len())].clone()),
                    _ => cursors.last().cloned(),
                };
                let narrow = random.one_in(5);
                sims.push(Sim::connect(&gateway, world.lock().unwrap().user(who), cursor, narrow));
            }
            15 if !sims.is_empty() => {
                let sim = sims.swap_remove(random.below(sims.len()));
                last_cursors[sim.index].extend(sim.disconnect(&gateway, &world, tally));
            }
            16 => world.lock().unwrap().fail_next(),
            _ => sims.iter().for_each(|sim| sim.take(&mut random)),
        }
        // Those who were cut, or never got through, go away by themselves.
        let (over, stay): (Vec<_>, Vec<_>) = sims.into_iter().partition(Sim::is_over);
        sims = stay;
        for sim in over {
            last_cursors[sim.index].extend(sim.disconnect(&gateway, &world, tally));
        }
        pause(&mut random).await;
    }
    // Lost hints are made up for from the log, and late clients arrive.
    for _ in 0..100 {
        sims.iter().for_each(|sim| sim.take(&mut random));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Now that nothing happens any more, a replay is the log's order.
    for (who, cursors) in last_cursors.iter().enumerate().filter(|(_, cursors)| !cursors.is_empty()) {
        let cursor = cursors[random.below(cursors.len())].clone();
        let sim = Sim::connect(&gateway, world.lock().unwrap().user(who), Some(cursor), false);
        tokio::time::sleep(Duration::from_secs(30)).await;
        if let Some(turns) = sim.must_be_in_order(&world) {
            tally.ordered += 1;
            tally.turns += turns;
        }
        sims.push(sim);
    }
    for sim in sims {
        if !sim.is_over() {
            sim.must_be_complete(&world);
            tally.complete += 1;
        }
        sim.disconnect(&gateway, &world, tally);
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((gateway.registry.users(), gateway.registry.rooms()), (0, 0), "nothing is kept of those who left");
    assert!(world.lock().unwrap().online().is_empty(), "nobody is online");
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_each_connection_sees_what_is_its_own_once_and_in_order() {
    let mut tally = Tally::default();
    for seed in 0..150 {
        one_life(seed, &mut tally).await;
    }
    let Tally { resumed, fresh, resynced, cut, complete, ordered, turns } = tally;
    assert!(resumed > 500 && fresh > 300 && resynced > 300 && cut > 200 && complete > 500, "{tally:?}");
    assert!(ordered > 200 && turns > 2_000, "{tally:?}");
}

#[tokio::test(start_paused = true)]
async fn a_user_is_online_until_a_while_after_the_last_socket_and_contacts_are_told() {
    let mut random = Random::new(7);
    let bus = Bus::near();
    let world = World::shared(3, 1, &mut random);
    Fake::serve(&bus, &world, 7);
    let gateway = gateway(&bus);
    let tasks = crate::chat::run(&gateway);
    let mut told = bus.subscribe::<PresenceChanged>();
    let mut tally = Tally::default();
    {
        let batches = world.lock().unwrap().create(&[0, 1]);
        batches.into_iter().for_each(|batch| bus.publish(batch));
    }
    let users: Vec<_> = (0..3).map(|who| world.lock().unwrap().user(who)).collect();
    let settle = || tokio::time::sleep(Duration::from_secs(1));
    let contact = Sim::connect(&gateway, users[1].clone(), None, false);
    let stranger = Sim::connect(&gateway, users[2].clone(), None, false);
    settle().await;
    let first = Sim::connect(&gateway, users[0].clone(), None, false);
    settle().await;
    let name = users[0].1.username.clone();
    let heard = |sim: &Sim, event: &str| sim.names().iter().filter(|name| *name == event).count();
    assert_eq!((heard(&contact, "user online"), heard(&stranger, "user online"), heard(&first, "user online")), (1, 0, 0));
    let second = Sim::connect(&gateway, users[0].clone(), None, false);
    settle().await;
    first.disconnect(&gateway, &world, &mut tally);
    second.disconnect(&gateway, &world, &mut tally);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let third = Sim::connect(&gateway, users[0].clone(), None, false);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(world.lock().unwrap().online().contains(&name));
    assert_eq!((heard(&contact, "user online"), heard(&contact, "user offline")), (1, 0), "a reload does not flap");
    third.disconnect(&gateway, &world, &mut tally);
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert!(world.lock().unwrap().online().contains(&name));
    settle().await;
    settle().await;
    assert!(!world.lock().unwrap().online().contains(&name));
    settle().await;
    assert_eq!((heard(&contact, "user offline"), heard(&stranger, "user offline")), (1, 0));
    // Each of the three came once, and one went once.
    let mut words = Vec::new();
    while let Ok(Some(bus::Heard::Hint(hint))) = tokio::time::timeout(Duration::from_millis(1), told.next()).await {
        words.push(hint.online);
    }
    assert_eq!(words, [true, true, true, false]);
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn contacts_and_oneself_are_told_of_a_profile() {
    let mut random = Random::new(7);
    let bus = Bus::encoding();
    let world = World::shared(3, 1, &mut random);
    Fake::serve(&bus, &world, 7);
    let gateway = gateway(&bus);
    let tasks = crate::chat::run(&gateway);
    {
        let batches = world.lock().unwrap().create(&[0, 1]);
        batches.into_iter().for_each(|batch| bus.publish(batch));
    }
    let users: Vec<_> = (0..3).map(|who| world.lock().unwrap().user(who)).collect();
    let [own, contact, stranger] = [0, 1, 2].map(|who: usize| Sim::connect(&gateway, users[who].clone(), None, false));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let heard = || [&own, &contact, &stranger].map(|sim| sim.names().iter().filter(|name| *name == "user updated").count());
    let user = users[0].1.clone();
    // A process of before says who has changed, and no more.
    bus.publish(UserChanged { user: user.id, now: None });
    let now = User { status: Some("out".try_into().unwrap()), ..user };
    bus.publish(UserChanged { user: now.id, now: Some(now.clone()) });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(heard(), [1, 1, 0]);
    // Where the user has no socket here, the contacts are found all the same.
    let mut tally = Tally::default();
    own.disconnect(&gateway, &world, &mut tally);
    tokio::time::sleep(Duration::from_secs(120)).await;
    bus.publish(UserChanged { user: now.id, now: Some(now) });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let heard = [&contact, &stranger].map(|sim| sim.names().iter().filter(|name| *name == "user updated").count());
    assert_eq!(heard, [2, 0]);
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_could_not_be_checked_is_asked_about_again() {
    let mut random = Random::new(11);
    let bus = Bus::near();
    let world = World::shared(2, 1, &mut random);
    Fake::serve(&bus, &world, 11);
    let gateway = gateway(&bus);
    let tasks = crate::chat::run(&gateway);
    let users: Vec<_> = (0..2).map(|who| world.lock().unwrap().user(who)).collect();
    let (ended, valid) = (Sim::connect(&gateway, users[0].clone(), None, false), Sim::connect(&gateway, users[1].clone(), None, false));
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.lock().unwrap().end(ended.token(), 2);
    bus.publish(Revoked::AskAgain);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(ended.is_over(), "it is cut within a second, though the first two askings failed");
    assert!(!valid.is_over());
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn whose_token_is_named_is_cut_while_others_are_still_being_asked_about() {
    let mut random = Random::new(13);
    let bus = Bus::near();
    let world = World::shared(2, 1, &mut random);
    Fake::serve(&bus, &world, 13);
    let gateway = gateway(&bus);
    let tasks = crate::chat::run(&gateway);
    let users: Vec<_> = (0..2).map(|who| world.lock().unwrap().user(who)).collect();
    let (named, asked) = (Sim::connect(&gateway, users[0].clone(), None, false), Sim::connect(&gateway, users[1].clone(), None, false));
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.lock().unwrap().end(asked.token(), 0);
    world.lock().unwrap().get_stuck();
    bus.publish(Revoked::AskAgain);
    tokio::time::sleep(Duration::from_secs(1)).await;
    bus.publish(Revoked::Tokens(vec![named.token()]));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(named.is_over(), "it is cut within a second");
    assert!(!asked.is_over(), "nothing is known of it yet");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(asked.is_over());
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn who_could_not_be_said_to_be_here_is_said_so_again() {
    let mut random = Random::new(17);
    let bus = Bus::near();
    let world = World::shared(3, 1, &mut random);
    Fake::serve(&bus, &world, 17);
    let gateway = gateway(&bus);
    let tasks = crate::chat::run(&gateway);
    let users: Vec<_> = (0..3).map(|who| world.lock().unwrap().user(who)).collect();
    let sims: Vec<_> = users.iter().map(|user| Sim::connect(&gateway, user.clone(), None, false)).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.lock().unwrap().online().len(), 3);
    world.lock().unwrap().refuse_presence(true);
    world.lock().unwrap().lose_lease();
    // The lease is renewed every five seconds.
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert!(world.lock().unwrap().online().is_empty(), "it could not be told");
    world.lock().unwrap().refuse_presence(false);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.lock().unwrap().online().len(), 3, "all of them, soon after it can be told again");
    drop(sims);
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn a_word_that_was_stored_without_an_answer_is_taken_back() {
    let mut random = Random::new(19);
    let bus = Bus::near();
    let world = World::shared(1, 1, &mut random);
    Fake::serve(&bus, &world, 19);
    let gateway = gateway(&bus);
    let tasks = crate::chat::run(&gateway);
    let user = world.lock().unwrap().user(0);
    world.lock().unwrap().deafen(true);
    let sim = Sim::connect(&gateway, user, None, false);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(sim.is_over(), "it could not be served");
    assert_eq!(world.lock().unwrap().online().len(), 1);
    world.lock().unwrap().deafen(false);
    sim.disconnect(&gateway, &world, &mut Tally::default());
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert!(world.lock().unwrap().online().is_empty(), "nobody is online who never got in");
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn the_silence_of_a_partition_is_noticed_whatever_noise_there_is_in_another() {
    let mut random = Random::new(23);
    let bus = Bus::near();
    let world = World::shared(2, 2, &mut random);
    Fake::serve(&bus, &world, 23);
    let gateway = gateway(&bus);
    let tasks = crate::chat::run(&gateway);
    let user = world.lock().unwrap().user(0);
    let sim = Sim::connect(&gateway, user, None, false);
    tokio::time::sleep(Duration::from_secs(1)).await;
    // The hint of this one is lost.
    world.lock().unwrap().create_in(1, &[0]);
    for _ in 0..6 {
        let batches = world.lock().unwrap().create_in(0, &[1]);
        batches.into_iter().for_each(|batch| bus.publish(batch));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(sim.names().iter().filter(|name| *name == "room created").count(), 1, "{:?}", sim.names());
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}
