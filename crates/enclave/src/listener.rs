//! Where parties connect.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use serde::{Serialize, Serializer};
use tokio::net::{TcpListener, TcpStream};
#[cfg(target_os = "linux")]
use tokio_vsock::{VMADDR_CID_ANY, VsockAddr, VsockListener, VsockStream};

#[cfg(target_os = "linux")]
use crate::small_writes::SmallWrites;

/// What to listen on.
pub enum Listener {
    /// A socket that listens already.
    Tcp(TcpListener),
    /// A port of the enclave's vsock, which nobody can reach before the agreement is measured.
    #[cfg(target_os = "linux")]
    Vsock {
        /// Number of the port.
        port: u32,
    },
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Listener::Tcp(listener)
    }
}

impl Listener {
    /// Connections are taken in from now on, in the current tokio runtime.
    pub(crate) fn open(self) -> io::Result<OpenListener> {
        match self {
            Listener::Tcp(listener) => Ok(OpenListener::Tcp(listener)),
            #[cfg(target_os = "linux")]
            Listener::Vsock { port } => {
                VsockListener::bind(VsockAddr::new(VMADDR_CID_ANY, port)).map(OpenListener::Vsock)
            }
        }
    }
}

/// A socket that listens.
pub(crate) enum OpenListener {
    Tcp(TcpListener),
    #[cfg(target_os = "linux")]
    Vsock(VsockListener),
}

/// A connection that was taken in.
pub(crate) enum Incoming {
    Tcp(TcpStream),
    #[cfg(target_os = "linux")]
    Vsock(SmallWrites<VsockStream>),
}

impl OpenListener {
    pub(crate) fn address(&self) -> io::Result<Address> {
        match self {
            OpenListener::Tcp(listener) => listener.local_addr().map(Address::Tcp),
            #[cfg(target_os = "linux")]
            OpenListener::Vsock(listener) => {
                let port = listener.local_addr()?.port();
                Ok(Address::Vsock { port })
            }
        }
    }

    /// A connection, and the address of who connects. Over vsock everybody comes through the host,
    /// as one client.
    pub(crate) async fn accept(&self) -> io::Result<(Incoming, IpAddr)> {
        match self {
            OpenListener::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Without it small replies wait for acknowledgements; a stream that cannot be told
                // so still works.
                drop(stream.set_nodelay(true));
                Ok((Incoming::Tcp(stream), peer.ip()))
            }
            #[cfg(target_os = "linux")]
            OpenListener::Vsock(listener) => {
                let (stream, _) = listener.accept().await?;
                // Any fixed address will do: everybody is one client here.
                let host = IpAddr::from(std::net::Ipv4Addr::UNSPECIFIED);
                Ok((Incoming::Vsock(SmallWrites::new(stream)), host))
            }
        }
    }
}

/// Where an enclave listens. In text `127.0.0.1:7000`, or `vsock:any:5001`: an enclave does not
/// know the number (CID) that its host gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// An address of IP.
    Tcp(SocketAddr),
    /// A port of the enclave's vsock, under whatever CID.
    Vsock {
        /// Number of the port.
        port: u32,
    },
}

impl Address {
    /// The address of IP, if it is one.
    pub fn tcp(self) -> Option<SocketAddr> {
        match self {
            Address::Tcp(address) => Some(address),
            Address::Vsock { .. } => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Vsock { port } => write!(f, "vsock:any:{port}"),
        }
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
