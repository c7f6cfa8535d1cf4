//! Mallory stands between Alice and the room, and may enter the room as well.

use std::sync::{Arc, Mutex};

use attested_tls::{
    Acceptor, AttestError, Attester, ClientKey, Connector, KeyAlgorithm, ServerKey,
};
use tokio::io::duplex;
use tokio::runtime::Handle;

use crate::raw_tls::raw_exchange;
use crate::stage::{AGREEMENT, BOOT, Change, Platform, Stage, meet, refusal};

/// Instead of evidence of its own, Mallory's front fetches the room's, over a live session with the
/// room, for the nonce of whoever asks.
struct Relay {
    room: Arc<Acceptor>,
    mallory: ClientKey,
    relayed: Mutex<usize>,
}

impl Attester for Relay {
    fn attest(
        &self,
        nonce: Option<&[u8]>,
        _public_key: Option<&[u8]>,
        _user_data: &[u8],
    ) -> Result<Vec<u8>, AttestError> {
        let nonce = nonce.expect("every client sends one").to_vec();
        let (near, far) = duplex(16 * 1024);
        let document = Handle::current().block_on(async {
            let (document, accepted) = tokio::join!(
                raw_exchange(&self.mallory, near, &nonce),
                self.room.accept(far)
            );
            accepted.expect("the room lets Mallory in");
            document
        });
        *self.relayed.lock().expect("no test panics here") += 1;
        Ok(document)
    }
}

/// A room that both may enter, and Mallory's front with the given key.
fn relay(stage: &Stage, front_key: ServerKey) -> (Acceptor, Arc<Relay>) {
    let mallory = ClientKey::generate(KeyAlgorithm::Ed25519);
    let room = Acceptor::new(
        stage.server_key.clone(),
        [stage.alice.spki().to_vec(), mallory.spki().to_vec()],
        Platform::new(&stage.authority, Change::None),
        AGREEMENT,
        BOOT,
    );
    let relay = Arc::new(Relay {
        room: Arc::new(room),
        mallory,
        relayed: Mutex::default(),
    });
    let registered = [stage.alice.spki().to_vec()];
    let front = Acceptor::new(front_key, registered, relay.clone(), AGREEMENT, BOOT);
    (front, relay)
}

#[tokio::test]
async fn evidence_relayed_under_mallorys_own_key_is_refused() {
    let stage = Stage::new();
    let (front, relay) = relay(&stage, ServerKey::generate());
    let (channel, _) = meet(&stage.connector(), &front).await;
    let refused = channel.map(|_| ()).expect_err("Mallory has another key");
    assert_eq!(refused.slug(), "wrong-server-key");
    assert_eq!(*relay.relayed.lock().expect("no test panics here"), 1);
}

/// The attack on evidence that is bound to a key only: the room's key has leaked, and the nonce is
/// passed on.
#[tokio::test]
async fn evidence_relayed_under_the_rooms_own_stolen_key_is_refused() {
    let stage = Stage::new();
    let (front, relay) = relay(&stage, stage.server_key.clone());
    let (channel, _) = meet(&stage.connector(), &front).await;
    let refused = channel
        .map(|_| ())
        .expect_err("Mallory has another session");
    assert_eq!(refused.slug(), "evidence-relayed");
    assert_eq!(*relay.relayed.lock().expect("no test panics here"), 1);
}

/// Evidence that Alice herself was shown earlier, shown again under the same key.
#[tokio::test]
async fn evidence_of_an_earlier_connection_is_refused() {
    let stage = Stage::new();
    let platform = Platform::new(&stage.authority, Change::None);
    let (channel, _) = meet(&stage.connector(), &stage.acceptor_with(platform.clone())).await;
    channel.expect("it is right");
    let recorded = platform.made.lock().expect("no test panics here")[0].clone();
    let replay = Change::Bytes(Box::new(move |_| recorded.clone()));
    let refused = refusal(&stage, &stage.connector(), replay).await;
    assert_eq!(refused.slug(), "wrong-nonce");
}

/// A second enclave of the same program and agreement, under the same hardware, is another room.
#[tokio::test]
async fn a_second_room_of_the_same_agreement_is_told_apart() {
    let stage = Stage::new();
    let (channel, _) = meet(&stage.connector(), &stage.acceptor(Change::None)).await;
    let first = channel.expect("it is right").verified;
    let second = Acceptor::new(
        ServerKey::generate(),
        [stage.alice.spki().to_vec()],
        Platform::new(&stage.authority, Change::None),
        AGREEMENT,
        [0xdd; 32],
    );
    let mut expectations = stage.expectations();
    expectations.room = Some(*first.room());
    let (channel, _) = meet(&Connector::new(&stage.alice, expectations), &second).await;
    let refused = channel.map(|_| ()).expect_err("it is another room");
    assert_eq!(refused.slug(), "wrong-room");
}
