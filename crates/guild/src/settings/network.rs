//! Where the server listens, and whom it believes.

use std::net::SocketAddr;

use edge::{AllowedOrigins, TrustedProxies};

use super::reader::Reader;

/// The network's side of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The address to listen on; port 0 is any free one.
    pub listen: SocketAddr,
    /// Origins of pages that may call, besides the server's own.
    pub allowed_origins: AllowedOrigins,
    /// Proxies whose X-Forwarded-For is believed.
    pub trusted_proxies: TrustedProxies,
}

impl Network {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let listen = reader.parsed("listen", |text| {
            text.parse().map_err(|_| "allowed is an IP address and a port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080".to_owned())
        });
        let allowed_origins = reader.list("allowed_origins", AllowedOrigins::try_from);
        let trusted_proxies = reader.list("trusted_proxies", TrustedProxies::try_from);
        Some(Self { listen: listen?, allowed_origins: allowed_origins?, trusted_proxies: trusted_proxies? })
    }
}
