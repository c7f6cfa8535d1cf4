//! An HTTP proxy on the way out of a company's network.

use std::fmt;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::authority::Authority;
use crate::{Endpoint, Error};

/// The environment variable with the password of a proxy's user. On a command line every user of
/// the machine could read it.
pub const PASSWORD_VARIABLE: &str = "SYNCLAVE_PROXY_PASSWORD";

/// Of the proxy's answer to CONNECT, up to the empty line.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// A proxy that opens TCP connections when it is asked by `CONNECT`. It sees what any router on the
/// way would see.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpProxy {
    authority: Authority,
    /// `user:password`, or `user` alone.
    credentials: Option<String>,
}

impl HttpProxy {
    /// Reads `http://[user:password@]host[:port]` or `[user:password@]host[:port]`; the port is 80
    /// where none is written. User and password may be percent-encoded.
    ///
    /// # Errors
    /// [`Error::ProxyAddress`], which does not repeat what may be a password.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refuse = |why: String| Error::ProxyAddress { why };
        let rest = match text.trim().split_once("://") {
            None => text.trim(),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some((scheme, _)) => {
                return Err(refuse(format!(
                    "proxies of the kind `{scheme}` are not spoken to"
                )));
            }
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // From the right: a password may have an `@` in it.
        let (credentials, authority) = match rest.rsplit_once('@') {
            None => (None, rest),
            Some((credentials, authority)) => (Some(credentials), authority),
        };
        let credentials = credentials.map(|text| {
            percent_decoded(text)
                .ok_or_else(|| refuse("its user or password makes no sense".to_owned()))
        });
        Ok(Self {
            credentials: credentials.transpose()?,
            authority: Authority::parse(authority, 80).map_err(refuse)?,
        })
    }

    /// The proxy that the environment names for `endpoint`: `https_proxy` or `HTTPS_PROXY`, unless
    /// `no_proxy` or `NO_PROXY` exempts its host or it is this very machine. `variable` looks one
    /// up.
    ///
    /// # Errors
    /// [`Error::ProxyAddress`].
    pub fn of_environment(
        endpoint: &Endpoint,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Error> {
        let either = |lower: &str, upper: &str| {
            // Lower case wins, as with curl.
            let value = variable(lower).or_else(|| variable(upper));
            value.filter(|value| !value.trim().is_empty())
        };
        let Some(named) = either("https_proxy", "HTTPS_PROXY") else {
            return Ok(None);
        };
        let exempt = either("no_proxy", "NO_PROXY").unwrap_or_default();
        // This machine is never reached by way of another.
        if is_loopback(endpoint.host()) || exempts(&exempt, endpoint.host(), endpoint.port()) {
            return Ok(None);
        }
        Self::parse(&named).map(Some)
    }

    /// Whether it has a password already.
    pub fn has_password(&self) -> bool {
        let credentials = self.credentials.as_deref();
        credentials.is_some_and(|credentials| credentials.contains(':'))
    }

    /// The same proxy with the password in [`PASSWORD_VARIABLE`], where there is one and the
    /// address has none. `variable` looks one up.
    ///
    /// # Errors
    /// [`Error::ProxyAddress`] where the address names no user to go with the password, or it holds
    /// a control character.
    pub fn with_password_of_environment(
        mut self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        let password = variable(PASSWORD_VARIABLE).filter(|password| !password.is_empty());
        let (Some(password), false) = (password, self.has_password()) else {
            return Ok(self);
        };
        let refuse = |why: String| Err(Error::ProxyAddress { why });
        let Some(user) = &mut self.credentials else {
            return refuse(format!(
                "{PASSWORD_VARIABLE} is set, but the address names no user"
            ));
        };
        // A line break would begin another header.
        if password.chars().any(char::is_control) {
            return refuse(format!("{PASSWORD_VARIABLE} holds a control character"));
        }
        user.push(':');
        user.push_str(&password);
        Ok(self)
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Asks it, over `stream`, for a connection to `to`.
    ///
    /// # Errors
    /// [`Error::ProxyRefused`] with its status; [`Error::ProxyAnswer`] where what answers is no
    /// HTTP proxy.
    pub(crate) async fn tunnel(
        &self,
        mut stream: TcpStream,
        to: &Authority,
    ) -> Result<TcpStream, Error> {
        let nonsense = |why: String| Error::ProxyAnswer {
            proxy: self.to_string(),
            why,
        };
        // By name, not by address: the proxy may be the one that can resolve it.
        let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n");
        if let Some(credentials) = &self.credentials {
            let encoded = STANDARD.encode(credentials);
            request.push_str(&format!("Proxy-Authorization: Basic {encoded}\r\n"));
        }
        request.push_str("\r\n");
        let exchange = async {
            stream.write_all(request.as_bytes()).await?;
            read_head(&mut stream).await
        };
        let head = exchange
            .await
            .map_err(|error| nonsense(error.to_string()))?;
        match status(&head) {
            None => Err(nonsense("it is not HTTP".to_owned())),
            // Any 2xx opens the tunnel (RFC 9110, section 9.3.6).
            Some(200..=299) => Ok(stream),
            Some(status) => Err(Error::ProxyRefused {
                proxy: self.to_string(),
                to: to.to_string(),
                status,
            }),
        }
    }
}

/// Without user and password.
impl fmt::Display for HttpProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.authority.fmt(f)
    }
}

impl fmt::Debug for HttpProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpProxy")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

/// Up to the empty line and not a byte more: what follows is the enclave's.
async fn read_head(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        // A proxy that sends a page without end must not fill memory.
        if head.len() == MAX_ANSWER_BYTES {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let rest = line
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| line.strip_prefix("HTTP/1.0 "))?;
    let digits = rest.split(' ').next()?;
    // Exactly three digits; `parse` alone would take a sign.
    digits.parse().ok().filter(|_| digits.len() == 3)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

/// A comma-separated list of `*`, hosts with all their subdomains, and addresses, each with a port
/// or without.
fn exempts(list: &str, host: &str, port: u16) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    list.split(',').map(str::trim).any(|entry| {
        if entry == "*" {
            return true;
        }
        let Ok(named) = Authority::parse(entry, port) else {
            return false;
        };
        let domain = named.host().trim_start_matches('.').to_ascii_lowercase();
        // With or without a dot before it, a domain means its subdomains too.
        let below = host
            .strip_suffix(&domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        below && named.port() == port
    })
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let (digits, after) = after.split_first_chunk::<2>()?;
            let digits = std::str::from_utf8(digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    // A line break would begin another header.
    String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_environment(variables: &[(&str, &str)], endpoint: &str) -> Option<String> {
        let endpoint = Endpoint::parse(endpoint, 443).unwrap();
        let find = |name: &str| {
            let found = variables.iter().find(|(it, _)| *it == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let proxy = HttpProxy::of_environment(&endpoint, find).unwrap();
        proxy.map(|proxy| proxy.to_string())
    }

    #[test]
    fn a_proxy_is_read_and_its_password_is_never_shown() {
        let proxy = HttpProxy::parse("http://alice:p%40ss%3a@proxy.example.org:3128/").unwrap();
        assert_eq!(proxy.credentials.as_deref(), Some("alice:p@ss:"));
        assert_eq!(proxy.to_string(), "proxy.example.org:3128");
        assert!(!format!("{proxy:?}").contains("ss"));
        assert_eq!(HttpProxy::parse("proxy").unwrap().to_string(), "proxy:80");
        for text in [
            "",
            "socks5://proxy",
            "https://proxy",
            "http://secret%@proxy",
            "http://a:b%0d%0ax@proxy",
            "http://secret@",
            "http://secret@a b",
        ] {
            let error = HttpProxy::parse(text).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn the_environment_has_the_password_and_it_is_never_shown() {
        let with = |text: &str, password: &str| {
            let variable = |name: &str| (name == PASSWORD_VARIABLE).then(|| password.to_owned());
            let proxy = HttpProxy::parse(text).unwrap();
            proxy.with_password_of_environment(variable)
        };
        let credentials = |text, password| with(text, password).unwrap().credentials;
        assert_eq!(
            credentials("alice@proxy", "s3cr:et").unwrap(),
            "alice:s3cr:et"
        );
        assert_eq!(
            credentials("alice:own@proxy", "s3cret").unwrap(),
            "alice:own"
        );
        assert_eq!(credentials("alice@proxy", "").unwrap(), "alice");
        assert_eq!(credentials("proxy", ""), None);
        let proxy = with("alice@proxy", "s3cret").unwrap();
        assert!(!format!("{proxy} {proxy:?}").contains("s3cret"));
        for (text, password) in [("proxy", "s3cret"), ("alice@proxy", "s3cret\r\nX: y")] {
            let error = with(text, password).unwrap_err().to_string();
            assert!(
                error.contains(PASSWORD_VARIABLE) && !error.contains("s3cret"),
                "{error}"
            );
        }
    }

    #[test]
    fn the_environment_names_a_proxy_and_exempts_hosts() {
        let proxy = ("HTTPS_PROXY", "http://proxy:3128");
        let all = |no_proxy: &str, endpoint: &str| {
            of_environment(&[proxy, ("no_proxy", no_proxy)], endpoint).is_some()
        };
        assert!(all("", "https://room.example.org"));
        assert!(all("example.com", "https://room.example.org"));
        assert!(all("le.org", "https://room.example.org"));
        assert!(all("room.example.org:8443", "https://room.example.org"));
        for exempt in [
            "*",
            "example.org",
            ".example.org",
            "a, ROOM.example.org",
            "example.org:443",
        ] {
            assert!(!all(exempt, "https://room.example.org"), "{exempt}");
        }
        assert!(!all("10.0.0.1", "10.0.0.1:7000"));
        for here in ["127.0.0.1:7000", "ws://localhost:80", "[::1]:7000"] {
            assert!(!all("", here), "{here}");
        }
        assert_eq!(of_environment(&[], "https://room.example.org"), None);
        let lower_wins = [proxy, ("https_proxy", "other")];
        assert_eq!(
            of_environment(&lower_wins, "wss://room").unwrap(),
            "other:80"
        );
    }

    #[test]
    fn only_a_status_line_has_a_status() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 407\r\n\r\n"), Some(407));
        for other in [
            "",
            "HTTP/2 200 OK\r\n",
            "HTTP/1.1 20\r\n",
            "SSH-2.0\r\n",
            "HTTP/1.1 2000 \r\n",
        ] {
            assert_eq!(status(other.as_bytes()), None, "{other}");
        }
    }
}
