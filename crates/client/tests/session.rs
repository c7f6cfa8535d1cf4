//! Requests over a verified session, without a local port.

mod parties;

use client::{Error, Session};
use enclave::Platform;
use hyper::Request;
use hyper::body::Bytes;
use parties::{FOUR_LINES, Parties, open};

const MOST: usize = 1 << 20;

async fn get(session: &Session, path: &str, most: usize) -> Result<(u16, Bytes), Error> {
    let request = Request::get(path).body(Bytes::new());
    let request = request.expect("a path of ours");
    let reply = session.send(request, most).await?;
    Ok((reply.status().as_u16(), reply.into_body()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_go_over_verified_connections_and_are_answered_whole() {
    let parties = Parties::new(FOUR_LINES);
    let platform = Platform::simulated().unwrap();
    let room = parties.start(&platform, None).await;
    let session = open(&room, &parties.alice).await.unwrap();
    let (status, body) = get(&session, "/status", MOST).await.unwrap();
    assert_eq!(status, 200);
    assert!(String::from_utf8_lossy(&body).contains("awaiting_data"));
    let (status, _) = get(&session, "/model", MOST).await.unwrap();
    assert_ne!(status, 200, "there is no model yet");
    let refused = get(&session, "/openapi.json", 100).await.unwrap_err();
    assert!(matches!(refused, Error::Reply { .. }), "{refused}");
    // The connection that broke off is not used again.
    assert_eq!(get(&session, "/healthz", MOST).await.unwrap().0, 200);
    room.shutdown().await;
}
