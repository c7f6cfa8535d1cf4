//! How a new connection to the room is made, and what it must show.

use std::time::Duration;

use attested_tls::{Channel, Connector, VerifiedChannel};
use hyper::client::conn::http1::SendRequest;
use tokio::task::AbortHandle;

use crate::upstream::{Body, speak_http};
use crate::{Endpoint, Error};

/// How long handshake and evidence may take.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// The one way from the proxy to a room.
pub(crate) enum Dial {
    /// Over the attested channel. Once the room is known the connector expects that very room.
    Attested {
        endpoint: Endpoint,
        connector: Box<Connector>,
    },
    /// To a plain HTTP server, for a measurement.
    #[cfg(feature = "dangerous-plain-upstream")]
    DangerousPlain(std::net::SocketAddr),
}

impl Dial {
    /// A new connection, ready for a request.
    ///
    /// # Errors
    /// [`Error::Refused`] where the other side is not what the connector expects: nothing was sent
    /// to it but the handshake.
    pub(crate) async fn connect(&self) -> Result<(SendRequest<Body>, AbortHandle), Error> {
        match self {
            Self::Attested {
                endpoint,
                connector,
            } => {
                let (connection, _) = attested(endpoint, connector).await?;
                Ok(connection)
            }
            #[cfg(feature = "dangerous-plain-upstream")]
            Self::DangerousPlain(server) => {
                let stream = tokio::net::TcpStream::connect(server)
                    .await
                    .map_err(|_| Error::Lost)?;
                stream.set_nodelay(true).map_err(|_| Error::Lost)?;
                speak_http(stream).await.map_err(|_| Error::Lost)
            }
        }
    }
}

impl Dial {
    /// What a new connection shows, which is closed again.
    ///
    /// # Errors
    /// As [`Dial::connect`].
    pub(crate) async fn check(&self) -> Result<VerifiedChannel, Error> {
        match self {
            Self::Attested {
                endpoint,
                connector,
            } => {
                let ((_, driver), verified) = attested(endpoint, connector).await?;
                driver.abort();
                Ok(verified)
            }
            // Nobody makes a session of it.
            #[cfg(feature = "dangerous-plain-upstream")]
            Self::DangerousPlain(_) => Err(Error::Lost),
        }
    }
}

/// A connection over which everything that `connector` expects was verified, and what was verified.
pub(crate) async fn attested(
    endpoint: &Endpoint,
    connector: &Connector,
) -> Result<((SendRequest<Body>, AbortHandle), VerifiedChannel), Error> {
    let stream = endpoint.connect().await?;
    let Channel { stream, verified } = tokio::time::timeout(
        HANDSHAKE_DEADLINE,
        connector.connect(stream, attestation::UnixTime::now()),
    )
    .await
    .map_err(|_| Error::ConnectDeadline {
        endpoint: endpoint.to_string(),
    })??;
    Ok((speak_http(stream).await.map_err(|_| Error::Lost)?, verified))
}
