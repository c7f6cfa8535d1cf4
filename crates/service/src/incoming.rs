//! The bytes of a file between the network and the thread that reads it.

use std::io::{self, Read};

use aws_lc_rs::digest;
use axum::body::Bytes;
use protocol::{Code, Digest, Problem, Salt};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::reply::internal;

/// Pieces between the network and the reader, each at most some tens of KiB: a slow reader slows the sender down.
const PIECES_IN_FLIGHT: usize = 16;

/// From the network to the reader.
pub(crate) enum Piece {
    Bytes(Bytes),
    /// The body was complete. Without this, what came before it is worth nothing.
    End,
}

/// The bytes of the file as they come, hashed on the way.
pub(crate) struct Incoming {
    pieces: mpsc::Receiver<Piece>,
    piece: Bytes,
    complete: bool,
    hash: digest::Context,
}

impl Incoming {
    /// The two ends: one for the network, one for the reader. The commitment will be SHA-384(salt || bytes).
    pub(crate) fn channel(salt: &Salt) -> (mpsc::Sender<Piece>, Self) {
        let (sender, pieces) = mpsc::channel(PIECES_IN_FLIGHT);
        let mut hash = digest::Context::new(&digest::SHA384);
        hash.update(salt.as_bytes());
        (
            sender,
            Incoming {
                pieces,
                piece: Bytes::new(),
                complete: false,
                hash,
            },
        )
    }

    /// Waits until there is a piece or the end.
    fn fill(&mut self) -> io::Result<()> {
        while self.piece.is_empty() && !self.complete {
            match self.pieces.blocking_recv() {
                Some(Piece::Bytes(piece)) => {
                    self.hash.update(&piece);
                    self.piece = piece;
                }
                Some(Piece::End) => self.complete = true,
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        Ok(())
    }

    /// The whole file in memory, in one place that is overwritten when dropped.
    pub(crate) fn whole(&mut self, max_bytes: u64) -> Result<Zeroizing<Vec<u8>>, Problem> {
        let mut pieces = Vec::new();
        let mut length = 0;
        loop {
            self.fill().map_err(|_| incomplete())?;
            if self.complete {
                break;
            }
            length += self.piece.len();
            if u64::try_from(length).unwrap_or(u64::MAX) > max_bytes {
                return Err(too_many_bytes(max_bytes));
            }
            pieces.push(std::mem::take(&mut self.piece));
        }
        let mut file = Zeroizing::new(Vec::with_capacity(length));
        for piece in pieces {
            file.extend_from_slice(&piece);
        }
        Ok(file)
    }

    /// The commitment, once the file was complete.
    pub(crate) fn finish(mut self) -> Result<Digest, Problem> {
        self.fill().map_err(|_| incomplete())?;
        if !self.complete {
            return Err(internal());
        }
        let digest = self.hash.finish();
        Ok(Digest::from_bytes(
            digest.as_ref().try_into().expect("SHA-384 has 48 bytes"),
        ))
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.fill()?;
        let length = self.piece.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.piece.split_to(length));
        Ok(length)
    }
}

pub(crate) fn incomplete() -> Problem {
    let detail =
        "The upload ended before its end, or is not well-formed multipart; nothing of it was kept.";
    Problem::new(Code::UploadIncomplete, detail)
}

pub(crate) fn too_many_bytes(max_bytes: u64) -> Problem {
    Problem::new(
        Code::TooLarge,
        format!("The file is larger than {max_bytes} bytes, the most that may be uploaded."),
    )
}
