//! Users' own state on their devices: whatever is lost, late or out of order, each device ends with what the services hold.

use super::client::Sim;
use super::fake::{Fake, Shared, World};
use super::random::Random;
use super::{Hints, Tally, gateway, pause};
use bus::Bus;
use contract::{StateKey, StateValue};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A device of a user: what it shows, and the last cursor that it has seen.
#[derive(Default)]
struct Device {
    who: usize,
    shows: BTreeMap<StateKey, StateValue>,
    cursor: Option<String>,
    sim: Option<Sim>,
    /// How many events of this connection it has taken.
    taken: usize,
    /// How often it was told what has changed, and how often to read everything.
    told: usize,
    reset: usize,
}

impl Device {
    /// Takes what has come.
    fn take(&mut self, world: &Shared) {
        let Some(sim) = &self.sim else { return };
        let events = sim.events();
        for (name, payload) in events.iter().skip(self.taken) {
            if let Some(cursor) = payload["cursor"].as_str() {
                self.cursor = Some(cursor.to_owned());
            }
            match name.as_str() {
                "state changed" => self.show(payload),
                "ready" if payload["state_reset"] == true => {
                    assert!(payload.get("state").is_none() && payload.get("marks").is_none());
                    let world = world.lock().unwrap();
                    let (_, user) = world.user(self.who);
                    self.shows = world.own.values(user.id);
                    self.reset += 1;
                }
                "ready" => {
                    assert!(payload["resumed"] == true && payload["marks"].is_array());
                    payload["state"].as_array().unwrap().iter().for_each(|changed| self.show(changed));
                    self.told += 1;
                }
                _ => {}
            }
        }
        self.taken = events.len();
    }

    fn show(&mut self, changed: &Value) {
        let key = StateKey::try_from(changed["key"].as_str().unwrap()).unwrap();
        match &changed["value"] {
            Value::Null => _ = self.shows.remove(&key),
            value => _ = self.shows.insert(key, value.clone().try_into().unwrap()),
        }
    }
}

async fn one_life(seed: u64) -> (usize, usize) {
    let mut random = Random::new(seed);
    let bus = if seed.is_multiple_of(2) { Bus::near() } else { Bus::encoding() };
    let world = World::shared(3, if seed.is_multiple_of(3) { 1 } else { 3 }, &mut random);
    Fake::serve(&bus, &world, seed);
    let gateway = gateway(&bus);
    let tasks = crate::chat::run(&gateway);
    let mut hints = Hints { bus: bus.clone(), late: Vec::new() };
    let mut devices: Vec<Device> = (0..6).map(|number| Device { who: number % 3, ..Device::default() }).collect();
    let mut tally = Tally::default();
    for _ in 0..150 {
        let at = random.below(devices.len());
        match random.below(20) {
            0..10 => {
                let (log, own) = (random.below(4), random.below(4));
                let batches = world.lock().unwrap().commit_with_own(log, own, &mut random);
                for batch in batches {
                    hints.commit(batch, &mut random);
                }
            }
            10..15 if devices[at].sim.is_none() => {
                let narrow = random.one_in(4);
                let user = world.lock().unwrap().user(devices[at].who);
                let cursor = devices[at].cursor.clone();
                devices[at].sim = Some(Sim::connect(&gateway, user, cursor, narrow));
                devices[at].taken = 0;
            }
            15 | 16 => {
                devices[at].take(&world);
                if let Some(sim) = devices[at].sim.take() {
                    sim.disconnect(&gateway, &world, &mut tally);
                }
            }
            17 => world.lock().unwrap().fail_next(),
            _ => devices.iter().filter_map(|device| device.sim.as_ref()).for_each(|sim| sim.take(&mut random)),
        }
        for device in &mut devices {
            device.take(&world);
            if let Some(sim) = device.sim.take_if(|sim| sim.is_over()) {
                sim.disconnect(&gateway, &world, &mut tally);
            }
        }
        pause(&mut random).await;
    }
    // Everybody comes back, and all that was lost is found.
    for _ in 0..100 {
        for device in &mut devices {
            device.take(&world);
            if let Some(sim) = device.sim.take_if(|sim| sim.is_over()) {
                sim.disconnect(&gateway, &world, &mut tally);
            }
            if device.sim.is_none() {
                let user = world.lock().unwrap().user(device.who);
                device.sim = Some(Sim::connect(&gateway, user, device.cursor.clone(), false));
                device.taken = 0;
            }
        }
        devices.iter().filter_map(|device| device.sim.as_ref()).for_each(|sim| sim.take(&mut random));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for device in &mut devices {
        device.take(&world);
        let held = {
            let world = world.lock().unwrap();
            world.own.values(world.user(device.who).1.id)
        };
        assert_eq!(device.shows, held, "seed {seed}, user {}", device.who);
    }
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    (devices.iter().map(|device| device.told).sum(), devices.iter().map(|device| device.reset).sum())
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_each_device_shows_the_users_own_state() {
    let (mut told, mut reset) = (0, 0);
    for seed in 0..150 {
        let (some, all) = one_life(seed).await;
        (told, reset) = (told + some, reset + all);
    }
    assert!(told > 100 && reset > 300, "{told} {reset}");
}
