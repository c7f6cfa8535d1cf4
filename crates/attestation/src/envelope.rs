//! The signed envelope, `COSE_Sign1` (RFC 9052), with the one algorithm that is allowed.

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};

use crate::Refusal;
use crate::cbor::{self, Value, Writer};

/// The label of the algorithm in a header (RFC 9052, section 3.1).
const ALG: Value<'_> = Value::Unsigned(1);
/// ES384, that is -35 (RFC 9053, section 2.1).
const ES384: Value<'_> = Value::Negative(34);
/// r and s of P-384, 48 bytes each.
const SIGNATURE_BYTES: usize = 96;

/// The four parts of an envelope, not yet believed.
#[derive(Debug)]
pub(crate) struct Envelope<'a> {
    protected: &'a [u8],
    unprotected_is_empty: bool,
    pub(crate) payload: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Takes the envelope apart. The header and the signature are looked at by [`Envelope::verify`].
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Envelope<'a>, Refusal> {
        let value = decode("envelope", bytes)?;
        let refused = |problem| {
            Err(Refusal::Field {
                field: "the envelope",
                problem,
            })
        };
        let Value::Array(parts) = value else {
            return refused("is not an array");
        };
        let Ok([protected, unprotected, payload, signature]) = <[Value<'_>; 4]>::try_from(parts)
        else {
            return refused("does not have four parts");
        };
        match (protected, unprotected, payload, signature) {
            (
                Value::Bytes(protected),
                Value::Map(unprotected),
                Value::Bytes(payload),
                Value::Bytes(signature),
            ) => Ok(Envelope {
                protected,
                unprotected_is_empty: unprotected.is_empty(),
                payload,
                signature,
            }),
            _ => refused("has a part of the wrong kind"),
        }
    }

    /// Checks that the signed header says ES384 and nothing else, and that `key` (an uncompressed P-384 point)
    /// signed the payload.
    pub(crate) fn verify(&self, key: &[u8]) -> Result<(), Refusal> {
        self.check_headers()?;
        if self.signature.len() != SIGNATURE_BYTES {
            return Err(Refusal::Signature {
                problem: "it is not the 96 bytes of an ES384 signature",
            });
        }
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key)
            .verify(&to_be_signed(self.protected, self.payload), self.signature)
            .map_err(|_| Refusal::Signature {
                problem: "the leaf certificate's key did not sign these bytes",
            })
    }

    fn check_headers(&self) -> Result<(), Refusal> {
        let refused = |problem: &str| {
            Err(Refusal::Algorithm {
                problem: problem.to_owned(),
            })
        };
        if !self.unprotected_is_empty {
            return refused("there is something in the unsigned header");
        }
        // RFC 9052, section 3: an empty map may be written as no bytes at all.
        if self.protected.is_empty() {
            return refused("the signed header names none");
        }
        let Value::Map(header) = decode("signed header", self.protected)? else {
            return refused("the signed header is not a map");
        };
        match header.as_slice() {
            [(ALG, ES384)] => Ok(()),
            [(ALG, Value::Negative(n))] => refused(&format!("it names -{}", u128::from(*n) + 1)),
            [(ALG, Value::Unsigned(n))] => refused(&format!("it names {n}")),
            [] => refused("the signed header names none"),
            _ => refused("the signed header says something else or more"),
        }
    }
}

/// The bytes a signature is over: `Sig_structure` (RFC 9052, section 4.4) without external data.
pub(crate) fn to_be_signed(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    Writer::new()
        .array(4)
        .text("Signature1")
        .bytes(protected)
        .bytes(&[])
        .bytes(payload)
        .finish()
}

fn decode<'a>(part: &'static str, bytes: &'a [u8]) -> Result<Value<'a>, Refusal> {
    cbor::decode(bytes).map_err(|malformed| Refusal::Malformed {
        part,
        problem: malformed.problem,
        at: malformed.at,
    })
}
