//! CRC-32 as in zlib (reflected polynomial `edb88320`), which guards an image against accidents. It
//! is not a protection against malice.

const TABLE: [u32; 256] = table();

/// The checksum of some pieces, one after the other.
pub(crate) fn crc32<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> u32 {
    let mut crc = u32::MAX;
    for byte in pieces.into_iter().flatten() {
        let [low, ..] = crc.to_le_bytes();
        crc = TABLE[usize::from(low ^ byte)] ^ (crc >> 8);
    }
    !crc
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    let mut byte = 0;
    while index < 256 {
        let mut entry: u32 = byte;
        let mut bit = 0;
        while bit < 8 {
            let carry = entry & 1;
            entry >>= 1;
            if carry == 1 {
                entry ^= 0xedb8_8320;
            }
            bit += 1;
        }
        table[index] = entry;
        index += 1;
        byte += 1;
    }
    table
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
