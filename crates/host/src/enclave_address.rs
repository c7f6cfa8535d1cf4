//! Where an enclave is reached from its parent machine.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::UnixStream;
use tokio_vsock::{VsockAddr, VsockStream};

/// How long one connection to an enclave may take to be made.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// A kernel bug corrupts vsock writes longer than 32 KiB, and emulated enclaves stall on long ones.
const WRITE_BYTES: usize = 16 * 1024;
/// Of the hybrid form's answer.
const MAX_ANSWER_BYTES: usize = 64;

/// An enclave's address: `vsock:CID` on a real parent, or `unix:PATH`, the hybrid form in which
/// emulators offer vsock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnclaveAddress {
    /// AF_VSOCK.
    Vsock {
        /// The enclave's context id.
        cid: u32,
    },
    /// A Unix socket that takes `CONNECT PORT` and answers `OK`.
    Unix {
        /// Path of the socket.
        path: PathBuf,
    },
}

/// What is not an address of an enclave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address of an enclave: write it like vsock:16 or unix:/run/enclave.sock")]
pub struct NotAnAddress(String);

impl FromStr for EnclaveAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let refuse = || NotAnAddress(text.to_owned());
        match text.split_once(':').ok_or_else(refuse)? {
            ("vsock", digits) => match digits.parse() {
                // 0 and 2 are the hypervisor's and the host's own; the last one means any.
                Ok(0 | 2 | u32::MAX) | Err(_) => Err(refuse()),
                Ok(cid) => Ok(Self::Vsock { cid }),
            },
            ("unix", path) if !path.is_empty() => Ok(Self::Unix { path: path.into() }),
            _ => Err(refuse()),
        }
    }
}

impl fmt::Display for EnclaveAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vsock { cid } => write!(f, "vsock:{cid}"),
            Self::Unix { path } => write!(f, "unix:{}", path.display()),
        }
    }
}

impl EnclaveAddress {
    /// A connection to `port` in the enclave.
    ///
    /// # Errors
    /// Those of the operating system; [`ErrorKind::TimedOut`] after 10 seconds;
    /// [`ErrorKind::ConnectionRefused`] where nothing listens.
    pub async fn connect(&self, port: u32) -> io::Result<EnclaveStream> {
        let connecting = async {
            match self {
                Self::Vsock { cid } => VsockStream::connect(VsockAddr::new(*cid, port))
                    .await
                    .map(EnclaveStream::Vsock),
                Self::Unix { path } => hybrid(UnixStream::connect(path).await?, port)
                    .await
                    .map(EnclaveStream::Unix),
            }
        };
        tokio::time::timeout(CONNECT_DEADLINE, connecting)
            .await
            .unwrap_or(Err(ErrorKind::TimedOut.into()))
    }
}

async fn hybrid(mut stream: UnixStream, port: u32) -> io::Result<UnixStream> {
    // Firecracker's form, which emulators have taken over.
    stream
        .write_all(format!("CONNECT {port}\n").as_bytes())
        .await?;
    let mut answer = Vec::new();
    // Byte by byte: what follows the line is the enclave's.
    while answer.last() != Some(&b'\n') {
        if answer.len() == MAX_ANSWER_BYTES {
            return Err(ErrorKind::InvalidData.into());
        }
        match stream.read_u8().await {
            Ok(byte) => answer.push(byte),
            // How it says that nothing listens there.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                return Err(ErrorKind::ConnectionRefused.into());
            }
            Err(error) => return Err(error),
        }
    }
    if answer.starts_with(b"OK") {
        Ok(stream)
    } else {
        Err(ErrorKind::ConnectionRefused.into())
    }
}

/// A connection to an enclave. No single write to it is longer than 16 KiB.
#[derive(Debug)]
pub enum EnclaveStream {
    /// AF_VSOCK.
    Vsock(VsockStream),
    /// The hybrid form, past its greeting.
    Unix(UnixStream),
}

impl AsyncRead for EnclaveStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Vsock(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for EnclaveStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        // Cut here, at the last place before the socket: every writer is then safe.
        let data = &data[..data.len().min(WRITE_BYTES)];
        match self.get_mut() {
            Self::Vsock(stream) => Pin::new(stream).poll_write(context, data),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, data),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Vsock(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Vsock(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for text in ["vsock:16", "unix:/run/enclave.sock", "unix:a:b"] {
            assert_eq!(text.parse::<EnclaveAddress>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "16",
            "vsock:",
            "vsock:0",
            "vsock:2",
            "vsock:4294967295",
            "vsock:x",
            "unix:",
            "tcp:1",
        ] {
            assert!(text.parse::<EnclaveAddress>().is_err(), "{text}");
        }
    }

    async fn greeted(answer: &'static [u8]) -> io::Result<(UnixStream, Vec<u8>)> {
        let (near, mut far) = UnixStream::pair().unwrap();
        let backend = tokio::spawn(async move {
            let mut asked = vec![0; 13];
            far.read_exact(&mut asked).await.unwrap();
            far.write_all(answer).await.unwrap();
            asked
        });
        let stream = hybrid(near, 5001).await?;
        Ok((stream, backend.await.unwrap()))
    }

    #[tokio::test]
    async fn the_hybrid_form_leaves_the_enclaves_first_byte_alone() {
        let (mut stream, asked) = greeted(b"OK 1073741824\nhello").await.unwrap();
        assert_eq!(asked, b"CONNECT 5001\n");
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "hello");
    }

    #[tokio::test]
    async fn no_answer_and_another_answer_are_refusals() {
        for (answer, kind) in [
            (&b""[..], ErrorKind::ConnectionRefused),
            (b"OK", ErrorKind::ConnectionRefused),
            (b"NO\n", ErrorKind::ConnectionRefused),
            (&[b'x'; 100], ErrorKind::InvalidData),
        ] {
            assert_eq!(greeted(answer).await.unwrap_err().kind(), kind);
        }
    }
}
