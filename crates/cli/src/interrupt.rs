//! Ctrl-C during long work.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use server_kit::StopSignals;

use crate::exit::Exit;
use crate::printer::Printer;

/// The files that are not whole yet, and whether any has become so. Whoever holds the lock is not
/// interrupted.
pub(crate) struct Unfinished {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) kept: bool,
}

static UNFINISHED: Mutex<Unfinished> = Mutex::new(Unfinished {
    files: Vec::new(),
    kept: false,
});

/// Keeps an interruption waiting until it is dropped.
pub(crate) fn unfinished() -> MutexGuard<'static, Unfinished> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on an interruption ends the program at once, whatever it is doing, and no unfinished
/// file stays behind.
///
/// Noise that was drawn until then is never seen by anyone, so that nothing of the data is
/// released.
pub(crate) fn leaves_nothing_behind(printer: Printer) -> anyhow::Result<()> {
    // A runtime of its own, as commands may not have one.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .context("could not prepare for an interruption")?;
    // Listening begins here, so that there is no moment after this one when a signal is lost.
    let signals = {
        let _within = runtime.enter();
        StopSignals::listen().context("could not prepare for an interruption")?
    };
    std::thread::Builder::new()
        .name("interruption".to_owned())
        .spawn(move || {
            runtime.block_on(signals.received());
            // Waits for renames under way: then either all files are there or none.
            let unfinished = unfinished();
            for file in &unfinished.files {
                drop(std::fs::remove_file(file));
            }
            printer.interrupted(if unfinished.kept {
                "interrupted; the files were written already"
            } else {
                "interrupted: no file was written, and nothing of the data was released"
            });
            // 130, as a shell shows it for Ctrl-C.
            std::process::exit(Exit::Interrupted.code().into());
        })
        .context("could not prepare for an interruption")?;
    Ok(())
}
