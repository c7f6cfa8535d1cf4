//! A plain HTTP client on the local port, as curl or a notebook would be.
// The clients of client's tests and of xtask are others on purpose: they say there why.

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// A party's local port.
#[derive(Clone, Copy)]
pub(super) struct LocalPort(pub(super) u16);

impl LocalPort {
    pub(super) async fn get(self, path: &str) -> anyhow::Result<Bytes> {
        self.send(Method::GET, path, None, Bytes::new()).await
    }

    pub(super) async fn get_json(self, path: &str) -> anyhow::Result<Value> {
        let body = self.get(path).await?;
        serde_json::from_slice(&body).with_context(|| format!("GET {path} gave no JSON"))
    }

    pub(super) async fn post(self, path: &str) -> anyhow::Result<Bytes> {
        self.send(Method::POST, path, None, Bytes::new()).await
    }

    /// As a form with one field, `file`.
    pub(super) async fn upload(
        self,
        path: &str,
        name: &str,
        table: &[u8],
    ) -> anyhow::Result<Value> {
        const BOUNDARY: &str = "synclave-demo-7f3a9c51e2";
        let head = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; \
             filename=\"{name}\"\r\ncontent-type: text/csv\r\n\r\n"
        );
        let tail = format!("\r\n--{BOUNDARY}--\r\n");
        let body = [head.as_bytes(), table, tail.as_bytes()].concat();
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let reply = self
            .send(Method::POST, path, Some(&content_type), body.into())
            .await?;
        serde_json::from_slice(&reply).with_context(|| format!("POST {path} gave no JSON"))
    }

    async fn send(
        self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Bytes,
    ) -> anyhow::Result<Bytes> {
        let stream = TcpStream::connect(("127.0.0.1", self.0)).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // How the connection ended shows in the request.
        tokio::spawn(async move { drop(connection.await) });
        let mut request = Request::builder()
            .method(&method)
            .uri(path)
            .header(HOST, format!("localhost:{}", self.0))
            // A name of ours, so that the local port does not take its form for a browser's.
            .header(USER_AGENT, concat!("synclave/", env!("CARGO_PKG_VERSION")));
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let response = sender.send_request(request.body(Full::new(body))?).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!(
                "{method} {path}: {status}: {}",
                String::from_utf8_lossy(&body)
            );
        }
        Ok(body)
    }
}
