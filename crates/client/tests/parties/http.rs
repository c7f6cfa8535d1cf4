//! HTTP/1.1 as a plain program would write and read it, without any of the code that is tested.
// Not hyper, as in the demo: the proxy under test is made of it, and would agree with its mistakes.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A reply, its body put together.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

pub(crate) async fn get(port: u16, path: &str) -> Reply {
    send(
        port,
        format!(
            "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: \
        curl/8.5.0\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        )
        .as_bytes(),
    )
    .await
}

pub(crate) async fn post(port: u16, path: &str) -> Reply {
    send(
        port,
        format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: \
                        0\r\nConnection: close\r\n\r\n"
        )
        .as_bytes(),
    )
    .await
}

/// As `curl --form file=@table.csv` and `requests.post(url, files={"file": ...})` send it.
pub(crate) async fn upload(port: u16, table: &str) -> Reply {
    let (head, body) = multipart(port, table, "");
    send(port, &[head.into_bytes(), body].concat()).await
}

/// The header and the body of an upload. `more` are further header lines.
pub(crate) fn multipart(port: u16, table: &str, more: &str) -> (String, Vec<u8>) {
    const BOUNDARY: &str = "------------------------d74496d66958873e";
    let body = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; \
         filename=\"table.csv\"\r\nContent-Type: text/csv\r\n\r\n{table}\r\n--{BOUNDARY}--\r\n"
    );
    let head = format!(
        "POST /upload_data HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: curl/8.0\r\nAccept: \
         */*\r\nContent-Length: {}\r\nContent-Type: \
         multipart/form-data; boundary={BOUNDARY}\r\n{more}Connection: close\r\n\r\n",
        body.len()
    );
    (head, body.into_bytes())
}

/// Sends these bytes, and reads until the other side closes.
pub(crate) async fn send(port: u16, request: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (mut reading, mut writing) = stream.split();
    let mut bytes = Vec::new();
    // A reply may come before the whole request is sent; then the rest may fail to be.
    let (_, read) = tokio::join!(writing.write_all(request), reading.read_to_end(&mut bytes));
    read.unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&bytes)));
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Reply {
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("no header: {:?}", String::from_utf8_lossy(bytes)));
    let head = str::from_utf8(&bytes[..end]).unwrap().to_owned();
    let rest = &bytes[end + 4..];
    let status = head[9..12].parse().unwrap();
    if status == 100 {
        return parse(rest);
    }
    let mut reply = Reply {
        status,
        head,
        body: rest.to_vec(),
    };
    if reply
        .header("transfer-encoding")
        .is_some_and(|it| it.eq_ignore_ascii_case("chunked"))
    {
        reply.body = dechunked(rest);
    } else if let Some(length) = reply.header("content-length") {
        assert_eq!(
            reply.body.len(),
            length.parse::<usize>().unwrap(),
            "a whole body"
        );
    }
    reply
}

fn dechunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = rest
            .windows(2)
            .position(|window| window == b"\r\n")
            .expect("the size of a chunk");
        let size = usize::from_str_radix(str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        rest = &rest[line + 2..];
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
}

/// Waits until `/model_status` says `words`.
pub(crate) async fn wait_for_status(port: u16, words: &str) {
    for _ in 0..600 {
        if get(port, "/model_status").await.json() == format!("Model status: {words}") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the room never came to be `{words}`");
}
