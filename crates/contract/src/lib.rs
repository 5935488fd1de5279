//! The words that every part of Guild Chat shares: ids and names that cannot be wrong, users, rooms, messages, the events on the
//! wire, the calls that each service answers, the hints that services tell one another, and refusals.
//!
//! It may not know about any transport, any database or any clock but the one it is given: no I/O happens here. What the rest of
//! the house may say to one another is what stands here.
//!
//! Reading order: [`ids`], [`names`], then [`user`], [`room`], [`message`]; [`log`] is what the service promises about;
//! [`call`] says how one service asks another; [`wire`] is what a Socket.IO client sends and hears.

pub mod call;
pub mod caller;
pub mod calls;
pub mod claimed;
pub mod cursor;
pub mod hint;
pub mod ids;
pub mod log;
pub mod message;
pub mod metadata;
pub mod names;
mod nickname;
pub mod page;
pub mod patch;
pub mod refusal;
pub mod reserved;
pub mod room;
pub mod state;
pub mod time;
pub mod user;
pub mod warning;
pub mod whole;
pub mod wire;

pub use call::{Answer, Call};
pub use caller::{Caller, UserCaller};
pub use claimed::{Claimed, Claims};
pub use cursor::Cursor;
pub use ids::{GatewayId, MessageId, RoomId, Stamp, TokenId, UserId};
pub use message::{Format, Message, Reaction};
pub use metadata::Metadata;
pub use names::{
    Body, DisplayName, Emoji, MessageType, NewDisplayName, NewRoomName, NewStatus, Nonce, Password, Reason, RoomName, StateKey, Status,
    Topic, Username,
};
pub use page::{Limit, Page, Placed};
pub use patch::Patch;
pub use refusal::{Code, Refusal};
pub use reserved::RESERVED_USERNAMES;
pub use room::{Room, RoomKind};
pub use state::StateValue;
pub use time::{Clock, Time};
pub use user::{User, UserRef};
pub use warning::{Warning, WarningCode};
