//! Uploads, good, bad and broken off. After a bad one the room is as before.

use std::convert::Infallible;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use axum::http::Request;
use expect_test::{Expect, expect};
use futures_util::{StreamExt as _, stream};
use protocol::{Code, Status, UploadReply};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::test_room::{
    Answer, BOUNDARY, DECLARED, FOUR_LINES, TestRoom, alice, form, form_with, upload_request,
};

const FILE: &str = "Content-Disposition: form-data; name=\"file\"";

/// Alice has a good table there; after the bad upload she still has it, and no other.
async fn check(csv: &str, code: Code, expected: Expect) {
    let room = TestRoom::open(DECLARED);
    let good: UploadReply = room.upload("Alice", &alice()).await.json();
    let problem = room.upload("Alice", csv).await.refused(code);
    expected.assert_eq(&problem.detail);
    let status: Status = room.get("Alice", "/status").await.json();
    let you = status.you.expect("Alice is a party");
    assert_eq!(you.commitment, Some(good.commitment));
    room.confirm("Alice").await.ok();
}

#[tokio::test]
async fn the_owner_is_told_what_was_read() {
    let room = TestRoom::open(DECLARED);
    let csv = "id,buying,age,extra\n1,low,3,x\n2,high,200,y\n";
    let reply: UploadReply = room.upload("Alice", csv).await.json();
    assert_eq!(
        (reply.message.as_str(), reply.rows),
        ("Upload completed", 2)
    );
    assert!(!reply.warnings.is_empty());
    let commitment = [&reply.commitment.salt.as_bytes()[..], csv.as_bytes()].concat();
    assert_eq!(
        protocol::Digest::sha384(&commitment),
        reply.commitment.digest
    );
}

#[tokio::test]
async fn repeated_ids_are_taken_in_where_the_agreement_has_a_bound_for_them() {
    let room = TestRoom::open(&format!("{DECLARED}max_rows_per_id: {{Alice: 2}}\n"));
    let csv = "id,buying,age\n1,low,3\n1,low,4\n1,high,5\n2,low,6\n";
    let reply: UploadReply = room.upload("Alice", csv).await.json();
    assert_eq!(reply.rows, 4);
    assert_eq!(
        reply.warnings,
        ["1 row is left out: of each id a random choice of 2 at most takes part"]
    );
}

#[tokio::test]
async fn a_table_that_cannot_be_used_is_refused_and_changes_nothing() {
    check(
        "buying,age\nlow,3\n",
        Code::NoKeyColumn,
        expect![
            "There is no column `id`, by which \
        rows are matched; the columns are `buying` and `age`."
        ],
    )
    .await;
    check(
        "id,buying,age\n1,low,3\n1,low,4\n",
        Code::RepeatedIds,
        expect![
            "1 row repeats the id of an earlier row (for example `1`); each id may have one row, \
             unless max_rows_per_id allows more."
        ],
    )
    .await;
    check(
        "id,buying,age\n1,low\n",
        Code::UnreadableTable,
        expect![
            "Line 2 has 2 fields where the header has 3; is a comma or a quote missing or too many?"
        ],
    )
    .await;
    check(
        "id,buying,age\n1,\"low,3\n",
        Code::UnreadableTable,
        expect![
            "The file ends inside a quoted field of the record that starts on line 2; close \
                 the quote, or was the file cut off?"
        ],
    )
    .await;
    check(
        "id,buying,age\n1,lo\0w,3\n",
        Code::UnreadableTable,
        expect![
            "Line 2, column `buying`: a NUL byte, which no text holds; is the file damaged or \
                 not text at all?"
        ],
    )
    .await;
    check(
        "id,buying,age\n",
        Code::UnreadableTable,
        expect!["The file has column names but no rows."],
    )
    .await;
    check(
        "",
        Code::UnreadableTable,
        expect!["The file is empty; a table begins with a line of column names."],
    )
    .await;
    check(
        "id,buying,age\n1,low,3\n2,hihg,x\n",
        Code::NotUnderstood,
        expect![
            "Column `buying`: 1 of 2 fields are not among the declared categories (first on line \
             3; did you mean `high`?); at most 1 % may be so; column `age`: 1 of 2 fields are not \
             a whole number (first on line 3; list what stands for missing under `missing`, or \
             declare `categories`); at most 1 % may be so."
        ],
    )
    .await;
    check(
        "id,buying\n1,low\n",
        Code::UnreadableTable,
        expect!["Declared but missing: `age`; the columns are `id` and `buying`."],
    )
    .await;
}

#[tokio::test]
async fn limits_of_the_agreement_hold() {
    let limits = "limits: {max_upload_bytes: 2000, max_rows: 50, max_columns: 4}\n";
    let room = TestRoom::open(&format!("{DECLARED}{limits}"));
    let rows = |count: usize| {
        (0..count)
            .map(|id| format!("{id},low,3\n"))
            .collect::<String>()
    };
    room.upload("Alice", &format!("id,buying,age\n{}", rows(51)))
        .await
        .refused(Code::TooLarge);
    room.upload("Alice", "id,buying,age,a,b\n1,low,3,4,5\n")
        .await
        .refused(Code::TooLarge);
    let long = format!("id,buying,age,x\n1,low,3,{}\n", "y".repeat(2000));
    let problem = room.upload("Alice", &long).await.refused(Code::TooLarge);
    assert!(problem.detail.contains("2000 bytes"), "{}", problem.detail);
    room.confirm("Alice").await.refused(Code::NothingUploaded);
    room.upload("Alice", &format!("id,buying,age\n{}", rows(50)))
        .await
        .ok();
}

#[tokio::test]
async fn a_length_beyond_the_limit_is_refused_before_the_body() {
    let room = TestRoom::open(&format!("{DECLARED}limits: {{max_upload_bytes: 2000}}\n"));
    let mut request = upload_request(Body::from_stream(stream::pending::<
        Result<Bytes, Infallible>,
    >()));
    request
        .headers_mut()
        .insert("content-length", 1_000_000.into());
    Answer::read(room.send("Alice", request).await)
        .await
        .refused(Code::TooLarge);
}

#[tokio::test]
async fn a_table_must_have_the_columns_that_the_workload_names() {
    let room = TestRoom::open(
        "method: AIM\nepsilon: 3\nparty_names: [Alice, Bob]\n\
         workload: [{columns: [Alice_age, Bob_ill]}, {columns: [Alice_buying]}]\ntarget: Bob_ill\n",
    );
    let refused = room.upload("Alice", "id,buying\n1,low\n").await;
    assert!(
        refused
            .body
            .contains("names the column `age`, which this table does not have"),
        "{}",
        refused.body
    );
    refused.refused(Code::UnreadableTable);
    let taken: UploadReply = room
        .upload("Alice", "id,buying,age\n1,low,3\n")
        .await
        .json();
    assert_eq!(taken.rows, 1);
    room.upload("Bob", "id,healthy\n1,no\n")
        .await
        .refused(Code::UnreadableTable);
}

#[tokio::test]
async fn an_upload_broken_off_leaves_the_room_as_before() {
    let whole = form(&alice());
    let end = whole.len();
    let cuts = [0, 10, end / 2, end - BOUNDARY.len() - 8, end - 4];
    for cut in cuts {
        let room = TestRoom::open(DECLARED);
        let good: UploadReply = room
            .upload("Alice", "id,buying,age\n1,low,3\n")
            .await
            .json();
        let part = Bytes::from(whole.clone()).slice(..cut);
        let error = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let broken = stream::iter([Ok(part.clone()), Err(error)]);
        room.upload_body("Alice", Body::from_stream(broken))
            .await
            .refused(Code::UploadIncomplete);
        room.upload_body("Alice", Body::from(part))
            .await
            .refused(Code::UploadIncomplete);
        let status: Status = room.get("Alice", "/status").await.json();
        assert_eq!(
            status.you.unwrap().commitment,
            Some(good.commitment),
            "cut at {cut} of {end}"
        );
    }
}

#[tokio::test]
async fn a_client_that_goes_away_frees_its_place() {
    let room = TestRoom::open(DECLARED);
    let (sender, receiver) = mpsc::channel::<Result<Bytes, Infallible>>(4);
    let body = Body::from_stream(ReceiverStream::new(receiver));
    let mut uploading = Box::pin(room.send("Alice", upload_request(body)));
    let start = form(&alice());
    sender
        .send(Ok(Bytes::from(start).slice(..500)))
        .await
        .unwrap();
    tokio::select! {
        _ = &mut uploading => panic!("the upload cannot be complete"),
        () = tokio::time::sleep(std::time::Duration::from_millis(50)) => {}
    }
    room.upload("Alice", &alice())
        .await
        .refused(Code::UploadInProgress);
    room.confirm("Alice").await.refused(Code::UploadInProgress);
    drop(uploading);
    // The thread that reads notices within moments.
    for _ in 0..100 {
        if room.upload("Alice", &alice()).await.status == 200 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the place was never given back");
}

#[tokio::test]
async fn parties_upload_at_the_same_time() {
    let room = TestRoom::open(DECLARED);
    let (alice, bob) = (alice(), crate::test_room::bob());
    let (first, second) = tokio::join!(room.upload("Alice", &alice), room.upload("Bob", &bob));
    assert_eq!(
        (
            first.json::<UploadReply>().rows,
            second.json::<UploadReply>().rows
        ),
        (300, 300)
    );
}

#[tokio::test]
async fn a_file_in_many_pieces_is_the_same_file() {
    let room = TestRoom::open(DECLARED);
    let body = form(&alice()).into_bytes();
    let pieces: Vec<_> = body
        .chunks(7)
        .map(|piece| Ok::<_, Infallible>(Bytes::copy_from_slice(piece)))
        .collect();
    let body = Body::from_stream(stream::iter(pieces).boxed());
    let reply: UploadReply = room.upload_body("Alice", body).await.json();
    assert_eq!(reply.rows, 300);
    let committed = [&reply.commitment.salt.as_bytes()[..], alice().as_bytes()].concat();
    assert_eq!(
        protocol::Digest::sha384(&committed),
        reply.commitment.digest
    );
}

#[tokio::test]
async fn content_types_and_encodings_that_are_not_read_are_refused() {
    let room = TestRoom::open(DECLARED);
    let upload = |headers: &str| Body::from(form_with(headers, &alice()));
    for kind in ["image/png", "application/zip", "text/html"] {
        let body = upload(&format!("{FILE}\r\nContent-Type: {kind}"));
        room.upload_body("Alice", body)
            .await
            .refused(Code::UnsupportedMediaType);
    }
    for kind in [
        "text/csv; charset=utf-8",
        "application/octet-stream",
        "TEXT/PLAIN",
        "application/vnd.ms-excel",
    ] {
        let body = upload(&format!("{FILE}\r\nContent-Type: {kind}"));
        room.upload_body("Alice", body).await.ok();
    }
    room.upload_body("Alice", upload(FILE)).await.ok();
    for encoding in [
        "Content-Encoding: gzip",
        "Content-Transfer-Encoding: base64",
    ] {
        let body = upload(&format!("{FILE}\r\n{encoding}"));
        room.upload_body("Alice", body)
            .await
            .refused(Code::UnsupportedEncoding);
    }
    let mut encoded = upload_request(Body::from(form(&alice())));
    encoded
        .headers_mut()
        .insert("content-encoding", "gzip".parse().unwrap());
    Answer::read(room.send("Alice", encoded).await)
        .await
        .refused(Code::UnsupportedEncoding);
    let plain = Request::post("/upload_data")
        .header("content-type", "text/csv")
        .body(Body::from(alice()))
        .unwrap();
    Answer::read(room.send("Alice", plain).await)
        .await
        .refused(Code::UnsupportedMediaType);
}

/// A form whose file is not a text.
fn form_of_bytes(headers: &str, file: &[u8]) -> Body {
    let form = form_with(headers, "FILE");
    let parts = form.split_once("FILE");
    let (before, after) = parts.expect("the form has the file once");
    Body::from([before.as_bytes(), file, after.as_bytes()].concat())
}

#[tokio::test]
async fn a_table_is_read_by_what_is_in_it_and_its_owner_is_told_how() {
    let (room, table) = (TestRoom::open(DECLARED), alice());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(table.replace(',', ";").as_bytes()).unwrap();
    let packed = gzip.finish().unwrap();
    let names: Vec<String> = table
        .lines()
        .next()
        .unwrap()
        .split(',')
        .map(str::to_owned)
        .collect();
    let objects = table.lines().skip(1).map(|line| {
        let fields = names.iter().zip(line.split(','));
        let fields = fields.map(|(name, field)| format!("\"{name}\": \"{field}\""));
        format!("{{{}}}\n", fields.collect::<Vec<_>>().join(", "))
    });
    let objects: String = objects.collect();
    for (kind, file, read_as) in [
        (
            "text/csv",
            table.as_bytes(),
            "CSV separated by commas, in UTF-8",
        ),
        (
            "application/gzip",
            &packed[..],
            "CSV separated by semicolons, in UTF-8, compressed with gzip",
        ),
        (
            "application/x-ndjson",
            objects.as_bytes(),
            "JSON, one object after the other, in UTF-8",
        ),
    ] {
        let headers = format!("{FILE}\r\nContent-Type: {kind}");
        let answer = room
            .upload_body("Alice", form_of_bytes(&headers, file))
            .await;
        let reply: UploadReply = answer.json();
        assert_eq!((reply.rows, reply.read_as.as_str()), (300, read_as));
        let committed = [&reply.commitment.salt.as_bytes()[..], file].concat();
        assert_eq!(
            protocol::Digest::sha384(&committed),
            reply.commitment.digest
        );
    }
    let cut_off = form_of_bytes(FILE, &packed[..packed.len() - 12]);
    room.upload_body("Alice", cut_off)
        .await
        .refused(Code::UnreadableTable);
    // Whatever it is called, and though no page of it can be read.
    let parquet = form_of_bytes(FILE, b"PAR1 and no footer");
    let problem = room.upload_body("Alice", parquet).await;
    let problem = problem.refused(Code::UnreadableTable);
    assert!(
        problem.detail.contains("Parquet file cannot be read"),
        "{problem:?}"
    );
    let workbook = form_of_bytes(FILE, b"PK\x03\x04 and so on");
    let problem = room.upload_body("Alice", workbook).await;
    let problem = problem.refused(Code::UnreadableTable);
    assert!(
        problem.detail.contains("save the sheet as CSV or Parquet"),
        "{problem:?}"
    );
}

#[tokio::test]
async fn the_form_has_one_field_and_it_is_the_file() {
    let room = TestRoom::open(DECLARED);
    let other = form_with("Content-Disposition: form-data; name=\"table\"", &alice());
    room.upload_body("Alice", Body::from(other))
        .await
        .refused(Code::MissingFile);
    let empty = format!("--{BOUNDARY}--\r\n");
    room.upload_body("Alice", Body::from(empty))
        .await
        .refused(Code::MissingFile);
    let two = form(&alice()).replacen(&format!("--{BOUNDARY}--\r\n"), &form(&alice()), 1);
    room.upload_body("Alice", Body::from(two))
        .await
        .refused(Code::MissingFile);
    room.confirm("Alice").await.refused(Code::NothingUploaded);
}

#[tokio::test]
async fn a_parquet_file_that_is_none_is_refused() {
    let room = TestRoom::open(FOUR_LINES);
    let parquet = format!("{FILE}\r\nContent-Type: application/vnd.apache.parquet");
    let body = Body::from(form_with(&parquet, &alice()));
    room.upload_body("Alice", body)
        .await
        .refused(Code::UnreadableTable);
    let named = format!("{FILE}; filename=\"T.PARQUET\"\r\nContent-Type: application/octet-stream");
    let body = Body::from(form_with(&named, &alice()));
    room.upload_body("Alice", body)
        .await
        .refused(Code::UnreadableTable);
}

#[tokio::test]
async fn headers_of_a_part_cannot_go_on_for_ever() {
    let room = TestRoom::open(DECLARED);
    let piece = Bytes::from(vec![b'x'; 8 << 10]);
    let start = Bytes::from(format!("--{BOUNDARY}\r\n{FILE}\r\nX-Long: "));
    let endless = stream::once(async { start })
        .chain(stream::repeat(piece))
        .map(Ok::<_, Infallible>);
    room.upload_body("Alice", Body::from_stream(endless))
        .await
        .refused(Code::UploadIncomplete);
}

#[tokio::test]
async fn a_refused_upload_is_heard_to_its_end_but_not_beyond_the_limit() {
    let limit = 1 << 20;
    let room = TestRoom::open(&format!(
        "{DECLARED}limits: {{max_upload_bytes: {limit}}}\n"
    ));
    let sent = Arc::new(AtomicUsize::new(0));
    let send = |pieces: usize| {
        let count = Arc::clone(&sent);
        count.store(0, Ordering::SeqCst);
        let head = format!("--{BOUNDARY}\r\n{FILE}\r\n\r\nname,other\n");
        let row = Bytes::from("a,b\n".repeat(1 << 12));
        let rows = stream::iter(0..pieces).map(move |_| {
            count.fetch_add(row.len(), Ordering::SeqCst);
            row.clone()
        });
        let end = Bytes::from(format!("\r\n--{BOUNDARY}--\r\n"));
        let whole = stream::once(async { Bytes::from(head) })
            .chain(rows)
            .chain(stream::once(async { end }));
        Body::from_stream(whole.map(Ok::<_, Infallible>))
    };
    let modest = send(20);
    room.upload_body("Alice", modest)
        .await
        .refused(Code::NoKeyColumn);
    assert_eq!(sent.load(Ordering::SeqCst), 20 << 14);
    let endless = send(usize::MAX);
    room.upload_body("Alice", endless)
        .await
        .refused(Code::NoKeyColumn);
    assert!(sent.load(Ordering::SeqCst) < 3 * limit);
}

#[tokio::test]
async fn the_owner_alone_is_told_what_others_programs_might_do_with_its_texts() {
    let room = TestRoom::open(FOUR_LINES);
    let csv = "id,note,=x\n1,=cmd,a\n2,@SUM(1),b\n3,\u{202e}evil,-5\n4,-5,c\n";
    let reply: UploadReply = room.upload("Alice", csv).await.json();
    assert_eq!(
        reply.warnings,
        [
            "column `note`: a spreadsheet may take 2 different values for formulas, which begin \
             with `=`, `+`, `-` or `@`; ask for samples that are safe in one",
            "column `note`: 1 different value with control or invisible characters will count as \
             `other`",
            "column `=x`: a spreadsheet may take its name for a formula; rename it, or ask for \
             samples that are safe in one",
        ]
    );
}

#[tokio::test]
async fn a_column_name_that_others_would_not_see_as_it_is_is_refused() {
    check(
        "id,buying,age,a\u{202e}b\n1,low,3,x\n",
        Code::UnreadableTable,
        expect![
            "The name of column 4 cannot be used: it has the character U+202E at position 2, \
                 which changes the direction of writing; remove it."
        ],
    )
    .await;
}
