//! Who is in which room, and who sends what where: drawn from the seed.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use crate::random::Random;

/// A room.
#[derive(Clone, Debug, Default)]
pub struct Room {
    /// What the server calls it, once it is made.
    pub id: String,
    /// Its members; the first one makes it.
    pub members: Vec<usize>,
}

/// Where a lane's messages go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The user's socket.
    Socket,
    /// REST, by this worker.
    Rest(usize),
}

/// One user's messages into one room.
#[derive(Clone, Copy, Debug)]
pub struct Lane {
    /// Into this room.
    pub room: usize,
    /// Of this user.
    pub user: usize,
    /// Whether the user is a member; else all must be refused.
    pub welcome: bool,
    /// So many may be without an answer.
    pub window: usize,
    /// So many are.
    pub open: usize,
    /// Nothing new is sent meanwhile: the user is leaving, or away.
    pub paused: bool,
    /// How.
    pub way: Way,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct World {
    /// Users are `u0`, `u1`, …
    pub users: usize,
    /// The rooms.
    pub rooms: Vec<Room>,
    /// The lanes.
    pub lanes: Vec<Lane>,
    by_id: HashMap<String, usize>,
}

/// Members of the largest rooms.
const MOST: usize = 20;
/// Lanes that go over REST.
pub const REST_LANES: usize = 8;
/// Lanes of strangers.
const STRANGERS: usize = 6;

impl World {
    /// Rooms of 2 to 20 members, everybody in at least one of them; every member sends, with one to eight outstanding.
    pub fn draw(seed: u64, users: usize, rooms: usize) -> Self {
        let mut random = Random::new(seed ^ 0x0077_6f72_6c64);
        let mut dealt: Vec<usize> = Vec::new();
        let mut pairs = HashSet::new();
        let most = MOST.min(users);
        let rooms: Vec<Room> = (0..rooms)
            .map(|room| {
                // The largest first, so that everybody is dealt a place; of two there are several, which are direct rooms.
                let size = if room % 5 == 4 { 2 } else { random.between(most.min(3), most) };
                loop {
                    let mut members = Vec::new();
                    while members.len() < size {
                        if dealt.is_empty() {
                            dealt = (0..users).collect();
                            random.shuffle(&mut dealt);
                        }
                        members.extend(dealt.pop().filter(|user| !members.contains(user)));
                    }
                    let pair = (members.iter().min().copied(), members.iter().max().copied());
                    // Two people have one direct room.
                    if size != 2 || pairs.insert(pair) {
                        break Room { id: String::new(), members };
                    }
                }
            })
            .collect();
        let mut world = Self { users, rooms, lanes: Vec::new(), by_id: HashMap::new() };
        world.lanes = world.draw_lanes(&mut random);
        world
    }

    fn draw_lanes(&self, random: &mut Random) -> Vec<Lane> {
        let lane = |room, user| Lane { room, user, welcome: true, window: 1, open: 0, paused: false, way: Way::Socket };
        let mut lanes = Vec::new();
        for (room, members) in self.rooms.iter().map(|room| &room.members).enumerate() {
            for user in members {
                // One outstanding for every second lane: their messages have an order of their own.
                let window = [1, 1, 2, 8].get(random.below(4)).copied().unwrap_or(1);
                lanes.push(Lane { window, ..lane(room, *user) });
            }
        }
        for worker in 0..REST_LANES {
            let room = random.below(self.rooms.len());
            let members = self.rooms.get(room).map_or(&[][..], |room| &room.members);
            if let Some(user) = members.get(random.below(members.len())) {
                lanes.push(Lane { way: Way::Rest(worker), ..lane(room, *user) });
            }
        }
        for _ in 0..STRANGERS {
            let (room, user) = (random.below(self.rooms.len()), random.below(self.users));
            if self.rooms.get(room).is_some_and(|room| !room.members.contains(&user)) {
                lanes.push(Lane { welcome: false, ..lane(room, user) });
            }
        }
        lanes
    }

    /// A user's name.
    pub fn name(user: usize) -> String {
        format!("u{user}")
    }

    /// The user of this name.
    pub fn user(name: &str) -> Option<usize> {
        name.strip_prefix('u')?.parse().ok()
    }

    /// The room of this id.
    pub fn room(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// The room was made, with this id.
    pub fn made(&mut self, room: usize, id: &str) {
        if let Some(room) = self.rooms.get_mut(room) {
            id.clone_into(&mut room.id);
        }
        self.by_id.insert(id.to_owned(), room);
    }

    /// How many rooms were made.
    pub fn made_count(&self) -> usize {
        self.by_id.len()
    }

    /// What makes this room, of `create room`.
    pub fn creation(&self, room: usize) -> Value {
        let members = self.rooms.get(room).map_or(&[][..], |room| &room.members);
        let usernames: Vec<String> = members.iter().skip(1).map(|user| Self::name(*user)).collect();
        if members.len() == 2 {
            return json!({ "usernames": usernames });
        }
        json!({ "usernames": usernames, "name": format!("room {room}"), "nonce": format!("room {room}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_room_and_no_pair_has_two() {
        for seed in 0..20 {
            let world = World::draw(seed, 240, 40);
            assert!((0..240).all(|user| world.rooms.iter().any(|room| room.members.contains(&user))), "{seed}");
            let mut pairs: Vec<_> = world.rooms.iter().filter(|room| room.members.len() == 2).map(|room| room.members.clone()).collect();
            pairs.iter_mut().for_each(|pair| pair.sort_unstable());
            assert_eq!(pairs.len(), 8);
            assert_eq!(pairs.iter().collect::<HashSet<_>>().len(), 8);
            for room in &world.rooms {
                assert_eq!(room.members.iter().collect::<HashSet<_>>().len(), room.members.len());
            }
            assert!(world.lanes.iter().any(|lane| !lane.welcome) && world.lanes.iter().any(|lane| lane.way != Way::Socket));
        }
    }

    #[test]
    fn names_go_both_ways() {
        assert_eq!(World::user(&World::name(17)), Some(17));
        assert_eq!(World::user("x17"), None);
    }
}
