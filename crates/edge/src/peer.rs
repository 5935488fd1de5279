//! Who is at the other end of the line: the address that limits count by.

use axum::extract::{ConnectInfo, FromRequestParts};
use http::{HeaderMap, request::Parts};
use serde::Deserialize;
use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The client's address: the connection's, or what a trusted proxy says in X-Forwarded-For. [`crate::outer()`] finds it out; as an
/// extractor it cannot fail (where `outer` is missing, or the connection's address is unknown, it is `0.0.0.0`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer(pub IpAddr);

impl Peer {
    /// The address of this request, for those who have only its parts.
    pub fn of(parts: &Parts) -> Self {
        parts.extensions.get().copied().unwrap_or(Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
    }

    /// What limits by address count under: the address, and of an IPv6 one the /64, because a single customer gets at least that many.
    pub fn key(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        }
    }

    pub(crate) fn find(parts: &Parts, trusted: &TrustedProxies) -> Self {
        let direct = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
        direct.map_or_else(|| Self::of(parts), |direct| Self(trusted.client(direct, &parts.headers)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

/// A range of addresses: `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether `address` is one of the range. An IPv4-mapped IPv6 address counts as the IPv4 one.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(a)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                first.to_bits() & mask == a.to_bits() & mask
            }
            (IpAddr::V6(first), IpAddr::V6(a)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                first.to_bits() & mask == a.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is neither an IP address nor a range like 10.0.0.0/8 or fd00::/8");
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text.trim(), None),
        };
        let first: IpAddr = address.parse().map_err(|_| wrong())?;
        let most: u8 = if first.is_ipv4() { 32 } else { 128 };
        let bits: u8 = match bits {
            None => most,
            Some(bits) => bits
                .parse()
                .ok()
                .filter(|bits| *bits <= most)
                .ok_or_else(|| format!("{text:?}: the number behind the slash is 0-{most} for an address of this kind"))?,
        };
        match first.to_canonical() {
            // ::ffff:10.0.0.0/104 is 10.0.0.0/8; addresses are compared in their IPv4 form.
            IpAddr::V4(v4) if first.is_ipv6() => Ok(Self { first: v4.into(), bits: bits.checked_sub(96).ok_or_else(wrong)? }),
            _ => Ok(Self { first, bits }),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

/// The proxies whose X-Forwarded-For is believed: the setting `trusted_proxies`. None by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct TrustedProxies(Vec<Network>);

impl TryFrom<Vec<String>> for TrustedProxies {
    type Error = String;
    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        texts.iter().map(|text| text.parse()).collect::<Result<_, _>>().map(Self)
    }
}

impl TrustedProxies {
    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Walks X-Forwarded-For from its end, where our own proxy wrote, to the first address that is not a trusted proxy; what lies
    /// before that one is only claimed. An entry that is no address ends the walk at the last one believed.
    fn client(&self, direct: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(direct) {
            return direct;
        }
        let values: Vec<&str> = headers.get_all("x-forwarded-for").iter().map(|value| value.to_str().unwrap_or("?")).collect();
        let mut believed = direct;
        for entry in values.iter().flat_map(|value| value.split(',')).rev() {
            let Some(address) = forwarded(entry.trim()) else { return believed };
            believed = address;
            if !self.trusts(address) {
                break;
            }
        }
        believed
    }
}

/// One entry: an address, by some proxies with a port.
fn forwarded(entry: &str) -> Option<IpAddr> {
    let address = entry.parse::<IpAddr>().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|a| a.ip()));
    address.or_else(|| entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok()).map(|a| a.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], direct: &str, forwarded: &[&str]) -> String {
        let trusted = TrustedProxies::try_from(trusted.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>()).unwrap();
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        trusted.client(direct.parse::<IpAddr>().unwrap().to_canonical(), &headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(client(&[], "10.0.0.1", &["1.2.3.4"]), "10.0.0.1");
        assert_eq!(client(&["10.0.0.2"], "10.0.0.1", &["1.2.3.4"]), "10.0.0.1");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client(&["10.0.0.0/8"], "::ffff:10.0.0.1", &["::ffff:1.2.3.4"]), "1.2.3.4");
        assert_eq!(client(&["fd00::/8"], "fd00::1", &["2001:db8::7"]), "2001:db8::7");
    }

    #[test]
    fn what_a_client_claims_itself_is_skipped() {
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.0.0.9"]), "1.2.3.4");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &["6.6.6.6", "1.2.3.4:999", "10.0.0.9"]), "1.2.3.4");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &["1.2.3.4, unknown"]), "10.0.0.1");
        assert_eq!(client(&["0.0.0.0/0"], "10.0.0.1", &["1.2.3.4, 5.6.7.8"]), "1.2.3.4");
    }

    #[test]
    fn a_wrong_range_is_explained() {
        for wrong in ["", "nginx", "10.0.0.0/33", "10.0.0.0/", "::/129", "10.0.0.0/-1", "::ffff:10.0.0.0/8"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
        assert_eq!("::ffff:10.0.0.0/104".parse::<Network>().unwrap().to_string(), "10.0.0.0/8");
    }

    #[test]
    fn limits_count_an_ipv6_customer_once() {
        assert_eq!(Peer("2001:db8::7".parse().unwrap()).key(), "2001:db8::".parse::<IpAddr>().unwrap());
        assert_eq!(Peer("1.2.3.4".parse().unwrap()).key(), "1.2.3.4".parse::<IpAddr>().unwrap());
    }
}
