//! Uploads: a multipart body, streamed through a channel into the reader of tables, which codes it
//! as it comes.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use protocol::{Code, Commitment, IdForm, IdForms, Problem, Salt, UploadReply};
use schema::Schema;
use tabular::{ReadOptions, TableError, Upload, read_parquet_while, read_table as read_streamed};
use tokio::sync::mpsc;

use crate::incoming::{Incoming, Piece, incomplete, too_many_bytes};
use crate::metered::{Meter, metered};
use crate::reply::{Reply, internal};
use crate::room::{Lease, Room};
use crate::seat::UploadedTable;
use crate::state::expired;

/// A Parquet file can only be read once all of it is there, so less of it is taken than of CSV.
const MAX_PARQUET_BYTES: u64 = 512 << 20;

/// What the form may add to the file: boundaries and the headers of the part.
const FRAME: u64 = 64 << 10;

/// What a file is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// CSV or JSON, compressed or not: their first bytes tell.
    Streamed,
    Parquet,
}

/// Takes in the table of this user. Until the body is complete and readable, the room is as before.
pub(crate) async fn receive(
    room: &Arc<Room>,
    user: &str,
    request: Request,
) -> Reply<Json<UploadReply>> {
    let max_bytes = room.agreement().limits().max_upload_bytes;
    // Before anything is read: a body that says it is too long is not worth a byte.
    check_length(request.headers(), max_bytes)?;
    // The lease before the body, so that a second upload is refused at once; its body is still
    // listened to below.
    let lease = check_encoding(request.headers()).and_then(|()| room.begin_upload(user));
    let (parts, body) = request.into_parts();
    let (body, meter) = metered(body, FRAME);
    let mut form = Multipart::from_request(Request::from_parts(parts, body), &())
        .await
        .map_err(|_| not_multipart())?;
    let taken = match lease {
        Ok(lease) => tokio::select! {
            // Biased: where both are ready, expiry wins, as the tables are gone.
            biased;
            // The reader then sees a file without its end, and drops what it has.
            () = room.expired() => Err(expired()),
            taken = take_in(room, lease, &mut form, &meter) => taken,
        },
        Err(problem) => Err(problem),
    };
    if taken
        .as_ref()
        .is_err_and(|problem| problem.code != Code::UploadIncomplete)
    {
        // Most clients look at the reply only when they have sent everything.
        meter.allow(max_bytes);
        while let Ok(Some(_)) = form.next_field().await {}
    }
    Ok(Json(taken?))
}

/// Reads the form and the table in it.
async fn take_in(
    room: &Arc<Room>,
    lease: Lease,
    form: &mut Multipart,
    meter: &Meter,
) -> Result<UploadReply, Problem> {
    let field = form
        .next_field()
        .await
        .map_err(broken_off)?
        .ok_or_else(no_file)?;
    // By name, and the first field: a form's order is the sender's, and a file is not looked for.
    if field.name() != Some("file") {
        return Err(no_file());
    }
    let format = format_of(&field)?;
    // From here on the reader says when it is too much.
    meter.allow(u64::MAX);
    // Salted: without it anyone could try guesses of the file against the commitment in the
    // receipt.
    let mut salt = [0; 32];
    getrandom::fill(&mut salt).map_err(|_| internal())?;
    let salt = Salt::from_bytes(salt);
    let (pieces, incoming) = Incoming::channel(&salt);
    let waiting = Arc::new(());
    let reading = {
        let (room, waiting) = (Arc::clone(room), Arc::downgrade(&waiting));
        // Reading blocks, and coding takes the processor.
        tokio::task::spawn_blocking(move || {
            let wanted = move || waiting.strong_count() > 0;
            read_table(&room, lease, format, salt, incoming, &wanted)
        })
    };
    let ended = match forward(field, &pieces).await {
        Ok(Reader::Listening) => {
            meter.allow(FRAME);
            end(form, &pieces).await
        }
        Ok(Reader::Refused) => Ok(()),
        Err(problem) => Err(problem),
    };
    // Without an end the reader gives up, and the party's seat is free again before the reply is
    // sent.
    // Closed pieces without `End` tell the reader that the file was cut off.
    drop(pieces);
    let read = reading.await.map_err(|_| internal())?;
    // Where the client has gone this future is dropped above, and the reader sees that nobody waits
    // for it.
    drop(waiting);
    ended?;
    read
}

/// A body that says it is too long is not listened to at all.
fn check_length(headers: &HeaderMap, max_bytes: u64) -> Result<(), Problem> {
    // What cannot be read as a number is ignored: the meter counts in any case.
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match length {
        Some(length) if length > max_bytes.saturating_add(FRAME) => Err(too_many_bytes(max_bytes)),
        _ => Ok(()),
    }
}

fn check_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    // A compressed body could stand for any number of bytes (a zip bomb), and would be hashed in
    // another form than the file.
    if headers.contains_key(header::CONTENT_ENCODING) {
        let detail =
            "Encoded bodies are not read; send the file as it is, without Content-Encoding.";
        return Err(Problem::new(Code::UnsupportedEncoding, detail));
    }
    Ok(())
}

fn format_of(field: &Field<'_>) -> Result<Format, Problem> {
    let encoded = |name: &str| {
        let value = field
            .headers()
            .get(name)
            .map(|value| value.as_bytes().to_ascii_lowercase());
        value.is_some_and(|value| {
            // Encodings that change nothing.
            ![&b"binary"[..], b"8bit", b"7bit", b"identity"].contains(&value.as_slice())
        })
    };
    if encoded("content-encoding") || encoded("content-transfer-encoding") {
        let detail = "The file must be sent as it is, without an encoding.";
        return Err(Problem::new(Code::UnsupportedEncoding, detail));
    }
    let kind = field.content_type().map(|kind| {
        kind.split(';')
            .next()
            .unwrap_or(kind)
            .trim()
            .to_ascii_lowercase()
    });
    let named_parquet = field
        .file_name()
        .is_some_and(|name| name.to_ascii_lowercase().ends_with(".parquet"));
    // By the file's name where the browser knows no type for it.
    match kind.as_deref() {
        None | Some("application/octet-stream") if named_parquet => Ok(Format::Parquet),
        Some(
            "application/vnd.apache.parquet" | "application/x-parquet" | "application/parquet",
        ) => Ok(Format::Parquet),
        // Some browsers on Windows take CSV for Excel's.
        None
        | Some(
            "text/csv"
            | "application/csv"
            | "text/plain"
            | "text/tab-separated-values"
            | "application/json"
            | "application/jsonl"
            | "application/x-ndjson"
            | "application/gzip"
            | "application/x-gzip"
            | "application/zstd"
            | "application/octet-stream"
            | "application/vnd.ms-excel",
        ) => Ok(Format::Streamed),
        // Their readers take as much memory as the file asks for.
        Some("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet") => {
            let detail = "Workbooks are not read in a room; save the sheet as CSV or Parquet.";
            Err(Problem::new(Code::UnsupportedMediaType, detail))
        }
        Some(_) => {
            let detail = "The file must be CSV (text/csv), JSON (application/json) or Parquet \
                          (application/vnd.apache.parquet).";
            Err(Problem::new(Code::UnsupportedMediaType, detail))
        }
    }
}

/// Whether the reader still wants more.
enum Reader {
    Listening,
    Refused,
}

/// Passes the file on.
async fn forward(mut field: Field<'_>, pieces: &mpsc::Sender<Piece>) -> Result<Reader, Problem> {
    while let Some(piece) = field.chunk().await.map_err(broken_off)? {
        if pieces.send(Piece::Bytes(piece)).await.is_err() {
            return Ok(Reader::Refused);
        }
    }
    Ok(Reader::Listening)
}

/// Tells the reader that the body was complete, if it was.
async fn end(form: &mut Multipart, pieces: &mpsc::Sender<Piece>) -> Result<(), Problem> {
    // A second field could be a second file, and which of them was meant nobody would know.
    match form.next_field().await.map_err(broken_off)? {
        Some(_) => Err(no_file()),
        None => {
            // The reader may have refused in the meantime; then its problem is the reply.
            drop(pieces.send(Piece::End).await);
            Ok(())
        }
    }
}

/// On a thread that may block: reads, commits, and hands the table to the room.
fn read_table(
    room: &Room,
    lease: Lease,
    format: Format,
    salt: Salt,
    mut incoming: Incoming,
    wanted: &dyn Fn() -> bool,
) -> Result<UploadReply, Problem> {
    let upload = code(room, &lease, format, &mut incoming, wanted)?;
    let commitment = Commitment {
        salt,
        // Over the file's bytes, as sent: the owner can check it with any tool.
        digest: incoming.finish()?,
    };
    let reply = UploadReply {
        message: "Upload completed".to_owned(),
        rows: u64::try_from(upload.rows()).unwrap_or(u64::MAX),
        read_as: upload.read_as().to_string(),
        ids: ids(&upload).ok_or_else(internal)?,
        warnings: [upload.warnings(), &formulas(&lease)].concat(),
        commitment: commitment.clone(),
    };
    // Refused after all where the room has expired meanwhile; the table is then overwritten.
    lease.accept(UploadedTable { upload, commitment })?;
    Ok(reply)
}

/// What the ids look like; `None` for a table without a key, which a room does not read.
fn ids(upload: &Upload) -> Option<IdForms> {
    let form = |form: &tabular::IdForm| IdForm {
        shortest: form.shortest,
        longest: form.longest,
        digits: form.digits,
        letters: form.letters,
        leading_zeros: form.leading_zeros,
        outer_blanks: form.outer_blanks,
        inner_blanks: form.inner_blanks,
    };
    let forms = upload.id_forms()?;
    Some(IdForms {
        distinct: forms.distinct,
        written: form(&forms.written),
        compared: forms.compared.as_ref().map(form),
        in_words: forms.to_string(),
    })
}

/// What of the declared columns a spreadsheet might run. What was found in undeclared ones is among
/// the upload's warnings.
fn formulas(lease: &Lease) -> Vec<String> {
    let declared = lease.schema().into_iter().flat_map(Schema::formulas);
    let warning = |(column, texts): (&str, Vec<&str>)| {
        let texts: Vec<String> = texts.iter().map(|text| format!("`{text}`")).collect();
        format!(
            "column `{column}`: a spreadsheet may take {} for formulas; take samples with \
             `safe=spreadsheet`",
            texts.join(", ")
        )
    };
    declared.map(warning).collect()
}

fn code(
    room: &Room,
    lease: &Lease,
    format: Format,
    incoming: &mut Incoming,
    wanted: &dyn Fn() -> bool,
) -> Result<Upload, Problem> {
    let limits = room.agreement().limits();
    let memory = room.memory().table_bytes();
    // Whatever a browser calls it.
    let format = match incoming.begins_with(b"PAR1")? {
        true => Format::Parquet,
        false => format,
    };
    let max_bytes = match format {
        Format::Streamed => limits.max_upload_bytes,
        // Held whole in memory, which its share of memory has to hold besides the table.
        Format::Parquet => limits.max_upload_bytes.min(MAX_PARQUET_BYTES),
    };
    let limits = tabular::ReadLimits {
        max_bytes,
        max_rows: limits.max_rows,
        max_columns: usize::try_from(limits.max_columns).unwrap_or(usize::MAX),
        max_rows_per_id: lease.max_rows_per_id(),
        max_memory_bytes: memory,
        ..tabular::ReadLimits::default()
    };
    let (key, schema) = (Some(room.agreement().key()), lease.schema());
    let upload = match format {
        Format::Streamed => {
            let options = ReadOptions::default();
            read_streamed(
                incoming,
                &options,
                key,
                schema,
                room.hasher(),
                &limits,
                wanted,
            )
        }
        Format::Parquet => {
            let file = incoming.whole(max_bytes, memory)?;
            // The file is there until the table is whole.
            let limits = tabular::ReadLimits {
                // What is left for codes beside the file itself.
                max_memory_bytes: memory.saturating_sub(file.capacity() as u64),
                ..limits
            };
            let file = Bytes::from_owner(file);
            read_parquet_while(file, key, schema, room.hasher(), &limits, wanted)
        }
    };
    let upload = upload.map_err(|error| refused(&error))?;
    // Before the table is accepted: the room must not train on columns that the agreement does not
    // find.
    check_names(room, lease, &upload)?;
    check_join(room, lease, &upload)?;
    Ok(upload)
}

/// Whether the table has the columns that the agreement's workload and target name. Where columns
/// are declared it has.
fn check_names(room: &Room, lease: &Lease, upload: &Upload) -> Result<(), Problem> {
    let has = |name: &str| upload.column_names().any(|column| column == name);
    match room.agreement().lacks(lease.party(), has) {
        None => Ok(()),
        Some(name) => Err(Problem::new(
            Code::UnreadableTable,
            format!(
                "The agreement's workload or target names the column `{name}`, which this table \
                 does not have."
            ),
        )),
    }
}

/// Whether there will be room for the table and its columns of the joined one, whatever the other
/// parties upload.
fn check_join(room: &Room, lease: &Lease, upload: &Upload) -> Result<(), Problem> {
    // By the party's own table and the agreement alone: what others have uploaded must not decide.
    let (rows, share) = (lease.rows_of_others(), room.memory().party_bytes());
    if upload.joined_bytes(rows) <= share {
        return Ok(());
    }
    Err(Problem::new(
        Code::TooLarge,
        format!(
            "Joined with the other tables, in which one id may have {rows} rows together, this \
             table could take more than the \
             {share} bytes of memory that each party has in this room; leave rows or columns out."
        ),
    ))
}

/// To the owner: tabular's sentences name lines, columns and a few ids of its own table.
fn refused(error: &TableError) -> Problem {
    let code = match error {
        // A client that has gone and one that broke off are one thing: nobody reads the reply.
        TableError::Read(_) | TableError::Unwanted => return incomplete(),
        TableError::NoKey { .. } => Code::NoKeyColumn,
        TableError::RepeatedIds { .. } => Code::RepeatedIds,
        TableError::NotUnderstood { .. } => Code::NotUnderstood,
        TableError::TooManyBytes { .. }
        | TableError::TooManyRows { .. }
        | TableError::TooManyColumns { .. }
        | TableError::TooMuchMemory { .. }
        | TableError::TooMuchUnpacked { .. }
        | TableError::TooManyDistinct { .. } => Code::TooLarge,
        _ => Code::UnreadableTable,
    };
    Problem::new(code, sentence(&error.to_string()))
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string())
        .unwrap_or_default();
    let stop = if text.ends_with(['.', '?', '!']) {
        ""
    } else {
        "."
    };
    format!("{first}{}{stop}", letters.as_str())
}

fn broken_off(_: MultipartError) -> Problem {
    incomplete()
}

fn not_multipart() -> Problem {
    let detail = "The request must be multipart/form-data with a boundary.";
    Problem::new(Code::UnsupportedMediaType, detail)
}

fn no_file() -> Problem {
    Problem::new(
        Code::MissingFile,
        "The form must have one field named `file`, with the table, and no other.",
    )
}
