//! How many connections each client has.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts connections by address. One who has an IPv6 address has its whole /64 network, so that counts as one.
#[derive(Debug)]
pub(crate) struct Clients {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// A client's place; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    clients: Arc<Clients>,
    client: IpAddr,
}

impl Clients {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            open: Mutex::default(),
        })
    }

    /// A place for one more connection; `None` where `address` has as many as it may.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let client = network(address);
        let mut open = self.open();
        let count = open.entry(client).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place {
            clients: Arc::clone(self),
            client,
        })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.clients.open();
        match open.get_mut(&self.client) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(open.remove(&self.client)),
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_client_has_so_many_places_and_gets_them_back() {
        let clients = Clients::new(2);
        let first = clients.enter(ip("192.0.2.7")).unwrap();
        let second = clients.enter(ip("::ffff:192.0.2.7")).unwrap();
        assert!(clients.enter(ip("192.0.2.7")).is_none());
        assert!(clients.enter(ip("192.0.2.8")).is_some());
        drop(first);
        let third = clients.enter(ip("192.0.2.7")).unwrap();
        assert!(clients.enter(ip("192.0.2.7")).is_none());
        drop((second, third));
        assert!(clients.open().is_empty());
    }

    #[test]
    fn addresses_of_one_network_are_one_client() {
        let clients = Clients::new(1);
        let _first = clients.enter(ip("2001:db8:0:1::1")).unwrap();
        assert!(clients.enter(ip("2001:db8:0:1:ffff::2")).is_none());
        assert!(clients.enter(ip("2001:db8:0:2::1")).is_some());
    }
}
