//! A TCP proxy on loopback, on a thread of its own, that can cut what goes through it: with a reset, with a close, in the middle of a
//! frame; that can pass nothing on for a while, in one direction or both; and that can refuse whoever comes.

mod pair;
mod route;
mod running;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use mio::net::TcpListener;
use mio::{Interest, Poll, Waker};

use super::plan::Knife;
use pair::Side;
use running::{LISTENER, Order, Running, WAKER};

pub use route::Routes;

/// The proxy; it ends with this.
pub struct Proxy {
    /// Where clients connect to.
    pub addr: SocketAddr,
    orders: Sender<Order>,
    waker: Arc<Waker>,
    cut: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// One before these servers; which connections a fault hits is drawn from the seed.
    ///
    /// # Errors
    /// The kernel gives no port, poll or thread.
    pub fn start(routes: Routes, seed: u64) -> Result<Self> {
        let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let addr = listener.local_addr()?;
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (orders, told) = channel();
        let cut = Arc::new(AtomicU64::new(0));
        let run = Running::new(poll, listener, routes, told, seed, Arc::clone(&cut));
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

    /// Resets all connections and, for so long, all that come.
    pub fn refuse(&self, lasts: Duration) {
        self.tell(Order::Refuse(lasts));
    }

    /// Passes nothing on, either way, for so long; connections that come are taken and hear nothing.
    pub fn silence(&self, lasts: Duration) {
        self.tell(Order::Silence(lasts));
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

#[cfg(test)]
mod tests {
    use std::io::{self, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::Instant;

    use super::*;

    fn through() -> (Proxy, TcpStream, TcpStream) {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::start(Routes::one(server.local_addr().unwrap()), 1).unwrap();
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

    #[test]
    fn who_is_refused_is_reset_and_may_come_later() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::start(Routes::one(listener.local_addr().unwrap()), 1).unwrap();
        let mut client = TcpStream::connect(proxy.addr).unwrap();
        client.write_all(b"x").unwrap();
        let mut server = listener.accept().unwrap().0;
        read(&mut server, 1);
        let began = Instant::now();
        proxy.refuse(Duration::from_millis(200));
        assert_eq!(client.read(&mut [0; 9]).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"welcome"));
        loop {
            // The reset may come before the connection is even told.
            let heard = TcpStream::connect(proxy.addr).and_then(|mut again| {
                again.write_all(b"x")?;
                again.read(&mut [0; 9])
            });
            if heard.is_ok_and(|bytes| bytes > 0) {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(5), "it is refused for good");
        }
        assert!(began.elapsed() >= Duration::from_millis(190), "{:?}", began.elapsed());
    }

    #[test]
    fn what_is_silent_holds_both_directions_and_those_who_come() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::start(Routes::one(listener.local_addr().unwrap()), 1).unwrap();
        let began = Instant::now();
        proxy.silence(Duration::from_millis(300));
        let mut client = TcpStream::connect(proxy.addr).unwrap();
        client.write_all(b"late").unwrap();
        let mut server = listener.accept().unwrap().0;
        server.write_all(b"late").unwrap();
        assert_eq!(read(&mut server, 4), b"late");
        assert_eq!(read(&mut client, 4), b"late");
        assert!(began.elapsed() >= Duration::from_millis(290), "{:?}", began.elapsed());
    }

    #[test]
    fn services_apart_are_told_by_the_path() {
        let servers = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let mut all = servers.iter().map(|server| vec![server.local_addr().unwrap()]);
        let proxy = Proxy::start(Routes::apart(|_| all.next().unwrap()), 1).unwrap();
        for (server, path) in servers.iter().zip(["/users/u1", "/rooms", "/socket.io/"]) {
            let mut client = TcpStream::connect(proxy.addr).unwrap();
            client.write_all(b"GET ").unwrap();
            client.write_all(format!("{path} HTTP/1.1\r\n").as_bytes()).unwrap();
            let mut server = server.accept().unwrap().0;
            let whole = format!("GET {path} HTTP/1.1\r\n");
            assert_eq!(read(&mut server, whole.len()), whole.as_bytes());
            server.write_all(b"yes").unwrap();
            assert_eq!(read(&mut client, 3), b"yes");
        }
    }
}
