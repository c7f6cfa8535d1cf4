//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Parser};
use host::{ClientAddress, ConnectionLimits, EnclaveAddress, Launch, NitroOptions, RelayLimits};

/// Keeps an enclave alive on its parent machine, hands it its configuration, and relays connections
/// to it.
///
/// It holds no secret and sees only ciphertext. A dead enclave is followed by another one: that is
/// a new room, without data, and the log says so.
#[derive(Parser)]
#[command(name = "synclave-host", version)]
#[command(
    group = ArgGroup::new("entrance")
        .args(["listen", "listen_websocket"])
        .multiple(true)
        .required(true)
)]
#[command(group = ArgGroup::new("source").args(["enclave", "nitro"]).required(true))]
#[command(after_help = "Examples:
  synclave-host --nitro synclave.eif --cpus 2 --memory 4096 --room room \\
      --listen 0.0.0.0:443
  synclave-host --enclave unix:/run/enclave.sock --room room \\
      --listen-websocket 127.0.0.1:8080 --forwarded-for \\
      --run synclave-emulator --eif synclave.eif --vsock /run/enclave.sock

Exit codes:
   3  no threads can be started          4  the agreement cannot be read
   5  an address cannot be listened on   6  certificate or key of the outer hop cannot be used
   7  the enclave cannot be started      8  it cannot be reached, or does not answer
   9  it refuses its configuration      10  it has another configuration than it was sent")]
pub(crate) struct Options {
    /// Where to take connections that carry the attested channel as it is
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,

    /// Where to take it in a WebSocket, at /connect, for a load balancer that speaks HTTP; GET
    /// /healthz says whether there is an enclave
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen_websocket: Option<SocketAddr>,

    /// Where to serve metrics for Prometheus, at /metrics
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<SocketAddr>,

    /// Where the enclave is reached: vsock:CID, or unix:PATH as emulators offer it
    #[arg(long, value_name = "ADDRESS")]
    enclave: Option<EnclaveAddress>,

    /// Start this image with nitro-cli
    #[arg(
        long,
        value_name = "EIF",
        requires_all = ["cpus", "memory", "room"],
        conflicts_with = "run"
    )]
    nitro: Option<PathBuf>,

    /// The enclave's virtual CPUs
    #[arg(long, value_name = "N", requires = "nitro")]
    cpus: Option<u32>,

    /// The enclave's memory
    #[arg(long, value_name = "MIB", requires = "nitro")]
    memory: Option<u64>,

    /// The enclave's context id; nitro-cli chooses one otherwise
    #[arg(long, value_name = "N", requires = "nitro")]
    cid: Option<u32>,

    /// The folder with service.yaml and runtime.yaml, which the enclave is configured with; without
    /// it somebody else does that
    #[arg(long, value_name = "DIR")]
    pub(crate) room: Option<PathBuf>,

    /// Certificate chain for TLS on the WebSocket endpoint: the outer hop only, it adds no trust
    #[arg(long, value_name = "PEM", requires_all = ["tls_key", "listen_websocket"])]
    pub(crate) tls_certificate: Option<PathBuf>,

    /// Its private key
    #[arg(long, value_name = "PEM", requires = "tls_certificate")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Take the client's address from a PROXY header (version 2) before everything else; a
    /// connection without one is refused
    #[arg(long)]
    proxy_protocol: bool,

    /// Over WebSocket, take it from the last address in X-Forwarded-For instead; a request without
    /// one is refused
    #[arg(long, requires = "listen_websocket")]
    forwarded_for: bool,

    /// Connections at once
    #[arg(long, value_name = "N", default_value_t = ConnectionLimits::default().connections)]
    max_connections: usize,

    /// Connections at once of one client address (of one /64 network with IPv6)
    #[arg(
        long,
        value_name = "N",
        default_value_t = ConnectionLimits::default().connections_per_client
    )]
    max_connections_per_client: usize,

    /// How long a connection may take until the enclave hears of it
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = ConnectionLimits::default().handshake_deadline.as_secs()
    )]
    handshake_seconds: u64,

    /// How long nothing may move on a connection
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = ConnectionLimits::default().relay.idle.as_secs()
    )]
    idle_seconds: u64,

    /// How fast one connection may be in each direction; without it, as fast as it goes
    #[arg(long, value_name = "N")]
    bytes_per_second: Option<NonZeroU32>,

    /// How much may move on one connection, in both directions together
    #[arg(long, value_name = "N", default_value_t = ConnectionLimits::default().relay.bytes)]
    bytes_per_connection: u64,

    /// How long an enclave may take until it can be configured
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    boot_seconds: u64,

    /// How long connections may take to end once the host is told to stop
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain_seconds: u64,

    /// Start the enclave with this command, whose end is the enclave's end; everything that follows
    /// belongs to it
    #[arg(
        long,
        value_name = "COMMAND",
        num_args = 1..,
        allow_hyphen_values = true,
        requires_all = ["enclave", "room"]
    )]
    run: Option<Vec<OsString>>,
}

impl Options {
    pub(crate) fn launch(&self) -> Launch {
        match (&self.nitro, &self.enclave, &self.run) {
            (Some(eif), ..) => Launch::Nitro(NitroOptions {
                eif: eif.clone(),
                cpus: self.cpus.expect("--nitro requires it"),
                memory_mib: self.memory.expect("--nitro requires it"),
                cid: self.cid,
            }),
            (None, Some(address), Some(command)) => Launch::Command {
                command: command.clone(),
                address: address.clone(),
            },
            (None, Some(address), None) => Launch::Attached {
                address: address.clone(),
            },
            (None, None, _) => unreachable!("clap asks for one of the two"),
        }
    }

    pub(crate) fn limits(&self) -> ConnectionLimits {
        ConnectionLimits {
            connections: self.max_connections,
            connections_per_client: self.max_connections_per_client,
            unfinished: ConnectionLimits::default().unfinished,
            handshake_deadline: Duration::from_secs(self.handshake_seconds),
            relay: RelayLimits {
                idle: Duration::from_secs(self.idle_seconds),
                bytes_per_second: self.bytes_per_second,
                bytes: self.bytes_per_connection,
            },
        }
    }

    pub(crate) fn boot(&self) -> Duration {
        Duration::from_secs(self.boot_seconds)
    }

    pub(crate) fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }

    pub(crate) fn client_over_tcp(&self) -> ClientAddress {
        if self.proxy_protocol {
            ClientAddress::ProxyProtocol
        } else {
            ClientAddress::Peer
        }
    }

    pub(crate) fn client_over_websocket(&self) -> ClientAddress {
        if self.forwarded_for {
            ClientAddress::ForwardedFor
        } else {
            self.client_over_tcp()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parsed(line: &str) -> Result<Options, clap::Error> {
        Options::try_parse_from(std::iter::once("synclave-host").chain(line.split_whitespace()))
    }

    #[test]
    fn the_command_line_makes_sense_to_clap() {
        Options::command().debug_assert();
    }

    #[test]
    fn everything_after_run_belongs_to_the_command() {
        let options = parsed(
            "--listen 127.0.0.1:0 --enclave unix:/run/e --room room --run emulator --eif x --cid 3 \
             --listen y",
        )
        .unwrap();
        let Launch::Command { command, .. } = options.launch() else {
            panic!("no command")
        };
        assert_eq!(
            command,
            ["emulator", "--eif", "x", "--cid", "3", "--listen", "y"]
        );
    }

    #[test]
    fn what_is_missing_or_contradicts_is_refused() {
        for line in [
            "",
            "--listen 127.0.0.1:0",
            "--enclave vsock:16",
            "--listen 127.0.0.1:0 --enclave tcp:1",
            "--listen 127.0.0.1:0 --nitro x.eif --cpus 2 --memory 512",
            "--listen 127.0.0.1:0 --nitro x.eif --room r",
            "--listen 127.0.0.1:0 --enclave vsock:16 --nitro x.eif --cpus 2 --memory 512 --room r",
            "--listen 127.0.0.1:0 --enclave vsock:16 --cpus 2",
            "--listen 127.0.0.1:0 --enclave vsock:16 --run x",
            "--listen 127.0.0.1:0 --enclave vsock:16 --forwarded-for",
            "--listen 127.0.0.1:0 --enclave vsock:16 --tls-certificate c --tls-key k",
            "--listen-websocket 127.0.0.1:0 --enclave vsock:16 --tls-certificate c",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
        let line =
            "--listen-websocket 127.0.0.1:0 --enclave vsock:16 --proxy-protocol --forwarded-for";
        let options = parsed(line).unwrap();
        assert_eq!(options.client_over_tcp(), ClientAddress::ProxyProtocol);
        assert_eq!(options.client_over_websocket(), ClientAddress::ForwardedFor);
    }
}
