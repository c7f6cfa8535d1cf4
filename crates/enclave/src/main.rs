//! `synclave-enclave`: serves one room.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use attestation::nitro::Measurements;
use clap::Parser;
use enclave::{
    Config, Enclave, EnclaveEvent, EnclaveLimits, Events, Fault, Platform, Running, read_agreement,
    write_whole,
};
use server_kit::{Failure, StopSignals, events_to_stderr, report};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Serves one room: checks its agreement, shows evidence on every connection, and answers the
/// parties.
///
/// As the first process of an enclave's image it needs no arguments: the agreement comes from the
/// host, and the hardware vouches for it. Where another init is the first process, as in images by
/// `nitro-cli build-enclave`, `--nitro` is its only argument.
///
/// The evidence of a simulated platform proves nothing to anyone who does not trust this machine:
/// it is for trying things out.
#[derive(Parser)]
#[command(name = "synclave-enclave", version)]
#[command(after_help = "Example:
  synclave-enclave --simulated --room room --listen 127.0.0.1:7000 \\
      --root-out root.pem --measurements-out measurements.json")]
struct Options {
    /// Make evidence in this process, under a root of its own
    #[arg(long)]
    simulated: bool,

    /// The folder with service.yaml and runtime.yaml: together they are the agreement, byte for
    /// byte
    #[arg(long, value_name = "DIR")]
    room: PathBuf,

    /// The address and port where parties connect
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,

    /// Where to write the certificate of the simulated platform's root
    #[arg(long, value_name = "PEM")]
    root_out: Option<PathBuf>,

    /// Where to write the measurements, in the form that `nitro-cli build-enclave` prints
    #[arg(long, value_name = "FILE")]
    measurements_out: Option<PathBuf>,
}

/// How the program ends when it fails. 2 is a command line that makes no sense.
#[derive(Clone, Copy)]
enum Exit {
    /// The platform, or what it needs, is not there.
    Platform = 3,
    /// The agreement does not hold.
    Agreement = 4,
    /// The address cannot be listened on.
    Address = 5,
    /// A file cannot be written.
    File = 6,
    /// Something went wrong while the room was served.
    Fault = 7,
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> Self {
        exit as u8
    }
}

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    if let Some(started_by) = started_in_an_image() {
        enclave::init::run(started_by);
    }
    report("synclave-enclave", run(&Options::parse()))
}

/// The kernel starts the image's program as process 1. A container does so too, and says what it
/// wants.
#[cfg(target_os = "linux")]
fn started_in_an_image() -> Option<enclave::init::StartedBy> {
    use enclave::init::StartedBy;

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments == ["--nitro"] {
        return Some(StartedBy::OtherInit);
    }
    let first = std::process::id() == 1 && !arguments.iter().any(|a| a == "--simulated");
    first.then_some(StartedBy::Kernel)
}

fn run(options: &Options) -> Result<(), Failure> {
    if !options.simulated {
        let sentence = "without --simulated this program runs as the first process of an enclave's \
                        image only; on a machine like this one, add --simulated";
        return Err(Failure::new(Exit::Platform, sentence));
    }
    let agreement = read_agreement(&options.room).map_err(failed)?;
    let platform = Platform::simulated().map_err(failed)?;
    let events = events_to_stderr();
    tell_panics_as_events(&events);
    let runtime = Runtime::new().map_err(|error| {
        let sentence = format!("no threads can be started: {error}");
        Failure::new(Exit::Platform, sentence)
    })?;
    let outcome = runtime.block_on(async {
        // From now on a signal is not lost; until now it ends the program by itself.
        let signals = StopSignals::listen().map_err(|error| {
            let sentence = format!("signals cannot be received: {error}");
            Failure::new(Exit::Platform, sentence)
        })?;
        // First the address: where another enclave has it, that one's files stay as they are.
        let listener = TcpListener::bind(options.listen)
            .await
            .map_err(|error| unavailable(options.listen, &error))?;
        let config = Config {
            agreement,
            platform,
            listener: listener.into(),
            limits: EnclaveLimits::default(),
            events: Arc::clone(&events),
        };
        let mut running = Enclave::start(config).map_err(failed)?;
        publish(&running, options)?;
        running.announce();
        tokio::select! {
            () = signals.received() => {}
            fault = running.fault() => return Err(gave_up(fault, &events)),
        }
        running.shutdown().await;
        Ok(())
    });
    // A training under way does not keep the program from ending.
    runtime.shutdown_timeout(Duration::ZERO);
    outcome
}

/// The message of a panic could hold anything, a value of a table included.
fn tell_panics_as_events(events: &Events) {
    let events = Arc::clone(events);
    service::tell_panics_as_events(Arc::new(move |event| events(EnclaveEvent::Room(event))));
}

/// The measurements come last: where they are, everything is ready.
fn publish(running: &Running, options: &Options) -> Result<(), Failure> {
    let root = (&options.root_out, running.root_pem());
    let measurements = running.measurements().map(Measurements::to_json);
    for file in [root, (&options.measurements_out, measurements)] {
        if let (Some(path), Some(content)) = file {
            write_whole(path, content.as_bytes()).map_err(|error| unwritable(path, &error))?;
        }
    }
    Ok(())
}

fn failed(error: enclave::Error) -> Failure {
    let exit = match error {
        enclave::Error::RoomFile { .. }
        | enclave::Error::Files(_)
        | enclave::Error::Memory(_)
        | enclave::Error::Agreement(_) => Exit::Agreement,
        enclave::Error::Listener(_) => Exit::Address,
        _ => Exit::Platform,
    };
    Failure::new(exit, error)
}

fn gave_up(fault: Fault, events: &Events) -> Failure {
    events(EnclaveEvent::Fault { fault });
    Failure::new(
        Exit::Fault,
        "the room has stopped, and what it held is gone",
    )
}

fn unavailable(address: SocketAddr, error: &std::io::Error) -> Failure {
    let sentence = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("{address} is in use by another program; choose another port")
        }
        _ => format!("{address} cannot be listened on: {error}"),
    };
    Failure::new(Exit::Address, sentence)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let sentence = format!("{} cannot be written: {error}", path.display());
    Failure::new(Exit::File, sentence)
}
