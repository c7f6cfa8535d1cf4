//! A room whose parties do nothing overwrites what they have uploaded, and says so.

use std::convert::Infallible;
use std::time::Duration;

use access::Endpoint;
use axum::body::{Body, Bytes};
use protocol::{Code, Phase, Status};
use service::RoomEvent;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::test_room::{Answer, DECLARED, FOUR_LINES, TestRoom, alice, bob, form, upload_request};

const HOUR: Duration = Duration::from_secs(3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

async fn phase(room: &TestRoom) -> Phase {
    let status: Status = room.get("Zoe", "/status").await.json();
    status.status
}

#[tokio::test]
async fn after_a_week_without_activity_the_uploads_are_gone_and_every_path_says_so() {
    let room = TestRoom::open(FOUR_LINES);
    room.upload("Alice", &alice()).await.ok();
    room.confirm("Alice").await.ok();
    room.look().await;
    room.pass(WEEK - HOUR).await;
    assert_eq!(phase(&room).await, Phase::AwaitingData);
    room.pass(HOUR).await;
    let status: Status = room.get("Alice", "/status").await.json();
    assert_eq!(status.status, Phase::Expired);
    for party in &status.parties {
        assert!(!party.uploaded && !party.confirmed && party.commitment.is_none());
    }
    assert_eq!(status.you.unwrap().commitment, None);
    let words = room.get("Zoe", "/model_status").await.value();
    assert_eq!(words, "Model status: expired");
    let told = room.events();
    assert_eq!(
        told.iter()
            .filter(|event| **event == RoomEvent::Expired)
            .count(),
        1
    );

    let problem = room.upload("Bob", &bob()).await.refused(Code::Expired);
    expect_test::expect![
        "The parties did nothing for longer than the agreement's expires_after, \
        so what was uploaded is overwritten and this room is closed; open a new one."
    ]
    .assert_eq(&problem.detail);
    for path in ["/samples", "/model", "/report", "/receipt", "/columns"] {
        room.get("Alice", path).await.refused(Code::Expired);
    }
    for path in ["/confirm_data", "/withdraw_confirmation"] {
        room.ask("Alice", "POST", path).await.refused(Code::Expired);
    }
    for endpoint in Endpoint::ALL {
        let answer = room
            .ask("Alice", endpoint.methods()[0], endpoint.path())
            .await;
        assert!(
            [200, 409, 415].contains(&answer.status),
            "{endpoint:?}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn only_what_changes_something_is_activity() {
    let room = TestRoom::open(&format!("{DECLARED}expires_after: 12 hours\n"));
    let withdraw = async || room.ask("Alice", "POST", "/withdraw_confirmation").await;
    // These count.
    room.upload("Alice", &alice()).await.ok();
    room.look().await;
    room.pass(11 * HOUR).await;
    room.confirm("Alice").await.ok();
    room.look().await;
    room.pass(11 * HOUR).await;
    withdraw().await.ok();
    room.look().await;
    room.pass(11 * HOUR).await;
    room.upload("Alice", &alice()).await.ok();
    room.confirm("Alice").await.ok();
    room.look().await;
    assert_eq!(phase(&room).await, Phase::AwaitingData);

    // These do not, whoever asks.
    room.pass(11 * HOUR).await;
    for user in ["Alice", "Bob", "Zoe"] {
        for path in [
            "/status",
            "/details",
            "/model_status",
            "/agreement",
            "/columns?party=Alice",
        ] {
            room.get(user, path).await;
        }
    }
    room.confirm("Alice").await.ok();
    room.confirm("Bob").await.refused(Code::NothingUploaded);
    room.upload("Bob", "a,b\n1,2\n")
        .await
        .refused(Code::NoKeyColumn);
    room.ask("Bob", "POST", "/withdraw_confirmation").await.ok();
    room.look().await;
    assert_eq!(phase(&room).await, Phase::AwaitingData);
    room.pass(HOUR).await;
    assert_eq!(phase(&room).await, Phase::Expired);
}

#[tokio::test]
async fn an_upload_that_is_coming_in_is_ended_too() {
    let room = TestRoom::open(DECLARED);
    let (sender, receiver) = mpsc::channel::<Result<Bytes, Infallible>>(4);
    let body = Body::from_stream(ReceiverStream::new(receiver));
    let start = Bytes::from(form(&alice())).slice(..500);
    sender.send(Ok(start)).await.unwrap();
    let uploading = room.send("Alice", upload_request(body));
    let expiring = async {
        room.look().await;
        room.pass(WEEK).await;
        assert_eq!(phase(&room).await, Phase::Expired);
        // Most clients look at the reply only when they have sent everything: the rest is read, and
        // thrown away.
        drop(sender);
    };
    let (reply, ()) = tokio::join!(uploading, expiring);
    Answer::read(reply).await.refused(Code::Expired);
    let status: Status = room.get("Alice", "/status").await.json();
    assert!(!status.parties[0].uploaded);
}

#[tokio::test]
async fn a_model_stays() {
    let room = TestRoom::open(DECLARED);
    let tables = [("Alice", alice()), ("Bob", bob())];
    let tables = tables.each_ref().map(|(user, csv)| (*user, csv.as_str()));
    assert_eq!(room.train(&tables).await, Phase::Trained);
    room.pass(100 * WEEK).await;
    assert_eq!(phase(&room).await, Phase::Trained);
    room.get("Alice", "/samples?num_samples=1").await.ok();
}

#[tokio::test]
async fn a_platform_that_gives_no_time_does_not_end_a_room_at_once() {
    let room = TestRoom::open(DECLARED);
    room.lose_time();
    room.upload("Alice", &alice()).await.ok();
    room.look().await;
    assert_eq!(phase(&room).await, Phase::AwaitingData);
    room.look().await;
    let told = room.events().into_iter();
    let told: Vec<_> = told
        .filter(|event| *event == RoomEvent::NoPlatformTime)
        .collect();
    assert_eq!(told.len(), 1, "once, not at every look");
    room.confirm("Alice").await.ok();
    assert_eq!(room.train(&[("Bob", &bob())]).await, Phase::Trained);
}

#[tokio::test]
async fn events_end_when_a_room_expires() {
    let room = TestRoom::open(DECLARED);
    let request = axum::http::Request::get("/events")
        .body(Body::empty())
        .unwrap();
    let reading = tokio::spawn(Answer::read(room.send("Zoe", request).await));
    room.look().await;
    room.pass(WEEK).await;
    let body = reading.await.unwrap().ok();
    let last = body
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .next_back();
    let last: Status = serde_json::from_str(last.unwrap()).unwrap();
    assert_eq!(last.status, Phase::Expired);
}

#[tokio::test]
async fn details_say_when_a_room_expires() {
    let seconds = async |more: &str| {
        let room = TestRoom::open(&format!("{DECLARED}{more}"));
        room.get("Zoe", "/details").await.value()["expires_after_seconds"].clone()
    };
    assert_eq!(seconds("").await, 604_800);
    assert_eq!(seconds("expires_after: 1 hour\n").await, 3_600);
    assert_eq!(seconds("expires_after: 12 hours\n").await, 43_200);
    assert_eq!(seconds("expires_after: 90 days\n").await, 7_776_000);
}
