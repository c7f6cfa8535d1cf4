//! Why evidence is not accepted.

/// The first check that evidence failed. The sentence is for the person who wanted to connect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// More bytes than [`MAX_EVIDENCE_BYTES`](crate::MAX_EVIDENCE_BYTES); nothing was decoded.
    #[error(
        "the evidence is too large: {bytes} bytes, where at most {limit} are read",
        limit = crate::MAX_EVIDENCE_BYTES
    )]
    TooLarge {
        /// Its length, or the length that was announced.
        bytes: usize,
    },
    /// Not in the strict encoding of the platform's evidence.
    #[error("the evidence is malformed: {part}, byte {at}: {problem}")]
    Malformed {
        /// Which of the nested encodings, such as the envelope or the document.
        part: &'static str,
        /// What is wrong there.
        problem: &'static str,
        /// The byte within that part.
        at: usize,
    },
    /// Well encoded, but not of the shape or within the limits of the platform's evidence.
    #[error("the evidence is malformed: {field} {problem}")]
    Field {
        /// The field's name in the format.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The chain starts elsewhere than at the pinned root.
    #[error(
        "the evidence is vouched for by an unknown root: its SHA-256 is {found}, expected \
         {expected}"
    )]
    UnknownRoot {
        /// The fingerprint of the document's own root, in hex.
        found: String,
        /// The root that is pinned.
        expected: String,
    },
    /// A certificate of the chain had run out at the time of checking.
    #[error(
        "the evidence's {certificate} certificate expired at {not_after}; it was checked at {at}"
    )]
    Expired {
        /// The certificate, by its place in the chain.
        certificate: String,
        /// Last moment at which it was valid.
        not_after: String,
        /// The time of checking.
        at: String,
    },
    /// A certificate of the chain was not valid yet at the time of checking.
    #[error(
        "the evidence's {certificate} certificate is not valid before {not_before}; it was checked \
         at {at}: is the clock of this machine right?"
    )]
    NotYetValid {
        /// The certificate, by its place in the chain.
        certificate: String,
        /// When it becomes valid.
        not_before: String,
        /// The time of checking.
        at: String,
    },
    /// A certificate may not play the part it plays in the chain.
    #[error("the evidence's chain does not hold: the {certificate} certificate {problem}")]
    Chain {
        /// The certificate, by its place in the chain.
        certificate: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Another algorithm than ES384, or one named outside the signed header.
    #[error("the evidence is not signed with ES384 as its signed header must say: {problem}")]
    Algorithm {
        /// What was found instead.
        problem: String,
    },
    /// The signature is not the leaf certificate's over these bytes.
    #[error("the evidence's signature is wrong: {problem}")]
    Signature {
        /// Whether its form or its value is wrong.
        problem: &'static str,
    },
    /// Made too long ago to speak about this connection.
    #[error(
        "the evidence is stale: made at {made}, {seconds} s before it was checked; at most 300 s \
         are allowed"
    )]
    Stale {
        /// When it says it was made.
        made: String,
        /// Its age in seconds.
        seconds: u64,
    },
    /// Made later than now.
    #[error(
        "the evidence comes from the future: made at {made}, {seconds} s after it was checked; at \
         most 300 s are allowed: is the clock of this machine right?"
    )]
    FromTheFuture {
        /// When it says it was made.
        made: String,
        /// How far ahead, in seconds.
        seconds: u64,
    },
    /// The document's own time lies outside the life of the certificate that signed it.
    #[error(
        "the evidence says it was made at {made}, when the certificate that signed it was not valid"
    )]
    OutsideLeafLife {
        /// When it says it was made.
        made: String,
    },
    /// The report data that came beside the evidence is not what the evidence commits to.
    #[error(
        "the evidence is malformed: the report data that came with it is not what it vouches for"
    )]
    UnboundData,
    /// The host can read everything in such an enclave.
    #[error(
        "the enclave runs in debug mode ({register} is all zero): its host can look inside, so it \
         protects nothing"
    )]
    DebugMode {
        /// The register that says so.
        register: String,
    },
    /// A register that the policy compares is not in the evidence, or not in a form that can be
    /// compared.
    #[error("the evidence does not report {register}")]
    MissingRegister {
        /// Name of the register.
        register: String,
    },
    /// The policy does not say what a register of the program must hold.
    #[error(
        "the expected measurements leave {register} open, which also says what program runs: name \
         all that the platform has"
    )]
    Unpinned {
        /// Name of the register.
        register: String,
    },
    /// Another program than the one asked for.
    #[error("the enclave runs another program: its {register} is {found}, expected {expected}")]
    WrongMeasurement {
        /// Name of the register.
        register: String,
        /// What the evidence reports, in hex.
        found: String,
        /// What was asked for, in hex.
        expected: String,
    },
    /// The platform's register was extended with another agreement, or not at all.
    #[error(
        "the enclave was started with another agreement: {register} is {found}, expected {expected}"
    )]
    WrongAgreementRegister {
        /// Name of the register.
        register: String,
        /// What the evidence reports, in hex.
        found: String,
        /// What the agreement gives, in hex.
        expected: String,
    },
}

impl Refusal {
    /// A short name that does not change between releases, for programs.
    pub fn slug(&self) -> &'static str {
        match self {
            Refusal::TooLarge { .. } => "evidence-too-large",
            Refusal::Malformed { .. } | Refusal::Field { .. } | Refusal::UnboundData => {
                "evidence-malformed"
            }
            Refusal::UnknownRoot { .. } => "unknown-root",
            Refusal::Expired { .. } => "chain-expired",
            Refusal::NotYetValid { .. } => "chain-not-yet-valid",
            Refusal::Chain { .. } => "chain-invalid",
            Refusal::Algorithm { .. } => "wrong-algorithm",
            Refusal::Signature { .. } => "bad-signature",
            Refusal::Stale { .. } => "evidence-stale",
            Refusal::FromTheFuture { .. } => "evidence-from-the-future",
            Refusal::OutsideLeafLife { .. } => "evidence-time-inconsistent",
            Refusal::DebugMode { .. } => "debug-mode",
            Refusal::MissingRegister { .. } => "missing-measurement",
            Refusal::Unpinned { .. } => "policy-incomplete",
            Refusal::WrongMeasurement { .. } => "wrong-measurement",
            Refusal::WrongAgreementRegister { .. } => "wrong-agreement-register",
        }
    }
}
