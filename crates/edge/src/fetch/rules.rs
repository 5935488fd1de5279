//! Which addresses may be called.

use super::public;
use crate::Network;
use std::net::IpAddr;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchRules {
    /// Networks that may be called although they are not public.
    pub allow: Vec<Network>,
    /// Whether `http:` is taken too.
    pub insecure: bool,
}

impl FetchRules {
    /// Whether this address may be called.
    pub fn permits(&self, address: IpAddr) -> bool {
        public::is_public(address) || self.allow.iter().any(|network| network.contains(address))
    }
}
