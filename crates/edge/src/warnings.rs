//! Warnings over HTTP: the header `Guild-Warnings` of an answer, a JSON array in ASCII. They are no part of the resource that is answered, which
//! clients keep.

use axum::extract::FromRequestParts;
use contract::Warning;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::convert::Infallible;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use utoipa::PartialSchema;
use utoipa::openapi::header::{Header, HeaderBuilder};

const NAME: HeaderName = HeaderName::from_static("guild-warnings");

/// The most bytes of the header. Proxies and clients take 8 KiB of headers or more.
const MOST_BYTES: usize = 4 * 1024;

/// The warnings of one request, for its answer. The outer layer gives them along with the request, and whoever reads it adds to them.
#[derive(Clone, Debug, Default)]
pub struct Warnings(Arc<Mutex<Vec<Warning>>>);

impl<S: Send + Sync> FromRequestParts<S> for Warnings {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

impl Warnings {
    /// Adds these.
    pub fn add(&self, more: Vec<Warning>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(more);
    }

    /// All of them, which are none afterwards.
    pub fn take(&self) -> Vec<Warning> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells them in the headers of an answer that says yes.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        let warnings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if warnings.is_empty() {
            return;
        }
        if let Ok(value) = HeaderValue::try_from(list(&warnings)) {
            headers.insert(NAME, value);
        }
    }
}

/// The header for the OpenAPI document.
pub fn warnings_header() -> Header {
    let text = "What was not done, as a JSON array of objects with `code`, `detail` and where it is about a field `field`, in ASCII and \
                at most 4 KiB. `unknown_field` names a field of the body that is not known here and was ignored; `mention_dropped` says that a message is there without its mention of everybody. Absent where there is \
                nothing to warn of.";
    HeaderBuilder::new().schema(Some(String::schema())).description(Some(text)).build()
}

/// The first of them, as many as there is room for.
fn list(warnings: &[Warning]) -> String {
    let mut list = String::from("[");
    for warning in warnings.iter().filter_map(|warning| serde_json::to_string(warning).ok()) {
        let warning = ascii(&warning);
        let comma = if list.len() > 1 { "," } else { "" };
        if list.len() + comma.len() + warning.len() + 1 > MOST_BYTES {
            break;
        }
        list.push_str(comma);
        list.push_str(&warning);
    }
    list.push(']');
    list
}

/// The same JSON in what a header may hold. What is escaped stands in strings only: serde_json puts nothing else between them.
fn ascii(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for c in json.chars() {
        if matches!(c, ' '..='~') {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // A String takes all that is written.
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(names: &[&str]) -> Option<String> {
        let (warnings, mut headers) = (Warnings::default(), HeaderMap::new());
        warnings.add(names.iter().copied().map(Warning::unknown_field).collect());
        warnings.tell(&mut headers);
        headers.get(NAME).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn it_is_json_in_ascii_that_says_the_same() {
        for name in ["colour", "", "\"\\", "farbe-ä", "👍🏽", "\u{7f}\n\0", "\u{2028}"] {
            let header = told(&["x", name]).unwrap();
            assert!(header.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{header}");
            let warnings: Vec<Warning> = serde_json::from_str(&header).unwrap();
            assert_eq!(warnings, ["x", name].map(Warning::unknown_field), "{header}");
        }
        assert_eq!(told(&[]), None);
    }

    #[test]
    fn it_is_bounded() {
        let names: Vec<_> = (0..20).map(|n| format!("{n}{}", "👍".repeat(62))).collect();
        let header = told(&names.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        assert!(header.len() <= MOST_BYTES, "{}", header.len());
        let warnings: Vec<Warning> = serde_json::from_str(&header).unwrap();
        assert_eq!(warnings.last(), Some(&Warning::unknown_field(&names[1])), "those for which there is room");
        let usual: Vec<_> = (0..20).map(|n| format!("a_usual_name_{n}")).collect();
        let header = told(&usual.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Warning>>(&header).unwrap().len(), 20);
    }
}
