//! The AsyncAPI document as a page: every event, both ways, with its text, its fields, an example, and its acknowledgement. It is made
//! from the document alone, so the page cannot say anything else.

use std::fmt::Write;

use serde_json::Value;

use super::schema_table::{Schemas, escape, prose};

/// The page, as HTML.
pub fn events_page(document: &Value) -> String {
    let page = Page { document, schemas: Schemas(document) };
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (title, version) = (escape(text("/info/title")), escape(text("/info/version")));
    let emitted = page.operations("receive");
    let heard = page.operations("send");
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Events · {title}</title>\
         <link rel=\"stylesheet\" href=\"/assets/docs.css\"></head><body><header><h1>{title}: events</h1>\
         <p class=\"sub\">Version {version} · Socket.IO, path <code>/socket.io/</code> · \
         <a href=\"/asyncapi.json\">asyncapi.json</a> · <a href=\"/docs/\">REST</a> · <a href=\"/docs/errors\">errors</a> · \
         <a href=\"/\">the page</a></p>{}</header>",
        prose(text("/info/description"))
    );
    html += "<nav aria-label=\"Events\">";
    html += &contents("You emit", "emit", &emitted);
    html += &contents("You hear", "hear", &heard);
    html += "<p><a href=\"#types\">Types</a></p></nav><main>";
    html += "<h2 id=\"emit\">You emit</h2><p>Each takes one object. Give a callback, and it is called with the acknowledgement: \
             <code>{ok: true, …}</code>, or <code>{ok: false, error}</code>.</p>";
    emitted.iter().for_each(|event| html += &page.section("emit", event));
    html += "<h2 id=\"hear\">You hear</h2><p>Each carries one object. Ignore events and fields that you do not know.</p>";
    heard.iter().for_each(|event| html += &page.section("hear", event));
    html += &page.types();
    html += "</main></body></html>";
    html
}

struct Page<'a> {
    document: &'a Value,
    schemas: Schemas<'a>,
}

/// One event: its operation and its message.
struct Event<'a> {
    name: String,
    operation: &'a Value,
    message: &'a Value,
}

impl<'a> Page<'a> {
    /// The events of all operations with this action, from the program's view: it receives what a client emits.
    fn operations(&self, action: &str) -> Vec<Event<'a>> {
        let operations = self.document.get("operations").and_then(Value::as_object).into_iter().flat_map(|map| map.values());
        let wanted = operations.filter(|operation| operation.get("action").and_then(Value::as_str) == Some(action));
        wanted
            .flat_map(|operation| self.messages(operation).into_iter().map(move |(name, message)| Event { name, operation, message }))
            .collect()
    }

    /// The messages of an operation or of a reply, with their names; an operation that names none has all of its channel's.
    fn messages(&self, of: &'a Value) -> Vec<(String, &'a Value)> {
        let of = self.schemas.resolve(of);
        let own = of.get("messages").and_then(Value::as_array).map(|list| list.iter().collect::<Vec<_>>());
        let channel = || {
            let channel = of.get("channel").map(|channel| self.schemas.resolve(channel));
            channel.and_then(|channel| channel.get("messages")).and_then(Value::as_object).map(|map| map.values().collect())
        };
        let messages: Vec<&Value> = own.or_else(channel).unwrap_or_default();
        messages
            .into_iter()
            .map(|reference| {
                let message = self.schemas.resolve(reference);
                let last = reference.get("$ref").and_then(Value::as_str).and_then(|pointer| pointer.rsplit('/').next());
                let name = message.get("name").and_then(Value::as_str).or(last).unwrap_or_default();
                (name.to_owned(), message)
            })
            .collect()
    }

    fn section(&self, way: &str, event: &Event<'a>) -> String {
        let Event { name, operation, message } = event;
        let mut html = format!("<section><h3 id=\"{}\"><code>{}</code></h3>", anchor(way, name), escape(name));
        html += &said(operation, message);
        html += &self.payload(message);
        for reply in operation.get("reply").into_iter().flat_map(|reply| self.messages(reply)) {
            let title = if refused(&reply.0) { "Acknowledged, when refused" } else { "Acknowledged" };
            let _ = write!(html, "<h4>{title}</h4>{}", self.payload(reply.1));
        }
        html + "</section>"
    }

    /// The fields, and examples.
    fn payload(&self, message: &'a Value) -> String {
        let Some(payload) = message.get("payload").map(|payload| payload.get("schema").unwrap_or(payload)) else { return String::new() };
        let given = message.get("examples").and_then(Value::as_array).into_iter().flatten();
        let mut examples: Vec<Value> = given.filter_map(|example| example.get("payload")).cloned().collect();
        if examples.is_empty() {
            examples.push(self.schemas.example(payload));
        }
        let shown = |example: &Value| {
            let text = serde_json::to_string_pretty(example).unwrap_or_default();
            format!("<pre><code>{}</code></pre>", escape(&text))
        };
        self.schemas.table(payload) + &examples.iter().map(shown).collect::<String>()
    }

    fn types(&self) -> String {
        let mut html = String::from("<h2 id=\"types\">Types</h2>");
        let schemas = self.document.pointer("/components/schemas").and_then(Value::as_object);
        for (name, schema) in schemas.into_iter().flatten() {
            let text = schema.get("description").and_then(Value::as_str).map(prose).unwrap_or_default();
            let name = escape(name);
            let _ = write!(html, "<section><h3 id=\"type-{name}\">{name}</h3>{text}{}</section>", self.schemas.table(schema));
        }
        html
    }
}

fn refused(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("refus") || name.contains("error")
}

/// What an operation and its message say, each once.
fn said(operation: &Value, message: &Value) -> String {
    let all = [operation, message].into_iter().flat_map(|of| [of.get("summary"), of.get("description")]).flatten();
    let mut texts: Vec<&str> = Vec::new();
    for text in all.filter_map(Value::as_str) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.into_iter().map(prose).collect()
}

fn contents(title: &str, way: &str, events: &[Event<'_>]) -> String {
    let items = events.iter().map(|event| format!("<li><a href=\"#{}\">{}</a></li>", anchor(way, &event.name), escape(&event.name)));
    format!("<p><a href=\"#{way}\">{title}</a></p><ul>{}</ul>", items.collect::<String>())
}

fn anchor(way: &str, name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("{way}-{plain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_event_with_fields_example_and_acknowledgement() {
        let document = chat::document();
        let html = events_page(&document);
        let page = Page { document: &document, schemas: Schemas(&document) };
        let (emitted, heard) = (page.operations("receive"), page.operations("send"));
        assert!(emitted.len() >= 7 && heard.len() >= 12, "{} and {}", emitted.len(), heard.len());
        for (way, event) in emitted.iter().map(|event| ("emit", event)).chain(heard.iter().map(|event| ("hear", event))) {
            let start = html.find(&format!("<h3 id=\"{}\">", anchor(way, &event.name))).expect("each has its section");
            let section = html[start..].split("</section>").next().unwrap();
            assert!(section.contains("<p>") && section.contains("<table>") && section.contains("<pre>"), "{way} {}: {section}", event.name);
            assert_eq!(section.contains("<h4>Acknowledged"), way == "emit", "{}", event.name);
        }
        let names = contract::wire::server::RESYNC;
        assert!(html.contains(&format!("href=\"#hear-{names}\"")));
        for (name, _) in document["components"]["schemas"].as_object().unwrap() {
            assert!(html.contains(&format!("id=\"type-{name}\"")), "{name}");
        }
        for link in html.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(html.contains(&format!("id=\"{link}\"")), "a link to {link} leads nowhere");
        }
    }

    #[test]
    fn a_document_that_says_nothing_is_still_a_page() {
        assert!(events_page(&serde_json::json!({})).ends_with("</html>"));
    }
}
