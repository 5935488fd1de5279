//! Where settings come from: the defaults, then the file, the environment and the flags, each over those before it. Every value keeps
//! its origin, so that an error can say which of them to mend.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml_edit::{Document, Item, TableLike};

use super::catalog::{self, Setting, catalog};
use super::origin::Origin;
use super::problem::{Problem, Problems};
use super::shown::shown;
use super::value::Value;

/// What the operator said, outside the defaults.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file named with `--config`; without it, `guild.toml` in the working folder is read if it is there.
    pub config: Option<PathBuf>,
    /// Environment variables; only those that begin with `GUILD_` count.
    pub environment: Vec<(String, String)>,
    /// Flags: a setting's name and its value as written.
    pub flags: Vec<(String, String)>,
}

/// The file that is read when `--config` names none.
pub const FILE: &str = "guild.toml";

/// How every setting's environment variable begins.
const VARIABLES: &str = "GUILD_";

/// A value and where it came from.
#[derive(Clone, Debug)]
pub struct Given {
    /// The value.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
}

/// Every setting's value, of the right kind, not yet checked further.
pub type Layered = BTreeMap<&'static str, Given>;

/// Lays the sources over one another.
///
/// # Errors
/// Unknown names, values of the wrong kind, and a file that cannot be read.
pub fn layer(sources: &Sources) -> Result<Layered, Problems> {
    let mut stack = Stack {
        values: catalog()
            .iter()
            .map(|setting| (setting.key.as_str(), Ok(Given { value: setting.default.clone(), origin: Origin::Default })))
            .collect(),
        problems: Vec::new(),
    };
    stack.file(sources.config.as_deref());
    for (variable, text) in &sources.environment {
        stack.variable(variable, text);
    }
    for (key, text) in &sources.flags {
        if let Some(setting) = catalog::find(key) {
            stack.put(setting, setting.kind.read(text), text, Origin::Flag(format!("--{}", setting.flag())));
        }
    }
    stack.finish()
}

struct Stack {
    /// A wrong value counts only where nothing lies over it.
    values: BTreeMap<&'static str, Result<Given, Problem>>,
    problems: Vec<Problem>,
}

impl Stack {
    fn put(&mut self, setting: &'static Setting, value: Option<Value>, written: &str, origin: Origin) {
        let given = match value {
            Some(value) => Ok(Given { value, origin }),
            None => Err(Problem::Wrong {
                key: setting.key.clone(),
                value: shown(&setting.key, &Value::Text(written.to_owned())),
                origin,
                why: format!("allowed is {}", setting.kind.allowed()),
            }),
        };
        self.values.insert(&setting.key, given);
    }

    fn variable(&mut self, variable: &str, text: &str) {
        let Some(name) = variable.strip_prefix(VARIABLES) else { return };
        match catalog().iter().find(|setting| setting.variable() == variable) {
            Some(setting) => self.put(setting, setting.kind.read(text), text, Origin::Environment(variable.to_owned())),
            None => self.problems.push(Problem::Unknown {
                name: variable.to_owned(),
                place: "environment".to_owned(),
                meant: closest(name, catalog().iter().map(|setting| setting.variable().split_off(VARIABLES.len())))
                    .map(|meant| format!("{VARIABLES}{meant}")),
            }),
        }
    }

    fn file(&mut self, config: Option<&Path>) {
        let path = config.unwrap_or(Path::new(FILE));
        let shown_path = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if config.is_none() && error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                let why = format!("the settings file cannot be read: {error}");
                return self.problems.push(Problem::File { path: shown_path, why });
            }
        };
        match Document::parse(text.as_str()) {
            Ok(document) => self.table(document.as_table(), "", &File { path: &shown_path, text: &text }),
            Err(error) => {
                let line = error.span().map_or(1, |span| line_of(&text, span.start));
                let message = error.message().lines().collect::<Vec<_>>().join(", ");
                self.problems
                    .push(Problem::File { path: format!("{shown_path} line {line}"), why: format!("this is not TOML: {message}") });
            }
        }
    }

    fn table(&mut self, table: &dyn TableLike, path: &str, file: &File<'_>) {
        for (name, item) in table.iter() {
            let key = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            let start = table.get_key_value(name).and_then(|(key, _)| key.span()).map_or(0, |span| span.start);
            let line = line_of(file.text, start);
            let inner = item.as_table_like();
            match (catalog::find(&key), inner) {
                (Some(setting), _) => {
                    let value = item.as_value().and_then(|value| setting.kind.read_toml(value));
                    self.put(setting, value, &written(item, file.text), Origin::File(file.path.to_owned(), line));
                }
                (None, Some(inner)) if catalog().iter().any(|setting| setting.key.starts_with(&format!("{key}."))) => {
                    self.table(inner, &key, file);
                }
                (None, _) => self.problems.push(Problem::Unknown {
                    meant: closest(&key, catalog().iter().map(|setting| setting.key.clone())),
                    name: key,
                    place: format!("{} line {line}", file.path),
                }),
            }
        }
    }

    fn finish(self) -> Result<Layered, Problems> {
        let mut problems = self.problems;
        let mut layered = Layered::new();
        for (key, value) in self.values {
            match value {
                Ok(given) => drop(layered.insert(key, given)),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(layered) } else { Err(Problems(problems)) }
    }
}

struct File<'a> {
    path: &'a str,
    text: &'a str,
}

/// An item as it stands in the file.
fn written(item: &Item, text: &str) -> String {
    item.span().and_then(|span| text.get(span)).unwrap_or_default().trim_matches(['"', '\'']).to_owned()
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The candidate that is most like `name`, if any is much like it.
fn closest(name: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    let like = |candidate: &String| strsim::normalized_damerau_levenshtein(name, candidate);
    candidates.max_by(|a, b| like(a).total_cmp(&like(b))).filter(|best| like(best) > 0.6)
}
