//! What is asked over REST of the rooms and their threads.

use serde_json::json;

use super::plan::{LISTED, Room, check_mark};
use crate::json::number_after;
use crate::scenarios::assembly::body;
use crate::scenarios::pages::{Question, Reader};

/// Past every message.
const EVERYTHING: u64 = 1_000_000_000;

/// What its reader can ask of a room again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// The room.
    Room,
    /// The reader's threads with something unread.
    Threads,
}

/// Asks the same so many times.
pub struct Repeated<'a> {
    /// What.
    pub read: Read,
    /// Of which room.
    pub room: &'a Room,
    /// How many more times.
    pub left: usize,
}

impl Reader for Repeated<'_> {
    fn next(&mut self, _client: usize) -> Option<Question> {
        self.left = self.left.checked_sub(1)?;
        let path = match self.read {
            Read::Room => format!("/rooms/{}", self.room.id),
            Read::Threads => format!("/users/me/threads?unread=true&limit={LISTED}"),
        };
        Some(Question::get(path, self.room.reader.clone()))
    }

    fn page(&mut self, _client: usize, body: &[u8]) -> Result<(), String> {
        match self.read {
            Read::Room => self.room.check(body),
            Read::Threads => self.room.check_threads(body),
        }
    }
}

/// The reader's mark in a thread shall stand here.
fn mark(room: &Room, root: u64, seq: u64) -> Question {
    let (path, token) = (format!("/rooms/{}/threads/{root}/read", room.id), room.reader.clone());
    Question { method: "PUT", path, token, body: json!({ "seq": seq }).to_string() }
}

/// Reads all of the threads that shall have nothing unread.
pub struct CatchUp<'a> {
    threads: Box<dyn Iterator<Item = (&'a Room, u64)> + 'a>,
}

impl<'a> CatchUp<'a> {
    /// In these rooms.
    pub fn new(rooms: &'a [Room]) -> Self {
        Self { threads: Box::new(others(rooms)) }
    }
}

impl Reader for CatchUp<'_> {
    fn next(&mut self, _client: usize) -> Option<Question> {
        self.threads.next().map(|(room, root)| mark(room, root, EVERYTHING))
    }

    fn page(&mut self, _client: usize, body: &[u8]) -> Result<(), String> {
        check_mark(body, None, 0)
    }
}

fn others(rooms: &[Room]) -> impl Iterator<Item = (&Room, u64)> + Clone {
    rooms.iter().flat_map(|room| room.others.iter().map(move |root| (room, *root)))
}

/// A thread in which two messages come, which are then read one by one.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    room: &'a Room,
    root: u64,
    /// The two.
    seqs: [u64; 2],
}

/// So many threads of these rooms, others each turn where there are more.
pub fn choose(rooms: &[Room], turn: usize, count: usize) -> Vec<Chosen<'_>> {
    others(rooms).cycle().skip(turn * count).take(count).map(|(room, root)| Chosen { room, root, seqs: [0; 2] }).collect()
}

/// Gives each connection a thread, for two requests, then the next.
#[derive(Debug)]
struct Pairs {
    next: usize,
    /// Of each connection: thread and request, 0 or 1.
    doing: Vec<Option<(usize, usize)>>,
}

impl Pairs {
    fn new(connections: usize) -> Self {
        Self { next: 0, doing: vec![None; connections] }
    }

    /// What a connection does next, of so many threads.
    fn take(&mut self, client: usize, count: usize) -> Option<(usize, usize)> {
        let doing = self.doing.get_mut(client)?;
        *doing = match *doing {
            Some((thread, 0)) => Some((thread, 1)),
            _ if self.next < count => {
                self.next += 1;
                Some((self.next - 1, 0))
            }
            _ => None,
        };
        *doing
    }

    fn doing(&self, client: usize) -> Option<(usize, usize)> {
        self.doing.get(client).copied().flatten()
    }
}

/// Writes two messages into each of these threads.
pub struct Replies<'t, 'a> {
    threads: &'t mut [Chosen<'a>],
    pairs: Pairs,
    /// Bytes of a message.
    bytes: usize,
}

impl<'t, 'a> Replies<'t, 'a> {
    /// Over so many connections.
    pub fn new(threads: &'t mut [Chosen<'a>], connections: usize, bytes: usize) -> Self {
        Self { threads, pairs: Pairs::new(connections), bytes }
    }
}

impl Reader for Replies<'_, '_> {
    fn next(&mut self, client: usize) -> Option<Question> {
        let (thread, _) = self.pairs.take(client, self.threads.len())?;
        let Chosen { room, root, .. } = self.threads.get(thread)?;
        let (path, token) = (format!("/rooms/{}/messages", room.id), room.writer.clone());
        Some(Question { method: "POST", path, token, body: json!({ "body": body(*root, false, self.bytes), "thread": root }).to_string() })
    }

    fn page(&mut self, client: usize, body: &[u8]) -> Result<(), String> {
        let seq = std::str::from_utf8(body).ok().and_then(|text| number_after(text, "\"seq\":"));
        let place = self.pairs.doing(client).and_then(|(thread, request)| self.threads.get_mut(thread)?.seqs.get_mut(request));
        let (Some(seq), Some(place)) = (seq, place) else { return Err("no message with a seq".to_owned()) };
        *place = seq;
        Ok(())
    }
}

/// Reads the two messages in each of these threads, one by one: after the first one is unread.
pub struct Marks<'t, 'a> {
    threads: &'t [Chosen<'a>],
    pairs: Pairs,
}

impl<'t, 'a> Marks<'t, 'a> {
    /// Over so many connections.
    pub fn new(threads: &'t [Chosen<'a>], connections: usize) -> Self {
        Self { threads, pairs: Pairs::new(connections) }
    }

    fn at(&self, (thread, request): (usize, usize)) -> Option<(&Chosen<'a>, u64)> {
        let thread = self.threads.get(thread)?;
        Some((thread, *thread.seqs.get(request)?))
    }
}

impl Reader for Marks<'_, '_> {
    fn next(&mut self, client: usize) -> Option<Question> {
        let doing = self.pairs.take(client, self.threads.len())?;
        let (Chosen { room, root, .. }, seq) = self.at(doing)?;
        Some(mark(room, *root, seq))
    }

    fn page(&mut self, client: usize, body: &[u8]) -> Result<(), String> {
        let doing = self.pairs.doing(client);
        let seq = doing.and_then(|doing| self.at(doing)).map(|(_, seq)| seq);
        check_mark(body, seq, u64::from(doing.is_some_and(|(_, request)| request == 0)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::{Plan, Size};
    use super::*;

    #[test]
    fn two_messages_come_in_each_thread_and_are_read_one_by_one() {
        let plan = Plan { size: Size { messages: 100, threads: 4 }, unread: 1, mentions: 0 };
        let room = Room::new("r", plan, ["reader".to_owned(), "writer".to_owned()], &[1, 2, 3, 4]);
        let rooms = [room];
        assert_eq!(choose(&rooms, 1, 2).iter().map(|chosen| chosen.root).collect::<Vec<_>>(), [4, 2], "the next ones, and round again");
        let mut chosen = choose(&rooms, 0, 3);
        let mut replies = Replies::new(&mut chosen, 2, 20);
        let mut seq = 100;
        // Two connections in turns: two threads at a time.
        for (client, root) in [(0, 2), (1, 3), (0, 2), (1, 3), (1, 4), (1, 4)] {
            let asked = replies.next(client).unwrap();
            assert_eq!((asked.method, asked.path.as_str(), asked.token.as_str()), ("POST", "/rooms/r/messages", "writer"));
            assert!(asked.body.contains(&format!("\"thread\":{root}")), "{}", asked.body);
            seq += 1;
            replies.page(client, format!("{{\"id\":\"m\",\"seq\":{seq}}}").as_bytes()).unwrap();
        }
        assert!(replies.next(0).is_none() && replies.next(1).is_none());
        assert!(replies.page(0, b"{\"seq\":1}").is_err(), "nobody asked");
        assert_eq!(chosen.iter().map(|chosen| chosen.seqs).collect::<Vec<_>>(), [[101, 103], [102, 104], [105, 106]]);

        let mut marks = Marks::new(&chosen, 1);
        for (root, seq, unread) in [(2, 101, 1), (2, 103, 0), (3, 102, 1), (3, 104, 0), (4, 105, 1), (4, 106, 0)] {
            let asked = marks.next(0).unwrap();
            assert_eq!((asked.method, asked.path), ("PUT", format!("/rooms/r/threads/{root}/read")));
            assert_eq!((asked.token.as_str(), asked.body), ("reader", format!("{{\"seq\":{seq}}}")));
            let answer = |unread| json!({ "read": seq, "unread": unread }).to_string();
            assert!(marks.page(0, answer(unread + 1).as_bytes()).is_err());
            marks.page(0, answer(unread).as_bytes()).unwrap();
        }
        assert!(marks.next(0).is_none());
    }
}
