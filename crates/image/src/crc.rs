//! The checksum of an image, as in zlib, which guards it against accidents. It is not a protection
//! against malice.

use crc::{CRC_32_ISO_HDLC, Crc, Table};

const CRC_32: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// The checksum of some pieces, one after the other.
pub(crate) fn crc32<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> u32 {
    let mut digest = CRC_32.digest();
    for piece in pieces {
        digest.update(piece);
    }
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::crc32;

    #[test]
    fn the_check_value_of_the_catalogue_comes_out_however_the_bytes_are_cut() {
        for cut in 0..=9 {
            let (a, b) = b"123456789".split_at(cut);
            assert_eq!(crc32([a, b]), 0xcbf4_3926);
        }
    }
}
