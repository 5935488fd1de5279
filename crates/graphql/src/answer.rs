//! The form of an answer: which media type, which status, which keys (the GraphQL-over-HTTP draft).

use crate::refuse::{server_error, with_code};
use async_graphql::{Name, PathSegment, Response, ServerError};
use axum::response::IntoResponse;
use contract::Refusal;
use edge::Problem;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

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
pub(crate) fn not_run(response: &Response) -> bool {
    !response.errors.is_empty() && response.data == async_graphql::Value::Null && response.errors.iter().all(|error| error.path.is_empty())
}

/// The errors as they go out.
pub(crate) fn errors(errors: Vec<ServerError>) -> Value {
    serde_json::to_value(errors.into_iter().map(with_code).collect::<Vec<_>>()).unwrap_or_default()
}

/// Puts null where a field has failed: async-graphql leaves such a field out, and makes null of an object that has no other. Every field of
/// ours that can fail may be null, so nothing above one is.
fn with_nulls(data: &mut async_graphql::Value, path: &[PathSegment]) {
    if data == &async_graphql::Value::Null && matches!(path, [PathSegment::Field(_), ..]) {
        *data = async_graphql::Value::Object(Default::default());
    }
    match (data, path) {
        (async_graphql::Value::Object(fields), [PathSegment::Field(name), rest @ ..]) => {
            with_nulls(fields.entry(Name::new(name)).or_insert(async_graphql::Value::Null), rest);
        }
        (async_graphql::Value::List(items), [PathSegment::Index(at), rest @ ..]) => {
            if let Some(item) = items.get_mut(*at) {
                with_nulls(item, rest);
            }
        }
        _ => {}
    }
}

/// A response as it goes out; without `data` where nothing was run.
pub(crate) fn body(mut response: Response) -> Value {
    for error in &response.errors {
        with_nulls(&mut response.data, &error.path);
    }
    match (not_run(&response), response.errors.is_empty()) {
        (true, _) => json!({ "errors": errors(response.errors) }),
        (false, true) => json!({ "data": response.data }),
        (false, false) => json!({ "errors": errors(response.errors), "data": response.data }),
    }
}

/// The answer to one request.
pub(crate) fn one(response: Response, form: Form) -> axum::response::Response {
    let status = if form == Form::GraphqlResponse && not_run(&response) { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    told(status, form, &body(response))
}

/// The answer to a batch.
pub(crate) fn batch(responses: Vec<Response>, form: Form) -> axum::response::Response {
    told(StatusCode::OK, form, &Value::Array(responses.into_iter().map(body).collect()))
}

/// The answer to what is no request, or nobody's: with the status and the headers that REST would answer.
pub(crate) fn refused(refusal: Refusal, form: Form) -> axum::response::Response {
    let body = json!({ "errors": errors(vec![server_error(&refusal)]) });
    let mut response = Problem(refusal).into_response();
    *response.body_mut() = axum::body::Body::from(body.to_string());
    response.headers_mut().insert(header::CONTENT_TYPE, form.content_type());
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response
}

fn told(status: StatusCode, form: Form, body: &Value) -> axum::response::Response {
    (status, [(header::CONTENT_TYPE, form.content_type())], body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_failed_is_null_and_nothing_else_is() {
        let path = |names: &[&str]| names.iter().map(|name| PathSegment::Field((*name).to_owned())).collect::<Vec<_>>();
        for (data, wanted) in [
            (json!(null), json!({ "room": { "messages": null } })),
            (json!({ "room": null }), json!({ "room": { "messages": null } })),
            (json!({ "room": { "name": "a" } }), json!({ "room": { "name": "a", "messages": null } })),
        ] {
            let mut response = Response::new(async_graphql::Value::from_json(data).unwrap());
            let error = ServerError::new("no", None).with_path(path(&["room", "messages"]));
            response.errors.push(error);
            assert_eq!(body(response)["data"], wanted);
        }
        let refused = Response::from_errors(vec![ServerError::new("no", None)]);
        assert_eq!(body(refused).get("data"), None);
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
