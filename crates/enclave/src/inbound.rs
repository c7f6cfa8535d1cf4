//! A request as the room may see it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::HeaderMap;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::HeaderName;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::EnclaveLimits;

/// Removes every header in which a front door of another kind would name the user: here the key
/// alone says who it is.
///
/// `x-oblv-*` and `x-synclave-*`, also written with underscores, which some servers take for
/// dashes.
pub(crate) fn strip_reserved(headers: &mut HeaderMap) {
    // Collected first, as a map cannot lose entries while it is looked through.
    let doomed: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_reserved(name))
        .cloned()
        .collect();
    for name in doomed {
        headers.remove(name);
    }
}

fn is_reserved(name: &HeaderName) -> bool {
    let name = name.as_str().replace('_', "-");
    name.starts_with("x-oblv") || name.starts_with("x-synclave")
}

/// A request's body that must keep coming: data only (trailers are dropped), at no less than an
/// agreed average rate.
///
/// What counts is the time spent waiting for the other side, not the time the room takes to work on
/// what came.
pub(crate) struct Arriving<B> {
    body: B,
    limits: EnclaveLimits,
    /// Waiting that is left, apart from the wait under way.
    credit: Duration,
    waiting_since: Option<Instant>,
    deadline: Pin<Box<Sleep>>,
}

/// The other side sends its body too slowly, or has stopped sending.
#[derive(Debug, thiserror::Error)]
#[error("the request's body comes too slowly")]
struct TooSlow;

impl<B> Arriving<B> {
    pub(crate) fn new(body: B, limits: &EnclaveLimits) -> Self {
        let deadline = Box::pin(sleep_until(Instant::now() + limits.body_grace));
        Self {
            body,
            limits: *limits,
            credit: limits.body_grace,
            waiting_since: None,
            deadline,
        }
    }
}

impl<B> Body for Arriving<B>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin,
{
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            // The clock runs only while we wait for the other side.
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
                if self.waiting_since.is_none() {
                    let now = Instant::now();
                    let deadline = now + self.credit;
                    self.waiting_since = Some(now);
                    self.deadline.as_mut().reset(deadline);
                }
                ready!(self.deadline.as_mut().poll(context));
                return Poll::Ready(Some(Err(TooSlow.into())));
            };
            if let Some(since) = self.waiting_since.take() {
                self.credit = self.credit.saturating_sub(since.elapsed());
            }
            match frame {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    // At the slowest allowed rate a byte earns its own time; faster senders earn
                    // more.
                    let earned = Duration::from_secs(data.len() as u64) / self.limits.body_rate;
                    self.credit = self
                        .credit
                        .saturating_add(earned)
                        // Capped: a fast beginning must not pay for hours of silence.
                        .min(self.limits.body_grace);
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use http_body_util::{BodyExt, StreamBody};
    use hyper::HeaderMap;
    use hyper::body::{Bytes, Frame};
    use hyper::header::{HeaderName, HeaderValue};
    use tokio::sync::mpsc;

    use super::{Arriving, strip_reserved};
    use crate::EnclaveLimits;

    #[test]
    fn forged_names_are_removed_in_every_spelling_and_nothing_else_is() {
        let mut headers = HeaderMap::new();
        for name in [
            "X-OBLV-User-Name",
            "x_oblv_user_role",
            "X-Synclave-User",
            "x_synclave-role",
            "x-other",
            "content-type",
        ] {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_static("Bob"),
            );
        }
        headers.append("x-oblv-user-name", HeaderValue::from_static("Alice"));
        strip_reserved(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-type", "x-other"]);
    }

    /// Sends `frames`, each after its wait in milliseconds, and tells how many bytes arrived before
    /// an error or the end.
    async fn arrived(frames: &[(u64, &str)]) -> (usize, bool) {
        let (sender, receiver) = mpsc::channel::<Result<Frame<Bytes>, Infallible>>(1);
        let stream = futures_util::stream::unfold(receiver, async |mut receiver| {
            Some((receiver.recv().await?, receiver))
        });
        let limits = EnclaveLimits {
            body_grace: Duration::from_secs(30),
            body_rate: 1000,
            ..EnclaveLimits::default()
        };
        let mut body = Arriving::new(StreamBody::new(Box::pin(stream)), &limits);
        let frames: Vec<(u64, Bytes)> = frames
            .iter()
            .map(|(wait, data)| (*wait, Bytes::copy_from_slice(data.as_bytes())))
            .collect();
        tokio::spawn(async move {
            for (wait, data) in frames {
                tokio::time::sleep(Duration::from_millis(wait)).await;
                if sender.send(Ok(Frame::data(data))).await.is_err() {
                    return;
                }
            }
        });
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => bytes += frame.data_ref().map_or(0, Bytes::len),
                Err(_) => return (bytes, false),
            }
        }
        (bytes, true)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_keeps_coming_arrives_however_long_it_takes() {
        let kilobyte = "x".repeat(1000);
        let frames: Vec<(u64, &str)> = (0..600).map(|_| (900, kilobyte.as_str())).collect();
        assert_eq!(arrived(&frames).await, (600_000, true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_or_trickles_is_given_up() {
        assert_eq!(arrived(&[(0, "ab"), (31_000, "c")]).await, (2, false));
        let trickle: Vec<(u64, &str)> = (0..100).map(|_| (10_000, "y")).collect();
        assert_eq!(arrived(&trickle).await, (3, false));
    }
}
