//! SHA-384, in which images are measured.

use aws_lc_rs::digest::{Context, SHA384};

/// A SHA-384 value.
pub type Digest = [u8; 48];

/// The SHA-384 of some bytes.
pub fn sha384(bytes: &[u8]) -> Digest {
    sha384_of([bytes])
}

/// The SHA-384 of some pieces, one after the other.
pub(crate) fn sha384_of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Digest {
    let mut context = Context::new(&SHA384);
    for piece in pieces {
        context.update(piece);
    }
    let digest = context.finish();
    digest
        .as_ref()
        .try_into()
        .expect("SHA-384 values are 48 bytes")
}
