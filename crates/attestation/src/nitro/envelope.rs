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
    /// Takes the envelope apart. The header and the signature are looked at by
    /// [`Envelope::verify`].
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Envelope<'a>, Refusal> {
        // Taken apart without judging: which key has to verify is only known from the payload.
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
        // Untagged: Nitro writes the bare array, and a tag would be a second form.
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

    /// Checks that the signed header says ES384 and nothing else, and that `key` (an uncompressed
    /// P-384 point) signed the payload.
    pub(crate) fn verify(&self, key: &[u8]) -> Result<(), Refusal> {
        self.check_headers()?;
        // The library would refuse too, but a wrong length is an error of form and should say so.
        if self.signature.len() != SIGNATURE_BYTES {
            return Err(Refusal::Signature {
                problem: "it is not the 96 bytes of an ES384 signature",
            });
        }
        // Fixed length, as COSE has it; X.509's DER form would allow several encodings.
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
        // Nothing unsigned may carry weight, and so nothing unsigned may be there.
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
            // Exactly one entry: `crit` and other headers would have to be understood.
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
    // Built anew and not copied from the input: the signature is over this form, whatever came.
    Writer::new()
        .array(4)
        .text("Signature1")
        .bytes(protected)
        // External data: none, as a stranger could not know it.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(parts: Writer) -> &'static str {
        match Envelope::open(&parts.finish()) {
            Err(Refusal::Field {
                field: "the envelope",
                problem,
            }) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_envelope_has_four_parts_of_their_kinds() {
        let start = || Writer::new().array(4);
        let honest = start().bytes(&[0xa0]).map(0).bytes(&[]).bytes(&[]);
        assert!(Envelope::open(&honest.finish()).is_ok());
        assert_eq!(problem(Writer::new().map(0)), "is not an array");
        assert_eq!(problem(Writer::new().array(0)), "does not have four parts");
        let five = Writer::new().array(5).bytes(&[]).map(0).bytes(&[]);
        assert_eq!(problem(five.bytes(&[]).null()), "does not have four parts");
        // A detached payload, a header that is not wrapped, a signature that is a text.
        for parts in [
            start().bytes(&[]).map(0).null().bytes(&[]),
            start().map(0).map(0).bytes(&[]).bytes(&[]),
            start().bytes(&[]).bytes(&[]).bytes(&[]).bytes(&[]),
            start().bytes(&[]).map(0).bytes(&[]).text(""),
        ] {
            assert_eq!(problem(parts), "has a part of the wrong kind");
        }
    }

    #[test]
    fn the_signed_header_names_es384_and_nothing_else() {
        let refusal = |header: &[u8]| {
            let parts = Writer::new().array(4).bytes(header).map(0);
            let bytes = parts.bytes(&[]).bytes(&[1; 96]).finish();
            let envelope = Envelope::open(&bytes).expect("it has four parts");
            envelope.verify(&[]).expect_err("no key signed it")
        };
        let problem = |header: Writer| match refusal(&header.finish()) {
            Refusal::Algorithm { problem } => problem,
            other => panic!("{other:?}"),
        };
        let map = |entries| Writer::new().map(entries);
        assert_eq!(problem(map(1).unsigned(1).negative(6)), "it names -7");
        assert_eq!(problem(map(1).unsigned(1).negative(35)), "it names -36");
        assert_eq!(problem(map(1).unsigned(1).unsigned(34)), "it names 34");
        assert_eq!(problem(map(0)), "the signed header names none");
        assert_eq!(problem(Writer::new()), "the signed header names none");
        assert_eq!(
            problem(Writer::new().array(0)),
            "the signed header is not a map"
        );
        let more = "the signed header says something else or more";
        assert_eq!(problem(map(1).unsigned(1).text("ES384")), more);
        assert_eq!(problem(map(1).text("alg").negative(34)), more);
        assert_eq!(
            problem(map(2).unsigned(1).negative(34).unsigned(4).bytes(&[1])),
            more
        );
        let rest = refusal(&[0xa1, 0x01, 0x38, 0x22, 0x00]);
        assert!(
            matches!(
                rest,
                Refusal::Malformed {
                    part: "signed header",
                    ..
                }
            ),
            "{rest}"
        );
        let honest = refusal(&map(1).unsigned(1).negative(34).finish());
        assert!(matches!(honest, Refusal::Signature { .. }), "{honest}");
    }
}
