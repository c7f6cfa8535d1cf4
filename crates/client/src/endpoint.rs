//! Where an enclave is reached, and what carries the channel there.

use std::fmt;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use websocket::UpgradeError;

use crate::authority::Authority;
use crate::{Error, HttpProxy, OuterTrust};

/// How long each step of a connection may take: TCP with the name look-up, the HTTP proxy's answer,
/// the outer TLS, the upgrade.
const STEP_DEADLINE: Duration = Duration::from_secs(10);

/// An enclave's host and port, and the carrier in between. Whatever the carrier, the channel inside
/// it is the same attested TLS, and the same is checked: nothing on the way is trusted.
#[derive(Clone, Debug)]
pub struct Endpoint {
    authority: Authority,
    carrier: Carrier,
    proxy: Option<HttpProxy>,
    trust: OuterTrust,
}

/// What carries the attested channel.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Carrier {
    /// A TCP connection.
    Raw,
    /// The messages of a WebSocket, over TLS of the load balancer's or not.
    WebSocket { path: String, tls: bool },
}

/// A connection as far as the enclave, on which nothing has been said yet.
pub(crate) trait Carried: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Carried for S {}

impl Endpoint {
    /// Reads `http(s)://host[:port]` or `host[:port]`, which mean TCP; or `ws://host[:port][/path]`
    /// and `wss://..`, which mean a WebSocket, at /connect where no path is written. An IPv6
    /// address is in brackets. A port in `text` wins over `port`.
    ///
    /// The scheme says nothing about security. With `https` there is TLS too: the attested one,
    /// which ends in the enclave.
    ///
    /// # Errors
    /// [`Error::Address`] where a host is missing, a port is not a number, or there is a query, a
    /// user, or with TCP a path, none of which would be used.
    pub fn parse(text: &str, port: u16) -> Result<Self, Error> {
        let refuse = |why: String| Error::Address {
            text: text.to_owned(),
            why,
        };
        let (scheme, rest) = match text.trim().split_once("://") {
            Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
            None => ("http".to_owned(), text.trim()),
        };
        let (authority, path) = match rest.find(['/', '?', '#']) {
            Some(end) => rest.split_at(end),
            None => (rest, ""),
        };
        // A slash that a browser's address bar adds means nothing.
        let path = path.strip_suffix('/').unwrap_or(path);
        let carrier = match scheme.as_str() {
            "http" | "https" if path.is_empty() => Carrier::Raw,
            "http" | "https" => {
                // What would be ignored is refused: the person meant something by it.
                return Err(refuse("a path or a query has no meaning here".to_owned()));
            }
            "ws" | "wss" => Carrier::WebSocket {
                path: websocket_path(path).map_err(refuse)?,
                tls: scheme == "wss",
            },
            _ => {
                return Err(refuse(format!(
                    "the scheme `{scheme}` is none of http, https, ws and wss"
                )));
            }
        };
        // User and password in an address would end up in logs.
        if authority.contains('@') {
            return Err(refuse(
                "a user name has no meaning here: your key says who you are".to_owned(),
            ));
        }
        Ok(Self {
            authority: Authority::parse(authority, port).map_err(refuse)?,
            carrier,
            proxy: None,
            trust: OuterTrust::default(),
        })
    }

    /// The same, by way of an HTTP proxy.
    pub fn through(self, proxy: Option<HttpProxy>) -> Self {
        Self { proxy, ..self }
    }

    /// The same, where the outer hop of `wss://` is judged by `trust`.
    pub fn trusting(self, trust: OuterTrust) -> Self {
        Self { trust, ..self }
    }

    /// Its host name or address.
    pub fn host(&self) -> &str {
        self.authority.host()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.authority.port()
    }

    /// Connects as far as the enclave.
    ///
    /// # Errors
    /// [`Error::Unreachable`] where no address answers; [`Error::ConnectDeadline`] where a step
    /// takes longer than 10 seconds; those of the proxy, the outer TLS and the upgrade, each with a
    /// sentence of its own.
    pub(crate) async fn connect(&self) -> Result<Box<dyn Carried>, Error> {
        let stream = match &self.proxy {
            // A deadline for each step, so that the error says which one hung.
            None => self
                .in_time(tcp(&self.authority))
                .await?
                .map_err(|source| Error::Unreachable {
                    endpoint: self.to_string(),
                    source,
                })?,
            Some(proxy) => self.by_way_of(proxy).await?,
        };
        match &self.carrier {
            Carrier::Raw => Ok(Box::new(stream)),
            Carrier::WebSocket { path, tls: false } => self.upgrade(stream, path).await,
            Carrier::WebSocket { path, tls: true } => {
                let secured = self.trust.secure(stream, self.host());
                let stream = self.in_time(secured).await?;
                let stream = stream.map_err(|why| Error::OuterTls {
                    endpoint: self.to_string(),
                    why,
                })?;
                self.upgrade(stream, path).await
            }
        }
    }

    async fn by_way_of(&self, proxy: &HttpProxy) -> Result<TcpStream, Error> {
        let connecting = timeout(STEP_DEADLINE, tcp(proxy.authority()));
        let stream = connecting
            .await
            // Its own error: "the enclave is unreachable" would send the person to the wrong
            // machine.
            .unwrap_or(Err(std::io::ErrorKind::TimedOut.into()))
            .map_err(|source| Error::ProxyUnreachable {
                proxy: proxy.to_string(),
                source,
            })?;
        self.in_time(proxy.tunnel(stream, &self.authority)).await?
    }

    async fn upgrade<S: Carried + 'static>(
        &self,
        stream: S,
        path: &str,
    ) -> Result<Box<dyn Carried>, Error> {
        // A port that is the scheme's own is left out, as virtual hosts expect.
        let default_port = match &self.carrier {
            Carrier::WebSocket { tls: true, .. } => 443,
            _ => 80,
        };
        let host = self.authority.without_port(default_port);
        let upgraded = self
            .in_time(websocket::upgrade(stream, &host, path))
            .await?;
        upgraded
            .map(|stream| Box::new(stream) as Box<dyn Carried>)
            .map_err(|error| match error {
                UpgradeError::Status(status) => Error::UpgradeRefused {
                    endpoint: self.to_string(),
                    status,
                },
                other => Error::NoWebSocket {
                    endpoint: self.to_string(),
                    why: other.to_string(),
                },
            })
    }

    async fn in_time<F: Future>(&self, step: F) -> Result<F::Output, Error> {
        timeout(STEP_DEADLINE, step)
            .await
            .map_err(|_| Error::ConnectDeadline {
                endpoint: self.to_string(),
            })
    }
}

/// As it was written: what carries the channel is part of it.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.carrier {
            Carrier::Raw => write!(f, "{}", self.authority),
            Carrier::WebSocket { path, tls } => {
                let scheme = if *tls { "wss" } else { "ws" };
                write!(f, "{scheme}://{}{path}", self.authority)
            }
        }
    }
}

fn websocket_path(path: &str) -> Result<String, String> {
    if path.is_empty() {
        return Ok(websocket::PATH.to_owned());
    }
    // Without a query or fragment, which no load balancer of ours looks at.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%".contains(&byte);
    if path.starts_with('/') && path.bytes().all(plain) {
        Ok(path.to_owned())
    } else {
        Err(format!("`{path}` is no path without a query"))
    }
}

async fn tcp(authority: &Authority) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect((authority.host(), authority.port())).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn forms_of_an_address_mean_the_same() {
        for (text, shown) in [
            ("https://room.example.org", "room.example.org:443"),
            ("https://room.example.org/", "room.example.org:443"),
            ("HTTP://room.example.org:8080", "room.example.org:8080"),
            ("room.example.org:8080", "room.example.org:8080"),
            ("127.0.0.1", "127.0.0.1:443"),
            ("[::1]:7000", "[::1]:7000"),
            ("http://[::1]", "[::1]:443"),
            ("::1", "[::1]:443"),
            (
                "wss://room.example.org",
                "wss://room.example.org:443/connect",
            ),
            (
                "WSS://room.example.org/",
                "wss://room.example.org:443/connect",
            ),
            ("ws://127.0.0.1:80/a/b", "ws://127.0.0.1:80/a/b"),
            ("ws://[::1]:7000/x/", "ws://[::1]:7000/x"),
        ] {
            assert_eq!(
                Endpoint::parse(text, 443).unwrap().to_string(),
                shown,
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "https://",
            "ftp://host",
            "host:port",
            "host:70000",
            "host:0",
            "host:+80",
            "https://host/path",
            "host?x",
            "a@b",
            "[::1",
            "[::1]7",
            "a b",
            "[a:b",
            "ws://",
            "ws://host/a b",
            "ws://host/a?b",
            "ws://host?b",
            "wss://a:b@host/",
        ] {
            assert!(Endpoint::parse(text, 443).is_err(), "{text}");
        }
    }
}
