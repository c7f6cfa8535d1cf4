//! The bytes of a file between the network and the thread that reads it.

use std::io::{self, Read};

use aws_lc_rs::digest;
use axum::body::Bytes;
use protocol::{Code, Digest, Problem, Salt};
use tokio::sync::mpsc;
use zeroize::{Zeroize, Zeroizing};

use crate::reply::internal;

/// Pieces between the network and the reader, each at most some tens of KiB: a slow reader slows
/// the sender down.
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
    /// Bytes of the piece that were handed on.
    taken: usize,
    complete: bool,
    hash: digest::Context,
}

impl Incoming {
    /// The two ends: one for the network, one for the reader. The commitment will be SHA-384(salt
    /// || bytes).
    pub(crate) fn channel(salt: &Salt) -> (mpsc::Sender<Piece>, Self) {
        let (sender, pieces) = mpsc::channel(PIECES_IN_FLIGHT);
        let mut hash = digest::Context::new(&digest::SHA384);
        // Without a secret salt anybody could test a guess of the whole file against the
        // commitment.
        hash.update(salt.as_bytes());
        (
            sender,
            Incoming {
                pieces,
                piece: Bytes::new(),
                taken: 0,
                complete: false,
                hash,
            },
        )
    }

    /// Waits until there is a piece or the end.
    fn fill(&mut self) -> io::Result<()> {
        while self.taken == self.piece.len() && !self.complete {
            wipe(std::mem::take(&mut self.piece));
            self.taken = 0;
            match self.pieces.blocking_recv() {
                Some(Piece::Bytes(piece)) => {
                    self.hash.update(&piece);
                    self.piece = piece;
                }
                Some(Piece::End) => self.complete = true,
                // The sender is gone without an end. Half a file is often a well-formed table, and
                // must not pass for one.
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        Ok(())
    }

    /// Whether the file begins with these bytes; to be asked before any is taken.
    pub(crate) fn begins_with(&mut self, start: &[u8]) -> Result<bool, Problem> {
        self.fill().map_err(|_| incomplete())?;
        // A first piece of a few bytes is joined with those after it.
        while self.piece.len() < start.len() && start.starts_with(&self.piece) && !self.complete {
            let first = std::mem::take(&mut self.piece);
            self.fill().map_err(|_| incomplete())?;
            self.piece = [first, std::mem::take(&mut self.piece)].concat().into();
        }
        Ok(self.piece.starts_with(start))
    }

    /// What is left of the file, in one place in memory that is overwritten when dropped or left
    /// for a larger one. Each piece is let go as soon as it is copied there.
    ///
    /// It and, while it moves, the place it leaves are never larger than `memory` together.
    pub(crate) fn whole(
        &mut self,
        max_bytes: u64,
        memory: u64,
    ) -> Result<Zeroizing<Vec<u8>>, Problem> {
        let mut file = Zeroizing::new(Vec::new());
        loop {
            self.fill().map_err(|_| incomplete())?;
            let rest = &self.piece[self.taken..];
            if rest.is_empty() {
                return Ok(file);
            }
            let length = file.len() + rest.len();
            if u64::try_from(length).unwrap_or(u64::MAX) > max_bytes {
                return Err(too_many_bytes(max_bytes));
            }
            if length > file.capacity() {
                let left = memory.saturating_sub(file.capacity() as u64);
                let left = usize::try_from(left).unwrap_or(usize::MAX);
                if length > left {
                    return Err(too_much_memory(memory));
                }
                let capacity = length.next_power_of_two().min(left);
                // Not `Vec`'s own growth: a reallocation would leave the rows behind in memory that
                // nobody overwrites.
                let mut larger = Zeroizing::new(Vec::with_capacity(capacity));
                larger.extend_from_slice(&file);
                file = larger;
            }
            file.extend_from_slice(rest);
            self.taken = self.piece.len();
        }
    }

    /// The commitment, once the file was complete.
    pub(crate) fn finish(mut self) -> Result<Digest, Problem> {
        // A reader may stop at the last byte, before it has met the end.
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
        let rest = &self.piece[self.taken..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.taken += length;
        Ok(length)
    }
}

/// Overwrites a piece, unless the connection still holds the buffer it is a part of.
fn wipe(piece: Bytes) {
    if let Ok(mut piece) = piece.try_into_mut() {
        piece.as_mut().zeroize();
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

fn too_much_memory(memory: u64) -> Problem {
    Problem::new(
        Code::TooLarge,
        format!(
            "The file takes more than the {memory} bytes of memory that there are for a table in \
             this room; \
             send it as CSV, which need not be held whole, or leave rows or columns out."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: [u8; 32] = [7; 32];

    /// A file that came in these pieces and was complete.
    fn incoming(pieces: &[&'static [u8]]) -> Incoming {
        let (sender, incoming) = Incoming::channel(&Salt::from_bytes(SALT));
        for piece in pieces {
            sender
                .try_send(Piece::Bytes(Bytes::from_static(piece)))
                .unwrap();
        }
        sender.try_send(Piece::End).unwrap();
        incoming
    }

    #[test]
    fn pieces_make_the_whole_file_and_its_commitment() {
        let mut in_memory = incoming(&[b"ab", b"", b"cde", b"f"]);
        assert_eq!(*in_memory.whole(6, 100).unwrap(), b"abcdef");
        let expected = digest::digest(&digest::SHA384, &[&SALT[..], b"abcdef"].concat());
        let expected = Digest::from_bytes(expected.as_ref().try_into().unwrap());
        assert_eq!(in_memory.finish().unwrap(), expected);

        let mut streamed = incoming(&[b"ab", b"", b"cde", b"f"]);
        let (mut bytes, mut two) = (Vec::new(), [0; 2]);
        loop {
            match streamed.read(&mut two).unwrap() {
                0 => break,
                count => bytes.extend_from_slice(&two[..count]),
            }
        }
        assert_eq!(bytes, b"abcdef");
        assert_eq!(streamed.finish().unwrap(), expected);
    }

    #[test]
    fn the_first_bytes_are_known_however_they_come() {
        for pieces in [
            &[b"PAR1 and more".as_slice()] as &[&'static [u8]],
            &[b"P", b"", b"AR", b"1 and more"],
        ] {
            let mut incoming = incoming(pieces);
            assert!(incoming.begins_with(b"PAR1").unwrap());
            assert_eq!(*incoming.whole(100, 1000).unwrap(), b"PAR1 and more");
            let all = digest::digest(&digest::SHA384, &[&SALT[..], b"PAR1 and more"].concat());
            let all = Digest::from_bytes(all.as_ref().try_into().unwrap());
            assert_eq!(incoming.finish().unwrap(), all);
        }
        for pieces in [&[b"PAR".as_slice()] as &[&'static [u8]], &[b"P", b"Q"], &[]] {
            let mut incoming = incoming(pieces);
            assert!(!incoming.begins_with(b"PAR1").unwrap());
            assert_eq!(*incoming.whole(100, 1000).unwrap(), pieces.concat());
        }
    }

    #[test]
    fn a_file_of_too_many_bytes_or_without_its_end_is_refused() {
        let refused = incoming(&[b"abc", b"def"]).whole(5, 100).unwrap_err();
        assert_eq!(refused.code, Code::TooLarge);
        let (sender, mut cut_off) = Incoming::channel(&Salt::from_bytes(SALT));
        sender
            .try_send(Piece::Bytes(Bytes::from_static(b"abc")))
            .unwrap();
        drop(sender);
        assert_eq!(
            cut_off.whole(5, 100).unwrap_err().code,
            Code::UploadIncomplete
        );
    }
}
