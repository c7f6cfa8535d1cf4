//! The security module, asked as a guest's driver asks it.
#![expect(
    clippy::unwrap_used,
    reason = "what must not fail in a test fails the test"
)]

use attestation::nitro::{Measurements, NitroVerifier};
use attestation::{Attested, Evidence, Freshness, Policy, Refusal, UnixTime, Verifier};
use aws_lc_rs::digest::{SHA384, digest};
use ciborium::{Value, cbor};
use emulator::{Lie, Nsm, Signer};

fn image() -> Measurements {
    Measurements::new([1; 48], [2; 48], [3; 48]).unwrap()
}

fn honest() -> Nsm {
    Nsm::new(&image(), Signer::new(None))
}

fn ask(nsm: &mut Nsm, request: &Value) -> Value {
    let mut bytes = Vec::new();
    ciborium::into_writer(request, &mut bytes).unwrap();
    let answer = nsm.answer(&bytes, 12 * 1024);
    ciborium::from_reader(answer.as_slice()).unwrap()
}

fn describe(nsm: &mut Nsm, index: u16) -> Value {
    ask(nsm, &cbor!({"DescribePCR" => {"index" => index}}).unwrap())
}

fn extend(nsm: &mut Nsm, index: u16, data: &[u8]) -> Value {
    let data = Value::Bytes(data.to_vec());
    ask(
        nsm,
        &cbor!({"ExtendPCR" => {"index" => index, "data" => data}}).unwrap(),
    )
}

fn lock(nsm: &mut Nsm, index: u16) -> Value {
    ask(nsm, &cbor!({"LockPCR" => {"index" => index}}).unwrap())
}

fn error(code: &str) -> Value {
    cbor!({"Error" => code}).unwrap()
}

/// A document with a nonce, and nothing else.
fn document(nsm: &mut Nsm, nonce: &[u8]) -> Vec<u8> {
    let nonce = Value::Bytes(nonce.to_vec());
    let request =
        cbor!({"Attestation" => {"user_data" => null, "nonce" => nonce, "public_key" => null}});
    let answer = ask(nsm, &request.unwrap());
    let document = &answer.as_map().unwrap()[0].1.as_map().unwrap()[0].1;
    document.as_bytes().unwrap().clone()
}

fn verify(document: &[u8], root_pem: &str) -> Result<Attested, Refusal> {
    let verifier = NitroVerifier::dangerous_from_pem(root_pem).unwrap();
    let (evidence, policy) = (Evidence::from_bytes(document), Policy::from(image()));
    verifier.verify(&evidence, UnixTime::now(), Freshness::Live, &policy)
}

#[test]
fn registers_of_the_host_are_the_images_and_cannot_be_extended() {
    let mut nsm = honest();
    for (index, value) in (0..).zip([1, 2, 3]) {
        let data = Value::Bytes(vec![value; 48]);
        let expected = cbor!({"DescribePCR" => {"lock" => true, "data" => data}}).unwrap();
        assert_eq!(describe(&mut nsm, index), expected);
    }
    for index in 0..16 {
        assert_eq!(extend(&mut nsm, index, b"x"), error("ReadOnlyIndex"));
        assert_eq!(lock(&mut nsm, index), error("ReadOnlyIndex"));
    }
}

#[test]
fn a_register_is_extended_until_it_is_locked() {
    let mut nsm = honest();
    let once = digest(&SHA384, &[&[0; 48][..], b"first"].concat());
    let twice = digest(&SHA384, &[once.as_ref(), b"second"].concat());
    for (data, expected) in [(&b"first"[..], once), (b"second", twice)] {
        let expected = Value::Bytes(expected.as_ref().to_vec());
        let expected = cbor!({"ExtendPCR" => {"data" => expected}}).unwrap();
        assert_eq!(extend(&mut nsm, 16, data), expected);
    }
    assert_eq!(lock(&mut nsm, 16), Value::from("LockPCR"));
    assert_eq!(extend(&mut nsm, 16, b"third"), error("ReadOnlyIndex"));
    assert_eq!(lock(&mut nsm, 16), error("ReadOnlyIndex"));
}

#[test]
fn what_cannot_be_done_gets_nitros_error() {
    let mut nsm = honest();
    assert_eq!(describe(&mut nsm, 32), error("InvalidIndex"));
    assert_eq!(extend(&mut nsm, 32, b"x"), error("InvalidIndex"));
    assert_eq!(lock(&mut nsm, 32), error("InvalidIndex"));
    assert_eq!(extend(&mut nsm, 16, &[0; 513]), error("InputTooLarge"));
    assert_eq!(extend(&mut nsm, 16, b""), error("InvalidArgument"));
    assert_eq!(
        ask(&mut nsm, &Value::from("MakeCoffee")),
        error("InvalidOperation")
    );
    let beyond = cbor!({"LockPCRs" => {"range" => 33}}).unwrap();
    assert_eq!(ask(&mut nsm, &beyond), error("InvalidIndex"));
    let mut too_small = Vec::new();
    ciborium::into_writer(&error("BufferTooSmall"), &mut too_small).unwrap();
    assert_eq!(nsm.answer(b"\x69GetRandom", 100), too_small);
}

#[test]
fn locking_a_range_locks_what_is_below_it() {
    let mut nsm = honest();
    let range = cbor!({"LockPCRs" => {"range" => 18}}).unwrap();
    assert_eq!(ask(&mut nsm, &range), Value::from("LockPCRs"));
    assert_eq!(extend(&mut nsm, 17, b"x"), error("ReadOnlyIndex"));
    assert_ne!(extend(&mut nsm, 18, b"x"), error("ReadOnlyIndex"));
}

#[test]
fn random_bytes_differ() {
    let mut nsm = honest();
    let first = ask(&mut nsm, &Value::from("GetRandom"));
    assert_ne!(first, ask(&mut nsm, &Value::from("GetRandom")));
}

#[test]
fn a_document_verifies_and_shows_locked_registers_only() {
    let signer = Signer::new(None);
    let root = signer.root_pem();
    let mut nsm = Nsm::new(&image(), signer);
    extend(&mut nsm, 16, b"agreement");
    let open = verify(&document(&mut nsm, b"challenge"), &root).unwrap();
    assert_eq!(open.bound.nonce(), Some(&b"challenge"[..]));
    assert_eq!(open.register("PCR16"), None);
    lock(&mut nsm, 16);
    let locked = verify(&document(&mut nsm, b"challenge"), &root).unwrap();
    let agreement = digest(&SHA384, &[&[0; 48][..], b"agreement"].concat());
    assert_eq!(locked.register("PCR16"), Some(agreement.as_ref()));
    let shown = locked.registers.iter().map(|register| &register.name);
    let locked_names = (0..17).map(|index| format!("PCR{index}"));
    assert!(shown.eq(&locked_names.collect::<Vec<_>>()));
}

/// What the verifier says to a second document of a host that tells this lie.
fn refusal(lie: Lie) -> Refusal {
    let signer = Signer::new(Some(lie));
    let root = signer.root_pem();
    let mut nsm = Nsm::new(&image(), signer);
    verify(&document(&mut nsm, b"challenge"), &root).expect_err("a lie")
}

#[test]
fn every_lie_about_the_evidence_is_refused_for_itself() {
    assert!(matches!(refusal(Lie::DebugMode), Refusal::DebugMode { .. }));
    assert!(matches!(
        refusal(Lie::OtherImage),
        Refusal::WrongMeasurement { .. }
    ));
    assert!(matches!(refusal(Lie::Stale), Refusal::Stale { .. }));
    assert!(matches!(
        refusal(Lie::Future),
        Refusal::FromTheFuture { .. }
    ));
    assert!(matches!(
        refusal(Lie::WrongRoot),
        Refusal::UnknownRoot { .. }
    ));
    assert!(matches!(refusal(Lie::ExpiredLeaf), Refusal::Expired { .. }));
    assert!(matches!(refusal(Lie::WrongKey), Refusal::Signature { .. }));
    assert!(matches!(refusal(Lie::Unsigned), Refusal::Signature { .. }));
}

#[test]
fn a_replaying_host_gives_its_first_answer_to_every_challenge() {
    let mut nsm = Nsm::new(&image(), Signer::new(Some(Lie::Replayed)));
    let first = document(&mut nsm, b"one");
    assert_eq!(document(&mut nsm, b"two"), first);
}

#[test]
fn another_agreement_is_shown_in_pcr16_alone() {
    let signer = Signer::new(Some(Lie::OtherAgreement));
    let root = signer.root_pem();
    let mut nsm = Nsm::new(&image(), signer);
    extend(&mut nsm, 16, b"agreement");
    lock(&mut nsm, 16);
    let attested = verify(&document(&mut nsm, b"challenge"), &root).unwrap();
    let agreement = digest(&SHA384, &[&[0; 48][..], b"agreement"].concat());
    assert_ne!(attested.register("PCR16"), Some(agreement.as_ref()));
}

#[test]
fn a_refusing_module_refuses_everything() {
    let mut nsm = Nsm::new(&image(), Signer::new(Some(Lie::NsmRefuses)));
    for request in ["DescribeNSM", "GetRandom"] {
        assert_eq!(ask(&mut nsm, &Value::from(request)), error("InternalError"));
    }
}
