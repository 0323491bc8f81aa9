//! Places for a number of clients, of which no single address gets more than its share.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places. Clones share them.
#[derive(Clone)]
pub(super) struct Places {
    all: usize,
    share: usize,
    taken: Arc<Mutex<Taken>>,
}

/// How many are taken, together and by each peer that has any.
#[derive(Default)]
struct Taken {
    all: usize,
    by_peer: HashMap<IpAddr, usize>,
}

/// A place, until it is dropped.
pub(super) struct Place {
    peer: IpAddr,
    taken: Arc<Mutex<Taken>>,
}

impl Places {
    /// `all` places, at most `share` of them for one peer.
    pub(super) fn new(all: usize, share: usize) -> Self {
        Self { all, share, taken: Arc::default() }
    }

    /// A place for a client at `address`, if there is one for it.
    pub(super) fn take(&self, address: IpAddr) -> Option<Place> {
        let peer = peer(address);
        let mut taken = lock(&self.taken);
        let own = taken.by_peer.get(&peer).copied().unwrap_or(0);
        if taken.all >= self.all || own >= self.share {
            return None;
        }
        taken.all += 1;
        taken.by_peer.insert(peer, own + 1);
        Some(Place { peer, taken: self.taken.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.all -= 1;
        match taken.by_peer.get_mut(&self.peer) {
            Some(own) if *own > 1 => *own -= 1,
            _ => _ = taken.by_peer.remove(&self.peer),
        }
    }
}

/// Whose an address is: an IPv6 network of 64 bits is given to one client, who has all its addresses.
fn peer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    // Counted in one go, so a panic elsewhere leaves nothing half-done.
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Place, Places};

    #[test]
    fn nobody_gets_more_than_the_share_and_all_not_more_than_there_are() {
        let places = Places::new(5, 2);
        let mut held: Vec<Option<Place>> = Vec::new();
        for (address, fits) in [
            ("192.0.2.1", true),
            ("192.0.2.1", true),
            ("192.0.2.1", false),
            ("::ffff:192.0.2.1", false),
            ("192.0.2.2", true),
            ("2001:db8::1", true),
            ("2001:db8::ffff:2", true),
            ("2001:db8:0:1::1", false),
            ("192.0.2.3", false),
        ] {
            let place = places.take(address.parse().unwrap());
            assert_eq!(place.is_some(), fits, "{address} after {}", held.len());
            held.push(place);
        }
        held.remove(0);
        assert!(places.take("192.0.2.1".parse().unwrap()).is_some(), "a place is free, and its own");
        held.clear();
        assert!(places.taken.lock().unwrap().by_peer.is_empty(), "peers that have gone are remembered");
        assert_eq!(places.taken.lock().unwrap().all, 0);
    }
}
