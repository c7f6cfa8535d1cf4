//! What the proxy and the room do when requests, programs and enclaves misbehave.

mod parties;

use std::time::Duration;

use enclave::{EnclaveLimits, Platform};
use parties::http::{get, multipart, post, send, upload, wait_for_status};
use parties::{FOUR_LINES, Parties, Serving, tables};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_cannot_name_another_user() {
    let parties = Parties::new(FOUR_LINES);
    let room = parties.start(&Platform::simulated().unwrap(), None).await;
    let bob = Serving::connect(&room, &parties.bob).await;
    let names = "X-OBLV-User-Name: Alice\r\nX-OBLV-User-Role: data_provider\r\nx_oblv_user_name: \
                 Alice\r\nX-Synclave-User: Alice\r\n";
    let (head, body) = multipart(bob.port, &tables(50).1, names);
    let reply = send(bob.port, &[head.into_bytes(), body].concat()).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let status = get(bob.port, "/status").await.json();
    let uploaded: Vec<bool> = status["parties"]
        .as_array()
        .unwrap()
        .iter()
        .map(|party| party["uploaded"].as_bool().unwrap())
        .collect();
    assert_eq!(
        (&status["parties"][0]["name"], uploaded),
        (&json!("Alice"), vec![false, true])
    );
    room.shutdown().await;
}

// As a page of another site can do it, by a name of its own that resolves to this machine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_are_refused_keep_nobody_out() {
    let parties = Parties::new(FOUR_LINES);
    let room = parties.start(&Platform::simulated().unwrap(), None).await;
    let alice = Serving::connect(&room, &parties.alice).await;
    let foreign = format!(
        "GET /x HTTP/1.1\r\nHost: evil.example:{}\r\n\r\n",
        alice.port
    );
    let mut refused = Vec::new();
    for _ in 0..128 {
        let mut stream = TcpStream::connect(("127.0.0.1", alice.port)).await.unwrap();
        stream.write_all(foreign.as_bytes()).await.unwrap();
        assert!(stream.read_u8().await.is_ok());
        refused.push(stream);
    }
    let own = tokio::time::timeout(Duration::from_secs(10), get(alice.port, "/status"));
    assert_eq!(own.await.expect("the owner is kept out").status, 200);
    drop(refused);
    room.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_local_port_is_for_this_machine_and_this_room_only() {
    let parties = Parties::new(FOUR_LINES);
    let room = parties.start(&Platform::simulated().unwrap(), None).await;
    let alice = Serving::connect(&room, &parties.alice).await;
    let port = alice.port;
    let ask = async |request: String| send(port, request.as_bytes()).await;

    let rebound = ask(format!(
        "GET /details HTTP/1.1\r\nHost: evil.example:{port}\r\nConnection: close\r\n\r\n"
    ))
    .await;
    assert_eq!(
        (rebound.status, rebound.code()),
        (403, "host-not-local".to_owned())
    );
    let foreign = ask(format!(
        "POST /confirm_data HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: \
                               https://evil.example\r\nContent-Length: 0\r\nConnection: \
                               close\r\n\r\n"
    ))
    .await;
    assert_eq!(
        (foreign.status, foreign.code()),
        (403, "foreign-page".to_owned())
    );
    // As Safari 5 shows an image of a page that came by https, and sends a form of one that came by
    // http.
    let safari = "User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_6_8) AppleWebKit/534.57.2 \
        (KHTML, like Gecko) Version/5.1.7 Safari/534.57.2\r\nAccept: */*";
    for (request, code) in [
        ("GET /confirm_data", "confirm-by-visit"),
        ("POST /upload_data", "page-unknown"),
        ("POST /confirm_data", "page-unknown"),
        ("POST /withdraw_confirmation", "page-unknown"),
    ] {
        let head = format!("{request} HTTP/1.1\r\nHost: localhost:{port}\r\n{safari}\r\n");
        let image = ask(format!("{head}Connection: close\r\n\r\n")).await;
        assert_eq!(
            (image.status, image.code().as_str()),
            (403, code),
            "{request}"
        );
        let referred = format!("{head}Referer: http://evil.example/\r\nConnection: close\r\n\r\n");
        let referred = ask(referred).await;
        assert_eq!(
            (referred.status, referred.code().as_str()),
            (403, "foreign-page")
        );
    }
    let absolute = ask(format!(
        "GET http://localhost:{port}/details HTTP/1.1\r\nHost: \
                                localhost:{port}\r\nConnection: close\r\n\r\n"
    ))
    .await;
    assert_eq!(
        (absolute.status, absolute.code()),
        (400, "bad-request-target".to_owned())
    );
    let connect = ask(format!(
        "CONNECT example.org:443 HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
    ))
    .await;
    assert_eq!(
        (connect.status, connect.code()),
        (400, "bad-request-target".to_owned())
    );
    let fine = ask(format!(
        "GET /details HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    ))
    .await;
    assert_eq!(fine.status, 200);
    assert_eq!(fine.header("access-control-allow-origin"), None);

    let elsewhere = TcpListener::bind(("0.0.0.0", 0))
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    assert!(elsewhere.ip().is_unspecified());
    let mut six = match TcpStream::connect(("::1", port)).await {
        Ok(stream) => stream,
        Err(error) => return println!("skipped ::1, which this machine does not have: {error}"),
    };
    six.write_all(
        format!("GET /healthz HTTP/1.1\r\nHost: [::1]:{port}\r\nConnection: close\r\n\r\n")
            .as_bytes(),
    )
    .await
    .unwrap();
    let mut reply = String::new();
    six.read_to_string(&mut reply).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    room.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_breaks_off_leaves_everything_as_it_was() {
    let parties = Parties::new(FOUR_LINES);
    let room = parties.start(&Platform::simulated().unwrap(), None).await;
    let alice = Serving::connect(&room, &parties.alice).await;
    let before = get(alice.port, "/status").await.json();

    let (head, body) = multipart(alice.port, &tables(20_000).0, "");
    for half in [body.len() / 2, 0] {
        let mut stream = TcpStream::connect(("127.0.0.1", alice.port)).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body[..half]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(stream);
    }
    // In chunks, with no last one.
    let chunked = head.replace("Connection: close", "Transfer-Encoding: chunked");
    let chunked: String = chunked
        .lines()
        .filter(|line| !line.starts_with("Content-Length"))
        .map(|line| format!("{line}\r\n"))
        .collect();
    let mut stream = TcpStream::connect(("127.0.0.1", alice.port)).await.unwrap();
    stream.write_all(chunked.as_bytes()).await.unwrap();
    stream
        .write_all(format!("{:x}\r\n", body.len()).as_bytes())
        .await
        .unwrap();
    stream.write_all(&body).await.unwrap();
    stream.write_all(b"\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(stream);

    let settled = async {
        // The room may take a moment to see the end.
        for _ in 0..100 {
            let reply = upload(alice.port, "id,a\n1,x\n2,y\n").await;
            if reply.status == 200 {
                return reply;
            }
            assert_eq!(reply.code(), "upload-in-progress", "{reply:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the room never forgot the upload that broke off");
    };
    assert_eq!(before["parties"][0]["uploaded"], false);
    assert_eq!(settled.await.json()["rows"], 2);

    // A good table stays although a later upload breaks off.
    let mut stream = TcpStream::connect(("127.0.0.1", alice.port)).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body[..body.len() / 2]).await.unwrap();
    drop(stream);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let status = get(alice.port, "/status").await.json();
    assert_eq!(status["parties"][0]["uploaded"], true);
    room.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn training_goes_on_without_the_clients_who_asked_for_it() {
    let parties = Parties::new(FOUR_LINES);
    let room = parties.start(&Platform::simulated().unwrap(), None).await;
    let (alice_csv, bob_csv) = tables(3000);
    let (alice, bob) = (
        Serving::connect(&room, &parties.alice).await,
        Serving::connect(&room, &parties.bob).await,
    );
    assert_eq!(upload(alice.port, &alice_csv).await.status, 200);
    assert_eq!(upload(bob.port, &bob_csv).await.status, 200);
    assert_eq!(post(alice.port, "/confirm_data").await.status, 200);
    alice.end().await;

    // Bob's program asks, and is gone before it has read the answer.
    let mut stream = TcpStream::connect(("127.0.0.1", bob.port)).await.unwrap();
    stream
        .write_all(
            format!(
                "POST /confirm_data HTTP/1.1\r\nHost: localhost:{}\r\nContent-Length: 0\r\n\r\n",
                bob.port
            )
            .as_bytes(),
        )
        .await
        .unwrap();
    let mut first = [0];
    stream.read_exact(&mut first).await.unwrap();
    drop(stream);
    bob.end().await;

    let later = Serving::connect(&room, &parties.bob).await;
    wait_for_status(later.port, "trained").await;
    assert_eq!(
        get(later.port, "/samples?num_samples=5")
            .await
            .text()
            .lines()
            .count(),
        6
    );
    room.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enclave_that_was_restarted_is_another_room_and_is_sent_nothing() {
    let parties = Parties::new(FOUR_LINES);
    let platform = Platform::simulated().unwrap();
    let room = parties.start(&platform, None).await;
    let (address, id) = (room.address().tcp().unwrap(), room.room());
    let alice = Serving::connect(&room, &parties.alice).await;
    assert_eq!(get(alice.port, "/healthz").await.status, 200);

    room.shutdown().await;
    let away = get(alice.port, "/healthz").await;
    assert_eq!(
        (away.status, away.code()),
        (502, "room-unreachable".to_owned())
    );
    let detail = away.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("its room and the data in it are gone"),
        "{detail}"
    );

    // The same program and agreement, even under the same root.
    let again = parties
        .start(&platform, Some(TcpListener::bind(address).await.unwrap()))
        .await;
    assert_ne!(again.room(), id);
    for _ in 0..2 {
        let reply = upload(alice.port, &tables(50).0).await;
        assert_eq!(
            (reply.status, reply.code()),
            (502, "room-refused".to_owned()),
            "{reply:?}"
        );
        assert!(
            reply.json()["detail"]
                .as_str()
                .unwrap()
                .contains("connect again")
        );
    }
    let fresh = Serving::connect(&again, &parties.alice).await;
    assert_eq!(
        get(fresh.port, "/status").await.json()["parties"][0]["uploaded"],
        false
    );
    again.shutdown().await;

    // And as it is when the simulated platform was restarted as well.
    let other = parties
        .start(
            &Platform::simulated().unwrap(),
            Some(TcpListener::bind(address).await.unwrap()),
        )
        .await;
    let reply = get(alice.port, "/details").await;
    assert_eq!(
        (reply.status, reply.code()),
        (502, "room-refused".to_owned())
    );
    assert!(alice.reported.lock().unwrap().len() >= 4);
    other.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_share_few_connections_and_all_are_answered() {
    let parties = Parties::new(FOUR_LINES);
    let room = parties.start(&Platform::simulated().unwrap(), None).await;
    let alice = Serving::connect(&room, &parties.alice).await;
    let port = alice.port;
    let asked: Vec<_> = (0..100)
        .map(|_| tokio::spawn(async move { get(port, "/details").await.status }))
        .collect();
    for answer in asked {
        assert_eq!(answer.await.unwrap(), 200);
    }
    assert!(alice.reported.lock().unwrap().is_empty());
    // One local connection can carry many requests.
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let two = format!(
        "GET /healthz HTTP/1.1\r\nHost: localhost:{port}\r\n\r\nGET /healthz HTTP/1.1\r\nHost: \
         localhost:{port}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(two.as_bytes()).await.unwrap();
    let mut both = String::new();
    stream.read_to_string(&mut both).await.unwrap();
    assert_eq!(both.matches("HTTP/1.1 200").count(), 2, "{both}");
    room.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_refused_half_way_gets_its_reply() {
    let parties = Parties::new(
        "method: MST\nepsilon: 3\nparty_names: [Alice, Bob]\nlimits: {max_upload_bytes: 100000}\n",
    );
    let room = parties.start(&Platform::simulated().unwrap(), None).await;
    let alice = Serving::connect(&room, &parties.alice).await;
    // Some megabytes: more than all the buffers on the way hold.
    let reply = upload(alice.port, &tables(2_000_000).0).await;
    assert_eq!(reply.status, 413, "{reply:?}");
    assert_eq!(upload(alice.port, "id,a\n1,x\n").await.status, 200);
    room.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_the_room_has_closed_in_the_meantime_is_replaced_unnoticed() {
    let parties = Parties::new(FOUR_LINES);
    let limits = EnclaveLimits {
        header_deadline: Duration::from_millis(100),
        ..EnclaveLimits::default()
    };
    let room = parties
        .start_with(limits, &Platform::simulated().unwrap(), None)
        .await;
    let alice = Serving::connect(&room, &parties.alice).await;
    for wait in [0, 400, 0, 600] {
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let reply = upload(alice.port, "id,a\n1,x\n2,y\n").await;
        assert_eq!(reply.status, 200, "after {wait} ms: {reply:?}");
    }
    assert!(alice.reported.lock().unwrap().is_empty());
    room.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_come_through_as_they_happen() {
    let parties = Parties::new(FOUR_LINES);
    let room = parties.start(&Platform::simulated().unwrap(), None).await;
    let alice = Serving::connect(&room, &parties.alice).await;
    let mut stream = TcpStream::connect(("127.0.0.1", alice.port)).await.unwrap();
    let request = format!(
        "GET /events HTTP/1.1\r\nHost: localhost:{}\r\n\r\n",
        alice.port
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    let mut until = async |text: &str| {
        while !String::from_utf8_lossy(&seen).contains(text) {
            let read =
                tokio::time::timeout(Duration::from_secs(10), stream.read_buf(&mut seen)).await;
            assert_ne!(
                read.expect("an event in time").unwrap(),
                0,
                "{}",
                String::from_utf8_lossy(&seen)
            );
        }
    };
    until("awaiting_data").await;
    assert_eq!(upload(alice.port, "id,a\n1,x\n").await.status, 200);
    until(r#""uploaded":true"#).await;
    drop(stream);
    alice.end().await;
    room.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_under_way_is_answered_before_the_proxy_ends() {
    let parties = Parties::new(FOUR_LINES);
    let room = parties.start(&Platform::simulated().unwrap(), None).await;
    let alice = Serving::connect(&room, &parties.alice).await;
    let port = alice.port;
    let (head, body) = multipart(port, &tables(500).0, "");
    let (first, second) = body.split_at(body.len() / 2);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream
        .write_all(&[head.as_bytes(), first].concat())
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;

    let ending = tokio::spawn(alice.end());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(
        TcpStream::connect(("127.0.0.1", port)).await.is_err(),
        "nothing new is accepted"
    );
    stream.write_all(second).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    drop(stream);
    ending.await.unwrap();
    room.shutdown().await;
}
