//! Sending a message: `message` is the call and its decision in the writer's transaction. `publish` sends each committed batch to the
//! gateways. `rate_limit_token` counts an operation once, however often the writer tries to commit it. `turns` keeps what a
//! sender writes in order.

mod message;
pub(crate) mod publish;
pub(crate) mod rate_limit_token;
pub(crate) mod turns;

pub(crate) use message::blank_body;
