//! Why an enclave does not start.

use std::io;
use std::path::PathBuf;

/// Why an enclave does not start. Each message is a sentence for the person who starts it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the room's folder that cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    RoomFile {
        /// Path of the file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Files that are not an agreement at all.
    #[error("{0}")]
    Files(#[from] protocol::AgreementError),
    /// An agreement that makes no sense.
    #[error("{0}")]
    Agreement(#[from] service::AgreementError),
    /// The enclave has too little memory for the agreement.
    #[error("{0}")]
    Memory(#[from] service::TooLittleMemory),
    /// The running program cannot be measured.
    #[error("the running program cannot be read to measure it: {0}")]
    Executable(#[source] io::Error),
    /// The security module does not vouch for the room.
    #[cfg(target_os = "linux")]
    #[error("{0}")]
    Nsm(#[from] crate::NsmError),
    /// The listener cannot be opened, or has no address.
    #[error("the listening socket is unusable: {0}")]
    Listener(#[source] io::Error),
    /// No room id could be drawn.
    #[error("the operating system gives no randomness")]
    Entropy,
    /// No thread could be started.
    #[error("the operating system starts no thread: {0}")]
    Threads(#[source] io::Error),
}

impl From<service::CannotOpen> for Error {
    fn from(cause: service::CannotOpen) -> Self {
        match cause {
            service::CannotOpen::NoEntropy(_) => Error::Entropy,
            service::CannotOpen::NoThread(source) => Error::Threads(source),
        }
    }
}
