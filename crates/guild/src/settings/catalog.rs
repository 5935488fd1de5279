//! Every setting that there is, read from `guild.default.toml`: its name, its default, and the comment above it as its description. The
//! flags, the environment variables and the help come from here, so none of them can drift from the file.

use std::sync::LazyLock;

use toml_edit::{DocumentMut, Item, Table};

use super::value::{Kind, Value};

/// The file at the repository's root, as it was when the program was built.
pub const DEFAULTS: &str = include_str!("../../../../guild.default.toml");

/// One setting.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its path: `limits.frame_bytes`.
    pub key: String,
    /// What the file says about it, on one line.
    pub help: String,
    /// What kind of value it takes.
    pub kind: Kind,
    /// Its value when nobody says anything.
    pub default: Value,
}

impl Setting {
    /// The environment variable: `GUILD_LIMITS_FRAME_BYTES`.
    pub fn variable(&self) -> String {
        format!("GUILD_{}", self.key.replace('.', "_").to_ascii_uppercase())
    }

    /// The flag, without its dashes: `limits-frame-bytes`.
    pub fn flag(&self) -> String {
        self.key.replace(['.', '_'], "-")
    }

    /// The first sentence of the description.
    pub fn summary(&self) -> &str {
        let end = self.help.find(". ").or_else(|| self.help.find(": ")).unwrap_or(self.help.len());
        self.help.get(..end).unwrap_or(&self.help).trim_end_matches('.')
    }
}

/// Every setting, in the file's order.
pub fn catalog() -> &'static [Setting] {
    // The file is part of the program; a test reads it, so a mistake in it cannot be released.
    static CATALOG: LazyLock<Vec<Setting>> = LazyLock::new(|| parse(DEFAULTS).unwrap_or_default());
    &CATALOG
}

/// The setting of this name.
pub fn find(key: &str) -> Option<&'static Setting> {
    catalog().iter().find(|setting| setting.key == key)
}

fn parse(text: &str) -> Result<Vec<Setting>, String> {
    let document: DocumentMut = text.parse().map_err(|error| format!("{error}"))?;
    let mut settings = Vec::new();
    collect(document.as_table(), "", &mut settings)?;
    Ok(settings)
}

fn collect(table: &Table, path: &str, settings: &mut Vec<Setting>) -> Result<(), String> {
    for (name, item) in table {
        let key = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match item {
            Item::Table(inner) => collect(inner, &key, settings)?,
            Item::Value(written) => {
                let default = Value::from_toml(written).ok_or_else(|| format!("{key} is of no kind that a setting can be"))?;
                let above = table.key(name).and_then(|key| key.leaf_decor().prefix()).and_then(|prefix| prefix.as_str());
                let help = described(above.unwrap_or_default());
                settings.push(Setting { key, help, kind: default.kind(), default });
            }
            Item::None | Item::ArrayOfTables(_) => return Err(format!("{key} is of no kind that a setting can be")),
        }
    }
    Ok(())
}

/// The comment that stands directly above a key: the last block of lines, for the file's own introduction stands above the first.
fn described(above: &str) -> String {
    let block = above.trim_end().rsplit("\n\n").next().unwrap_or_default();
    block.lines().map(|line| line.trim_start_matches('#').trim()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_describes_every_setting() {
        let settings = parse(DEFAULTS).unwrap();
        for name in ["listen", "run", "database.url", "auth.jwt.jwks", "limits.frame_bytes", "limits.presence_seconds", "bus.encode"] {
            assert!(settings.iter().any(|setting| setting.key == name), "{name}");
        }
        for Setting { key, help, .. } in &settings {
            assert!(help.len() > 30 && help.ends_with('.'), "{key} needs a description above it: {help:?}");
        }
        let listen = find("listen").unwrap();
        assert!(listen.help.starts_with("The address and port to listen on."), "{}", listen.help);
        assert_eq!(listen.summary(), "The address and port to listen on");
    }

    #[test]
    fn names_are_derived() {
        let setting = find("auth.jwt.public_key").unwrap();
        assert_eq!(setting.variable(), "GUILD_AUTH_JWT_PUBLIC_KEY");
        assert_eq!(setting.flag(), "auth-jwt-public-key");
    }

    #[test]
    fn every_limit_is_the_contracts() {
        let expected = [
            ("frame_bytes", 131_072),
            ("message_chars", 8_000),
            ("room_usernames", 100),
            ("room_members", 100_000),
            ("sends_per_second", 20),
            ("sends_burst", 60),
            ("rooms_per_minute", 30),
            ("changes_per_second", 20),
            ("changes_burst", 60),
            ("reads_per_second", 100),
            ("reads_burst", 300),
            ("unauthenticated_per_minute", 60),
            ("logins_per_minute", 10),
            ("sockets_per_address", 200),
            ("unauthenticated_seconds", 30),
            ("presence_seconds", 10),
            ("drain_seconds", 0),
        ];
        for (name, number) in expected {
            assert_eq!(find(&format!("limits.{name}")).unwrap().default, Value::Number(number), "{name}");
        }
    }
}
