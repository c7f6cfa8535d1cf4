//! Samples: drawn from the model and written while they are sent.

use std::io::{self, Write};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use protocol::{Code, Problem};
use schema::Condition;
use synthesis::{Impossible, Model};
use tabular::Format;
use tokio::sync::{mpsc, oneshot};

use crate::query::Parameters;
use crate::reply::{Reply, internal};
use crate::room::Room;
use crate::turnstile::LongRequest;

/// Parameters that the path knows.
pub(crate) const PARAMETERS: &[&str] = &["format", "num_samples", "safe", "seed", "where"];
const PIECE_BYTES: usize = 64 << 10;
const PIECES_IN_FLIGHT: usize = 4;

/// The formats, as `/formats` lists them.
pub(crate) const FORMATS: [Format; 3] = Format::ALL;

/// With `where`: how likely a row of the model satisfies it.
const PROBABILITY: HeaderName = HeaderName::from_static("synclave-condition-probability");

/// Answers with rows drawn afresh, or always the same for a `seed`; with `where`, with rows that
/// satisfy it.
pub(crate) async fn stream_samples(room: &Arc<Room>, user: &str, uri: &Uri) -> Reply<Response> {
    let request = SampleRequest::from_uri(uri, room.agreement().limits().max_samples)?;
    let fitted = room.fitted()?;
    let wanted = request.of(&fitted.model)?;
    let place = Arc::new(room.turnstile.enter(user, LongRequest::Samples)?);
    let (response, rows) = wanted.stream(Arc::clone(&fitted.model), place).await?;
    room.note_samples(user, rows);
    Ok(response)
}

/// What a request for samples asks for, before its condition is read.
pub(crate) struct SampleRequest {
    format: Format,
    rows: Option<u64>,
    max_rows: u64,
    seed: Option<u64>,
    condition: Option<String>,
}

impl SampleRequest {
    /// Reads the query, of which at most `max_rows` rows may be asked for.
    pub(crate) fn from_uri(uri: &Uri, max_rows: u64) -> Result<Self, Problem> {
        let parameters = Parameters::from_query(uri, PARAMETERS)?;
        let format = format_named(parameters.get("format").unwrap_or(Format::Csv.name()))?;
        Ok(Self {
            format: made_safe(format, parameters.get("safe"))?,
            rows: parameters.number("num_samples", 1, max_rows)?,
            max_rows,
            seed: parameters.number("seed", 0, u64::MAX)?,
            condition: parameters.get("where").map(str::to_owned),
        })
    }

    /// Reads the condition by the columns of the model.
    pub(crate) fn of(self, model: &Model) -> Result<Wanted, Problem> {
        if let Some(rows) = self.rows {
            let short =
                |error| Problem::new(Code::BadParameter, format!("`num_samples`: {error}."));
            model.schema().check_rows(rows).map_err(short)?;
        }
        let condition = self.condition.as_deref();
        let condition = condition.map(|text| Condition::parse(text, model.schema()));
        Ok(Wanted {
            condition: condition.transpose().map_err(bad_condition)?,
            format: self.format,
            rows: self.rows,
            max_rows: self.max_rows,
            seed: self.seed,
        })
    }
}

/// The sentence goes to the person who wrote the condition.
fn bad_condition(error: impl std::fmt::Display) -> Problem {
    let sentence = format!("`where`: {error}");
    let end = if sentence.ends_with('?') { "" } else { "." };
    Problem::new(Code::BadParameter, sentence + end)
}

fn format_named(name: &str) -> Result<Format, Problem> {
    FORMATS
        .into_iter()
        .find(|format| format.name() == name)
        .ok_or_else(|| {
            let detail = format!(
                "`format` must be one of {}.",
                FORMATS.map(Format::name).join(", ")
            );
            Problem::new(Code::UnknownFormat, detail)
        })
}

/// For whom the rows are to be safe: by default for nobody in particular, as programs are to read
/// back what was declared.
fn made_safe(format: Format, safe: Option<&str>) -> Result<Format, Problem> {
    let problem = |detail: &str| Problem::new(Code::BadParameter, detail);
    match safe {
        None => Ok(format),
        Some("spreadsheet") => format.spreadsheet_safe().ok_or_else(|| {
            problem(
                "`safe=spreadsheet` is for CSV; no spreadsheet takes a text in JSON for a formula.",
            )
        }),
        Some(_) => Err(problem("`safe` must be `spreadsheet`, or left out.")),
    }
}

/// What was asked for.
pub(crate) struct Wanted {
    format: Format,
    rows: Option<u64>,
    max_rows: u64,
    seed: Option<u64>,
    condition: Option<Condition>,
}

/// What is known of the rows before the first of them.
struct Opening {
    rows: u64,
    probability: Option<f64>,
}

impl Wanted {
    /// Streams the rows, and tells how many there are. `place` is held until the last is written:
    /// the reader may be gone long before the writing thread notices.
    pub(crate) async fn stream(
        self,
        model: Arc<Model>,
        place: impl Clone + Send + 'static,
    ) -> Reply<(Response, u64)> {
        let format = self.format;
        let writing = place.clone();
        let (pieces, receiver) = mpsc::channel(PIECES_IN_FLIGHT);
        let (opening, opened) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            let mut out = Outgoing {
                pieces,
                piece: Vec::with_capacity(PIECE_BYTES),
            };
            // When the other side has gone away there is nobody to tell.
            if self
                .write(&model, opening, &mut out)
                .and_then(|()| out.flush())
                .is_ok()
            {
                drop(out.pieces.blocking_send(Piece::End));
            }
            drop(writing);
        });
        let Opening { rows, probability } = opened
            .await
            .map_err(|_| internal())?
            .map_err(bad_condition)?;
        let body = stream::unfold(Some((receiver, place)), |state| async {
            let (mut receiver, place) = state?;
            match receiver.recv().await {
                Some(Piece::Bytes(piece)) => Some((Ok(piece), Some((receiver, place)))),
                Some(Piece::End) => None,
                // A body that lacks its end must not look complete.
                None => Some((Err(io::Error::from(io::ErrorKind::BrokenPipe)), None)),
            }
        });
        let mut response = (headers(format), Body::from_stream(body)).into_response();
        if let Some(probability) = probability {
            let value = HeaderValue::try_from(probability.to_string()).map_err(|_| internal())?;
            response.headers_mut().insert(PROBABILITY, value);
        }
        Ok((response, rows))
    }

    /// Tells what will come, or that nothing can, and then writes the rows.
    fn write(
        &self,
        model: &Model,
        opening: oneshot::Sender<Result<Opening, Impossible>>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let tell = |opened| {
            opening
                .send(opened)
                .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
        };
        let Some(condition) = &self.condition else {
            let rows = self.rows_or(model.default_rows());
            let probability = None;
            tell(Ok(Opening { rows, probability }))?;
            let mut samples = model.sample(rows, self.seed);
            return samples.write(self.format, out, &mut |_| ());
        };
        let given = match model.given(condition) {
            Ok(given) => given,
            Err(impossible) => return tell(Err(impossible)),
        };
        let rows = self.rows_or(given.default_rows());
        let probability = Some(given.probability());
        tell(Ok(Opening { rows, probability }))?;
        let mut samples = given.sample(rows, self.seed);
        samples.write(self.format, out, &mut |_| ())
    }

    fn rows_or(&self, default: u64) -> u64 {
        self.rows.unwrap_or(default.min(self.max_rows))
    }
}

fn headers(format: Format) -> [(HeaderName, &'static str); 2] {
    let (content_type, attachment) = match format {
        Format::Csv | Format::SpreadsheetCsv => (
            "text/csv; charset=utf-8",
            "attachment; filename=synthetic_data.csv",
        ),
        Format::Json => (
            "application/json",
            "attachment; filename=synthetic_data.json",
        ),
        Format::JsonLines => (
            "application/x-ndjson",
            "attachment; filename=synthetic_data.jsonl",
        ),
    };
    [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_DISPOSITION, attachment),
    ]
}

enum Piece {
    Bytes(Bytes),
    End,
}

/// Gathers what is written into pieces for the network.
struct Outgoing {
    pieces: mpsc::Sender<Piece>,
    piece: Vec<u8>,
}

impl Write for Outgoing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES));
        self.pieces
            .blocking_send(Piece::Bytes(piece.into()))
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
