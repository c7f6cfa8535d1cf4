//! Who may not do what, and what every error looks like.

use access::Endpoint;
use axum::body::Body;
use axum::http::Request;
use protocol::Code;
use service::RoomEvent;

use crate::test_room::{Answer, DECLARED, TestRoom, alice, bob};

#[tokio::test]
async fn a_key_that_is_not_registered_can_do_nothing() {
    let room = TestRoom::open(DECLARED);
    for user in ["", "Mallory"] {
        for endpoint in Endpoint::ALL {
            let method = endpoint.methods()[0];
            room.ask(user, method, endpoint.path())
                .await
                .refused(Code::NotRegistered);
        }
        room.get(user, "/nothing")
            .await
            .refused(Code::NotRegistered);
    }
}

#[tokio::test]
async fn one_who_looks_on_sees_the_room_but_nothing_made_of_the_data() {
    let room = TestRoom::open(DECLARED);
    room.train(&[("Alice", &alice()), ("Bob", &bob())]).await;
    room.upload("Zoe", &alice()).await.refused(Code::Forbidden);
    room.ask("Zoe", "POST", "/withdraw_confirmation")
        .await
        .refused(Code::Forbidden);
    for path in ["/confirm_data", "/samples", "/columns", "/model", "/report"] {
        room.get("Zoe", path).await.refused(Code::Forbidden);
    }
    for path in [
        "/formats",
        "/details",
        "/model_status",
        "/status",
        "/events",
        "/agreement",
        "/receipt",
        "/healthz",
        "/openapi.json",
    ] {
        room.get("Zoe", path).await.ok();
    }
}

#[tokio::test]
async fn headers_from_outside_do_not_say_who_asks() {
    let room = TestRoom::open(DECLARED);
    let request = Request::get("/columns")
        .header("x-oblv-user-name", "Alice")
        .header("x-synclave-user-name", "Alice")
        .body(Body::empty())
        .unwrap();
    Answer::read(room.send("Zoe", request).await)
        .await
        .refused(Code::Forbidden);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let room = TestRoom::open(DECLARED);
    for path in [
        "/",
        "/nothing",
        "/samples/",
        "/Samples",
        "//samples",
        "/samples%2F",
        "/../agreement",
    ] {
        room.get("Alice", path).await.refused(Code::NotFound);
    }
    for (method, path, allow) in [
        ("GET", "/upload_data", "POST"),
        ("PUT", "/confirm_data", "GET, POST"),
        ("POST", "/details", "GET"),
        ("HEAD", "/details", "GET"),
        ("OPTIONS", "/samples", "GET"),
        ("DELETE", "/agreement", "GET"),
    ] {
        let answer = room.ask("Alice", method, path).await;
        assert_eq!(answer.headers["allow"], allow);
        if method != "HEAD" {
            answer.refused(Code::MethodNotAllowed);
        }
    }
}

#[tokio::test]
async fn unknown_parameters_are_refused_on_every_path() {
    let room = TestRoom::open(DECLARED);
    room.train(&[("Alice", &alice()), ("Bob", &bob())]).await;
    for endpoint in Endpoint::ALL {
        for method in endpoint.methods() {
            let path = format!("{}?colour=red", endpoint.path());
            room.ask("Alice", method, &path)
                .await
                .refused(Code::UnknownParameter);
        }
    }
}

#[tokio::test]
async fn errors_are_told_by_path_and_code_alone() {
    let room = TestRoom::open(DECLARED);
    room.get("Alice", "/samples?secret=1")
        .await
        .refused(Code::UnknownParameter);
    room.get("Alice", "/secret").await.refused(Code::NotFound);
    assert_eq!(
        room.events(),
        [
            RoomEvent::Refused {
                path: Some(Endpoint::Samples),
                code: Some(Code::UnknownParameter)
            },
            RoomEvent::Refused {
                path: None,
                code: Some(Code::NotFound)
            },
        ]
    );
}

#[tokio::test]
async fn replies_stay_out_of_caches() {
    let room = TestRoom::open(DECLARED);
    for path in ["/details", "/nothing"] {
        let answer = room.get("Alice", path).await;
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }
}

#[tokio::test]
async fn too_many_downloads_at_once_are_refused_and_others_are_not_hindered() {
    let room = TestRoom::open(DECLARED);
    room.train(&[("Alice", &alice()), ("Bob", &bob())]).await;
    let request = || {
        Request::get("/samples?num_samples=1000000")
            .body(Body::empty())
            .unwrap()
    };
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(room.send("Alice", request()).await);
    }
    Answer::read(room.send("Alice", request()).await)
        .await
        .refused(Code::TooManyRequests);
    room.get("Bob", "/samples?num_samples=1").await.ok();
    open.clear();
    // A place comes free when the thread that wrote has noticed that nobody reads on.
    let mut answer = room.get("Alice", "/samples?num_samples=1").await;
    for _ in 0..200 {
        if answer.status != 429 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        answer = room.get("Alice", "/samples?num_samples=1").await;
    }
    answer.ok();
}
