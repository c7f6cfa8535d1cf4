//! What the host says about itself: a closed list of facts. No byte that it relays appears here.

use std::net::{IpAddr, SocketAddr};

use protocol::{AgreementHash, RoomId};
use serde::{Serialize, Serializer};

use crate::relay::Ending;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum HostEvent {
    /// Connections are accepted from now on; until there is an enclave they are refused.
    Listening {
        /// How the channel is carried there.
        carrier: Carrier,
        /// Address that it listens on.
        address: SocketAddr,
    },
    /// Metrics are served from now on.
    MetricsListening {
        /// Address that it listens on.
        address: SocketAddr,
    },
    /// An enclave is being started.
    EnclaveStarting {
        /// How many were started before.
        restarts: u64,
    },
    /// There is an enclave, and connections are relayed to it. It was not configured by this host.
    EnclaveAttached {
        /// Where it is reached.
        enclave: String,
    },
    /// The enclave took its configuration, and connections are relayed to it.
    EnclaveConfigured {
        /// Where it is reached.
        enclave: String,
        /// The agreement's name.
        agreement: AgreementHash,
        /// The room's id.
        room: RoomId,
    },
    /// The enclave is another one than before: its room is a new one, without data, and parties
    /// have to begin again.
    RoomReplaced {
        /// The room that is gone.
        old: RoomId,
        /// The room that is there now.
        new: RoomId,
    },
    /// The enclave has ended, and the connections to it were closed.
    EnclaveEnded {
        /// The exit code of the program that ran it, where it was a program and had one.
        code: Option<i32>,
    },
    /// An enclave could not be started or configured.
    EnclaveFailed {
        /// Why it failed, as a sentence.
        detail: String,
    },
    /// The next attempt is made after a pause.
    RestartPending {
        /// How long it is.
        seconds: u64,
    },
    /// A connection was closed before anything of it was relayed, or had to give way during its
    /// handshake.
    ConnectionRefused {
        /// What carried it: TCP or WebSocket.
        carrier: Carrier,
        /// The client, as far as it is known.
        client: Option<IpAddr>,
        /// Why it was refused.
        reason: RefusalReason,
    },
    /// A connection that was relayed has ended.
    ConnectionEnded {
        /// What carried it: TCP or WebSocket.
        carrier: Carrier,
        /// Address of the client, as far as it is known.
        client: Option<IpAddr>,
        /// How it ended.
        how: ConnectionEnd,
        /// Bytes from the client.
        to_enclave: u64,
        /// Bytes from the enclave.
        from_enclave: u64,
    },
    /// The operating system could not accept a connection; it is tried again.
    AcceptFailed,
    /// There were too many events of a kind in the last seconds, and these were left out.
    EventsLeftOut {
        /// Of which kind.
        of: Frequent,
        /// Number of events left out.
        count: u64,
    },
    /// No more connections are accepted; those that are there may end.
    Draining {
        /// How many there are.
        connections: usize,
    },
    /// All connections are closed.
    Stopped,
}

/// Kinds that have a stable name in the log and in the metrics.
macro_rules! named {
    ($(#[$doc:meta])* $kind:ident { $($(#[$of:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $kind { $($(#[$of])* $variant,)* }

        impl $kind {
            /// Of all of them, in the order of their numbers.
            pub(crate) const NAMES: &[&str] = &[$($name),*];

            /// Its name in the log and in the metrics.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }

        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
    };
}

named! {
    /// How the attested channel is carried to the host.
    Carrier {
        /// As it is.
        Tcp = "tcp",
        /// In the binary messages of a WebSocket.
        WebSocket = "websocket",
    }
}

named! {
    /// Kinds of events that whoever can connect can cause, so that the log does not take all of
    /// them.
    Frequent {
        /// [`HostEvent::ConnectionRefused`].
        Refused = "connection_refused",
        /// [`HostEvent::ConnectionEnded`].
        Ended = "connection_ended",
        /// [`HostEvent::AcceptFailed`].
        AcceptFailed = "accept_failed",
    }
}

named! {
    /// Why a connection was closed before anything of it was relayed.
    RefusalReason {
        /// Too many connections, all of them past their handshake.
        TooManyConnections = "too_many_connections",
        /// Too many connections of this client, all of them past their handshake.
        TooManyConnectionsOfClient = "too_many_connections_of_client",
        /// There were too many connections in their handshake, and this one gave way.
        Displaced = "displaced",
        /// The PROXY header that must be there is missing or malformed.
        ProxyHeader = "proxy_header",
        /// The header with the client's address that must be there is missing or malformed.
        ForwardedFor = "forwarded_for",
        /// The TLS of the outer hop failed.
        OuterTls = "outer_tls",
        /// The first bytes, or the upgrade, did not come in time.
        Deadline = "deadline",
        /// The client closed without a word.
        Silent = "silent",
        /// The connection broke.
        Lost = "lost",
        /// An HTTP request that is not an upgrade of ours.
        Upgrade = "upgrade",
        /// There is no enclave at present, or it takes no connection.
        NoEnclave = "no_enclave",
    }
}

named! {
    /// How a connection ended that was relayed.
    ConnectionEnd {
        /// Both sides closed it.
        Complete = "complete",
        /// The client's side broke off.
        PartyLost = "party_lost",
        /// The enclave's side broke off.
        EnclaveLost = "enclave_lost",
        /// Nothing moved for too long.
        Idle = "idle",
        /// More moved than is allowed.
        TooManyBytes = "too_many_bytes",
        /// The enclave that it led to is gone.
        EnclaveEnded = "enclave_ended",
        /// The host was told to stop, and did not wait any longer.
        Stopped = "stopped",
    }
}

impl From<Ending> for ConnectionEnd {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Complete => Self::Complete,
            Ending::PartyLost => Self::PartyLost,
            Ending::EnclaveLost => Self::EnclaveLost,
            Ending::Idle => Self::Idle,
            Ending::TooManyBytes => Self::TooManyBytes,
        }
    }
}

/// Where events go.
pub type Events = server_kit::Events<HostEvent>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_json_object() {
        let refused = HostEvent::ConnectionRefused {
            carrier: Carrier::WebSocket,
            client: Some(IpAddr::from([192, 0, 2, 7])),
            reason: RefusalReason::TooManyConnectionsOfClient,
        };
        assert_eq!(
            serde_json::to_string(&refused).unwrap(),
            r#"{"event":"connection_refused","carrier":"websocket","client":"192.0.2.7","reason":"too_many_connections_of_client"}"#
        );
        let replaced = HostEvent::RoomReplaced {
            old: RoomId::from_bytes([1; 32]),
            new: RoomId::from_bytes([2; 32]),
        };
        assert_eq!(
            serde_json::to_string(&replaced).unwrap(),
            format!(
                r#"{{"event":"room_replaced","old":"{}","new":"{}"}}"#,
                "01".repeat(32),
                "02".repeat(32)
            )
        );
    }
}
