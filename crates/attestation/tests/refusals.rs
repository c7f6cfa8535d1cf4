//! What lies in one point is refused, for that point.

use std::collections::BTreeSet;
use std::time::Duration;

use attestation::nitro::authority::{Authority, DocumentFields, Forgery, MapForm};
use attestation::nitro::{Measurements, NitroVerifier, Root};
use attestation::{Evidence, Freshness, Policy, Refusal, UnixTime, Verifier};
use proptest::prelude::*;

/// 2026-11-22 09:00:00 UTC.
const NOW: u64 = 1_795_338_000;

fn seconds(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn fields() -> DocumentFields {
    DocumentFields {
        module_id: "i-0123456789abcdef0-enc0123456789abcdef".to_owned(),
        timestamp_millis: NOW * 1000,
        pcrs: (0..16).map(|i| (i, vec![i + 1; 48])).collect(),
        public_key: Some(vec![4; 91]),
        user_data: Some(b"user data".to_vec()),
        nonce: Some(vec![7; 32]),
    }
}

/// A platform, and what verifies its documents.
struct Platform {
    authority: Authority,
    verifier: NitroVerifier,
}

impl Platform {
    fn new() -> Platform {
        let authority = Authority::generate();
        let verifier = NitroVerifier::dangerous_from_pem(&authority.root_pem());
        Platform {
            authority,
            verifier: verifier.expect("its own root"),
        }
    }

    fn check(&self, document: &[u8]) -> Result<(), Refusal> {
        self.check_at(document, NOW, Freshness::Live)
    }

    fn check_at(&self, document: &[u8], at: u64, freshness: Freshness) -> Result<(), Refusal> {
        let evidence = Evidence::from_bytes(document);
        let outcome = self
            .verifier
            .authenticate(&evidence, seconds(at), freshness);
        outcome.map(|_| ())
    }

    /// Whether an authentic document of these fields is of the expected program.
    fn matching(&self, fields: &DocumentFields) -> Result<(), Refusal> {
        let evidence = Evidence::from_bytes(self.authority.document(fields));
        let document = (self.verifier).authenticate(&evidence, seconds(NOW), Freshness::Live);
        let wanted = Measurements::new([1; 48], [2; 48], [3; 48]).expect("none is zero");
        let document = document.expect("it is authentic");
        document.matching(&Policy::from(wanted)).map(|_| ())
    }
}

#[test]
fn every_forgery_is_refused_for_what_it_is() {
    let platform = Platform::new();
    for (forgery, slug, sentence) in [
        (
            Forgery::ExpiredLeaf,
            "chain-expired",
            "leaf certificate expired at 2026-11-22 08:00:00 UTC",
        ),
        (
            Forgery::LeafNotYetValid,
            "chain-not-yet-valid",
            "leaf certificate is not valid before 2026-11-22 09:59:57 UTC",
        ),
        (
            Forgery::ExpiredIntermediate,
            "chain-expired",
            "intermediate 2 certificate expired at 2026-11-22 08:00:00 UTC",
        ),
        (
            Forgery::IssuerIsNoAuthority,
            "chain-invalid",
            "intermediate 3 certificate is not an authority's",
        ),
        (
            Forgery::IssuerMayNotSignCertificates,
            "chain-invalid",
            "intermediate 3 certificate may not sign certificates",
        ),
        (
            Forgery::PathTooLong,
            "chain-invalid",
            "intermediate 1 certificate does not allow so many authorities below it",
        ),
        (
            Forgery::LeafIsAuthority,
            "chain-invalid",
            "leaf certificate is an authority's",
        ),
        (
            Forgery::LeafMayNotSign,
            "chain-invalid",
            "leaf certificate may not sign documents",
        ),
        (
            Forgery::LeafWithoutKeyUsage,
            "chain-invalid",
            "leaf certificate does not say what its key may be used for",
        ),
        (
            Forgery::LeafForWebServers,
            "chain-invalid",
            "leaf certificate is restricted to another purpose",
        ),
        (
            Forgery::LeafOnP256,
            "chain-invalid",
            "leaf certificate has a key that is not on the curve P-384",
        ),
        (
            Forgery::LeafSignedByStranger,
            "chain-invalid",
            "leaf certificate is not signed, link by link, by the root's key",
        ),
        (
            Forgery::BundleOutOfOrder,
            "chain-invalid",
            "intermediate 1 certificate names another issuer than the certificate before it",
        ),
        (
            Forgery::BundleRepeats,
            "chain-invalid",
            "intermediate 1 certificate does not allow so many authorities below it",
        ),
        (
            Forgery::BundleWithNamesake,
            "chain-invalid",
            "leaf certificate leads to the root by another way than the document gives",
        ),
        (
            Forgery::BundleIncomplete,
            "chain-invalid",
            "leaf certificate names another issuer than the certificate before it",
        ),
        (Forgery::Algorithm(-7), "wrong-algorithm", "it names -7"),
        (Forgery::Algorithm(-36), "wrong-algorithm", "it names -36"),
        (
            Forgery::AlgorithmUnsigned,
            "wrong-algorithm",
            "there is something in the unsigned header",
        ),
        (
            Forgery::NoAlgorithm,
            "wrong-algorithm",
            "the signed header names none",
        ),
        (
            Forgery::CriticalHeader,
            "wrong-algorithm",
            "the signed header says something else or more",
        ),
        (
            Forgery::DerSignature,
            "bad-signature",
            "it is not the 96 bytes of an ES384 signature",
        ),
        (
            Forgery::FlippedSignatureBit,
            "bad-signature",
            "the leaf certificate's key did not sign these bytes",
        ),
        (
            Forgery::ZeroSignature,
            "bad-signature",
            "the leaf certificate's key did not sign these bytes",
        ),
        (
            Forgery::SignedByStranger,
            "bad-signature",
            "the leaf certificate's key did not sign these bytes",
        ),
        (
            Forgery::TrailingByte,
            "evidence-malformed",
            "there are bytes after its end",
        ),
        (
            Forgery::TrailingByteInside,
            "evidence-malformed",
            "there are bytes after its end",
        ),
        (
            Forgery::Tagged,
            "evidence-malformed",
            "envelope, byte 0: it has a tag",
        ),
        (
            Forgery::KeyTwice,
            "evidence-malformed",
            "a key appears twice in one map",
        ),
        (
            Forgery::UnknownField,
            "evidence-malformed",
            "the document has a field that is not of the format",
        ),
        (
            Forgery::DeepNesting,
            "evidence-malformed",
            "it nests more than four levels deep",
        ),
        (
            Forgery::WideLength,
            "evidence-malformed",
            "an integer or length is not in its shortest form",
        ),
    ] {
        let document = platform.authority.forge(&fields(), forgery);
        let refusal = platform.check(&document).expect_err("it lies");
        assert_eq!(refusal.slug(), slug, "{forgery:?}: {refusal}");
        assert!(
            refusal.to_string().contains(sentence),
            "{forgery:?}: {refusal}"
        );
    }
    let honest = platform.authority.document_in(MapForm::Definite, &fields());
    assert_eq!(platform.check(&honest), Ok(()));
}

#[test]
fn another_authority_in_the_same_names_is_an_unknown_root() {
    let (platform, stranger) = (Platform::new(), Platform::new());
    let refusal = platform
        .check(&stranger.authority.document(&fields()))
        .expect_err("a stranger");
    let fingerprint = |platform: &Platform| {
        let root = Root::dangerous_from_pem(&platform.authority.root_pem());
        hex::encode(root.expect("a root").fingerprint())
    };
    let (found, expected) = (fingerprint(&stranger), fingerprint(&platform));
    assert_eq!(refusal, Refusal::UnknownRoot { found, expected });
}

/// The known root's certificate stands first, but a stranger signed the rest.
#[test]
fn a_borrowed_root_certificate_is_of_no_use() {
    let (platform, stranger) = (Platform::new(), Platform::new());
    let mut borrowed = Vec::new();
    platform.authority.sign_payload(NOW * 1000, |_, bundle| {
        borrowed.clone_from(&bundle[0]);
        Vec::new()
    });
    let honest = stranger.authority.document_in(MapForm::Definite, &fields());
    let mut own = Vec::new();
    stranger.authority.sign_payload(NOW * 1000, |_, bundle| {
        own.clone_from(&bundle[0]);
        Vec::new()
    });
    let at = honest
        .windows(own.len())
        .position(|window| window == own)
        .expect("the stranger's root stands in its document");
    // Both roots have the same names and so, but for the length of a signature, the same size.
    let swapped = [
        &honest[..at - 3],
        &length_prefix(borrowed.len()),
        &borrowed,
        &honest[at + own.len()..],
    ]
    .concat();
    let payload_length = honest.len() - own.len() + borrowed.len();
    let swapped = with_payload_length(swapped, payload_length, honest.len());
    let refusal = platform
        .check(&swapped)
        .expect_err("the chain does not hold");
    assert_eq!(
        refusal.to_string(),
        "the evidence's chain does not hold: the leaf certificate is not signed, link by link, by \
         the root's key"
    );
}

/// A byte string of 256 to 65535 bytes.
fn length_prefix(length: usize) -> [u8; 3] {
    let [high, low] = u16::try_from(length).expect("a short string").to_be_bytes();
    [0x59, high, low]
}

/// The payload's length stands after the signed header: 0x84, 0x44 and four bytes, then 0xa0 and
/// 0x59.
fn with_payload_length(mut document: Vec<u8>, now: usize, before: usize) -> Vec<u8> {
    let old = usize::from(u16::from_be_bytes([document[8], document[9]]));
    let new = u16::try_from(old + now - before).expect("a short document");
    document[8..10].copy_from_slice(&new.to_be_bytes());
    document
}

#[test]
fn a_document_over_16_kib_is_not_even_decoded() {
    let platform = Platform::new();
    let refusal = platform
        .check(&vec![0; 16 * 1024 + 1])
        .expect_err("too large");
    assert_eq!(
        refusal,
        Refusal::TooLarge {
            bytes: 16 * 1024 + 1
        }
    );
    let refusal = platform
        .check(&vec![0; 16 * 1024])
        .expect_err("no document");
    assert!(matches!(refusal, Refusal::Malformed { .. }), "{refusal}");
}

#[test]
fn a_debug_document_is_authentic_but_matches_nothing() {
    let platform = Platform::new();
    for index in 0..3 {
        let mut fields = fields();
        fields.pcrs.insert(index, vec![0; 48]);
        let refusal = platform.matching(&fields).expect_err("debug mode");
        let register = format!("PCR{index}");
        assert_eq!(refusal, Refusal::DebugMode { register });
        assert!(refusal.to_string().contains("debug mode"));
    }
}

#[test]
fn a_register_that_is_missing_short_or_different_is_refused() {
    let platform = Platform::new();
    let check = |change: &dyn Fn(&mut DocumentFields)| {
        let mut fields = fields();
        change(&mut fields);
        platform.matching(&fields)
    };
    let missing = |register: &str| {
        let register = register.to_owned();
        Err(Refusal::MissingRegister { register })
    };
    assert_eq!(check(&|_| {}), Ok(()));
    let removed = check(&|fields| drop(fields.pcrs.remove(&1)));
    assert_eq!(removed, missing("PCR1"));
    let short = check(&|fields| drop(fields.pcrs.insert(2, vec![3; 32])));
    assert_eq!(short, missing("PCR2"));
    for index in 0..3 {
        let other = check(&|fields| {
            let pcr = fields.pcrs.get_mut(&index).expect("it is there");
            pcr[47] ^= 1;
        });
        let refusal = other.expect_err("another program");
        assert_eq!(refusal.slug(), "wrong-measurement");
        assert!(
            refusal.to_string().contains(&format!("PCR{index}")),
            "{refusal}"
        );
    }
}

/// What is wrong with the registers is told in this order, whatever else is wrong with them.
#[test]
fn a_missing_register_comes_before_debug_mode_and_that_before_another_program() {
    let platform = Platform::new();
    let mut fields = fields();
    fields.pcrs.insert(0, vec![9; 48]);
    let refusal = |fields: &DocumentFields| platform.matching(fields).expect_err("it differs");
    assert_eq!(refusal(&fields).slug(), "wrong-measurement");
    fields.pcrs.insert(1, vec![0; 48]);
    assert_eq!(refusal(&fields).slug(), "debug-mode");
    fields.pcrs.remove(&2);
    assert_eq!(refusal(&fields).slug(), "missing-measurement");
}

#[test]
fn a_document_from_the_future_is_refused() {
    let platform = Platform::new();
    // Signed by a leaf that is valid already, so that only the document's own time is off.
    let ahead = |seconds: u64| {
        let document = platform.authority.sign_payload(NOW * 1000, |leaf, bundle| {
            let millis = (NOW + seconds) * 1000;
            payload(millis, leaf, bundle)
        });
        platform.check(&document)
    };
    assert_eq!(ahead(300), Ok(()));
    let refusal = ahead(301).expect_err("from the future");
    assert!(
        matches!(refusal, Refusal::FromTheFuture { seconds: 301, .. }),
        "{refusal}"
    );
    assert!(
        refusal
            .to_string()
            .contains("is the clock of this machine right?")
    );
}

#[test]
fn archived_evidence_made_outside_the_life_of_its_leaf_is_refused() {
    let platform = Platform::new();
    let document = platform.authority.sign_payload(NOW * 1000, |leaf, bundle| {
        payload((NOW - 4) * 1000, leaf, bundle)
    });
    let outcome = platform.check_at(&document, NOW, Freshness::Archived);
    let refusal = outcome.expect_err("the leaf is valid from 3 s before now");
    assert_eq!(
        refusal.to_string(),
        "the evidence says it was made at 2026-11-22 08:59:56 UTC, when the certificate that \
         signed it was not valid"
    );
    let outcome = platform.check_at(&document, NOW - 400, Freshness::Archived);
    let refusal = outcome.expect_err("checked before it was made");
    assert_eq!(refusal.slug(), "chain-not-yet-valid");
}

/// The smallest payload that is accepted, by hand: a definite map of six entries.
fn payload(millis: u64, leaf: &[u8], bundle: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![0xa6];
    out.extend(b"\x69module_id\x63i-1");
    out.extend(b"\x66digest\x66SHA384");
    out.extend(b"\x69timestamp\x1b");
    out.extend(millis.to_be_bytes());
    out.extend(b"\x64pcrs\xa1\x00\x58\x30");
    out.extend([1; 48]);
    out.extend(b"\x6bcertificate");
    out.extend(length_prefix(leaf.len()));
    out.extend(leaf);
    out.extend(b"\x68cabundle\x84");
    for certificate in bundle {
        out.extend(length_prefix(certificate.len()));
        out.extend(certificate);
    }
    out
}

/// Each byte once, with a bit that depends on its place; all eight bits are tried over the whole.
#[test]
fn a_document_with_any_one_byte_changed_is_refused() {
    let platform = Platform::new();
    for form in [MapForm::Definite, MapForm::Indefinite] {
        let honest = platform.authority.document_in(form, &fields());
        assert_eq!(platform.check(&honest), Ok(()));
        let mut slugs = BTreeSet::new();
        for at in 0..honest.len() {
            let mut changed = honest.clone();
            changed[at] ^= 1 << (at % 8);
            let refusal = platform.check(&changed).expect_err("one byte is different");
            slugs.insert(refusal.slug());
        }
        let expected = [
            "bad-signature",
            "chain-invalid",
            "evidence-malformed",
            "unknown-root",
        ];
        assert!(
            expected.iter().all(|slug| slugs.contains(slug)),
            "{slugs:?}"
        );
    }
}

#[test]
fn a_document_cut_off_anywhere_is_refused() {
    let platform = Platform::new();
    let honest = platform.authority.document(&fields());
    for length in 0..honest.len() {
        let refusal = platform
            .check(&honest[..length])
            .expect_err("it is cut off");
        assert_eq!(refusal.slug(), "evidence-malformed", "{length}: {refusal}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let evidence = Evidence::from_bytes(bytes);
        let outcome = NitroVerifier::aws().authenticate(&evidence, seconds(NOW), Freshness::Live);
        prop_assert!(outcome.is_err());
    }

    #[test]
    fn a_document_with_bytes_replaced_inserted_or_removed_is_refused(
        at in any::<prop::sample::Index>(),
        removed in 0usize..40,
        inserted in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        thread_local! {
            static MADE: (Platform, Vec<u8>) = {
                let platform = Platform::new();
                let document = platform.authority.document(&fields());
                (platform, document)
            };
        }
        MADE.with(|(platform, honest)| {
            let at = at.index(honest.len());
            let end = (at + removed).min(honest.len());
            let mut changed = honest.clone();
            changed.splice(at..end, inserted);
            prop_assert_eq!(platform.check(&changed).is_ok(), changed == *honest);
            Ok(())
        })?;
    }
}
