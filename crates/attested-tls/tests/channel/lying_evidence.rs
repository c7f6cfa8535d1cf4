//! Evidence that is wrong in one point: refused for that point, and nothing sent.

use attestation::nitro::authority::{DocumentFields, Forgery};
use attestation::{ChannelBinding, Refusal, extended_register};
use attested_tls::{Connector, ExpectedRoom, Refused};

use crate::test_room::{AGREEMENT, BOOT, Change, NOW, TestRoom, meet, refusal};

async fn refused(change: Change) -> Refused {
    let room = TestRoom::new();
    refusal(&room, &room.connector(), change).await
}

/// As a person and a program see it.
fn check(refused: &Refused, slug: &str, sentence: &str) {
    assert_eq!(refused.slug(), slug, "{refused}");
    assert!(refused.to_string().contains(sentence), "{refused}");
}

#[tokio::test]
async fn another_program_is_refused() {
    let changes: [Change; 3] = [
        Change::fields(|fields| drop(fields.pcrs.insert(0, vec![9; 48]))),
        Change::fields(|fields| drop(fields.pcrs.insert(1, vec![9; 48]))),
        Change::fields(|fields| drop(fields.pcrs.insert(2, vec![9; 48]))),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let sentence = format!("another program: its PCR{index} is 0909");
        check(&refused(change).await, "wrong-measurement", &sentence);
    }
}

#[tokio::test]
async fn debug_mode_is_refused_by_name() {
    let change = Change::fields(|fields| {
        for index in 0..3 {
            fields.pcrs.insert(index, vec![0; 48]);
        }
    });
    check(
        &refused(change).await,
        "debug-mode",
        "the enclave runs in debug mode",
    );
}

#[tokio::test]
async fn an_unknown_root_is_refused() {
    let (room, elsewhere) = (TestRoom::new(), TestRoom::new());
    let expected = ExpectedRoom {
        verifier: elsewhere.expected().verifier,
        ..room.expected()
    };
    let connector = Connector::new(&room.alice, expected);
    let refused = refusal(&room, &connector, Change::None).await;
    check(&refused, "unknown-root", "vouched for by an unknown root");
}

#[tokio::test]
async fn an_expired_chain_is_refused() {
    let refused = refused(Change::Forgery(Forgery::ExpiredLeaf)).await;
    check(
        &refused,
        "chain-expired",
        "leaf certificate expired at 2026-11-22 08:00:00 UTC",
    );
}

#[tokio::test]
async fn a_bad_signature_is_refused() {
    let refused = refused(Change::Forgery(Forgery::FlippedSignatureBit)).await;
    check(&refused, "bad-signature", "signature is wrong");
}

#[tokio::test]
async fn another_algorithm_is_refused() {
    let refused = refused(Change::Forgery(Forgery::Algorithm(-7))).await;
    check(&refused, "wrong-algorithm", "it names -7");
}

#[tokio::test]
async fn trailing_bytes_are_refused() {
    let refused = refused(Change::Forgery(Forgery::TrailingByte)).await;
    check(&refused, "evidence-malformed", "bytes after its end");
}

#[tokio::test]
async fn an_empty_document_is_refused() {
    let refused = refused(Change::Bytes(Box::new(|_| Vec::new()))).await;
    check(&refused, "evidence-malformed", "it ends too early");
}

#[tokio::test]
async fn a_document_over_16_kib_is_refused_by_its_length() {
    let refused = refused(Change::Bytes(Box::new(|_| vec![0; 16 * 1024 + 1]))).await;
    assert!(
        matches!(
            refused,
            Refused::Evidence(Refusal::TooLarge { bytes: 16_385 })
        ),
        "{refused}"
    );
}

#[tokio::test]
async fn a_stale_document_is_refused() {
    let room = TestRoom::new();
    let stale = Change::fields(|fields| fields.timestamp_millis = (NOW - 301) * 1000);
    let refused = refusal(&room, &room.connector(), stale).await;
    check(&refused, "evidence-stale", "301 s before it was checked");
    let fresh = Change::fields(|fields| fields.timestamp_millis = (NOW - 300) * 1000);
    let (channel, _) = meet(&room.connector(), &room.acceptor(fresh)).await;
    channel.expect("five minutes are allowed");
}

#[tokio::test]
async fn a_register_of_another_agreement_is_refused() {
    let other = Change::fields(|fields| {
        fields
            .pcrs
            .insert(16, extended_register(&[0xcc; 48]).to_vec());
    });
    check(
        &refused(other).await,
        "wrong-agreement-register",
        "started with another agreement",
    );
    let never_extended = Change::fields(|fields| drop(fields.pcrs.insert(16, vec![0; 48])));
    check(
        &refused(never_extended).await,
        "wrong-agreement-register",
        "PCR16 is 0000",
    );
}

/// The room cannot talk its way round PCR16 by leaving the client without an expectation.
#[tokio::test]
async fn a_register_that_differs_from_the_rooms_own_word_is_refused() {
    let room = TestRoom::new();
    let expected = ExpectedRoom {
        agreement: None,
        ..room.expected()
    };
    let connector = Connector::new(&room.alice, expected);
    let other = Change::fields(|fields| {
        fields
            .pcrs
            .insert(16, extended_register(&[0xcc; 48]).to_vec());
    });
    let refused = refusal(&room, &connector, other).await;
    check(
        &refused,
        "wrong-agreement-register",
        "started with another agreement",
    );
    let silent = Change::fields(|fields| fields.user_data = None);
    let refused = refusal(&room, &connector, silent).await;
    check(
        &refused,
        "binding-malformed",
        "does not say which channel it is about",
    );
}

#[tokio::test]
async fn another_server_key_or_none_is_refused() {
    let other = Change::fields(|fields| fields.public_key = Some(vec![4; 91]));
    check(
        &refused(other).await,
        "wrong-server-key",
        "someone stands between",
    );
    let none = Change::fields(|fields| fields.public_key = None);
    check(
        &refused(none).await,
        "wrong-server-key",
        "someone stands between",
    );
}

#[tokio::test]
async fn a_foreign_nonce_or_none_is_refused() {
    let foreign = Change::fields(|fields| fields.nonce = Some(vec![7; 32]));
    check(
        &refused(foreign).await,
        "wrong-nonce",
        "does not answer this connection's challenge",
    );
    let none = Change::fields(|fields| fields.nonce = None);
    check(
        &refused(none).await,
        "wrong-nonce",
        "does not answer this connection's challenge",
    );
}

/// Puts other parts into the binding that the room made.
fn rebind(
    fields: &mut DocumentFields,
    change: impl Fn(&mut [u8; 32], &mut [u8; 48], &mut [u8; 32]),
) {
    let user_data = fields.user_data.take().expect("the room put it in");
    let honest = ChannelBinding::decode(&user_data).expect("the room made it");
    let (mut exporter, mut agreement, mut boot) =
        (*honest.exporter(), *honest.agreement(), *honest.boot());
    change(&mut exporter, &mut agreement, &mut boot);
    let other = ChannelBinding::new(exporter, agreement, boot);
    fields.user_data = Some(other.encode());
}

#[tokio::test]
async fn another_exporter_value_is_refused_as_a_relay() {
    let other = Change::fields(|fields| rebind(fields, |exporter, _, _| exporter[31] ^= 1));
    check(
        &refused(other).await,
        "evidence-relayed",
        "made for another connection and relayed",
    );
}

#[tokio::test]
async fn user_data_that_is_no_binding_is_refused() {
    let garbage = Change::fields(|fields| fields.user_data = Some(b"{}".to_vec()));
    check(
        &refused(garbage).await,
        "binding-malformed",
        "does not say which channel",
    );
    let longer = Change::fields(|fields| fields.user_data.as_mut().expect("it is there").push(0));
    check(
        &refused(longer).await,
        "binding-malformed",
        "does not say which channel",
    );
    // The last 32 bytes are the boot nonce, from which the room id follows.
    let unrelated = Change::fields(|fields| {
        let user_data = fields.user_data.as_mut().expect("it is there");
        *user_data.last_mut().expect("it is not empty") ^= 1;
    });
    check(
        &refused(unrelated).await,
        "binding-malformed",
        "names a room that does not follow",
    );
}

#[tokio::test]
async fn another_agreement_is_refused() {
    let other = Change::fields(|fields| rebind(fields, |_, agreement, _| *agreement = [0xcc; 48]));
    check(
        &refused(other).await,
        "wrong-agreement",
        "another agreement: cccc",
    );
}

#[tokio::test]
async fn another_room_is_refused() {
    let room = TestRoom::new();
    let expected = ExpectedRoom {
        id: Some(attestation::room_id(&AGREEMENT, &BOOT)),
        ..room.expected()
    };
    let connector = Connector::new(&room.alice, expected);
    let other = Change::fields(|fields| rebind(fields, |_, _, boot| boot[0] ^= 1));
    let refused = refusal(&room, &connector, other).await;
    check(&refused, "wrong-room", "another room than before");
}

/// With several faults at once, the first of the design's list is told.
#[tokio::test]
async fn the_checks_come_in_the_order_of_the_design() {
    type Fault = fn(&mut DocumentFields);
    let faults: [(&str, Fault); 9] = [
        ("evidence-malformed", |fields| fields.module_id.clear()),
        ("evidence-stale", |fields| {
            fields.timestamp_millis -= 301_000
        }),
        ("debug-mode", |fields| {
            drop(fields.pcrs.insert(0, vec![0; 48]))
        }),
        ("wrong-agreement-register", |fields| {
            drop(fields.pcrs.insert(16, vec![0; 48]))
        }),
        ("wrong-server-key", |fields| {
            fields.public_key = Some(vec![4; 91])
        }),
        ("wrong-nonce", |fields| fields.nonce = Some(vec![7; 32])),
        ("evidence-relayed", |fields| {
            rebind(fields, |exporter, _, _| exporter[0] ^= 1)
        }),
        ("wrong-agreement", |fields| {
            rebind(fields, |_, agreement, _| agreement[0] ^= 1)
        }),
        ("wrong-room", |fields| {
            rebind(fields, |_, _, boot| boot[0] ^= 1)
        }),
    ];
    let room = TestRoom::new();
    let expected = ExpectedRoom {
        id: Some(attestation::room_id(&AGREEMENT, &BOOT)),
        ..room.expected()
    };
    let connector = Connector::new(&room.alice, expected);
    for (first, (slug, _)) in faults.iter().enumerate() {
        let all_from = Change::fields(move |fields| {
            faults[first..].iter().for_each(|(_, fault)| fault(fields));
        });
        let refused = refusal(&room, &connector, all_from).await;
        assert_eq!(refused.slug(), *slug, "{refused}");
    }
}
