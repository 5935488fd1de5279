//! One visit to one database: starts the server, lets users in, talks, and takes the figures.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::talk::Talk;
use crate::latency::Latency;
use crate::net::Net;
use crate::scenarios::traffic::{Outcome, Pace};
use crate::seed::{Copy, SeedPlan, Seeded};
use crate::setup::Setup;
use crate::target::{Server, Usage};
use crate::virtual_users::VirtualUsers;

/// Users who get in at the same time: few, because it is asked how long one takes, not how long a queue is.
const AT_ONCE: usize = 4;
/// What a server does by itself after its start is over by then.
const SETTLE: Duration = Duration::from_millis(500);
/// Partners on one side of a user's, in a database that has as many rooms as a user is meant to have.
const DISTANCES: usize = 10;

/// The same users and rooms in two databases, by their numbers: users 0 and up, and pairs of them.
#[derive(Debug)]
pub struct Cast {
    /// How many users.
    pub users: usize,
    /// User and distance of each room, see [`SeedPlan::pair`].
    pub pairs: Vec<(usize, usize)>,
}

impl Cast {
    /// Up to so many users whom both databases have, and up to so many of the rooms that they share among themselves. So the same clients
    /// talk alike in both, and only what lies around them differs. (Near numbers are far apart in the database.)
    pub fn of(small: &SeedPlan, large: &SeedPlan, users: usize, rooms: usize) -> Self {
        // As many again remain outside in the smaller one, so that nobody has more partners online there.
        let users = users.min(small.users.min(large.users).saturating_sub(DISTANCES)).max(2);
        let shared = |user: usize, distance: usize| {
            user + distance < users && small.pair(user, distance).is_some() && large.pair(user, distance).is_some()
        };
        let all: Vec<_> =
            (1..=DISTANCES).flat_map(|distance| (0..users).map(move |user| (user, distance))).filter(|(u, d)| shared(*u, *d)).collect();
        let step = all.len().div_ceil(rooms.max(1)).max(1);
        Self { users, pairs: all.into_iter().step_by(step).collect() }
    }
}

/// What is done in a visit.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// Connections that are made, by users who are in 20 rooms.
    pub connects: usize,
    /// Messages a second at the fixed rate.
    pub rate: usize,
    /// Seconds to measure, for the fixed rate and for the closed loop.
    pub seconds: f64,
}

/// What a visit gave.
pub struct Visit {
    /// From starting the program to its listening.
    pub start: Duration,
    /// Soon after that.
    pub at_start: Usage,
    /// Everybody's first connection since the start.
    pub first: Latency,
    /// All connections.
    pub all: Latency,
    /// CPU of the server for one.
    pub cpu_per_connect: f64,
    /// At the fixed rate.
    pub paced: Outcome,
    /// In a closed loop.
    pub closed: Outcome,
    /// When all had been said.
    pub at_end: Usage,
}

/// Makes one.
///
/// # Errors
/// The server cannot be started, or fails.
pub fn visit(setup: &Setup, course: Course, seeded: &Seeded, copy: &Copy, cast: &Cast) -> Result<Visit> {
    let mut launch = setup.launch(copy.folder());
    launch.database = Some(copy.file.clone());
    let began = Instant::now();
    let mut server = Server::start(launch)?;
    let start = began.elapsed();
    std::thread::sleep(SETTLE);
    let target = server.target();
    let used = || target.usage()?.context("the server's process is not known");
    let at_start = used()?;

    let mut net = Net::new(target.addr)?;
    let mut virtual_users = VirtualUsers::new(&target, (0..cast.users).map(SeedPlan::username), AT_ONCE);
    let rounds = course.connects.div_ceil(cast.users).max(1);
    let mut first = Latency::default();
    for round in 0..rounds {
        for client in 0..cast.users {
            virtual_users.cut(&mut net, client);
        }
        // A client that begins anew: what a cursor costs is measured elsewhere.
        virtual_users.users.iter_mut().for_each(|user| user.cursor = None);
        virtual_users.get_in(&mut net)?;
        if round == 0 {
            first = virtual_users.took.clone();
        }
    }
    let (all, connected) = (virtual_users.took.clone(), used()?);
    #[allow(clippy::cast_precision_loss)]
    let cpu_per_connect = (connected.cpu - at_start.cpu) / (rounds * cast.users) as f64;

    let rooms = cast.pairs.iter().filter_map(|(user, distance)| {
        let id = seeded.rooms.get(seeded.plan.pair(*user, *distance)?)?;
        Some((id.to_string(), [*user, user + distance]))
    });
    let mut talk = Talk::new(virtual_users, rooms);
    let time = Duration::from_secs_f64(course.seconds);
    let paced = talk.talk(&mut net, Pace::Rate(course.rate), time)?;
    let closed = talk.talk(&mut net, Pace::Window(1), time)?;
    let at_end = used()?;
    server.stop()?;
    Ok(Visit { start, at_start, first, all, cpu_per_connect, paced, closed, at_end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_have_every_room_of_the_cast() {
        let plan = |rooms| SeedPlan::new(rooms, 2, 3, None, 100).unwrap();
        for (small, large, users, rooms) in [(20, 200, 10, 1_000), (1_000, 1_000_000, 500, 1_000), (1_000, 50_000, 30, 50)] {
            let (small, large) = (plan(small), plan(large));
            let cast = Cast::of(&small, &large, users, rooms);
            assert!(!cast.pairs.is_empty() && cast.pairs.len() <= rooms && cast.users <= users, "{cast:?}");
            for plan in [small, large] {
                for (user, distance) in &cast.pairs {
                    let room = plan.pair(*user, *distance).unwrap();
                    assert_eq!([plan.member(room, 0), plan.member(room, 1)], [*user, user + distance]);
                    assert!(user + distance < cast.users);
                }
            }
        }
        assert_eq!(Cast::of(&plan(1_000), &plan(1_000_000), 500, 1_000).users, 90);
    }
}
