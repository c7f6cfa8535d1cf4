//! Receipts: files as a person is given them, and texts that some enclave vouches for.
//!
//! What is accepted is written in the one canonical form, and its ledger adds up.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::{SignedReceipt, receipt_user_data};

fuzz_target!(|file: &[u8]| {
    let signed = serde_json::from_slice::<SignedReceipt>(file);
    synclave_fuzz::accepted(signed.as_ref().is_ok_and(check));
    if let Ok(text) = std::str::from_utf8(file) {
        check(&SignedReceipt::new(text.to_owned(), b""));
    }
});

/// Whether the text is that of a receipt, if evidence vouches for it.
fn check(signed: &SignedReceipt) -> bool {
    drop(signed.evidence());
    assert!(signed.check(b"evidence of something else").is_err());
    let Ok(checked) = signed.check(&receipt_user_data(&signed.receipt)) else {
        return false;
    };
    let receipt = checked.receipt();
    assert_eq!(receipt.to_text(), signed.receipt);
    assert!(receipt.ledger.spent() <= receipt.ledger.total());
    for guarantee in receipt.ledger.guarantees() {
        assert!(!guarantee.sentence().is_empty());
    }
    true
}
