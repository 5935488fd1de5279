//! What an operator can set about rooms and messages. 0 is no limit everywhere.

/// Limits of this service. `Default` is what guild.default.toml documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Most characters in a message.
    pub message_chars: usize,
    /// Most usernames in one `create room`.
    pub room_usernames: usize,
    /// Most members in a room.
    pub room_members: i64,
    /// Sends a second and user.
    pub sends_per_second: u32,
    /// Sends at once, before the rate counts.
    pub sends_burst: u32,
    /// New rooms a minute and user.
    pub rooms_per_minute: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            message_chars: contract::names::BODY_CHARS,
            room_usernames: 100,
            room_members: 100_000,
            sends_per_second: 20,
            sends_burst: 60,
            rooms_per_minute: 30,
        }
    }
}
