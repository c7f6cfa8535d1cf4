//! `synclave-emulator`: one emulated enclave, in the foreground.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use attestation::nitro::authority::Authority;
use clap::Parser;
use emulator::{BootImage, Emulation, Lie, Machine, Signer, Tools};
use server_kit::StopSignals;

/// Boots an enclave image without Nitro hardware, for tests: everything in it can be read by
/// whoever runs this.
///
/// The guest's console goes to the standard output. The program ends when the guest does, or when
/// it is told to, and leaves nothing behind.
#[derive(Parser)]
#[command(name = "synclave-emulator", version)]
#[command(after_help = "Example:
  synclave-emulator --eif synclave.eif --vsock enclave.sock --root-out root.pem \\
      --lie stale")]
struct Options {
    /// The enclave image
    #[arg(long, value_name = "FILE")]
    eif: PathBuf,

    /// The root that signs the enclave's documents, with its private key; made if it is not there.
    /// Without it, the root is a new one every time
    #[arg(long, value_name = "PEM")]
    root: Option<PathBuf>,

    /// Where to write the certificate of that root, for clients
    #[arg(long, value_name = "PEM")]
    root_out: Option<PathBuf>,

    /// The socket at which the host reaches the enclave's vsock ports
    #[arg(long, value_name = "PATH", default_value = "enclave.sock")]
    vsock: PathBuf,

    /// The enclave's memory, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    memory: u32,

    /// The enclave's processors
    #[arg(long, value_name = "N", default_value_t = 2)]
    cpus: u32,

    /// What the host says that is not so
    #[arg(long, value_name = "KIND")]
    lie: Option<Lie>,

    /// The folder that `cargo xtask vm` keeps QEMU in [default: vm in $SYNCLAVE_TOOLS or
    /// ~/.cache/synclave/tools]
    #[arg(long, value_name = "DIR")]
    tools: Option<PathBuf>,
}

// The processes end when the thread that started them does: this one.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            emulator::complain(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> anyhow::Result<()> {
    let signals = StopSignals::listen().context("signals cannot be received")?;
    let tools = Tools::in_folder(&options.tools.clone().unwrap_or_else(default_tools))?;
    let machine = machine(options)?;
    if let Some(path) = &options.root_out {
        std::fs::write(path, machine.signer.root_pem())
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let mut emulation = Emulation::start(machine, &tools).await?;
    let ended = tokio::select! {
        ended = emulation.run(show) => ended,
        () = signals.received() => Ok(()),
    };
    emulation.end().await?;
    Ok(ended?)
}

fn machine(options: &Options) -> anyhow::Result<Machine> {
    let name = options.eif.display();
    let bytes = std::fs::read(&options.eif).with_context(|| format!("{name} cannot be read"))?;
    Ok(Machine {
        image: BootImage::from_eif(&bytes).with_context(|| format!("{name} cannot be booted"))?,
        signer: Signer::under(authority(options.root.as_deref())?, options.lie),
        vsock: options.vsock.clone(),
        memory_mib: options.memory,
        cpus: options.cpus,
    })
}

fn authority(kept: Option<&Path>) -> anyhow::Result<Authority> {
    let Some(path) = kept else {
        return Ok(Authority::generate());
    };
    let name = path.display();
    if path.exists() {
        let pem = std::fs::read_to_string(path)?;
        return Authority::from_kept(&pem).with_context(|| format!("{name} is not a kept root"));
    }
    let new = Authority::generate();
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(new.to_keep().as_bytes()))
        .with_context(|| format!("{name} cannot be written"))?;
    Ok(new)
}

fn default_tools() -> PathBuf {
    if let Some(named) = std::env::var_os("SYNCLAVE_TOOLS") {
        return PathBuf::from(named).join("vm");
    }
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from);
    home.join(".cache/synclave/tools/vm")
}

#[expect(clippy::print_stdout, reason = "the console is the program's output")]
fn show(line: &str) {
    println!("{}", printable::escaped(line));
}
