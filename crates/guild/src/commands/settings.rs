//! `guild settings`: what is in force, as `guild.toml` would have it, and where each value comes from.

use crate::settings::{Layered, catalog, shown};

/// The settings as TOML with their origins, secrets masked.
pub fn settings(layered: &Layered) -> String {
    let lines: Vec<(String, String)> = catalog()
        .iter()
        .filter_map(|setting| layered.get(setting.key.as_str()).map(|given| (setting, given)))
        .map(|(setting, given)| (format!("{} = {}", setting.key, shown(&setting.key, &given.value)), given.origin.to_string()))
        .collect();
    // Long values are not worth moving all the others.
    let width = lines.iter().map(|(line, _)| line.chars().count()).filter(|width| *width <= 60).max().unwrap_or_default();
    lines.iter().map(|(line, origin)| format!("{line:<width$}  # {origin}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Sources, layer};

    #[test]
    fn the_settings_are_printed_as_toml_with_their_origins() {
        let sources = Sources {
            config: Some("/dev/null".into()),
            environment: vec![("GUILD_AUTH_JWT_SECRET".into(), "hush".into())],
            flags: vec![("listen".into(), "[::1]:1".into())],
        };
        let text = settings(&layer(&sources).unwrap());
        assert!(text.contains("listen = \"[::1]:1\"") && text.contains("# flag --listen"), "{text}");
        assert!(text.contains("# environment GUILD_AUTH_JWT_SECRET") && !text.contains("hush"), "{text}");
        let read: toml_edit::DocumentMut = text.parse().unwrap();
        assert_eq!(read["limits"]["frame_bytes"].as_integer(), Some(131_072));
        assert_eq!(text.lines().count(), catalog().len());
    }
}
