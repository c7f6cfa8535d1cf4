//! Sessions that must not come about.

mod stage;

use attestation::{Measurements, Refusal, Root};
use client::{Endpoint, Error, Expectations, Proxy, Refused, Session};
use enclave::Platform;
use stage::{FOUR_LINES, Serving, Stage, endpoint, expectations, key, open};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_not_in_the_agreement_gets_no_session() {
    let stage = Stage::new(FOUR_LINES);
    let room = stage.start(&Platform::simulated().unwrap(), None).await;
    let refused = open(&room, &stage.eve).await.err().expect("a refusal");
    assert!(
        matches!(refused, Error::Refused(Refused::NotRegistered)),
        "{refused}"
    );
    // And it harms nobody else.
    open(&room, &stage.alice).await.unwrap();
    room.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_program_root_agreement_or_room_gets_no_session() {
    let stage = Stage::new(FOUR_LINES);
    let (platform, other) = (
        Platform::simulated().unwrap(),
        Platform::simulated().unwrap(),
    );
    let room = stage.start(&platform, None).await;
    let [pcr0, pcr1, mut pcr2] = *room.measurements().pcrs();
    pcr2[47] ^= 1;
    let good = expectations(&room);
    let refuse = async |expectations: Expectations| {
        let refused = Session::open(endpoint(&room), key(&stage.alice), expectations)
            .await
            .err()
            .expect("a refusal");
        let Error::Refused(refused) = refused else {
            panic!("{refused}")
        };
        refused
    };

    let measurements = Measurements::new(pcr0, pcr1, pcr2).unwrap();
    let refused = refuse(Expectations {
        measurements,
        ..good.clone()
    })
    .await;
    assert!(
        matches!(refused, Refused::Evidence(Refusal::WrongMeasurement { .. })),
        "{refused}"
    );

    let refused = refuse(Expectations {
        root: Root::aws_nitro(),
        ..good.clone()
    })
    .await;
    assert!(matches!(refused, Refused::Evidence(_)), "{refused}");
    let root = Root::dangerous_from_pem(&other.root_pem()).unwrap();
    let refused = refuse(Expectations {
        root,
        ..good.clone()
    })
    .await;
    assert!(matches!(refused, Refused::Evidence(_)), "{refused}");

    let refused = refuse(Expectations {
        agreement: Some([7; 48]),
        ..good.clone()
    })
    .await;
    assert!(
        matches!(refused, Refused::AgreementRegister { .. }),
        "{refused}"
    );
    let refused = refuse(Expectations {
        room: Some([7; 32]),
        ..good.clone()
    })
    .await;
    assert!(matches!(refused, Refused::WrongRoom { .. }), "{refused}");

    let told = Expectations {
        agreement: Some(stage.agreement.sha384().to_bytes()),
        room: Some(room.room().to_bytes()),
        ..good
    };
    let session = Session::open(endpoint(&room), key(&stage.alice), told)
        .await
        .unwrap();
    assert_eq!(session.agreement(), &stage.agreement);
    room.shutdown().await;
}

#[tokio::test]
async fn an_address_where_nobody_answers_is_said_so() {
    let stage = Stage::new(FOUR_LINES);
    let room = stage.start(&Platform::simulated().unwrap(), None).await;
    let (nobody, expectations) = (endpoint(&room), expectations(&room));
    room.shutdown().await;
    let refused = Session::open(nobody, key(&stage.alice), expectations.clone())
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
    let refused = Session::open(web, key(&stage.alice), expectations)
        .await
        .err()
        .expect("a refusal");
    assert!(matches!(refused, Error::Refused(_)), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_port_in_use_is_said_so() {
    let stage = Stage::new(FOUR_LINES);
    let room = stage.start(&Platform::simulated().unwrap(), None).await;
    let first = Serving::connect(&room, &stage.alice).await;
    let second = Proxy::bind(open(&room, &stage.alice).await.unwrap(), first.port)
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
