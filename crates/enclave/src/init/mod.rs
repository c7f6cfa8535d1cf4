//! The image's first and only process.
//!
//! It brings up what the program needs and nothing else: no network, no disk, no shell, no other
//! process. Then it waits for the agreement, and serves the room until the machine is stopped from
//! outside, or something goes wrong. Then it reports the fault in one event, and halts the machine.

mod configuration;
mod entropy;
mod heartbeat;
mod machine;
mod memory;
mod modules;

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use protocol::{Agreement, CONFIGURATION_PORT, PARTIES_PORT};
use rustix::system::{RebootCommand, reboot};
use server_kit::events_to_stderr;
use tokio::runtime::Runtime;

use crate::init::configuration::Configuration;
use crate::init::entropy::Fed;
use crate::platform::NitroPlatform;
use crate::{
    Config, Enclave, EnclaveEvent, EnclaveLimits, Error, Events, Fault, Listener, Running, confine,
};

/// How long the console may take to be told of a fault.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What started this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartedBy {
    /// The kernel, as the machine's first process.
    Kernel,
    /// Another init, such as the one that `nitro-cli build-enclave` puts into an image. It has
    /// mounted the file systems, loaded the security module's driver, and sent the heartbeat; it
    /// stops the machine when this process ends.
    OtherInit,
}

/// Runs the enclave, and stops it in the end.
pub fn run(started_by: StartedBy) -> ! {
    let events = events_to_stderr();
    tell_panics(&events);
    let fault = match catch_unwind(AssertUnwindSafe(|| serve(started_by, &events))) {
        Ok(Err(fault)) => fault,
        Err(_) => Fault::Panicked,
    };
    tell_in_time(&events, fault);
    if started_by == StartedBy::Kernel {
        // Nobody starts a stopped enclave again, so that a restart ends it; many a machine without
        // ACPI cannot switch itself off.
        let _ = reboot(RebootCommand::Restart);
    }
    // Where the kernel refuses: one whose first process ends stops as well.
    std::process::exit(1)
}

/// In this order: what is open is open before the confinement, and what comes from outside is read
/// after it.
fn serve(started_by: StartedBy, events: &Events) -> Result<Infallible, Fault> {
    if started_by == StartedBy::Kernel {
        machine::bring_up()?;
    }
    let platform = NitroPlatform::open().map_err(|error| Fault::from(&error))?;
    events(EnclaveEvent::Booted {
        debug: platform.is_debug(),
    });
    let fed = entropy::feed(&platform)?;
    // Asked for now: confined, the process can neither ask for its limits nor open the files of
    // cgroups.
    let limits = EnclaveLimits::default();
    events(EnclaveEvent::Confined(confine()));
    let runtime = Runtime::new().map_err(|_| Fault::NoThreads)?;
    let served = runtime.block_on(serve_one_room(started_by, platform, fed, limits, events));
    // A training under way does not keep the machine from stopping.
    runtime.shutdown_timeout(Duration::ZERO);
    served
}

async fn serve_one_room(
    started_by: StartedBy,
    platform: NitroPlatform,
    fed: Fed,
    limits: EnclaveLimits,
    events: &Events,
) -> Result<Infallible, Fault> {
    let port = Listener::Vsock {
        port: CONFIGURATION_PORT,
    };
    let listener = port.open().map_err(|_| Fault::KernelLacksVsock)?;
    let configuration = Configuration::new(listener, Arc::clone(events));
    if started_by == StartedBy::Kernel {
        tokio::spawn(heartbeat::send(Arc::clone(events)));
    }
    let exhausted = memory::exhausted();
    let serving = async {
        let start = |agreement| start(agreement, platform.clone(), fed, limits, Arc::clone(events));
        let mut running = configuration.first(start).await?;
        running.announce();
        tokio::select! {
            never = configuration.refuse_others() => match never {},
            fault = running.fault() => Err(fault),
        }
    };
    tokio::select! {
        served = serving => served,
        fault = exhausted => Err(fault),
    }
}

async fn start(
    agreement: Agreement,
    platform: NitroPlatform,
    fed: Fed,
    limits: EnclaveLimits,
    events: Events,
) -> Result<Running, Error> {
    fed.taken_in().await;
    let config = Config {
        agreement,
        platform: platform.into(),
        listener: Listener::Vsock { port: PARTIES_PORT },
        limits,
        events,
    };
    tokio::task::spawn_blocking(|| Enclave::start(config))
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

fn tell_panics(events: &Events) {
    let events = Arc::clone(events);
    service::tell_panics_as_events(Arc::new(move |event| events(EnclaveEvent::Room(event))));
}

/// The console is the host's, and a host that takes nothing from it must not keep the enclave from
/// stopping.
fn tell_in_time(events: &Events, fault: Fault) {
    let events = Arc::clone(events);
    let (told, wait) = mpsc::channel();
    let teller = std::thread::Builder::new().spawn(move || {
        events(EnclaveEvent::Fault { fault });
        // What the kernel has of a line is on its way, and needs a moment.
        std::thread::sleep(LAST_WORDS / 10);
        // Nobody waits any more: then it was too slow.
        let _ = told.send(());
    });
    if teller.is_ok() {
        // Told or not, the machine stops.
        let _ = wait.recv_timeout(LAST_WORDS);
    }
}
