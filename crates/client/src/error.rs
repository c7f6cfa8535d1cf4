//! What can go wrong on the client's side.

use std::io;
use std::path::PathBuf;

use access::WeakOrUnreadableKey;
use attested_tls::{Refused, UnreadableKey};

/// What can go wrong on this side. Each message is a sentence for the person who runs it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key's name that is not a plain file name.
    #[error("`{name}` cannot name a key: use letters, digits, `-`, `_` and `.`")]
    KeyName {
        /// The name that was given.
        name: String,
    },
    /// A key file that would be overwritten.
    #[error(
        "{} exists already and is not overwritten; choose another name or folder",
        path.display()
    )]
    KeyFileExists {
        /// Path of the file.
        path: PathBuf,
    },
    /// A key file that cannot be read or written.
    #[error("{}: {source}", path.display())]
    KeyFile {
        /// Path of the file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A private key that cannot be used.
    #[error("the private key in {}: {source}", path.display())]
    PrivateKey {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with it.
        source: UnreadableKey,
    },
    /// A public key that cannot be used.
    #[error("the public key in {}: {source}", path.display())]
    PublicKey {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with it.
        source: WeakOrUnreadableKey,
    },
    /// A private and a public key of different pairs.
    #[error(
        "{} is not the public key that belongs to {}",
        public_file.display(),
        private_file.display()
    )]
    KeyMismatch {
        /// The private key's file.
        private_file: PathBuf,
        /// The public key's file.
        public_file: PathBuf,
    },
    /// An address that cannot be one.
    #[error(
        "`{text}` is no address of an enclave: {why}; write it like https://room.example.org, \
         wss://room.example.org or 127.0.0.1:7000"
    )]
    Address {
        /// The text that was given.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing answers at the enclave's address.
    #[error("no connection to the enclave at {endpoint}: {source}")]
    Unreachable {
        /// Address of the enclave, as it was given.
        endpoint: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// The enclave's address does not answer in time.
    #[error(
        "the enclave at {endpoint} did not answer in time; is the address right, and does a \
         firewall stand between?"
    )]
    ConnectDeadline {
        /// Address of the enclave, as it was given.
        endpoint: String,
    },
    /// A proxy's address that cannot be one. What it was is not repeated: it may hold a password.
    #[error(
        "the proxy's address makes no sense: {why}; write it like http://proxy.example.org:3128"
    )]
    ProxyAddress {
        /// What is wrong with it.
        why: String,
    },
    /// Nothing answers at the proxy's address.
    #[error("no connection to the proxy at {proxy}: {source}")]
    ProxyUnreachable {
        /// Address of the proxy, without a password.
        proxy: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// The proxy opens no connection.
    #[error(
        "the proxy at {proxy} opens no connection to {to}: it answered {status}{}",
        hint_of_proxy(*status)
    )]
    ProxyRefused {
        /// Address of the proxy, without a password.
        proxy: String,
        /// What it was asked for.
        to: String,
        /// HTTP status that it answered with.
        status: u16,
    },
    /// What answers is not a proxy.
    #[error("what answers at {proxy} is no HTTP proxy: {why}")]
    ProxyAnswer {
        /// Address of the proxy, without a password.
        proxy: String,
        /// What is wrong with its answer.
        why: String,
    },
    /// A list of authorities for the outer hop that cannot be used.
    #[error("the authorities in {} cannot be used: {why}", path.display())]
    OuterCa {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The load balancer's own TLS failed.
    #[error("the outer TLS to {endpoint} failed (the load balancer's, not the enclave's): {why}")]
    OuterTls {
        /// Address of the enclave, as it was given.
        endpoint: String,
        /// What went wrong.
        why: String,
    },
    /// What answers does not change from HTTP to WebSocket.
    #[error(
        "{endpoint} does not open a WebSocket: it answered {status}{}",
        hint_of_upgrade(*status)
    )]
    UpgradeRefused {
        /// Address of the enclave, as it was given.
        endpoint: String,
        /// HTTP status that it answered with.
        status: u16,
    },
    /// What answers is not a WebSocket of this protocol.
    #[error("what answers at {endpoint} is no WebSocket of an enclave's host: {why}")]
    NoWebSocket {
        /// Address of the enclave, as it was given.
        endpoint: String,
        /// What is wrong with its answer.
        why: String,
    },
    /// What answered is not what was asked for: nothing was sent to it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The agreement that was served is not the one that the evidence speaks of.
    #[error(
        "the room serves an agreement whose hash is not the one in its evidence; do not send it \
         anything"
    )]
    ServedAgreement,
    /// A reply that the room's protocol does not have.
    #[error("the room's reply to {request} makes no sense: {why}")]
    Reply {
        /// What was asked.
        request: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The connection ended before the room answered.
    #[error(
        "the connection to the room was lost before it answered; see /status for what has come \
         through, then try again"
    )]
    Lost,
    /// The room did not answer in time.
    #[error(
        "the room has been silent for two minutes and is given up; see /status for what has come \
         through, then try again"
    )]
    Silent,
    /// Too many requests at once.
    #[error("too many requests are under way at once; try again when some have ended")]
    Busy,
    /// The local port is taken.
    #[error("port {port} on this machine is in use by another program; choose another one")]
    PortInUse {
        /// Number of the port.
        port: u16,
    },
    /// The local port cannot be opened.
    #[error("port {port} on this machine cannot be opened: {source}")]
    Bind {
        /// Number of the port.
        port: u16,
        /// What the operating system says.
        source: io::Error,
    },
}

fn hint_of_proxy(status: u16) -> &'static str {
    match status {
        403 => " (forbidden: its rules do not allow that address)",
        407 => {
            " (it wants a user and a password: write the user as http://user@host, and put the \
             password in SYNCLAVE_PROXY_PASSWORD)"
        }
        502..=504 => " (it could not reach it)",
        _ => "",
    }
}

fn hint_of_upgrade(status: u16) -> &'static str {
    match status {
        301 | 302 | 307 | 308 => " (a redirect, which is not followed)",
        401 | 403 => " (forbidden: a firewall on the way does not allow it)",
        404 => " (no such path there)",
        426 => " (something on the way does not pass WebSockets on)",
        429 => " (too many connections: try again later)",
        502..=504 => " (there is no enclave at present: try again later)",
        _ => "",
    }
}
