//! Members who leave a group and are added again, one after the other: what they miss meanwhile is not theirs, everything else is.

use std::time::{Duration, Instant};

use super::rest::Job;
use super::world::{REST_LANES, World};
use crate::random::Random;

/// The worker who does this.
pub const WORKER: usize = REST_LANES;

/// Who is on the way out or in.
#[derive(Clone, Copy, Debug)]
struct Move {
    user: usize,
    room: usize,
    by: usize,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Everybody is in; until then.
    Rest(Instant),
    /// No more is sent; what was is waited for.
    Draining(Move),
    /// The server was asked to let the user go.
    Leaving(Move),
    /// The user is out; until then.
    Away(Move, Instant),
    /// The server was asked to let the user in.
    Returning(Move),
}

/// One member at a time.
#[derive(Debug)]
pub struct Churn {
    phase: Phase,
    random: Random,
    /// How often somebody left and came back.
    pub rounds: u64,
}

/// Between two of them.
const PAUSE: Duration = Duration::from_millis(400);

impl Churn {
    /// Nobody leaves yet.
    pub fn new(seed: u64) -> Self {
        Self { phase: Phase::Rest(Instant::now() + PAUSE), random: Random::new(seed ^ 0x0063_6875_726e), rounds: 0 }
    }

    /// What the worker has to do now, if anything; `ending`: nobody leaves any more.
    pub fn turn(&mut self, world: &mut World, now: Instant, ending: bool) -> Option<Job> {
        match self.phase {
            Phase::Rest(until) if now >= until && !ending => {
                if let Some(next) = self.draw(world) {
                    pause(world, next, true);
                    self.phase = Phase::Draining(next);
                }
                None
            }
            Phase::Draining(next) if open(world, next) == 0 => {
                self.phase = Phase::Leaving(next);
                Some(Job::Leave { user: next.user, room: next.room })
            }
            Phase::Away(next, until) if now >= until => {
                self.phase = Phase::Returning(next);
                Some(Job::Return { user: next.user, room: next.room, by: next.by })
            }
            _ => None,
        }
    }

    /// Whether everybody is in.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Rest(_))
    }

    /// The worker has done what it was asked for.
    pub fn done(&mut self, world: &mut World, now: Instant) {
        self.phase = match self.phase {
            Phase::Leaving(next) => Phase::Away(next, now + Duration::from_millis(self.random.between(100, 1_500) as u64)),
            Phase::Returning(next) => {
                pause(world, next, false);
                self.rounds += 1;
                Phase::Rest(now + PAUSE)
            }
            phase => phase,
        };
    }

    /// A member of a group, and another one to add it again.
    fn draw(&mut self, world: &World) -> Option<Move> {
        let room = self.random.below(world.rooms.len());
        let members = &world.rooms.get(room).filter(|room| room.members.len() > 2)?.members;
        let place = self.random.below(members.len());
        let other = (place + 1 + self.random.below(members.len() - 1)) % members.len();
        Some(Move { user: *members.get(place)?, room, by: *members.get(other)? })
    }
}

fn pause(world: &mut World, next: Move, paused: bool) {
    let lanes = world.lanes.iter_mut().filter(|lane| (lane.user, lane.room) == (next.user, next.room));
    lanes.for_each(|lane| lane.paused = paused);
}

fn open(world: &World, next: Move) -> usize {
    world.lanes.iter().filter(|lane| (lane.user, lane.room) == (next.user, next.room)).map(|lane| lane.open).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_sends_nothing_and_comes_back() {
        let mut world = World::draw(1, 20, 5);
        let mut churn = Churn::new(1);
        let later = Instant::now() + Duration::from_secs(60);
        while churn.is_over() {
            assert_eq!(churn.turn(&mut world, later, false), None);
        }
        let Some(Job::Leave { user, room }) = churn.turn(&mut world, later, false) else { panic!("{churn:?}") };
        assert!(world.lanes.iter().filter(|lane| (lane.user, lane.room) == (user, room)).all(|lane| lane.paused));
        assert_eq!(churn.turn(&mut world, later, false), None);
        churn.done(&mut world, later);
        assert_eq!(churn.turn(&mut world, later, true), None);
        let Some(Job::Return { user: back, by, .. }) = churn.turn(&mut world, later + Duration::from_secs(9), true) else {
            panic!("{churn:?}")
        };
        assert!(back == user && by != user);
        churn.done(&mut world, later);
        assert!(churn.is_over() && churn.rounds == 1 && world.lanes.iter().all(|lane| !lane.paused));
    }

    #[test]
    fn nobody_leaves_while_an_answer_is_out() {
        let mut world = World::draw(1, 20, 5);
        world.lanes.iter_mut().for_each(|lane| lane.open = 1);
        let mut churn = Churn::new(1);
        let later = Instant::now() + Duration::from_secs(60);
        assert!((0..99).all(|_| churn.turn(&mut world, later, false).is_none()));
    }
}
