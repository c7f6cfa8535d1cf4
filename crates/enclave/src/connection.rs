//! One connection of a party, past its handshake.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use server_kit::Stage;
use service::ClientIdentity;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tower::ServiceExt;

use crate::EnclaveLimits;
use crate::inbound::{Arriving, strip_reserved};
use crate::write_deadline::with_write_deadline;

/// The longest header of a request, all lines together.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// The buffer that bodies pass through.
const BUFFER_BYTES: usize = 64 * 1024;
/// How long what is still being sent is read and thrown away after an early response, in silence
/// and in all.
const LINGER_SILENCE: Duration = Duration::from_secs(1);
const LINGER: Duration = Duration::from_secs(10);

/// Serves HTTP/1.1 on a verified stream, as the holder of the key `spki`, until either side is
/// done.
///
/// Whatever the requests say about who sends them is removed; the key is all that counts.
pub(crate) async fn serve<S>(
    stream: S,
    spki: Vec<u8>,
    router: Router,
    limits: EnclaveLimits,
    stage: watch::Receiver<Stage>,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        // Here, where the key is known, and before any handler could believe them.
        strip_reserved(request.headers_mut());
        request
            .extensions_mut()
            .insert(ClientIdentity { spki: spki.clone() });
        let request = request.map(|body| Body::new(Arriving::new(body, &limits)));
        let answer = router.clone().oneshot(request);
        Box::pin(async move { answer.await.map_err(|never: Infallible| never) }) as Answering
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Between requests as well: an idle connection ends by it.
        .header_read_timeout(limits.header_deadline)
        // Bounded before it is parsed: any registered key may send it.
        .max_header_size(MAX_HEADER_BYTES)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(
            TokioIo::new(with_write_deadline(stream, limits.write_deadline)),
            service,
        );
    let served = tokio::select! {
        served = poll_fn(|context| connection.poll_without_shutdown(context)) => served,
        () = Stage::Draining.reached(stage) => {
            // The request under way is answered, then the connection closes.
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|context| connection.poll_without_shutdown(context)).await
        }
    };
    // An error ends this connection and nothing else. What it says may quote the request, so it
    // goes nowhere.
    drop(served);
    linger(connection.into_parts().io.into_inner()).await;
}

type Answering = Pin<Box<dyn Future<Output = Result<axum::response::Response, Infallible>> + Send>>;

/// Closes the sending side first and reads on for a while: a close with unread bytes becomes a
/// reset, which can overtake the response.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let discard = async {
        let mut sink = vec![0; BUFFER_BYTES];
        while let Ok(Ok(1..)) = tokio::time::timeout(LINGER_SILENCE, stream.read(&mut sink)).await {
        }
    };
    drop(tokio::time::timeout(LINGER, discard).await);
}
