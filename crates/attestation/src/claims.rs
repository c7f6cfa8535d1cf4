//! What evidence says, once its platform's verifier has checked it.

use aws_lc_rs::digest::{Context, SHA384};

use crate::{BoundData, Refusal};

/// What evidence says about one enclave.
///
/// Anybody can write claims down. What makes them worth something is [`Authentic`], which holds
/// those that a [`Verifier`] found in evidence.
///
/// [`Authentic`]: crate::Authentic
/// [`Verifier`]: crate::Verifier
#[derive(Debug, Clone)]
pub struct Claims {
    /// The platform's name for the enclave; ASCII that prints.
    pub enclave: String,
    /// When the evidence was made, in milliseconds since 1970. A platform without a clock leaves
    /// freshness to the nonce.
    pub made_millis: Option<u64>,
    /// What the enclave had the platform vouch for.
    pub bound: BoundData,
    /// All registers that are reported, in the platform's own order.
    pub registers: Vec<Register>,
    /// Names of the registers that say which program runs. Not empty.
    ///
    /// A refusal instead, if they do not say it: one is missing, or the enclave can be looked into
    /// (debug mode), so that its program promises nothing. Such evidence matches no policy.
    pub program: Result<Vec<String>, Refusal>,
    /// The register that the enclave extends with its agreement.
    pub agreement: AgreementRegister,
}

/// A measurement that a platform reports under a name of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// The name, as the platform's documentation has it.
    pub name: String,
    /// Its value, of whatever length the platform gives.
    pub value: Vec<u8>,
}

/// What a platform reports of the agreement besides the word of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementRegister {
    /// The register's name.
    pub name: String,
    /// Its value, which must be that of [`extended_register`]; `None` if it is not reported. Then
    /// the agreement rests on the enclave's report data, which is as good as the program that the
    /// policy names.
    pub value: Option<Vec<u8>>,
    /// Whether the platform always reports it, so that its absence is a reason to refuse.
    pub required: bool,
}

impl AgreementRegister {
    /// Of a platform that has no register which a program can extend.
    pub fn absent() -> AgreementRegister {
        AgreementRegister {
            name: "agreement register".to_owned(),
            value: None,
            required: false,
        }
    }
}

/// What a register of SHA-384 holds that was zero and then extended once with the agreement's
/// SHA-384: the hash of 48 zero bytes and the agreement's hash.
pub fn extended_register(agreement: &[u8; 48]) -> [u8; 48] {
    // As security modules compute an extension: old value, then the new one.
    let mut hash = Context::new(&SHA384);
    hash.update(&[0; 48]);
    hash.update(agreement);
    let digest = hash.finish();
    digest.as_ref().try_into().expect("SHA-384 has 48 bytes")
}
