//! `synclave-enclave`: serves one room.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use attestation::nitro::Measurements;
use clap::Parser;
use enclave::{
    Config, Enclave, Event, Events, Fault, Limits, Platform, Running, read_agreement, to_stderr,
    write_whole,
};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

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

/// How the program ends when it does not end well. 2 is a command line that makes no sense.
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

struct Failure {
    exit: Exit,
    sentence: String,
}

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    if let Some(started_by) = started_in_an_image() {
        enclave::init::run(started_by);
    }
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&failure.sentence);
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// The sentence may quote what a file says.
#[expect(clippy::print_stderr, reason = "the one place that talks to a person")]
fn say(sentence: &str) {
    eprintln!("synclave-enclave: {}", printable::escaped(sentence));
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
                        image only; on a machine like this one, add --simulated.";
        return Err(Failure {
            exit: Exit::Platform,
            sentence: sentence.to_owned(),
        });
    }
    let agreement = read_agreement(&options.room).map_err(failed)?;
    let platform = Platform::simulated().map_err(failed)?;
    let events = to_stderr();
    tell_panics_as_events(&events);
    let runtime = Runtime::new().map_err(|error| Failure {
        exit: Exit::Platform,
        sentence: format!("no threads can be started: {error}."),
    })?;
    let outcome = runtime.block_on(async {
        // From now on a signal is not lost; until now it ends the program by itself.
        let mut signals = Signals::listen();
        // First the address: where another enclave has it, that one's files stay as they are.
        let listener = TcpListener::bind(options.listen)
            .await
            .map_err(|error| unavailable(options.listen, &error))?;
        let config = Config {
            agreement,
            platform,
            listener: listener.into(),
            limits: Limits::default(),
            events: Arc::clone(&events),
        };
        let mut running = Enclave::start(config).map_err(failed)?;
        publish(&running, options)?;
        running.announce();
        tokio::select! {
            () = signals.told_to_stop() => {}
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
    service::tell_panics_as_events(Arc::new(move |event| events(Event::Room(event))));
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

fn failed(error: enclave::Error) -> Failure {
    let exit = match error {
        enclave::Error::RoomFile { .. }
        | enclave::Error::Files(_)
        | enclave::Error::Memory(_)
        | enclave::Error::Agreement(_) => Exit::Agreement,
        enclave::Error::Listener(_) => Exit::Address,
        _ => Exit::Platform,
    };
    Failure {
        exit,
        sentence: format!("{error}."),
    }
}

fn gave_up(fault: Fault, events: &Events) -> Failure {
    events(Event::Fault { fault });
    Failure {
        exit: Exit::Fault,
        sentence: "the room has stopped, and what it held is gone.".to_owned(),
    }
}

fn unavailable(address: SocketAddr, error: &std::io::Error) -> Failure {
    let sentence = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("{address} is in use by another program; choose another port.")
        }
        _ => format!("{address} cannot be listened on: {error}."),
    };
    Failure {
        exit: Exit::Address,
        sentence,
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure {
        exit: Exit::File,
        sentence: format!("{} cannot be written: {error}.", path.display()),
    }
}
