//! Who a request claims to come from. A client need not say it, but the first clients of this service did, in `sender` or `username`. A name
//! that is not the caller's own is refused by [`UserCaller::check_claim`](crate::UserCaller::check_claim), the one place that checks it.

/// The names that a request claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claimed<'a> {
    /// Its `sender`.
    pub sender: Option<&'a str>,
    /// Its `username`.
    pub username: Option<&'a str>,
}

/// A request that may claim a name.
pub trait Claims {
    /// The names that it claims.
    fn claimed(&self) -> Claimed<'_>;
}

/// Defines a request with the fields `sender` and `username`, and implements [`Claims`](crate::Claims) for it. The fields are not a struct with
/// `#[serde(flatten)]`, because that would be an `allOf` in the documents. The struct derives serde's `Serialize` or `Deserialize`, and its last
/// field ends with a comma.
#[macro_export]
macro_rules! claiming {
    ($(#[$($about:tt)*])* $vis:vis struct $name:ident { $($fields:tt)* }) => {
        $(#[$($about)*])*
        $vis struct $name {
            $($fields)*
            /// Not needed; if it is there, it has to be your own username.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            $vis sender: Option<String>,
            /// Not needed; if it is there, it has to be your own username.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            $vis username: Option<String>,
        }

        impl $crate::Claims for $name {
            fn claimed(&self) -> $crate::Claimed<'_> {
                $crate::Claimed { sender: self.sender.as_deref(), username: self.username.as_deref() }
            }
        }
    };
}
