//! What is in a room that has been talked and worked in, and what its pages must hold.

use serde::Deserialize;

use crate::scenarios::assembly::body;

/// Messages of a page.
pub const PAGE: usize = 50;
/// One message of a block is edited out of so many: 10 of a page of 50.
pub const EDITED: usize = 5;
/// What is reacted with, at most.
pub const EMOJIS: [&str; 5] = ["👍", "🎉", "👀", "🚀", "🍜"];

/// A room, its messages in order.
#[derive(Clone, Debug)]
pub struct Room {
    /// Its id.
    pub id: String,
    /// The `seq` of each message.
    pub seqs: Vec<u64>,
    /// Whether its messages were amended.
    pub amended: bool,
    /// Members, who all react.
    pub members: usize,
    /// With how many emojis each reacts to each message.
    pub emojis: usize,
    /// Bytes of a message.
    pub bytes: usize,
}

/// Nothing that this program writes is escaped in JSON but emojis, and those are not.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    items: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    seq: u64,
    rev: u64,
    body: &'a str,
    edited_at: Option<&'a str>,
    #[serde(default)]
    reactions: Vec<Reaction>,
}

#[derive(Deserialize)]
struct Reaction {
    count: usize,
    mine: bool,
}

impl Room {
    /// Whether this message, counted from 0, is one of those that were edited.
    pub fn is_edited(&self, number: usize) -> bool {
        self.amended && number.is_multiple_of(EDITED)
    }

    /// What `before` is for the page that ends before this message, counted from 0; past the last one the newest page.
    pub fn before(&self, number: usize) -> Option<u64> {
        self.seqs.get(number).copied()
    }

    /// Whether this is the page that ends before this message: 50 of them, ascending, none missing, each as it is now.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, page: &[u8], end: usize) -> Result<(), String> {
        let page: Page<'_> = serde_json::from_slice(page).map_err(|error| format!("no page: {error}"))?;
        if page.items.len() != PAGE {
            return Err(format!("{} messages instead of {PAGE}", page.items.len()));
        }
        let first = end.saturating_sub(PAGE);
        for (number, item) in (first..).zip(&page.items) {
            let seq = self.seqs.get(number).copied().unwrap_or(0);
            if item.seq != seq {
                return Err(format!("message {} where {seq} must be", item.seq));
            }
            let edited = self.is_edited(number);
            if item.body != body(seq, edited, self.bytes) || item.edited_at.is_some() != edited || (item.rev > seq) != self.amended {
                return Err(format!("message {seq} is not what it is now"));
            }
            let emojis = if self.amended { self.emojis } else { 0 };
            if item.reactions.len() != emojis || item.reactions.iter().any(|reaction| reaction.count != self.members || !reaction.mine) {
                return Err(format!("message {seq} has not the reactions that it was given"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn room(amended: bool) -> Room {
        // Blocks of 50, with what amends them between.
        let seqs = (0..200).map(|number| number / 50 * 160 + number % 50 + 1).collect();
        Room { id: "r".to_owned(), seqs, amended, members: 2, emojis: 1, bytes: 40 }
    }

    fn page(room: &Room, end: usize) -> Value {
        let items: Vec<Value> = (end - PAGE..end)
            .map(|number| {
                let (seq, edited) = (room.seqs[number], room.is_edited(number));
                let mut item = json!({ "seq": seq, "rev": seq, "body": body(seq, edited, 40) });
                if room.amended {
                    item["rev"] = (seq + 90).into();
                    item["reactions"] = json!([{ "emoji": "👍", "count": 2, "usernames": ["a", "b"], "mine": true }]);
                }
                if edited {
                    item["edited_at"] = "2026-11-29T05:00:00.000Z".into();
                }
                item
            })
            .collect();
        json!({ "items": items, "next": null })
    }

    #[test]
    fn a_page_is_right_or_told_why_not() {
        for (room, end) in [(room(false), 50), (room(true), 50), (room(true), 77), (room(true), 200)] {
            let right = page(&room, end);
            let verdict = |page: &Value| room.check(page.to_string().as_bytes(), end);
            assert_eq!(verdict(&right), Ok(()));
            let edited = (end - PAGE..end).filter(|number| room.is_edited(*number)).count();
            assert_eq!(edited, if room.amended { 10 } else { 0 });
            let spoiled = |spoil: fn(&mut Value)| {
                let mut page = right.clone();
                spoil(&mut page);
                verdict(&page).unwrap_err()
            };
            assert!(spoiled(|page| drop(page["items"].as_array_mut().unwrap().pop())).contains("49 messages"));
            assert!(spoiled(|page| page["items"].as_array_mut().unwrap().swap(1, 2)).contains("must be"));
            assert!(spoiled(|page| page["items"][5]["body"] = "another".into()).contains("is not what it is now"));
            assert!(spoiled(|page| page["items"][5]["reactions"] = json!([{ "count": 1, "mine": true }])).contains("reactions"));
            assert!(spoiled(|page| page["items"] = Value::Null).contains("no page"));
        }
    }

    #[test]
    fn a_page_ends_before_a_message_or_is_the_newest() {
        let room = room(true);
        assert_eq!((room.before(50), room.before(199), room.before(200)), (Some(161), Some(530), None));
    }
}
