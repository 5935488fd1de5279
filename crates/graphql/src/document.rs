//! What the OpenAPI document says about GraphQL: the form of its answers. What can be asked is the schema's to say.

use contract::Code;
use std::collections::BTreeMap;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

/// A request in GraphQL.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it documents what is read elsewhere")]
pub(crate) struct GraphqlRequest {
    /// The document.
    #[schema(example = "{ rooms(first: 10) { nodes { id name unread } } }")]
    query: String,
    /// Which of its operations, where it has several.
    #[schema(rename = "operationName")]
    operation_name: Option<String>,
    /// What its variables stand for.
    #[schema(value_type = Option<Object>)]
    variables: Option<serde_json::Value>,
}

/// An answer in GraphQL.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it documents what is written elsewhere")]
pub(crate) struct GraphqlAnswer {
    /// What was asked for; absent where nothing could be run.
    #[schema(value_type = Option<Object>)]
    data: Option<serde_json::Value>,
    /// What went wrong; absent where nothing did.
    #[schema(nullable = false)]
    errors: Option<Vec<GraphqlError>>,
}

/// Something that went wrong.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it documents what is written elsewhere")]
pub(crate) struct GraphqlError {
    /// For people: what happened and what to do.
    message: String,
    /// Where in the document, by line and column.
    #[schema(value_type = Vec<Value>, required = false)]
    locations: Option<Vec<serde_json::Value>>,
    /// Where in the answer: the keys and places that lead to the field that is null because of this.
    #[schema(value_type = Vec<Value>, required = false)]
    path: Option<Vec<serde_json::Value>>,
    extensions: GraphqlExtensions,
}

/// The same for programs.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it documents what is written elsewhere")]
pub(crate) struct GraphqlExtensions {
    /// As REST says it.
    code: Code,
    /// The argument that it is about.
    #[schema(nullable = false)]
    field: Option<String>,
    /// When it may work, in milliseconds from now.
    #[schema(rename = "retryAfterMs", nullable = false)]
    retry_after_ms: Option<u64>,
    /// Names this fault in the server's log (`internal`).
    #[schema(nullable = false)]
    incident: Option<String>,
}

/// The statuses of what is refused as a whole, with GraphQL's own form of an error.
pub(crate) struct Refused;

impl IntoResponses for Refused {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        [400, 401, 403, 409, 413, 415, 429, 500, 503]
            .into_iter()
            .map(|status: u16| (status.to_string(), RefOr::T(refused(status))))
            .collect()
    }
}

fn refused(status: u16) -> Response {
    let codes = Code::ALL.into_iter().filter(|code| code.status() == status);
    let text = codes.map(|code| format!("`{}`: {}", code.as_str(), code.title())).collect::<Vec<_>>().join("; ");
    let content = || ContentBuilder::new().schema(Some(Ref::from_schema_name(GraphqlAnswer::name()))).build();
    // What does not get as far as GraphQL (a page of another origin, too many bytes) is refused as everywhere.
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name(edge::ProblemBody::name()))).build();
    ResponseBuilder::new()
        .description(text)
        .content("application/problem+json", problem)
        .content("application/json", content())
        .content("application/graphql-response+json", content())
        .build()
}
