//! The kinds of changes, and what the n-th of each is about.

use crate::scenarios::assembly::{Ask, Request};

/// What is done to messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// They are sent: what the others are held against.
    Sends,
    /// Each gets another text.
    Edits,
    /// They get a reaction, and lose it again.
    Reactions,
    /// Each is deleted.
    Deletions,
}

impl Kind {
    /// In the order in which a room goes through them: what is deleted takes no change.
    pub const ALL: [Self; 4] = [Self::Sends, Self::Edits, Self::Reactions, Self::Deletions];

    /// As the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sends => "sends",
            Self::Edits => "edits",
            Self::Reactions => "reactions, on and off",
            Self::Deletions => "deletions",
        }
    }

    /// The n-th of this kind in a room whose messages begin after `base`, asked for by its first member. With so many reactions given they are taken back
    /// in the same order, and so on: two that are unanswered together never touch the same message.
    pub fn nth(self, n: usize, base: u64, window: usize) -> Ask {
        let seq = base + 1 + n as u64;
        let request = match self {
            Self::Sends => Request::Send { seq },
            Self::Edits => Request::Edit { seq },
            Self::Reactions => {
                let (turn, at) = (n / (2 * window.max(1)), n % (2 * window.max(1)));
                let seq = base + 1 + (turn * window.max(1) + at % window.max(1)) as u64;
                Request::React { seq, emoji: "👍", on: at < window }
            }
            Self::Deletions => Request::Delete { seq },
        };
        Ask { member: 0, request }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_reaction_changes_something_in_messages_that_are_there() {
        for (window, each) in [(8, 80), (8, 79), (1, 10), (3, 2), (64, 100)] {
            let (mut given, mut newest) = (HashSet::new(), Vec::new());
            for n in 0..each {
                let Request::React { seq, on, .. } = Kind::Reactions.nth(n, 100, window).request else { panic!("no reaction") };
                assert!((101..=100 + each as u64).contains(&seq), "{seq} of {each}");
                assert!(if on { given.insert(seq) } else { given.remove(&seq) }, "{n} of window {window} changes nothing");
                newest.push(seq);
                let unanswered: HashSet<_> = newest.iter().rev().take(window).collect();
                assert_eq!(unanswered.len(), window.min(newest.len()), "two at once to one message");
            }
        }
    }

    #[test]
    fn the_other_kinds_take_each_message_once() {
        let asked = |kind: Kind| (0..5).map(|n| kind.nth(n, 7, 2).request).collect::<Vec<_>>();
        assert_eq!(asked(Kind::Sends)[4], Request::Send { seq: 12 });
        assert_eq!(asked(Kind::Edits)[0], Request::Edit { seq: 8 });
        assert_eq!(asked(Kind::Deletions)[2], Request::Delete { seq: 10 });
    }
}
