//! Work that takes longer than a moment.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;
use synthesis::Progress;

use crate::failure::{Failure, unexpected};

/// How often it is asked whether Ctrl-C was pressed.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// How a piece of work hears that nobody waits for it any more, and tells how far it is.
#[derive(Clone)]
pub(crate) struct Watch {
    given_up: Arc<AtomicBool>,
    progress: Option<Sender<Progress>>,
}

impl Watch {
    pub(crate) fn is_wanted(&self) -> bool {
        !self.given_up.load(Ordering::Relaxed)
    }

    pub(crate) fn tell(&self, progress: Progress) -> ControlFlow<()> {
        if let Some(listener) = &self.progress {
            // Whoever listened may be gone; then the work ends at the next question anyway.
            let _ = listener.send(progress);
        }
        match self.is_wanted() {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }
}

/// Does the work on a thread of its own, without the interpreter's lock. Ctrl-C raises
/// `KeyboardInterrupt` at once; the work ends at its next step, and what it has made until then is
/// dropped unseen. `progress` is called with stage, steps done and steps in all.
pub(crate) fn carry_out<T: Send + 'static>(
    py: Python<'_>,
    progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&Watch) -> Result<T, Failure> + Send + 'static,
) -> PyResult<T> {
    refuse_forked(py)?;
    let given_up = Arc::new(AtomicBool::new(false));
    let (told, steps) = channel();
    let watch = Watch {
        given_up: Arc::clone(&given_up),
        progress: progress.is_some().then_some(told),
    };
    let (done, result) = channel();
    thread::Builder::new()
        .name("synclave".to_owned())
        .spawn(move || {
            // A panic is told as an exception; nothing of the work outlives it.
            let outcome = catch_unwind(AssertUnwindSafe(|| work(&watch)));
            // Nobody may be there any more.
            drop(done.send(outcome));
        })
        .map_err(|error| Failure::from(anyhow::Error::new(error)).into_exception(py))?;
    let waited = wait(py, &Mutex::new(result), &steps, progress);
    if waited.is_err() {
        given_up.store(true, Ordering::Relaxed);
    }
    match waited? {
        Ok(Ok(made)) => Ok(made),
        Ok(Err(failure)) => Err(failure.into_exception(py)),
        Err(_) => Err(unexpected("synclave stopped at a fault of its own")),
    }
}

fn wait<R: Send>(
    py: Python<'_>,
    result: &Mutex<Receiver<R>>,
    steps: &Receiver<Progress>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<R> {
    loop {
        let waited = py.detach(|| {
            let result = result.lock().unwrap_or_else(PoisonError::into_inner);
            result.recv_timeout(LOOK)
        });
        // The last of them alone: a bar needs no more.
        if let (Some(listener), Some(step)) = (progress, steps.try_iter().last()) {
            listener.call1((step.stage, step.done, step.total))?;
        }
        match waited {
            Ok(outcome) => return Ok(outcome),
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(unexpected("a thread of synclave ended without a result"));
            }
        }
    }
}

/// The engine's threads do not come along into a process that was forked off: it would wait for
/// them for ever.
fn refuse_forked(py: Python<'_>) -> PyResult<()> {
    static FIRST: OnceLock<u32> = OnceLock::new();
    let own = std::process::id();
    if *FIRST.get_or_init(|| own) == own {
        return Ok(());
    }
    let sentence = "this process was forked from one that has used synclave, whose threads did not \
                    come along; start it afresh (multiprocessing.get_context(\"spawn\"))";
    Err(Failure::input(sentence).into_exception(py))
}
