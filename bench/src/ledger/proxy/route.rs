//! Which server a connection goes to: the only one, or, where services run apart, one of those that serve what is asked for first. What
//! is kept open stays where it went, so a client must not ask for several services' things on one connection; the ledger's do not.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::ledger::plan::Service;

/// The servers behind a proxy.
#[derive(Clone, Debug)]
pub enum Routes {
    /// One for everything.
    One(SocketAddr),
    /// Those of each service, and how many connections went out so far.
    Apart {
        /// In the order of [`Service::ALL`].
        all: [Vec<SocketAddr>; 3],
        /// So each is taken in turn.
        turn: usize,
    },
}

/// On this machine a connection stands at once, or is refused at once; it takes longer where a stopped server's queue is full.
const CONNECT: Duration = Duration::from_millis(250);

impl Routes {
    /// To this one.
    pub fn one(server: SocketAddr) -> Self {
        Self::One(server)
    }

    /// To those that `all_of` names.
    pub fn apart(all_of: impl FnMut(Service) -> Vec<SocketAddr>) -> Self {
        Self::Apart { all: Service::ALL.map(all_of), turn: 0 }
    }

    /// Those that a connection may go to which has said this so far, the first choice first; nothing where it has not said enough.
    pub fn choices(&mut self, said: &[u8]) -> Option<Vec<SocketAddr>> {
        match self {
            Self::One(server) => Some(vec![*server]),
            Self::Apart { all, turn } => {
                let [users, messages, chat] = all;
                let mut servers = match asked(said)? {
                    Service::Users => users,
                    Service::Messages => messages,
                    Service::Chat => chat,
                }
                .clone();
                let first = *turn % servers.len().max(1);
                servers.rotate_left(first);
                *turn += 1;
                Some(servers)
            }
        }
    }
}

/// A connection to the first of them that takes one.
pub fn connect(choices: &[SocketAddr]) -> Option<mio::net::TcpStream> {
    choices.iter().find_map(|server| {
        let stream = TcpStream::connect_timeout(server, CONNECT).ok()?;
        stream.set_nonblocking(true).ok()?;
        Some(mio::net::TcpStream::from_std(stream))
    })
}

/// Who serves the path of this request; nothing where it is not there yet.
fn asked(said: &[u8]) -> Option<Service> {
    let mut words = said.split(|byte| *byte == b' ');
    let path = words.nth(1)?;
    // The path has ended once something stands behind it.
    words.next()?;
    let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    Some(match *parts {
        [_, b"users", _, b"rooms", ..] | [_, b"rooms" | b"messages", ..] => Service::Messages,
        [_, b"users", ..] => Service::Users,
        _ => Service::Chat,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_tells_the_service() {
        for (head, service) in [
            ("GET /users/login HTTP/1.1\r\n", Some(Service::Users)),
            ("POST /rooms/r1/messages HTTP/1.1\r\n", Some(Service::Messages)),
            ("GET /messages?room=1 HTTP/1.1\r\n", Some(Service::Messages)),
            ("GET /users/u1/rooms?limit=1 HTTP/1.1\r\n", Some(Service::Messages)),
            ("GET /rooms?x=/users HTTP/1.1\r\n", Some(Service::Messages)),
            ("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n", Some(Service::Chat)),
            ("GET / HTTP/1.1\r\n", Some(Service::Chat)),
            ("GET /users", None),
            ("GET", None),
            ("", None),
        ] {
            assert_eq!(asked(head.as_bytes()), service, "{head}");
        }
    }

    #[test]
    fn instances_take_turns_and_the_other_one_is_the_second_choice() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let mut routes = Routes::apart(|service| if service == Service::Chat { vec![at(1), at(2)] } else { vec![at(3)] });
        let chat = b"GET /socket.io/ HTTP/1.1\r\n";
        assert_eq!(routes.choices(chat), Some(vec![at(1), at(2)]));
        assert_eq!(routes.choices(b"GET /soc"), None);
        assert_eq!(routes.choices(chat), Some(vec![at(2), at(1)]));
        assert_eq!(routes.choices(b"GET /rooms HTTP/1.1\r\n"), Some(vec![at(3)]));
        assert_eq!(Routes::one(at(9)).choices(b""), Some(vec![at(9)]));
    }

    #[test]
    fn a_refused_connection_goes_to_the_other_instance() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let there = listener.local_addr().unwrap();
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(connect(&[gone, there]).unwrap().peer_addr().unwrap(), there);
        assert!(connect(&[gone]).is_none());
    }
}
