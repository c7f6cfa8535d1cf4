//! What the enclave tells the machine it runs on: a closed list of facts, none of which depends on
//! the tables' content.

use protocol::{AgreementHash, RoomId};
use serde::Serialize;

use crate::listener::Address;
use crate::{Confinement, Fault};

/// One line of the log. The machine outside is not trusted: no query, no size and no text of a
/// party appears here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EnclaveEvent {
    /// The enclave's program is up, on hardware or what looks like it.
    Booted {
        /// Its memory is open to the host and its measurements are zero, so that no client will
        /// trust it.
        debug: bool,
    },
    /// What the kernel holds the program to from now on.
    Confined(Confinement),
    /// Whether the parent machine was there to be told that the enclave is up. Some launchers wait
    /// for it, others do not.
    Heartbeat {
        /// Whether the parent machine answered.
        answered: bool,
    },
    /// The host may hand over the agreement now.
    AwaitingConfiguration {
        /// The port of the enclave's vsock.
        address: Address,
    },
    /// The host handed over something that is not taken. What is wrong with it was said to the host
    /// alone.
    ConfigurationRefused,
    /// Connections are accepted from now on.
    Ready {
        /// Address that it listens on.
        address: Address,
        /// The agreement's name.
        agreement: AgreementHash,
        /// The room's id.
        room: RoomId,
    },
    /// A connection was closed before it could carry a request.
    ConnectionRefused {
        /// Why it was refused.
        reason: RefusalReason,
    },
    /// The operating system could not accept a connection; it is tried again.
    AcceptFailed,
    /// There were too many of the two events above in the last seconds, and these were left out.
    ConnectionEventsLeftOut {
        /// Number of events left out.
        count: u64,
    },
    /// No more connections are accepted; requests under way are answered.
    Stopping,
    /// All connections are closed.
    Stopped,
    /// The enclave stops, because of this.
    Fault {
        /// The fault that ended it.
        fault: Fault,
    },
    /// Something happened in the room.
    #[serde(untagged)]
    Room(service::RoomEvent),
}

/// Why a connection was closed before it could carry a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// There were too many connections in their handshake, and this one gave way.
    Displaced,
    /// Too many connections past their handshake.
    TooManyConnections,
    /// Too many connections with this key.
    TooManyConnectionsOfKey,
    /// The first message, or handshake and evidence together, were not complete in time.
    Deadline,
    /// The client's key is not in the agreement.
    NotRegistered,
    /// The client does not name this protocol.
    WrongProtocol,
    /// The handshake failed in another way.
    Handshake,
    /// The client went away.
    Lost,
    /// The platform gave no evidence.
    NoEvidence,
}

/// Where events go.
pub type Events = server_kit::Events<EnclaveEvent>;

#[cfg(test)]
mod tests {
    use protocol::{AgreementHash, RoomId};

    use super::{EnclaveEvent, RefusalReason};
    use crate::listener::Address;
    use crate::{Confinement, Enforcement, Fault};

    #[test]
    fn an_event_is_one_flat_json_object() {
        let ready = EnclaveEvent::Ready {
            address: Address::Tcp(([127, 0, 0, 1], 7000).into()),
            agreement: AgreementHash::from_bytes([0xab; 48]),
            room: RoomId::from_bytes([1; 32]),
        };
        assert_eq!(
            serde_json::to_string(&ready).unwrap(),
            format!(
                r#"{{"event":"ready","address":"127.0.0.1:7000","agreement":"{}","room":"{}"}}"#,
                "ab".repeat(48),
                "01".repeat(32)
            )
        );
        let awaiting = EnclaveEvent::AwaitingConfiguration {
            address: Address::Vsock { port: 5000 },
        };
        assert_eq!(
            serde_json::to_string(&awaiting).unwrap(),
            r#"{"event":"awaiting_configuration","address":"vsock:any:5000"}"#
        );
        let confined = EnclaveEvent::Confined(Confinement {
            files: Enforcement::Partly,
            system_calls: Enforcement::Fully,
        });
        assert_eq!(
            serde_json::to_string(&confined).unwrap(),
            r#"{"event":"confined","files":"partly","system_calls":"fully"}"#
        );
        let fault = EnclaveEvent::Fault {
            fault: Fault::KernelLacksNsm,
        };
        assert_eq!(
            serde_json::to_string(&fault).unwrap(),
            r#"{"event":"fault","fault":"kernel_lacks_nsm"}"#
        );
        let refused = EnclaveEvent::ConnectionRefused {
            reason: RefusalReason::TooManyConnectionsOfKey,
        };
        assert_eq!(
            serde_json::to_string(&refused).unwrap(),
            r#"{"event":"connection_refused","reason":"too_many_connections_of_key"}"#
        );
        let confirmed = EnclaveEvent::Room(service::RoomEvent::Confirmed { party: 1 });
        assert_eq!(
            serde_json::to_string(&confirmed).unwrap(),
            r#"{"event":"confirmed","party":1}"#
        );
    }
}
