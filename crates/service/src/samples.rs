//! Samples: drawn from the model and written while they are sent.

use std::io::{self, Write};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use protocol::{Code, Problem};
use tabular::Format;
use tokio::sync::mpsc;

use crate::query::Parameters;
use crate::reply::Reply;
use crate::room::Room;
use crate::training::Fitted;
use crate::turnstile::Kind;

/// Parameters that the path knows.
pub(crate) const PARAMETERS: &[&str] = &["format", "num_samples", "seed"];
const PIECE_BYTES: usize = 64 << 10;
const PIECES_IN_FLIGHT: usize = 4;

/// The formats, as `/formats` lists them.
pub(crate) const FORMATS: [Format; 2] = Format::ALL;

/// Answers with rows drawn afresh, or always the same for a `seed`.
pub(crate) fn stream_samples(room: &Arc<Room>, user: &str, uri: &Uri) -> Reply<Response> {
    let parameters = Parameters::of(uri, PARAMETERS)?;
    let format = format_named(parameters.get("format").unwrap_or(Format::Csv.name()))?;
    let max_rows = room.agreement().limits().max_samples;
    let rows = parameters.number("num_samples", 1, max_rows)?;
    let seed = parameters.number("seed", 0, u64::MAX)?;
    let fitted = room.fitted()?;
    // Held by the writing thread as well: the reader may be gone long before it notices.
    let place = Arc::new(room.turnstile.enter(user, Kind::Samples)?);
    let writing = Arc::clone(&place);
    let rows = rows.unwrap_or_else(|| fitted.model.default_rows().min(max_rows));
    room.note_samples(user, rows);

    let (pieces, receiver) = mpsc::channel(PIECES_IN_FLIGHT);
    tokio::task::spawn_blocking(move || {
        let mut out = Outgoing {
            pieces,
            piece: Vec::with_capacity(PIECE_BYTES),
        };
        // When the other side has gone away there is nobody to tell.
        if write_samples(&fitted, format, rows, seed, &mut out)
            .and_then(|()| out.flush())
            .is_ok()
        {
            drop(out.pieces.blocking_send(Piece::End));
        }
        drop(writing);
    });
    let body = stream::unfold(Some((receiver, place)), |state| async {
        let (mut receiver, place) = state?;
        match receiver.recv().await {
            Some(Piece::Bytes(piece)) => Some((Ok(piece), Some((receiver, place)))),
            Some(Piece::End) => None,
            // A body that lacks its end must not look complete.
            None => Some((Err(io::Error::from(io::ErrorKind::BrokenPipe)), None)),
        }
    });
    let (content_type, attachment) = match format {
        Format::Csv => (
            "text/csv; charset=utf-8",
            "attachment; filename=synthetic_data.csv",
        ),
        Format::Json => (
            "application/json",
            "attachment; filename=synthetic_data.json",
        ),
    };
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_DISPOSITION, attachment),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
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

/// Writes so many rows.
fn write_samples(
    fitted: &Fitted,
    format: Format,
    rows: u64,
    seed: Option<u64>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut samples = fitted.model.sample(rows, seed);
    match format {
        Format::Csv => samples.write_csv(out),
        Format::Json => samples.write_json(out),
    }
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
