//! The log: events from a closed list, as lines of JSON.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use printable::escaped_json;
use serde::Serialize;

use crate::quota::Quota;

/// Most events of one kind in a [`WINDOW`].
const EVENTS_PER_WINDOW: u32 = 50;
const WINDOW: Duration = Duration::from_secs(10);

/// Where a server's events go.
pub type Events<E> = Arc<dyn Fn(E) + Send + Sync>;

/// Returns a log that writes each event as one line of JSON to the standard error stream, with
/// foreign text escaped. An event that cannot be written is lost.
pub fn events_to_stderr<E: Serialize>() -> Events<E> {
    Arc::new(|event| {
        let line = serde_json::to_string(&event).expect("an event has a JSON form");
        // Where nobody listens there is nobody to tell.
        drop(writeln!(stderr(), "{}", escaped_json(&line)));
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that writes a server's log"
)]
fn stderr() -> std::io::Stderr {
    std::io::stderr()
}

/// A log for one kind of event that whoever can connect can cause: in each window of 10 seconds it
/// passes on the first 50, and of the others their number alone.
pub struct LimitedEvents<E> {
    events: Events<E>,
    quota: Arc<Quota>,
}

impl<E: 'static> LimitedEvents<E> {
    /// A log before `events`, with a quota of its own.
    pub fn new(events: Events<E>) -> Self {
        Self {
            events,
            quota: Quota::new(EVENTS_PER_WINDOW, WINDOW),
        }
    }

    /// Passes `event` on, or counts it. `left_out` makes the event that tells how many were only
    /// counted, once, at the end of the window.
    ///
    /// Must be called within a tokio runtime that drives time.
    pub fn tell(&self, event: E, left_out: impl FnOnce(u64) -> E + Send + 'static) {
        let events = Arc::clone(&self.events);
        if self.quota.admits(move |count| events(left_out(count))) {
            (self.events)(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_events_are_passed_on_and_the_number_of_the_others() {
        let told: Arc<Mutex<Vec<u64>>> = Arc::default();
        let record = Arc::clone(&told);
        let log = LimitedEvents::new(Arc::new(move |event| record.lock().unwrap().push(event)));
        for _ in 0..EVENTS_PER_WINDOW + 7 {
            log.tell(0, |count| count);
        }
        tokio::time::sleep(WINDOW).await;
        tokio::task::yield_now().await;
        let told = told.lock().unwrap();
        let first = usize::try_from(EVENTS_PER_WINDOW).unwrap();
        assert_eq!(told[..first], vec![0; first]);
        assert_eq!(told[first..], [7]);
    }
}
