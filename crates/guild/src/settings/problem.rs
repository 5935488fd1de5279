//! What is wrong with the settings: one readable line each, all of them at once, before anything has started.

use std::fmt;

use super::origin::Origin;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A setting's value is not allowed.
    Wrong {
        /// The setting.
        key: String,
        /// Its value as it may be shown (secrets are not).
        value: String,
        /// Where the value came from.
        origin: Origin,
        /// What is allowed, or why this is not.
        why: String,
    },
    /// A name that no setting has.
    Unknown {
        /// The name, as it was written.
        name: String,
        /// Where it stands.
        place: String,
        /// A name that was perhaps meant.
        meant: Option<String>,
    },
    /// A file that cannot be read as settings.
    File {
        /// Its path.
        path: String,
        /// Why not.
        why: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Wrong { key, value, origin, why } => write!(f, "{key} = {value} ({origin}): {why}"),
            Problem::Unknown { name, place, meant } => {
                write!(f, "{name} ({place}): there is no such setting")?;
                match meant {
                    Some(meant) => write!(f, "; did you mean {meant}?"),
                    None => write!(f, "; guild.default.toml and `guild serve --help` list them all"),
                }
            }
            Problem::File { path, why } => write!(f, "{path}: {why}"),
        }
    }
}

/// Everything that is wrong; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(Problem::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Problems {}
