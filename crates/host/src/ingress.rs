//! Where connections come in, and what each has to pass before the enclave hears of it.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use admission::{Full, Place, Places};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use protocol::PARTIES_PORT;
use server_kit::Stage;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use websocket::ByteStream;

use crate::ConnectionLimits;
use crate::enclave_address::{EnclaveAddress, EnclaveStream};
use crate::event::{Carrier, ConnectionEnd, Frequent, HostEvent, RefusalReason};
use crate::log::Log;
use crate::metrics::Metrics;
use crate::proxy_protocol::{self, Origin};
use crate::relay::{BUFFER_BYTES, Relay};
use crate::upgrade::{Answer, NoUpgrade, RequestKind, forwarded_for, request_kind, sentence};

/// After a failed `accept` (too many open files, most likely).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The longest header of an upgrade, all lines together.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// A listener, and how the channel is carried there.
pub struct Entrance {
    /// Where clients or a load balancer connect.
    pub listener: TcpListener,
    /// What they speak.
    pub carrier: Carrier,
    /// TLS of the outer hop.
    pub tls: Option<TlsAcceptor>,
    /// Who says which client it is.
    pub client: ClientAddress,
}

/// Who says which client a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAddress {
    /// The connection itself.
    Peer,
    /// A load balancer, in a PROXY header of version 2 before everything else. A connection without
    /// one is refused.
    ProxyProtocol,
    /// A load balancer, in the last address of `X-Forwarded-For`. A request without one is refused.
    /// Over WebSocket only.
    ForwardedFor,
}

/// An entrance without its listener, which is closed while connections go on.
struct EntranceSettings {
    carrier: Carrier,
    tls: Option<TlsAcceptor>,
    client: ClientAddress,
}

impl EntranceSettings {
    /// The client of a connection from `peer`, where that is not for a load balancer to say.
    fn client_at(&self, peer: SocketAddr) -> Option<IpAddr> {
        (self.client == ClientAddress::Peer).then_some(peer.ip())
    }
}

/// The enclave that connections lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) address: EnclaveAddress,
    /// Another enclave at the same address has another number.
    pub(crate) number: u64,
}

/// What every connection needs.
pub(crate) struct Ingress {
    pub(crate) limits: ConnectionLimits,
    pub(crate) log: Log,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) places: Arc<Places>,
    pub(crate) target: watch::Receiver<Option<Target>>,
    pub(crate) stage: watch::Receiver<Stage>,
}

impl Ingress {
    /// Accepts for as long as it is polled; each connection is served in a task of its own.
    pub(crate) async fn accept_all(self: Arc<Self>, entrance: Entrance) {
        let Entrance {
            listener,
            carrier,
            tls,
            client,
        } = entrance;
        let settings = Arc::new(EntranceSettings {
            carrier,
            tls,
            client,
        });
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.admit(&settings, stream, peer).await,
                Err(_) => {
                    self.log
                        .tell(Frequent::AcceptFailed, HostEvent::AcceptFailed);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn admit(
        self: &Arc<Self>,
        settings: &Arc<EntranceSettings>,
        stream: TcpStream,
        peer: SocketAddr,
    ) {
        let open = self.metrics.accepted(settings.carrier);
        let client = settings.client_at(peer);
        match self.places.enter(client).await {
            Ok(place) => {
                let (ingress, settings) = (Arc::clone(self), Arc::clone(settings));
                tokio::spawn(async move {
                    let _open = open;
                    ingress.receive(&settings, stream, peer, place).await;
                });
            }
            Err(full) => self.refused(settings, client, full.into()),
        }
    }

    async fn receive(
        &self,
        settings: &EntranceSettings,
        stream: TcpStream,
        peer: SocketAddr,
        place: Place,
    ) {
        let mut connection = Connection {
            ingress: self,
            settings,
            client: settings.client_at(peer),
            place: &place,
        };
        let over = Stage::Closed.reached(self.stage.clone());
        let refused = tokio::select! {
            served = connection.serve(stream, peer) => served.err(),
            () = place.displaced() => Some(RefusalReason::Displaced),
            () = over => None,
        };
        if let Some(reason) = refused {
            self.refused(settings, connection.client, reason);
        }
    }

    fn refused(&self, settings: &EntranceSettings, client: Option<IpAddr>, reason: RefusalReason) {
        self.metrics.refused(reason);
        let event = HostEvent::ConnectionRefused {
            carrier: settings.carrier,
            client,
            reason,
        };
        self.log.tell(Frequent::Refused, event);
    }

    /// A connection to the enclave of now, and the enclave's number.
    async fn enclave(&self) -> Result<(EnclaveStream, u64), RefusalReason> {
        let target = self
            .target
            .borrow()
            .clone()
            .ok_or(RefusalReason::NoEnclave)?;
        match target.address.connect(PARTIES_PORT).await {
            Ok(stream) => Ok((stream, target.number)),
            Err(_) => Err(RefusalReason::NoEnclave),
        }
    }

    /// Completes when the enclave with this number is gone.
    async fn gone(&self, number: u64) {
        let mut target = self.target.clone();
        let other = |now: &Option<Target>| now.as_ref().is_none_or(|it| it.number != number);
        drop(target.wait_for(other).await);
    }
}

/// A connection on its way to the enclave.
struct Connection<'a> {
    ingress: &'a Ingress,
    settings: &'a EntranceSettings,
    client: Option<IpAddr>,
    place: &'a Place,
}

impl Connection<'_> {
    async fn serve(
        &mut self,
        mut stream: TcpStream,
        peer: SocketAddr,
    ) -> Result<(), RefusalReason> {
        let deadline = Instant::now() + self.ingress.limits.handshake_deadline;
        // Without it small parts wait for acknowledgements; a stream that cannot be told so still
        // works.
        drop(stream.set_nodelay(true));
        match self.settings.client {
            ClientAddress::ProxyProtocol => {
                let origin = timeout_at(deadline, proxy_protocol::read(&mut stream)).await;
                match origin.map_err(|_| RefusalReason::Deadline)? {
                    Ok(Origin::Client(client)) => self.identify(client.ip())?,
                    Ok(Origin::Balancer) => self.client = Some(peer.ip()),
                    Err(_) => return Err(RefusalReason::ProxyHeader),
                }
            }
            // The first is known, the second comes with the request.
            ClientAddress::Peer | ClientAddress::ForwardedFor => {}
        }
        match &self.settings.tls {
            None => self.carry(stream, deadline).await,
            Some(acceptor) => {
                let accepted = timeout_at(deadline, acceptor.accept(stream)).await;
                let stream = accepted.map_err(|_| RefusalReason::Deadline)?;
                self.carry(stream.map_err(|_| RefusalReason::OuterTls)?, deadline)
                    .await
            }
        }
    }

    fn identify(&mut self, client: IpAddr) -> Result<(), RefusalReason> {
        self.client = Some(client);
        self.place.identify(client).map_err(RefusalReason::from)
    }

    async fn carry<S>(&mut self, stream: S, deadline: Instant) -> Result<(), RefusalReason>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        match self.settings.carrier {
            Carrier::Tcp => self.carry_raw(stream, deadline).await,
            Carrier::WebSocket => self.carry_websocket(stream, deadline).await,
        }
    }

    /// The enclave is not bothered before the client has said something.
    async fn carry_raw<S>(&mut self, mut stream: S, deadline: Instant) -> Result<(), RefusalReason>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut first = vec![0; BUFFER_BYTES];
        let length = match timeout_at(deadline, stream.read(&mut first)).await {
            Err(_) => return Err(RefusalReason::Deadline),
            Ok(Ok(0)) => return Err(RefusalReason::Silent),
            Ok(Ok(length)) => length,
            Ok(Err(_)) => return Err(RefusalReason::Lost),
        };
        let (enclave, number) = self.ingress.enclave().await?;
        let first = &first[..length];
        self.relay(stream, enclave, number, first).await;
        Ok(())
    }

    async fn carry_websocket<S>(
        &mut self,
        stream: S,
        deadline: Instant,
    ) -> Result<(), RefusalReason>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let upgrades = UpgradeService {
            ingress: self.ingress,
            place: self.place,
            by_header: self.settings.client == ClientAddress::ForwardedFor,
            outcome: Mutex::new(Outcome::Answered),
        };
        let service =
            service_fn(|request| async { Ok::<_, Infallible>(upgrades.answer(request).await) });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.ingress.limits.handshake_deadline)
            .max_buf_size(MAX_HEADER_BYTES)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let served = timeout_at(deadline, pin!(connection)).await;
        let outcome = upgrades.outcome.into_inner();
        match outcome.unwrap_or_else(PoisonError::into_inner) {
            Outcome::Switched(switched) => {
                let Switched {
                    upgrade,
                    enclave,
                    number,
                    client,
                } = *switched;
                let upgraded = timeout_at(deadline, upgrade).await;
                let upgraded = upgraded.map_err(|_| RefusalReason::Deadline)?;
                let upgraded = TokioIo::new(upgraded.map_err(|_| RefusalReason::Lost)?);
                self.client = self.client.or(client);
                let party = ByteStream::accepted(upgraded).await;
                self.relay(party, enclave, number, &[]).await;
                Ok(())
            }
            Outcome::Refused { reason, client } => {
                self.client = self.client.or(client);
                Err(reason)
            }
            Outcome::Answered => match served {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(RefusalReason::Lost),
                Err(_) => Err(RefusalReason::Deadline),
            },
        }
    }

    async fn relay<P>(&self, mut party: P, mut enclave: EnclaveStream, number: u64, first: &[u8])
    where
        P: AsyncRead + AsyncWrite + Unpin,
    {
        let ingress = self.ingress;
        self.place.advance();
        let mut relay = Relay::new(
            first,
            ingress.limits.relay,
            &ingress.metrics.moved,
            self.place,
        );
        let how = tokio::select! {
            ending = relay.run(&mut party, &mut enclave) => ConnectionEnd::from(ending),
            () = ingress.gone(number) => ConnectionEnd::EnclaveEnded,
            () = Stage::Closed.reached(ingress.stage.clone()) => ConnectionEnd::Stopped,
        };
        let (to_enclave, from_enclave) = relay.counts();
        ingress.metrics.ended(how);
        let event = HostEvent::ConnectionEnded {
            carrier: self.settings.carrier,
            client: self.client,
            how,
            to_enclave,
            from_enclave,
        };
        ingress.log.tell(Frequent::Ended, event);
    }
}

/// Who answers the HTTP request of one connection.
struct UpgradeService<'a> {
    ingress: &'a Ingress,
    place: &'a Place,
    by_header: bool,
    outcome: Mutex<Outcome>,
}

/// What became of a request.
enum Outcome {
    /// It was answered, or none came.
    Answered,
    Refused {
        reason: RefusalReason,
        client: Option<IpAddr>,
    },
    Switched(Box<Switched>),
}

struct Switched {
    upgrade: OnUpgrade,
    enclave: EnclaveStream,
    number: u64,
    /// Where the request names the client.
    client: Option<IpAddr>,
}

impl UpgradeService<'_> {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (mut answer, outcome) = match request_kind(&request) {
            Ok(RequestKind::Health) => (self.health(), Outcome::Answered),
            Ok(RequestKind::Channel(upgrade)) => match self.switch(request).await {
                Ok(switched) => (upgrade.switch(), Outcome::Switched(Box::new(switched))),
                Err((refusal, reason, client)) => {
                    (refusal.answer(), Outcome::Refused { reason, client })
                }
            },
            Err(refusal) => {
                let (reason, client) = (RefusalReason::Upgrade, None);
                (refusal.answer(), Outcome::Refused { reason, client })
            }
        };
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(CONNECTION, close);
        }
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = outcome;
        answer
    }

    fn health(&self) -> Answer {
        let serving = *self.ingress.stage.borrow() == Stage::Serving;
        match serving && self.ingress.target.borrow().is_some() {
            true => sentence(StatusCode::OK, "ok"),
            false => NoUpgrade::NoEnclave.answer(),
        }
    }

    async fn switch(
        &self,
        mut request: Request<Incoming>,
    ) -> Result<Switched, (NoUpgrade, RefusalReason, Option<IpAddr>)> {
        let mut client = None;
        if self.by_header {
            let address = forwarded_for(request.headers()).ok_or((
                NoUpgrade::Client,
                RefusalReason::ForwardedFor,
                None,
            ))?;
            client = Some(address);
            self.place
                .identify(address)
                .map_err(|full| (NoUpgrade::TooMany, full.into(), client))?;
        }
        let (enclave, number) = self
            .ingress
            .enclave()
            .await
            .map_err(|reason| (NoUpgrade::NoEnclave, reason, client))?;
        Ok(Switched {
            upgrade: hyper::upgrade::on(&mut request),
            enclave,
            number,
            client,
        })
    }
}

impl From<Full> for RefusalReason {
    fn from(full: Full) -> Self {
        match full {
            Full::Everyone => Self::TooManyConnections,
            Full::Client => Self::TooManyConnectionsOfClient,
        }
    }
}
