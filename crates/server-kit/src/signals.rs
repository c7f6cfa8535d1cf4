//! How the operating system asks a program to stop.

use std::io;

/// The signals that ask a program to stop: SIGTERM and SIGINT; on Windows Ctrl-C, Ctrl-Break, and
/// that its window is closed or the machine shut down.
#[derive(Debug)]
pub struct StopSignals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
    #[cfg(windows)]
    stop: tokio::signal::windows::CtrlBreak,
    #[cfg(windows)]
    close: tokio::signal::windows::CtrlClose,
    #[cfg(windows)]
    shut_down: tokio::signal::windows::CtrlShutdown,
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

    /// Takes the signals over from the operating system. Until now they ended the program by
    /// themselves; from now on none is lost, and [`received`](Self::received) returns even if it
    /// came before the call. After a window is closed, Windows leaves a program a few seconds.
    ///
    /// Must be called within a tokio runtime that drives I/O.
    ///
    /// # Errors
    /// Those of the operating system.
    #[cfg(windows)]
    pub fn listen() -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
        Ok(Self {
            interrupt: ctrl_c()?,
            stop: ctrl_break()?,
            close: ctrl_close()?,
            shut_down: ctrl_shutdown()?,
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
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.stop.recv() => {}
            _ = self.close.recv() => {}
            _ = self.shut_down.recv() => {}
        }
    }
}
