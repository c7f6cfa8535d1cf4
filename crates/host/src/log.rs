//! What is told of connections, of which there may be very many.

use std::sync::Arc;

use server_kit::LimitedEvents;

use crate::event::{Events, Frequent, HostEvent};

/// The log of connections: where there are too many events of a kind, how many were left out is
/// told instead.
pub(crate) struct Log {
    // Per kind: a crowd that is refused must not silence the ends of parties' connections.
    of_kind: [LimitedEvents<HostEvent>; Frequent::NAMES.len()],
}

impl Log {
    pub(crate) fn new(events: &Events) -> Self {
        Self {
            of_kind: std::array::from_fn(|_| LimitedEvents::new(Arc::clone(events))),
        }
    }

    pub(crate) fn tell(&self, of: Frequent, event: HostEvent) {
        self.of_kind[of as usize].tell(event, move |count| HostEvent::EventsLeftOut { of, count });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_left_out_of_the_log_is_counted_by_kind() {
        let told: Arc<Mutex<Vec<HostEvent>>> = Arc::default();
        let record = Arc::clone(&told);
        let log = Log::new(&(Arc::new(move |event| record.lock().unwrap().push(event)) as Events));
        for _ in 0..57 {
            log.tell(Frequent::AcceptFailed, HostEvent::AcceptFailed);
        }
        log.tell(Frequent::Ended, HostEvent::Stopped);
        tokio::time::sleep(Duration::from_secs(10)).await;
        tokio::task::yield_now().await;
        let (of, count) = (Frequent::AcceptFailed, 7);
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 52);
        assert_eq!(
            *told.last().unwrap(),
            HostEvent::EventsLeftOut { of, count }
        );
    }
}
