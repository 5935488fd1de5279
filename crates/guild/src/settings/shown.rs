//! How a setting's value may be shown to people: secrets are not, and an address loses its password.

use super::value::Value;

/// The value as it may stand in an error, in the log and in `guild settings`.
pub fn shown(key: &str, value: &Value) -> String {
    match (key, value) {
        ("auth.jwt.secret" | "nats.password" | "nats.token", Value::Text(text)) if !text.is_empty() => "\"***\"".to_owned(),
        ("nats.url", Value::Text(text)) => {
            Value::Text(text.split(',').map(|server| without_password(server.trim())).collect::<Vec<_>>().join(",")).to_string()
        }
        (_, Value::Text(text)) => Value::Text(without_password(text)).to_string(),
        (_, other) => other.to_string(),
    }
}

/// An address without its user and password (NATS's token stands where the user does) and without options that hold one.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| *scheme != "sqlite") else { return text.to_owned() };
    let rest = rest.rsplit_once('@').map_or_else(|| rest.to_owned(), |(_, place)| format!("***@{place}"));
    match rest.split_once('?') {
        Some((place, options)) if options.to_ascii_lowercase().contains("password") => format!("{scheme}://{place}?***"),
        _ => format!("{scheme}://{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(shown("auth.jwt.secret", &Value::Text("hush".into())), "\"***\"");
        assert_eq!(shown("auth.jwt.secret", &Value::Text(String::new())), "\"\"");
        for url in ["postgres://me:hush@db/chat", "postgres://me:hu@hush@db/chat", "nats://hush@here", "postgres://db/chat?password=hush"] {
            let text = shown("database.url", &Value::Text(url.into()));
            assert!(!text.contains("hush"), "{text}");
        }
        let several = shown("nats.url", &Value::Text("nats://me:hush@one:4222, nats://hush@two".into()));
        assert_eq!(several, "\"nats://***@one:4222,nats://***@two\"");
        assert_eq!(shown("nats.token", &Value::Text("hush".into())), "\"***\"");
        assert_eq!(shown("database.url", &Value::Text("sqlite:///a/b@c.db".into())), "\"sqlite:///a/b@c.db\"");
    }
}
