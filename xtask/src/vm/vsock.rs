//! An enclave's vsock ports, as its host reaches them.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Where the enclave takes its agreement, once.
pub(crate) const CONFIGURATION_PORT: u32 = 5000;
/// Where it takes parties' connections.
pub(crate) const PARTIES_PORT: u32 = 5001;

/// A connection to a port, if something listens there.
pub(crate) fn connect(socket: &Path, port: u32) -> anyhow::Result<Option<UnixStream>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(format!("CONNECT {port}\n").as_bytes())?;
    let mut answer = Vec::new();
    let mut byte = [0];
    while answer.last() != Some(&b'\n') {
        match stream.read(&mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) => answer.push(byte[0]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(answer.starts_with(b"OK").then_some(stream))
}

/// Those of the ports that something listens on.
pub(crate) fn open_ports(
    socket: &Path,
    ports: impl Iterator<Item = u32>,
) -> anyhow::Result<Vec<u32>> {
    let mut open = Vec::new();
    for port in ports {
        if connect(socket, port)?.is_some() {
            open.push(port);
        }
    }
    Ok(open)
}
