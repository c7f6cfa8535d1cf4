//! The local port through which ordinary HTTP programs speak to the room.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Either;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use server_kit::Stage;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::local_site::{disarm, site_body};
use crate::relay::{Relayed, relay};
use crate::upstream::Upstream;
use crate::{Error, Gate, HttpRefusal, LocalSite, Session, SiteBody, connection, local_only};

/// Connections of local programs at once; more wait to be accepted.
const MAX_LOCAL_CONNECTIONS: usize = 128;
/// How long requests under way may take to end once the proxy is told to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(5);
/// Ports to try when any free one will do.
const FREE_PORT_ATTEMPTS: u32 = 8;
/// After a failed `accept` (too many open files, most likely).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A local port that is taken: on 127.0.0.1, and on ::1 where the machine has it, so that
/// `localhost` means whoever holds this and nothing else.
#[derive(Debug)]
pub struct BoundPort {
    listeners: Vec<TcpListener>,
    port: u16,
}

impl BoundPort {
    /// Takes `port`, or any free one for 0. Nothing is answered on it yet.
    ///
    /// # Errors
    /// [`Error::PortInUse`], [`Error::Bind`].
    pub async fn bind(port: u16) -> Result<Self, Error> {
        // A port that is free on one of the two addresses may be taken on the other; then any other
        // port will do, if any was asked for.
        let mut attempts_left = if port == 0 { FREE_PORT_ATTEMPTS } else { 1 };
        loop {
            attempts_left -= 1;
            match listen_on_loopback(port).await {
                Ok((listeners, port)) => return Ok(Self { listeners, port }),
                Err(Error::PortInUse { .. }) if attempts_left > 0 => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.port
    }
}

/// Answers on a local port, for the programs and the browser of this machine.
///
/// Each connection it makes to the room is verified like the first and must show the same room.
/// When that fails it answers 502 with a sentence and goes on serving: the next request tries
/// again.
pub struct Proxy {
    bound: BoundPort,
    answers: Answers,
}

/// Who answers.
#[derive(Clone)]
enum Answers {
    Room(Arc<Upstream>),
    Site(LocalSite),
    /// The site answers its own paths, and the gate says who comes to the room.
    RoomAndSite(Arc<Upstream>, Arc<Gate>, LocalSite),
}

impl Proxy {
    /// Binds `port` (0 for any free one) for requests to the room of `session`.
    ///
    /// # Errors
    /// [`Error::PortInUse`], [`Error::Bind`].
    pub async fn bind(session: Session, port: u16) -> Result<Self, Error> {
        Ok(Self {
            bound: BoundPort::bind(port).await?,
            answers: Answers::Room(session.into_upstream()),
        })
    }

    /// For requests to the room of `session` that pass the `gate`, and for those to `site`: the
    /// path `/`, and what is below `/page/`.
    pub fn with_site(bound: BoundPort, session: Session, gate: Arc<Gate>, site: LocalSite) -> Self {
        Self {
            bound,
            answers: Answers::RoomAndSite(session.into_upstream(), gate, site),
        }
    }

    /// For requests to `site`, which is asked for every path. There is no room behind it.
    pub fn site_alone(bound: BoundPort, site: LocalSite) -> Self {
        Self {
            bound,
            answers: Answers::Site(site),
        }
    }

    /// The same, to a plain HTTP server: nothing is verified, nothing is encrypted. It serves as
    /// the yardstick of a measurement.
    ///
    /// # Errors
    /// As [`Proxy::bind`].
    #[cfg(feature = "dangerous-plain-upstream")]
    pub async fn dangerous_bind_to_plain_http(
        server: SocketAddr,
        port: u16,
    ) -> Result<Self, Error> {
        let upstream = Upstream::new(crate::dial::Dial::DangerousPlain(server));
        Ok(Self {
            bound: BoundPort::bind(port).await?,
            answers: Answers::Room(Arc::new(upstream)),
        })
    }

    /// The port it is bound to.
    pub fn port(&self) -> u16 {
        self.bound.port
    }

    /// Serves until `stop` completes; then requests under way have 5 seconds to end.
    ///
    /// `report` is told each error between here and the room; the local program gets it as a
    /// problem in JSON.
    pub async fn serve(
        self,
        stop: impl Future<Output = ()>,
        report: impl Fn(&Error) + Send + Sync + 'static,
    ) {
        let Self { bound, answers } = self;
        let BoundPort { listeners, port } = bound;
        let (stage, watched) = watch::channel(Stage::Serving);
        // As many as can be served; more wait in the operating system's queue, and get no error.
        let slots = Arc::new(Semaphore::new(MAX_LOCAL_CONNECTIONS));
        let front = Front {
            port,
            answers,
            report: Arc::new(report),
            slots: Arc::clone(&slots),
            stage: watched,
        };
        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(front.clone().accept_all(listener));
        }
        stop.await;
        // First no more connections, then those under way: a new one could not be answered in time.
        accepting.shutdown().await;
        stage.send_replace(Stage::Draining);
        let all = u32::try_from(MAX_LOCAL_CONNECTIONS).expect("a small number");
        drop(tokio::time::timeout(STOP_DEADLINE, slots.acquire_many(all)).await);
        stage.send_replace(Stage::Closed);
    }
}

/// EAFNOSUPPORT: a kernel without IPv6.
const NO_SUCH_ADDRESS_FAMILY: i32 = if cfg!(target_os = "linux") { 97 } else { 47 };

async fn listen_on_loopback(port: u16) -> Result<(Vec<TcpListener>, u16), Error> {
    // IPv4 first, as every machine has it; the port it gets is tried on IPv6 too.
    let first = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    let port = first
        .local_addr()
        .map_err(|source| Error::Bind { port, source })?
        .port();
    match listen(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await {
        Ok(second) => Ok((vec![first, second], port)),
        // Without IPv6 `localhost` can only mean the other address.
        Err(Error::Bind { source, .. }) if has_no_such_address(&source) => Ok((vec![first], port)),
        Err(error) => Err(error),
    }
}

fn has_no_such_address(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(NO_SUCH_ADDRESS_FAMILY)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address)
        .await
        .map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => Error::PortInUse {
                port: address.port(),
            },
            _ => Error::Bind {
                port: address.port(),
                source,
            },
        })
}

/// What every local connection needs.
#[derive(Clone)]
struct Front {
    port: u16,
    answers: Answers,
    report: Arc<dyn Fn(&Error) + Send + Sync>,
    slots: Arc<Semaphore>,
    stage: watch::Receiver<Stage>,
}

type Reply = Response<Either<Relayed, SiteBody>>;

impl Front {
    async fn accept_all(self, listener: TcpListener) {
        loop {
            // A slot before accepting: a connection that nobody serves would look accepted to its
            // program.
            let slot = Arc::clone(&self.slots)
                .acquire_owned()
                .await
                .expect("the semaphore is never closed");
            match listener.accept().await {
                Ok((stream, _)) => {
                    let front = self.clone();
                    tokio::spawn(async move {
                        front.serve(stream).await;
                        drop(slot);
                    });
                }
                // Too many open files will pass; ending the loop would not.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    async fn serve(self, stream: TcpStream) {
        // Without it small replies wait for acknowledgements; a stream that cannot be told so still
        // works.
        drop(stream.set_nodelay(true));
        let (stage, over) = (self.stage.clone(), self.stage.clone());
        let front = Arc::new(self);
        let service = service_fn(move |request| {
            let front = Arc::clone(&front);
            Box::pin(async move { Ok::<_, Infallible>(front.answer(request).await) }) as Answering
        });
        tokio::select! {
            () = connection::serve(stream, service, stage) => {}
            // Connections that do not end by themselves are dropped here.
            () = Stage::Closed.reached(over) => {}
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Reply {
        let (head, body) = request.into_parts();
        // Before a byte goes to the room, and before the site sees it.
        let has_page = !matches!(self.answers, Answers::Room(_));
        if let Err(refusal) = local_only::check(&head, self.port, has_page) {
            return turn_away(refusal);
        }
        let request = Request::from_parts(head, body);
        match &self.answers {
            Answers::Room(upstream) => self.relay(upstream, request).await,
            Answers::Site(site) => site.answer(request).await.map(Either::Right),
            Answers::RoomAndSite(_, _, site) if LocalSite::owns(request.uri().path()) => {
                site.answer(request).await.map(Either::Right)
            }
            Answers::RoomAndSite(upstream, gate, _) => {
                if let Err(refusal) = gate.check(request.headers()) {
                    return turn_away(refusal);
                }
                let mut reply = self.relay(upstream, request).await;
                disarm(reply.headers_mut());
                reply
            }
        }
    }

    async fn relay(&self, upstream: &Arc<Upstream>, request: Request<Incoming>) -> Reply {
        match relay(upstream, request).await {
            Ok(response) => response.map(Either::Left),
            Err(error) => {
                (self.report)(&error);
                refuse(HttpRefusal::from(&error))
            }
        }
    }
}

/// Refuses whoever has no business here, and keeps no connection for them: of those there are only
/// so many, and a page of another site could hold them all.
fn turn_away(refusal: HttpRefusal) -> Reply {
    let mut reply = refuse(refusal);
    let close = HeaderValue::from_static("close");
    reply.headers_mut().insert(CONNECTION, close);
    reply
}

fn refuse(refusal: HttpRefusal) -> Reply {
    let mut response = refusal.into_response();
    disarm(response.headers_mut());
    response.map(|body| Either::Right(site_body(body)))
}

type Answering = Pin<Box<dyn Future<Output = Result<Reply, Infallible>> + Send>>;
