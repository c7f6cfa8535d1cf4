//! Samples and what else comes of the model.

use protocol::{Code, Phase};

use crate::test_room::{DECLARED, TestRoom, alice, bob};

async fn trained(runtime: &str) -> TestRoom {
    let room = TestRoom::open(runtime);
    assert_eq!(
        room.train(&[("Alice", &alice()), ("Bob", &bob())]).await,
        Phase::Trained
    );
    room
}

#[tokio::test]
async fn samples_come_as_an_attachment_in_the_workshops_format() {
    let room = trained(DECLARED).await;
    let answer = room
        .get("Alice", "/samples?format=csv&num_samples=100")
        .await;
    assert_eq!(
        answer.headers["content-disposition"],
        "attachment; filename=synthetic_data.csv"
    );
    assert!(
        answer.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/csv")
    );
    let csv = answer.ok();
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("Alice_buying,Alice_age,Bob_ill"));
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 100);
    for row in &rows {
        assert!(
            ["low", "high"].contains(&row[0]) && ["yes", "no"].contains(&row[2]),
            "{row:?}"
        );
        assert!(
            (0..=99).contains(&row[1].parse::<i32>().unwrap()),
            "{row:?}"
        );
    }
}

#[tokio::test]
async fn json_is_a_list_of_objects() {
    let room = trained(DECLARED).await;
    let answer = room.get("Bob", "/samples?format=json&num_samples=3").await;
    assert_eq!(
        answer.headers["content-disposition"],
        "attachment; filename=synthetic_data.json"
    );
    let rows = answer.value();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 3);
    assert!(
        rows.iter()
            .all(|row| row["Alice_age"].is_i64() && row["Bob_ill"].is_string()),
        "{rows:?}"
    );
}

#[tokio::test]
async fn without_a_number_there_are_as_many_rows_as_the_noisy_total_says() {
    let room = trained(DECLARED).await;
    let csv = room.get("Alice", "/samples").await.ok();
    let rows = csv.lines().count() - 1;
    // 200 ids are in both tables.
    assert!((150..250).contains(&rows), "{rows} rows");
}

#[tokio::test]
async fn a_seed_repeats_the_rows_and_without_one_they_differ() {
    let room = trained(DECLARED).await;
    let rows = |path: &'static str| async { room.get("Alice", path).await.ok() };
    let seeded = "/samples?num_samples=50&seed=7";
    assert_eq!(rows(seeded).await, rows(seeded).await);
    assert_ne!(
        rows(seeded).await,
        rows("/samples?num_samples=50&seed=8").await
    );
    assert_ne!(
        rows("/samples?num_samples=50").await,
        rows("/samples?num_samples=50").await
    );
}

#[tokio::test]
async fn requests_for_samples_that_make_no_sense_are_refused() {
    let room = trained(&format!("{DECLARED}limits: {{max_samples: 1000}}\n")).await;
    for number in ["0", "-1", "1001", "many", "1e3", ""] {
        let path = format!("/samples?num_samples={number}");
        let problem = room.get("Alice", &path).await.refused(Code::BadParameter);
        assert_eq!(
            problem.detail,
            "`num_samples` must be a whole number from 1 to 1000."
        );
    }
    room.get("Alice", "/samples?seed=-1")
        .await
        .refused(Code::BadParameter);
    room.get("Alice", "/samples?format=xlsx")
        .await
        .refused(Code::UnknownFormat);
    room.get("Alice", "/samples?num_samples=1&num_samples=2")
        .await
        .refused(Code::BadParameter);
    let unknown = room.get("Alice", "/samples?rows=3").await;
    let problem = unknown.refused(Code::UnknownParameter);
    assert_eq!(
        problem.detail,
        "There is an unknown parameter; known here are format, num_samples, safe, seed, where."
    );
}

#[tokio::test]
async fn every_row_satisfies_what_where_asks_for() {
    let room = trained(DECLARED).await;
    let path =
        "/samples?num_samples=200&seed=3&where=Alice_age%20in%2031..47%20and%20Bob_ill%20%3D%20yes";
    let answer = room.get("Alice", path).await;
    let header = answer.headers["synclave-condition-probability"].clone();
    let probability: f64 = header.to_str().unwrap().parse().unwrap();
    assert!(probability > 0.0 && probability < 1.0, "{probability}");
    let csv = answer.ok();
    let rows: Vec<Vec<&str>> = csv
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect();
    assert_eq!(rows.len(), 200);
    for row in &rows {
        assert!(
            (31..=47).contains(&row[1].parse::<i32>().unwrap()),
            "{row:?}"
        );
        assert_eq!(row[2], "yes");
    }
    assert_eq!(
        csv,
        room.get("Bob", path).await.ok(),
        "a seed repeats the rows"
    );

    let expected = room
        .get("Alice", "/samples?where=Bob_ill%20%3D%20yes")
        .await;
    let header = expected.headers["synclave-condition-probability"].clone();
    let probability: f64 = header.to_str().unwrap().parse().unwrap();
    let rows = expected.ok().lines().count() - 1;
    let whole = room.get("Alice", "/samples").await.ok().lines().count() - 1;
    let share = rows as f64 / whole as f64;
    assert!(
        (share - probability).abs() < 0.02,
        "{share} of the rows, probability {probability}"
    );
}

#[tokio::test]
async fn a_condition_that_makes_no_sense_is_refused_with_its_place() {
    let room = trained(DECLARED).await;
    for (condition, sentence) in [
        (
            "",
            "`where`: the condition is empty: expected a column's name.",
        ),
        (
            "age%20%3E%2030",
            "`where`: in the condition at character 1, `age`: there is no such column; did you \
             mean `Alice_age`?",
        ),
        (
            "Alice_age%20%3E%20120",
            "`where`: in the condition at character 1, `Alice_age > 120`: no value of column \
             `Alice_age` satisfies this; it goes from 0 to 99.",
        ),
    ] {
        let answer = room
            .get("Alice", &format!("/samples?where={condition}"))
            .await;
        assert_eq!(answer.refused(Code::BadParameter).detail, sentence);
    }
}

#[tokio::test]
async fn before_training_nothing_is_there() {
    let room = TestRoom::open(DECLARED);
    room.upload("Alice", &alice()).await.ok();
    for path in ["/samples", "/model", "/report", "/receipt"] {
        room.get("Alice", path).await.refused(Code::NotFitted);
    }
}

#[tokio::test]
async fn the_formats_are_those_that_samples_take() {
    let room = trained(DECLARED).await;
    let formats: Vec<String> = room.get("Zoe", "/formats").await.json();
    assert_eq!(formats, ["csv", "json", "jsonl"]);
    for format in formats {
        room.get("Alice", &format!("/samples?num_samples=1&format={format}"))
            .await
            .ok();
    }
}

#[tokio::test]
async fn the_report_is_a_page_where_that_is_asked_for() {
    let runtime = DECLARED.replace("[low, high]", "[low, \"<script>x</script>\"]");
    let room = TestRoom::open(&runtime);
    let table = alice().replace("high", "<script>x</script>");
    let tables = [("Alice", table.as_str()), ("Bob", &bob())];
    assert_eq!(room.train(&tables).await, Phase::Trained);
    let page = room.get("Bob", "/report?format=html").await;
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    // A party's word that slipped through could still do nothing in the room's own origin.
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("default-src 'none'") && policy.ends_with("sandbox"),
        "{policy}"
    );
    let page = page.ok();
    assert!(
        page.contains("Alice_buying") && page.contains("&lt;script&gt;x"),
        "{page}"
    );
    assert!(!page.contains("<script"), "{page}");
    let json = room.get("Bob", "/report?format=json").await.value();
    assert_eq!(json, room.get("Bob", "/report").await.value());
    assert_eq!(json["columns"][0]["kind"], "categories");
    // What a page draws, with a party's word as it was written: whoever shows it escapes it.
    assert_eq!(json["distributions"][0]["column"], "Alice_buying");
    assert!(json["distributions"][0].to_string().contains("<script>x"));
    room.get("Bob", "/report?format=pdf")
        .await
        .refused(Code::UnknownFormat);
}

#[tokio::test]
async fn the_report_is_json_and_the_model_a_file() {
    let room = trained(DECLARED).await;
    assert!(room.get("Alice", "/report").await.value().is_object());
    let model = room.get("Alice", "/model").await;
    assert_eq!(
        model.headers["content-disposition"],
        "attachment; filename=model.synclave"
    );
    assert_eq!(model.status, 200);
}

#[tokio::test]
async fn a_spreadsheet_gets_formulas_as_texts_only_where_it_is_asked_for() {
    let runtime = DECLARED.replace("[low, high]", "[low, \"=HYPERLINK(1)\"]");
    let room = TestRoom::open(&runtime);
    let table = alice().replace("high", "=HYPERLINK(1)");
    let warnings = room.upload("Alice", &table).await.value()["warnings"].to_string();
    assert!(
        warnings.contains("column `buying`: a spreadsheet may take `=HYPERLINK(1)` for formulas"),
        "{warnings}"
    );
    assert_eq!(
        room.train(&[("Alice", &table), ("Bob", &bob())]).await,
        Phase::Trained
    );
    let path = "/samples?num_samples=50&seed=7";
    let plain = room.get("Alice", path).await.ok();
    assert!(plain.contains("\n=HYPERLINK(1),"), "{plain}");
    let safe = room.get("Alice", &format!("{path}&safe=spreadsheet")).await;
    assert_eq!(
        safe.headers["content-disposition"],
        "attachment; filename=synthetic_data.csv"
    );
    assert_eq!(safe.ok(), plain.replace("\n=", "\n'="));
    let report = room.get("Bob", "/report").await.value();
    assert_eq!(
        report["formulas"],
        serde_json::json!([{"column": "Alice_buying", "texts": ["=HYPERLINK(1)"]}])
    );
    for refused in ["safe=excel", "safe=", "safe=spreadsheet&format=json"] {
        let answer = room.get("Alice", &format!("/samples?{refused}")).await;
        answer.refused(Code::BadParameter);
    }
}

#[tokio::test]
async fn columns_of_identifiers_are_made_anew_for_each_row() {
    let declared = DECLARED
        .replace(
            "    age:",
            "    name: {identifier: {format: 'P-###'}}\n    age:",
        )
        .replace(
            "    ill:",
            "    id: {identifier: {format: '#####'}}\n    ill:",
        );
    let room = TestRoom::open(&declared);
    // The column must be there, and nobody reads it.
    let named = |csv: &str| -> String {
        let named = csv.lines().zip(0..).map(|(line, row)| match row {
            0 => format!("{line},name\n"),
            _ => format!("{line},Secret{row}\n"),
        });
        named.collect()
    };
    let tables = [("Alice", named(&alice())), ("Bob", bob())];
    let tables = tables.each_ref().map(|(user, csv)| (*user, csv.as_str()));
    assert_eq!(room.train(&tables).await, Phase::Trained);
    let answer = room
        .get("Bob", "/samples?format=csv&num_samples=1000&seed=1")
        .await;
    let csv = answer.ok();
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some("Alice_buying,Alice_name,Alice_age,Bob_id,Bob_ill")
    );
    let mut names: Vec<&str> = lines.map(|line| line.split(',').nth(1).unwrap()).collect();
    names.sort_unstable();
    let all: Vec<String> = (0..1000).map(|number| format!("P-{number:03}")).collect();
    assert_eq!(names, all);
    let columns = room.get("Bob", "/columns?party=theirs").await.value();
    assert_eq!(columns["columns"][1], "Alice_name");
    assert_eq!(columns["rows"][0][1], "new identifiers of the form P-###");
    let problem = room
        .get("Bob", "/samples?format=csv&num_samples=1001")
        .await
        .refused(Code::BadParameter);
    assert!(
        problem.detail.starts_with(
            "`num_samples`: there are not 1001 different identifiers of the form `P-###` for the \
             column `Alice_name`, but 1000"
        ),
        "{}",
        problem.detail
    );
}
