//! The form of an answer: which media type, which status, which keys (the GraphQL-over-HTTP draft).

use crate::refuse::{server_error, with_code};
use async_graphql::{Name, PathSegment, Response, ServerError, Value};
use axum::response::IntoResponse;
use contract::Refusal;
use edge::Problem;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;

/// In which form a client wants its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `application/json`, as every client has understood it for ever: 200 for everything that is a well-formed request.
    Json,
    /// `application/graphql-response+json`: a request that cannot be run is 400.
    GraphqlResponse,
}

impl Form {
    /// The newer form only for those who name it, before the older one if both are.
    pub(crate) fn wanted(headers: &HeaderMap) -> Self {
        let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut kinds = accept.flat_map(|value| value.split(',')).map(|kind| kind.split(';').next().unwrap_or_default().trim());
        match kinds.find(|kind| ["application/graphql-response+json", "application/json"].contains(kind)) {
            Some("application/graphql-response+json") => Self::GraphqlResponse,
            _ => Self::Json,
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        })
    }
}

/// Whether nothing was run: what is wrong is wrong with the request, not with a field.
fn not_run(response: &Response) -> bool {
    !response.errors.is_empty() && response.data == Value::Null && response.errors.iter().all(|error| error.path.is_empty())
}

/// The errors as they go out.
fn errors(errors: Vec<ServerError>) -> Vec<ServerError> {
    errors.into_iter().map(with_code).collect()
}

/// A response as it goes out. It is written as it stands, because it may hold megabytes, which would be copied into another form first.
#[derive(Serialize)]
pub(crate) struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<ServerError>>,
    /// Absent where nothing was run.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
}

impl Body {
    /// The errors, where nothing was run.
    pub(crate) fn why_not_run(&self) -> Option<&[ServerError]> {
        if self.data.is_some() { None } else { Some(self.errors.as_deref().unwrap_or_default()) }
    }
}

/// Puts null where a field has failed: async-graphql leaves such a field out, and makes null of an object that has no other. Every field of
/// ours that can fail may be null, so nothing above one is.
fn with_nulls(data: &mut Value, path: &[PathSegment]) {
    if data == &Value::Null && matches!(path, [PathSegment::Field(_), ..]) {
        *data = Value::Object(Default::default());
    }
    match (data, path) {
        (Value::Object(fields), [PathSegment::Field(name), rest @ ..]) => {
            with_nulls(fields.entry(Name::new(name)).or_insert(Value::Null), rest);
        }
        (Value::List(items), [PathSegment::Index(at), rest @ ..]) => {
            if let Some(item) = items.get_mut(*at) {
                with_nulls(item, rest);
            }
        }
        _ => {}
    }
}

/// A response as it goes out.
pub(crate) fn body(mut response: Response) -> Body {
    for error in &response.errors {
        with_nulls(&mut response.data, &error.path);
    }
    as_it_is(response)
}

/// The response to one event of a subscription. The field of a subscription may not be null by the schema, so where it has failed nothing is
/// above it.
pub(crate) fn event(response: Response) -> Body {
    if response.data == Value::Null { as_it_is(response) } else { body(response) }
}

fn as_it_is(response: Response) -> Body {
    let data = (!not_run(&response)).then_some(response.data);
    let errors = (!response.errors.is_empty()).then(|| errors(response.errors));
    Body { errors, data }
}

/// The answer to one request.
pub(crate) fn one(response: Response, form: Form) -> axum::response::Response {
    let status = if form == Form::GraphqlResponse && not_run(&response) { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    told(status, form, json(&body(response)))
}

/// The answer to a batch, which is written one response after the other.
pub(crate) struct Batch(Vec<u8>);

impl Batch {
    pub(crate) fn new() -> Self {
        Self(b"[".to_vec())
    }

    pub(crate) fn add(&mut self, response: Response) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        // Writing to memory cannot fail.
        let _ = serde_json::to_writer(&mut self.0, &body(response));
    }

    pub(crate) fn told(mut self, form: Form) -> axum::response::Response {
        self.0.push(b']');
        told(StatusCode::OK, form, self.0)
    }
}

/// The answer to what is no request, or nobody's: with the status and the headers that REST would answer.
pub(crate) fn refused(refusal: Refusal, form: Form) -> axum::response::Response {
    let body = json(&Body { errors: Some(errors(vec![server_error(&refusal)])), data: None });
    let mut response = Problem(refusal).into_response();
    *response.body_mut() = axum::body::Body::from(body);
    response.headers_mut().insert(header::CONTENT_TYPE, form.content_type());
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response
}

fn json(body: &Body) -> Vec<u8> {
    serde_json::to_vec(body).unwrap_or_default()
}

fn told(status: StatusCode, form: Form, body: Vec<u8>) -> axum::response::Response {
    (status, [(header::CONTENT_TYPE, form.content_type())], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn body(response: Response) -> serde_json::Value {
        serde_json::to_value(super::body(response)).unwrap()
    }

    #[test]
    fn a_field_that_failed_is_null_and_nothing_else_is() {
        let path = |names: &[&str]| names.iter().map(|name| PathSegment::Field((*name).to_owned())).collect::<Vec<_>>();
        for (data, wanted) in [
            (json!(null), json!({ "room": { "messages": null } })),
            (json!({ "room": null }), json!({ "room": { "messages": null } })),
            (json!({ "room": { "name": "a" } }), json!({ "room": { "name": "a", "messages": null } })),
        ] {
            let mut response = Response::new(Value::from_json(data).unwrap());
            let error = ServerError::new("no", None).with_path(path(&["room", "messages"]));
            response.errors.push(error);
            assert_eq!(body(response)["data"], wanted);
        }
        let refused = Response::from_errors(vec![ServerError::new("no", None)]);
        assert_eq!(body(refused).get("data"), None);
    }

    #[test]
    fn fields_stand_in_the_order_in_which_they_were_asked_for() {
        let data: async_graphql::indexmap::IndexMap<_, _> = [(Name::new("b"), Value::from(1)), (Name::new("a"), Value::Null)].into();
        let mut batch = Batch::new();
        batch.add(Response::new(Value::Object(data)));
        batch.add(Response::from_errors(vec![ServerError::new("no", None)]));
        let text = String::from_utf8(batch.0).unwrap();
        assert_eq!(text, r#"[{"data":{"b":1,"a":null}},{"errors":[{"message":"no","extensions":{"code":"invalid_request"}}]}"#);
    }

    #[test]
    fn the_first_form_that_is_named_counts() {
        let form = |accept: &str| Form::wanted(&HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]));
        assert_eq!(Form::wanted(&HeaderMap::new()), Form::Json);
        for json in ["*/*", "application/json", "text/html, application/json;q=0.9, application/graphql-response+json", "x"] {
            assert_eq!(form(json), Form::Json, "{json}");
        }
        for new in ["application/graphql-response+json", "application/graphql-response+json; charset=utf-8, application/json;q=0.9"] {
            assert_eq!(form(new), Form::GraphqlResponse, "{new}");
        }
    }
}
