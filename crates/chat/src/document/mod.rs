//! What all of this looks like to a client: an AsyncAPI 3 document, made of the same Rust types that the wire uses. The events stand in
//! `table.rs`, their examples (real values, serialised) in `examples.rs`.

mod examples;
mod table;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};
use table::{Direction, Event, Shape};

const CHANNEL: &str = "#/channels/root";
const WARNING: &str = "#/components/schemas/Warning";

const DESCRIPTION: &str = "Chat over Socket.IO: path `/socket.io/`, namespace `/`, websocket and long polling, protocol 5 (clients 3 and 4).\n\n\
    Connect with `auth: {token, cursor?}`, or connect first and emit `authenticate`. Every event carries exactly one object. A client's \
    event answers its acknowledgement with `{ok: true, …}` or `{ok: false, error}`, with the codes that REST has. Beside what it adds, a yes \
    may have `warnings` of what was not done: fields that are not known are ignored, and named there. Events that carry a \
    `cursor` are durable: each reaches each socket exactly once, in order; connect with the last cursor seen, and what was missed comes \
    before `ready`. Ignore events and fields that you do not know.";

/// The AsyncAPI 3.0 document: every event, both ways, with its schema, an example and its acknowledgement.
pub fn document() -> Value {
    // The examples are fixed texts, and a test builds them, so this cannot fail in a program that has passed its tests.
    build().unwrap_or_else(|why| {
        tracing::error!(why, "the AsyncAPI document cannot be built");
        Value::Null
    })
}

fn build() -> Result<Value, String> {
    let events = table::events().map_err(|why| format!("an example is wrong: {why}"))?;
    let mut parts = Parts::default();
    parts.schema(&table::warning()?);
    for event in &events {
        parts.add(event);
    }
    Ok(json!({
        "asyncapi": "3.0.0",
        "info": { "title": "Guild Chat", "version": env!("CARGO_PKG_VERSION"), "description": DESCRIPTION },
        "defaultContentType": "application/json",
        "servers": {
            "here": { "host": "localhost:8080", "protocol": "socketio", "pathname": "/socket.io/", "description": "This server." },
        },
        "channels": {
            "root": {
                "address": "/",
                "title": "The namespace /",
                "description": "Everything goes over the one namespace.",
                "messages": parts.references,
            },
        },
        "operations": parts.operations,
        "components": { "messages": parts.messages, "schemas": parts.schemas },
    }))
}

/// What the events add to the document.
#[derive(Default)]
struct Parts {
    references: Map<String, Value>,
    operations: Map<String, Value>,
    messages: Map<String, Value>,
    schemas: Map<String, Value>,
}

impl Parts {
    fn add(&mut self, event: &Event) {
        let id = event.id();
        let schema = self.schema(&event.payload);
        self.message(&id, event.name, event.about, &schema, &[&event.payload.example]);
        let mut operation = json!({
            "action": match event.direction { Direction::Client => "receive", Direction::Server => "send" },
            "channel": { "$ref": CHANNEL },
            "title": event.name,
            "summary": event.about,
            "description": event.to,
            "messages": [{ "$ref": format!("{CHANNEL}/messages/{id}") }],
        });
        if let Some(ack) = &event.ack {
            let ack_id = format!("{id}_ack");
            let (done, refused) = (self.done(ack), self.schema(&event.refused));
            let schema = json!({ "oneOf": [done, refused] });
            let examples = [&examples::done(&ack.example), &event.refused.example];
            self.message(&ack_id, event.name, "The acknowledgement.", &schema, &examples);
            if let Some(operation) = operation.as_object_mut() {
                let messages = json!([{ "$ref": format!("{CHANNEL}/messages/{ack_id}") }]);
                operation.insert("reply".into(), json!({ "channel": { "$ref": CHANNEL }, "messages": messages }));
            }
        }
        self.operations.insert(id, operation);
    }

    fn message(&mut self, id: &str, name: &str, about: &str, schema: &Value, examples: &[&Value]) {
        let examples: Vec<_> = examples.iter().map(|example| json!({ "payload": example })).collect();
        let message = json!({
            "name": name,
            "title": name,
            "summary": about,
            "contentType": "application/json",
            "payload": schema,
            "examples": examples,
        });
        self.messages.insert(id.to_owned(), message);
        self.references.insert(id.to_owned(), json!({ "$ref": format!("#/components/messages/{id}") }));
    }

    /// A reference to the shape's schema, which is put among the components with all that it refers to.
    fn schema(&mut self, shape: &Shape) -> Value {
        for (name, schema) in &shape.schemas {
            self.schemas.entry(name.clone()).or_insert_with(|| schema.clone());
        }
        json!({ "$ref": format!("#/components/schemas/{}", shape.name) })
    }

    /// The same for an acknowledgement that says yes: what it adds, `ok`, and what was not done.
    fn done(&mut self, ack: &Shape) -> Value {
        let adds = self.schema(ack);
        let warnings = json!({
            "type": "array",
            "items": { "$ref": WARNING },
            "description": "What was not done of what was asked; absent where there is nothing to tell.",
        });
        let properties = json!({ "ok": { "type": "boolean", "const": true }, "warnings": warnings });
        json!({ "allOf": [{ "type": "object", "required": ["ok"], "properties": properties }, adds] })
    }
}
