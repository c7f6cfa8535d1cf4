//! Attestation documents, as a host could forge them from a true one.
//!
//! Nothing panics, and nothing passes but the true documents themselves: a change of any byte that
//! is looked at breaks a signature.
#![no_main]

use std::sync::LazyLock;

use attestation::{Freshness, Root, UnixTime, authenticate, claimed_time};
use libfuzzer_sys::fuzz_target;

const DEFINITE: &[u8] = include_bytes!("../seeds/documents/definite");
const INDEFINITE: &[u8] = include_bytes!("../seeds/documents/indefinite");

static ROOT: LazyLock<Root> = LazyLock::new(|| {
    Root::dangerous_from_pem(include_str!("../seeds/root.pem")).expect("the seeds' root")
});
static MADE: LazyLock<UnixTime> = LazyLock::new(|| claimed_time(DEFINITE).expect("a seed"));

fuzz_target!(|document: &[u8]| {
    drop(claimed_time(document));
    drop(authenticate(document, &Root::aws_nitro(), *MADE, Freshness::Live));
    let outcome = authenticate(document, &ROOT, *MADE, Freshness::Archived);
    let is_true = document == DEFINITE || document == INDEFINITE;
    assert_eq!(outcome.is_ok(), is_true, "{outcome:?}");
    synclave_fuzz::accepted(outcome.is_ok());
    if let Ok(document) = outcome {
        assert!(document.measurements().is_ok());
    }
});
