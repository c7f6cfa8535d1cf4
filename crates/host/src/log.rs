//! What is told of connections, of which there may be very many.

use std::sync::Arc;
use std::time::Duration;

use admission::Quota;

use crate::event::{Event, Events, Frequent};

/// Events of each kind that are told in a window of time.
const MOST: u32 = 50;
const WINDOW: Duration = Duration::from_secs(10);

/// The log of connections: where there are too many events of a kind, how many were left out is
/// told instead.
pub(crate) struct Log {
    events: Events,
    quotas: [Arc<Quota>; Frequent::NAMES.len()],
}

impl Log {
    pub(crate) fn new(events: Events) -> Self {
        Self {
            events,
            quotas: std::array::from_fn(|_| Quota::new(MOST, WINDOW)),
        }
    }

    // Per kind: a crowd that is refused must not silence the ends of parties' connections.
    pub(crate) fn tell(&self, of: Frequent, event: Event) {
        let events = Arc::clone(&self.events);
        let left_out = move |count| events(Event::EventsLeftOut { of, count });
        if self.quotas[of as usize].admits(left_out) {
            (self.events)(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_left_out_of_the_log_is_counted_by_kind() {
        let told: Arc<Mutex<Vec<Event>>> = Arc::default();
        let record = Arc::clone(&told);
        let log = Log::new(Arc::new(move |event| record.lock().unwrap().push(event)));
        for _ in 0..MOST + 7 {
            log.tell(Frequent::AcceptFailed, Event::AcceptFailed);
        }
        log.tell(Frequent::Ended, Event::Stopped);
        tokio::time::sleep(WINDOW).await;
        tokio::task::yield_now().await;
        let (of, count) = (Frequent::AcceptFailed, 7);
        let told = told.lock().unwrap();
        assert_eq!(told.len(), usize::try_from(MOST).unwrap() + 2);
        assert_eq!(*told.last().unwrap(), Event::EventsLeftOut { of, count });
    }
}
