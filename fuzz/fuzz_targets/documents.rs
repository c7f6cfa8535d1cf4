//! Attestation documents, as a host could forge them from a true one.
//!
//! Nothing panics, and nothing passes but the true documents themselves: a change of any byte that
//! is looked at breaks a signature.
#![no_main]

use std::sync::LazyLock;

use attestation::nitro::{NitroVerifier, claimed_time};
use attestation::{Evidence, Freshness, UnixTime, Verifier};
use libfuzzer_sys::fuzz_target;

const DEFINITE: &[u8] = include_bytes!("../seeds/documents/definite");
const INDEFINITE: &[u8] = include_bytes!("../seeds/documents/indefinite");

static VERIFIER: LazyLock<NitroVerifier> = LazyLock::new(|| {
    let root = include_str!("../seeds/root.pem");
    NitroVerifier::dangerous_from_pem(root).expect("the seeds' root")
});
static MADE: LazyLock<UnixTime> =
    LazyLock::new(|| claimed_time(&Evidence::from_bytes(DEFINITE)).expect("a seed"));

fuzz_target!(|document: &[u8]| {
    let evidence = Evidence::from_bytes(document);
    drop(claimed_time(&evidence));
    drop(NitroVerifier::aws().authenticate(&evidence, *MADE, Freshness::Live));
    // The other form of evidence, in two parts: no data has a digest of zeros.
    if let Ok(detached) = evidence.split() {
        assert!(detached.bound_by(&[0; 64]).is_err());
    }
    let outcome = VERIFIER.authenticate(&evidence, *MADE, Freshness::Archived);
    let is_true = document == DEFINITE || document == INDEFINITE;
    assert_eq!(outcome.is_ok(), is_true, "{outcome:?}");
    synclave_fuzz::accepted(outcome.is_ok());
    if let Ok(document) = outcome {
        assert!(document.program().is_ok());
    }
});
