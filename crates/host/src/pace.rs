//! A bound on the bytes that a connection moves in a second.

use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// What may be sent at once after a pause: the bytes of this much time.
const BURST: Duration = Duration::from_secs(1);

/// Keeps one direction of a connection to a rate, on average over any time that is longer than a
/// second.
pub(crate) struct Pace {
    bytes_per_second: Option<NonZeroU32>,
    /// When everything that was sent so far would have been sent at the rate.
    paid_until: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    pub(crate) fn new(bytes_per_second: Option<NonZeroU32>) -> Self {
        Self {
            bytes_per_second,
            paid_until: Instant::now(),
            timer: None,
        }
    }

    /// How much may be sent in one go, so that the pause after it is no longer than a second.
    pub(crate) fn at_once(&self, bytes: usize) -> usize {
        // Else one large buffer would be sent at once, followed by a pause of minutes.
        match self.bytes_per_second {
            Some(rate) => bytes.min(usize::try_from(rate.get()).unwrap_or(usize::MAX)),
            None => bytes,
        }
    }

    /// Ready when the next bytes may be taken.
    pub(crate) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // A second's worth ahead of the rate is allowed, so that small bursts are not cut.
        if self.bytes_per_second.is_none() || self.paid_until <= Instant::now() + BURST {
            return Poll::Ready(());
        }
        let next = self.paid_until - BURST;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(next)));
        timer.as_mut().reset(next);
        timer.as_mut().poll(context)
    }

    pub(crate) fn spend(&mut self, bytes: usize) {
        if let Some(rate) = self.bytes_per_second {
            let time = Duration::from_secs_f64(bytes as f64 / f64::from(rate.get()));
            // Unused time is not saved up: after an hour of silence the burst is still a second's.
            self.paid_until = self.paid_until.max(Instant::now()) + time;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn time_for(rate: u32, parts: u32, bytes: usize) -> Duration {
        let mut pace = Pace::new(NonZeroU32::new(rate));
        let start = Instant::now();
        for _ in 0..parts {
            poll_fn(|context| pace.poll_ready(context)).await;
            pace.spend(bytes);
        }
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_burst_the_rate_holds() {
        let time = time_for(1000, 100, 100).await.as_secs_f64();
        // 10,000 bytes; the first second's worth and the last part are free.
        assert!((8.8..=9.1).contains(&time), "{time}");
        assert_eq!(time_for(0, 1000, 1 << 20).await, Duration::ZERO);
    }

    #[test]
    fn no_single_part_costs_more_than_a_second() {
        assert_eq!(Pace::new(NonZeroU32::new(100)).at_once(16384), 100);
        assert_eq!(Pace::new(None).at_once(16384), 16384);
    }
}
