//! What an operator can set about this edge.

use crate::limits::Limits;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How much one request may ask for.
    pub limits: Limits,
    /// Bytes of the largest frame that a socket may send; 0 is no limit. 128 KiB.
    pub frame_bytes: usize,
    /// Sockets that one address may have here; 0 is no limit. 200.
    pub sockets_per_address: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { limits: Limits::default(), frame_bytes: 128 * 1024, sockets_per_address: 200 }
    }
}
