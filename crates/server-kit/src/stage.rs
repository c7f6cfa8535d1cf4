//! How far a server is on its way to the end.

use tokio::sync::watch;

/// How far a server is on its way to the end.
///
/// A server announces it over a [`watch`] channel; each connection watches the channel, so that
/// none has to be known to whoever ends the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Connections are accepted, and requests on them are read and answered.
    Serving,
    /// No connection is accepted and no new request is read; what is under way may complete.
    Draining,
    /// Every connection is closed at once.
    Closed,
}

impl Stage {
    /// Waits until this stage or a later one is announced.
    ///
    /// A channel whose sender is dropped counts as [`Stage::Closed`]: a server that has panicked
    /// must not leave connections behind.
    pub async fn reached(self, mut announced: watch::Receiver<Stage>) {
        drop(announced.wait_for(|stage| *stage >= self).await);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn a_stage_is_reached_by_itself_by_a_later_one_and_by_the_senders_end() {
        for end in [Some(Stage::Draining), Some(Stage::Closed), None] {
            let (announce, announced) = watch::channel(Stage::Serving);
            let mut reached = pin!(Stage::Draining.reached(announced));
            assert_eq!(polled_once(reached.as_mut()).await, Poll::Pending);
            match end {
                Some(stage) => drop(announce.send(stage)),
                None => drop(announce),
            }
            reached.await;
        }
    }

    async fn polled_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
    }
}
