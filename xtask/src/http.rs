//! As little of an HTTP client as a party's local port needs.
// Not the demo's client, which is hyper's: a test here breaks an upload off between two bytes, and
// xtask has no runtime. Not that of client's tests, which is async too, in the proxy's own runtime.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, ensure};

/// Training in emulation takes its time.
const PATIENCE: Duration = Duration::from_secs(300);

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Reply {
    /// The body of a reply that is not a refusal.
    pub(crate) fn ok(self) -> anyhow::Result<String> {
        ensure!(self.status == 200, "{}: {}", self.status, self.body);
        Ok(self.body)
    }
}

pub(crate) fn get(port: u16, path: &str) -> anyhow::Result<Reply> {
    send(
        port,
        format!("GET {path} HTTP/1.0\r\nhost: localhost:{port}\r\n\r\n").as_bytes(),
    )
}

pub(crate) fn post(port: u16, path: &str) -> anyhow::Result<Reply> {
    send(
        port,
        format!("POST {path} HTTP/1.0\r\nhost: localhost:{port}\r\ncontent-length: 0\r\n\r\n")
            .as_bytes(),
    )
}

/// Uploads a table as a form with one field.
pub(crate) fn upload(port: u16, table: &str) -> anyhow::Result<Reply> {
    send(port, &upload_request(port, table))
}

/// The bytes of an upload, for a test that does not send them all.
pub(crate) fn upload_request(port: u16, table: &str) -> Vec<u8> {
    const BOUNDARY: &str = "synclave-vm-0d5f1c7a93";
    let form = format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; \
         filename=\"table.csv\"\r\ncontent-type: text/csv\r\n\r\n\
         {table}\r\n--{BOUNDARY}--\r\n"
    );
    format!(
        "POST /upload_data HTTP/1.0\r\nhost: localhost:{port}\r\nuser-agent: synclave-vm\r\n\
         content-type: multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: \
         {}\r\n\r\n{form}",
        form.len()
    )
    .into_bytes()
}

/// HTTP 1.0, so that a reply ends where the connection does.
fn send(port: u16, request: &[u8]) -> anyhow::Result<Reply> {
    let mut stream = connect(port)?;
    stream.write_all(request)?;
    receive(stream)
}

pub(crate) fn connect(port: u16) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).context("the local port is closed")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

pub(crate) fn receive(mut stream: TcpStream) -> anyhow::Result<Reply> {
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    let reply = String::from_utf8_lossy(&reply);
    let (head, body) = reply.split_once("\r\n\r\n").context("no reply of HTTP")?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Ok(Reply {
        status: status.context("no status")?,
        body: body.to_owned(),
    })
}
