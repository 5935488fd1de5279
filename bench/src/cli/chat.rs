//! `bench chat`.

use crate::scenarios::chat::{Case, Chat};
use crate::scenarios::traffic::Pace;

/// One load, or all of them.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Members of a room. Without it: 2, 10, 100 and 1,000, with 1 and 8 outstanding and at a fixed rate each.
    #[arg(long)]
    members: Option<usize>,
    /// Rooms; by default 1,000 users in all.
    #[arg(long, requires = "members")]
    rooms: Option<usize>,
    /// Messages that each sender has outstanding.
    #[arg(long, requires = "members", conflicts_with = "rate")]
    window: Option<usize>,
    /// Messages a second, over all rooms.
    #[arg(long, requires = "members")]
    rate: Option<usize>,
    /// Seconds to measure, for each load.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Bytes of a message.
    #[arg(long, default_value_t = 100)]
    body: usize,
}

/// Users of one load, where no other number is given.
const USERS: usize = 1_000;

/// The fixed rates at which the prototypes were compared (measurements of 2026-11-22), by members of a room: so many messages a
/// second that a server of one core is busy, and none is saturated.
const RATES: [(usize, usize); 4] = [(2, 2_000), (10, 1_000), (100, 200), (1_000, 20)];

impl Args {
    /// The loads that were asked for.
    pub fn scenario(&self) -> Chat {
        let case = |members: usize, pace| Case {
            rooms: self.rooms.unwrap_or_else(|| (USERS / members.max(1)).max(1)),
            members,
            pace,
            seconds: self.seconds,
            body: self.body,
        };
        let cases = match (self.members, self.rate) {
            (Some(members), Some(rate)) => vec![case(members, Pace::Rate(rate))],
            (Some(members), None) => vec![case(members, Pace::Window(self.window.unwrap_or(8)))],
            (None, _) => RATES
                .iter()
                .flat_map(|(members, rate)| [Pace::Window(1), Pace::Window(8), Pace::Rate(*rate)].map(|pace| case(*members, pace)))
                .collect(),
        };
        Chat { cases }
    }
}
