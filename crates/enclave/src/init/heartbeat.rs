//! The sign of life that the parent machine waits for.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_vsock::{VsockAddr, VsockStream};

use crate::{EnclaveEvent, Events};

/// The parent machine's number and port, and what is said to it: as AWS's own init does, and
/// `nitro-cli run-enclave` expects.
const PARENT: (u32, u32) = (3, 9000);
const SIGN: u8 = 0xB7;
const PATIENCE: Duration = Duration::from_secs(5);

/// Tells the parent machine that the enclave is up, and the console whether it was there. Ends
/// within seconds.
pub(super) async fn send(events: Events) {
    // A parent that does not answer is not a fault: another program than nitro-cli may have started
    // the enclave.
    let exchange = tokio::time::timeout(PATIENCE, exchange()).await;
    let answered = matches!(exchange, Ok(Ok(SIGN)));
    events(EnclaveEvent::Heartbeat { answered });
}

async fn exchange() -> io::Result<u8> {
    let mut parent = VsockStream::connect(VsockAddr::new(PARENT.0, PARENT.1)).await?;
    parent.write_all(&[SIGN]).await?;
    parent.read_u8().await
}
