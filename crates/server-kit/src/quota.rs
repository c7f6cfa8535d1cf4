//! How many events of a kind may be told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Events of one kind: in each window of time the first `most` are told, and of the others only
/// their number.
#[derive(Debug)]
pub(crate) struct Quota {
    most: u32,
    window: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    began: Instant,
    admitted: u32,
    left_out: u64,
}

impl Quota {
    /// `most` events in each `window`, which begins with its first event.
    pub(crate) fn new(most: u32, window: Duration) -> Arc<Self> {
        Arc::new(Self {
            most,
            window,
            state: Mutex::new(State {
                began: Instant::now(),
                admitted: 0,
                left_out: 0,
            }),
        })
    }

    /// Whether an event of now may be told. Where events are left out, `tell` is called once, at
    /// the end of the window, with their number. Must be called in a tokio runtime.
    pub(crate) fn admits(self: &Arc<Self>, tell: impl FnOnce(u64) + Send + 'static) -> bool {
        let mut state = self.state();
        let now = Instant::now();
        // A window begins with an event, not by the clock: a burst across a border is not told
        // twice.
        if now >= state.began + self.window {
            state.began = now;
            state.admitted = 0;
        }
        if state.admitted < self.most {
            state.admitted += 1;
            return true;
        }
        state.left_out += 1;
        // One task a window, however many events are left out.
        if state.left_out == 1 {
            let (quota, end) = (Arc::clone(self), state.began + self.window);
            tokio::spawn(async move {
                // At the end of the window and not before, so that the number is whole.
                sleep_until(end).await;
                let left_out = std::mem::take(&mut quota.state().left_out);
                tell(left_out);
            });
        }
        false
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_too_much_is_counted_and_told_once_a_window() {
        let quota = Quota::new(3, Duration::from_secs(10));
        let told: Arc<Mutex<Vec<u64>>> = Arc::default();
        let mut admitted = 0;
        // One event every 100 ms for 25 s.
        for _ in 0..250 {
            let told = Arc::clone(&told);
            admitted += u32::from(quota.admits(move |count| told.lock().unwrap().push(count)));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
        let told = told.lock().unwrap();
        assert_eq!((admitted, told.len()), (9, 3));
        assert_eq!(told.iter().sum::<u64>(), 250 - 9, "{told:?}");
    }
}
