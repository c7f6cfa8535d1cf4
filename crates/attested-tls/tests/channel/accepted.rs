//! What is right gets through.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use attestation::{
    AttestError, Attester, ChannelBinding, Evidence, Freshness, ReportData, Verifier, room_id,
};
use attested_tls::{Acceptor, Channel, ClientKey, Connector, ExpectedRoom, KeyAlgorithm};
use rustls::NamedGroup;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::{TcpListener, TcpStream};

use crate::test_room::{AGREEMENT, BOOT, Change, Platform, TestRoom, meet, now, patiently};

#[tokio::test]
async fn every_kind_of_registered_key_gets_in_and_is_told_apart() {
    let room = TestRoom::new();
    let keys = KeyAlgorithm::ALL.map(ClientKey::generate);
    let acceptor = Acceptor::new(
        room.server_key.clone(),
        keys.iter().map(|key| key.spki().to_vec()),
        Platform::new(&room.authority, Change::None),
        AGREEMENT,
        BOOT,
    );
    for key in &keys {
        let connector = Connector::new(key, room.expected());
        let (channel, accepted) = meet(&connector, &acceptor).await;
        let (channel, accepted) = (
            channel.expect("it is right"),
            accepted.expect("it is right"),
        );
        assert_eq!(accepted.client_spki, key.spki());
        assert_eq!(
            channel.verified.attested().bound.public_key(),
            Some(room.server_key.spki())
        );
    }
}

#[tokio::test]
async fn bytes_flow_both_ways_after_the_evidence() {
    let room = TestRoom::new();
    let (channel, accepted) = meet(&room.connector(), &room.acceptor(Change::None)).await;
    let Channel { mut stream, .. } = channel.expect("it is right");
    let mut far = accepted.expect("it is right").stream;
    let mut buffer = [0; 5];
    patiently(async {
        stream.write_all(b"hello").await?;
        stream.flush().await?;
        far.read_exact(&mut buffer).await?;
        far.write_all(&buffer).await?;
        far.flush().await?;
        stream.read_exact(&mut buffer).await
    })
    .await
    .expect("both ends are open");
    assert_eq!(&buffer, b"hello");
    let connection = stream.get_ref().1;
    assert_eq!(connection.tls13_tickets_received(), 0);
    let group = connection
        .negotiated_key_exchange_group()
        .expect("there was a handshake");
    assert_eq!(group.name(), NamedGroup::X25519MLKEM768);
}

#[tokio::test]
async fn agreement_and_room_are_learned_on_the_first_connection_and_demanded_on_the_next() {
    let room = TestRoom::new();
    let acceptor = room.acceptor(Change::None);
    let open = ExpectedRoom {
        agreement: None,
        ..room.expected()
    };
    let first = Connector::new(&room.alice, open.clone());
    let (channel, _) = meet(&first, &acceptor).await;
    let verified = channel.expect("it is right").verified;
    assert_eq!(verified.agreement(), &AGREEMENT);
    assert_eq!(verified.boot(), &BOOT);
    assert_eq!(verified.room(), &room_id(&AGREEMENT, &BOOT));
    let next = ExpectedRoom {
        agreement: Some(*verified.agreement()),
        id: Some(*verified.room()),
        ..open
    };
    let (channel, _) = meet(&Connector::new(&room.alice, next), &acceptor).await;
    assert_eq!(
        channel.expect("the same room").verified.room(),
        verified.room()
    );
}

#[tokio::test]
async fn a_person_can_read_what_was_verified_in_order() {
    let room = TestRoom::new();
    let (channel, _) = meet(&room.connector(), &room.acceptor(Change::None)).await;
    let verified = channel.expect("it is right").verified;
    let checks: Vec<_> = verified.steps().iter().map(|step| step.check()).collect();
    let expected = [
        "size",
        "form",
        "certificates",
        "signature",
        "document time",
        "measurements",
        "PCR16",
        "server key",
        "nonce",
        "connection",
        "agreement",
        "room",
    ];
    assert_eq!(checks, expected);
    assert_eq!(
        verified.steps()[10].to_string(),
        format!("agreement: {}", "aa".repeat(48))
    );
}

/// Under AWS's root PCR16 must be there; another platform without it leaves the word of the
/// measured program.
#[tokio::test]
async fn a_platform_without_pcr16_is_accepted_and_the_steps_say_so() {
    let room = TestRoom::new();
    let without = Change::fields(|fields| drop(fields.pcrs.remove(&16)));
    let (channel, _) = meet(&room.connector(), &room.acceptor(without)).await;
    let verified = channel.expect("it is right").verified;
    assert_eq!(
        verified.steps()[6].to_string(),
        "PCR16: not reported by this platform"
    );
}

#[tokio::test]
async fn the_document_is_kept_as_it_came() {
    let room = TestRoom::new();
    let platform = Platform::new(&room.authority, Change::None);
    let acceptor = room.acceptor_with(platform.clone());
    let (channel, _) = meet(&room.connector(), &acceptor).await;
    let made = platform.made.lock().expect("no test panics here");
    assert_eq!(channel.expect("it is right").verified.evidence(), &made[0]);
}

#[tokio::test]
async fn the_evidence_differs_on_every_connection() {
    let room = TestRoom::new();
    let platform = Platform::new(&room.authority, Change::None);
    let acceptor = room.acceptor_with(platform.clone());
    for _ in 0..2 {
        let (channel, _) = meet(&room.connector(), &acceptor).await;
        channel.expect("it is right");
    }
    let made = platform.made.lock().expect("no test panics here");
    let bindings = [0, 1].map(|i| {
        let verifier = room.verifier();
        let authentic = verifier.authenticate(&made[i], now(), Freshness::Live);
        let bound = &authentic.expect("it is right").bound;
        let binding = ChannelBinding::decode(bound.user_data().expect("it is there"));
        let binding = binding.expect("a binding");
        (*binding.exporter(), bound.nonce().map(<[u8]>::to_vec))
    });
    assert_ne!(bindings[0].0, bindings[1].0);
    assert_ne!(bindings[0].1, bindings[1].1);
}

#[tokio::test]
async fn a_channel_works_over_tcp() {
    let room = TestRoom::new();
    let acceptor = room.acceptor(Change::None);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let connector = room.connector();
    let (channel, accepted) = patiently(async {
        tokio::join!(
            async {
                let tcp = TcpStream::connect(address).await.expect("it listens");
                connector.connect(tcp, now()).await
            },
            async {
                let (tcp, _) = listener.accept().await.expect("someone comes");
                acceptor.accept(tcp).await
            }
        )
    })
    .await;
    channel.expect("it is right");
    accepted.expect("it is right");
}

/// A platform that takes its time and counts who waits.
struct Slow {
    honest: Arc<Platform>,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Attester for Slow {
    fn attest(&self, data: &ReportData) -> Result<Evidence, AttestError> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(50));
        self.now.fetch_sub(1, Ordering::SeqCst);
        self.honest.attest(data)
    }
}

/// On one async thread: a blocking call there would leave one at a time.
#[tokio::test]
async fn attestations_run_beside_the_async_thread_four_at_once() {
    let room = TestRoom::new();
    let slow = Arc::new(Slow {
        honest: Platform::new(&room.authority, Change::None),
        now: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
    });
    let acceptor = Arc::new(room.acceptor_with(slow.clone()));
    let connector = Arc::new(room.connector());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let (near, far) = duplex(16 * 1024);
        let (acceptor, connector) = (Arc::clone(&acceptor), Arc::clone(&connector));
        tasks.spawn(async move {
            let (channel, _) = tokio::join!(connector.connect(near, now()), acceptor.accept(far));
            channel.map(|_| ())
        });
    }
    let outcomes = patiently(tasks.join_all()).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(slow.most.load(Ordering::SeqCst), 4);
}
