//! Users in rooms of so many, whose members ask for so many things, so many of them unanswered at a time. Every event's `seq` is held against the
//! one before: each request must change something, which every member must hear.

mod hears;
mod request;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::json;

use super::meter::{Meter, Spent};
use crate::latency::Latency;
use crate::net::Net;
use crate::progress::Progress;
use crate::target::{Dialect, Target};
use crate::virtual_users::{VirtualUsers, tag};

pub use request::{Request, body};

/// How many are on their way in at a time.
const IN_AT_ONCE: usize = 64;
/// How many rooms are being made at a time.
const ROOMS_AT_ONCE: usize = 64;
/// A server that answers nothing for so long is at fault.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who is there.
pub struct Assembly {
    /// The users: so many of the first room, then those of the second, and so on.
    pub virtual_users: VirtualUsers,
    members: usize,
    rooms: Vec<Room>,
    /// The newest `seq` that each user has heard.
    newest: Vec<u64>,
    /// Bytes of a message.
    bytes: usize,
    made: usize,
    problem: Option<String>,
    text: Vec<u8>,
    work: Work,
}

#[derive(Default)]
struct Room {
    id: String,
    /// Events that were asked for in all. Each takes a `seq`, so this is the newest.
    head: u64,
    /// What waits for its answer: number, request, and since when.
    open: Vec<(usize, Request, Instant)>,
    /// How many things were asked for in this stretch of work.
    asked: usize,
}

/// Asked of a room: by which of its members, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The member's place in the room, from 0 on.
    pub member: usize,
    /// What.
    pub request: Request,
}

/// What came of a stretch of work.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// Asked for.
    pub asked: u64,
    /// Acknowledged: on disk.
    pub acked: u64,
    /// Heard, over all members.
    pub delivered: u64,
    /// Deliveries that never came.
    pub missing: u64,
    /// Deliveries whose `seq` did not follow the one before.
    pub misplaced: u64,
    /// From asking to the acknowledgement.
    pub took: Latency,
    /// From the first request until everybody had heard everything.
    pub spent: Spent,
}

impl Assembly {
    /// Gets everybody in and makes the rooms.
    ///
    /// # Errors
    /// The server is none of ours, refuses somebody or a room, or does not answer.
    pub fn gather(net: &mut Net, target: &Target, rooms: usize, members: usize, bytes: usize) -> Result<Self> {
        if target.dialect != Dialect::Guild {
            bail!("the messages of {} do not change: only guild can be measured so", target.name);
        }
        let tag = tag();
        let names = (0..rooms * members).map(|client| format!("a{tag}-{client}"));
        let mut virtual_users = VirtualUsers::new(target, names, IN_AT_ONCE);
        virtual_users.get_in(net)?;
        let (newest, rooms) = (vec![0; virtual_users.users.len()], (0..rooms).map(|_| Room::default()).collect());
        let (text, work) = (Vec::new(), Work::default());
        let mut assembly = Self { virtual_users, members, rooms, newest, bytes, made: 0, problem: None, text, work };
        assembly.make_rooms(net)?;
        Ok(assembly)
    }

    fn make_rooms(&mut self, net: &mut Net) -> Result<()> {
        let count = self.rooms.len();
        let progress = Progress::new(format!("{}: making {count} rooms", self.virtual_users.target.name), count as u64);
        for room in 0..count {
            let first = room * self.members;
            let others = self.virtual_users.users.get(first + 1..first + self.members).unwrap_or_default();
            let usernames: Vec<_> = others.iter().map(|user| user.name.as_str()).collect();
            // Two people without a name would be a direct room; so is this load meant.
            let name = (self.members != 2).then(|| format!("room {room}"));
            let ask = format!("420[\"create room\",{}]", json!({ "usernames": usernames, "name": name }));
            self.tell(net, first, ask.as_bytes());
            self.until_made(net, (room + 1).saturating_sub(ROOMS_AT_ONCE))?;
            progress.at(room as u64, String::new);
        }
        self.until_made(net, count)?;
        progress.done("done");
        Ok(())
    }

    fn until_made(&mut self, net: &mut Net, count: usize) -> Result<()> {
        let made = net.turn_until(self, Instant::now() + PATIENCE, |all| all.problem.is_some() || all.made >= count)?;
        if let Some(problem) = self.problem.take() {
            bail!("a room could not be made: {problem}");
        }
        if !made {
            bail!("{} rooms were made, and then there was no answer for {} s", self.made, PATIENCE.as_secs());
        }
        Ok(())
    }

    /// A room's id.
    pub fn id(&self, room: usize) -> &str {
        self.rooms.get(room).map_or("", |room| room.id.as_str())
    }

    /// The newest `seq` of a room.
    pub fn head(&self, room: usize) -> u64 {
        self.rooms.get(room).map_or(0, |room| room.head)
    }

    /// A room's members, as users.
    pub fn members(&self, room: usize) -> std::ops::Range<usize> {
        room * self.members..(room + 1) * self.members
    }

    /// Asks each room for everything that `next(room, n)` names, n from 0 on until it names nothing, up to `window` unanswered at a time in a room.
    /// Waits until all of it was answered, heard, and the server has been at rest for `rest`, which is paid for but not timed.
    ///
    /// # Errors
    /// The server refuses something, cuts somebody, or answers nothing any more.
    pub fn work(&mut self, net: &mut Net, window: usize, rest: Duration, next: &dyn Fn(usize, usize) -> Option<Ask>) -> Result<Work> {
        self.work = Work::default();
        self.rooms.iter_mut().for_each(|room| room.asked = 0);
        let target = self.virtual_users.target.clone();
        let meter = Meter::start(&target)?;
        let mut working = hears::Working { assembly: self, next };
        for room in 0..working.assembly.rooms.len() {
            (0..window).for_each(|_| working.ask(net, room));
        }
        let (mut answered, mut came) = (0, Instant::now());
        loop {
            let whole = net.turn_until(&mut working, Instant::now() + Duration::from_secs(1), |working| working.assembly.is_done())?;
            if let Some(problem) = working.assembly.problem.take() {
                bail!("the run ended early: {problem}");
            }
            let work = &working.assembly.work;
            if whole {
                break;
            }
            let now = work.acked + work.delivered;
            if now > answered {
                (answered, came) = (now, Instant::now());
            } else if came.elapsed() > PATIENCE && work.acked < work.asked {
                bail!("{} of {} requests were not answered for {} s", work.asked - work.acked, work.asked, PATIENCE.as_secs());
            } else if came.elapsed() > PATIENCE {
                break;
            }
        }
        let seconds = meter.spent(&target)?.seconds;
        net.turn_until(&mut working, Instant::now() + rest, |_| false)?;
        let mut work = std::mem::take(&mut self.work);
        work.spent = Spent { seconds, ..meter.spent(&target)? };
        work.missing = (work.acked * self.members as u64).saturating_sub(work.delivered);
        Ok(work)
    }

    /// Lets a room's members in again, who were cut and show the cursors that they have now. What they are told until all are in is held against the
    /// room's beginning.
    ///
    /// # Errors
    /// Somebody is refused or cut, or nothing comes any more.
    pub fn return_all(&mut self, net: &mut Net, room: usize) -> Result<Work> {
        self.work = Work::default();
        for client in self.members(room) {
            self.virtual_users.want(client);
            self.newest.iter_mut().skip(client).take(1).for_each(|newest| *newest = 0);
        }
        let (everybody, mut heard) = (self.virtual_users.users.len(), (0, Instant::now()));
        let mut working = hears::Working { assembly: self, next: &|_, _| None };
        loop {
            working.assembly.virtual_users.open(net)?;
            let all = net.turn_until(&mut working, Instant::now() + Duration::from_millis(50), |working| {
                working.assembly.problem.is_some() || working.assembly.virtual_users.ready() == everybody
            })?;
            if let Some(problem) = working.assembly.problem.take() {
                bail!("not everybody came back: {problem}");
            }
            if all {
                return Ok(std::mem::take(&mut self.work));
            }
            let delivered = working.assembly.work.delivered;
            if delivered > heard.0 {
                heard = (delivered, Instant::now());
            } else if heard.1.elapsed() > PATIENCE {
                bail!("only {} of {everybody} were in when nothing came any more for {} s", self.virtual_users.ready(), PATIENCE.as_secs());
            }
        }
    }

    fn is_done(&self) -> bool {
        let work = &self.work;
        self.problem.is_some() || work.acked == work.asked && work.delivered >= work.acked * self.members as u64
    }

    fn tell(&self, net: &mut Net, client: usize, text: &[u8]) {
        if let Some(conn) = self.virtual_users.users.get(client).and_then(|user| user.conn) {
            net.send(conn, text);
        }
    }
}

impl Work {
    /// Acknowledged a second.
    #[allow(clippy::cast_precision_loss)]
    pub fn acked_per_second(&self) -> f64 {
        self.acked as f64 / self.spent.seconds.max(1e-9)
    }
}
