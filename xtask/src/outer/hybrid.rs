//! An enclave that listens on TCP, reached in the hybrid form of vsock: what an emulator does for
//! one that is emulated.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

/// Answers every `CONNECT` at `path` with a connection to `enclave`, in threads of its own, for as
/// long as this program runs.
pub(crate) fn offer(path: &Path, enclave: SocketAddr) -> io::Result<()> {
    let listener = UnixListener::bind(path)?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // One that breaks is the business of its two ends.
            thread::spawn(move || drop(relay(stream, enclave)));
        }
    });
    Ok(())
}

fn relay(mut host: UnixStream, enclave: SocketAddr) -> io::Result<()> {
    let mut byte = [0];
    while byte != *b"\n" {
        host.read_exact(&mut byte)?;
    }
    let mut enclave = TcpStream::connect(enclave)?;
    host.write_all(b"OK 1024\n")?;
    let (mut from_host, mut to_enclave) = (host.try_clone()?, enclave.try_clone()?);
    let there = thread::spawn(move || {
        drop(io::copy(&mut from_host, &mut to_enclave));
        to_enclave.shutdown(Shutdown::Write)
    });
    drop(io::copy(&mut enclave, &mut host));
    drop(host.shutdown(Shutdown::Write));
    drop(there.join());
    Ok(())
}
