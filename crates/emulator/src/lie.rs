//! What a host could say that is not so.

use clap::ValueEnum;

/// One lie. Everything else that the emulated host says is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Lie {
    /// The registers of the image are zero, as in debug mode, when the operator can read the
    /// enclave's memory.
    DebugMode,
    /// The registers are those of another image.
    OtherImage,
    /// PCR16 is that of another agreement.
    OtherAgreement,
    /// Documents are six minutes old.
    Stale,
    /// Documents come from six minutes ahead.
    Future,
    /// The first document that answered a nonce is given again and again.
    Replayed,
    /// Documents are signed under another root.
    WrongRoot,
    /// The certificate that signs documents ran out an hour ago.
    ExpiredLeaf,
    /// Documents are signed with a key that is not the certificate's.
    WrongKey,
    /// Documents are not signed: the signature is zero, as in other emulators.
    Unsigned,
    /// The security module refuses every request.
    NsmRefuses,
    /// There is no security module.
    NsmMissing,
}
