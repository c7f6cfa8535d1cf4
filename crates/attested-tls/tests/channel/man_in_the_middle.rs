//! Mallory stands between Alice and the room, and may enter the room as well.

use std::sync::{Arc, Mutex};

use attestation::{AttestError, Attester, Evidence, ReportData};
use attested_tls::{Acceptor, ClientKey, Connector, KeyAlgorithm, ServerKey};
use tokio::io::duplex;
use tokio::runtime::Handle;

use crate::raw_tls::raw_exchange;
use crate::test_room::{AGREEMENT, BOOT, Change, Platform, TestRoom, meet, refusal};

/// Instead of evidence of its own, Mallory's front fetches the room's, over a live session with the
/// room, for the nonce of whoever asks.
pub(crate) struct Relay {
    room: Arc<Acceptor>,
    mallory: ClientKey,
    pub(crate) relayed: Mutex<usize>,
}

impl Attester for Relay {
    fn attest(&self, data: &ReportData) -> Result<Evidence, AttestError> {
        let nonce = data.nonce.as_deref().expect("every client sends one");
        let (near, far) = duplex(16 * 1024);
        let document = Handle::current().block_on(async {
            let (document, accepted) = tokio::join!(
                raw_exchange(&self.mallory, near, nonce),
                self.room.accept(far)
            );
            accepted.expect("the room lets Mallory in");
            document
        });
        *self.relayed.lock().expect("no test panics here") += 1;
        Ok(Evidence::from_bytes(document))
    }
}

/// A room on this platform that both may enter, and Mallory's front with the given key.
pub(crate) fn relay(
    room: &TestRoom,
    platform: Arc<dyn Attester>,
    front_key: ServerKey,
) -> (Acceptor, Arc<Relay>) {
    let mallory = ClientKey::generate(KeyAlgorithm::Ed25519);
    let entered = Acceptor::new(
        room.server_key.clone(),
        [room.alice.spki().to_vec(), mallory.spki().to_vec()],
        platform,
        AGREEMENT,
        BOOT,
    );
    let relay = Arc::new(Relay {
        room: Arc::new(entered),
        mallory,
        relayed: Mutex::default(),
    });
    let registered = [room.alice.spki().to_vec()];
    let front = Acceptor::new(front_key, registered, relay.clone(), AGREEMENT, BOOT);
    (front, relay)
}

#[tokio::test]
async fn evidence_relayed_under_mallorys_own_key_is_refused() {
    let room = TestRoom::new();
    let platform = Platform::new(&room.authority, Change::None);
    let (front, relay) = relay(&room, platform, ServerKey::generate());
    let (channel, _) = meet(&room.connector(), &front).await;
    let refused = channel.map(|_| ()).expect_err("Mallory has another key");
    assert_eq!(refused.slug(), "wrong-server-key");
    assert_eq!(*relay.relayed.lock().expect("no test panics here"), 1);
}

/// The attack on evidence that is bound to a key only: the room's key has leaked, and the nonce is
/// passed on.
#[tokio::test]
async fn evidence_relayed_under_the_rooms_own_stolen_key_is_refused() {
    let room = TestRoom::new();
    let platform = Platform::new(&room.authority, Change::None);
    let (front, relay) = relay(&room, platform, room.server_key.clone());
    let (channel, _) = meet(&room.connector(), &front).await;
    let refused = channel
        .map(|_| ())
        .expect_err("Mallory has another session");
    assert_eq!(refused.slug(), "evidence-relayed");
    assert_eq!(*relay.relayed.lock().expect("no test panics here"), 1);
}

/// Evidence that Alice herself was shown earlier, shown again under the same key.
#[tokio::test]
async fn evidence_of_an_earlier_connection_is_refused() {
    let room = TestRoom::new();
    let platform = Platform::new(&room.authority, Change::None);
    let (channel, _) = meet(&room.connector(), &room.acceptor_with(platform.clone())).await;
    channel.expect("it is right");
    let recorded = platform.made.lock().expect("no test panics here")[0].clone();
    let replay = Change::Bytes(Box::new(move |_| recorded.as_bytes().to_vec()));
    let refused = refusal(&room, &room.connector(), replay).await;
    assert_eq!(refused.slug(), "wrong-nonce");
}

/// A second enclave of the same program and agreement, under the same hardware, is another room.
#[tokio::test]
async fn a_second_room_of_the_same_agreement_is_told_apart() {
    let room = TestRoom::new();
    let (channel, _) = meet(&room.connector(), &room.acceptor(Change::None)).await;
    let first = channel.expect("it is right").verified;
    let second = Acceptor::new(
        ServerKey::generate(),
        [room.alice.spki().to_vec()],
        Platform::new(&room.authority, Change::None),
        AGREEMENT,
        [0xdd; 32],
    );
    let mut expected = room.expected();
    expected.id = Some(*first.room());
    let (channel, _) = meet(&Connector::new(&room.alice, expected), &second).await;
    let refused = channel.map(|_| ()).expect_err("it is another room");
    assert_eq!(refused.slug(), "wrong-room");
}
