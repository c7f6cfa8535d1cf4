//! A room behind its attested channel.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use access::ServicePolicy;
use attestation::Measurements;
use attested_tls::{AcceptError, Accepted, Acceptor, Attester, ServerKey};
use axum::Router;
use privacy::NoiseRng;
use protocol::{Agreement, AgreementHash, RoomId};
use service::{CheckedAgreement, MemoryShares, NoEvidence, Room, RoomSetup};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, TryAcquireError, watch};
use tokio::task::JoinHandle;

use crate::event::{Event, Events, Reason};
use crate::listener::{Address, Incoming, Listener, OpenListener};
use crate::platform::attested_time;
use crate::stage::Stage;
use crate::{Error, Fault, Limits, Platform, connection};

/// How long requests under way may take to end once the enclave is told to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(5);
/// After a failed `accept` (too many open files, most likely).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What an enclave is started with.
pub struct Config {
    /// `service.yaml` and `runtime.yaml`.
    pub agreement: Agreement,
    /// Where evidence comes from.
    pub platform: Platform,
    /// Where parties connect.
    pub listener: Listener,
    /// What connections may take.
    pub limits: Limits,
    /// Where events go.
    pub events: Events,
}

/// The program that runs in the enclave.
pub struct Enclave;

/// An enclave that serves its room. Dropped without [`Running::shutdown`], it breaks every connection off at once.
pub struct Running {
    address: Address,
    room: RoomId,
    agreement: AgreementHash,
    platform: Platform,
    events: Events,
    stage: watch::Sender<Stage>,
    accepting: JoinHandle<()>,
    connections: Arc<Semaphore>,
    limits: Limits,
}

impl Enclave {
    /// Checks the agreement, fixes PCR16 to it, draws the key and the boot nonce of this room, and serves it on the listener, in tasks
    /// of the current tokio runtime. An agreement that does not hold is refused before PCR16 is touched; the listener is opened after that.
    ///
    /// May block, on a platform that does.
    ///
    /// # Errors
    /// [`Error::Agreement`], [`Error::Memory`], [`Error::Nsm`], [`Error::Listener`],
    /// [`Error::Entropy`], [`Error::Threads`].
    pub fn start(config: Config) -> Result<Running, Error> {
        let Config {
            agreement,
            platform,
            listener,
            limits,
            events,
        } = config;
        let agreement = CheckedAgreement::parse(agreement)?;
        let memory = MemoryShares::new(&agreement, limits.memory_bytes)?;
        let name = agreement.sha384();
        let mut boot = [0; 32];
        getrandom::fill(&mut boot).map_err(|_| Error::Entropy)?;
        let room_id = RoomId::from_bytes(attestation::room_id(name.as_bytes(), &boot));

        let rng = NoiseRng::from_os().map_err(|_| Error::Entropy)?;
        let attester: Arc<dyn Attester> = platform.measure(name.as_bytes())?;
        let keys: Vec<Vec<u8>> = registered(agreement.policy());
        let slots_of_key = keys
            .iter()
            .map(|key| (key.clone(), slots(limits.connections_per_key)))
            .collect();
        let acceptor = Acceptor::new(
            ServerKey::generate(),
            keys,
            Arc::clone(&attester),
            name.to_bytes(),
            boot,
        );
        let room = Room::open(RoomSetup {
            agreement,
            id: room_id,
            platform_time: attested_time(Arc::clone(&attester)),
            attest: Arc::new(move |user_data| {
                attester
                    .attest(None, None, user_data)
                    .map_err(|_| NoEvidence)
            }),
            events: room_events(&events),
            rng,
            memory,
        });
        let router = service::router(room?);

        let listener = listener.open().map_err(Error::Listener)?;
        let address = listener.address().map_err(Error::Listener)?;
        let (stage, watched) = watch::channel(Stage::Serving);
        let connections = slots(limits.connections);
        let door = Door {
            acceptor,
            router,
            limits,
            events: Arc::clone(&events),
            handshakes: slots(limits.handshakes),
            connections: Arc::clone(&connections),
            slots_of_key,
            stage: watched,
        };
        let accepting = tokio::spawn(Arc::new(door).accept_all(listener));
        Ok(Running {
            address,
            room: room_id,
            agreement: name,
            platform,
            events,
            stage,
            accepting,
            connections,
            limits,
        })
    }
}

impl Running {
    /// Says [`Event::Ready`], for whoever waits for it: after all that must be there by then is there.
    pub fn announce(&self) {
        (self.events)(Event::Ready {
            address: self.address,
            agreement: self.agreement,
            room: self.room,
        });
    }

    /// Where parties connect.
    pub fn address(&self) -> Address {
        self.address
    }

    /// The room's id.
    pub fn room(&self) -> RoomId {
        self.room
    }

    /// The agreement's name.
    pub fn agreement(&self) -> AgreementHash {
        self.agreement
    }

    /// The certificate of a simulated platform's root.
    pub fn root_pem(&self) -> Option<String> {
        self.platform.root_pem()
    }

    /// What a simulated platform says of this program.
    pub fn measurements(&self) -> Option<&Measurements> {
        self.platform.measurements()
    }

    /// Waits for what must end the enclave, which may be for ever.
    pub async fn fault(&mut self) -> Fault {
        tokio::select! {
            // The loop has no end of its own.
            _ = &mut self.accepting => Fault::Panicked,
            () = self.platform.lost() => Fault::NsmLost,
        }
    }

    /// Accepts nothing more, lets requests under way end for 5 seconds, and closes every connection. The room and all that it holds are
    /// dropped with the last of them, or with the end of a training under way.
    pub async fn shutdown(mut self) {
        (self.events)(Event::Stopping);
        self.accepting.abort();
        // After a fault it has ended, and its end was seen.
        if !self.accepting.is_finished() {
            drop((&mut self.accepting).await);
        }
        self.stage.send_replace(Stage::Ending);
        let all = u32::try_from(self.limits.connections).unwrap_or(u32::MAX);
        drop(tokio::time::timeout(STOP_DEADLINE, self.connections.acquire_many(all)).await);
        self.stage.send_replace(Stage::Over);
        (self.events)(Event::Stopped);
    }
}

impl Drop for Running {
    /// Connections see that there is nobody left to announce the end, and end.
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn room_events(events: &Events) -> service::Events {
    let events = Arc::clone(events);
    Arc::new(move |event| events(Event::Room(event)))
}

fn registered(policy: &ServicePolicy) -> Vec<Vec<u8>> {
    policy
        .users()
        .iter()
        .map(|user| user.key().spki().to_vec())
        .collect()
}

fn slots(count: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(count))
}

/// Where connections come in.
struct Door {
    acceptor: Acceptor,
    router: Router,
    limits: Limits,
    events: Events,
    handshakes: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    slots_of_key: HashMap<Vec<u8>, Arc<Semaphore>>,
    stage: watch::Receiver<Stage>,
}

impl Door {
    async fn accept_all(self: Arc<Self>, listener: OpenListener) {
        loop {
            match listener.accept().await {
                Ok(Incoming::Tcp(stream)) => {
                    tokio::spawn(Arc::clone(&self).receive(stream));
                }
                #[cfg(target_os = "linux")]
                Ok(Incoming::Vsock(stream)) => {
                    tokio::spawn(Arc::clone(&self).receive(stream));
                }
                Err(_) => {
                    (self.events)(Event::AcceptFailed);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn receive<S>(self: Arc<Self>, stream: S)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let over = Stage::Over.reached(self.stage.clone());
        tokio::select! {
            served = self.serve(stream) => if let Err(reason) = served {
                (self.events)(Event::ConnectionRefused { reason });
            },
            () = over => {}
        }
    }

    async fn serve<S>(&self, stream: S) -> Result<(), Reason>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let handshake = take(&self.handshakes, Reason::TooManyHandshakes)?;
        let accepted =
            tokio::time::timeout(self.limits.handshake_deadline, self.acceptor.accept(stream))
                .await;
        let Accepted {
            stream,
            client_spki,
        } = accepted
            .map_err(|_| Reason::Deadline)?
            .map_err(|error| reason(&error))?;
        drop(handshake);
        let _connection = take(&self.connections, Reason::TooManyConnections)?;
        let of_key = self
            .slots_of_key
            .get(&client_spki)
            .ok_or(Reason::NotRegistered)?;
        let _connection_of_key = take(of_key, Reason::TooManyConnectionsOfKey)?;
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
}

fn take(
    slots: &Arc<Semaphore>,
    reason: Reason,
) -> Result<tokio::sync::OwnedSemaphorePermit, Reason> {
    Arc::clone(slots)
        .try_acquire_owned()
        .map_err(|_: TryAcquireError| reason)
}

fn reason(error: &AcceptError) -> Reason {
    match error {
        AcceptError::NotRegistered => Reason::NotRegistered,
        AcceptError::WrongProtocol => Reason::WrongProtocol,
        AcceptError::Handshake(_) => Reason::Handshake,
        AcceptError::Io(_) => Reason::Lost,
        AcceptError::Attest(_) => Reason::NoEvidence,
    }
}
