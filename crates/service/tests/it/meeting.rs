//! Ids that meet or do not: what their owners are told, and what a room does when too few do.

use std::time::Duration;

use expect_test::{Expect, expect};
use protocol::{
    Agreement, Code, Details, Phase, Receipt, RowTests, SignedReceipt, Status, UploadReply,
};
use service::{CheckedAgreement, RoomEvent};

use crate::test_room::{DECLARED, TestRoom, alice, bob, service_yaml};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Bob's table under ids that Alice does not have.
fn strange_bob() -> String {
    let rows = (100..400).map(|id| format!("P{id},{}\n", ["yes", "no"][id % 2]));
    format!("id,ill\n{}", rows.collect::<String>())
}

fn tested(minimum_rows: u32) -> String {
    format!("{DECLARED}minimum_rows: {minimum_rows}\n")
}

async fn status(room: &TestRoom, user: &str) -> Status {
    room.get(user, "/status").await.json()
}

/// Uploads and confirms both tables, and waits until this many tests were made.
async fn try_to_train(room: &TestRoom, bob: &str, made: u32) -> Status {
    for (user, csv) in [("Alice", alice().as_str()), ("Bob", bob)] {
        room.upload(user, csv).await.ok();
        room.confirm(user).await.ok();
    }
    let mut watch = room.room.watch();
    let tested = |status: &Status| status.row_tests.as_ref().is_some_and(|it| it.made == made);
    let waiting = tokio::time::timeout(Duration::from_secs(60), watch.wait_for(tested));
    let status = waiting.await.expect("a test ends within a minute");
    status.expect("the room is there").clone()
}

/// The test platform's document is the user data itself.
async fn receipt(room: &TestRoom) -> Receipt {
    let signed: SignedReceipt = room.get("Zoe", "/receipt").await.json();
    let document = signed.evidence().expect("base64");
    let checked = signed.check(&document).expect("a true receipt");
    checked.receipt().clone()
}

#[tokio::test]
async fn an_owner_is_told_what_its_ids_look_like_and_nobody_else_is() {
    let room = TestRoom::open(DECLARED);
    let reply: UploadReply = room.upload("Alice", &alice()).await.json();
    expect!["300 different ids: 1 to 3 characters, all digits, none padded with zeros"]
        .assert_eq(&reply.ids.in_words);
    assert_eq!((reply.ids.distinct, reply.ids.written.digits), (300, 300));
    let padded = "id,buying,age\n0007,low,3\n 0012,high,4\nA b,low,5\n";
    let reply: UploadReply = room.upload("Alice", padded).await.json();
    expect![
        "3 different ids: 3 to 4 characters, 2 of digits alone, 0 of letters alone, 2 padded with \
         zeros, 1 with spaces around them, 1 with spaces in them (of 3 rows)"
    ]
    .assert_eq(&reply.ids.in_words);
    for user in ["Alice", "Bob", "Zoe"] {
        let told = room.get(user, "/status").await.ok();
        assert!(!told.contains("padded"), "{told}");
    }
}

#[tokio::test]
async fn where_too_few_rows_meet_nothing_is_trained_and_the_parties_try_again() {
    let room = TestRoom::open(&tested(100));
    let failed = try_to_train(&room, &strange_bob(), 1).await;
    assert_eq!(failed.status, Phase::AwaitingData);
    let of_parties = |party: &protocol::PartyStatus| (party.uploaded, party.confirmed);
    let parties: Vec<_> = failed.parties.iter().map(of_parties).collect();
    assert_eq!(parties, [(false, false); 2]);

    // All are told the same, and what it has cost.
    let tests = failed.row_tests.clone().expect("the agreement asks for it");
    assert_eq!((tests.minimum_rows, tests.made, tests.left), (100, 1, 2));
    expect![
        "Adding or removing everything about one id multiplies the probability of any outcome by \
         at most e^0.2864, give or take 1e-9 (epsilon 0.2864, delta 1e-9)."
    ]
    .assert_eq(tests.guarantee.as_deref().unwrap_or_default());
    for user in ["Alice", "Bob", "Zoe"] {
        let told = status(&room, user).await;
        assert_eq!(told.row_tests, failed.row_tests);
        assert_eq!(told.you.and_then(|you| you.rows), None);
        assert_eq!(
            room.get(user, "/model_status").await.value(),
            "Model status: awaiting data (in test 1 of 3 fewer rows met than minimum_rows; upload \
             again)"
        );
    }
    let detail = room.get("Bob", "/samples").await.refused(Code::NotFitted);
    expect![
        "There is no model yet: fewer rows met than the agreement's minimum_rows (100) in test 1 \
         of 3. Compare what your ids look like, then upload and confirm again."
    ]
    .assert_eq(&detail.detail);
    room.confirm("Alice").await.refused(Code::NothingUploaded);

    let trained = try_to_train(&room, &bob(), 2).await;
    assert_eq!(trained.status, Phase::Trained);
    let told = status(&room, "Alice").await.you.expect("she brings data");
    assert_eq!(told.rows, Some(300));
    let joined = told.joined.expect("there is a model");
    expect!["about 194 of your 300 rows met (95 %: 186 to 202)"].assert_eq(&joined.in_words);
    assert!((joined.between[0]..=joined.between[1]).contains(&200));
    assert_eq!(status(&room, "Zoe").await.you, None);

    // Both tests and the model are paid from one ledger.
    let ledger = receipt(&room).await.ledger;
    assert_eq!(ledger.check(), Ok(()));
    let entries: Vec<_> = ledger.entries().iter().map(|entry| entry.label()).collect();
    assert_eq!(
        entries[..2],
        [
            "whether enough rows met, test 1 of 3",
            "whether enough rows met, test 2 of 3"
        ]
    );
    assert_eq!(entries.len(), 2 + 3);
    assert_eq!(ledger.spent(), ledger.total());
    let details: Details = room.get("Alice", "/details").await.json();
    let test = details.minimum_rows.expect("it was agreed");
    for entry in &ledger.entries()[..2] {
        assert_eq!(entry.rho().get() / ledger.total().get(), test.share);
    }
    let told: Vec<_> = room.events().into_iter().collect();
    let count = |wanted: &RoomEvent| told.iter().filter(|event| *event == wanted).count();
    assert_eq!(count(&RoomEvent::TrainingStarted), 2);
    assert_eq!(count(&RoomEvent::TooFewRows { tests_left: 2 }), 1);
    assert_eq!(count(&RoomEvent::TrainingFinished), 1);
    assert_eq!(count(&RoomEvent::TrainingFailed), 0);
}

#[tokio::test]
async fn after_the_third_test_the_room_has_failed_for_good() {
    let room = TestRoom::open(&tested(150));
    for made in 1..=3 {
        let failed = try_to_train(&room, &strange_bob(), made).await;
        let expected = match made {
            3 => Phase::Failed,
            _ => Phase::AwaitingData,
        };
        assert_eq!((failed.status, failed.progress), (expected, None));
    }
    assert_eq!(
        room.get("Zoe", "/model_status").await.value(),
        "Model status: failed (in 3 tests fewer rows met than minimum_rows)"
    );
    for path in ["/samples", "/model", "/report", "/receipt"] {
        let problem = room.get("Alice", path).await.refused(Code::TrainingFailed);
        expect![
            "Fewer rows met than the agreement's minimum_rows (150) by each of 3 tests, so nothing \
             is trained in this room; compare what your ids look like, and open a new one."
        ]
        .assert_eq(&problem.detail);
    }
    room.upload("Alice", &alice())
        .await
        .refused(Code::AlreadyConfirmed);
    let left: Vec<u32> = room
        .events()
        .iter()
        .filter_map(|event| match event {
            RoomEvent::TooFewRows { tests_left } => Some(*tests_left),
            _ => None,
        })
        .collect();
    assert_eq!(left, [2, 1, 0]);
}

#[tokio::test]
async fn tests_that_are_not_needed_leave_their_budget_to_the_model() {
    let room = TestRoom::open(&tested(100));
    let trained = try_to_train(&room, &bob(), 1).await;
    assert_eq!(trained.status, Phase::Trained);
    let tests = RowTests {
        minimum_rows: 100,
        made: 1,
        left: 2,
        guarantee: None,
    };
    assert_eq!(trained.row_tests, Some(tests));
    let ledger = receipt(&room).await.ledger;
    assert_eq!(ledger.entries().len(), 1 + 3);
    assert_eq!(ledger.spent(), ledger.total());
}

#[tokio::test]
async fn a_room_that_waits_in_vain_after_a_test_expires() {
    let room = TestRoom::open(&tested(100));
    try_to_train(&room, &strange_bob(), 1).await;
    room.look().await;
    room.pass(8 * DAY).await;
    room.look().await;
    assert_eq!(status(&room, "Zoe").await.status, Phase::Expired);
}

#[tokio::test]
async fn ids_that_are_written_differently_meet_where_the_agreement_normalises_them() {
    let padded = (100..400).map(|id| format!("\u{a0}000{id},{}\n", ["yes", "no"][id % 2]));
    let padded = format!("id,ill\n{}", padded.collect::<String>());
    let runtime = format!("{DECLARED}id_normalise: [strip_leading_zeros, trim]\n");
    let room = TestRoom::open(&runtime);
    let reply: UploadReply = room.upload("Bob", &padded).await.json();
    expect![
        "300 different ids: 7 characters each, none of digits or letters alone, none padded with \
         zeros, all with spaces around them (of 300 rows); compared as 3 characters each, all \
         digits, none padded with zeros"
    ]
    .assert_eq(&reply.ids.in_words);
    assert_eq!(
        room.train(&[("Alice", &alice()), ("Bob", &padded)]).await,
        Phase::Trained
    );
    let you = status(&room, "Bob").await.you.expect("he brings data");
    let [low, high] = you.joined.expect("there is a model").between;
    assert!((low..=high).contains(&200) && low > 150, "{low} to {high}");
    let details: Details = room.get("Zoe", "/details").await.json();
    assert_eq!(details.id_normalise, ["trim", "strip_leading_zeros"]);

    let room = TestRoom::open(DECLARED);
    room.train(&[("Alice", &alice()), ("Bob", &padded)]).await;
    let you = status(&room, "Bob").await.you.expect("he brings data");
    let joined = you.joined.expect("there is a model");
    expect!["at most 4 of your 300 rows met, with 95 %; noise hides how many"]
        .assert_eq(&joined.in_words);
}

#[tokio::test]
async fn normalised_ids_are_checked_as_they_are_compared() {
    let runtime = format!("{DECLARED}id_normalise: [trim, strip_leading_zeros, lower]\n");
    let room = TestRoom::open(&runtime);
    let empty = "id,ill\n1,yes\n\u{a0}\u{2003},no\n";
    let problem = room.upload("Bob", empty).await;
    expect!["Line 3: the id in column `id` is empty; every row needs one."]
        .assert_eq(&problem.refused(Code::UnreadableTable).detail);
    let repeated = "id,ill\nA7,yes\na7,no\n007,yes\n7,no\n0,no\n";
    let problem = room.upload("Bob", repeated).await;
    expect![
        "2 rows repeat the id of an earlier row (for example `a7` and `7`, after trim, \
         strip_leading_zeros, lower); each id may have one row, unless max_rows_per_id allows more."
    ]
    .assert_eq(&problem.refused(Code::RepeatedIds).detail);
    // The bound on rows is one of normalised ids as well.
    let room = TestRoom::open(&format!("{runtime}max_rows_per_id: 2\n"));
    let reply: UploadReply = room
        .upload("Bob", "id,ill\n7,yes\n07,no\n007,yes\n")
        .await
        .json();
    assert_eq!(reply.ids.distinct, 1);
    assert!(
        reply.warnings[0].starts_with("1 row is left out"),
        "{:?}",
        reply.warnings
    );
}

fn refused(more: &str, expected: Expect) {
    let agreement = Agreement::new(service_yaml(&["Alice", "Bob"]), format!("{DECLARED}{more}"));
    let refusal = CheckedAgreement::parse(agreement.expect("two texts"));
    expected.assert_eq(&refusal.expect_err("must be refused").to_string());
}

#[test]
fn what_cannot_be_agreed_on_ids_and_rows_is_refused_with_what_to_do() {
    refused(
        "id_normalise: [trim, lowercase]\n",
        expect![
            "runtime.yaml: line 10: id_normalise: there is no step `lowercase` for ids, only \
             `trim`, `strip_leading_zeros` and `lower`"
        ],
    );
    refused(
        "id_normalise: [lower, lower]\n",
        expect!["runtime.yaml: line 10: id_normalise: the step `lower` is named twice"],
    );
    refused(
        "minimum_rows: 0\n",
        expect![
            "runtime.yaml: line 10: minimum_rows must be at least 1; leave it out to train on \
             whatever meets"
        ],
    );
    refused(
        "minimum_rows: 5\n",
        expect![
            "runtime.yaml: line 10: a minimum_rows of 5 cannot be tested with an epsilon of 3: so \
             that an empty join hardly ever passes, 3 tests would take more than half of the \
             budget; raise epsilon to 19 at least, or minimum_rows to 27, or leave minimum_rows \
             out"
        ],
    );
    refused(
        "minimum_rows: 1\n",
        expect![
            "runtime.yaml: line 10: a minimum_rows of 1 cannot be tested with an epsilon of 3: so \
             that an empty join hardly ever passes, 3 tests would take more than half of the \
             budget; raise epsilon to 80 at least, or minimum_rows to 27, or leave minimum_rows \
             out"
        ],
    );
    refused(
        "minimum_rows: 11\nlimits: {max_rows: 10}\n",
        expect![
            "runtime.yaml: line 10: minimum_rows is 11, but with these limits the joined table \
             has at most 10 rows"
        ],
    );
    refused(
        "minimum_rows: -3\n",
        expect!["runtime.yaml: line 10: expected a whole number of a sensible size here"],
    );
}

#[test]
fn a_summary_says_what_is_done_to_ids_and_how_rows_are_tested() {
    let runtime = format!("{DECLARED}minimum_rows: 60\nid_normalise: [lower]\n");
    let agreement = Agreement::new(service_yaml(&["Alice", "Bob"]), runtime).unwrap();
    let agreement = CheckedAgreement::parse(agreement).unwrap();
    let summary = service::Summary::new(&agreement);
    assert_eq!(summary.id_normalise, ["lower"]);
    let test = summary.minimum_rows.expect("it was agreed");
    assert_eq!((test.rows, test.tests, test.threshold), (60, 3, 31));
    assert!((0.031..0.033).contains(&test.share), "{test:?}");
    assert!((10.8..10.9).contains(&test.sigma), "{test:?}");
    assert_eq!(summary.warnings, [""; 0]);
}
