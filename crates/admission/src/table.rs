//! Who is connected, ordered so that the next one to give way is found at once.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::Notify;

/// Where a connection comes from, in bits of IPv6 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// An IPv4 address, or a /64 network: whoever has one address of it has them all.
    client: u128,
    /// Around it, what one person may well have at their disposal: a /24 network of IPv4, or a /48.
    network: u128,
}

impl Origin {
    pub(crate) fn from_address(address: IpAddr) -> Self {
        // An IPv4 address written as IPv6 is the same client.
        let (bits, client, network) = match address.to_canonical() {
            IpAddr::V4(address) => (address.to_ipv6_mapped(), 128, 120),
            IpAddr::V6(address) => (address, 64, 48),
        };
        let network_of = |length: u32| bits.to_bits() & (u128::MAX << (128 - length));
        Self {
            client: network_of(client),
            network: network_of(network),
        }
    }

    /// A client of its own, under an address that no packet comes from (100::/64, RFC 6666).
    fn unknown(number: u64) -> Self {
        // RFC 6666's discard prefix: no real client shares a network with it.
        let bits = (0x0100 << 112) | u128::from(number);
        Self {
            client: bits,
            network: bits,
        }
    }
}

/// A connection that is open and was not displaced.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) origin: Origin,
    pub(crate) steps: u32,
    pub(crate) settled: bool,
    displaced: Arc<Notify>,
}

/// The open connections, by number and by origin. Numbers grow, so that the lowest is the oldest.
#[derive(Debug, Default)]
pub(crate) struct Table {
    next: u64,
    open: HashMap<u64, Connection>,
    networks: HashMap<u128, Network>,
    unsettled: usize,
}

#[derive(Debug, Default)]
struct Network {
    unsettled: usize,
    clients: HashMap<u128, Client>,
}

// Counts are kept and not computed: a crowd must not make each newcomer expensive.
#[derive(Debug, Default)]
struct Client {
    connections: usize,
    /// Steps and number: the first one gives way first.
    unsettled: BTreeSet<(u32, u64)>,
}

impl Client {
    fn first_but(&self, newest: u64) -> Option<(u32, u64)> {
        let mut unsettled = self.unsettled.iter().copied();
        unsettled.find(|(_, number)| *number != newest)
    }
}

impl Table {
    pub(crate) fn connections(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn unsettled(&self) -> usize {
        self.unsettled
    }

    /// The connections of the same client, `number` itself included.
    pub(crate) fn connections_beside(&self, number: u64) -> usize {
        self.client_of(number)
            .map_or(0, |client| client.connections)
    }

    pub(crate) fn insert(&mut self, origin: Option<Origin>, displaced: Arc<Notify>) -> u64 {
        let number = self.next;
        self.next += 1;
        let open = Connection {
            origin: origin.unwrap_or(Origin::unknown(number)),
            steps: 0,
            settled: false,
            displaced,
        };
        self.put(number, open);
        number
    }

    /// Does nothing to a connection that was displaced.
    pub(crate) fn change(&mut self, number: u64, change: impl FnOnce(&mut Connection)) {
        // The tree is ordered by what changes, so that the entry is taken out and put back.
        if let Some(mut open) = self.remove(number) {
            change(&mut open);
            self.put(number, open);
        }
    }

    /// Displaces the next one to give way, but not `newest`; false where all others are settled.
    pub(crate) fn displace_heaviest(&mut self, newest: u64) -> bool {
        let candidates = self.networks.values().flat_map(|network| {
            let clients = network.clients.values();
            clients.filter_map(move |client| {
                let (_, number) = client.first_but(newest)?;
                // Heaviest network, then heaviest client in it, then the oldest connection.
                Some((network.unsettled, client.unsettled.len(), Reverse(number)))
            })
        });
        let heaviest = candidates.max().map(|(_, _, Reverse(number))| number);
        self.displace(heaviest)
    }

    /// The same among the connections of its client.
    pub(crate) fn displace_beside(&mut self, newest: u64) -> bool {
        let client = self.client_of(newest);
        let first = client.and_then(|client| client.first_but(newest));
        self.displace(first.map(|(_, number)| number))
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<Connection> {
        let open = self.open.remove(&number)?;
        let Origin { client, network } = open.origin;
        let in_network = self.networks.get_mut(&network)?;
        let of_client = in_network.clients.get_mut(&client)?;
        of_client.connections -= 1;
        // A settled connection is in no tree.
        if of_client.unsettled.remove(&(open.steps, number)) {
            in_network.unsettled -= 1;
            self.unsettled -= 1;
        }
        // Empty entries go, or an attacker's addresses would fill the maps.
        if of_client.connections == 0 {
            in_network.clients.remove(&client);
        }
        if in_network.clients.is_empty() {
            self.networks.remove(&network);
        }
        Some(open)
    }

    fn put(&mut self, number: u64, open: Connection) {
        let network = self.networks.entry(open.origin.network).or_default();
        let client = network.clients.entry(open.origin.client).or_default();
        client.connections += 1;
        if !open.settled {
            client.unsettled.insert((open.steps, number));
            network.unsettled += 1;
            self.unsettled += 1;
        }
        self.open.insert(number, open);
    }

    fn displace(&mut self, number: Option<u64>) -> bool {
        let displaced = number.and_then(|number| self.remove(number));
        if let Some(open) = &displaced {
            // `notify_one` stores a permit for a task that does not wait yet.
            open.displaced.notify_one();
        }
        displaced.is_some()
    }

    fn client_of(&self, number: u64) -> Option<&Client> {
        let Origin { client, network } = self.open.get(&number)?.origin;
        self.networks.get(&network)?.clients.get(&client)
    }
}
