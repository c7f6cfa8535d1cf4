//! Receipts, judged at the time of their evidence and at a time that a person gives.

use std::fs;
use std::path::Path;

use privacy::{Accounting, Delta, Epsilon, Ledger, LedgerOptions};
use protocol::{
    AgreementHash, Digest, KeyFingerprint, RECEIPT_VERSION, Receipt, ReceiptParty, RoomId,
    SignedReceipt, receipt_user_data,
};
use testkit::authority::{Authority, DocumentFields};

use crate::{Ran, synclave};

/// 2026-02-03T04:05:06Z.
const MADE_MILLIS: u64 = 1_770_091_506_000;

/// Writes a receipt whose evidence was made then, and the root that it leads to.
fn receipt_in(folder: &Path) {
    let party = |name: &str, byte| ReceiptParty {
        name: name.to_owned(),
        key: KeyFingerprint::from_bytes([byte; 32]),
        input: Digest::from_bytes([byte; 48]),
    };
    let ledger = Ledger::open(LedgerOptions::new(
        Epsilon::new(1.0).unwrap(),
        Delta::new(1e-9).unwrap(),
        Accounting::Zcdp,
    ))
    .unwrap();
    let text = Receipt {
        version: RECEIPT_VERSION,
        room: RoomId::from_bytes([7; 32]),
        agreement_sha384: AgreementHash::from_bytes([8; 48]),
        parties: vec![party("Alice", 1), party("Bob", 2)],
        method: "MST".to_owned(),
        params: serde_json::Map::new(),
        ledger: ledger.close(),
        model: Digest::from_bytes([9; 48]),
        samples: Vec::new(),
    }
    .to_text();
    let authority = Authority::generate();
    let document = authority.document(&DocumentFields {
        module_id: "i-0-enc0".to_owned(),
        timestamp_millis: MADE_MILLIS,
        pcrs: (0..3).map(|index| (index, vec![index + 1; 48])).collect(),
        public_key: None,
        user_data: Some(receipt_user_data(&text)),
        nonce: None,
    });
    let signed = SignedReceipt::new(text, &document);
    let signed = serde_json::to_string(&signed).unwrap();
    fs::write(folder.join("receipt.json"), signed).unwrap();
    fs::write(folder.join("root.pem"), authority.root_pem()).unwrap();
}

fn judged(folder: &Path, more: &[&str]) -> Ran {
    let named = [
        "verify-receipt",
        "receipt.json",
        "--dangerous-root",
        "root.pem",
    ];
    synclave(folder, &[&named[..], more].concat())
}

#[test]
fn a_receipt_is_judged_at_the_time_that_a_person_gives_and_says_whose_word_that_is() {
    let folder = tempfile::tempdir().unwrap();
    receipt_in(folder.path());
    judged(folder.path(), &[])
        .exits(0)
        .saying("judged at  2026-02-03T04:05:06Z, the time that the evidence gives")
        .saying("withdrawn since");
    judged(folder.path(), &["--at", "2026-02-03T06:00:00+01:00"])
        .exits(0)
        .saying("judged at  2026-02-03T05:00:00Z, the time that you gave: it is your own claim")
        .saying("withdrawn since");
    let at = ["--at", "2026-02-03T05:00:00Z", "--json"];
    let json = judged(folder.path(), &at).exits(0).json();
    assert_eq!(json["judged_at"], "2026-02-03T05:00:00Z");
    assert_eq!(json["time_is_from"], "person");
}

#[test]
fn a_receipt_does_not_hold_when_its_certificates_did_not_or_it_was_not_made_yet() {
    let folder = tempfile::tempdir().unwrap();
    receipt_in(folder.path());
    judged(folder.path(), &["--at", "2026-02-03T09:00:00Z"])
        .exits(23)
        .saying("expired");
    judged(folder.path(), &["--at", "2026-02-03T03:00:00Z"]).exits(23);
    judged(folder.path(), &["--at", "then"])
        .exits(3)
        .saying("`then` is not a time");
}

#[test]
fn inspect_judges_a_receipt_at_the_same_times() {
    let folder = tempfile::tempdir().unwrap();
    receipt_in(folder.path());
    let inspect = ["inspect", "receipt.json", "--dangerous-root", "root.pem"];
    synclave(folder.path(), &inspect)
        .exits(0)
        .saying("the time that the evidence gives");
    let late = [&inspect[..], &["--at", "2026-02-03T09:00:00Z"]].concat();
    synclave(folder.path(), &late).exits(23).saying("expired");
}
