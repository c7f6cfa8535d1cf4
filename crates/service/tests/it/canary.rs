//! A canary in both tables: it must come out nowhere but, where the declared domain holds it, in
//! samples.

use access::Endpoint;
use protocol::Phase;

use crate::test_room::{DECLARED, FOUR_LINES, TestRoom};

const CANARY: &str = "canary-3f9a";

/// Everything that any user can be told, after training, and all events.
async fn all_that_leaves(room: &TestRoom) -> Vec<(String, String)> {
    let mut told = Vec::new();
    for user in ["Alice", "Bob", "Zoe", "Mallory", ""] {
        for endpoint in Endpoint::ALL {
            let queries: &[&str] = match endpoint {
                Endpoint::Columns => &[
                    "",
                    "?party=mine",
                    "?party=theirs",
                    "?party=Alice",
                    "?party=Bob",
                ],
                Endpoint::Samples => &[
                    "?num_samples=500",
                    "?num_samples=500&format=json",
                    "?num_samples=500&format=jsonl",
                ],
                Endpoint::Report => &["", "?format=html"],
                _ => &["", "?unknown"],
            };
            for query in queries {
                for method in ["GET", "POST"] {
                    let path = format!("{}{query}", endpoint.path());
                    let answer = room.ask(user, method, &path).await;
                    told.push((
                        format!("{user} {method} {path}"),
                        format!("{:?}\n{}", answer.headers, answer.body),
                    ));
                }
            }
        }
    }
    for event in room.events() {
        told.push((
            "event".to_owned(),
            format!(
                "{event:?} {}",
                serde_json::to_string(&event).expect("an event has a JSON form")
            ),
        ));
    }
    told
}

fn table(column: &str, values: [&str; 2]) -> String {
    let rows: String = (0..2000)
        .map(|id| format!("{id},{}\n", values[id % 2]))
        .collect();
    format!("id,{column}\n{rows}{CANARY},{CANARY}\n")
}

#[tokio::test]
async fn an_undeclared_value_of_one_id_comes_out_nowhere() {
    let room = TestRoom::open(FOUR_LINES);
    for (user, csv) in [
        ("Alice", table("buying", ["low", "high"])),
        ("Bob", table("ill", ["yes", "no"])),
    ] {
        let reply = room.upload(user, &csv).await.ok();
        assert!(!reply.contains(CANARY), "{reply}");
        room.confirm(user).await.ok();
    }
    assert_eq!(room.finished().await, Phase::Trained);
    for (what, told) in all_that_leaves(&room).await {
        assert!(!told.contains(CANARY), "{what}: {told}");
    }
}

#[tokio::test]
async fn values_outside_the_declared_domain_come_out_nowhere() {
    comes_out_nowhere(DECLARED).await;
}

#[tokio::test]
async fn nor_do_they_with_networks() {
    for method in ["DPCTGAN", "PATECTGAN"] {
        let params = "params: {epochs: 3, batch_size: 32, generator_dim: [8], embedding_dim: 4}";
        let network = format!("method: {method}\n{params}");
        comes_out_nowhere(&DECLARED.replace("method: INDEPENDENT", &network)).await;
    }
}

async fn comes_out_nowhere(runtime: &str) {
    let room = TestRoom::open(runtime);
    // Few enough to be tolerated.
    let rows = |row: &str| {
        (3..300)
            .map(|id| format!("{id},{row}\n"))
            .collect::<String>()
    };
    let (low, yes) = (rows("low,3"), rows("yes,0"));
    let alice = format!("id,buying,age\n{low}2,{CANARY},{CANARY}\n{CANARY},high,7\n");
    let bob = format!("id,ill,{CANARY}x\n{yes}2,{CANARY},{CANARY}\n{CANARY},no,1\n");
    // Bob is told that he has a column of that name which is left out; it is his own file.
    room.upload("Alice", &alice).await.ok();
    room.upload("Bob", &bob).await.ok();
    room.confirm("Alice").await.ok();
    room.confirm("Bob").await.ok();
    assert_eq!(room.finished().await, Phase::Trained);
    for (what, told) in all_that_leaves(&room).await {
        assert!(!told.contains(CANARY), "{what}: {told}");
    }
}

#[tokio::test]
async fn a_declared_category_comes_out_only_where_the_declaration_and_the_model_are_shown() {
    let runtime = DECLARED.replace("[yes, no]", &format!("[yes, {CANARY}]"));
    let room = TestRoom::open(&runtime);
    let bob: String = (0..300)
        .map(|id| format!("{id},{}\n", ["yes", CANARY][id % 2]))
        .collect();
    let tables = [
        ("Alice", crate::test_room::alice()),
        ("Bob", format!("id,ill\n{bob}")),
    ];
    assert_eq!(
        room.train(&tables.each_ref().map(|(user, csv)| (*user, csv.as_str())))
            .await,
        Phase::Trained
    );
    let shown: Vec<String> = all_that_leaves(&room)
        .await
        .into_iter()
        .filter(|(_, told)| told.contains(CANARY))
        .map(|(what, _)| what)
        .collect();
    for what in &shown {
        let public = [
            "/agreement",
            "/details",
            "/columns",
            "/samples",
            "/model",
            "/report",
        ];
        assert!(public.iter().any(|path| what.contains(path)), "{what}");
    }
    assert!(
        shown.iter().any(|what| what.contains("/samples")),
        "the test looks at what it should: {shown:?}"
    );
}

#[tokio::test]
async fn errors_about_a_table_go_to_its_owner_and_quote_at_most_ids() {
    let room = TestRoom::open(DECLARED);
    let bad_tables = [
        format!("id,buying,age\n1,{CANARY}\n"),
        format!("id,buying,age\n1,\"{CANARY},3\n"),
        format!("id,buying,age\n1,{CANARY}\0,3\n"),
        format!("buying,age\n{CANARY},3\n"),
    ];
    for table in &bad_tables {
        let answer = room.upload("Alice", table).await;
        assert!(
            answer.status >= 400 && !answer.body.contains(CANARY),
            "{answer:?}"
        );
    }
    let good = [
        ("Alice", crate::test_room::alice()),
        ("Bob", crate::test_room::bob()),
    ];
    assert_eq!(
        room.train(&good.each_ref().map(|(user, csv)| (*user, csv.as_str())))
            .await,
        Phase::Trained
    );
    for (what, told) in all_that_leaves(&room).await {
        assert!(!told.contains(CANARY), "{what}: {told}");
    }
}
