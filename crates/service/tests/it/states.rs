//! The life of a room: each state, each way from one to the next, and no way round.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use protocol::{Code, Phase, Status};
use service::RoomEvent;

use crate::test_room::{DECLARED, FOUR_LINES, TestRoom, agreement, alice, bob};

async fn words(room: &TestRoom) -> String {
    room.get("Zoe", "/model_status").await.json()
}

#[tokio::test]
async fn a_room_goes_from_awaiting_data_to_trained() {
    let room = TestRoom::open(DECLARED);
    assert_eq!(words(&room).await, "Model status: awaiting data");
    room.upload("Alice", &alice()).await.ok();
    assert_eq!(words(&room).await, "Model status: awaiting data");
    room.upload("Bob", &bob()).await.ok();
    assert_eq!(words(&room).await, "Model status: awaiting confirmation");
    assert_eq!(
        room.confirm("Alice").await.value(),
        serde_json::json!({"message": "Data confirmed"})
    );
    assert_eq!(words(&room).await, "Model status: awaiting confirmation");
    room.ask("Bob", "POST", "/confirm_data").await.ok();
    assert_eq!(room.finished().await, Phase::Trained);
    assert_eq!(words(&room).await, "Model status: trained");
    let parties: Vec<_> = room
        .events()
        .into_iter()
        .filter(|event| *event != RoomEvent::TrainingFinished)
        .collect();
    assert_eq!(
        parties,
        [
            RoomEvent::UploadAccepted { party: 0 },
            RoomEvent::UploadAccepted { party: 1 },
            RoomEvent::Confirmed { party: 0 },
            RoomEvent::Confirmed { party: 1 },
            RoomEvent::TrainingStarted,
        ]
    );
}

#[tokio::test]
async fn the_status_says_who_is_awaited_and_to_each_party_its_own_commitment() {
    let room = TestRoom::open(DECLARED);
    let reply: protocol::UploadReply = room.upload("Alice", &alice()).await.json();
    let status: Status = room.get("Alice", "/status").await.json();
    assert_eq!(status.status, Phase::AwaitingData);
    let parties: Vec<_> = status
        .parties
        .iter()
        .map(|party| (party.name.as_str(), party.uploaded, party.confirmed))
        .collect();
    assert_eq!(parties, [("Alice", true, false), ("Bob", false, false)]);
    assert_eq!(
        status.you.unwrap().commitment,
        Some(reply.commitment.clone())
    );

    let theirs = room.get("Bob", "/status").await.ok();
    assert!(!theirs.contains(&reply.commitment.salt.to_string()));
    let theirs: Status = serde_json::from_str(&theirs).unwrap();
    let shown = [Some(reply.commitment.digest), None];
    assert_eq!(commitments(&theirs), shown);
    let onlooker: Status = room.get("Zoe", "/status").await.json();
    assert_eq!(onlooker.you, None);
}

fn commitments(status: &Status) -> Vec<Option<protocol::Digest>> {
    status
        .parties
        .iter()
        .map(|party| party.commitment)
        .collect()
}

/// The request that confirms what `/status` shows to this user now.
async fn confirm_what_is_seen(room: &TestRoom, user: &str) -> String {
    let status: Status = room.get(user, "/status").await.json();
    let seen = status.parties.iter().filter_map(|party| {
        let digest = party.commitment?;
        Some(format!("{}:{digest}", party.name))
    });
    format!(
        "/confirm_data?commitments={}",
        seen.collect::<Vec<_>>().join(",")
    )
}

#[tokio::test]
async fn a_confirmation_can_be_bound_to_what_the_others_have_uploaded() {
    let room = TestRoom::open(DECLARED);
    room.upload("Alice", &alice()).await.ok();
    let too_early = confirm_what_is_seen(&room, "Alice").await;
    room.get("Alice", &too_early)
        .await
        .refused(Code::BadParameter);

    room.upload("Bob", &bob()).await.ok();
    let first = confirm_what_is_seen(&room, "Alice").await;
    room.upload("Bob", &bob()).await.ok();
    let changed = room
        .get("Alice", &first)
        .await
        .refused(Code::UploadsChanged);
    expect_test::expect![
        "The upload of Bob is not the one with this commitment, or not any more: \
        see /status. Nothing is confirmed."
    ]
    .assert_eq(&changed.detail);
    let second = confirm_what_is_seen(&room, "Alice").await;
    room.ask("Alice", "POST", &second).await.ok();

    // What Alice has confirmed is not what Bob brings now.
    room.upload("Bob", &bob()).await.ok();
    room.confirm("Bob").await.ok();
    assert_eq!(words(&room).await, "Model status: awaiting confirmation");
    assert!(
        room.events()
            .contains(&RoomEvent::ConfirmationLapsed { party: 0 })
    );
    room.get("Alice", &second)
        .await
        .refused(Code::UploadsChanged);
    let third = confirm_what_is_seen(&room, "Alice").await;
    room.get("Alice", &third).await.ok();
    assert_eq!(room.finished().await, Phase::Trained);
    room.get("Alice", &third).await.ok();
    room.get("Alice", &second)
        .await
        .refused(Code::UploadsChanged);
}

#[tokio::test]
async fn naming_ones_own_upload_makes_no_other_confirmation() {
    let room = TestRoom::open(DECLARED);
    room.upload("Alice", &alice()).await.ok();
    room.upload("Bob", &bob()).await.ok();
    let with_own = confirm_what_is_seen(&room, "Alice").await;
    let (_, bobs) = with_own.split_once(',').expect("two uploads");
    let without = format!("/confirm_data?commitments={bobs}");
    for request in [&without, &with_own, &without] {
        room.ask("Alice", "POST", request).await.ok();
    }
    let told = room.events().into_iter();
    let told = told.filter(|event| *event == RoomEvent::Confirmed { party: 0 });
    assert_eq!(told.count(), 1);
    // It is looked at all the same.
    let wrong = format!("{without},{}", bobs.replace("Bob", "Alice"));
    room.ask("Alice", "POST", &wrong)
        .await
        .refused(Code::UploadsChanged);
}

#[tokio::test]
async fn a_confirmation_that_is_not_bound_stands_whatever_the_others_upload() {
    let room = TestRoom::open(DECLARED);
    room.upload("Bob", &bob()).await.ok();
    room.upload("Alice", &alice()).await.ok();
    let first = confirm_what_is_seen(&room, "Alice").await;
    room.confirm("Alice").await.ok();
    room.upload("Bob", &bob()).await.ok();
    let refused = room
        .get("Alice", &first)
        .await
        .refused(Code::UploadsChanged);
    assert!(
        refused
            .detail
            .ends_with("What you confirmed before still stands.")
    );
    // It can be bound later, and is not loosened again.
    let second = confirm_what_is_seen(&room, "Alice").await;
    room.get("Alice", &second).await.ok();
    room.confirm("Alice").await.ok();
    room.upload("Bob", &bob()).await.ok();
    let status: Status = room.get("Zoe", "/status").await.json();
    assert!(!status.parties[0].confirmed);
}

#[tokio::test]
async fn a_confirmation_can_be_withdrawn_until_the_last_one() {
    let room = TestRoom::open(DECLARED);
    let withdraw = async |user: &str| room.ask(user, "POST", "/withdraw_confirmation").await;
    room.upload("Alice", &alice()).await.ok();
    let nothing = withdraw("Alice").await.value();
    assert_eq!(
        nothing["message"],
        "You had not confirmed, so nothing has changed"
    );
    room.confirm("Alice").await.ok();
    let refused = room
        .upload("Alice", &alice())
        .await
        .refused(Code::AlreadyConfirmed);
    assert!(refused.detail.contains("POST /withdraw_confirmation"));
    assert_eq!(
        withdraw("Alice").await.value()["message"],
        "Confirmation withdrawn"
    );
    let status: Status = room.get("Bob", "/status").await.json();
    assert!(!status.parties[0].confirmed && status.parties[0].uploaded);

    room.upload("Bob", &bob()).await.ok();
    room.confirm("Bob").await.ok();
    assert_eq!(words(&room).await, "Model status: awaiting confirmation");
    room.upload("Alice", &alice()).await.ok();
    room.confirm("Alice").await.ok();
    withdraw("Alice").await.refused(Code::TrainingStarted);
    assert_eq!(room.finished().await, Phase::Trained);
    withdraw("Bob").await.refused(Code::TrainingStarted);
    room.get("Alice", "/withdraw_confirmation")
        .await
        .refused(Code::MethodNotAllowed);
    withdraw("Zoe").await.refused(Code::Forbidden);
    let withdrawn = RoomEvent::ConfirmationWithdrawn { party: 0 };
    assert_eq!(
        room.events()
            .iter()
            .filter(|event| **event == withdrawn)
            .count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_withdrawal_beside_the_last_confirm_either_comes_first_or_is_refused() {
    for _ in 0..40 {
        let room = Arc::new(TestRoom::open(DECLARED));
        room.upload("Alice", &alice()).await.ok();
        room.upload("Bob", &bob()).await.ok();
        room.confirm("Alice").await.ok();
        let (last, back) = (Arc::clone(&room), Arc::clone(&room));
        let last = tokio::spawn(async move { last.confirm("Bob").await.ok() });
        let back =
            tokio::spawn(async move { back.ask("Alice", "POST", "/withdraw_confirmation").await });
        last.await.unwrap();
        let back = back.await.unwrap();
        if back.status == 200 {
            let status: Status = room.get("Bob", "/status").await.json();
            assert_eq!(status.status, Phase::AwaitingConfirmation);
            assert!(!room.events().contains(&RoomEvent::TrainingStarted));
        } else {
            back.refused(Code::TrainingStarted);
            assert_eq!(room.finished().await, Phase::Trained);
        }
    }
}

#[tokio::test]
async fn confirming_before_uploading_is_refused() {
    let room = TestRoom::open(DECLARED);
    room.confirm("Alice").await.refused(Code::NothingUploaded);
    room.upload("Alice", &alice()).await.ok();
    room.confirm("Bob").await.refused(Code::NothingUploaded);
    room.confirm("Alice").await.ok();
}

#[tokio::test]
async fn a_table_can_be_replaced_until_it_is_confirmed() {
    let room = TestRoom::open(DECLARED);
    let first: protocol::UploadReply = room
        .upload("Alice", "id,buying,age\n1,low,3\n")
        .await
        .json();
    let second: protocol::UploadReply = room.upload("Alice", &alice()).await.json();
    assert_eq!((first.rows, second.rows), (1, 300));
    assert_ne!(first.commitment.digest, second.commitment.digest);
    room.confirm("Alice").await.ok();
    room.upload("Alice", &alice())
        .await
        .refused(Code::AlreadyConfirmed);
    let status: Status = room.get("Alice", "/status").await.json();
    assert_eq!(status.you.unwrap().commitment, Some(second.commitment));
}

#[tokio::test]
async fn a_second_confirm_changes_nothing_in_any_state() {
    let room = TestRoom::open(DECLARED);
    room.upload("Alice", &alice()).await.ok();
    room.confirm("Alice").await.ok();
    room.confirm("Alice").await.ok();
    assert_eq!(room.train(&[("Bob", &bob())]).await, Phase::Trained);
    room.confirm("Alice").await.ok();
    room.confirm("Bob").await.ok();
    let count = |wanted: &RoomEvent| {
        room.events()
            .iter()
            .filter(|event| *event == wanted)
            .count()
    };
    assert_eq!(count(&RoomEvent::Confirmed { party: 0 }), 1);
    assert_eq!(count(&RoomEvent::TrainingStarted), 1);
    room.upload("Bob", &bob())
        .await
        .refused(Code::AlreadyConfirmed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn training_starts_once_however_many_confirm_at_once() {
    let room = Arc::new(TestRoom::open(DECLARED));
    room.upload("Alice", &alice()).await.ok();
    room.upload("Bob", &bob()).await.ok();
    let confirms: Vec<_> = (0..64)
        .map(|number| {
            let room = Arc::clone(&room);
            tokio::spawn(async move { room.confirm(["Alice", "Bob"][number % 2]).await.ok() })
        })
        .collect();
    for confirm in confirms {
        confirm.await.unwrap();
    }
    assert_eq!(room.finished().await, Phase::Trained);
    for user in ["Alice", "Bob"] {
        room.confirm(user).await.ok();
    }
    let count = |wanted: &RoomEvent| {
        room.events()
            .iter()
            .filter(|event| *event == wanted)
            .count()
    };
    assert_eq!(count(&RoomEvent::TrainingStarted), 1);
    assert_eq!(count(&RoomEvent::TrainingFinished), 1);
}

#[tokio::test]
async fn three_parties_are_joined() {
    let runtime = "method: INDEPENDENT\nepsilon: 5\nparty_names: [Carl, Alice, Bob]\ncolumns:\n  \
        Carl: {town: {categories: [x, y]}}\n  Alice: {buying: {categories: [low, high]}}\n  \
        Bob: {ill: {categories: [yes, no]}}\n";
    let room = TestRoom::open_for(&["Alice", "Bob", "Carl"], runtime);
    let carl: String = (0..300).map(|id| format!("{id},x\n")).collect();
    room.upload("Alice", &alice()).await.ok();
    room.upload("Bob", &bob()).await.ok();
    room.confirm("Alice").await.ok();
    room.confirm("Bob").await.ok();
    assert_eq!(words(&room).await, "Model status: awaiting data");
    assert_eq!(
        room.train(&[("Carl", &format!("id,town\n{carl}"))]).await,
        Phase::Trained
    );
    let csv = room.get("Carl", "/samples?num_samples=2").await.ok();
    assert_eq!(csv.lines().next(), Some("Carl_town,Alice_buying,Bob_ill"));
    room.get("Carl", "/columns?party=theirs")
        .await
        .refused(Code::UnknownParty);
}

#[tokio::test]
async fn undeclared_tables_are_discovered_and_trained_on() {
    let room = TestRoom::open(FOUR_LINES);
    let wide = |values: [&str; 2]| {
        (0..2000)
            .map(|id| format!("{id},{}\n", values[id % 2]))
            .collect::<String>()
    };
    let tables = [
        ("Alice", format!("id,buying\n{}", wide(["low", "high"]))),
        ("Bob", format!("id,ill\n{}", wide(["yes", "no"]))),
    ];
    room.get("Alice", "/columns?party=mine")
        .await
        .refused(Code::NotFitted);
    assert_eq!(
        room.train(&tables.each_ref().map(|(user, csv)| (*user, csv.as_str())))
            .await,
        Phase::Trained
    );
    let columns: protocol::ColumnsReply = room.get("Alice", "/columns?party=theirs").await.json();
    assert_eq!(columns.columns, ["Bob_ill"]);
    assert!(
        columns.rows.iter().flatten().any(|label| label == "yes"),
        "{columns:?}"
    );
}

#[tokio::test]
async fn a_join_without_rows_is_no_failure() {
    let room = TestRoom::open(DECLARED);
    let tables = [
        ("Alice", "id,buying,age\n1,low,3\n"),
        ("Bob", "id,ill\n2,yes\n"),
    ];
    assert_eq!(room.train(&tables).await, Phase::Trained);
    let csv = room.get("Bob", "/samples?num_samples=10").await.ok();
    assert_eq!(csv.lines().count(), 11);
}

#[tokio::test]
async fn a_training_that_fails_says_so_and_nothing_else() {
    // What columns there are is known too late to say that there are more of them than rounds.
    let runtime = "method: AIM\nepsilon: 3\nparty_names: [Alice, Bob]\nparams: {rounds: 2}\n";
    let room = TestRoom::open(runtime);
    assert_eq!(
        room.train(&[("Alice", &alice()), ("Bob", &bob())]).await,
        Phase::Failed
    );
    assert_eq!(words(&room).await, "Model status: failed");
    for path in ["/samples", "/model", "/report", "/receipt"] {
        let problem = room.get("Alice", path).await.refused(Code::TrainingFailed);
        assert_eq!(
            problem.detail,
            "Training ended without a model, and cannot be repeated in this room; open a new one."
        );
    }
    room.confirm("Alice").await.ok();
    room.upload("Alice", &alice())
        .await
        .refused(Code::AlreadyConfirmed);
    assert_eq!(
        room.events()
            .iter()
            .filter(|event| **event == RoomEvent::TrainingStarted)
            .count(),
        1
    );
}

#[tokio::test]
async fn training_goes_on_when_the_one_who_confirmed_goes_away() {
    let room = TestRoom::open(DECLARED);
    room.upload("Alice", &alice()).await.ok();
    room.upload("Bob", &bob()).await.ok();
    room.confirm("Alice").await.ok();
    let request = axum::http::Request::get("/confirm_data")
        .body(axum::body::Body::empty())
        .unwrap();
    drop(room.send("Bob", request).await);
    assert_eq!(room.finished().await, Phase::Trained);
}

#[tokio::test]
async fn a_panic_is_answered_and_spoils_nothing() {
    let panicked = AtomicBool::new(false);
    let events: service::Events = Arc::new(move |event| {
        let first =
            matches!(event, RoomEvent::Confirmed { .. }) && !panicked.swap(true, Ordering::SeqCst);
        assert!(!first, "a message that nobody may see");
    });
    let attest = Arc::new(|data: &[u8]| Ok(data.to_vec()));
    let room = TestRoom::open_with(agreement(&["Alice", "Bob"], DECLARED), events, attest);
    room.upload("Alice", &alice()).await.ok();
    let problem = room.confirm("Alice").await.refused(Code::Internal);
    assert!(
        !problem.detail.contains("nobody may see"),
        "{}",
        problem.detail
    );
    assert_eq!(room.train(&[("Bob", &bob())]).await, Phase::Trained);
}

#[tokio::test]
async fn events_tell_each_status_and_end_with_the_last() {
    let room = TestRoom::open(DECLARED);
    let request = axum::http::Request::get("/events")
        .body(axum::body::Body::empty())
        .unwrap();
    let response = room.send("Zoe", request).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let reading = tokio::spawn(crate::test_room::Answer::read(response));
    assert_eq!(
        room.train(&[("Alice", &alice()), ("Bob", &bob())]).await,
        Phase::Trained
    );
    let body = reading.await.unwrap().ok();
    let statuses: Vec<Status> = body
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|json| serde_json::from_str(json).unwrap())
        .collect();
    assert_eq!(statuses.last().unwrap().status, Phase::Trained);
    assert!(statuses.iter().all(|status| status.you.is_none()));
    assert!(
        statuses
            .iter()
            .rev()
            .skip(1)
            .all(|status| !status.status.is_final())
    );
}
