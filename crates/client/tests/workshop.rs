//! The workshop's steps, as plain HTTP programs walk through them, with two proxies and one room.

mod parties;

use client::KeyAlgorithm;
use enclave::Platform;
use parties::http::{get, post, upload, wait_for_status};
use parties::{FOUR_LINES, Parties, Serving, tables};
use serde_json::json;

const ROWS: u32 = 1500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_parties_get_joint_synthetic_data_with_the_workshops_keys_and_configuration() {
    let parties = Parties::with_keys(FOUR_LINES, KeyAlgorithm::Rsa2048);
    let room = parties.start(&Platform::simulated().unwrap(), None).await;
    let (alice, bob) = (
        Serving::connect(&room, &parties.alice).await,
        Serving::connect(&room, &parties.bob).await,
    );
    let (alice_csv, bob_csv) = tables(ROWS);

    let details = get(alice.port, "/details").await;
    assert_eq!(details.status, 200);
    let details = details.json();
    assert_eq!(
        (&details["method"], &details["epsilon"]),
        (&json!("MST"), &json!(3.0))
    );
    assert_eq!(
        (&details["params"], &details["party_names"]),
        (&json!({}), &json!(["Alice", "Bob"]))
    );
    assert_eq!(details["room"], room.room().to_string());

    assert_eq!(
        get(alice.port, "/model_status").await.json(),
        "Model status: awaiting data"
    );
    assert_eq!(
        get(alice.port, "/samples?format=csv&num_samples=100")
            .await
            .status,
        400
    );
    assert_eq!(get(bob.port, "/confirm_data").await.status, 409);

    for (party, table) in [(&alice, &alice_csv), (&bob, &bob_csv)] {
        let reply = upload(party.port, table).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let reply = reply.json();
        assert_eq!(
            (&reply["message"], &reply["rows"]),
            (&json!("Upload completed"), &json!(ROWS))
        );
        assert!(reply["warnings"].is_array());
    }
    assert_eq!(
        get(alice.port, "/model_status").await.json(),
        "Model status: awaiting confirmation"
    );
    assert_eq!(
        get(alice.port, "/confirm_data").await.json(),
        json!({ "message": "Data confirmed" })
    );
    assert_eq!(upload(alice.port, &alice_csv).await.status, 409);
    assert_eq!(
        post(bob.port, "/confirm_data").await.json(),
        json!({ "message": "Data confirmed" })
    );
    wait_for_status(bob.port, "trained").await;

    let formats = get(alice.port, "/formats").await.json();
    assert!(
        formats.as_array().unwrap().contains(&json!("csv"))
            && formats.as_array().unwrap().contains(&json!("json"))
    );
    let mine = get(alice.port, "/columns?party=mine").await.json();
    let theirs = get(alice.port, "/columns?party=theirs").await.json();
    assert_eq!(
        (&mine["user"], &mine["columns"]),
        (&json!("Alice"), &json!(["Alice_buying", "Alice_doors"]))
    );
    assert_eq!(
        (&theirs["user"], &theirs["columns"]),
        (&json!("Bob"), &json!(["Bob_value", "Bob_age"]))
    );
    assert!(mine["rows"].is_array() && theirs["rows"].is_array());

    let samples = get(bob.port, "/samples?format=csv&num_samples=100").await;
    assert!(
        samples
            .header("content-disposition")
            .unwrap()
            .contains("synthetic_data.csv"),
        "{}",
        samples.head
    );
    let lines: Vec<&str> = samples.text().lines().collect();
    assert_eq!(
        (lines.len(), lines[0]),
        (101, "Alice_buying,Alice_doors,Bob_value,Bob_age")
    );
    let rows = get(alice.port, "/samples?format=json&num_samples=10")
        .await
        .json();
    assert_eq!(rows.as_array().unwrap().len(), 10);

    assert_eq!(get(bob.port, "/receipt").await.status, 200);
    assert_eq!(get(bob.port, "/no_such_path").await.code(), "not-found");
    alice.end().await;
    bob.end().await;
    room.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_in_both_tables_is_told_to_nobody() {
    const CANARY: &str = "kanarienvogel-7f3a";
    let parties = Parties::new(FOUR_LINES);
    let room = parties.start(&Platform::simulated().unwrap(), None).await;
    let (alice, bob) = (
        Serving::connect(&room, &parties.alice).await,
        Serving::connect(&room, &parties.bob).await,
    );
    let mut told: Vec<String> = Vec::new();

    let (mut alice_csv, mut bob_csv) = tables(1000);
    alice_csv.push_str(&format!("5000,{CANARY},3\n"));
    bob_csv.push_str(&format!("5000,{CANARY},3\n"));
    // What is wrong with these is told, what is in them is not.
    let broken = [
        format!("id,buying\n1,{CANARY}\n2,low,{CANARY}\n"),
        format!("id,buying\n1,\"{CANARY}\n"),
        format!("name,buying\n{CANARY},low\n"),
        format!("id,buying\n1,{CANARY}\0\n"),
        format!("id,buying\n1,low\n1,{CANARY}\n"),
    ];
    for table in &broken {
        let reply = upload(alice.port, table).await;
        assert_eq!(reply.status, 400, "{reply:?}");
        told.push(format!("{reply:?}"));
    }
    for (party, table) in [(&alice, &alice_csv), (&bob, &bob_csv)] {
        let reply = upload(party.port, table).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        told.push(format!("{reply:?}"));
        told.push(format!("{:?}", get(party.port, "/confirm_data").await));
    }
    wait_for_status(alice.port, "trained").await;
    let paths = [
        "/details",
        "/model_status",
        "/status",
        "/columns?party=mine",
        "/columns?party=theirs",
        "/receipt",
        "/report",
        "/model",
        "/agreement",
        "/formats",
        "/samples?format=csv&num_samples=2000",
        "/samples?format=tsv",
        "/openapi.json",
        "/healthz",
    ];
    for path in paths {
        for party in [&alice, &bob] {
            let reply = get(party.port, path).await;
            told.push(format!(
                "{} {} {}",
                path,
                reply.head,
                String::from_utf8_lossy(&reply.body)
            ));
        }
    }
    for party in [alice, bob] {
        told.extend(party.reported.lock().unwrap().clone());
        party.end().await;
    }
    room.shutdown().await;

    let log = serde_json::to_string(&*parties.log.lock().unwrap()).unwrap();
    assert!(log.contains("training_finished"), "the log was kept: {log}");
    told.push(log);
    for file in parties::files_below(parties.folder.path()) {
        told.push(String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned());
    }
    for text in told {
        assert!(!text.contains(CANARY), "{text}");
    }
}
