//! Reading a request: one, or a batch of them, out of a body, a query string or a `subscribe` message.

use crate::limits::Limits;
use crate::query_limits::{self, QueryRefused};
use crate::refuse::{server_error, with_code};
use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response, Variables};
use contract::{Code, Refusal};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::IntoParams;

/// What a client sends.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Parameters {
    query: String,
    operation_name: Option<String>,
    variables: Option<Map<String, Value>>,
    /// None is known, and none is refused.
    #[serde(rename = "extensions")]
    _extensions: Option<Map<String, Value>>,
}

/// Several of them, or one.
pub(crate) enum Body {
    One(Parameters),
    Batch(Vec<Parameters>),
}

impl Body {
    /// Reads a body.
    ///
    /// # Errors
    /// `invalid_request` that says what is wrong.
    pub(crate) fn read(text: &str, limits: &Limits) -> Result<Self, Refusal> {
        let text = edge::without_mark(text);
        let start = text.trim_ascii_start();
        if !start.starts_with('[') {
            return edge::read_json(text).map(Self::One);
        }
        let several: Vec<&serde_json::value::RawValue> =
            serde_json::from_str(text).map_err(|error| Refusal::new(Code::InvalidRequest, format!("this is not valid JSON: {error}")))?;
        let count = several.len();
        if count == 0 || count > limits.batch {
            let most = limits.batch;
            return Err(Refusal::new(Code::InvalidRequest, format!("a batch is 1 to {most} requests, this one has {count}")));
        }
        several.into_iter().map(|one| edge::read_json(one.get())).collect::<Result<_, _>>().map(Self::Batch)
    }
}

/// What the query string of a GET says.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct InQuery {
    /// The document. Without it the page is answered.
    #[param(required = false)]
    query: String,
    /// Which of its operations, where it has several.
    operation_name: Option<String>,
    /// A JSON object: what its variables stand for.
    variables: Option<String>,
    /// A JSON object, of which nothing is known.
    extensions: Option<String>,
}

impl InQuery {
    /// # Errors
    /// `invalid_request` where `variables` or `extensions` are no JSON object.
    pub(crate) fn parameters(self) -> Result<Parameters, Refusal> {
        let object = |field: &str, text: Option<String>| {
            let read = |text: String| {
                serde_json::from_str(&text).map_err(|_| Refusal::invalid(field, format!("{field}: a JSON object is needed")))
            };
            text.filter(|text| !text.is_empty()).map(read).transpose()
        };
        Ok(Parameters {
            query: self.query,
            operation_name: self.operation_name,
            variables: object("variables", self.variables)?,
            _extensions: object("extensions", self.extensions)?,
        })
    }
}

/// Whether a request may change something. A GET never may; there is no mutation yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum May {
    Read,
    Change,
}

/// A request within its limits.
pub(crate) struct Admitted {
    pub request: Request,
    /// Whether it is a subscription.
    pub subscribes: bool,
}

impl Parameters {
    /// Holds it to the limits.
    ///
    /// # Errors
    /// The answer to a request that is refused.
    pub(crate) fn admit(self, limits: &Limits, may: May) -> Result<Admitted, Box<Response>> {
        let refused = |refusal: Refusal| Box::new(Response::from_errors(vec![server_error(&refusal)]));
        let checked = query_limits::check(&self.query, limits).map_err(|refused_query| match refused_query {
            QueryRefused::Syntax(error) => Box::new(Response::from_errors(vec![with_code(error)])),
            QueryRefused::TooMuch(refusal) => refused(refusal),
        })?;
        if checked.mutates && may == May::Read {
            return Err(refused(Refusal::new(Code::MethodNotAllowed, "a mutation is sent with POST").about("query")));
        }
        let operation = self.operation_name.as_deref();
        let of_name = |name: Option<&str>| operation.is_none() || name == operation;
        let mut operations = checked.document.operations.iter().filter(|(name, _)| of_name(name.map(|name| name.as_str())));
        let subscribes = operations.any(|(_, operation)| operation.node.ty == OperationType::Subscription);
        let mut request = Request::new(self.query);
        request.operation_name = self.operation_name;
        request.variables = Variables::from_json(Value::Object(self.variables.unwrap_or_default()));
        request.set_parsed_query(checked.document);
        Ok(Admitted { request, subscribes })
    }
}
