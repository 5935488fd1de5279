//! How many sockets of one kind each address has here.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts sockets by address.
pub struct SocketSlots {
    /// 0 is no limit.
    most: usize,
    sockets: Mutex<HashMap<IpAddr, usize>>,
}

/// One socket that counts under its address's limit until this is dropped.
pub struct SocketSlot {
    slots: Arc<SocketSlots>,
    address: IpAddr,
}

impl SocketSlots {
    /// Up to so many sockets for each address; 0 is no limit.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, sockets: Mutex::default() })
    }

    /// A slot for one more socket of this address, if there is one.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Option<SocketSlot> {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        let count = sockets.entry(address).or_default();
        // An entry is 0 only when it has just been made, and then it goes up: a limit is at least 1.
        if self.most != 0 && *count >= self.most {
            return None;
        }
        *count += 1;
        Some(SocketSlot { slots: Arc::clone(self), address })
    }
}

impl Drop for SocketSlot {
    fn drop(&mut self) {
        let mut sockets = self.slots.sockets.lock().unwrap_or_else(PoisonError::into_inner);
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
    fn a_slot_is_given_back() {
        let slots = SocketSlots::new(2);
        let (here, there): (IpAddr, IpAddr) = ("1.2.3.4".parse().unwrap(), "1.2.3.5".parse().unwrap());
        let taken: Vec<_> = (0..3).map(|_| slots.take(here)).collect();
        assert_eq!(taken.iter().flatten().count(), 2);
        assert!(slots.take(there).is_some());
        drop(taken);
        assert!(slots.take(here).is_some());
        assert!(slots.sockets.lock().unwrap().is_empty());
        let unlimited = SocketSlots::new(0);
        assert!((0..1_000).map(|_| unlimited.take(here)).collect::<Vec<_>>().iter().all(Option::is_some));
    }
}
