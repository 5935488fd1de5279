//! How NATS is reached.

use std::path::PathBuf;

use bus::{NatsSettings, Servers};

use super::reader::Reader;

/// The settings under `[nats]`; `None` inside where there is no address.
pub fn read(reader: &mut Reader<'_>, name: String) -> Option<Option<NatsSettings>> {
    let url = reader.text("nats.url")?;
    let servers = reader.parsed("nats.url", str::parse::<Servers>);
    let credentials = file(reader, "nats.credentials");
    let user = reader.optional("nats.user");
    let password = reader.optional("nats.password");
    let token = reader.optional("nats.token");
    let tls_ca = file(reader, "nats.tls_ca");
    let tls_cert = file(reader, "nats.tls_cert");
    let tls_key = file(reader, "nats.tls_key");
    let settings = NatsSettings {
        servers: servers?,
        name,
        credentials: credentials?,
        user: user?,
        password: password?,
        token: token?,
        tls_ca: tls_ca?,
        tls_cert: tls_cert?,
        tls_key: tls_key?,
    };
    if url.trim().is_empty() {
        // What else is set is not looked at, as with the keys of a mode that is not in use.
        return Some(None);
    }
    let ways = [settings.credentials.is_some(), settings.user.is_some(), settings.token.is_some()];
    if ways.iter().filter(|given| **given).count() > 1 {
        return reader.refuse("nats.url", "only one of nats.credentials, nats.user and nats.token may say who this is");
    }
    if settings.password.is_some() && settings.user.is_none() {
        return reader.refuse("nats.password", "it belongs to a user: set nats.user too");
    }
    // Whatever is wrong with the files is told with all other problems, before anything starts. It begins with the setting's name.
    match settings.check() {
        Ok(()) => Some(Some(settings)),
        Err(error) => {
            let (key, why) = error.0.split_once(": ").unwrap_or(("nats.url", &error.0));
            reader.refuse(key, why)
        }
    }
}

fn file(reader: &mut Reader<'_>, key: &str) -> Option<Option<PathBuf>> {
    reader.optional(key).map(|path| path.map(PathBuf::from))
}
