//! A page that is being served.

use std::sync::Arc;

use client::BoundPort;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::page::Page;
use crate::printer::Printer;

/// A page and the room behind it, at their port, until [`ServedPage::end`].
pub(crate) struct ServedPage {
    page: Arc<Page>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl ServedPage {
    /// Begins to serve; what goes wrong between here and the room is told to the page, and to
    /// `printer` as a warning.
    pub(crate) fn start(page: Arc<Page>, bound: BoundPort, printer: Printer) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let noticing = Arc::clone(&page);
        let serving = page
            .proxy(bound)
            .serve(async { drop(stopped.await) }, move |error| {
                noticing.notice(error);
                printer.warn(error);
            });
        Self {
            page,
            stop,
            serving: tokio::spawn(serving),
        }
    }

    pub(crate) fn page(&self) -> &Page {
        &self.page
    }

    /// Answers what is under way, such as the request that ends it, and stops.
    pub(crate) async fn end(self) {
        drop(self.stop);
        // It has no error, and a panic in it was told where it happened.
        drop(self.serving.await);
    }
}
