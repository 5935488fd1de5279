//! The page that a problem's `type` links to.

use contract::Code;
use std::fmt::Write;

/// An HTML page with a paragraph for each [`Code`], to be served at `/docs/errors`: a problem's `type` is `/docs/errors#` and its code.
pub fn errors_page() -> String {
    let mut page = String::from(concat!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Errors</title>",
        "<style>body{font:1rem/1.5 system-ui;max-width:45rem;margin:2rem auto;padding:0 1rem}:target{background:#ffd}</style>",
        "<h1>Errors</h1><p>Every error is <code>application/problem+json</code> (RFC 9457) over HTTP, and the same ",
        "<code>code</code>, <code>detail</code> and <code>field</code> in an acknowledgement over Socket.IO."
    ));
    for code in Code::ALL {
        let (id, status, title) = (code.as_str(), code.status(), code.title());
        let _ = write!(page, "<section id=\"{id}\"><h2><code>{id}</code></h2><p>{title} (HTTP {status}). {}</section>", what_to_do(code));
    }
    page.push_str("</html>");
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
        Code::MethodNotAllowed => "The path exists, this method of it does not: the Allow header names those that do.",
        Code::Conflict => "What is there already does not go together with this.",
        Code::NonceConflict => "This nonce was used for something else: take a new one for each new thing, and the same one for a retry.",
        Code::TooLarge => "The request has more bytes than are taken.",
        Code::UnsupportedMediaType => "Send JSON, with its content-type.",
        Code::RateLimited => "Too often: try again after the time in Retry-After.",
        Code::Internal => "A fault of the server: its log says more under the <code>incident</code>.",
        Code::Busy => "It cannot be done right now, and nothing happened: try again after the time in Retry-After.",
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
