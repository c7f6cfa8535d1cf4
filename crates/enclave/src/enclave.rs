//! A room behind its attested channel.

use std::sync::Arc;
use std::time::Duration;

use access::ServicePolicy;
use attestation::nitro::Measurements;
use attestation::{Attester, Evidence, ReportData};
use attested_tls::{Acceptor, ServerKey};
use privacy::NoiseRng;
use protocol::{Agreement, AgreementHash, RoomId};
use server_kit::Stage;
use service::{CheckedAgreement, MemoryShares, NoEvidence, Room, RoomSetup};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::channel_server::ChannelServer;
use crate::event::{EnclaveEvent, Events};
use crate::listener::{Address, Listener};
use crate::platform::attested_time;
use crate::{EnclaveLimits, Error, Fault, Platform};

/// How long requests under way may take to end once the enclave is told to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// What an enclave is started with.
pub struct Config {
    /// `service.yaml` and `runtime.yaml`.
    pub agreement: Agreement,
    /// Where evidence comes from.
    pub platform: Platform,
    /// Where parties connect.
    pub listener: Listener,
    /// What connections may take.
    pub limits: EnclaveLimits,
    /// Where events go.
    pub events: Events,
}

/// The program that runs in the enclave.
pub struct Enclave;

/// An enclave that serves its room. Dropped without [`Running::shutdown`], it breaks every
/// connection off at once.
pub struct Running {
    address: Address,
    room: RoomId,
    agreement: AgreementHash,
    platform: Platform,
    events: Events,
    stage: watch::Sender<Stage>,
    accepting: JoinHandle<()>,
    connections: Arc<Semaphore>,
    limits: EnclaveLimits,
}

impl Enclave {
    /// Checks the agreement, has the platform measure it, draws the key and the boot nonce of this
    /// room, and serves it on the listener, in tasks of the current tokio runtime. An agreement
    /// that does not hold is refused before it is measured; the listener is opened after that.
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
        // Checked before anything is measured, which can be done once.
        let agreement = CheckedAgreement::parse(agreement)?;
        let memory = MemoryShares::new(&agreement, limits.memory_bytes)?;
        let name = agreement.sha384();
        // Drawn here, inside: whoever chose it could make two rooms with one id.
        let mut boot = [0; 32];
        getrandom::fill(&mut boot).map_err(|_| Error::Entropy)?;
        let room_id = RoomId::from_bytes(attestation::room_id(name.as_bytes(), &boot));

        // Before the agreement is measured: without noise there would be no room to serve.
        let rng = NoiseRng::from_os().map_err(|_| Error::Entropy)?;
        // From here on the platform's evidence names this agreement and no other.
        let attester: Arc<dyn Attester> = platform.measure(name.as_bytes())?;
        let keys: Vec<Vec<u8>> = registered(agreement.policy());
        let acceptor = Acceptor::new(
            // After the measurement, and only in memory: a key of an earlier start is never seen
            // again.
            ServerKey::generate(),
            keys.clone(),
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
                    .attest(&ReportData::of_user_data(user_data))
                    .map(Evidence::into_bytes)
                    .map_err(|_| NoEvidence)
            }),
            events: room_events(&events),
            rng,
            memory,
        });
        let router = service::router(room?);

        // Last: nobody gets in before everything is ready.
        let listener = listener.open().map_err(Error::Listener)?;
        let address = listener.address().map_err(Error::Listener)?;
        let (stage, watched) = watch::channel(Stage::Serving);
        let connections = Arc::new(Semaphore::new(limits.connections));
        let server = ChannelServer::new(
            acceptor,
            &keys,
            router,
            limits,
            Arc::clone(&connections),
            Arc::clone(&events),
            watched,
        );
        let accepting = tokio::spawn(Arc::new(server).accept_all(listener));
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
    /// Reports [`EnclaveEvent::Ready`] to whoever waits for it, once all that must be there by then
    /// is there.
    pub fn announce(&self) {
        (self.events)(EnclaveEvent::Ready {
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

    /// Accepts nothing more, lets requests under way end for 5 seconds, and closes every
    /// connection. The room and all that it holds are dropped with the last of them, or with the
    /// end of a training under way.
    pub async fn shutdown(mut self) {
        (self.events)(EnclaveEvent::Stopping);
        self.accepting.abort();
        // After a fault it has ended, and its end was seen.
        if !self.accepting.is_finished() {
            drop((&mut self.accepting).await);
        }
        self.stage.send_replace(Stage::Draining);
        let all = u32::try_from(self.limits.connections).unwrap_or(u32::MAX);
        // Slots are given back by connections when they end; all of them back means nobody is left.
        drop(tokio::time::timeout(STOP_DEADLINE, self.connections.acquire_many(all)).await);
        self.stage.send_replace(Stage::Closed);
        (self.events)(EnclaveEvent::Stopped);
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
    Arc::new(move |event| events(EnclaveEvent::Room(event)))
}

fn registered(policy: &ServicePolicy) -> Vec<Vec<u8>> {
    policy
        .users()
        .iter()
        .map(|user| user.key().spki().to_vec())
        .collect()
}
