//! Verified connections to the room, kept for the next request.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use attested_tls::VerifiedChannel;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

use crate::{Error, dial::Dial};

/// Connections at once; the enclave allows one key some more than this.
const MAX_CONNECTIONS: usize = 24;
/// How long a request waits for one of them to come free.
const SLOT_DEADLINE: Duration = Duration::from_secs(30);
/// An unused connection is not used again after this time; the enclave closes it some seconds
/// later.
const MAX_IDLE: Duration = Duration::from_secs(20);
/// How long a connection may take to be ready for the next request, once a response is complete.
const SETTLE_DEADLINE: Duration = Duration::from_secs(1);

/// What a request carries upstream.
pub(crate) type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// The room, as far as this side knows it: how to reach it, and connections that were verified and
/// are free.
pub(crate) struct Upstream {
    dial: Dial,
    idle: Mutex<Vec<Idle>>,
    slots: Arc<Semaphore>,
}

struct Idle {
    sender: SendRequest<Body>,
    driver: AbortHandle,
    since: Instant,
}

/// One verified connection, in the hands of one request.
pub(crate) struct Connection {
    sender: SendRequest<Body>,
    driver: AbortHandle,
    reused: bool,
    /// Unused connections hold none, but are taken before new ones are made: there are never more
    /// of both than slots.
    slot: OwnedSemaphorePermit,
}

/// Why a request got no response.
pub(crate) enum Failed {
    /// Nothing of it was sent: it may go over another connection.
    Unsent(Box<Request<Body>>),
    /// The connection was lost after something of it was sent, or it was too much for the other
    /// side.
    Lost,
}

impl Upstream {
    pub(crate) fn new(dial: Dial) -> Self {
        Self {
            dial,
            idle: Mutex::default(),
            slots: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        }
    }

    /// A free connection, or else a new one, verified like the first.
    ///
    /// # Errors
    /// As [`Dial::connect`]; [`Error::Busy`] where too many requests are under way for too long.
    pub(crate) async fn connection(&self) -> Result<Connection, Error> {
        let slot = self.slot().await?;
        if let Some(Idle { sender, driver, .. }) = self.take_idle() {
            return Ok(Connection {
                sender,
                driver,
                reused: true,
                slot,
            });
        }
        let (sender, driver) = self.dial.connect().await?;
        Ok(Connection {
            sender,
            driver,
            reused: false,
            slot,
        })
    }

    /// A new connection for the sake of what it must show, closed again.
    pub(crate) async fn check(&self) -> Result<VerifiedChannel, Error> {
        let slot = self.slot().await?;
        let verified = self.dial.check().await;
        drop(slot);
        verified
    }

    async fn slot(&self) -> Result<OwnedSemaphorePermit, Error> {
        // Waits for a slot rather than refuse at once: short peaks are ordinary.
        let slot = tokio::time::timeout(SLOT_DEADLINE, Arc::clone(&self.slots).acquire_owned());
        let slot = slot.await.map_err(|_| Error::Busy)?;
        Ok(slot.expect("the semaphore is never closed"))
    }

    fn take_idle(&self) -> Option<Idle> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that are about to be closed by the enclave, or are already.
        idle.retain(|it| it.since.elapsed() < MAX_IDLE && !it.sender.is_closed());
        // The latest used is the least likely to have been closed.
        idle.pop()
    }

    /// Keeps `connection` for the next request, once it has said that it can take one; ends it
    /// otherwise.
    ///
    /// A response may be complete while its request is still being sent (an upload refused half
    /// way): such a connection does not settle, and is ended.
    pub(crate) fn give_back(self: Arc<Self>, connection: Connection) {
        let Connection {
            mut sender,
            driver,
            slot,
            ..
        } = connection;
        tokio::spawn(async move {
            // Readiness says that request and response are both through.
            if let Ok(Ok(())) = tokio::time::timeout(SETTLE_DEADLINE, sender.ready()).await {
                let idle = Idle {
                    sender,
                    driver,
                    since: Instant::now(),
                };
                self.idle
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(idle);
            } else {
                driver.abort();
            }
            // Last, so that there are never more connections than slots.
            drop(slot);
        });
    }
}

impl Connection {
    /// Whether an earlier request went over it, so that the other side may have closed it in the
    /// meantime.
    pub(crate) fn reused(&self) -> bool {
        self.reused
    }

    pub(crate) async fn send(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Failed> {
        self.sender
            .try_send_request(request)
            .await
            .map_err(|mut error| match error.take_message() {
                // The message is given back only if nothing of it was written.
                Some(request) => Failed::Unsent(Box::new(request)),
                None => Failed::Lost,
            })
    }

    /// Closes it at once, whatever it is doing.
    pub(crate) fn end(self) {
        self.driver.abort();
    }
}

/// Speaks HTTP/1.1 over `io`, in a task of its own.
pub(crate) async fn speak_http<I>(io: I) -> Result<(SendRequest<Body>, AbortHandle), hyper::Error>
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(io)).await?;
    // How a connection ended shows in the request that went over it.
    let driver = tokio::spawn(async move { drop(connection.await) }).abort_handle();
    Ok((sender, driver))
}

/// No body.
pub(crate) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}
