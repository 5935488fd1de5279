//! What each service is handed of the settings. 0 means no limit here; where a service has no such word, it gets a number or a time
//! that nobody reaches.

use std::time::Duration;

use edge::{AdmissionSettings, OuterSettings};

use super::Settings;

/// Three years: longer than any process lives, and no clock overflows.
const NEVER: Duration = Duration::from_secs(100_000_000);

/// 4 GiB: more than any frame has, and no sum of two such numbers overflows.
const ANY_SIZE: usize = u32::MAX as usize;

impl Settings {
    /// For the buckets that all edges share.
    pub fn admission(&self) -> AdmissionSettings {
        let limits = &self.limits;
        AdmissionSettings {
            changes_per_second: limits.changes_per_second,
            changes_burst: limits.changes_burst,
            reads_per_second: limits.reads_per_second,
            reads_burst: limits.reads_burst,
            logins_per_minute: limits.logins_per_minute,
            unauthenticated_per_minute: limits.unauthenticated_per_minute,
        }
    }

    /// For the users service.
    pub fn users(&self) -> users::Settings {
        users::Settings {
            mode: self.auth.mode,
            registration: self.auth.registration,
            token_days: self.auth.token_days,
            jwt: self.auth.jwt.clone(),
            hashing: users::HashingSettings::default(),
        }
    }

    /// For the messages service.
    pub fn messages(&self) -> messages::Settings {
        let limits = &self.limits;
        messages::Settings {
            message_chars: limits.message_chars,
            room_usernames: limits.room_usernames,
            room_members: i64::try_from(limits.room_members).unwrap_or(i64::MAX),
            sends_per_second: limits.sends_per_second,
            sends_burst: limits.sends_burst,
            rooms_per_minute: limits.rooms_per_minute,
        }
    }

    /// For the live connections.
    pub fn chat(&self) -> chat::Settings {
        let limits = &self.limits;
        let within = limits.unauthenticated;
        chat::Settings {
            max_payload: if limits.frame_bytes == 0 { ANY_SIZE } else { limits.frame_bytes },
            authenticate_within: if within.is_zero() { NEVER } else { within },
            presence_linger: limits.presence,
            goodbyes: limits.drain,
            sockets_per_address: usize::try_from(limits.sockets_per_address).unwrap_or(usize::MAX),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..chat::Settings::default()
        }
    }

    /// For GraphQL.
    pub fn graphql(&self) -> graphql::Settings {
        graphql::Settings {
            limits: graphql::Limits::default(),
            frame_bytes: self.limits.frame_bytes,
            sockets_per_address: usize::try_from(self.limits.sockets_per_address).unwrap_or(usize::MAX),
        }
    }

    /// For the layer around all HTTP.
    pub fn outer(&self) -> OuterSettings {
        OuterSettings {
            frame_bytes: self.limits.frame_bytes,
            allowed_origins: self.network.allowed_origins.clone(),
            trusted_proxies: self.network.trusted_proxies.clone(),
        }
    }
}
