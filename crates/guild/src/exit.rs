//! The program's exit codes, as `guild --help` tells them.

/// It did what it was told.
pub const DONE: u8 = 0;

/// It could not, or found what should not be.
pub const FAILED: u8 = 1;

/// A wrong setting or flag; nothing was started.
pub const WRONG: u8 = 2;

/// A part of the server that it cannot do without has ended by a fault of ours; it has stopped as well as it could. To be started again.
pub const LOST: u8 = 3;
