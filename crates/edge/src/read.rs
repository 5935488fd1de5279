//! Reading what a client sent, with the name of the field that is wrong and a sentence that says what is allowed.

use crate::Problem;
use crate::body::{TooLarge, TooSlow, cause, looks_like};
use crate::unknown_fields::UnknownFields;
use crate::warnings::Warnings;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use contract::{Code, Refusal, Warning};
use http::{HeaderMap, header, request::Parts};
use http_body_util::BodyExt;
use serde::de::{DeserializeOwned, IgnoredAny};

/// A JSON body: an object, sent as `application/json` or another `+json` type. A successful answer warns of its unknown fields.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

/// The query string. Unknown names are ignored, a repeated one is refused.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

/// What the path's `{…}` stand for; what cannot be read is `not_found`.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let warnings = request.extensions().get::<Warnings>().cloned();
        let (body, unknown) = read_request(&json_text(request).await?)?;
        if let Some(warnings) = warnings {
            warnings.add(unknown);
        }
        Ok(Self(body))
    }
}

/// A request's body, which is to be JSON, as it came.
///
/// # Errors
/// `unsupported_media_type` for a body that is announced as something else, `too_large`, `invalid_request` for what is no text, with a
/// sentence that says what it looks like.
pub async fn json_text(request: Request) -> Result<String, Refusal> {
    must_be_json(request.headers())?;
    let bytes = whole(request.into_body()).await?;
    let wrong = |what| Refusal::new(Code::InvalidRequest, format!("the body is {what}"));
    if let Some(other) = looks_like(&bytes) {
        return Err(wrong(other));
    }
    String::from_utf8(bytes.into()).map_err(|_| wrong("not UTF-8"))
}

/// The text without the byte order mark that some libraries put before it. RFC 8259, section 8.1: who reads JSON may pass over one.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(Self(read_query(parts.uri.query().unwrap_or_default())?))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Self(path)),
            Err(_) => Err(Refusal::not_found("no such thing: the path cannot be read").into()),
        }
    }
}

fn must_be_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if json { Ok(()) } else { Err(Refusal::new(Code::UnsupportedMediaType, "send the body as content-type: application/json")) }
}

async fn whole(body: Body) -> Result<bytes::Bytes, Refusal> {
    match body.collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(match (cause::<TooLarge>(&error), cause::<TooSlow>(&error)) {
            (Some(too_large), _) => Refusal::new(Code::TooLarge, too_large.to_string()),
            (None, Some(too_slow)) => Refusal::new(Code::InvalidRequest, too_slow.to_string()),
            (None, None) => Refusal::new(Code::InvalidRequest, "the body ended before its announced length"),
        }),
    }
}

/// Reads a JSON object into a `T`: what a connection shows, or a message on a socket. Unknown fields are `T`'s to ignore.
///
/// # Errors
/// `invalid_request`, with the path of the field that is wrong (`usernames[0]`) where it is one field's fault.
pub fn read_json<T: DeserializeOwned>(text: &str) -> Result<T, Refusal> {
    let text = object(text)?;
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| unreadable(error, text))?;
    json.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

/// Reads what is answered with warnings, as [`read_json`] reads: a request's body, or an event's payload. Fields that `T` does not know are
/// ignored; the warnings name the first of them.
///
/// # Errors
/// As [`read_json`].
pub fn read_request<T: DeserializeOwned>(text: &str) -> Result<(T, Vec<Warning>), Refusal> {
    let text = object(text)?;
    let mut json = serde_json::Deserializer::from_str(text);
    let mut unknown = UnknownFields::default();
    let mut note = |path: serde_ignored::Path<'_>| unknown.note(&path);
    let noting = serde_ignored::Deserializer::new(&mut json, &mut note);
    let value = serde_path_to_error::deserialize(noting).map_err(|error| unreadable(error, text))?;
    json.end().map_err(|error| not_json(&error))?;
    Ok((value, unknown.into_warnings()))
}

/// The text of an object. serde would also make a struct of a list, field by field; nobody means that.
fn object(text: &str) -> Result<&str, Refusal> {
    let text = without_mark(text);
    let is_object = text.trim_ascii_start().starts_with('{');
    if is_object { Ok(text) } else { Err(Refusal::new(Code::InvalidRequest, "a JSON object is needed: {…}")) }
}

/// Why this text could not be read.
fn unreadable(error: serde_path_to_error::Error<serde_json::Error>, text: &str) -> Refusal {
    let path = error.path().to_string();
    let inner = error.into_inner();
    match inner.classify() {
        serde_json::error::Category::Data => wrong(&path, &without_place(&inner)),
        // To serde_json a `{}` in place of one of several words is bad syntax.
        _ if inner.to_string().starts_with("expected value") && serde_json::from_str::<IgnoredAny>(text).is_ok() => {
            wrong(&path, "expected a text")
        }
        _ => not_json(&inner),
    }
}

/// Reads a query string (without the question mark) into a `T`.
///
/// # Errors
/// `invalid_request`, with the parameter's name.
pub fn read_query<T: DeserializeOwned>(query: &str) -> Result<T, Refusal> {
    must_be_utf8(query)?;
    let query = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(query).map_err(|error| wrong(&error.path().to_string(), &error.inner().to_string()))
}

/// Refuses what is percent-encoded in another charset: `caf%E9` would be taken for another text, which is then not found.
fn must_be_utf8(query: &str) -> Result<(), Refusal> {
    let is_utf8 = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().is_ok();
    let Some(wrong) = query.split('&').find(|pair| !is_utf8(pair)) else { return Ok(()) };
    let (name, _) = wrong.split_once('=').unwrap_or((wrong, ""));
    let name: String = percent_encoding::percent_decode_str(name).decode_utf8_lossy().chars().take(64).collect();
    Err(Refusal::invalid(&name, format!("{name:?} is not percent-encoded UTF-8: é is %C3%A9")))
}

fn not_json(error: &serde_json::Error) -> Refusal {
    Refusal::new(Code::InvalidRequest, format!("this is not valid JSON: {error}"))
}

/// serde_json says where a value stood; the field's name says it better.
fn without_place(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    message.strip_suffix(&place).unwrap_or(&message).to_owned()
}

fn wrong(path: &str, message: &str) -> Refusal {
    let path = if path == "." { "" } else { path };
    let nested = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if let Some(name) = quoted_after(message, "missing field ") {
        let field = nested(name);
        return Refusal::invalid(&field, format!("{field}: it is needed"));
    }
    if let Some(name) = quoted_after(message, "duplicate field ") {
        let field = nested(name);
        return Refusal::invalid(&field, format!("{field}: it is given twice"));
    }
    let said = readable(message);
    match path {
        "" => Refusal::new(Code::InvalidRequest, said),
        field if said.starts_with(&format!("{field} ")) => Refusal::invalid(field, said),
        field => Refusal::invalid(field, format!("{field}: {said}")),
    }
}

fn quoted_after<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    message.strip_prefix(start)?.strip_prefix('`')?.strip_suffix('`')
}

/// serde's words in plainer ones; a sentence of our own types stays as it is.
fn readable(message: &str) -> String {
    if let Some((found, expected)) = message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected ")) {
        return format!("expected {}, not {}", thing(expected), thing(found));
    }
    if let Some((_, expected)) = message.strip_prefix("invalid value: ").and_then(|rest| rest.split_once(", expected ")) {
        return match thing(expected) {
            "a whole number" => "the number is out of range".to_owned(),
            expected => format!("expected {expected}"),
        };
    }
    if let Some((found, known)) = message.strip_prefix("unknown variant ").and_then(|rest| rest.split_once(", expected ")) {
        // Escaped and cut: it goes into answers and, at debug, into the log.
        let found: String = found.trim_matches('`').chars().take(64).collect();
        return format!("expected {}, not {found:?}", known.trim_start_matches("one of ").replace('`', ""));
    }
    match message {
        "invalid digit found in string" | "cannot parse integer from empty string" => "expected a whole number".to_owned(),
        "number too large to fit in target type" | "number too small to fit in target type" => "the number is out of range".to_owned(),
        "provided string was not `true` or `false`" => "expected true or false".to_owned(),
        // A type of ours that refuses with a whole refusal writes its code first.
        _ => message.strip_prefix("invalid_request: ").unwrap_or(message).to_owned(),
    }
}

fn thing(serde: &str) -> &str {
    let word = serde.split([' ', '`', '"']).find(|word| !word.is_empty()).unwrap_or_default();
    match word {
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" | "integer" => "a whole number",
        "f32" | "f64" | "floating" => "a number with a fraction",
        "string" => "a text",
        "a" if serde == "a string" => "a text",
        "a" if serde == "a boolean" => "true or false",
        "a" if serde == "a sequence" => "a list",
        "a" if serde == "a map" => "an object",
        "borrowed" => "a text",
        "sequence" => "a list",
        "map" | "struct" => "an object",
        "boolean" => "true or false",
        "null" | "unit" => "null",
        _ => serde,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::{Body as Text, Limit, Username, WarningCode};
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Inner {
        #[expect(dead_code, reason = "only read")]
        seq: i64,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Sample {
        body: Text,
        seq: Option<i64>,
        small: Option<u16>,
        usernames: Option<Vec<Username>>,
        inner: Option<Inner>,
        kind: Option<contract::RoomKind>,
        flag: Option<bool>,
    }

    fn refused(text: &str) -> (Option<String>, String) {
        let refusal = read_json::<Sample>(text).unwrap_err();
        assert_eq!(refusal.code, Code::InvalidRequest);
        (refusal.field, refusal.detail)
    }

    fn field(text: &str, field: &str, detail: &str) {
        assert_eq!(refused(text), (Some(field.to_owned()), detail.to_owned()), "{text}");
    }

    #[test]
    fn a_wrong_field_is_named_and_explained() {
        field(r#"{"body":" "}"#, "body", "body: a message needs at least one character that is not white space");
        field(r#"{"seq":1}"#, "body", "body: it is needed");
        field(r#"{"body":"x","body":"y"}"#, "body", "body: it is given twice");
        field(r#"{"body":7}"#, "body", "body: expected a text, not a whole number");
        field(r#"{"body":null}"#, "body", "body: expected a text, not null");
        field(r#"{"body":"x","seq":"1"}"#, "seq", "seq: expected a whole number, not a text");
        field(r#"{"body":"x","seq":1.5}"#, "seq", "seq: expected a whole number, not a number with a fraction");
        field(r#"{"body":"x","seq":99999999999999999999}"#, "seq", "seq: expected a whole number, not a number with a fraction");
        field(r#"{"body":"x","small":-1}"#, "small", "small: the number is out of range");
        field(r#"{"body":"x","flag":"yes"}"#, "flag", "flag: expected true or false, not a text");
        field(r#"{"body":"x","usernames":"bob"}"#, "usernames", "usernames: expected a list, not a text");
        let name = "a username is 1-32 characters of a-z 0-9 . _ -, starting and ending with a letter or digit";
        field(r#"{"body":"x","usernames":["a","!"]}"#, "usernames[1]", &format!("usernames[1]: {name}"));
        field(r#"{"body":"x","inner":{}}"#, "inner.seq", "inner.seq: it is needed");
        field(r#"{"body":"x","inner":3}"#, "inner", "inner: expected an object, not a whole number");
        field(r#"{"body":"x","kind":"party"}"#, "kind", "kind: expected direct, group, channel, not \"party\"");
        field(r#"{"body":"x","kind":{}}"#, "kind", "kind: expected a text");
        field(r#"{"body":"x","kind":"a\nb"}"#, "kind", "kind: expected direct, group, channel, not \"a\\nb\"");
    }

    #[test]
    fn only_an_object_is_taken() {
        for text in ["", "  ", "[\"x\"]", "null", "7", "\"x\""] {
            assert_eq!(refused(text), (None, "a JSON object is needed: {…}".into()), "{text}");
        }
        for text in ["{", "{\"body\":\"x\"} x", "{'body':1}", "{\"body\":\"\\ud800\"}", "{\"body\":1e999}"] {
            assert!(refused(text).1.starts_with("this is not valid JSON: "), "{text}: {:?}", refused(text));
        }
    }

    #[test]
    fn one_byte_order_mark_is_passed_over() {
        assert!(read_json::<Sample>("\u{feff}{\"body\":\"x\"}").is_ok());
        let two = read_json::<Sample>("\u{feff}\u{feff}{\"body\":\"x\"}");
        assert_eq!(two.unwrap_err().detail, "a JSON object is needed: {…}");
    }

    fn unknown(text: &str) -> Vec<String> {
        let (_, warnings) = read_request::<Sample>(text).unwrap();
        assert!(warnings.iter().all(|warning| warning.code == WarningCode::UnknownField));
        warnings.into_iter().map(|warning| warning.field.unwrap()).collect()
    }

    #[test]
    fn unknown_fields_of_a_request_are_named() {
        assert_eq!(unknown(r#"{"body":"x","seq":1,"kind":null,"inner":{"seq":1,"deeper":2}}"#), [""; 0], "what is in a field is not named");
        assert_eq!(
            unknown(r#"{"colour":{"deep":[{"er":1}]},"body":"x","Body":"y","":null,"tête":[],"colour":2}"#),
            ["colour", "Body", "", "tête"],
            "each once, in their order"
        );
        assert_eq!(unknown(&format!("{{\"body\":\"x\",\"{}\":1}}", "ä".repeat(70))), ["ä".repeat(64)]);
        let many: String = (0..1_000).map(|n| format!(",\"f{n}\":{n}")).collect();
        assert_eq!(unknown(&format!("{{\"body\":\"x\"{many}}}")), (0..20).map(|n| format!("f{n}")).collect::<Vec<_>>());
    }

    #[test]
    fn a_request_is_refused_as_any_object() {
        for text in
            ["[]", "{", "{\"body\":7,\"other\":1}", "{\"inner\":{},\"body\":\"x\"}", "{\"body\":\"x\",\"kind\":{}}", "{\"body\":\"x\"} x"]
        {
            assert_eq!(read_request::<Sample>(text).unwrap_err(), read_json::<Sample>(text).unwrap_err(), "{text}");
        }
    }

    #[test]
    fn deep_nesting_costs_no_stack() {
        let deep = format!("{{\"body\":\"x\",\"other\":{}{}}}", "[".repeat(60_000), "]".repeat(60_000));
        assert!(read_json::<Sample>(&deep).is_ok(), "what is ignored is skipped in a loop");
        assert_eq!(unknown(&deep), ["other"]);
        let refusal = read_json::<serde_json::Value>(&deep).unwrap_err();
        assert!(refusal.detail.contains("recursion limit"), "{}", refusal.detail);
    }

    #[derive(Debug, Deserialize)]
    struct Paged {
        #[serde(default)]
        limit: Limit,
        days: Option<u16>,
    }

    #[test]
    fn a_query_names_its_parameter() {
        assert_eq!(read_query::<Paged>("").unwrap().limit.get(), 50);
        assert_eq!(read_query::<Paged>("x=1&limit=7&days=3").unwrap().days, Some(3));
        assert_eq!(read_query::<Paged>("x=%C3%A9%F0%9F%91%8D%EF%BF%BD&days=3&%").unwrap().days, Some(3));
        for (query, field, detail) in [
            ("limit=0", "limit", "limit is a number from 1 to 100"),
            ("limit=101", "limit", "limit is a number from 1 to 100"),
            ("limit=abc", "limit", "limit: expected a whole number"),
            ("limit=", "limit", "limit: expected a whole number"),
            ("limit=1&limit=2", "limit", "limit: it is given twice"),
            ("days=70000", "days", "days: the number is out of range"),
            ("x=1&days=%E9", "days", "\"days\" is not percent-encoded UTF-8: é is %C3%A9"),
            ("x=caf%E9", "x", "\"x\" is not percent-encoded UTF-8: é is %C3%A9"),
        ] {
            let refusal = read_query::<Paged>(query).unwrap_err();
            assert_eq!((refusal.field.as_deref(), refusal.detail.as_str()), (Some(field), detail), "{query}");
        }
    }

    #[test]
    fn json_has_several_content_types() {
        let takes = |kind: &str| must_be_json(&HeaderMap::from_iter([(header::CONTENT_TYPE, kind.parse().unwrap())])).is_ok();
        assert!(takes("application/json") && takes("Application/JSON; charset=utf-8") && takes("application/merge-patch+json"));
        assert!(!takes("text/json") && !takes("application/x-www-form-urlencoded") && !takes("application/jsonp"));
        assert!(must_be_json(&HeaderMap::new()).is_err());
    }
}
