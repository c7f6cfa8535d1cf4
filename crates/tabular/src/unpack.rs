//! Decompression that cannot run on.

use std::io::Read;

use flate2::bufread::MultiGzDecoder;

use crate::error::TableError;
use crate::parquet_footer::damaged;

/// Ways of compressing pages, by their numbers in Parquet.
pub(crate) const UNCOMPRESSED: i64 = 0;
const SNAPPY: i64 = 1;
const GZIP: i64 = 2;
const ZSTD: i64 = 6;

/// Unpacks into exactly this place, refusing a page that has less or more in it.
pub(crate) fn unpack(codec: i64, packed: &[u8], place: &mut [u8]) -> Result<(), TableError> {
    let wrong = || damaged("a page is not compressed as it says");
    let unpacked = match codec {
        SNAPPY => {
            // Snappy refuses by itself what does not fit into the place.
            let unpacked = snap::raw::Decoder::new().decompress(packed, place);
            unpacked.map_err(|_| wrong())?
        }
        GZIP => {
            // Several members, as gzip files may have.
            let mut gzip = MultiGzDecoder::new(packed);
            gzip.read_exact(place).map_err(|_| wrong())?;
            // One byte more would be too many.
            let more = gzip.read(&mut [0]).map_err(|_| wrong())?;
            place.len() + more
        }
        // In one go, so that there is no window but the place itself, whatever the frame asks for.
        ZSTD => zstd::bulk::decompress_to_buffer(packed, place).map_err(|_| wrong())?,
        _ => {
            let what =
                "it is compressed in a way that is not supported; use Snappy, gzip or Zstandard";
            return Err(TableError::Parquet(what.to_owned()));
        }
    };
    // Less is as wrong as more: the rest of the place would be zeros that nobody sent.
    match unpacked == place.len() {
        true => Ok(()),
        false => Err(wrong()),
    }
}
