//! Ids. Users, rooms, messages and gateways are UUIDv7 (RFC 9562), so they sort by the time of their making; on the wire they are
//! the usual 36 characters, in a database 16 bytes. RFC 9562 (section 4) writes them in lower case and reads them in either, and so does
//! this: some platforms (Swift) write them in upper case.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = String, format = "uuid", example = "01890a5d-ac96-774b-bcce-b302099a8057")]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id that sorts after those made before it on this machine.
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The 16 bytes that a database keeps.
            pub fn bytes(self) -> [u8; 16] {
                self.0.into_bytes()
            }

            /// Back from [`Self::bytes`].
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// Reads the 36-character form, in either case; `None` for the other forms that Uuid's own parser takes (braces, `urn:uuid:`,
            /// without hyphens), which nobody writes into a path.
            pub fn parse(text: &str) -> Option<Self> {
                let id = Uuid::try_parse(text).ok()?;
                id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).eq_ignore_ascii_case(text).then_some(Self(id))
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A user, for ever; the username is for people.
    UserId
);
id!(
    /// A room.
    RoomId
);
id!(
    /// A message.
    MessageId
);
id!(
    /// One change of a value in a user's own state. Whoever has the stamp has the value as it was then.
    Stamp
);
id!(
    /// One running gateway (a process that holds live connections); new at each start.
    GatewayId
);

/// Names a token without being one: the first 16 bytes of its SHA-256. Safe to log, useless for calling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenId(pub Uuid);

impl TokenId {
    /// The 16 bytes that a database keeps.
    pub fn bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }

    /// Back from [`Self::bytes`].
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_in_either_case_and_written_in_lower() {
        let id = RoomId::parse("0199F3C1-02d5-7B60-8f6e-3C9A7e5d1f2A").unwrap();
        assert_eq!(id.to_string(), "0199f3c1-02d5-7b60-8f6e-3c9a7e5d1f2a");
        assert_eq!(RoomId::parse(&id.to_string().to_uppercase()), Some(id));
        assert_eq!(serde_json::to_value(id).unwrap(), "0199f3c1-02d5-7b60-8f6e-3c9a7e5d1f2a");
    }

    #[test]
    fn an_id_has_no_other_spelling() {
        let id = RoomId::new();
        for wrong in [
            "",
            "7",
            &id.0.simple().to_string(),
            &format!("{{{id}}}"),
            &format!("urn:uuid:{id}"),
            "zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz",
            &format!("{id} "),
        ] {
            assert_eq!(RoomId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn bytes_are_the_same_id() {
        let id = UserId::new();
        assert_eq!(UserId::from_bytes(id.bytes()), id);
    }
}
