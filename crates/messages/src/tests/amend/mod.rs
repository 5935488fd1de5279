//! Changing messages that are there: edits, reactions, pins; what messages and rooms carry besides texts and names.

mod broken;
mod carried;
mod edits;
mod pages;
mod pins;
mod races;
mod reactions;
mod support;

pub use broken::*;
pub use carried::*;
pub use edits::*;
pub use pages::*;
pub use pins::*;
pub use races::*;
pub use reactions::*;
