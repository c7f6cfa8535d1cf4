//! `synclave-host`: what runs on the parent machine, beside the enclave.

mod options;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use host::{
    Carrier, Config, ConfigureError, EnclaveError, Entrance, OuterTlsError, outer_tls, serve,
};
use protocol::{Agreement, RoomFolderError};
use rustix::process::{Resource, getrlimit, setrlimit};
use server_kit::{Failure, StopSignals, events_to_stderr, report};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::options::Options;

/// How the program ends when it fails. 2 is a command line that makes no sense.
#[derive(Clone, Copy)]
enum Exit {
    /// The operating system gives no threads.
    System = 3,
    /// The agreement cannot be read.
    Agreement = 4,
    /// An address cannot be listened on.
    Address = 5,
    /// Certificate and key of the outer hop cannot be used.
    OuterTls = 6,
    /// The enclave cannot be started.
    Launch = 7,
    /// The enclave cannot be reached, or does not answer.
    Unreachable = 8,
    /// The enclave refuses its configuration.
    Refused = 9,
    /// The enclave has another configuration than it was sent.
    Changed = 10,
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> Self {
        exit as u8
    }
}

fn main() -> ExitCode {
    report("synclave-host", run(Options::parse()))
}

fn run(options: Options) -> Result<(), Failure> {
    let agreement = options.room.as_deref().map(Agreement::read_from);
    let agreement = agreement.transpose().map_err(unreadable)?;
    let tls = match (&options.tls_certificate, &options.tls_key) {
        (Some(certificate), Some(key)) => Some(outer_tls(certificate, key).map_err(unusable)?),
        _ => None,
    };
    allow_many_connections();
    let runtime = Runtime::new().map_err(|error| {
        let sentence = format!("no threads can be started: {error}");
        Failure::new(Exit::System, sentence)
    })?;
    runtime.block_on(async {
        // From now on a signal is not lost; until now it ends the program by itself.
        let signals = StopSignals::listen().map_err(|error| {
            let sentence = format!("signals cannot be received: {error}");
            Failure::new(Exit::System, sentence)
        })?;
        let config = Config {
            entrances: entrances(&options, tls).await?,
            metrics: match options.metrics {
                Some(address) => Some(listen(address).await?),
                None => None,
            },
            limits: options.limits(),
            boot: options.boot(),
            restarts: host::Restarts::default(),
            drain: options.drain(),
            agreement,
            launch: options.launch(),
            events: events_to_stderr(),
        };
        serve(config, signals.received()).await.map_err(failed)
    })
}

async fn entrances(options: &Options, tls: Option<TlsAcceptor>) -> Result<Vec<Entrance>, Failure> {
    let mut entrances = Vec::new();
    if let Some(address) = options.listen {
        entrances.push(Entrance {
            listener: listen(address).await?,
            carrier: Carrier::Tcp,
            tls: None,
            client: options.client_over_tcp(),
        });
    }
    if let Some(address) = options.listen_websocket {
        entrances.push(Entrance {
            listener: listen(address).await?,
            carrier: Carrier::WebSocket,
            tls,
            client: options.client_over_websocket(),
        });
    }
    Ok(entrances)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let sentence = match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("{address} is in use by another program; choose another port")
            }
            _ => format!("{address} cannot be listened on: {error}"),
        };
        Failure::new(Exit::Address, sentence)
    })
}

/// Each connection takes two open files; the usual soft limit is 1024.
fn allow_many_connections() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where that is not allowed, connections beyond the limit wait to be accepted.
    let _as_it_was = setrlimit(Resource::Nofile, limit);
}

fn unreadable(error: RoomFolderError) -> Failure {
    Failure::new(Exit::Agreement, error)
}

fn unusable(error: OuterTlsError) -> Failure {
    Failure::new(Exit::OuterTls, error)
}

fn failed(error: EnclaveError) -> Failure {
    let exit = match &error {
        EnclaveError::Launch(_) => Exit::Launch,
        EnclaveError::Configure(ConfigureError::Refused(_)) => Exit::Refused,
        EnclaveError::Configure(ConfigureError::Changed { .. }) => Exit::Changed,
        EnclaveError::Configure(_) => Exit::Unreachable,
    };
    Failure::new(exit, error)
}
