//! How the operating system asks a program to stop.

use std::io;

/// The signals that ask a program to stop: SIGTERM and SIGINT, or Ctrl-C on Windows.
#[derive(Debug)]
pub struct StopSignals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
}

impl StopSignals {
    /// Takes the signals over from the operating system. Until now they ended the program by
    /// themselves; from now on none is lost, and [`received`](Self::received) returns even if it
    /// came before the call.
    ///
    /// Must be called within a tokio runtime that drives I/O.
    ///
    /// # Errors
    /// Those of the operating system.
    #[cfg(unix)]
    pub fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Takes Ctrl-C over from the operating system. Until now it ended the program by itself; from
    /// now on none is lost, and [`received`](Self::received) returns even if it came before the
    /// call.
    ///
    /// Must be called within a tokio runtime that drives I/O.
    ///
    /// # Errors
    /// Those of the operating system.
    #[cfg(windows)]
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: tokio::signal::windows::ctrl_c()?,
        })
    }

    /// Waits until one of the signals has come.
    pub async fn received(mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        #[cfg(windows)]
        self.interrupt.recv().await;
    }
}
