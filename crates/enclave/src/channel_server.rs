//! Where connections come in, and what each has to pass before it carries a request.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use admission::{Place, Places};
use attested_tls::{AcceptError, Accepted, Acceptor, Proven};
use axum::Router;
use server_kit::{LimitedEvents, Stage};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout_at};

use crate::event::{EnclaveEvent, Events, RefusalReason};
use crate::listener::{Incoming, OpenListener};
use crate::{EnclaveLimits, connection};

/// After a failed `accept` (too many open files, most likely).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What every connection needs.
pub(crate) struct ChannelServer {
    acceptor: Acceptor,
    router: Router,
    limits: EnclaveLimits,
    events: LimitedEvents<EnclaveEvent>,
    handshakes: Arc<Places>,
    connections: Arc<Semaphore>,
    slots_of_key: HashMap<Vec<u8>, Arc<Semaphore>>,
    stage: watch::Receiver<Stage>,
}

impl ChannelServer {
    /// For the holders of `keys`; all their connections hold a slot of `connections`.
    pub(crate) fn new(
        acceptor: Acceptor,
        keys: &[Vec<u8>],
        router: Router,
        limits: EnclaveLimits,
        connections: Arc<Semaphore>,
        events: Events,
        stage: watch::Receiver<Stage>,
    ) -> Self {
        let share = limits.share_of_key(keys.len());
        let slots = |key: &Vec<u8>| (key.clone(), Arc::new(Semaphore::new(share)));
        let handshakes = Places::new(admission::PlaceLimits {
            connections: limits.handshakes,
            of_one_client: limits.handshakes,
            unsettled: limits.handshakes,
        });
        Self {
            acceptor,
            router,
            limits,
            events: LimitedEvents::new(events),
            handshakes,
            connections,
            slots_of_key: keys.iter().map(slots).collect(),
            stage,
        }
    }

    /// Accepts for as long as it is polled; each connection is served in a task of its own.
    pub(crate) async fn accept_all(self: Arc<Self>, listener: OpenListener) {
        loop {
            let accepted = listener.accept().await;
            let Ok((incoming, client)) = accepted else {
                self.tell(EnclaveEvent::AcceptFailed);
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let Ok(place) = self.handshakes.enter(Some(client)).await else {
                self.refused(RefusalReason::Displaced);
                continue;
            };
            match incoming {
                Incoming::Tcp(stream) => {
                    tokio::spawn(Arc::clone(&self).receive(stream, place));
                }
                #[cfg(target_os = "linux")]
                Incoming::Vsock(stream) => {
                    tokio::spawn(Arc::clone(&self).receive(stream, place));
                }
            }
        }
    }

    async fn receive<S>(self: Arc<Self>, stream: S, place: Place)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let over = Stage::Closed.reached(self.stage.clone());
        tokio::select! {
            served = self.serve(stream, place) => if let Err(reason) = served {
                self.refused(reason);
            },
            () = over => {}
        }
    }

    async fn serve<S>(&self, stream: S, place: Place) -> Result<(), RefusalReason>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let start = Instant::now();
        let proven = tokio::select! {
            proven = self.prove(stream, start, &place) => proven?,
            () = place.displaced() => return Err(RefusalReason::Displaced),
        };
        drop(place);
        // Before any evidence is made: the platform makes one document after the other, and a key
        // that asks for very many must not keep the others waiting.
        let of_key = self.slots_of_key.get(proven.client_spki());
        let of_key = of_key.ok_or(RefusalReason::NotRegistered)?;
        let _of_key = take(of_key, RefusalReason::TooManyConnectionsOfKey)?;
        let _connection = take(&self.connections, RefusalReason::TooManyConnections)?;
        let deadline = start + self.limits.handshake_deadline;
        let accepted = timeout_at(deadline, self.acceptor.show_evidence(proven)).await;
        let Accepted {
            stream,
            client_spki,
        } = in_time(accepted)?;
        connection::serve(
            stream,
            client_spki,
            self.router.clone(),
            self.limits,
            self.stage.clone(),
        )
        .await;
        Ok(())
    }

    /// The part of the handshake in which anybody may be on the other side.
    async fn prove<S>(
        &self,
        stream: S,
        start: Instant,
        place: &Place,
    ) -> Result<Proven<S>, RefusalReason>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let deadline = start + self.limits.handshake_deadline;
        let of_hello = deadline.min(start + self.limits.hello_deadline);
        let greeted = in_time(timeout_at(of_hello, self.acceptor.greet(stream)).await)?;
        place.advance();
        in_time(timeout_at(deadline, self.acceptor.prove(greeted)).await)
    }

    fn refused(&self, reason: RefusalReason) {
        self.tell(EnclaveEvent::ConnectionRefused { reason });
    }

    fn tell(&self, event: EnclaveEvent) {
        let left_out = |count| EnclaveEvent::ConnectionEventsLeftOut { count };
        self.events.tell(event, left_out);
    }
}

fn take(
    slots: &Arc<Semaphore>,
    reason: RefusalReason,
) -> Result<OwnedSemaphorePermit, RefusalReason> {
    Arc::clone(slots).try_acquire_owned().map_err(|_| reason)
}

fn in_time<T, E>(outcome: Result<Result<T, AcceptError>, E>) -> Result<T, RefusalReason> {
    outcome
        .map_err(|_| RefusalReason::Deadline)?
        .map_err(|error| reason(&error))
}

fn reason(error: &AcceptError) -> RefusalReason {
    match error {
        AcceptError::NotRegistered => RefusalReason::NotRegistered,
        AcceptError::WrongProtocol => RefusalReason::WrongProtocol,
        AcceptError::Handshake(_) => RefusalReason::Handshake,
        AcceptError::Io(_) => RefusalReason::Lost,
        AcceptError::Attest(_) => RefusalReason::NoEvidence,
    }
}
