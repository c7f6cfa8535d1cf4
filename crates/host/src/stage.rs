//! How far the end has come.

use tokio::sync::watch;

/// What connections go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Connections are accepted and relayed.
    Serving,
    /// Those that are there may end, and no more come.
    Draining,
    /// Everything is closed at once.
    Over,
}

impl Stage {
    /// Waits until this stage or a later one; it has also come where nobody can announce it any
    /// more.
    pub(crate) async fn reached(self, mut announced: watch::Receiver<Stage>) {
        drop(announced.wait_for(|stage| *stage >= self).await);
    }
}
