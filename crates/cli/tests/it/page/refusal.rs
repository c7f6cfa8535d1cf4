//! A room that is refused, at once or later.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

#[cfg(unix)]
use super::served::browser;
use super::served::{Served, connecting, words};
use crate::connecting::{free_port, open_room};
use crate::synclave;

/// A wire to the room that counts what goes there.
fn counting_wire(room: u16) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    std::thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            let far = TcpStream::connect(("127.0.0.1", room)).unwrap();
            let (mut back, mut there) = (far.try_clone().unwrap(), near.try_clone().unwrap());
            let counter = Arc::clone(&counter);
            std::thread::spawn(move || {
                let (mut near, mut far, mut buffer) = (near, far, [0; 4096]);
                while let Ok(read @ 1..) = near.read(&mut buffer) {
                    counter.fetch_add(read, Ordering::SeqCst);
                    if far.write_all(&buffer[..read]).is_err() {
                        break;
                    }
                }
                drop(far.shutdown(Shutdown::Both));
            });
            std::thread::spawn(move || drop(std::io::copy(&mut back, &mut there)));
        }
    });
    (port, sent)
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_room_is_shown_and_sent_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let running = open_room(folder.path()).await;
    let (wire, sent) = counting_wire(running.address().tcp().unwrap().port());
    let other = "ab".repeat(48);
    let wrong = format!(
        r#"{{"Measurements": {{"PCR0": "{other}", "PCR1": "{other}", "PCR2": "{other}"}}}}"#
    );
    fs::write(folder.path().join("wrong.json"), wrong).unwrap();
    let port = free_port();
    let changes = [
        ("--measurements", Some("wrong.json")),
        ("--port", Some(&*wire.to_string())),
    ];
    let arguments = connecting(&running, port, &changes);
    let arguments = words(&arguments);

    // As ever without --open.
    synclave(folder.path(), &arguments)
        .exits(29)
        .saying("another program");

    let browser = browser(folder.path());
    let arguments = [&arguments[..], &["--open"]].concat();
    let page = Served::start_with(folder.path(), port, &arguments, |command| {
        command.env("BROWSER", &browser)
    });
    assert_eq!(page.get("/").status, 200);
    let state = page.state();
    let before = sent.load(Ordering::SeqCst);
    assert_eq!(
        (&state["room"], &state["agreement"]),
        (&Value::Null, &Value::Null)
    );
    let evidence = &state["evidence"];
    assert_eq!(evidence["held"], false);
    assert_eq!(evidence["refusal"]["check"], "wrong-measurement");
    assert_eq!(evidence["refusal"]["code"], 29);
    assert!(
        evidence["refusal"]["text"]
            .as_str()
            .unwrap()
            .contains("another program")
    );

    page.upload(&"1,2\n".repeat(100_000))
        .is(502, "room-refused");
    for path in ["/details", "/agreement", "/samples", "/x"] {
        page.get(path).is(502, "room-refused");
    }
    let hash = json!({"sha384": running.agreement().to_string()});
    page.order("accept", &hash).is(502, "room-refused");
    for path in ["check", "receipt"] {
        page.order(path, &json!({})).is(502, "room-refused");
    }
    page.order("download", &json!({"path": "/samples"}))
        .is(502, "room-refused");
    assert_eq!(sent.load(Ordering::SeqCst), before);
    assert_eq!(page.interrupt(), Some(29));
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_is_refused_later_is_shown_as_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = open_room(folder.path()).await;
    let port = free_port();
    let page = Served::start(folder.path(), port, &words(&connecting(&first, port, &[])));
    assert_eq!(page.order("check", &json!({})).json()["held"], true);
    let place = first.address().tcp().unwrap();
    first.shutdown().await;
    page.order("check", &json!({})).is(502, "room-unreachable");
    // It could not be asked: what was verified is no less true for that.
    assert_eq!(page.state()["evidence"]["held"], true);

    // Another platform, with a root of its own, at the same address.
    let elsewhere = tempfile::tempdir().unwrap();
    let second = crate::connecting::open_room_at(elsewhere.path(), &place.to_string()).await;
    let checked = page.order("check", &json!({})).json();
    assert_eq!(checked["held"], false);
    assert_eq!(page.state()["evidence"]["refusal"], checked["refusal"]);
    page.upload("id,a\n1,2\n").is(502, "room-refused");
    second.shutdown().await;
}
