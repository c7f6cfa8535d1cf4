//! One connection from the local side.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::time::Duration;

use hyper::body::{Body, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use server_kit::Stage;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// From the end of one request to the end of the next one's header: connections that are kept and
/// not used take the places of others. Browsers and HTTP libraries make another one when they find
/// theirs closed.
const HEADER_DEADLINE: Duration = Duration::from_secs(15);
/// How long what a person's program is still sending is read and thrown away after an early
/// response, in silence and in all.
const LINGER_SILENCE: Duration = Duration::from_secs(2);
const LINGER: Duration = Duration::from_secs(120);

/// Serves HTTP/1.1 on `stream` until the other side closes it, or until it is time to end and the
/// request under way is answered.
pub(crate) async fn serve<S, B>(stream: TcpStream, service: S, stage: watch::Receiver<Stage>)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Unpin>
        + Unpin,
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + 'static,
{
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .serve_connection(TokioIo::new(stream), service);
    let served = tokio::select! {
        served = poll_fn(|context| connection.poll_without_shutdown(context)) => served,
        () = Stage::Draining.reached(stage) => {
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|context| connection.poll_without_shutdown(context)).await
        }
    };
    // An error ends this connection and nothing else; the program on the other side has seen it
    // too.
    drop(served);
    linger(connection.into_parts().io.into_inner()).await;
}

/// Closes the sending side first and reads on for a while: a close with unread bytes becomes a
/// reset, which can overtake the response.
async fn linger(mut stream: TcpStream) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let discard = async {
        let mut sink = vec![0; 64 * 1024];
        while let Ok(Ok(1..)) = within(LINGER_SILENCE, stream.read(&mut sink)).await {}
    };
    drop(within(LINGER, discard).await);
}

async fn within<F: Future>(
    limit: Duration,
    future: F,
) -> Result<F::Output, tokio::time::error::Elapsed> {
    tokio::time::timeout(limit, future).await
}
