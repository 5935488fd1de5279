//! What is said on a socket, and why one is closed (the protocol's PROTOCOL.md).

use crate::answer::Body;
use crate::request::Parameters;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// What a client says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum FromClient {
    ConnectionInit { payload: Option<Map<String, Value>> },
    Ping {},
    Pong {},
    Subscribe { id: String, payload: Parameters },
    Complete { id: String },
}

pub(super) fn ack() -> String {
    json!({ "type": "connection_ack" }).to_string()
}

pub(super) fn pong() -> String {
    json!({ "type": "pong" }).to_string()
}

pub(super) fn complete(id: &str) -> String {
    json!({ "id": id, "type": "complete" }).to_string()
}

/// A result; or, where nothing could be run, the end of it.
pub(super) fn result(id: &str, body: Body) -> String {
    match body.why_not_run() {
        Some(errors) => told(id, "error", errors),
        None => told(id, "next", &body),
    }
}

/// Written as it stands: a payload may hold megabytes.
fn told(id: &str, kind: &str, payload: impl Serialize) -> String {
    #[derive(Serialize)]
    struct Told<'a, P> {
        id: &'a str,
        r#type: &'a str,
        payload: P,
    }
    serde_json::to_string(&Told { id, r#type: kind, payload }).unwrap_or_default()
}

/// Why a socket is closed: the protocol's code, and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Close {
    pub code: u16,
    pub reason: Cow<'static, str>,
}

impl Close {
    pub(super) fn new(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        let mut reason = reason.into();
        // A close frame holds 123 bytes.
        if reason.len() > 123 {
            let cut: String = reason.char_indices().take_while(|(at, c)| at + c.len_utf8() <= 120).map(|(_, c)| c).collect();
            reason = Cow::Owned(cut + "…");
        }
        Self { code, reason }
    }
}
