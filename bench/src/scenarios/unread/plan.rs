//! What is in a room whose reader has read a half of it, and what must be told of that.

use std::ops::Range;

use serde::Deserialize;

use crate::scenarios::assembly::{Ask, Request};

/// Members of a room: two would be a direct room, which has no threads.
pub const MEMBERS: usize = 3;
/// The member who reads, and who begins the threads.
pub const READER: usize = 0;
/// The member who says all the rest.
pub const WRITER: usize = 1;
/// The first half comes in so many blocks, so that threads begin all over it, and their replies lie between.
pub const BLOCKS: usize = 10;
/// Threads of a page.
pub const LISTED: usize = 20;
/// In the first half one message out of so many mentions the reader.
const MENTIONED: usize = 20;

/// How much is in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Messages, without those that stand in threads alone.
    pub messages: usize,
    /// Threads: so many of the messages are answered in one, each once.
    pub threads: usize,
}

/// A room's contents.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How much there is.
    pub size: Size,
    /// Threads with something unread.
    pub unread: usize,
    /// Unread messages that mention the reader.
    pub mentions: usize,
}

impl Plan {
    /// Messages of the first half: the reader's newest is the last of them.
    fn seen(&self) -> usize {
        self.size.messages / 2
    }

    /// What the writer says at the beginning of a block, where the room's newest `seq` is this.
    pub fn talk(&self, block: usize, head: u64) -> Vec<Ask> {
        let messages = share(self.seen().saturating_sub(self.size.threads), block);
        messages.zip(head + 1..).map(|(number, seq)| says(seq, number.is_multiple_of(MENTIONED))).collect()
    }

    /// What the reader says after that: threads begin there. A message moves its sender's mark.
    pub fn begin_threads(&self, block: usize, head: u64) -> Vec<Ask> {
        let threads = share(self.size.threads, block);
        threads.zip(head + 1..).map(|(_, seq)| Ask { member: READER, request: Request::Send { seq } }).collect()
    }

    /// The second half, all said by the writer.
    pub fn rest(&self, head: u64) -> Vec<Ask> {
        let count = self.size.messages - self.seen();
        (0..count).zip(head + 1..).map(|(number, seq)| says(seq, is_chosen(number, count, self.mentions))).collect()
    }
}

/// What the writer says in threads: an answer to each of these messages.
pub fn answers(roots: &[u64], head: u64) -> Vec<Ask> {
    roots.iter().zip(head + 1..).map(|(root, seq)| Ask { member: WRITER, request: Request::Reply { seq, root: *root } }).collect()
}

fn says(seq: u64, mentions: bool) -> Ask {
    let request = if mentions { Request::Mention { seq, member: READER } } else { Request::Send { seq } };
    Ask { member: WRITER, request }
}

/// A block's share of so many.
fn share(count: usize, block: usize) -> Range<usize> {
    count * block / BLOCKS..count * (block + 1) / BLOCKS
}

/// Whether this one of `of` is one of `count` that lie evenly among them.
fn is_chosen(number: usize, of: usize, count: usize) -> bool {
    let step = (of / count.max(1)).max(1);
    number.is_multiple_of(step) && number / step < count
}

/// A room that is filled.
#[derive(Clone, Debug)]
pub struct Room {
    /// Its id.
    pub id: String,
    /// What is in it.
    pub plan: Plan,
    /// The reader's token.
    pub reader: String,
    /// The writer's.
    pub writer: String,
    /// The first messages of the threads with something unread, the newest first.
    pub unread: Vec<u64>,
    /// Those of the other threads, the oldest first.
    pub others: Vec<u64>,
}

#[derive(Deserialize)]
struct Told {
    unread: usize,
    unread_threads: usize,
    mentions: usize,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Thread>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Thread {
    root: Root,
    replies: u64,
    unread: u64,
}

#[derive(Deserialize)]
struct Root {
    seq: u64,
}

#[derive(Deserialize)]
struct Mark {
    read: u64,
    unread: u64,
}

impl Room {
    /// A room with this id and these tokens, in which threads begin with these messages.
    pub fn new(id: &str, plan: Plan, [reader, writer]: [String; 2], roots: &[u64]) -> Self {
        let (mut unread, mut others) = (Vec::new(), Vec::new());
        for (number, root) in roots.iter().enumerate() {
            (if is_chosen(number, roots.len(), plan.unread) { &mut unread } else { &mut others }).push(*root);
        }
        unread.reverse();
        Self { id: id.to_owned(), plan, reader, writer, unread, others }
    }

    /// Whether this is the room as its reader must see it.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, body: &[u8]) -> Result<(), String> {
        let told: Told = serde_json::from_slice(body).map_err(|error| format!("no room: {error}"))?;
        let due = [self.plan.size.messages - self.plan.seen(), self.plan.unread, self.plan.mentions];
        let told = [told.unread, told.unread_threads, told.mentions];
        if told == due { Ok(()) } else { Err(format!("unread, unread_threads and mentions are {told:?} instead of {due:?}")) }
    }

    /// Whether this is the page of the reader's unread threads: one message of each is unread.
    ///
    /// # Errors
    /// Why not.
    pub fn check_threads(&self, body: &[u8]) -> Result<(), String> {
        let page: Page = serde_json::from_slice(body).map_err(|error| format!("no page: {error}"))?;
        let roots = page.items.iter().map(|thread| thread.root.seq);
        if !roots.eq(self.unread.iter().copied()) || page.next.is_some() {
            return Err(format!("not the {} threads with something unread", self.unread.len()));
        }
        match page.items.iter().find(|thread| (thread.replies, thread.unread) != (1, 1)) {
            Some(thread) => Err(format!("{} of {} messages are unread in thread {}", thread.unread, thread.replies, thread.root.seq)),
            None => Ok(()),
        }
    }
}

/// Whether a mark stands here now (where it is known), with so many unread.
///
/// # Errors
/// Why not.
pub fn check_mark(body: &[u8], read: Option<u64>, unread: u64) -> Result<(), String> {
    let mark: Mark = serde_json::from_slice(body).map_err(|error| format!("no mark: {error}"))?;
    if read.is_none_or(|read| mark.read == read) && mark.unread == unread {
        return Ok(());
    }
    Err(format!("the mark is at {} with {} unread; {read:?} and {unread} were due", mark.read, mark.unread))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn plan(messages: usize, threads: usize) -> Plan {
        Plan { size: Size { messages, threads }, unread: 5, mentions: 5 }
    }

    #[test]
    fn a_room_holds_what_its_plan_says() {
        for (messages, threads) in [(100, 10), (101, 12), (100_000, 10_000)] {
            let plan = plan(messages, threads);
            let (mut head, mut roots) = (0, Vec::new());
            for block in 0..BLOCKS {
                head += plan.talk(block, head).len() as u64;
                let begun: Vec<u64> = plan.begin_threads(block, head).iter().filter_map(|ask| ask.request.answers()).collect();
                head += begun.len() as u64;
                head += answers(&begun, head).len() as u64;
                roots.extend(begun);
            }
            let rest = plan.rest(head);
            assert_eq!(head as usize + rest.len(), messages + threads);
            let mentions = rest.iter().filter(|ask| matches!(ask.request, Request::Mention { .. })).count();
            assert_eq!((rest.len(), mentions), (messages - messages / 2, 5));
            let room = Room::new("r", plan, [String::new(), String::new()], &roots);
            assert_eq!((room.unread.len(), room.others.len()), (5, threads - 5));
            assert!(room.unread.is_sorted_by(|one, other| one > other), "{:?}", room.unread);
        }
    }

    #[test]
    fn answers_are_right_or_told_why_not() {
        let room = Room::new("r", plan(100, 10), [String::new(), String::new()], &[3, 5, 9, 11, 20, 21, 22, 23, 24, 25]);
        assert_eq!(room.unread, [24, 22, 20, 9, 3]);
        let told = |unread| json!({ "unread": unread, "unread_threads": 5, "mentions": 5, "last_message": null }).to_string();
        assert_eq!(room.check(told(50).as_bytes()), Ok(()));
        assert!(room.check(told(49).as_bytes()).unwrap_err().contains("[49, 5, 5]"));
        let thread = |seq: &u64| json!({ "root": { "seq": seq }, "replies": 1, "unread": 1 });
        let page = json!({ "items": room.unread.iter().map(thread).collect::<Vec<_>>(), "next": null });
        assert_eq!(room.check_threads(page.to_string().as_bytes()), Ok(()));
        let spoiled = |spoil: fn(&mut Value)| {
            let mut page = page.clone();
            spoil(&mut page);
            room.check_threads(page.to_string().as_bytes()).unwrap_err()
        };
        assert!(spoiled(|page| page["items"].as_array_mut().unwrap().swap(0, 1)).contains("not the 5"));
        assert!(spoiled(|page| page["next"] = "1.r.3".into()).contains("not the 5"));
        assert!(spoiled(|page| page["items"][1]["unread"] = 0.into()).contains("thread 22"));
        let mark = json!({ "read": 7, "unread": 1 }).to_string();
        let verdict = |read, unread| check_mark(mark.as_bytes(), read, unread);
        assert_eq!((verdict(Some(7), 1), verdict(None, 1)), (Ok(()), Ok(())));
        assert!(verdict(Some(8), 1).is_err() && verdict(None, 0).is_err());
    }
}
