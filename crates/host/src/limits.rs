//! How much clients may take of the host.

use std::time::Duration;

use crate::relay::RelayLimits;

/// Bounds on connections. What a party may do in its room is for the enclave to say.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Connections of all clients together.
    pub connections: usize,
    /// Connections of one client address (of one /64 network with IPv6).
    pub connections_per_client: usize,
    /// Connections whose client the enclave has not shown any evidence yet, so that it may be
    /// anybody. When there are more, one gives way ([`admission::Places`]). Fewer than the enclave
    /// has room for, which cannot tell one client from another.
    pub unfinished: usize,
    /// From TCP accept to the first bytes of the attested channel, or to the upgrade: all that
    /// comes before the enclave hears of it.
    pub handshake_deadline: Duration,
    /// What each relayed connection may take.
    pub relay: RelayLimits,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: 2048,
            connections_per_client: 32,
            unfinished: 384,
            handshake_deadline: Duration::from_secs(10),
            relay: RelayLimits {
                idle: Duration::from_secs(300),
                bytes_per_second: None,
                bytes: 64 << 30,
            },
        }
    }
}
