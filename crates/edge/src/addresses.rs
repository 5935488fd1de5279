//! How many sockets each address has here, of one kind.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts sockets by address.
pub struct Addresses {
    /// 0 is no limit.
    most: usize,
    sockets: Mutex<HashMap<IpAddr, usize>>,
}

/// One socket's place under its address's limit, given back when it is dropped.
pub struct Place {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

impl Addresses {
    /// Up to so many sockets for each address; 0 is no limit.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, sockets: Mutex::default() })
    }

    /// A place for one more socket of this address, if there is one.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        let count = sockets.entry(address).or_default();
        // An entry is never 0 but here, where it goes up: a limit is at least 1.
        if self.most != 0 && *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place { addresses: Arc::clone(self), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut sockets = self.addresses.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = sockets.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                sockets.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back() {
        let addresses = Addresses::new(2);
        let (here, there): (IpAddr, IpAddr) = ("1.2.3.4".parse().unwrap(), "1.2.3.5".parse().unwrap());
        let places: Vec<_> = (0..3).map(|_| addresses.take(here)).collect();
        assert_eq!(places.iter().flatten().count(), 2);
        assert!(addresses.take(there).is_some());
        drop(places);
        assert!(addresses.take(here).is_some());
        assert!(addresses.sockets.lock().unwrap().is_empty());
        let unlimited = Addresses::new(0);
        assert!((0..1_000).map(|_| unlimited.take(here)).collect::<Vec<_>>().iter().all(Option::is_some));
    }
}
