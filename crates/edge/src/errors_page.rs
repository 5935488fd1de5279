//! The page that a problem's `type` links to.

use contract::Code;
use std::fmt::Write;

/// An HTML page with a paragraph for each [`Code`], to be served at `/docs/errors`: a problem's `type` is `/docs/errors#` and its code.
pub fn errors_page() -> String {
    let mut page = String::from(concat!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">",
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Errors · Guild Chat</title>",
        "<link rel=\"icon\" href=\"/assets/icon.svg\" type=\"image/svg+xml\">",
        "<link rel=\"stylesheet\" href=\"/assets/docs.css\"></head><body class=\"plain\"><header><h1>Guild Chat: errors</h1>",
        "<p class=\"sub\"><a href=\"/docs/\">REST</a> · <a href=\"/docs/events\">events</a> · <a href=\"/\">the page</a></p>",
        "<p>Every error over HTTP is <code>application/problem+json</code> (RFC 9457). An acknowledgement over Socket.IO says no with ",
        "the same <code>code</code>, <code>detail</code> and <code>field</code>.</p></header><main>"
    ));
    for code in Code::ALL {
        let (id, status, title, todo) = (code.as_str(), code.status(), code.title(), what_to_do(code));
        let _ = write!(page, "<section id=\"{id}\"><h3><code>{id}</code></h3><p>{title} (HTTP {status}). {todo}</p></section>");
    }
    page.push_str("</main></body></html>");
    page
}

fn what_to_do(code: Code) -> &'static str {
    match code {
        Code::InvalidRequest => {
            "Something in the request breaks a rule: <code>field</code> names it, <code>detail</code> says what is allowed."
        }
        Code::Unauthenticated => "There was no token, or one that is not valid (any more): log in.",
        Code::InvalidCredentials => "This username and password do not belong together, or may not log in.",
        Code::Forbidden => "You are known, and may not do this.",
        Code::NotFound => "There is no such thing, or none that you may know of.",
        Code::MethodNotAllowed => "The path exists, this method of it does not: the <code>Allow</code> header names those that do.",
        Code::Conflict => "What is there already does not go together with this.",
        Code::NonceConflict => "This nonce was used for something else: take a new one for each new thing, and the same one for a retry.",
        Code::TooLarge => "The request has more bytes than are taken.",
        Code::UnsupportedMediaType => "Send JSON, as <code>application/json</code>.",
        Code::RateLimited => "Too often: try again after <code>Retry-After</code> (seconds) or <code>retry_after_ms</code>.",
        Code::Internal => "A fault of the server: its log says more under the <code>incident</code>.",
        Code::Busy => "It cannot be done right now, and nothing happened: try the same again, with its nonce, a little later.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_place() {
        let page = errors_page();
        assert!(Code::ALL.into_iter().all(|code| page.contains(&format!("id=\"{}\"", code.as_str()))));
    }
}
