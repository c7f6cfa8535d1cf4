//! Sessions that must not come about.

mod parties;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use attestation::nitro::authority::{Authority, DocumentFields};
use attestation::nitro::{Measurements, NitroVerifier};
use attestation::{AttestError, Attester, Evidence, Policy, Refusal, ReportData};
use attested_tls::{Acceptor, ServerKey};
use client::{Endpoint, Error, ExpectedRoom, Proxy, Refused, Session};
use enclave::Platform;
use parties::{FOUR_LINES, Parties, Serving, endpoint, expected_room, key, open};
use protocol::{Agreement, AgreementReply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_not_in_the_agreement_gets_no_session() {
    let parties = Parties::new(FOUR_LINES);
    let room = parties.start(&Platform::simulated().unwrap(), None).await;
    let refused = open(&room, &parties.eve).await.err().expect("a refusal");
    assert!(
        matches!(refused, Error::Refused(Refused::NotRegistered)),
        "{refused}"
    );
    // And it harms nobody else.
    open(&room, &parties.alice).await.unwrap();
    room.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_program_root_agreement_or_room_gets_no_session() {
    let parties = Parties::new(FOUR_LINES);
    let (platform, other) = (
        Platform::simulated().unwrap(),
        Platform::simulated().unwrap(),
    );
    let room = parties.start(&platform, None).await;
    let mut registers = expected_room(&room).policy.registers().to_vec();
    registers[2].value[47] ^= 1;
    let good = expected_room(&room);
    let refuse = async |expected: ExpectedRoom| {
        let refused = Session::open(endpoint(&room), key(&parties.alice), expected)
            .await
            .err()
            .expect("a refusal");
        let Error::Refused(refused) = refused else {
            panic!("{refused}")
        };
        refused
    };

    let refused = refuse(ExpectedRoom {
        policy: Policy::new(registers).unwrap(),
        ..good.clone()
    })
    .await;
    assert!(
        matches!(refused, Refused::Evidence(Refusal::WrongMeasurement { .. })),
        "{refused}"
    );

    let refused = refuse(ExpectedRoom {
        verifier: Arc::new(NitroVerifier::aws()),
        ..good.clone()
    })
    .await;
    assert!(matches!(refused, Refused::Evidence(_)), "{refused}");
    let verifier = NitroVerifier::dangerous_from_pem(&other.root_pem().unwrap()).unwrap();
    let refused = refuse(ExpectedRoom {
        verifier: Arc::new(verifier),
        ..good.clone()
    })
    .await;
    assert!(matches!(refused, Refused::Evidence(_)), "{refused}");

    let refused = refuse(ExpectedRoom {
        agreement: Some([7; 48]),
        ..good.clone()
    })
    .await;
    assert!(
        matches!(
            refused,
            Refused::Evidence(Refusal::WrongAgreementRegister { .. })
        ),
        "{refused}"
    );
    let refused = refuse(ExpectedRoom {
        id: Some([7; 32]),
        ..good.clone()
    })
    .await;
    assert!(matches!(refused, Refused::WrongRoom { .. }), "{refused}");

    let told = ExpectedRoom {
        agreement: Some(parties.agreement.sha384().to_bytes()),
        id: Some(room.room().to_bytes()),
        ..good
    };
    let session = Session::open(endpoint(&room), key(&parties.alice), told)
        .await
        .unwrap();
    assert_eq!(session.agreement(), &parties.agreement);
    room.shutdown().await;
}

#[tokio::test]
async fn an_address_where_nobody_answers_is_said_so() {
    let parties = Parties::new(FOUR_LINES);
    let room = parties.start(&Platform::simulated().unwrap(), None).await;
    let (nobody, expected) = (endpoint(&room), expected_room(&room));
    room.shutdown().await;
    let refused = Session::open(nobody, key(&parties.alice), expected.clone())
        .await
        .err()
        .expect("a refusal");
    assert!(matches!(refused, Error::Unreachable { .. }), "{refused}");

    // Something else answers there: an HTTP server.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let web = Endpoint::parse(&listener.local_addr().unwrap().to_string(), 443).unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .await
                .unwrap();
        }
    });
    let refused = Session::open(web, key(&parties.alice), expected)
        .await
        .err()
        .expect("a refusal");
    assert!(matches!(refused, Error::Refused(_)), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_port_in_use_is_said_so() {
    let parties = Parties::new(FOUR_LINES);
    let room = parties.start(&Platform::simulated().unwrap(), None).await;
    let first = Serving::connect(&room, &parties.alice).await;
    let second = Proxy::bind(open(&room, &parties.alice).await.unwrap(), first.port)
        .await
        .err()
        .expect("an error");
    assert!(
        matches!(second, Error::PortInUse { port } if port == first.port),
        "{second}"
    );
    assert!(second.to_string().contains("in use"));
    room.shutdown().await;
}

/// A platform whose evidence holds, for a program that then serves what it likes.
struct Vouching {
    authority: Authority,
    agreement: [u8; 48],
}

impl Attester for Vouching {
    fn attest(&self, data: &ReportData) -> Result<Evidence, AttestError> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a time after 1970");
        let program = (0..3).map(|index| (index, vec![1; 48]));
        let agreement = (16, attestation::extended_register(&self.agreement).to_vec());
        let document = self.authority.document(&DocumentFields {
            module_id: "made-up".to_owned(),
            timestamp_millis: u64::try_from(now.as_millis()).expect("a time in this age"),
            pcrs: program.chain([agreement]).collect(),
            public_key: data.public_key.clone(),
            user_data: data.user_data.clone(),
            nonce: data.nonce.clone(),
        });
        Ok(Evidence::from_bytes(document))
    }
}

/// What opening a session comes to where the evidence holds, and `/agreement` is answered with
/// these bytes.
async fn opened_with(parties: &Parties, reply: Vec<u8>) -> Result<Session, Error> {
    let (authority, agreement) = (Authority::generate(), parties.agreement.sha384().to_bytes());
    let expected = ExpectedRoom {
        verifier: Arc::new(
            NitroVerifier::dangerous_from_pem(&authority.root_pem()).expect("a certificate"),
        ),
        policy: Policy::from(Measurements::new([1; 48], [1; 48], [1; 48]).expect("none is zero")),
        agreement: Some(agreement),
        id: None,
    };
    let party = key(&parties.alice);
    let attester = Arc::new(Vouching {
        authority,
        agreement,
    });
    let acceptor = Acceptor::new(
        ServerKey::generate(),
        [party.spki().to_vec()],
        attester,
        agreement,
        [5; 32],
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let there = Endpoint::parse(&listener.local_addr().expect("an address").to_string(), 443)
        .expect("an address");
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut stream = acceptor.accept(stream).await.expect("a handshake").stream;
        let mut request = [0; 1024];
        let read = stream.read(&mut request).await.expect("a request");
        assert!(request[..read].starts_with(b"GET /agreement HTTP/1.1\r\n"));
        // The client may have seen enough before it has read everything.
        drop(stream.write_all(&reply).await);
        drop(stream.shutdown().await);
    });
    let opened = Session::open(there, party, expected).await;
    serving.await.expect("it served");
    opened
}

fn http(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_serves_another_agreement_than_its_evidence_names_gets_no_session() {
    let parties = Parties::new(FOUR_LINES);
    let said = |agreement: &Agreement, name: &Agreement| {
        let reply = AgreementReply {
            agreement: agreement.clone(),
            agreement_sha384: name.sha384(),
        };
        http(&serde_json::to_string(&reply).expect("a reply has a JSON form"))
    };
    opened_with(&parties, said(&parties.agreement, &parties.agreement))
        .await
        .expect("the very agreement");

    let other = Agreement::new(
        parties.agreement.service_yaml(),
        FOUR_LINES.replace('3', "4"),
    )
    .expect("an agreement");
    // Also when it says that its name is the right one.
    for reply in [said(&other, &parties.agreement), said(&other, &other)] {
        let refused = opened_with(&parties, reply).await.err().expect("a refusal");
        assert!(matches!(refused, Error::ServedAgreement), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_makes_no_sense_gets_no_session() {
    let parties = Parties::new(FOUR_LINES);
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat(40 << 20)).into_bytes();
    for reply in [
        http("{}"),
        http("[1, 2"),
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec(),
        endless,
    ] {
        let refused = opened_with(&parties, reply).await.err().expect("a refusal");
        assert!(
            matches!(
                refused,
                Error::Reply {
                    request: "GET /agreement",
                    ..
                }
            ),
            "{refused}"
        );
    }
    let refused = opened_with(&parties, Vec::new())
        .await
        .err()
        .expect("a refusal");
    assert!(matches!(refused, Error::Lost), "{refused}");
}
