//! The proxy's thread: it takes connections, passes on what comes, and does what it is told.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use super::pair::{AT_ONCE, Pair, Side, is_for_later, reset_at_close};
use super::route::{Routes, connect};
use crate::ledger::plan::Knife;
use crate::random::Random;

pub(super) const LISTENER: Token = Token(usize::MAX);
pub(super) const WAKER: Token = Token(usize::MAX - 1);

/// What a proxy is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    /// Cut so many of a hundred connections.
    Cut(usize, Knife),
    /// Pass nothing on, on so many of a hundred connections, from this side, for so long.
    Stall(usize, Side, Duration),
    /// Cut all, and whoever comes as well, for so long.
    Refuse(Duration),
    /// Pass nothing on, either way, also for those who come, for so long.
    Silence(Duration),
    /// End.
    Stop,
}

/// A client, and the server that it goes to once that is known.
enum Conn {
    /// What it has said so far does not tell.
    Asking(TcpStream, Vec<u8>),
    /// It is being given one.
    Moving,
    /// It has one.
    Paired(Pair),
}

/// What its thread has.
pub(super) struct Running {
    poll: Poll,
    listener: TcpListener,
    routes: Routes,
    conns: Slab<Conn>,
    told: Receiver<Order>,
    random: Random,
    cut: Arc<AtomicU64>,
    refused_until: Option<Instant>,
    silent_until: Option<Instant>,
    scratch: Vec<u8>,
}

impl Running {
    /// With a poll that watches the listener already.
    pub(super) fn new(poll: Poll, listener: TcpListener, routes: Routes, told: Receiver<Order>, seed: u64, cut: Arc<AtomicU64>) -> Self {
        let (random, scratch) = (Random::new(seed), vec![0; AT_ONCE]);
        Self { poll, listener, routes, conns: Slab::new(), told, random, cut, refused_until: None, silent_until: None, scratch }
    }

    /// Until it is told to end.
    ///
    /// # Errors
    /// The kernel's poll fails.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1_024);
        loop {
            let stalled = self.pairs().filter_map(|(_, pair)| pair.stalled_until()).min();
            match self.poll.poll(&mut events, stalled.map(|until| until.saturating_duration_since(Instant::now()))) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => outcome?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    WAKER => {}
                    Token(token) => {
                        let side = if token % 2 == 0 { Side::Client } else { Side::Server };
                        if event.is_readable() || event.is_error() {
                            self.pass_on(token / 2, side);
                        }
                        if event.is_writable() {
                            self.pass_on(token / 2, side.other());
                        }
                    }
                }
            }
            let now = Instant::now();
            let over: Vec<_> = self.pairs().filter_map(|(place, pair)| Some((place, pair.wake(now)?))).collect();
            over.into_iter().for_each(|(place, side)| self.pass_on(place, side));
            while let Ok(order) = self.told.try_recv() {
                match order {
                    Order::Stop => return Ok(()),
                    order => self.obey(order),
                }
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Cut(share, knife) => self.cut_some(share, knife),
            Order::Stall(share, side, lasts) => {
                let until = Instant::now() + lasts;
                for (_, conn) in &mut self.conns {
                    if let Conn::Paired(pair) = conn
                        && self.random.percent(share)
                    {
                        pair.stall(side, until);
                    }
                }
            }
            Order::Refuse(lasts) => {
                self.refused_until = Some(Instant::now() + lasts);
                self.cut_some(100, Knife::Reset);
            }
            Order::Silence(lasts) => {
                let until = Instant::now() + lasts;
                self.silent_until = Some(until);
                self.pairs().for_each(|(_, pair)| pair.stall_both(until));
            }
            Order::Stop => {}
        }
    }

    fn pairs(&mut self) -> impl Iterator<Item = (usize, &mut Pair)> {
        self.conns.iter_mut().filter_map(|(place, conn)| match conn {
            Conn::Paired(pair) => Some((place, pair)),
            _ => None,
        })
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut client = match self.listener.accept() {
                Ok((client, _)) => client,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // Gone before it was taken.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            if self.refused_until.is_some_and(|until| Instant::now() < until) {
                reset_at_close(&client);
                continue;
            }
            let entry = self.conns.vacant_entry();
            let place = entry.key();
            self.poll.registry().register(&mut client, Token(place * 2), Interest::READABLE | Interest::WRITABLE)?;
            entry.insert(Conn::Asking(client, Vec::new()));
            self.ask(place);
        }
    }

    /// Finds a server for a client, once it has said which it needs.
    fn ask(&mut self, place: usize) {
        let Some(Conn::Asking(client, said)) = self.conns.get_mut(place) else { return };
        let choices = loop {
            if let Some(choices) = self.routes.choices(said) {
                break choices;
            }
            match client.read(&mut self.scratch) {
                Ok(came) if came > 0 => said.extend_from_slice(self.scratch.get(..came).unwrap_or_default()),
                Err(error) if is_for_later(&error) => return,
                // It has gone without a word.
                _ => {
                    self.conns.remove(place);
                    return;
                }
            }
        };
        let server = connect(&choices).and_then(|mut server| {
            let token = Token(place * 2 + 1);
            self.poll.registry().register(&mut server, token, Interest::READABLE | Interest::WRITABLE).ok().map(|()| server)
        });
        let Some(server) = server else {
            // As the kernel answers where nobody listens.
            reset_at_close(client);
            self.conns.remove(place);
            return;
        };
        // The place stays: the client is watched under its number.
        let Some(conn) = self.conns.get_mut(place) else { return };
        if let Conn::Asking(client, said) = std::mem::replace(conn, Conn::Moving) {
            let mut pair = Pair::new(client, server, said);
            self.silent_until.filter(|until| Instant::now() < *until).into_iter().for_each(|until| pair.stall_both(until));
            *conn = Conn::Paired(pair);
        }
        self.pass_on(place, Side::Client);
    }

    /// Passes on what has come from this side, and forgets a pair that is over.
    fn pass_on(&mut self, place: usize, from: Side) {
        let over = match self.conns.get_mut(place) {
            Some(Conn::Paired(pair)) => !pair.pass_on(from, &mut self.scratch),
            Some(Conn::Asking(..)) => return self.ask(place),
            _ => false,
        };
        if over {
            self.conns.remove(place);
        }
    }

    fn cut_some(&mut self, share: usize, knife: Knife) {
        let all: Vec<usize> = self.pairs().map(|(place, _)| place).collect();
        for place in all {
            if !self.random.percent(share) {
                continue;
            }
            self.cut.fetch_add(1, Ordering::Relaxed);
            let reset = knife == Knife::Reset || (knife == Knife::MidFrame && self.random.percent(50));
            let Some(Conn::Paired(pair)) = self.conns.get_mut(place) else { continue };
            if knife == Knife::MidFrame {
                pair.tear(self.random.between(1, 80), reset);
            } else {
                pair.end(reset);
                self.conns.remove(place);
            }
        }
    }
}
