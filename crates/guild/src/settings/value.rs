//! A setting's value before its meaning is known: text, a number, yes or no, or a list of texts.

use std::fmt;

use toml_edit::Value as Toml;

/// The kinds of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A whole number, not negative.
    Number,
    /// True or false.
    Flag,
    /// Texts.
    List,
}

/// A value of one of the kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A whole number, not negative.
    Number(u64),
    /// True or false.
    Flag(bool),
    /// Texts.
    List(Vec<String>),
}

impl Kind {
    /// What is allowed, where nothing more is known about the setting.
    pub fn allowed(self) -> &'static str {
        match self {
            Kind::Text => "a text in quotes",
            Kind::Number => "a whole number, not negative",
            Kind::Flag => "true or false",
            Kind::List => "a list of texts",
        }
    }

    /// Reads what stands in the environment or on the command line, where everything is text. `None`: not of this kind.
    pub fn read(self, text: &str) -> Option<Value> {
        let trimmed = text.trim();
        match self {
            Kind::Text => Some(Value::Text(trimmed.to_owned())),
            Kind::Number => trimmed.replace('_', "").parse().ok().map(Value::Number),
            Kind::Flag => match trimmed.to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Some(Value::Flag(true)),
                "false" | "0" | "no" | "off" => Some(Value::Flag(false)),
                _ => None,
            },
            Kind::List => {
                let parts = trimmed.split(',').map(str::trim).filter(|part| !part.is_empty());
                Some(Value::List(parts.map(str::to_owned).collect()))
            }
        }
    }

    /// Reads what stands in a file. `None`: not of this kind.
    pub fn read_toml(self, value: &Toml) -> Option<Value> {
        match (self, Value::from_toml(value)?) {
            // One element may stand without its brackets.
            (Kind::List, Value::Text(_)) => self.read(value.as_str()?),
            (kind, value) => (value.kind() == kind).then_some(value),
        }
    }
}

impl Value {
    /// A value from TOML; `None` for what no setting can be (a time, a table, a negative number).
    pub fn from_toml(value: &Toml) -> Option<Self> {
        match value {
            Toml::String(text) => Some(Value::Text(text.value().clone())),
            Toml::Integer(number) => u64::try_from(*number.value()).ok().map(Value::Number),
            Toml::Boolean(flag) => Some(Value::Flag(*flag.value())),
            Toml::Array(array) => array.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>().map(Value::List),
            Toml::Float(_) | Toml::Datetime(_) | Toml::InlineTable(_) => None,
        }
    }

    /// Which kind it is.
    pub fn kind(&self) -> Kind {
        match self {
            Value::Text(_) => Kind::Text,
            Value::Number(_) => Kind::Number,
            Value::Flag(_) => Kind::Flag,
            Value::List(_) => Kind::List,
        }
    }
}

impl fmt::Display for Value {
    /// As it would stand in `guild.toml`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => write!(f, "{}", Toml::from(text.as_str())),
            Value::Number(number) => write!(f, "{number}"),
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::List(texts) => write!(f, "{}", Toml::from_iter(texts.iter().map(String::as_str))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_by_kind() {
        assert_eq!(Kind::Text.read(" a b "), Some(Value::Text("a b".into())));
        assert_eq!(Kind::Number.read("131_072"), Some(Value::Number(131_072)));
        assert_eq!(Kind::Flag.read("Yes"), Some(Value::Flag(true)));
        assert_eq!(Kind::List.read(" a, b,,"), Some(Value::List(vec!["a".into(), "b".into()])));
        assert_eq!(Kind::List.read(""), Some(Value::List(vec![])));
        for (kind, wrong) in [(Kind::Number, "-1"), (Kind::Number, "ten"), (Kind::Number, "1.5"), (Kind::Number, ""), (Kind::Flag, "ja")] {
            assert_eq!(kind.read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_value_is_shown_as_toml() {
        assert_eq!(Value::Text("a \"b\"".into()).to_string(), "'a \"b\"'");
        assert_eq!(Value::List(vec!["a".into(), "b".into()]).to_string(), r#"["a", "b"]"#);
    }
}
