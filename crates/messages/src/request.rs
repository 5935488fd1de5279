//! Checks of a call's parameters that several operations share.

use contract::{Refusal, RoomId, UserId};

/// Refuses a call about more rooms than this. The bound on the rooms is a bound on the answer.
pub(crate) fn at_most(most: usize, rooms: &[RoomId]) -> Result<(), Refusal> {
    let count = rooms.len();
    if count <= most { Ok(()) } else { Err(Refusal::invalid("rooms", format!("rooms: at most {most} at once, these are {count}"))) }
}

/// An `after` that no page has given.
pub(crate) fn bad_after() -> Refusal {
    Refusal::invalid("after", "after is the next of an earlier page; leave it out for the first page")
}

/// Reads the `after` of a list of pins, the newest first: only pins with a smaller seq follow.
pub(crate) fn after_pin(after: Option<String>) -> Result<i64, Refusal> {
    after.map_or(Ok(i64::MAX), |after| after.parse().map_err(|_| bad_after()))
}

/// Reads the `after` of a list of members: since which position the last member of the page before is in, and who that is.
pub(crate) fn after_member(after: Option<String>) -> Result<Option<(i64, UserId)>, Refusal> {
    let read = |text: &str| {
        let (since, member) = text.split_once('.')?;
        Some((since.parse().ok()?, UserId::parse(member)?))
    };
    after.map(|text| read(&text).ok_or_else(bad_after)).transpose()
}
