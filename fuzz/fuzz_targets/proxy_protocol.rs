//! What stands before a connection where a load balancer says who connects.
//!
//! A header is read to its end and not a byte further, and never when a byte of it is missing.
#![no_main]

use std::sync::LazyLock;

use host::read_proxy_header;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime without drivers"));

fuzz_target!(|sent: &[u8]| {
    let mut rest = sent;
    let read = RUNTIME.block_on(read_proxy_header(&mut rest));
    synclave_fuzz::accepted(read.is_ok());
    let Ok(origin) = read else { return };
    let length = sent.len() - rest.len();
    let stated = u16::from_be_bytes([sent[14], sent[15]]);
    assert_eq!(length, 16 + usize::from(stated));
    let mut alone = &sent[..length];
    let again = RUNTIME.block_on(read_proxy_header(&mut alone));
    assert_eq!(again.expect("what follows means nothing"), origin);
    let mut cut = &sent[..length - 1];
    assert!(RUNTIME.block_on(read_proxy_header(&mut cut)).is_err());
});
