//! The page at `GET /graphql`: this server's own, without a line from elsewhere, under the same policy as its other pages.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use contract::Refusal;
use edge::Problem;
use http::{HeaderValue, header};

const INDEX: &str = include_str!("page/index.html");
const SCRIPT: &str = include_str!("page/explorer.js");
const STYLE: &str = include_str!("page/explorer.css");

/// What the page may load: this server's own files, and nothing that stands in the page itself.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'",
);

/// The page.
pub(crate) fn index() -> Response {
    answer("text/html; charset=utf-8", INDEX.into())
}

/// What it loads.
pub(crate) async fn file(Path(file): Path<String>) -> Response {
    match file.as_str() {
        "explorer.js" => answer("text/javascript; charset=utf-8", SCRIPT.into()),
        "explorer.css" => answer("text/css; charset=utf-8", STYLE.into()),
        _ => Problem(Refusal::not_found("there is no such file")).into_response(),
    }
}

/// A text.
pub(crate) fn text(text: String) -> Response {
    answer("text/plain; charset=utf-8", text)
}

fn answer(kind: &'static str, content: String) -> Response {
    // The names never change, so a cache has to ask; a new version of the program shows at once.
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, content).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everything_that_the_page_names_is_there() {
        let named: Vec<&str> = INDEX.split("\"/graphql/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(named.len() >= 3, "{named:?}");
        for name in named.into_iter().filter(|name| *name != "schema.graphql") {
            assert_eq!(file(Path(name.to_owned())).await.status(), 200, "{name}");
        }
        assert!(!INDEX.contains("<style") && !INDEX.contains(" style=") && !INDEX.contains("onclick"), "the policy forbids it");
    }
}
