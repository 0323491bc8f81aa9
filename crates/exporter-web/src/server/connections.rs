//! Limits the number of connections, in total and per client.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The limits and the open connections. Clones share them.
#[derive(Clone)]
pub(super) struct ConnectionLimits {
    total: usize,
    per_client: usize,
    open: Arc<Mutex<Open>>,
}

/// The number of open connections.
#[derive(Default)]
struct Open {
    total: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// Counts as one open connection until it is dropped.
pub(super) struct ConnectionPermit {
    client: Option<IpAddr>,
    open: Arc<Mutex<Open>>,
}

impl ConnectionLimits {
    /// At most `total` connections, at most `per_client` of them from one client.
    pub(super) fn new(total: usize, per_client: usize) -> Self {
        Self { total, per_client, open: Arc::default() }
    }

    /// A permit for a client at `address`, unless a limit is reached. A client without an address, on a
    /// Unix socket, has no limit of its own.
    pub(super) fn acquire(&self, address: Option<IpAddr>) -> Option<ConnectionPermit> {
        let client = address.map(client);
        let mut open = lock(&self.open);
        let own = client.and_then(|client| open.by_client.get(&client).copied()).unwrap_or(0);
        if open.total >= self.total || own >= self.per_client {
            return None;
        }
        open.total += 1;
        if let Some(client) = client {
            open.by_client.insert(client, own + 1);
        }
        Some(ConnectionPermit { client, open: self.open.clone() })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        open.total -= 1;
        let Some(client) = self.client else { return };
        match open.by_client.get_mut(&client) {
            Some(own) if *own > 1 => *own -= 1,
            _ => _ = open.by_client.remove(&client),
        }
    }
}

/// The client that an address belongs to: an IPv6 network of 64 bits is assigned to one client.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    // No code that can panic runs while it is locked, so the counts are consistent.
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{ConnectionLimits, ConnectionPermit};

    #[test]
    fn no_client_exceeds_its_limit_and_all_together_not_the_total() {
        let limits = ConnectionLimits::new(5, 2);
        let mut held: Vec<Option<ConnectionPermit>> = Vec::new();
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
            let permit = limits.acquire(Some(address.parse().unwrap()));
            assert_eq!(permit.is_some(), fits, "{address} after {}", held.len());
            held.push(permit);
        }
        held.remove(0);
        assert!(limits.acquire(Some("192.0.2.1".parse().unwrap())).is_some(), "its own slot is free again");
        held.clear();
        assert!(limits.open.lock().unwrap().by_client.is_empty(), "clients that have gone are remembered");
        assert_eq!(limits.open.lock().unwrap().total, 0);
    }

    #[test]
    fn clients_without_an_address_have_the_total_only() {
        let limits = ConnectionLimits::new(3, 1);
        let held: Vec<_> = (0..4).map(|_| limits.acquire(None)).collect();
        assert_eq!(held.iter().flatten().count(), 3);
        drop(held);
        assert_eq!(limits.open.lock().unwrap().total, 0);
    }
}
