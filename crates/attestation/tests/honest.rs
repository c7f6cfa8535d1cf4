//! What is right is accepted: made-up documents in both forms, and real ones of AWS.

use std::path::PathBuf;
use std::time::Duration;

use attestation::nitro::authority::{Authority, DocumentFields, MapForm};
use attestation::nitro::{Measurements, NitroVerifier};
use attestation::{BoundBy, Evidence, Freshness, Policy, Refusal, UnixTime, Verifier};

/// 2026-11-22 09:00:00.250 UTC.
const NOW_MILLIS: u64 = 1_795_338_000_250;

fn seconds(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn now() -> UnixTime {
    seconds(NOW_MILLIS / 1000)
}

fn fields() -> DocumentFields {
    DocumentFields {
        module_id: "i-0123456789abcdef0-enc0123456789abcdef".to_owned(),
        timestamp_millis: NOW_MILLIS,
        pcrs: (0..16).map(|i| (i, vec![i + 1; 48])).collect(),
        public_key: Some(vec![4; 91]),
        user_data: Some(b"user data".to_vec()),
        nonce: Some(vec![7; 32]),
    }
}

fn expected() -> Policy {
    let measurements = Measurements::new([1; 48], [2; 48], [3; 48]);
    Policy::from(measurements.expect("none is zero"))
}

fn verifier(authority: &Authority) -> NitroVerifier {
    NitroVerifier::dangerous_from_pem(&authority.root_pem()).expect("its own root")
}

#[test]
fn a_document_is_accepted_in_both_forms_and_says_what_was_put_in() {
    let authority = Authority::generate();
    let verifier = verifier(&authority);
    for form in [MapForm::Definite, MapForm::Indefinite] {
        let evidence = Evidence::from_bytes(authority.document_in(form, &fields()));
        let attested = verifier.verify(&evidence, now(), Freshness::Live, &expected());
        let attested = attested.expect("it is honest, and they match");
        assert_eq!(attested.enclave, fields().module_id);
        assert_eq!(attested.made_millis, Some(NOW_MILLIS));
        assert_eq!(attested.made(), Some(now()));
        assert_eq!(attested.bound.by(), BoundBy::Whole);
        assert_eq!(attested.bound.public_key(), Some([4; 91].as_slice()));
        assert_eq!(attested.bound.user_data(), Some(b"user data".as_slice()));
        assert_eq!(attested.bound.nonce(), Some([7; 32].as_slice()));
        assert_eq!(attested.registers.len(), 16);
        assert_eq!(attested.register("PCR15"), Some([16; 48].as_slice()));
        assert_eq!(attested.register("PCR16"), None);
    }
}

#[test]
fn what_was_not_put_in_is_absent() {
    let authority = Authority::generate();
    let verifier = verifier(&authority);
    let bare = DocumentFields {
        public_key: None,
        user_data: None,
        nonce: None,
        ..fields()
    };
    let evidence = Evidence::from_bytes(authority.document(&bare));
    let authentic = verifier.authenticate(&evidence, now(), Freshness::Live);
    let bound = &authentic.expect("it is honest").bound;
    assert_eq!(bound.public_key(), None);
    assert_eq!(bound.user_data(), None);
    assert_eq!(bound.nonce(), None);
}

#[test]
fn the_steps_are_told_in_order() {
    let authority = Authority::generate();
    let verifier = verifier(&authority);
    let evidence = Evidence::from_bytes(authority.document(&fields()));
    let attested = verifier.verify(&evidence, now(), Freshness::Live, &expected());
    let attested = attested.expect("it is honest");
    let names: Vec<&str> = attested.steps().iter().map(|step| step.check()).collect();
    assert_eq!(
        names,
        [
            "size",
            "form",
            "certificates",
            "signature",
            "document time",
            "measurements"
        ]
    );
    assert_eq!(
        attested.steps()[4].to_string(),
        "document time: 2026-11-22 09:00:00 UTC, within 300 s of now"
    );
    assert_eq!(
        attested.steps()[5].to_string(),
        "measurements: PCR0, PCR1 and PCR2 are those asked for; no debug mode"
    );
}

#[test]
fn an_examination_tells_what_held_before_the_refusal() {
    let authority = Authority::generate();
    let evidence = Evidence::from_bytes(authority.document(&fields()));
    let examination = NitroVerifier::aws().examine(&evidence, now(), Freshness::Live);
    assert_eq!(examination.steps().len(), 2);
    let refusal = examination.into_outcome().expect_err("the root is unknown");
    assert_eq!(refusal.slug(), "unknown-root");
}

/// Clocks may differ by five minutes, not by a second more.
#[test]
fn live_evidence_is_accepted_five_minutes_around_its_time() {
    let authority = Authority::generate();
    let verifier = verifier(&authority);
    let made = NOW_MILLIS / 1000;
    // A chain that was valid long before, so that only the document's time decides.
    let check = |made: u64, at: u64| {
        let evidence = Evidence::from_bytes(authority.document(&DocumentFields {
            timestamp_millis: made * 1000,
            ..fields()
        }));
        let authentic = verifier.authenticate(&evidence, seconds(at), Freshness::Live);
        authentic.map(|_| ())
    };
    assert_eq!(check(made, made + 300), Ok(()));
    let stale = check(made, made + 301).expect_err("too old");
    assert!(
        matches!(stale, Refusal::Stale { seconds: 301, .. }),
        "{stale}"
    );
    // The leaf becomes valid 3 s before the document's time, as Nitro's does.
    assert_eq!(check(made, made - 3), Ok(()));
    let early = check(made, made - 4).expect_err("before the leaf");
    assert!(matches!(early, Refusal::NotYetValid { .. }), "{early}");
}

#[test]
fn archived_evidence_is_checked_at_a_time_in_the_life_of_its_leaf() {
    let authority = Authority::generate();
    let verifier = verifier(&authority);
    let evidence = Evidence::from_bytes(authority.document(&fields()));
    let made = verifier.claimed_time(&evidence).expect("it has the form");
    assert_eq!(made, now());
    let check = |at| {
        let authentic = verifier.authenticate(&evidence, at, Freshness::Archived);
        authentic.map(|_| ())
    };
    assert_eq!(check(made), Ok(()));
    assert_eq!(check(seconds(made.as_secs() + 3 * 3600)), Ok(()));
    let late = check(seconds(made.as_secs() + 3 * 3600 + 1)).expect_err("the leaf ran out");
    assert!(matches!(late, Refusal::Expired { .. }), "{late}");
}

/// Two documents of real enclaves, kept beside the repository.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn real(name: &str) -> Option<Evidence> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/testdata/nitro")
        .join(name);
    let bytes = std::fs::read(&path).ok();
    if bytes.is_none() {
        eprintln!("skipped: {} is not there", path.display());
    }
    bytes.map(Evidence::from_bytes)
}

/// 2022-10-13 08:58:02 UTC.
const VALID_AT: u64 = 1_665_651_482;

#[test]
fn a_real_document_of_aws_is_accepted_at_its_time() {
    let Some(evidence) = real("valid-2022-10-13.bin") else {
        return;
    };
    let verifier = NitroVerifier::aws();
    for freshness in [Freshness::Live, Freshness::Archived] {
        let document = verifier.authenticate(&evidence, seconds(VALID_AT), freshness);
        let document = document.expect("real");
        assert_eq!(document.bound.nonce().map(<[u8]>::len), Some(256));
        assert_eq!(document.registers.len(), 16);
        assert_eq!(verifier.claimed_time(&evidence).ok(), document.made());
        let program = document.program().expect("it is no debug document");
        let own = Policy::new(program).expect("three registers");
        document.clone().matching(&own).expect("its own");
        let other = document.matching(&expected()).expect_err("another program");
        assert!(
            matches!(&other, Refusal::WrongMeasurement { register, .. } if register == "PCR0"),
            "{other}"
        );
    }
}

/// A document of 2022, whose enclave locked none of the registers from 16 on.
#[test]
fn under_awss_root_the_register_of_the_agreement_must_be_there() {
    let Some(evidence) = real("valid-2022-10-13.bin") else {
        return;
    };
    let at = seconds(VALID_AT);
    let document = NitroVerifier::aws().authenticate(&evidence, at, Freshness::Archived);
    let document = document.expect("real");
    let refusal = document.measured_agreement(&[7; 48]).expect_err("no PCR16");
    assert_eq!(refusal.slug(), "wrong-agreement-register");
    assert!(
        refusal.to_string().contains("PCR16 is not locked"),
        "{refusal}"
    );
}

#[test]
fn a_real_document_is_refused_before_and_after_its_time() {
    let Some(evidence) = real("valid-2022-10-13.bin") else {
        return;
    };
    let check = |at| {
        let verifier = NitroVerifier::aws();
        let outcome = verifier.authenticate(&evidence, seconds(at), Freshness::Live);
        outcome.expect_err("not its time").to_string()
    };
    // Its leaf is valid from 08:57:59 to 11:58:02.
    assert_eq!(
        check(VALID_AT - 4),
        "the evidence's leaf certificate is not valid before 2022-10-13 08:57:59 UTC; it was \
         checked at 2022-10-13 08:57:58 UTC: is the clock of this machine right?"
    );
    assert_eq!(
        check(VALID_AT + 301),
        "the evidence is stale: made at 2022-10-13 08:58:02 UTC, 301 s before it was checked; at \
         most 300 s are allowed"
    );
    assert_eq!(
        check(VALID_AT + 3 * 3600 + 1),
        "the evidence's leaf certificate expired at 2022-10-13 11:58:02 UTC; it was checked at \
         2022-10-13 11:58:03 UTC"
    );
}

#[test]
fn a_real_debug_document_is_authentic_but_matches_nothing() {
    let Some(evidence) = real("debug-2022-10-12.bin") else {
        return;
    };
    let verifier = NitroVerifier::aws();
    let at = verifier.claimed_time(&evidence).expect("it has the form");
    let document = verifier.authenticate(&evidence, at, Freshness::Live);
    let document = document.expect("real");
    assert_eq!(document.bound.public_key().map(<[u8]>::len), Some(19));
    let register = "PCR0".to_owned();
    assert_eq!(document.program(), Err(Refusal::DebugMode { register }));
    let refusal = document.matching(&expected()).expect_err("debug mode");
    assert_eq!(
        refusal.to_string(),
        "the enclave runs in debug mode (PCR0 is all zero): its host can look inside, so it \
         protects nothing"
    );
}
