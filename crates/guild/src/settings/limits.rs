//! How much of everything one client may do. 0 is no limit, everywhere.

use std::time::Duration;

use super::reader::Reader;

/// The limits at the foot of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in one request body or one frame.
    pub frame_bytes: usize,
    /// Characters in one message.
    pub message_chars: usize,
    /// Usernames in one call that creates a room.
    pub room_usernames: usize,
    /// Members of one room.
    pub room_members: u64,
    /// Messages a second and user, in the long run. 0 also where `sends_burst` was set to 0.
    pub sends_per_second: u32,
    /// Messages of one user at once.
    pub sends_burst: u32,
    /// New rooms a minute and user.
    pub rooms_per_minute: u32,
    /// Durable writes that are neither sends nor new rooms, a second and user. 0 also where `changes_burst` was set to 0.
    pub changes_per_second: u32,
    /// The same of one user at once.
    pub changes_burst: u32,
    /// Reads a second and user. 0 also where `reads_burst` was set to 0.
    pub reads_per_second: u32,
    /// Reads of one user at once.
    pub reads_burst: u32,
    /// Logins a minute and address.
    pub logins_per_minute: u32,
    /// Calls without a valid token a minute and address.
    pub unauthenticated_per_minute: u32,
    /// Live sockets an address.
    pub sockets_per_address: u32,
    /// After which an unauthenticated socket is cut; zero: never.
    pub unauthenticated: Duration,
    /// For which a user stays online after the last socket; zero: not at all.
    pub presence: Duration,
    /// Over which a gateway that stops sends its clients away; zero: all at once.
    pub drain: Duration,
}

/// Enough for everybody, and no sum of it overflows anything.
const MOST: u64 = 1_000_000_000;

impl Limits {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let frame_bytes = reader.number("limits.frame_bytes", 0..=MOST);
        let message_chars = reader.number("limits.message_chars", 0..=MOST);
        let room_usernames = reader.number("limits.room_usernames", 0..=MOST);
        let room_members = reader.number("limits.room_members", 0..=MOST);
        let sends_per_second = reader.number("limits.sends_per_second", 0..=MOST);
        let sends_burst = reader.number("limits.sends_burst", 0..=MOST);
        let rooms_per_minute = reader.number("limits.rooms_per_minute", 0..=MOST);
        let changes_per_second = reader.number("limits.changes_per_second", 0..=MOST);
        let changes_burst = reader.number("limits.changes_burst", 0..=MOST);
        let reads_per_second = reader.number("limits.reads_per_second", 0..=MOST);
        let reads_burst = reader.number("limits.reads_burst", 0..=MOST);
        let unauthenticated_per_minute = reader.number("limits.unauthenticated_per_minute", 0..=MOST);
        let logins_per_minute = reader.number("limits.logins_per_minute", 0..=MOST);
        let sockets_per_address = reader.number("limits.sockets_per_address", 0..=MOST);
        let unauthenticated = reader.number("limits.unauthenticated_seconds", 0..=MOST).map(Duration::from_secs);
        let presence = reader.number("limits.presence_seconds", 0..=3_600).map(Duration::from_secs);
        let drain = reader.number("limits.drain_seconds", 0..=3_600).map(Duration::from_secs);
        let sends_burst = sends_burst?;
        Some(Self {
            frame_bytes: frame_bytes?,
            message_chars: message_chars?,
            room_usernames: room_usernames?,
            room_members: room_members?,
            sends_per_second: if sends_burst == 0 { 0 } else { sends_per_second? },
            sends_burst,
            rooms_per_minute: rooms_per_minute?,
            changes_per_second: if changes_burst? == 0 { 0 } else { changes_per_second? },
            changes_burst: changes_burst?,
            reads_per_second: if reads_burst? == 0 { 0 } else { reads_per_second? },
            reads_burst: reads_burst?,
            logins_per_minute: logins_per_minute?,
            unauthenticated_per_minute: unauthenticated_per_minute?,
            sockets_per_address: sockets_per_address?,
            unauthenticated: unauthenticated?,
            presence: presence?,
            drain: drain?,
        })
    }
}
