//! A room's events, page by page.

use anyhow::Result;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::number_after;
use crate::scenarios::assembly::Assembly;
use crate::scenarios::meter::Spent;
use crate::scenarios::pages::{Question, Reader, read};
use crate::target::Target;

/// The most events of a page (docs/rest.md).
pub const MOST: usize = 500;

/// Every member of a room reads all of its events, in pages of so many.
///
/// # Errors
/// A page does not come, or lacks an event.
pub fn read_all(target: &Target, all: &Assembly, room: usize, page: usize) -> Result<Spent> {
    let users = all.virtual_users.users.get(all.members(room)).unwrap_or_default();
    let readers: Vec<Place> = users.iter().map(|user| Place { token: target.tokens.of(&user.name), newest: 0, done: false }).collect();
    let mut pages = Pages { id: all.id(room), head: all.head(room), page, readers };
    Ok(read(target, users.len(), &mut pages)?.spent)
}

/// How far a member is.
struct Place {
    token: String,
    newest: u64,
    done: bool,
}

struct Pages<'a> {
    id: &'a str,
    head: u64,
    page: usize,
    readers: Vec<Place>,
}

/// Of an event only its beginning is looked at: its `seq`.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
    next: Option<&'a str>,
}

impl Reader for Pages<'_> {
    fn next(&mut self, client: usize) -> Option<Question> {
        let reader = self.readers.get(client).filter(|reader| !reader.done)?;
        let path = format!("/rooms/{}/events?after={}&limit={}", self.id, reader.newest, self.page);
        Some(Question::get(path, reader.token.clone()))
    }

    fn page(&mut self, client: usize, body: &[u8]) -> Result<(), String> {
        let Some(reader) = self.readers.get_mut(client) else { return Err("of nobody".to_owned()) };
        let page: Page<'_> = serde_json::from_slice(body).map_err(|error| format!("no page: {error}"))?;
        if page.items.is_empty() || page.items.len() > self.page {
            return Err(format!("{} events", page.items.len()));
        }
        for event in &page.items {
            // The message within an event has a seq, too, which is smaller or the same.
            let seq = last_seq(event.get());
            if seq != Some(reader.newest + 1) {
                return Err(format!("event {seq:?} where {} must be", reader.newest + 1));
            }
            reader.newest += 1;
        }
        reader.done = page.next.is_none();
        if reader.done && reader.newest != self.head {
            return Err(format!("the last event is {}, and not {}", reader.newest, self.head));
        }
        Ok(())
    }
}

/// The largest `seq` in an event: its own.
fn last_seq(event: &str) -> Option<u64> {
    let (mut rest, mut largest) = (event, None);
    while let Some(at) = memchr::memmem::find(rest.as_bytes(), b"\"seq\":") {
        let from = rest.get(at..)?;
        largest = largest.max(number_after(from, "\"seq\":"));
        rest = from.get(1..)?;
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pages() -> Pages<'static> {
        Pages { id: "r", head: 3, page: 2, readers: vec![Place { token: "t".to_owned(), newest: 0, done: false }] }
    }

    #[test]
    fn a_reader_goes_on_until_it_has_all() {
        let event = |seq: u64| json!({ "event": "message edited", "data": { "message": { "seq": 1 }, "ref": 1, "seq": seq } });
        let page = |seqs: &[u64], next: Option<&str>| {
            let items: Vec<_> = seqs.iter().map(|seq| event(*seq)).collect();
            json!({ "items": items, "next": next }).to_string().into_bytes()
        };
        let mut all = pages();
        assert_eq!(all.next(0).unwrap().path, "/rooms/r/events?after=0&limit=2");
        assert_eq!(all.page(0, &page(&[1, 2], Some("2"))), Ok(()));
        assert_eq!(all.next(0).unwrap().path, "/rooms/r/events?after=2&limit=2");
        assert!(pages().page(0, &page(&[1, 3], Some("3"))).unwrap_err().contains("where 2 must be"));
        assert!(pages().page(0, &page(&[1, 2, 3], None)).unwrap_err().contains("3 events"));
        assert!(pages().page(0, &page(&[1, 2], None)).unwrap_err().contains("the last event is 2"));
        assert_eq!(all.page(0, &page(&[3], None)), Ok(()));
        assert!(all.next(0).is_none());
    }
}
