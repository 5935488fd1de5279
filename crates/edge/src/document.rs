//! What every part of the OpenAPI document shares: the problem's schema, the bearer token, and the refusals that any call may answer.

use crate::ProblemBody;
use contract::Code;
use std::collections::BTreeMap;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, ContentBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

/// Statuses that any call with a token may answer; 400 where a signed token's username is reserved, 409 where it belongs to somebody else.
const ALWAYS: [u16; 7] = [400, 401, 403, 409, 429, 500, 503];

/// The document that services put their routes into (`OpenApiRouter::with_openapi`): the schema `Problem`, the security scheme `token`.
pub fn document() -> OpenApi {
    let mut needed = Vec::new();
    ProblemBody::schemas(&mut needed);
    let token = Http::builder().scheme(HttpAuthScheme::Bearer).description(Some("The token that a login answers.")).build();
    let components = ComponentsBuilder::new()
        .schema(ProblemBody::name(), ProblemBody::schema())
        .schemas_from_iter(needed)
        .security_scheme("token", SecurityScheme::Http(token))
        .build();
    OpenApiBuilder::new().components(Some(components)).build()
}

/// The problems that a call may answer, for `responses(…)` of `#[utoipa::path]`: these statuses, and those that any call may answer
/// (400, 401, 403, 409, 429, 500, 503). 0 stands for none: `Refuses<404, 413>`.
pub struct Refuses<const A: u16 = 0, const B: u16 = 0, const C: u16 = 0, const D: u16 = 0, const E: u16 = 0>;

impl<const A: u16, const B: u16, const C: u16, const D: u16, const E: u16> IntoResponses for Refuses<A, B, C, D, E> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let statuses = [A, B, C, D, E].into_iter().chain(ALWAYS).filter(|status| *status != 0);
        statuses.map(|status| (status.to_string(), RefOr::T(refusal(status)))).collect()
    }
}

fn refusal(status: u16) -> Response {
    let codes: Vec<_> = Code::ALL.into_iter().filter(|code| code.status() == status).collect();
    let text = codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.title())).collect::<Vec<_>>().join("; ");
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemBody::name()))).build();
    let response = ResponseBuilder::new().description(text).content("application/problem+json", content);
    if matches!(status, 429 | 503) {
        let seconds = HeaderBuilder::new().schema(Some(i64::schema())).description(Some("Seconds until it may work.")).build();
        return response.header("Retry-After", seconds).build();
    }
    response.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_what_refusals_refer_to() {
        let document = serde_json::to_value(document()).unwrap();
        let schemas = &document["components"]["schemas"];
        assert_eq!(schemas["Problem"]["properties"]["code"]["$ref"], "#/components/schemas/Code");
        assert!(schemas["Code"]["enum"].as_array().unwrap().len() == Code::ALL.len());
        assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
        let responses = Refuses::<404>::responses();
        assert_eq!(responses.keys().map(String::as_str).collect::<Vec<_>>(), ["400", "401", "403", "404", "409", "429", "500", "503"]);
    }
}
