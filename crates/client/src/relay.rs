//! A request of the local side on its way to the room, and the response on its way back.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use access::Endpoint;
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response, Uri, Version};
use tokio::time::{Sleep, sleep};

use crate::upstream::{self, Connection, Failed, Upstream};
use crate::{Error, headers};

/// How long the room may be silent when it is its turn: after a request, between two parts of a
/// response, or not taking in a body.
const SILENCE: Duration = Duration::from_secs(120);

/// Sends `request` to the room and gives its response, whose body streams.
///
/// Only what was not sent at all, or asks for nothing but a look (GET without a body, of a path
/// that changes nothing) over a connection that may have been closed in the meantime, is sent
/// again.
pub(crate) async fn relay<B>(
    upstream: &Arc<Upstream>,
    request: Request<B>,
) -> Result<Response<Relayed>, Error>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Send + Unpin + 'static,
{
    let (mut head, body) = request.into_parts();
    // Only path and query are the room's; how this port is called is not.
    head.uri = origin_form(&head.uri);
    head.version = Version::HTTP_11;
    headers::strip(&mut head.headers);
    // A name that tells nothing of this machine.
    head.headers.insert(HOST, HeaderValue::from_static("room"));

    let pulse = Arc::new(Pulse::new());
    let changes = Endpoint::at(head.uri.path()).is_some_and(Endpoint::changes_the_room);
    let is_a_look = head.method.is_safe() && body.is_end_stream() && !changes;
    // Sending again is safe only where nothing can have happened: RFC 9110, section 9.2.2, and not
    // for our GET that confirms.
    let again = is_a_look.then(|| head.clone());
    let mut request = with_body(
        head,
        Outbound {
            body,
            pulse: Arc::clone(&pulse),
        },
    );
    loop {
        let mut connection = upstream.connection().await?;
        pulse.beat();
        let sent = tokio::select! {
            sent = connection.send(request) => sent,
            () = pulse.stops() => {
                connection.end();
                return Err(Error::Silent);
            }
        };
        request = match sent {
            Ok(response) => return Ok(inbound(response, connection, upstream)),
            // Nothing of it was sent, so that it may go over another connection even if it changes
            // something.
            Err(Failed::Unsent(unsent)) if connection.reused() => *unsent,
            // The enclave closes idle connections by itself, which shows only when one is used.
            Err(Failed::Lost) if connection.reused() => match &again {
                Some(head) => Request::from_parts(head.clone(), upstream::empty()),
                None => return Err(Error::Lost),
            },
            Err(_) => return Err(Error::Lost),
        };
    }
}

fn origin_form(uri: &Uri) -> Uri {
    uri.path_and_query()
        .cloned()
        .map_or_else(|| Uri::from_static("/"), Uri::from)
}

fn with_body<B>(head: Parts, body: Outbound<B>) -> Request<upstream::Body>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Send + Unpin + 'static,
{
    Request::from_parts(head, body.boxed_unsync())
}

fn inbound(
    response: Response<Incoming>,
    connection: Connection,
    upstream: &Arc<Upstream>,
) -> Response<Relayed> {
    let (mut head, body) = response.into_parts();
    // Cookies and hop-by-hop headers are between the room and this side.
    headers::strip(&mut head.headers);
    head.version = Version::HTTP_11;
    let body = Relayed {
        ended: body.is_end_stream(),
        body,
        // Held until the body has ended: one connection carries one response at a time.
        lease: Some((connection, Arc::clone(upstream))),
        patience: Box::pin(sleep(SILENCE)),
    };
    Response::from_parts(head, body)
}

/// When something last moved towards the room.
struct Pulse {
    start: Instant,
    /// Milliseconds since `start`, or [`Pulse::HELD`] while it is the local side that has nothing
    /// to send.
    last: AtomicU64,
}

impl Pulse {
    const HELD: u64 = u64::MAX;

    fn new() -> Self {
        Self {
            start: Instant::now(),
            last: AtomicU64::new(0),
        }
    }

    fn beat(&self) {
        // One less, since the highest value means "held".
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(Self::HELD - 1);
        self.last.store(now, Ordering::Relaxed);
    }

    fn hold(&self) {
        self.last.store(Self::HELD, Ordering::Relaxed);
    }

    /// Returns once nothing has moved for [`SILENCE`] while the room could have taken or answered
    /// something.
    async fn stops(&self) {
        // A local program that sends nothing is not the room's fault.
        loop {
            let quiet = match self.last.load(Ordering::Relaxed) {
                Self::HELD => Duration::ZERO,
                last => self
                    .start
                    .elapsed()
                    .saturating_sub(Duration::from_millis(last)),
            };
            if quiet >= SILENCE {
                return;
            }
            sleep(SILENCE - quiet).await;
        }
    }
}

/// The request's body on its way to the room: data only, trailers are dropped.
struct Outbound<B> {
    body: B,
    pulse: Arc<Pulse>,
}

impl<B> Body for Outbound<B>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        loop {
            let polled = Pin::new(&mut self.body).poll_frame(context);
            if polled.is_pending() {
                self.pulse.hold();
            } else {
                self.pulse.beat();
            }
            match ready!(polled) {
                Some(Ok(frame)) if frame.is_trailers() => {}
                other => return Poll::Ready(other),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The response's body on its way back: data only. Its connection serves the next request once it
/// has ended, and is closed when it is dropped before.
pub(crate) struct Relayed {
    body: Incoming,
    ended: bool,
    lease: Option<(Connection, Arc<Upstream>)>,
    patience: Pin<Box<Sleep>>,
}

impl Body for Relayed {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            // The clock runs while the room has the turn; a body that comes slowly but comes is
            // fine.
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
                ready!(self.patience.as_mut().poll(context));
                return Poll::Ready(Some(Err(Error::Silent.into())));
            };
            let deadline = tokio::time::Instant::now() + SILENCE;
            // Set again at each frame: silence counts, not length.
            self.patience.as_mut().reset(deadline);
            self.ended = frame.is_none() || self.body.is_end_stream();
            match frame {
                Some(Ok(frame)) if frame.is_trailers() => {}
                other => return Poll::Ready(other.map(|frame| frame.map_err(Into::into))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Relayed {
    // A response that was not read to its end would mix with the next one.
    fn drop(&mut self) {
        if let Some((connection, upstream)) = self.lease.take() {
            if self.ended {
                upstream.give_back(connection);
            } else {
                connection.end();
            }
        }
    }
}
