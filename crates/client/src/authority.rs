//! A host and a port.
// Not `url` (2.5), whose reader is a browser's: it forgets a written port that is the scheme's own,
// while `http://room` means 443 here and `http://room:80` means 80; it drops tabs, turns `\` into
// `/`, takes `0x7f.1` for 127.0.0.1, and brings some 30 crates.

use std::fmt;
use std::net::Ipv6Addr;

/// A host name or address, and a TCP port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    host: String,
    port: u16,
}

impl Authority {
    /// Reads `host[:port]`; an IPv6 address is in brackets where a port follows.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str, port: u16) -> Result<Self, String> {
        let (host, written) =
            split_port(text).ok_or_else(|| "the brackets do not match".to_owned())?;
        let port = match written {
            None => port,
            Some(digits) => digits
                .parse()
                .ok()
                // `parse` takes a sign as well.
                .filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
                .ok_or_else(|| format!("`{digits}` is no port"))?,
        };
        // No delimiter of an address may be in a name: another reader would split it elsewhere.
        let plausible = |host: &str| {
            host.bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"[]:/?#@\\".contains(&byte))
        };
        // Port 0 means "any" to an operating system, and nothing to a person.
        if host.is_empty() || port == 0 {
            return Err("host or port is missing".to_owned());
        }
        if host.parse::<Ipv6Addr>().is_err() && !plausible(host) {
            return Err(format!("`{host}` is no host name"));
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// As it is written in a `Host` header: without a port that is the scheme's own.
    pub(crate) fn without_port(&self, default: u16) -> String {
        let whole = self.to_string();
        if self.port == default {
            let suffix = format!(":{default}");
            whole.strip_suffix(&suffix).unwrap_or(&whole).to_owned()
        } else {
            whole
        }
    }
}

impl fmt::Display for Authority {
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
