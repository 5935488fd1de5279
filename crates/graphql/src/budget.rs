//! How many bytes one request may cost, with all its aliases; a batch counts as one request. How many values an answer could hold is counted
//! before a query runs (`complexity`). But a message has one character or thousands, so its bytes are counted while the query runs.
//!
//! Two sums are kept. The services' answers stay in memory until the request is answered: past [`Limits::read_bytes`] no service is asked any
//! more, and each field that needed one is `too_large`. The answer may hold the same text under thirty aliases: an answer with more than
//! [`Limits::text_bytes`] of text is not given at all.

use crate::limits::Limits;
use contract::calls::messages::{Found, OfRoom, Recently, Searched, Stretch};
use contract::calls::state::StateItem;
use contract::calls::threads::{OfThread, Thread};
use contract::{Code, Message, Metadata, Page, Placed, Refusal, Room, User};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::{Mutex, MutexGuard};

/// See the module.
#[derive(Debug)]
pub(crate) struct Budget {
    read_bytes: usize,
    text_bytes: usize,
    read: AtomicUsize,
    told: AtomicUsize,
    /// Whether a text is missing in the answer.
    cut: AtomicBool,
    turn: Mutex<Due>,
}

/// What the holder of the turn may read and change.
#[derive(Debug)]
pub(crate) struct Due {
    /// Reads to pay before a service is asked.
    pub due: u32,
}

/// The right to ask a service; it ends when this is dropped.
pub(crate) type Turn<'a> = MutexGuard<'a, Due>;

impl Budget {
    /// A request's, or a batch's. The request has been paid for.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self::of(limits.read_bytes, limits.text_bytes, 0)
    }

    fn of(read_bytes: usize, text_bytes: usize, due: u32) -> Self {
        Self {
            read_bytes,
            text_bytes,
            read: AtomicUsize::new(0),
            told: AtomicUsize::new(0),
            cut: AtomicBool::new(false),
            turn: Mutex::const_new(Due { due }),
        }
    }

    /// A subscription's. Each of its events gets a [`Budget::anew`] of it.
    pub(crate) fn of_event(limits: &Limits) -> Self {
        Self::of(limits.event_bytes, limits.event_bytes, 0)
    }

    /// A full budget with the same bounds, and with so many reads to pay.
    pub(crate) fn anew(&self, due: u32) -> Self {
        Self::of(self.read_bytes, self.text_bytes, due)
    }

    /// Waits until no other call of this request is under way, so that at most one answer is on its way.
    ///
    /// # Errors
    /// `too_large` once too much has been read.
    pub(crate) async fn turn(&self) -> Result<Turn<'_>, Refusal> {
        let turn = self.turn.lock().await;
        if self.read.load(Ordering::Relaxed) < self.read_bytes {
            return Ok(turn);
        }
        let most = kib(self.read_bytes);
        Err(Refusal::new(Code::TooLarge, format!("this request has read {most} KiB, and no more is read for one: ask for less at a time")))
    }

    /// Notes what a service has answered.
    pub(crate) fn has_read(&self, answer: &impl Weight) {
        self.read.fetch_add(answer.weight(), Ordering::Relaxed);
    }

    /// The text as it goes into the answer; empty where the answer has no room for it.
    pub(crate) fn tell<'a>(&self, text: &'a str) -> &'a str {
        if self.tell_bytes(text.len()) { text } else { "" }
    }

    /// Counts so many bytes of the answer. False if they are too many; then the answer is not given.
    pub(crate) fn tell_bytes(&self, bytes: usize) -> bool {
        let fits = |told: usize| told.checked_add(bytes).filter(|told| *told <= self.text_bytes);
        let is_told = self.told.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok();
        if !is_told {
            self.cut.store(true, Ordering::Relaxed);
        }
        is_told
    }

    /// Whether the answer may be given (of a batch, to the request that was run last).
    ///
    /// # Errors
    /// `too_large` if texts are missing in it.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if !self.cut.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let most = kib(self.text_bytes);
        Err(Refusal::new(Code::TooLarge, format!("the answer would hold more than {most} KiB of messages' text: ask for less at a time")))
    }
}

fn kib(bytes: usize) -> usize {
    bytes / 1_024
}

/// About how many bytes of memory a thing takes.
pub(crate) trait Weight {
    fn weight(&self) -> usize;
}

/// A short text on the heap, with its string.
const SHORT: usize = 48;

impl Weight for User {
    fn weight(&self) -> usize {
        size_of::<Self>()
            + 2 * SHORT
            + self.status.as_ref().map_or(0, |status| status.as_str().len())
            + self.metadata.as_ref().map_or(0, Weight::weight)
    }
}

impl Weight for Message {
    fn weight(&self) -> usize {
        let reactions: usize = self.reactions.iter().map(|reaction| SHORT * (2 + reaction.usernames.len())).sum();
        let reply_to = self.reply_to.as_ref().map_or(0, |reply_to| 2 * SHORT + reply_to.body.len());
        let thread_info = self.thread_info.as_ref().map_or(0, |info| SHORT * (2 + info.usernames.len()));
        let mentions = self.mentions.as_ref().map_or(0, |mentions| SHORT * (1 + mentions.users.len()));
        let metadata = self.metadata.as_ref().map_or(0, Weight::weight);
        size_of::<Self>() + SHORT + self.body.as_str().len() + reactions + reply_to + thread_info + mentions + metadata
    }
}

impl Weight for Metadata {
    fn weight(&self) -> usize {
        // A small value takes more in memory than as text.
        4 * self.bytes()
    }
}

impl Weight for Room {
    fn weight(&self) -> usize {
        size_of::<Self>()
            + SHORT * (2 + self.usernames.len())
            + self.last_message.as_ref().map_or(0, Weight::weight)
            + self.topic.as_ref().map_or(0, |topic| topic.as_str().len())
            + self.metadata.as_ref().map_or(0, Weight::weight)
    }
}

impl Weight for Found {
    fn weight(&self) -> usize {
        self.message.weight() + self.excerpt.iter().map(|piece| SHORT + piece.text.len()).sum::<usize>()
    }
}

impl Weight for Stretch {
    fn weight(&self) -> usize {
        self.messages.weight()
    }
}

impl Weight for StateItem {
    fn weight(&self) -> usize {
        // A small value takes more in memory than as text.
        size_of::<Self>() + self.key.as_str().len() + 4 * self.value.bytes()
    }
}

impl<T: Weight> Weight for OfRoom<T> {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.answer.as_ref().map_or(0, Weight::weight)
    }
}

impl Weight for Thread {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.root.weight()
    }
}

impl<T: Weight> Weight for OfThread<T> {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.answer.as_ref().map_or(0, Weight::weight)
    }
}

impl<T: Weight> Weight for Vec<T> {
    fn weight(&self) -> usize {
        self.iter().map(Weight::weight).sum()
    }
}

impl<T: Weight> Weight for Page<T> {
    fn weight(&self) -> usize {
        self.items.weight()
    }
}

impl Weight for Recently {
    fn weight(&self) -> usize {
        self.messages.weight()
    }
}

impl Weight for Searched {
    fn weight(&self) -> usize {
        self.page.weight()
    }
}

impl<T: Weight> Weight for Placed<T> {
    fn weight(&self) -> usize {
        self.items.iter().map(|(_, item)| SHORT + item.weight()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(read_bytes: usize, text_bytes: usize) -> Budget {
        Budget::new(&Limits { read_bytes, text_bytes, ..Limits::default() })
    }

    struct Bytes(usize);

    impl Weight for Bytes {
        fn weight(&self) -> usize {
            self.0
        }
    }

    #[tokio::test]
    async fn nothing_more_is_read_once_it_is_too_much() {
        let budget = budget(2_048, 0);
        for _ in 0..2 {
            drop(budget.turn().await.unwrap());
            budget.has_read(&Bytes(2_000));
        }
        let refusal = budget.turn().await.unwrap_err();
        assert_eq!(refusal.code, Code::TooLarge);
        assert!(refusal.detail.contains("2 KiB"), "{}", refusal.detail);
        assert_eq!(budget.anew(3).turn().await.unwrap().due, 3);
    }

    #[test]
    fn an_answer_with_too_much_text_is_not_given() {
        let budget = budget(0, 10);
        assert_eq!((budget.tell("12345"), budget.tell("67890")), ("12345", "67890"));
        budget.check().unwrap();
        assert_eq!(budget.tell("x"), "", "nothing is copied that will not be sent");
        assert_eq!(budget.check().unwrap_err().code, Code::TooLarge);
        budget.check().unwrap();
        assert_eq!(budget.tell(""), "", "a request of the same batch that has no text is answered");
        budget.check().unwrap();
        assert_eq!(budget.tell("y"), "");
        budget.check().unwrap_err();
    }
}
