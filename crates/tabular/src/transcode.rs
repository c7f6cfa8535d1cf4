//! Text in other encodings to UTF-8.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding};
use zeroize::Zeroizing;

use crate::error::TableError;
use crate::read_options::TextEncoding;

/// Bytes of the file that are decoded together, and of the text that comes of them at once.
const RAW: usize = 16 << 10;
const TEXT: usize = 32 << 10;

/// A text in UTF-8 while it is decoded. Bytes that are no text in the encoding are refused: nothing
/// is put in their place.
pub(crate) struct Transcoded<R> {
    input: R,
    encoding: &'static Encoding,
    decoder: Decoder,
    raw: Zeroizing<Vec<u8>>,
    /// The bytes in `raw` that are not decoded yet.
    raw_at: usize,
    raw_end: usize,
    text: Zeroizing<Vec<u8>>,
    text_at: usize,
    text_end: usize,
    /// Line on which the text goes on, from 1.
    line: u64,
    ended: bool,
}

impl<R: Read> Transcoded<R> {
    /// `input` begins after the byte order mark, if there was one.
    pub(crate) fn new(encoding: &'static Encoding, input: R) -> Self {
        Self {
            input,
            encoding,
            decoder: encoding.new_decoder_without_bom_handling(),
            raw: Zeroizing::new(vec![0; RAW]),
            raw_at: 0,
            raw_end: 0,
            text: Zeroizing::new(vec![0; TEXT]),
            text_at: 0,
            text_end: 0,
            line: 1,
            ended: false,
        }
    }

    fn decode(&mut self) -> io::Result<()> {
        let mut last = false;
        if self.raw_at == self.raw_end {
            (self.raw_at, self.raw_end) = (0, self.input.read(&mut self.raw)?);
            last = self.raw_end == 0;
        }
        let raw = &self.raw[self.raw_at..self.raw_end];
        let (result, read, written) =
            self.decoder
                .decode_to_utf8_without_replacement(raw, &mut self.text, last);
        self.raw_at += read;
        (self.text_at, self.text_end) = (0, written);
        let lines = self.text[..written].iter().filter(|byte| **byte == b'\n');
        self.line += lines.count() as u64;
        self.ended = last && result == DecoderResult::InputEmpty;
        match result {
            DecoderResult::Malformed(..) => Err(TableError::NotInEncoding {
                line: self.line,
                encoding: TextEncoding(self.encoding),
                at_end: last,
            }
            .into_io()),
            DecoderResult::InputEmpty | DecoderResult::OutputFull => Ok(()),
        }
    }
}

impl<R: Read> Read for Transcoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.text_at == self.text_end && !self.ended {
            self.decode()?;
        }
        let text = &self.text[self.text_at..self.text_end];
        let count = text.len().min(buffer.len());
        buffer[..count].copy_from_slice(&text[..count]);
        self.text_at += count;
        Ok(count)
    }
}
