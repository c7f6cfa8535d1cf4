//! The agreement, as the host hands it over: once.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use protocol::{Agreement, ConfigurationError, ConfigurationReply};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::listener::{Incoming, OpenListener};
use crate::{EnclaveEvent, Error, Events, Fault, Running};

/// How long the enclave waits for an agreement that it can take.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long one connection may take to hand one over, to be answered, and to go away.
const HANDOVER: Duration = Duration::from_secs(30);
const REPLY: Duration = Duration::from_secs(5);
const LINGER: Duration = Duration::from_secs(2);
/// After a failed `accept`.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const PART_BYTES: usize = 64 * 1024;
/// Of a sentence. Escaped for JSON it may be six times as long, and must fit
/// [`protocol::MAX_REPLY_BYTES`].
const MAX_DETAIL_CHARACTERS: usize = 600;

const SECOND: &str = "this enclave serves an agreement already; another one needs another enclave";

/// Where the host hands the agreement over, one connection after the other.
pub(super) struct Configuration {
    listener: OpenListener,
    events: Events,
}

impl Configuration {
    pub(super) fn new(listener: OpenListener, events: Events) -> Self {
        Self { listener, events }
    }

    /// Waits for the first agreement that `start` takes. What is damaged, or is not an agreement
    /// that holds, is refused with a sentence, and the host may try again: nothing has been
    /// measured by then.
    ///
    /// # Errors
    /// [`Fault::NoConfiguration`] after ten minutes; what keeps an agreement from being served that
    /// holds.
    pub(super) async fn first<S>(&self, start: impl Fn(Agreement) -> S) -> Result<Running, Fault>
    where
        S: Future<Output = Result<Running, Error>>,
    {
        if let Ok(address) = self.listener.address() {
            (self.events)(EnclaveEvent::AwaitingConfiguration { address });
        }
        let attempts = async {
            loop {
                // One at a time: there is one host, and nothing to gain by more.
                let attempt = match self.next().await {
                    Incoming::Tcp(stream) => attempt(stream, &start).await,
                    Incoming::Vsock(stream) => attempt(stream, &start).await,
                };
                match attempt {
                    Ok(running) => return Ok(running),
                    Err(Some(fault)) => return Err(fault),
                    Err(None) => (self.events)(EnclaveEvent::ConfigurationRefused),
                }
            }
        };
        // An enclave that is never configured would hold memory for ever.
        timeout(PATIENCE, attempts)
            .await
            .unwrap_or(Err(Fault::NoConfiguration))
    }

    /// Tells everyone who comes later that they are too late, without listening to them.
    pub(super) async fn refuse_others(&self) -> Infallible {
        loop {
            match self.next().await {
                Incoming::Tcp(stream) => refuse(stream, SECOND).await,
                Incoming::Vsock(stream) => refuse(stream, SECOND).await,
            }
            (self.events)(EnclaveEvent::ConfigurationRefused);
        }
    }

    async fn next(&self) -> Incoming {
        loop {
            match self.listener.accept().await {
                Ok((incoming, _)) => return incoming,
                Err(_) => {
                    (self.events)(EnclaveEvent::AcceptFailed);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// One connection's agreement. Without a fault the next connection may bring another.
async fn attempt<C, S>(
    mut connection: C,
    start: impl Fn(Agreement) -> S,
) -> Result<Running, Option<Fault>>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: Future<Output = Result<Running, Error>>,
{
    let received = timeout(HANDOVER, receive(&mut connection))
        .await
        .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()));
    let agreement = match received {
        Ok(agreement) => agreement,
        Err(error) => {
            refuse(connection, &error.to_string()).await;
            return Err(None);
        }
    };
    match start(agreement).await {
        Ok(running) => {
            let accepted = ConfigurationReply::Accepted {
                agreement: running.agreement(),
                room: running.room(),
            };
            // Whether the host is still there to hear it or not, the room is.
            answer(connection, &accepted).await;
            Ok(running)
        }
        Err(error) => {
            refuse(connection, &error.to_string()).await;
            Err(fault(&error))
        }
    }
}

/// What an agreement has nothing to do with.
fn fault(error: &Error) -> Option<Fault> {
    match error {
        // The host may try again only where nothing was measured.
        Error::Agreement(_) | Error::Memory(_) | Error::Files(_) | Error::RoomFile { .. } => None,
        Error::Nsm(error) => Some(error.into()),
        Error::Listener(_) => Some(Fault::Listener),
        Error::Entropy => Some(Fault::NoEntropy),
        Error::Threads(_) => Some(Fault::NoThreads),
        Error::Executable(_) => Some(Fault::NsmRefused),
    }
}

/// Reads until the bytes are a configuration, or can no longer become one.
async fn receive(from: &mut (impl AsyncRead + Unpin)) -> Result<Agreement, ConfigurationError> {
    let (mut bytes, mut part) = (Vec::new(), vec![0; PART_BYTES]);
    loop {
        let length = from.read(&mut part).await?;
        bytes.extend_from_slice(&part[..length]);
        // Read until it is whole: the configuration ends by its own length, not by the connection's
        // end.
        match Agreement::from_configuration(bytes.as_slice()) {
            Err(ConfigurationError::Incomplete(_)) if length > 0 => {}
            done => return done,
        }
    }
}

async fn refuse(connection: impl AsyncRead + AsyncWrite + Unpin, detail: &str) {
    // By characters: cutting bytes could leave half of one.
    let detail = detail.chars().take(MAX_DETAIL_CHARACTERS).collect();
    answer(connection, &ConfigurationReply::Refused { detail }).await;
}

/// Answers, and closes. How well that goes changes nothing here.
async fn answer(mut to: impl AsyncRead + AsyncWrite + Unpin, reply: &ConfigurationReply) {
    let mut line = serde_json::to_string(reply).expect("a reply has a JSON form");
    line.push('\n');
    let said = async {
        to.write_all(line.as_bytes()).await?;
        to.shutdown().await
    };
    if !matches!(timeout(REPLY, said).await, Ok(Ok(()))) {
        return;
    }
    // A close with unread bytes can overtake the reply.
    let discard = async {
        let mut sink = vec![0; PART_BYTES];
        while let Ok(1..) = to.read(&mut sink).await {}
    };
    drop(timeout(LINGER, discard).await);
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::{Arc, Mutex};

    use attested_tls::{ClientKey, KeyAlgorithm};
    use protocol::MAX_REPLY_BYTES;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::{Config, Enclave, EnclaveLimits, Listener, Platform};

    fn agreement(runtime_yaml: &str) -> Agreement {
        let [alice, bob] = [(); 2].map(|()| ClientKey::generate(KeyAlgorithm::P256).public_text());
        Agreement::new(testkit::service_yaml(&alice, &bob), runtime_yaml).unwrap()
    }

    fn good() -> Agreement {
        agreement("method: MST\nepsilon: 3\nparty_names: [Alice, Bob]\n")
    }

    async fn start(agreement: Agreement) -> Result<Running, Error> {
        Enclave::start(Config {
            agreement,
            platform: Platform::simulated().unwrap(),
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap().into(),
            limits: EnclaveLimits::default(),
            events: Arc::new(drop),
        })
    }

    /// An enclave that waits on a free port, and what it has told its machine.
    async fn waiting() -> (Configuration, SocketAddr, Arc<Mutex<Vec<EnclaveEvent>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log: Arc<Mutex<Vec<EnclaveEvent>>> = Arc::default();
        let events = Arc::clone(&log);
        let events: Events = Arc::new(move |event| events.lock().unwrap().push(event));
        let listener = Listener::from(listener).open().unwrap();
        (Configuration::new(listener, events), address, log)
    }

    /// What the host hears who sends these bytes, and no more after them if `ends`.
    async fn hand_over(address: SocketAddr, bytes: &[u8], ends: bool) -> ConfigurationReply {
        let mut host = TcpStream::connect(address).await.unwrap();
        host.write_all(bytes).await.unwrap();
        if ends {
            host.shutdown().await.unwrap();
        }
        let mut line = String::new();
        host.read_to_string(&mut line).await.unwrap();
        assert!(
            line.len() <= MAX_REPLY_BYTES && line.ends_with('\n'),
            "{line}"
        );
        serde_json::from_str(&line).unwrap()
    }

    #[tokio::test]
    async fn the_first_agreement_that_holds_is_served_and_no_other() {
        let (configuration, address, log) = waiting().await;
        let agreement = good();
        let bytes = agreement.to_configuration();
        let enclave = async {
            let running = configuration.first(start).await.unwrap();
            tokio::select! {
                never = configuration.refuse_others() => match never {},
                () = tokio::time::sleep(Duration::from_millis(500)) => running,
            }
        };
        let host = async {
            let first = hand_over(address, &bytes, false).await;
            for again in [&bytes[..], &good().to_configuration(), b"", b"x"] {
                let reply = hand_over(address, again, false).await;
                let refused = ConfigurationReply::Refused {
                    detail: SECOND.to_owned(),
                };
                assert_eq!(reply, refused);
            }
            first
        };
        let (running, reply) = tokio::join!(enclave, host);
        let accepted = ConfigurationReply::Accepted {
            agreement: agreement.sha384(),
            room: running.room(),
        };
        assert_eq!(reply, accepted);
        let refused = log
            .lock()
            .unwrap()
            .iter()
            .filter(|event| **event == EnclaveEvent::ConfigurationRefused)
            .count();
        assert_eq!(refused, 4);
    }

    #[tokio::test]
    async fn what_is_damaged_or_does_not_hold_is_refused_in_a_sentence_and_may_be_tried_again() {
        let (configuration, address, _) = waiting().await;
        let whole = good().to_configuration();
        let misspelt = agreement("method: MST\nepsilom: 3\nparty_names: [Alice, Bob]\n");
        let long = agreement(&format!("{}: 3\n", "x".repeat(5000)));
        let attempts = [
            (whole[..whole.len() - 1].to_vec(), "did not arrive whole"),
            (
                b"GET / HTTP/1.1\r\nHost: enclave\r\n\r\n".to_vec(),
                "does not begin as a configuration",
            ),
            (misspelt.to_configuration(), "epsilon"),
            (long.to_configuration(), "runtime.yaml"),
        ];
        let host = async {
            for (bytes, hint) in attempts {
                match hand_over(address, &bytes, true).await {
                    ConfigurationReply::Refused { detail } => {
                        assert!(detail.contains(hint), "{detail}")
                    }
                    other => panic!("{other:?}"),
                }
            }
            hand_over(address, &whole, false).await
        };
        let (running, reply) = tokio::join!(configuration.first(start), host);
        assert!(
            matches!(reply, ConfigurationReply::Accepted { .. }),
            "{reply:?}"
        );
        assert_eq!(
            running.unwrap().agreement(),
            Agreement::from_configuration(&whole[..]).unwrap().sha384()
        );
    }

    #[tokio::test]
    async fn a_configuration_in_many_pieces_is_one() {
        let (mut near, mut far) = tokio::io::duplex(7);
        let agreement = good();
        let bytes = agreement.to_configuration();
        let (received, ()) = tokio::join!(receive(&mut near), async {
            far.write_all(&bytes).await.unwrap()
        });
        assert_eq!(received.unwrap(), agreement);
    }

    #[tokio::test(start_paused = true)]
    async fn an_enclave_without_an_agreement_stops_after_ten_minutes() {
        let (configuration, address, _) = waiting().await;
        // A host that connects and says nothing does not keep it waiting for longer.
        let _silent = TcpStream::connect(address).await.unwrap();
        let began = tokio::time::Instant::now();
        let fault = configuration.first(start).await.err().unwrap();
        assert_eq!(
            (fault, began.elapsed().as_secs()),
            (Fault::NoConfiguration, 600)
        );
    }

    #[tokio::test]
    async fn what_the_platform_refuses_ends_the_enclave_and_the_host_is_told() {
        let (configuration, address, _) = waiting().await;
        let refusing = async |_| Err(Error::Nsm(crate::NsmError::Used));
        let bytes = good().to_configuration();
        let (outcome, reply) = tokio::join!(
            configuration.first(refusing),
            hand_over(address, &bytes, false)
        );
        assert_eq!(outcome.err().unwrap(), Fault::Pcr16Used);
        let refused = ConfigurationReply::Refused {
            detail: "PCR16 was used before".to_owned(),
        };
        assert_eq!(reply, refused);
    }
}
