//! A JSON schema as people read it: a table of fields, a type in words, and an example.

use std::fmt::Write;

use serde_json::{Map, Value, json};

/// How deep references are followed, for fields and for examples; a schema that refers to itself ends here.
const DEPTH: u8 = 8;

/// A document whose schemas refer to one another.
pub struct Schemas<'a>(pub &'a Value);

/// One field of an object.
struct Field<'a> {
    name: &'a str,
    schema: &'a Value,
    required: bool,
}

impl<'a> Schemas<'a> {
    /// Follows references until the thing itself.
    pub fn resolve(&self, schema: &'a Value) -> &'a Value {
        let mut at = schema;
        for _ in 0..DEPTH {
            let Some(pointer) = at.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#')) else { break };
            let Some(target) = self.0.pointer(pointer) else { break };
            at = target;
        }
        at
    }

    /// A table of the object's fields, one for each alternative; for what is no object, its type in a paragraph.
    pub fn table(&self, schema: &'a Value) -> String {
        let fields = self.fields(schema, DEPTH);
        if fields.is_empty() {
            let resolved = self.resolve(schema);
            let alternatives = alternatives(resolved);
            if alternatives.iter().any(|alternative| !self.fields(alternative, DEPTH).is_empty()) {
                return joined(alternatives.into_iter().map(|alternative| self.table(alternative)), "<p class=\"sub\">or</p>");
            }
            let rules = rules(resolved);
            let object = resolved.get("type").and_then(Value::as_str) == Some("object");
            return if object { "<p>An empty object.</p>".to_owned() } else { format!("<p>{}{rules}</p>", self.kind(resolved)) };
        }
        let mut rows = String::new();
        for Field { name, schema, required } in fields {
            let need = if required { "" } else { " <span class=\"may\">may be absent</span>" };
            let text = self.description(schema).map(prose).unwrap_or_default();
            let _ = write!(
                rows,
                "<tr><th scope=\"row\"><code>{}</code>{need}</th><td>{}{}</td><td>{text}</td></tr>",
                escape(name),
                self.kind(schema),
                rules(schema)
            );
        }
        format!("<table><thead><tr><th>Field</th><th>Type</th><th>Meaning</th></tr></thead><tbody>{rows}</tbody></table>")
    }

    fn fields(&self, schema: &'a Value, depth: u8) -> Vec<Field<'a>> {
        let schema = self.resolve(schema);
        let Some(deeper) = depth.checked_sub(1) else { return vec![] };
        let parts = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
        let mut fields: Vec<Field<'a>> = parts.flat_map(|part| self.fields(part, deeper)).collect();
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            fields.push(Field { name, schema: field, required: required.contains(&name.as_str()) });
        }
        fields
    }

    /// What is said about a field: at the field, at its type, or at the type that it may have.
    fn description(&self, schema: &'a Value) -> Option<&'a str> {
        let either = alternatives(schema).into_iter().flat_map(|one| [one, self.resolve(one)]);
        let all = [schema, self.resolve(schema)].into_iter().chain(either);
        all.filter_map(|schema| schema.get("description").and_then(Value::as_str)).next()
    }

    /// The type in words, as HTML; a named schema is a link to its section.
    fn kind(&self, schema: &Value) -> String {
        if let Some(name) = named(schema) {
            return format!("<a href=\"#type-{0}\">{0}</a>", escape(name));
        }
        if let Some(value) = schema.get("const") {
            return format!("<code>{}</code>", escape(&value.to_string()));
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return joined(values.iter().map(|value| format!("<code>{}</code>", escape(&value.to_string()))), " or ");
        }
        let alternatives = alternatives(schema);
        if !alternatives.is_empty() {
            return joined(alternatives.into_iter().map(|part| self.kind(part)), " or ");
        }
        if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
            return joined(parts.iter().map(|part| self.kind(part)), " and ");
        }
        let one = |kind: &str| match (kind, schema.get("items")) {
            ("array", Some(items)) => format!("array of {}", self.kind(items)),
            _ => escape(kind),
        };
        match schema.get("type") {
            Some(Value::String(kind)) => one(kind),
            Some(Value::Array(kinds)) => joined(kinds.iter().filter_map(Value::as_str).map(one), " or "),
            _ => "anything".to_owned(),
        }
    }

    /// An example that keeps the schema: its own where it has one, else one made from its parts.
    pub fn example(&self, schema: &'a Value) -> Value {
        self.made(schema, DEPTH)
    }

    fn made(&self, schema: &'a Value, depth: u8) -> Value {
        let schema = self.resolve(schema);
        let first = |word: &str| schema.get(word).and_then(Value::as_array).and_then(|values| values.first());
        if let Some(own) = schema.get("example").or(schema.get("const")).or_else(|| first("examples")).or_else(|| first("enum")) {
            return own.clone();
        }
        let Some(deeper) = depth.checked_sub(1) else { return Value::Null };
        if schema.get("properties").is_some() || schema.get("allOf").is_some() {
            let fields = self.fields(schema, depth).into_iter();
            return fields.map(|field| (field.name.to_owned(), self.made(field.schema, deeper))).collect::<Map<_, _>>().into();
        }
        for alternative in alternatives(schema) {
            if alternative.get("type").and_then(Value::as_str) != Some("null") {
                return self.made(alternative, deeper);
            }
        }
        let kind = schema.get("type").and_then(|kind| kind.as_str().or_else(|| kind.as_array()?.first()?.as_str()));
        match kind {
            Some("string") => json!("text"),
            Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
            Some("boolean") => json!(true),
            Some("array") => schema.get("items").map_or(json!([]), |items| json!([self.made(items, deeper)])),
            Some("object") => json!({}),
            _ => Value::Null,
        }
    }
}

/// The schemas of which one has to be kept; none where there is no choice.
fn alternatives(schema: &Value) -> Vec<&Value> {
    ["oneOf", "anyOf"].into_iter().filter_map(|word| schema.get(word).and_then(Value::as_array)).flatten().collect()
}

/// The last part of a reference.
fn named(schema: &Value) -> Option<&str> {
    schema.get("$ref").and_then(Value::as_str).and_then(|pointer| pointer.rsplit('/').next())
}

/// What a value has to keep besides its type.
fn rules(schema: &Value) -> String {
    let number = |word: &str| schema.get(word).filter(|value| value.is_number()).map(Value::to_string);
    let range = |least: &str, most: &str, unit: &str| match (number(least), number(most)) {
        (Some(least), Some(most)) => format!(", {least} to {most}{unit}"),
        (Some(least), None) => format!(", {least} or more{unit}"),
        (None, Some(most)) => format!(", up to {most}{unit}"),
        (None, None) => String::new(),
    };
    let format = schema.get("format").and_then(Value::as_str).filter(|format| !format.starts_with("int"));
    let format = format.map(|format| format!(" ({})", escape(format))).unwrap_or_default();
    let pattern = schema.get("pattern").and_then(Value::as_str);
    let pattern = pattern.map(|pattern| format!(", as <code>{}</code>", escape(pattern))).unwrap_or_default();
    let (length, items) = (range("minLength", "maxLength", " characters"), range("minItems", "maxItems", " items"));
    format!("{format}{}{length}{items}{pattern}", range("minimum", "maximum", ""))
}

fn joined(parts: impl Iterator<Item = String>, by: &str) -> String {
    parts.collect::<Vec<_>>().join(by)
}

/// Text that stands in HTML as it is.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A description as HTML: paragraphs, and code between backticks.
pub fn prose(text: &str) -> String {
    let paragraph = |text: &str| {
        let mut html = String::from("<p>");
        for (number, part) in text.split('`').enumerate() {
            let code = number % 2 == 1;
            let _ = if code { write!(html, "<code>{}</code>", escape(part)) } else { write!(html, "{}", escape(part)) };
        }
        html + "</p>"
    };
    text.split("\n\n").map(paragraph).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Value {
        json!({"components": {"schemas": {
            "Name": {"type": "string", "minLength": 1, "maxLength": 32, "example": "alice", "description": "A `name`."},
            "Message": {"type": "object", "required": ["id", "sender"], "properties": {
                "id": {"type": "string", "format": "uuid"}, "sender": {"$ref": "#/components/schemas/Name"},
                "nonce": {"type": ["string", "null"]},
            }},
            "New": {"allOf": [
                {"$ref": "#/components/schemas/Message"},
                {"type": "object", "required": ["cursor"], "properties": {"cursor": {"type": "string", "description": "<where>"}}},
            ]},
            "Loop": {"type": "object", "properties": {"loop": {"$ref": "#/components/schemas/Loop"}}},
        }}})
    }

    #[test]
    fn a_table_has_every_field_of_every_part() {
        let document = document();
        let table = Schemas(&document).table(&document["components"]["schemas"]["New"]);
        for part in ["<code>id</code>", "string (uuid)", "href=\"#type-Name\"", "A <code>name</code>.", "string or null", "&lt;where&gt;"] {
            assert!(table.contains(part), "{part}: {table}");
        }
        assert_eq!(table.matches("may be absent").count(), 1);
        assert!(Schemas(&document).table(&document["components"]["schemas"]["Name"]).contains("1 to 32 characters"));
    }

    #[test]
    fn an_example_is_made_of_its_parts() {
        let document = document();
        let schemas = Schemas(&document);
        assert_eq!(
            schemas.example(&document["components"]["schemas"]["New"]),
            json!({"id": "text", "sender": "alice", "nonce": "text", "cursor": "text"})
        );
        assert!(schemas.example(&document["components"]["schemas"]["Loop"]).is_object());
    }
}
