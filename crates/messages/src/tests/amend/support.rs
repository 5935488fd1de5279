//! What the scenarios of changed messages have in common.

use crate::tests::house::{House, caller};
use crate::tests::missed::brief;
use contract::calls::messages as calls;
use contract::log::Event;
use contract::{Code, Message, Refusal, RoomId};
use serde_json::{Map, Value};

pub fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("not an object") };
    object
}

pub fn code<T>(outcome: Result<T, Refusal>) -> (Code, Option<String>) {
    let Err(refusal) = outcome else { panic!("it was done") };
    (refusal.code, refusal.field)
}

impl House {
    /// A room's events as they are told now.
    pub async fn events(&self, by: u64, room: RoomId) -> Vec<String> {
        let call = calls::RoomEvents { room, after: 0, limit: 500 };
        let page = self.ask(&caller(by), call).await.unwrap();
        let entry = |event: Event| contract::log::Entry { partition: 0, position: 0, event };
        page.items.into_iter().map(|event| brief(&entry(event))).collect()
    }

    pub async fn send_rich(&self, by: u64, room: RoomId, body: &str, rich: calls::Rich) -> Result<Message, Refusal> {
        let call = calls::Send { room, body: body.try_into().unwrap(), nonce: None, rich };
        Ok(self.ask(&caller(by), call).await?.message)
    }
}
