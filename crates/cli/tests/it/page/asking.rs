//! Requests as a program sends them, with no more headers than it is told to.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

pub(super) const JSON: (&str, &str) = ("content-type", "application/json");

#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub(super) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// Status and code of an error.
    #[track_caller]
    pub(super) fn is(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status, self.json()["code"].as_str().unwrap()),
            (status, code),
            "{self:?}"
        );
    }
}

pub(super) fn ask(port: u16, request: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let host = format!("localhost:{port}");
    let mut head = format!("{request} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        head.push_str(&format!("host: {host}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    // A reply may come before the whole request is sent; then the rest may fail to be.
    drop(stream.write_all(&[head.as_bytes(), b"\r\n", body].concat()));
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("{request}: {:?}", String::from_utf8_lossy(&bytes)));
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let body = bytes[end + 4..].to_vec();
    let chunked = head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked");
    Reply {
        status: head[9..12].parse().unwrap(),
        body: if chunked { dechunked(&body) } else { body },
        head,
    }
}

fn dechunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|it| it == b"\r\n").unwrap();
        let size = usize::from_str_radix(str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        rest = &rest[line + 2..];
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
}

pub(super) fn upload(port: u16, table: &str) -> Reply {
    let body = format!(
        "--xyz\r\ncontent-disposition: form-data; name=\"file\"; filename=\"table.csv\"\r\n\
         content-type: text/csv\r\n\r\n{table}\r\n--xyz--\r\n"
    );
    let origin = format!("http://localhost:{port}");
    let headers = [
        ("content-type", "multipart/form-data; boundary=xyz"),
        ("origin", origin.as_str()),
    ];
    ask(port, "POST /upload_data", &headers, body.as_bytes())
}
