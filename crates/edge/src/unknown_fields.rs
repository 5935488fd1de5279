//! The fields of a request that its type does not know. They are ignored, and named in warnings, so that nobody believes that something was
//! done that was not.
//!
//! serde_ignored notes them while the request is read, so nothing is read twice. It sees nothing of a type with `#[serde(flatten)]` or
//! `#[serde(untagged)]`: serde keeps all fields of such a type itself. No request has one.

use contract::Warning;
use serde_ignored::Path;

/// How many are named.
const NAMED: usize = 20;

/// How many characters of a name are told: a client chooses it.
const NAME_CHARS: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct UnknownFields(Vec<String>);

impl UnknownFields {
    /// Notes that what stands at this path was ignored. Only the request's own fields count, not those of what is in it.
    pub(crate) fn note(&mut self, path: &Path<'_>) {
        let Path::Map { parent: Path::Root, key } = path else { return };
        if self.0.len() == NAMED {
            return;
        }
        let name: String = key.chars().take(NAME_CHARS).collect();
        if !self.0.contains(&name) {
            self.0.push(name);
        }
    }

    /// One warning for each, in the order of the request.
    pub(crate) fn into_warnings(self) -> Vec<Warning> {
        self.0.into_iter().map(Warning::unknown_field).collect()
    }
}
