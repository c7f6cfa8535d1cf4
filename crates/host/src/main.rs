//! `synclave-host`: what runs on the parent machine, beside the enclave.

mod options;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use host::{
    Carrier, Config, ConfigureError, EnclaveError, Entrance, OuterTlsError, outer_tls, serve,
    to_stderr,
};
use protocol::{Agreement, RoomFolderError};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_rustls::TlsAcceptor;

use crate::options::Options;

/// How the program ends when it does not end well. 2 is a command line that makes no sense.
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

struct Failure {
    exit: Exit,
    sentence: String,
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&failure.sentence);
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// The sentence may quote what an enclave or a file says.
#[expect(clippy::print_stderr, reason = "the one place that talks to a person")]
fn say(sentence: &str) {
    eprintln!("synclave-host: {}.", printable::escaped(sentence));
}

fn run(options: Options) -> Result<(), Failure> {
    let agreement = options.room.as_deref().map(Agreement::read_from);
    let agreement = agreement.transpose().map_err(unreadable)?;
    let tls = match (&options.tls_certificate, &options.tls_key) {
        (Some(certificate), Some(key)) => Some(outer_tls(certificate, key).map_err(unusable)?),
        _ => None,
    };
    allow_many_connections();
    let runtime = Runtime::new().map_err(|error| Failure {
        exit: Exit::System,
        sentence: format!("no threads can be started: {error}"),
    })?;
    runtime.block_on(async {
        // From now on a signal is not lost; until now it ends the program by itself.
        let mut signals = Signals::listen();
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
            events: to_stderr(),
        };
        serve(config, signals.told_to_stop()).await.map_err(failed)
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
    TcpListener::bind(address).await.map_err(|error| Failure {
        exit: Exit::Address,
        sentence: match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("{address} is in use by another program; choose another port")
            }
            _ => format!("{address} cannot be listened on: {error}"),
        },
    })
}

/// Each connection takes two open files; the usual soft limit is 1024.
fn allow_many_connections() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where that is not allowed, connections beyond the limit wait to be accepted.
    let _as_it_was = setrlimit(Resource::Nofile, limit);
}

/// The two ways of being told to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Self {
        const HANDLED: &str = "the runtime handles signals";
        Self {
            terminate: signal(SignalKind::terminate()).expect(HANDLED),
            interrupt: signal(SignalKind::interrupt()).expect(HANDLED),
        }
    }

    async fn told_to_stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn unreadable(error: RoomFolderError) -> Failure {
    Failure {
        exit: Exit::Agreement,
        sentence: error.to_string(),
    }
}

fn unusable(error: OuterTlsError) -> Failure {
    Failure {
        exit: Exit::OuterTls,
        sentence: error.to_string(),
    }
}

fn failed(error: EnclaveError) -> Failure {
    let exit = match &error {
        EnclaveError::Launch(_) => Exit::Launch,
        EnclaveError::Configure(ConfigureError::Refused(_)) => Exit::Refused,
        EnclaveError::Configure(ConfigureError::Changed { .. }) => Exit::Changed,
        EnclaveError::Configure(_) => Exit::Unreachable,
    };
    Failure {
        exit,
        sentence: error.to_string(),
    }
}
