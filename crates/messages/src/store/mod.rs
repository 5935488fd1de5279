//! The service's tables and every statement over them, in the SQL that both engines take (design.md, "Two SQL engines"). A function
//! here is one question or one change; it decides nothing.

pub(crate) mod listed;
pub(crate) mod lists;
pub(crate) mod log;
pub(crate) mod members;
pub(crate) mod mentions;
pub(crate) mod migrations;
pub(crate) mod pages;
pub(crate) mod past;
pub(crate) mod pinned;
pub(crate) mod present;
pub(crate) mod replies;
pub(crate) mod rooms;
pub(crate) mod search;
pub(crate) mod sets;
pub(crate) mod state;
pub(crate) mod threads;
pub(crate) mod untold;
pub(crate) mod user_state;
