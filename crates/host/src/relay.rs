//! Bytes from a party to the enclave and back, as they are.

use std::future::{Future, poll_fn};
use std::io;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use admission::Place;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::pace::Pace;

// Small: it exists twice for each connection, and backpressure is what keeps memory bounded.
/// What waits at most in each direction, but for the operating system's own buffers.
pub(crate) const BUFFER_BYTES: usize = 16 * 1024;
/// When so much has come from the enclave, it has shown evidence, and so the client holds a
/// registered key: before that an enclave sends its part of the TLS handshake alone, which is less
/// than 2 KiB, while any evidence is longer than this.
const EVIDENCE_BYTES: u64 = 3 * 1024;

/// What one connection may take.
#[derive(Clone, Copy, Debug)]
pub struct RelayLimits {
    /// How long nothing may move in either direction.
    pub idle: Duration,
    /// In each direction, on average. `None` is as fast as it goes.
    pub bytes_per_second: Option<NonZeroU32>,
    /// In both directions together.
    pub bytes: u64,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Both sides closed it.
    Complete,
    /// The party's side broke off.
    PartyLost,
    /// The enclave's side broke off.
    EnclaveLost,
    /// Nothing moved for too long.
    Idle,
    /// More moved than is allowed.
    TooManyBytes,
}

/// How many bytes went each way, over all connections, as they go.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    pub(crate) to_enclave: AtomicU64,
    pub(crate) from_enclave: AtomicU64,
}

/// One connection, while it is relayed.
pub(crate) struct Relay<'a> {
    limits: RelayLimits,
    moved: &'a Moved,
    place: &'a Place,
    settled: bool,
    to_enclave: Direction,
    from_enclave: Direction,
    last_progress: Instant,
    patience: Pin<Box<Sleep>>,
}

impl<'a> Relay<'a> {
    /// `first` is what the party has sent already; `place` is settled once the enclave has shown
    /// evidence.
    pub(crate) fn new(
        first: &[u8],
        limits: RelayLimits,
        moved: &'a Moved,
        place: &'a Place,
    ) -> Self {
        let count = u64::try_from(first.len()).unwrap_or(u64::MAX);
        // Already read to find out whether the client says anything at all.
        moved.to_enclave.fetch_add(count, Ordering::Relaxed);
        Self {
            limits,
            moved,
            place,
            settled: false,
            to_enclave: Direction::new(first, limits.bytes_per_second),
            from_enclave: Direction::new(&[], limits.bytes_per_second),
            last_progress: Instant::now(),
            patience: Box::pin(sleep(limits.idle)),
        }
    }

    /// Relays until both sides have closed, one is lost, or a limit is reached. A side that closes
    /// its sending half has that passed on, and can still receive. A side that takes nothing stops
    /// the other one from being read.
    pub(crate) async fn run<P, E>(&mut self, party: &mut P, enclave: &mut E) -> Ending
    where
        P: AsyncRead + AsyncWrite + Unpin,
        E: AsyncRead + AsyncWrite + Unpin,
    {
        poll_fn(|context| self.poll(context, party, enclave)).await
    }

    /// How many bytes it took from the party, and from the enclave.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.to_enclave.moved, self.from_enclave.moved)
    }

    fn poll<P, E>(
        &mut self,
        context: &mut Context<'_>,
        party: &mut P,
        enclave: &mut E,
    ) -> Poll<Ending>
    where
        P: AsyncRead + AsyncWrite + Unpin,
        E: AsyncRead + AsyncWrite + Unpin,
    {
        let before = self.counts();
        let there = self
            .to_enclave
            .poll(context, party, enclave, &self.moved.to_enclave);
        let back = self
            .from_enclave
            .poll(context, enclave, party, &self.moved.from_enclave);
        let after = self.counts();
        // By bytes, as the host cannot read TLS: what it sees is length and direction.
        if !self.settled && after.1 >= EVIDENCE_BYTES {
            self.settled = true;
            self.place.settle();
        }
        match (there, back) {
            (Poll::Ready(Err(_)), _) => return Poll::Ready(Ending::PartyLost),
            (_, Poll::Ready(Err(_))) => return Poll::Ready(Ending::EnclaveLost),
            (Poll::Ready(Ok(there)), Poll::Ready(Ok(back))) => {
                return Poll::Ready(match (there, back) {
                    (Delivered::Lost, _) => Ending::EnclaveLost,
                    (_, Delivered::Lost) => Ending::PartyLost,
                    (Delivered::Whole, Delivered::Whole) => Ending::Complete,
                });
            }
            _ => {}
        }
        // Both directions in one sum: it bounds the work of a connection, whoever causes it.
        if after.0.saturating_add(after.1) > self.limits.bytes {
            return Poll::Ready(Ending::TooManyBytes);
        }
        // Either is progress: a slow upload moves one way only.
        let wrote = self.to_enclave.wrote() | self.from_enclave.wrote();
        if wrote || before != after {
            self.last_progress = Instant::now();
        }
        // The timer is set again only when it runs out, not at each byte.
        while self.patience.as_mut().poll(context).is_ready() {
            let end = self.last_progress + self.limits.idle;
            if end <= Instant::now() {
                return Poll::Ready(Ending::Idle);
            }
            self.patience.as_mut().reset(end);
        }
        Poll::Pending
    }
}

/// What became of one direction that came to its end.
#[derive(Clone, Copy)]
enum Delivered {
    Whole,
    /// The receiving side did not take everything.
    Lost,
}

struct Direction {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    phase: Phase,
    unflushed: bool,
    wrote: bool,
    moved: u64,
    pace: Pace,
}

#[derive(Clone, Copy)]
enum Phase {
    Copying,
    /// The receiving side takes nothing more, but what it has said must still be delivered; and to
    /// close a socket with unread bytes in it would reset the connection and could overtake that.
    Discarding,
    Closing,
    Closed(Delivered),
}

impl Direction {
    // As large as the first bytes at least, which are in it already.
    fn new(first: &[u8], bytes_per_second: Option<NonZeroU32>) -> Self {
        let mut buffer = vec![0; BUFFER_BYTES.max(first.len())].into_boxed_slice();
        buffer[..first.len()].copy_from_slice(first);
        // Charged to the rate: else a client could send its first buffer for nothing.
        let mut pace = Pace::new(bytes_per_second);
        pace.spend(first.len());
        Self {
            buffer,
            start: 0,
            end: first.len(),
            phase: Phase::Copying,
            unflushed: false,
            wrote: false,
            moved: u64::try_from(first.len()).unwrap_or(u64::MAX),
            pace,
        }
    }

    /// Whether something was delivered since this was asked last.
    fn wrote(&mut self) -> bool {
        std::mem::take(&mut self.wrote)
    }

    /// # Errors
    /// Where `from` broke off: nobody can say what is missing.
    fn poll<R, W>(
        &mut self,
        context: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
        total: &AtomicU64,
    ) -> Poll<io::Result<Delivered>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            match self.phase {
                Phase::Copying => {
                    // Before anything more is read: one buffer is all that waits.
                    if ready!(self.poll_deliver(context, to)).is_err() {
                        self.start = self.end;
                        self.phase = Phase::Discarding;
                        continue;
                    }
                    match self.poll_take(context, from, total) {
                        Poll::Ready(Ok(0)) => self.phase = Phase::Closing,
                        Poll::Ready(Ok(_)) => {}
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                        Poll::Pending => {
                            // Flushed only when nothing is left to read: a flush for each read
                            // would cost a write each.
                            if self.unflushed {
                                self.unflushed = false;
                                match Pin::new(&mut *to).poll_flush(context) {
                                    Poll::Ready(Ok(())) => {}
                                    Poll::Ready(Err(_)) => {
                                        self.phase = Phase::Discarding;
                                        continue;
                                    }
                                    Poll::Pending => self.unflushed = true,
                                }
                            }
                            return Poll::Pending;
                        }
                    }
                }
                Phase::Discarding => {
                    // Read on until the sender has ended, so that the other direction is not reset.
                    if ready!(self.poll_take(context, from, total))? == 0 {
                        self.phase = Phase::Closed(Delivered::Lost);
                    }
                    self.start = self.end;
                }
                Phase::Closing => {
                    let closed = ready!(Pin::new(&mut *to).poll_shutdown(context));
                    self.phase = Phase::Closed(match closed {
                        Ok(()) => Delivered::Whole,
                        Err(_) => Delivered::Lost,
                    });
                }
                Phase::Closed(delivered) => return Poll::Ready(Ok(delivered)),
            }
        }
    }

    fn poll_deliver<W: AsyncWrite + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        to: &mut W,
    ) -> Poll<io::Result<()>> {
        while self.start < self.end {
            let rest = &self.buffer[self.start..self.end];
            // A writer that takes nothing would turn this loop for ever.
            match ready!(Pin::new(&mut *to).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.start += written,
            }
            self.unflushed = true;
            self.wrote = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Fills the buffer, which is empty; 0 is the end.
    fn poll_take<R: AsyncRead + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        from: &mut R,
        total: &AtomicU64,
    ) -> Poll<io::Result<usize>> {
        // Before reading: bytes that wait in the operating system cost us nothing.
        ready!(self.pace.poll_ready(context));
        let most = self.pace.at_once(self.buffer.len());
        let mut into = ReadBuf::new(&mut self.buffer[..most]);
        ready!(Pin::new(from).poll_read(context, &mut into))?;
        let length = into.filled().len();
        (self.start, self.end) = (0, length);
        self.pace.spend(length);
        let count = u64::try_from(length).unwrap_or(u64::MAX);
        self.moved = self.moved.saturating_add(count);
        total.fetch_add(count, Ordering::Relaxed);
        Poll::Ready(Ok(length))
    }
}

#[cfg(test)]
mod tests {
    use admission::Places;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::task::JoinHandle;

    use super::*;

    const LIMITS: RelayLimits = RelayLimits {
        idle: Duration::from_secs(60),
        bytes_per_second: None,
        bytes: u64::MAX,
    };

    type Outcome = (Ending, (u64, u64));

    /// The party's end, the enclave's end, and the relay between them.
    fn relaying(limits: RelayLimits) -> (DuplexStream, DuplexStream, JoinHandle<Outcome>) {
        let (party, mut party_side) = duplex(1024);
        let (enclave, mut enclave_side) = duplex(1024);
        let task = tokio::spawn(async move {
            let moved = Moved::default();
            let places = Places::new(admission::PlaceLimits {
                connections: 1,
                of_one_client: 1,
                unsettled: 1,
            });
            let place = places.enter(None).await.unwrap();
            let mut relay = Relay::new(b"first ", limits, &moved, &place);
            let ending = relay.run(&mut party_side, &mut enclave_side).await;
            (ending, relay.counts())
        });
        (party, enclave, task)
    }

    #[tokio::test]
    async fn a_closed_half_is_passed_on_and_the_other_half_still_works() {
        let (mut party, mut enclave, task) = relaying(LIMITS);
        party.write_all(b"request").await.unwrap();
        party.shutdown().await.unwrap();
        let mut request = String::new();
        enclave.read_to_string(&mut request).await.unwrap();
        assert_eq!(request, "first request");
        enclave.write_all(b"response").await.unwrap();
        enclave.shutdown().await.unwrap();
        let mut response = String::new();
        party.read_to_string(&mut response).await.unwrap();
        assert_eq!(response, "response");
        assert_eq!(task.await.unwrap(), (Ending::Complete, (13, 8)));
    }

    #[tokio::test]
    async fn the_answer_to_a_request_that_nobody_takes_is_delivered() {
        let (mut party, mut enclave, task) = relaying(LIMITS);
        enclave.write_all(b"413").await.unwrap();
        drop(enclave);
        let sending = async {
            for _ in 0..100 {
                party.write_all(&[0; 1024]).await.unwrap();
            }
            party.shutdown().await.unwrap();
            let mut answer = String::new();
            party.read_to_string(&mut answer).await.unwrap();
            answer
        };
        assert_eq!(sending.await, "413");
        assert_eq!(task.await.unwrap().0, Ending::EnclaveLost);
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_stops_the_sender() {
        let (mut party, _enclave, _task) = relaying(LIMITS);
        let mut taken = 0;
        let endless = async {
            loop {
                taken += party.write(&[0; 4096]).await.unwrap();
            }
        };
        let patience = Duration::from_millis(200);
        tokio::time::timeout(patience, endless).await.unwrap_err();
        assert!(taken <= BUFFER_BYTES + 2 * 1024, "{taken}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_it_and_one_direction_that_moves_keeps_it() {
        let (_party, mut enclave, task) = relaying(LIMITS);
        let start = Instant::now();
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(50)).await;
            enclave.write_all(b".").await.unwrap();
        }
        assert_eq!(task.await.unwrap().0, Ending::Idle);
        assert_eq!(start.elapsed().as_secs(), 210);
    }

    #[tokio::test]
    async fn more_bytes_than_allowed_end_it() {
        let limits = RelayLimits {
            bytes: 10_000,
            ..LIMITS
        };
        let (mut party, mut enclave, task) = relaying(limits);
        let sink = tokio::spawn(async move {
            let mut all = Vec::new();
            drop(enclave.read_to_end(&mut all).await);
            all.len()
        });
        let error = party.write_all(&[0; 20_000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(task.await.unwrap().0, Ending::TooManyBytes);
        assert!(sink.await.unwrap() <= 10_000 + BUFFER_BYTES);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_kept_to_its_rate() {
        let limits = RelayLimits {
            bytes_per_second: NonZeroU32::new(1000),
            ..LIMITS
        };
        let (mut party, mut enclave, _task) = relaying(limits);
        let start = Instant::now();
        tokio::spawn(async move { party.write_all(&[0; 10_000]).await });
        enclave.read_exact(&mut vec![0; 10_000]).await.unwrap();
        let time = start.elapsed().as_secs_f64();
        assert!((8.0..=10.5).contains(&time), "{time}");
    }
}
