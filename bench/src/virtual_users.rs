//! Users by the thousand: opens their sockets, a bounded number at a time, and sees each through to `ready`.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::json::text_after;
use crate::latency::Latency;
use crate::net::{Heard, Hears, Id, Net};
use crate::progress::{Progress, per_second};
use crate::target::{Dialect, Target};

/// One user and its socket.
#[derive(Clone, Debug, Default)]
pub struct User {
    /// What the token names.
    pub name: String,
    /// The newest that was heard; a reconnect starts there.
    pub cursor: Option<String>,
    /// The socket, once it was opened.
    pub conn: Option<Id>,
    /// Whether it is authenticated and has all that it missed.
    pub ready: bool,
    opened: Option<Instant>,
}

/// What something heard meant for the users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A part of getting in.
    OnTheWay,
    /// The client is in.
    Ready,
    /// The client's socket has ended, or never stood; why.
    Lost(String),
    /// For the scenario.
    Other,
}

/// All users of a run; a client's number is its place.
#[derive(Debug)]
pub struct VirtualUsers {
    /// The server.
    pub target: Target,
    /// The users.
    pub users: Vec<User>,
    /// From opening the socket to being in.
    pub took: Latency,
    waiting: VecDeque<usize>,
    at_once: usize,
    opening: usize,
    ready: usize,
    last_problem: Option<String>,
}

/// How long all may take to get in; a server that needs longer is at fault.
const GET_IN: Duration = Duration::from_secs(300);

impl VirtualUsers {
    /// Users of these names, of whom at most `at_once` are on their way in at a time. Nobody is yet.
    pub fn new(target: &Target, names: impl IntoIterator<Item = String>, at_once: usize) -> Self {
        let users = names.into_iter().map(|name| User { name, ..User::default() }).collect();
        let (waiting, took, target) = (VecDeque::new(), Latency::default(), target.clone());
        Self { target, users, took, waiting, at_once, opening: 0, ready: 0, last_problem: None }
    }

    /// Lets the next ones in, as many as may be on their way.
    ///
    /// # Errors
    /// This machine has no more sockets to give (file descriptors).
    pub fn open(&mut self, net: &mut Net) -> Result<()> {
        while self.opening < self.at_once
            && let Some(client) = self.waiting.pop_front()
        {
            // Somebody may stand in line twice; two sockets would get everything twice.
            if self.users.get(client).is_none_or(|user| user.conn.is_some()) {
                continue;
            }
            let conn = match net.open_socket(client) {
                Ok(conn) => conn,
                Err(error) => bail!("socket {} cannot be opened: {error} (ulimit -n tells how many files this machine allows)", net.len()),
            };
            if let Some(user) = self.users.get_mut(client) {
                (user.conn, user.ready, user.opened) = (Some(conn), false, Some(Instant::now()));
                self.opening += 1;
            }
        }
        Ok(())
    }

    /// Puts a client in line to get in.
    pub fn want(&mut self, client: usize) {
        self.waiting.push_back(client);
    }

    /// How many are in.
    pub fn ready(&self) -> usize {
        self.ready
    }

    /// Cuts a client's socket, as a lost line does. Who is still in line leaves it.
    pub fn cut(&mut self, net: &mut Net, client: usize) {
        let Some(user) = self.users.get_mut(client) else { return };
        let Some(conn) = user.conn.take() else {
            return self.waiting.retain(|waits| *waits != client);
        };
        net.cut(conn);
        let was = std::mem::take(&mut user.ready);
        *(if was { &mut self.ready } else { &mut self.opening }) -= 1;
    }

    /// Takes what is about getting in and being cut; whatever else comes is for the scenario.
    pub fn heard(&mut self, net: &mut Net, client: usize, what: &Heard<'_>) -> Step {
        let Some(user) = self.users.get_mut(client) else { return Step::Other };
        match what {
            Heard::Open => {
                let text = self.target.connect(&user.name, user.cursor.as_deref());
                if let Some(conn) = user.conn {
                    net.send(conn, text.as_bytes());
                }
                Step::OnTheWay
            }
            Heard::Connected if self.target.dialect == Dialect::Guild => Step::OnTheWay,
            Heard::Connected => self.is_in(client),
            Heard::Event(event) if event.starts_with("[\"ready\",") => {
                user.cursor = text_after(event, "\"cursor\":\"").map(str::to_owned);
                self.is_in(client)
            }
            Heard::Refused(why) => {
                let why = format!("the server refused {}: {why}", user.name);
                self.cut(net, client);
                self.lost(why)
            }
            Heard::Closed(why) => {
                user.conn = None;
                let was = std::mem::take(&mut user.ready);
                *(if was { &mut self.ready } else { &mut self.opening }) -= 1;
                let why = (*why).to_owned();
                self.lost(why)
            }
            Heard::Event(_) | Heard::Ack(..) | Heard::Response(..) => Step::Other,
        }
    }

    fn is_in(&mut self, client: usize) -> Step {
        if let Some(user) = self.users.get_mut(client).filter(|user| !user.ready) {
            user.ready = true;
            if let Some(opened) = user.opened {
                self.took.add(opened, Instant::now());
            }
            self.opening -= 1;
            self.ready += 1;
        }
        Step::Ready
    }

    fn lost(&mut self, why: String) -> Step {
        self.last_problem = Some(why.clone());
        Step::Lost(why)
    }

    /// Lets everybody in who is not, and waits until they are.
    ///
    /// # Errors
    /// Somebody is refused or cut meanwhile, or it takes longer than five minutes.
    pub fn get_in(&mut self, net: &mut Net) -> Result<()> {
        let out: Vec<usize> = self.users.iter().enumerate().filter(|(_, user)| user.conn.is_none()).map(|(client, _)| client).collect();
        self.waiting.extend(out);
        let all = self.users.len();
        let progress = Progress::new(format!("{}: connecting {all}", self.target.name), all as u64);
        let began = Instant::now();
        let mut entrance = Entrance { virtual_users: self, problem: None };
        let until = began + GET_IN;
        loop {
            entrance.virtual_users.open(net)?;
            let before = entrance.virtual_users.ready;
            let everybody = net.turn_until(&mut entrance, until.min(Instant::now() + Duration::from_millis(200)), |entrance| {
                entrance.problem.is_some() || entrance.virtual_users.ready > before || entrance.virtual_users.ready == all
            })?;
            let ready = entrance.virtual_users.ready;
            if let Some(problem) = entrance.problem {
                bail!("{ready} of {all} were connected when one was lost: {problem}");
            }
            if ready == all {
                break;
            }
            if !everybody && Instant::now() >= until {
                bail!("only {ready} of {all} were connected after {} s", GET_IN.as_secs());
            }
            progress.at(ready as u64, || format!("{:.0}/s", per_second(ready, began.elapsed())));
        }
        progress.done(&format!("{:.0} a second", per_second(all, began.elapsed())));
        Ok(())
    }
}

/// Hears while everybody gets in, and lets the next in as soon as one is.
struct Entrance<'a> {
    virtual_users: &'a mut VirtualUsers,
    problem: Option<String>,
}

impl Hears for Entrance<'_> {
    fn heard(&mut self, net: &mut Net, client: usize, what: Heard<'_>) {
        match self.virtual_users.heard(net, client, &what) {
            Step::Lost(why) => self.problem = Some(why),
            Step::Ready => {
                if let Err(error) = self.virtual_users.open(net) {
                    self.problem = Some(error.to_string());
                }
            }
            Step::OnTheWay | Step::Other => {}
        }
    }
}

/// Tells the runs of one day apart, in usernames.
pub fn tag() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{:x}", since.as_millis() & 0xfff_ffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_two_sockets_and_who_is_cut_in_line_gets_none() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target::running(&listener.local_addr().unwrap().to_string(), &[], "x").unwrap();
        let mut net = Net::new(target.addr).unwrap();
        let mut virtual_users = VirtualUsers::new(&target, ["a", "b"].map(str::to_owned), 10);
        [0, 0, 1].into_iter().for_each(|client| virtual_users.want(client));
        virtual_users.cut(&mut net, 1);
        virtual_users.open(&mut net).unwrap();
        assert_eq!((net.len(), virtual_users.users[1].conn), (1, None));
        virtual_users.want(0);
        virtual_users.open(&mut net).unwrap();
        assert_eq!(net.len(), 1);
        virtual_users.cut(&mut net, 0);
        assert_eq!((net.len(), virtual_users.opening), (0, 0));
    }
}
