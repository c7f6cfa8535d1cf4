//! Starting an enclave, seeing it end, and ending it.

use std::ffi::OsString;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::enclave_address::EnclaveAddress;
use crate::nitro::{NitroEnclave, NitroOptions};

/// How long a program that was told to end may take.
const END_DEADLINE: Duration = Duration::from_secs(20);

/// Where an enclave comes from.
#[derive(Clone, Debug)]
pub enum Launch {
    // One that somebody else keeps is never ended by us.
    /// Somebody else keeps it alive.
    Attached {
        /// Where it is reached.
        address: EnclaveAddress,
    },
    /// A program that runs it; its end is the enclave's end.
    Command {
        /// The program and its arguments; not empty.
        command: Vec<OsString>,
        /// Where the enclave is then reached.
        address: EnclaveAddress,
    },
    /// `nitro-cli`.
    Nitro(NitroOptions),
}

/// Why no enclave was started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A program that cannot be started.
    #[error("`{program}` cannot be started: {source}")]
    Program {
        /// Name of the program.
        program: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// The program `nitro-cli` cannot be found.
    #[error(
        "`nitro-cli` is not installed: an enclave needs a parent machine with AWS Nitro Enclaves \
         (on Amazon Linux 2023, `dnf install \
         aws-nitro-enclaves-cli`); to start an emulated one, use --run"
    )]
    NoNitroCli,
    /// nitro-cli did not do what it was asked to.
    #[error("`nitro-cli {task}` failed: {said}")]
    NitroCli {
        /// The command of nitro-cli that was run.
        task: &'static str,
        /// What it wrote, cut to some hundred characters.
        said: String,
    },
}

/// An enclave that is there.
pub(crate) enum Running {
    Attached,
    Program(Program),
    Nitro(NitroEnclave),
}

impl Running {
    /// Starts what `launch` says, and gives the address to reach it. It may take a while until
    /// something listens there.
    pub(crate) async fn start(launch: &Launch) -> Result<(Self, EnclaveAddress), LaunchError> {
        match launch {
            Launch::Attached { address } => Ok((Self::Attached, address.clone())),
            Launch::Command { command, address } => {
                Ok((Self::Program(Program::start(command)?), address.clone()))
            }
            Launch::Nitro(options) => {
                let enclave = NitroEnclave::start(options).await?;
                let address = EnclaveAddress::Vsock { cid: enclave.cid() };
                Ok((Self::Nitro(enclave), address))
            }
        }
    }

    /// Completes when it is gone, with its exit code where there is one. What somebody else keeps
    /// alive never ends as far as we know.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        match self {
            Self::Attached => std::future::pending().await,
            Self::Program(program) => program.ended().await,
            Self::Nitro(enclave) => {
                enclave.ended().await;
                None
            }
        }
    }

    /// Ends it, if it is ours and still there.
    pub(crate) async fn end(self) {
        match self {
            Self::Attached => {}
            Self::Program(program) => program.end().await,
            Self::Nitro(enclave) => enclave.end().await,
        }
    }
}

/// A program in a process group of its own: Ctrl-C in a terminal is for the host, which then ends
/// the program in order.
pub(crate) struct Program {
    child: Child,
    group: Option<Pid>,
}

impl Program {
    fn start(command: &[OsString]) -> Result<Self, LaunchError> {
        let (program, arguments) = command.split_first().expect("a command is not empty");
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            // In its own group, so that its children end with it.
            .process_group(0)
            // If this task is dropped, the program must not outlive it.
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| LaunchError::Program {
                program: program.to_string_lossy().into_owned(),
                source,
            })?;
        let group = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        Ok(Self { child, group })
    }

    async fn ended(&mut self) -> Option<i32> {
        self.child
            .wait()
            .await
            .ok()
            .and_then(|status| status.code())
    }

    async fn end(mut self) {
        // Asked first: an emulator may have to end a virtual machine in order.
        self.signal(Signal::TERM);
        drop(timeout(END_DEADLINE, self.child.wait()).await);
        // Whatever of it did not end: an old enclave must not be in the way of the next.
        self.signal(Signal::KILL);
        drop(self.child.wait().await);
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // Where nothing of it is left there is nothing to tell.
            let _nobody_left = kill_process_group(group, signal);
        }
    }
}
