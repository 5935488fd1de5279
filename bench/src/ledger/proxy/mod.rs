//! A TCP proxy on loopback, on a thread of its own, that can cut what goes through it: with a reset, with a close, in the middle of a
//! frame; and that can pass nothing on for a while, in one direction.

mod pair;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;

use super::plan::Knife;
use crate::random::Random;
use pair::{AT_ONCE, Pair, Side};

/// What a proxy is told.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// Cut so many of a hundred connections.
    Cut(usize, Knife),
    /// Pass nothing on, on so many of a hundred connections, from this side, for so long.
    Stall(usize, Side, Duration),
    /// End.
    Stop,
}

/// The proxy; it ends with this.
pub struct Proxy {
    /// Where clients connect to.
    pub addr: SocketAddr,
    orders: Sender<Order>,
    waker: Arc<Waker>,
    cut: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);

impl Proxy {
    /// One before this server; which connections a fault hits is drawn from the seed.
    ///
    /// # Errors
    /// The kernel gives no port, poll or thread.
    pub fn start(server: SocketAddr, seed: u64) -> Result<Self> {
        let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let addr = listener.local_addr()?;
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (orders, told) = channel();
        let cut = Arc::new(AtomicU64::new(0));
        let run = Running {
            poll,
            listener,
            server,
            pairs: Slab::new(),
            told,
            random: Random::new(seed),
            cut: Arc::clone(&cut),
            scratch: vec![0; AT_ONCE],
        };
        let thread = std::thread::Builder::new().name("proxy".to_owned()).spawn(move || {
            if let Err(error) = run.run() {
                eprintln!("bench: the proxy has ended: {error}");
            }
        });
        Ok(Self { addr, orders, waker, cut, thread: Some(thread.context("no thread for the proxy")?) })
    }

    /// Cuts so many of a hundred connections.
    pub fn cut(&self, share: usize, knife: Knife) {
        self.tell(Order::Cut(share, knife));
    }

    /// Passes nothing on, on so many of a hundred connections: to the clients or from them.
    pub fn stall(&self, share: usize, to_clients: bool, lasts: Duration) {
        self.tell(Order::Stall(share, if to_clients { Side::Server } else { Side::Client }, lasts));
    }

    /// How many connections it has cut.
    pub fn cuts(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }

    fn tell(&self, order: Order) {
        // Where its thread has ended there is nothing to cut, and no connection that anything could come over.
        let _ = self.orders.send(order);
        let _ = self.waker.wake();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.tell(Order::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What its thread has.
struct Running {
    poll: Poll,
    listener: TcpListener,
    server: SocketAddr,
    pairs: Slab<Pair>,
    told: Receiver<Order>,
    random: Random,
    cut: Arc<AtomicU64>,
    scratch: Vec<u8>,
}

impl Running {
    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1_024);
        loop {
            let stalled = self.pairs.iter().filter_map(|(_, pair)| pair.stalled_until()).min();
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
            let over: Vec<_> = self.pairs.iter_mut().filter_map(|(place, pair)| Some((place, pair.wake(Instant::now())?))).collect();
            over.into_iter().for_each(|(place, side)| self.pass_on(place, side));
            while let Ok(order) = self.told.try_recv() {
                match order {
                    Order::Cut(share, knife) => self.cut_some(share, knife),
                    Order::Stall(share, side, lasts) => {
                        let until = Instant::now() + lasts;
                        for (_, pair) in &mut self.pairs {
                            if self.random.percent(share) {
                                pair.stall(side, until);
                            }
                        }
                    }
                    Order::Stop => return Ok(()),
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let client = match self.listener.accept() {
                Ok((client, _)) => client,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // Gone before it was taken.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            let server = TcpStream::connect(self.server)?;
            let entry = self.pairs.vacant_entry();
            let place = entry.key();
            let mut pair = Pair::new(client, server);
            pair.register(self.poll.registry(), Token(place * 2), Token(place * 2 + 1))?;
            entry.insert(pair);
        }
    }

    /// Passes on what has come from this side, and forgets a pair that is over.
    fn pass_on(&mut self, place: usize, from: Side) {
        if let Some(pair) = self.pairs.get_mut(place)
            && !pair.pass_on(from, &mut self.scratch)
        {
            self.pairs.remove(place);
        }
    }

    fn cut_some(&mut self, share: usize, knife: Knife) {
        let all: Vec<usize> = self.pairs.iter().map(|(place, _)| place).collect();
        for place in all {
            if !self.random.percent(share) {
                continue;
            }
            self.cut.fetch_add(1, Ordering::Relaxed);
            let reset = knife == Knife::Reset || (knife == Knife::MidFrame && self.random.percent(50));
            if knife == Knife::MidFrame {
                if let Some(pair) = self.pairs.get_mut(place) {
                    pair.tear(self.random.between(1, 80), reset);
                }
            } else if let Some(mut pair) = self.pairs.try_remove(place) {
                pair.end(reset);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn through() -> (Proxy, TcpStream, TcpStream) {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::start(server.local_addr().unwrap(), 1).unwrap();
        let client = TcpStream::connect(proxy.addr).unwrap();
        (proxy, client, server.accept().unwrap().0)
    }

    fn read(stream: &mut TcpStream, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn it_passes_on_both_ways_and_an_end_too() {
        let (_proxy, mut client, mut server) = through();
        let long: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let sent = long.clone();
        let writer = std::thread::spawn(move || {
            server.write_all(&sent).unwrap();
            server
        });
        assert_eq!(read(&mut client, long.len()), long);
        let mut server = writer.join().unwrap();
        client.write_all(b"hello").unwrap();
        assert_eq!(read(&mut server, 5), b"hello");
        drop(server);
        assert_eq!(client.read(&mut [0; 9]).unwrap(), 0);
    }

    #[test]
    fn a_cut_is_a_reset_or_an_end() {
        let (proxy, mut client, mut server) = through();
        client.write_all(b"x").unwrap();
        read(&mut server, 1);
        proxy.cut(100, Knife::Reset);
        assert_eq!(client.read(&mut [0; 9]).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(proxy.cuts(), 1);
        let (proxy, mut client, mut server) = through();
        client.write_all(b"x").unwrap();
        read(&mut server, 1);
        proxy.cut(100, Knife::Close);
        assert_eq!(client.read(&mut [0; 9]).unwrap(), 0);
    }

    #[test]
    fn torn_in_the_middle_a_part_arrives_and_then_nothing() {
        let (proxy, mut client, mut server) = through();
        client.write_all(b"x").unwrap();
        read(&mut server, 1);
        proxy.cut(100, Knife::MidFrame);
        while proxy.cuts() == 0 {
            std::thread::yield_now();
        }
        server.write_all(&[7; 1_000]).unwrap();
        let mut got = Vec::new();
        let _ = client.read_to_end(&mut got);
        assert!((1..=80).contains(&got.len()), "{}", got.len());
    }

    #[test]
    fn a_stall_holds_one_direction_and_loses_nothing() {
        let (proxy, mut client, mut server) = through();
        client.write_all(b"x").unwrap();
        read(&mut server, 1);
        let began = Instant::now();
        proxy.stall(100, true, Duration::from_millis(300));
        std::thread::sleep(Duration::from_millis(50));
        server.write_all(b"late").unwrap();
        client.write_all(b"soon").unwrap();
        assert_eq!(read(&mut server, 4), b"soon");
        assert_eq!(read(&mut client, 4), b"late");
        assert!(began.elapsed() >= Duration::from_millis(290), "{:?}", began.elapsed());
    }
}
