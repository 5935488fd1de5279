//! How often anybody may do something, as an operator sets it.

/// The limits. A number of 0 is no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmissionSettings {
    /// Durable writes that are neither sends nor new rooms, a second and user.
    pub changes_per_second: u32,
    /// The same at once, before the rate counts.
    pub changes_burst: u32,
    /// Reads a second and user.
    pub reads_per_second: u32,
    /// Reads at once, before the rate counts.
    pub reads_burst: u32,
    /// Passwords tried a minute: logins by address, changes of a password by user.
    pub logins_per_minute: u32,
    /// Calls a minute and address whose token is missing or not valid.
    pub unauthenticated_per_minute: u32,
}

impl Default for AdmissionSettings {
    fn default() -> Self {
        Self {
            changes_per_second: 20,
            changes_burst: 60,
            reads_per_second: 100,
            reads_burst: 300,
            logins_per_minute: 10,
            unauthenticated_per_minute: 60,
        }
    }
}

impl AdmissionSettings {
    /// No limits at all: for tests that are about something else.
    pub fn unlimited() -> Self {
        Self {
            changes_per_second: 0,
            changes_burst: 0,
            reads_per_second: 0,
            reads_burst: 0,
            logins_per_minute: 0,
            unauthenticated_per_minute: 0,
        }
    }
}
