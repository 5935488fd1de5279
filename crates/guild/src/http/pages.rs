//! The page at `/`, embedded in the program: `web/` at the repository's root, as it is, without a build step.

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use contract::Refusal;
use edge::Problem;
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../web/"]
struct Web;

/// What a page of this server may load: this server's own files, and nothing that stands in the page itself.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'",
);

/// The page
///
/// To log in and talk, in as many windows as you like.
#[utoipa::path(get, path = "/", tag = "documents", operation_id = "getPage", responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub async fn index() -> Response {
    file("index.html")
}

/// What the page loads.
pub async fn asset(Path(path): Path<String>) -> Response {
    file(&path)
}

/// What browsers ask for beside a page that names no icon, which the pages of others do not.
pub async fn icon() -> Response {
    file("icon.svg")
}

/// A page of this server.
pub fn html(page: impl Into<Bytes>) -> Response {
    answer("text/html; charset=utf-8", page.into())
}

fn file(path: &str) -> Response {
    match Web::get(path) {
        Some(file) => answer(kind(path), file.data.into_owned().into()),
        None => Problem(Refusal::not_found("there is no such file")).into_response(),
    }
}

fn answer(kind: &'static str, content: Bytes) -> Response {
    // The names never change, so a cache has to ask; a new version of the program shows at once.
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (StatusCode::OK, headers, content).into_response()
}

fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everything_that_the_page_names_is_there() {
        let page = String::from_utf8(Web::get("index.html").unwrap().data.into_owned()).unwrap();
        let named: Vec<&str> = page.split("/assets/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(named.len() >= 3, "{named:?}");
        for name in named {
            assert_eq!(asset(Path(name.to_owned())).await.status(), 200, "{name}");
        }
        assert_eq!(asset(Path("../Cargo.toml".to_owned())).await.status(), 404);
        assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains("onclick"), "the policy forbids it");
    }
}
