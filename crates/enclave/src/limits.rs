//! How much one connection may take of time, and all of them of room.

use std::time::Duration;

/// Bounds on connections. The sizes of requests and uploads are the room's own limits.
#[derive(Clone, Copy, Debug)]
pub struct EnclaveLimits {
    /// Connections whose client has not proved its key. When there are more, one gives way
    /// ([`admission::Places`]).
    pub handshakes: usize,
    /// Connections past their handshake, of all keys together.
    pub connections: usize,
    /// Connections past their handshake with one key; fewer where `connections` shared out among
    /// all keys gives fewer.
    pub connections_per_key: usize,
    /// From TCP accept to the end of the client's first message, the ClientHello.
    pub hello_deadline: Duration,
    /// From TCP accept to the end of the evidence exchange.
    pub handshake_deadline: Duration,
    /// From the end of one request (or of the evidence) to the end of the next request's header; so
    /// it ends idle connections as well.
    pub header_deadline: Duration,
    /// How long a request's body may be waited for. What comes of it earns that time back, at
    /// `body_rate`.
    pub body_grace: Duration,
    /// In bytes a second: the slowest average that a body may keep up for ever.
    pub body_rate: u32,
    /// Bytes of memory that the enclave counts on, of which each party gets its share. By default
    /// what there is when the limits are made; that must be before the process is confined.
    pub memory_bytes: u64,
    /// How long the other side may refuse to take what is written to it.
    pub write_deadline: Duration,
}

impl EnclaveLimits {
    /// Connections of one of `keys` keys: so few that no key can take those of another.
    pub(crate) fn share_of_key(&self, keys: usize) -> usize {
        // One key always gets a connection, however many keys there are.
        let share = self.connections / keys.max(1);
        self.connections_per_key.min(share).max(1)
    }
}

impl Default for EnclaveLimits {
    fn default() -> Self {
        Self {
            handshakes: 512,
            connections: 256,
            connections_per_key: 32,
            hello_deadline: Duration::from_secs(5),
            handshake_deadline: Duration::from_secs(10),
            header_deadline: Duration::from_secs(30),
            body_grace: Duration::from_secs(30),
            body_rate: 1024,
            memory_bytes: memory_bytes(),
            write_deadline: Duration::from_secs(60),
        }
    }
}

#[cfg(target_os = "linux")]
fn memory_bytes() -> u64 {
    crate::memory::available()
}

/// Where enclaves are only tried out, little is enough.
#[cfg(not(target_os = "linux"))]
fn memory_bytes() -> u64 {
    2 << 30
}
