//! Handing an enclave its agreement.

use std::io;
use std::time::Duration;

use printable::escaped;
use protocol::{
    Agreement, AgreementHash, CONFIGURATION_PORT, ConfigurationReply, MAX_REPLY_BYTES, RoomId,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::enclave_address::{EnclaveAddress, EnclaveStream};

/// Between two attempts to reach an enclave that is booting.
const ATTEMPT_PAUSE: Duration = Duration::from_millis(250);
/// From the configuration's first byte to the end of the reply.
const REPLY_DEADLINE: Duration = Duration::from_secs(60);

/// Why an enclave has no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigureError {
    /// Nothing listens for one.
    #[error(
        "the enclave at {address} took no connection for its configuration in {seconds} s: {source}"
    )]
    Unreachable {
        /// Where it should be.
        address: EnclaveAddress,
        /// How long it was tried.
        seconds: u64,
        /// What the last attempt came to.
        source: io::Error,
    },
    /// The connection broke, or nothing came.
    #[error("the enclave did not answer its configuration: {0}")]
    Lost(#[source] io::Error),
    /// Something else came.
    #[error("the enclave's answer to its configuration makes no sense")]
    Reply,
    /// The enclave does not take it. Another attempt would come to the same.
    #[error("the enclave refused its configuration: {0}")]
    Refused(String),
    /// What arrived is not what was sent.
    #[error(
        "the enclave was given the agreement {sent} and has {arrived}: something changed it on the \
         settings, so no party that expects the first would use this enclave"
    )]
    Changed {
        /// The hash of what was sent.
        sent: AgreementHash,
        /// The hash of what the enclave says it has.
        arrived: AgreementHash,
    },
}

/// Sends `agreement` to the enclave at `address` once, as soon as it can be reached, within `boot`
/// from now. Gives the new room's id.
///
/// # Errors
/// [`ConfigureError`].
pub(crate) async fn configure(
    address: &EnclaveAddress,
    agreement: &Agreement,
    boot: Duration,
) -> Result<RoomId, ConfigureError> {
    // Tried again and again: a booting enclave takes no connections yet.
    let stream = reach(address, boot).await?;
    let reply = timeout(REPLY_DEADLINE, exchange(stream, agreement))
        .await
        .unwrap_or(Err(io::ErrorKind::TimedOut.into()))
        .map_err(ConfigureError::Lost)?;
    match serde_json::from_slice(&reply).map_err(|_| ConfigureError::Reply)? {
        ConfigurationReply::Refused { detail } => {
            // The enclave's text is a stranger's, and goes to a terminal.
            Err(ConfigureError::Refused(escaped(&detail).into_owned()))
        }
        ConfigurationReply::Accepted {
            agreement: arrived,
            room,
        } => {
            let sent = agreement.sha384();
            // The host is not trusted by the parties, but an operator should learn at once that
            // something changed.
            if sent == arrived {
                Ok(room)
            } else {
                Err(ConfigureError::Changed { sent, arrived })
            }
        }
    }
}

async fn reach(address: &EnclaveAddress, boot: Duration) -> Result<EnclaveStream, ConfigureError> {
    let deadline = Instant::now() + boot;
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    loop {
        match timeout_at(deadline, address.connect(CONFIGURATION_PORT)).await {
            Ok(Ok(stream)) => return Ok(stream),
            // The last error is kept, as a deadline alone would not say what is wrong.
            Ok(Err(error)) => last = error,
            Err(_) => {}
        }
        if Instant::now() + ATTEMPT_PAUSE >= deadline {
            return Err(ConfigureError::Unreachable {
                address: address.clone(),
                seconds: boot.as_secs(),
                source: last,
            });
        }
        sleep(ATTEMPT_PAUSE).await;
    }
}

/// One line comes back, with its end.
async fn exchange(mut stream: EnclaveStream, agreement: &Agreement) -> io::Result<Vec<u8>> {
    // An enclave that refuses may do so before it has read everything.
    let sent = stream.write_all(&agreement.to_configuration()).await;
    let mut reply = Vec::new();
    // Bounded before it is read to a line's end.
    let limit = u64::try_from(MAX_REPLY_BYTES).expect("a small number");
    let mut reader = BufReader::new(stream.take(limit));
    let read = reader.read_until(b'\n', &mut reply).await;
    // A whole reply counts, even if the sending side failed: it says why.
    if reply.last() == Some(&b'\n') {
        return Ok(reply);
    }
    sent.and(read)?;
    Err(io::ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    /// What comes of an enclave that says `reply`, or nothing, to the agreement, and the hash of
    /// what it was sent.
    async fn answered(
        reply: impl FnOnce(AgreementHash) -> String,
    ) -> Result<RoomId, ConfigureError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("enclave.sock");
        let agreement = Agreement::new("a: 1", "b: 2").unwrap();
        let reply = reply(agreement.sha384());
        let expected = agreement.to_configuration();
        let address = EnclaveAddress::Unix { path: path.clone() };
        let enclave = tokio::spawn(async move {
            // It takes a while to boot.
            sleep(Duration::from_millis(400)).await;
            let (mut stream, _) = UnixListener::bind(path).unwrap().accept().await.unwrap();
            let mut asked = vec![0; b"CONNECT 5000\n".len()];
            stream.read_exact(&mut asked).await.unwrap();
            assert_eq!(asked, b"CONNECT 5000\n");
            stream.write_all(b"OK 7\n").await.unwrap();
            let mut configuration = vec![0; expected.len()];
            stream.read_exact(&mut configuration).await.unwrap();
            assert_eq!(configuration, expected);
            stream.write_all(reply.as_bytes()).await.unwrap();
        });
        let outcome = configure(&address, &agreement, Duration::from_secs(10)).await;
        enclave.await.unwrap();
        outcome
    }

    fn accepted(agreement: AgreementHash) -> String {
        let room = RoomId::from_bytes([7; 32]);
        serde_json::to_string(&ConfigurationReply::Accepted { agreement, room }).unwrap() + "\n"
    }

    #[tokio::test]
    async fn an_enclave_that_takes_the_agreement_has_a_room() {
        let room = answered(accepted).await.unwrap();
        assert_eq!(room, RoomId::from_bytes([7; 32]));
    }

    #[tokio::test]
    async fn everything_else_is_told_apart() {
        let changed = answered(|_| accepted(AgreementHash::from_bytes([9; 48]))).await;
        assert!(matches!(changed, Err(ConfigureError::Changed { .. })));
        let refusal = "{\"refused\":{\"detail\":\"twice\\u001b[2J\"}}\n";
        let refused = answered(|_| refusal.to_owned()).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the enclave refused its configuration: twice\\u{1b}[2J"
        );
        for nonsense in ["hello\n", "{}\n"] {
            let outcome = answered(|_| nonsense.to_owned()).await;
            assert!(matches!(outcome, Err(ConfigureError::Reply)), "{nonsense}");
        }
        let endless = "x".repeat(MAX_REPLY_BYTES + 1) + "\n";
        for lost in [String::new(), "{\"accepted\":".to_owned(), endless] {
            let outcome = answered(|_| lost.clone()).await;
            assert!(matches!(outcome, Err(ConfigureError::Lost(_))), "{lost}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_enclave_that_never_comes_up_is_given_up() {
        let address: EnclaveAddress = "unix:/nowhere/enclave.sock".parse().unwrap();
        let agreement = Agreement::new("", "").unwrap();
        let boot = Duration::from_secs(90);
        let error = configure(&address, &agreement, boot).await.unwrap_err();
        assert!(matches!(
            error,
            ConfigureError::Unreachable { seconds: 90, .. }
        ));
    }
}
