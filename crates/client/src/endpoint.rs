//! Where an enclave is reached.

use std::fmt;
use std::net::Ipv6Addr;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::Error;

/// How long a TCP connection may take to be made, name look-up included.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// A host and a TCP port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// Reads `http(s)://host[:port]` or `host[:port]`; an IPv6 address stands in brackets. A port in `text` wins over `port`.
    ///
    /// The scheme says nothing about security: the channel is the same attested TLS either way, over plain TCP.
    ///
    /// # Errors
    /// [`Error::Address`] where a host is missing, a port is no port, or there is a path, a query or a user, none of which
    /// would be used.
    pub fn parse(text: &str, port: u16) -> Result<Self, Error> {
        let refuse = |why: &str| Error::Address {
            text: text.to_owned(),
            why: why.to_owned(),
        };
        let rest = match text.trim().split_once("://") {
            Some((scheme, rest))
                if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") =>
            {
                rest
            }
            Some((scheme, _)) => {
                return Err(refuse(&format!(
                    "the scheme `{scheme}` is neither http nor https"
                )));
            }
            None => text.trim(),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(refuse("a path or a query has no meaning here"));
        }
        if rest.contains('@') {
            return Err(refuse(
                "a user name has no meaning here: your key says who you are",
            ));
        }
        let (host, written) =
            split_port(rest).ok_or_else(|| refuse("the brackets do not match"))?;
        let port = match written {
            None => port,
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
                .ok_or_else(|| refuse(&format!("`{digits}` is no port")))?,
        };
        let plausible = |host: &str| {
            host.bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"[]:".contains(&byte))
        };
        if host.is_empty() || port == 0 {
            return Err(refuse("host or port is missing"));
        }
        if host.parse::<Ipv6Addr>().is_err() && !plausible(host) {
            return Err(refuse(&format!("`{host}` is no host name")));
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }

    /// Connects by TCP to the first of the host's addresses that answers.
    ///
    /// # Errors
    /// [`Error::Unreachable`] where none answers; [`Error::ConnectDeadline`] after 10 seconds.
    pub(crate) async fn connect(&self) -> Result<TcpStream, Error> {
        let stream = tokio::time::timeout(
            CONNECT_DEADLINE,
            TcpStream::connect((self.host.as_str(), self.port)),
        )
        .await
        .map_err(|_| Error::ConnectDeadline {
            endpoint: self.clone(),
        })?
        .map_err(|source| Error::Unreachable {
            endpoint: self.clone(),
            source,
        })?;
        stream
            .set_nodelay(true)
            .map_err(|source| Error::Unreachable {
                endpoint: self.clone(),
                source,
            })?;
        Ok(stream)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Host and written port; `None` for unbalanced brackets.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(inner) = text.strip_prefix('[') {
        let (host, rest) = inner.split_once(']')?;
        return match rest {
            "" => Some((host, None)),
            _ => Some((host, Some(rest.strip_prefix(':')?))),
        };
    }
    match text.rsplit_once(':') {
        // More than one colon without brackets: an IPv6 address alone.
        Some((host, _)) if host.contains(':') => Some((text, None)),
        Some((host, port)) => Some((host, Some(port))),
        None => Some((text, None)),
    }
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
        ] {
            assert!(Endpoint::parse(text, 443).is_err(), "{text}");
        }
    }
}
