//! The receipt: what it says, that it holds, and that nothing can be changed in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use protocol::{
    Code, Digest, KeyFingerprint, Phase, Receipt, SignedReceipt, UploadReply, receipt_user_data,
};
use service::RoomEvent;

use crate::test_room::{DECLARED, TestRoom, agreement, alice, bob, key, no_evidence};

/// The test platform's document is the user data itself.
fn checked(signed: &SignedReceipt) -> Receipt {
    let document = signed.evidence().expect("base64");
    signed
        .check(&document)
        .expect("a true receipt")
        .receipt()
        .clone()
}

#[tokio::test]
async fn the_receipt_says_what_was_done() {
    let room = TestRoom::open(DECLARED);
    let alices: UploadReply = room.upload("Alice", &alice()).await.json();
    let bobs: UploadReply = room.upload("Bob", &bob()).await.json();
    room.confirm("Alice").await.ok();
    room.confirm("Bob").await.ok();
    assert_eq!(room.finished().await, Phase::Trained);

    let receipt = checked(&room.get("Zoe", "/receipt").await.json());
    assert_eq!(receipt.room, room.room.id());
    assert_eq!(receipt.agreement_sha384, room.room.agreement().sha384());
    assert_eq!(
        (receipt.method.as_str(), receipt.params.len()),
        ("INDEPENDENT", 0)
    );
    let parties: Vec<_> = receipt
        .parties
        .iter()
        .map(|party| (party.name.as_str(), party.key, party.input))
        .collect();
    let fingerprint = |byte| KeyFingerprint::of_key(key(byte).spki());
    assert_eq!(
        parties,
        [
            ("Alice", fingerprint(10), alices.commitment.digest),
            ("Bob", fingerprint(11), bobs.commitment.digest),
        ]
    );
    assert!(receipt.samples.is_empty());
}

#[tokio::test]
async fn the_ledger_of_the_receipt_is_the_budget_of_the_agreement_spent_on_each_column() {
    let room = TestRoom::open(DECLARED);
    room.train(&[("Alice", &alice()), ("Bob", &bob())]).await;
    let ledger = checked(&room.get("Alice", "/receipt").await.json()).ledger;
    assert_eq!((ledger.epsilon().get(), ledger.delta().get()), (3.0, 1e-9));
    assert_eq!(ledger.check(), Ok(()));
    let spent: f64 = ledger.entries().iter().map(|entry| entry.rho().get()).sum();
    assert_eq!(spent, ledger.spent().get());
    assert_eq!(spent + ledger.remaining().get(), ledger.total().get());
    for column in ["Alice_buying", "Alice_age", "Bob_ill"] {
        let measured = ledger
            .entries()
            .iter()
            .filter(|entry| entry.label().contains(column))
            .count();
        assert_eq!(
            measured,
            1,
            "{column} is measured once: {:?}",
            ledger.entries()
        );
    }
}

#[tokio::test]
async fn one_changed_byte_is_rejected() {
    let room = TestRoom::open(DECLARED);
    room.train(&[("Alice", &alice()), ("Bob", &bob())]).await;
    let signed: SignedReceipt = room.get("Alice", "/receipt").await.json();
    let document = signed.evidence().unwrap();
    for place in 0..signed.receipt.len() {
        let mut bytes = signed.receipt.clone().into_bytes();
        bytes[place] ^= 1;
        let receipt = String::from_utf8(bytes).unwrap();
        let changed = SignedReceipt {
            receipt,
            ..signed.clone()
        };
        assert!(changed.check(&document).is_err(), "byte {place}");
    }
}

#[tokio::test]
async fn the_model_of_the_receipt_is_the_one_that_can_be_had() {
    let room = TestRoom::open(DECLARED);
    room.train(&[("Alice", &alice()), ("Bob", &bob())]).await;
    let request = axum::http::Request::get("/model")
        .body(axum::body::Body::empty())
        .unwrap();
    let body = room.send("Bob", request).await.into_body();
    let model = http_body_util::BodyExt::collect(body)
        .await
        .unwrap()
        .to_bytes();
    let receipt = checked(&room.get("Alice", "/receipt").await.json());
    assert_eq!(receipt.model, Digest::sha384(&model));
}

#[tokio::test]
async fn requests_for_samples_are_in_the_receipt() {
    let room = TestRoom::open(DECLARED);
    room.train(&[("Alice", &alice()), ("Bob", &bob())]).await;
    for path in [
        "/samples?num_samples=10",
        "/samples?num_samples=5&format=json",
    ] {
        room.get("Bob", path).await.ok();
    }
    room.get("Bob", "/samples?num_samples=0")
        .await
        .refused(Code::BadParameter);
    room.get("Alice", "/samples?num_samples=3").await.ok();
    let receipt = checked(&room.get("Alice", "/receipt").await.json());
    let samples: Vec<_> = receipt
        .samples
        .iter()
        .map(|entry| (entry.user.as_str(), entry.requests, entry.rows))
        .collect();
    assert_eq!(samples, [("Bob", 2, 15), ("Alice", 1, 3)]);
}

#[tokio::test]
async fn the_platform_is_asked_once_for_each_receipt() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let attest = Arc::new(move |data: &[u8]| {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(data.to_vec())
    });
    let room = TestRoom::open_with(
        agreement(&["Alice", "Bob"], DECLARED),
        Arc::new(|_| {}),
        attest,
    );
    room.train(&[("Alice", &alice()), ("Bob", &bob())]).await;
    let first: SignedReceipt = room.get("Alice", "/receipt").await.json();
    assert_eq!(
        room.get("Bob", "/receipt").await.json::<SignedReceipt>(),
        first
    );
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    room.get("Bob", "/samples?num_samples=1").await.ok();
    let second: SignedReceipt = room.get("Bob", "/receipt").await.json();
    assert_ne!(second.receipt, first.receipt);
    assert_eq!(
        second.evidence().unwrap(),
        receipt_user_data(&second.receipt)
    );
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn without_evidence_there_is_no_receipt() {
    let room = TestRoom::open_with(
        agreement(&["Alice", "Bob"], DECLARED),
        Arc::new(|_| {}),
        no_evidence(),
    );
    room.train(&[("Alice", &alice()), ("Bob", &bob())]).await;
    room.get("Alice", "/receipt")
        .await
        .refused(Code::Unavailable);
    let panicking = Arc::new(|_: &[u8]| panic!("the platform is broken"));
    let room = TestRoom::open_with(
        agreement(&["Alice", "Bob"], DECLARED),
        Arc::new(|_| {}),
        panicking,
    );
    room.train(&[("Alice", &alice()), ("Bob", &bob())]).await;
    room.get("Alice", "/receipt").await.refused(Code::Internal);
    room.get("Alice", "/samples?num_samples=1").await.ok();
}

#[tokio::test]
async fn issuing_a_receipt_is_told() {
    let room = TestRoom::open(DECLARED);
    room.train(&[("Alice", &alice()), ("Bob", &bob())]).await;
    room.get("Alice", "/receipt").await.ok();
    assert!(room.events().contains(&RoomEvent::ReceiptIssued));
}
