//! What the other side of a WebSocket sends: to a host, and as a host's answer to a client.
//!
//! Never more comes out than went in, and a client takes nothing for an answer that does not name
//! its own key.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, join, sink};
use tokio::runtime::{Builder, Runtime};
use websocket::ByteStream;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime without drivers"));

fuzz_target!(|sent: &[u8]| {
    RUNTIME.block_on(async {
        let mut channel = ByteStream::accepted(join(sent, sink())).await;
        let mut read = Vec::new();
        let outcome = channel.read_to_end(&mut read).await;
        assert!(read.len() <= sent.len());
        synclave_fuzz::accepted(outcome.is_ok() && !read.is_empty());
        let answered = websocket::upgrade(join(sent, sink()), "localhost", websocket::PATH).await;
        assert!(answered.is_err());
    });
});
