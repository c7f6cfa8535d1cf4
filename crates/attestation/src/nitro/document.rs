//! The fields of an attestation document, decoded and within their limits, not yet believed.

use std::collections::BTreeMap;

use crate::Refusal;
use crate::cbor::{self, Value};

/// AWS's limits on what the enclave puts in (its description gives 512 in the text, 1024 in the
/// grammar; the device enforces 512).
const MAX_USER_DATA: usize = 512;
const MAX_NONCE: usize = 512;
const MAX_PUBLIC_KEY: usize = 1024;
const MAX_CERTIFICATE: usize = 1024;
/// Root, regional, zonal and instance certificates are four; some room for another level.
const MAX_BUNDLE: usize = 8;
const MAX_MODULE_ID: usize = 256;
/// 9999-12-31T23:59:59.999Z: later times cannot be written in the usual form.
const MAX_TIMESTAMP: u64 = 253_402_300_799_999;

/// The fields of the payload, each within the limits of the format.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) module_id: String,
    /// Milliseconds since 1970.
    pub(crate) timestamp: u64,
    pub(crate) pcrs: BTreeMap<u8, Vec<u8>>,
    pub(crate) certificate: Vec<u8>,
    pub(crate) cabundle: Vec<Vec<u8>>,
    pub(crate) public_key: Option<Vec<u8>>,
    pub(crate) user_data: Option<Vec<u8>>,
    pub(crate) nonce: Option<Vec<u8>>,
}

impl Document {
    /// Decodes the payload of an envelope.
    pub(crate) fn decode(payload: &[u8]) -> Result<Document, Refusal> {
        // Limits before copies: each field is bounded where it is read.
        let value = cbor::decode(payload).map_err(|malformed| Refusal::Malformed {
            part: "document",
            problem: malformed.problem,
            at: malformed.at,
        })?;
        let Value::Map(entries) = value else {
            return refused("the document", "is not a map");
        };
        let mut fields = Fields::default();
        for (key, value) in entries {
            let Value::Text(key) = key else {
                return refused("the document", "has a key that is not a text");
            };
            fields.set(key, value)?;
        }
        fields.complete()
    }
}

#[derive(Default)]
struct Fields {
    digest: Option<()>,
    module_id: Option<String>,
    timestamp: Option<u64>,
    pcrs: Option<BTreeMap<u8, Vec<u8>>>,
    certificate: Option<Vec<u8>>,
    cabundle: Option<Vec<Vec<u8>>>,
    public_key: Option<Vec<u8>>,
    user_data: Option<Vec<u8>>,
    nonce: Option<Vec<u8>>,
}

impl Fields {
    // The decoder has refused a key that appears twice.
    fn set(&mut self, key: &str, value: Value<'_>) -> Result<(), Refusal> {
        match key {
            "digest" => self.digest = Some(digest(value)?),
            "module_id" => self.module_id = Some(module_id(value)?),
            "timestamp" => self.timestamp = Some(timestamp(value)?),
            "pcrs" => self.pcrs = Some(pcrs(value)?),
            "certificate" => self.certificate = Some(certificate("certificate", value)?),
            "cabundle" => self.cabundle = Some(cabundle(value)?),
            "public_key" => self.public_key = optional("public_key", value, 1, MAX_PUBLIC_KEY)?,
            "user_data" => self.user_data = optional("user_data", value, 0, MAX_USER_DATA)?,
            "nonce" => self.nonce = optional("nonce", value, 0, MAX_NONCE)?,
            // An unknown field might be one that changes the meaning of others.
            _ => return refused("the document", "has a field that is not of the format"),
        }
        Ok(())
    }

    fn complete(self) -> Result<Document, Refusal> {
        // Each missing field by its name, for the person who made the document.
        let missing = |field| Refusal::Field {
            field,
            problem: "is missing",
        };
        self.digest.ok_or(missing("digest"))?;
        Ok(Document {
            module_id: self.module_id.ok_or(missing("module_id"))?,
            timestamp: self.timestamp.ok_or(missing("timestamp"))?,
            pcrs: self.pcrs.ok_or(missing("pcrs"))?,
            certificate: self.certificate.ok_or(missing("certificate"))?,
            cabundle: self.cabundle.ok_or(missing("cabundle"))?,
            public_key: self.public_key,
            user_data: self.user_data,
            nonce: self.nonce,
        })
    }
}

fn digest(value: Value<'_>) -> Result<(), Refusal> {
    match value {
        // PCRs are compared as SHA-384; another digest would make other values of the same image.
        Value::Text("SHA384") => Ok(()),
        _ => refused("digest", "is not \"SHA384\""),
    }
}

fn module_id(value: Value<'_>) -> Result<String, Refusal> {
    match value {
        Value::Text("") => refused("module_id", "is empty"),
        Value::Text(text) if text.len() > MAX_MODULE_ID => {
            refused("module_id", "is longer than 256 bytes")
        }
        // It is shown to people on their terminals.
        Value::Text(text) if !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            refused("module_id", "has a character that does not print")
        }
        Value::Text(text) => Ok(text.to_owned()),
        _ => refused("module_id", "is not a text"),
    }
}

fn timestamp(value: Value<'_>) -> Result<u64, Refusal> {
    match value {
        // Zero is what an unset clock gives.
        Value::Unsigned(0) => refused("timestamp", "is zero"),
        Value::Unsigned(millis) if millis > MAX_TIMESTAMP => {
            refused("timestamp", "is later than the year 9999")
        }
        Value::Unsigned(millis) => Ok(millis),
        _ => refused("timestamp", "is not an unsigned integer"),
    }
}

fn pcrs(value: Value<'_>) -> Result<BTreeMap<u8, Vec<u8>>, Refusal> {
    let Value::Map(entries) = value else {
        return refused("pcrs", "is not a map");
    };
    // Without registers a document would say nothing about a program.
    if entries.is_empty() {
        return refused("pcrs", "is empty");
    }
    entries.into_iter().map(pcr).collect()
}

fn pcr((index, value): (Value<'_>, Value<'_>)) -> Result<(u8, Vec<u8>), Refusal> {
    let index = match index {
        // Indices beyond 31 exist on no Nitro device.
        Value::Unsigned(index) => u8::try_from(index).ok().filter(|index| *index < 32),
        _ => None,
    };
    let Some(index) = index else {
        return refused("pcrs", "has an index that is not from 0 to 31");
    };
    match value {
        Value::Bytes(pcr) if matches!(pcr.len(), 32 | 48 | 64) => Ok((index, pcr.to_vec())),
        _ => refused("pcrs", "has a value that is not 32, 48 or 64 bytes"),
    }
}

fn cabundle(value: Value<'_>) -> Result<Vec<Vec<u8>>, Refusal> {
    let Value::Array(entries) = value else {
        return refused("cabundle", "is not an array");
    };
    if entries.is_empty() {
        return refused("cabundle", "is empty");
    }
    if entries.len() > MAX_BUNDLE {
        return refused("cabundle", "has more than 8 certificates");
    }
    let read = |entry| certificate("cabundle", entry);
    entries.into_iter().map(read).collect()
}

fn certificate(field: &'static str, value: Value<'_>) -> Result<Vec<u8>, Refusal> {
    match value {
        Value::Bytes(der) if (1..=MAX_CERTIFICATE).contains(&der.len()) => Ok(der.to_vec()),
        Value::Bytes(_) => refused(field, "has a certificate that is not 1 to 1024 bytes"),
        _ => refused(field, "has a certificate that is not a byte string"),
    }
}

fn optional(
    field: &'static str,
    value: Value<'_>,
    shortest: usize,
    longest: usize,
) -> Result<Option<Vec<u8>>, Refusal> {
    match value {
        // Null and absent are the same: AWS writes null, others leave the field out.
        Value::Null => Ok(None),
        Value::Bytes(bytes) if bytes.len() < shortest => refused(field, "is empty"),
        Value::Bytes(bytes) if bytes.len() > longest => refused(field, "is too long"),
        Value::Bytes(bytes) => Ok(Some(bytes.to_vec())),
        _ => refused(field, "is not a byte string"),
    }
}

fn refused<T>(field: &'static str, problem: &'static str) -> Result<T, Refusal> {
    Err(Refusal::Field { field, problem })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor::Writer;

    type Write = fn(Writer) -> Writer;

    /// A document in which the field `replaced` has the value that `write` gives it; `None` leaves
    /// it out.
    fn with(replaced: &str, write: Option<Write>) -> Vec<u8> {
        let honest: [(&str, Write); 9] = [
            ("module_id", |w| w.text("i-1")),
            ("digest", |w| w.text("SHA384")),
            ("timestamp", |w| w.unsigned(1)),
            ("pcrs", |w| w.map(1).unsigned(0).bytes(&[1; 48])),
            ("certificate", |w| w.bytes(&[1])),
            ("cabundle", |w| w.array(1).bytes(&[1])),
            ("public_key", |w| w.bytes(&[1])),
            ("user_data", |w| w.bytes(&[1])),
            ("nonce", |w| w.bytes(&[1])),
        ];
        let known = honest.iter().any(|(name, _)| *name == replaced);
        let left_out = known && write.is_none();
        let entries = honest.len() + usize::from(!known) - usize::from(left_out);
        let mut writer = Writer::new().map(entries);
        for (name, value) in honest {
            match write {
                _ if name != replaced => writer = value(writer.text(name)),
                Some(write) => writer = write(writer.text(name)),
                None => {}
            }
        }
        match write {
            Some(write) if !known => write(writer.text(replaced)).finish(),
            _ => writer.finish(),
        }
    }

    fn repeated(writer: Writer, entries: usize, entry: &[u8]) -> Writer {
        (0..entries).fold(writer.array(entries), |writer, _| writer.bytes(entry))
    }

    fn registers(writer: Writer, last: u64) -> Writer {
        let entries = usize::try_from(last).expect("a small number") + 1;
        (0..=last).fold(writer.map(entries), |writer, index| {
            writer.unsigned(index).bytes(&[1; 64])
        })
    }

    #[test]
    fn every_field_is_accepted_up_to_its_limit() {
        let accepted: [(&str, Write); 12] = [
            ("module_id", |w| w.text(&"i".repeat(256))),
            ("timestamp", |w| w.unsigned(MAX_TIMESTAMP)),
            ("pcrs", |w| registers(w, 31)),
            ("pcrs", |w| w.map(1).unsigned(31).bytes(&[1; 32])),
            ("certificate", |w| w.bytes(&[1; 1024])),
            ("cabundle", |w| repeated(w, 8, &[1; 1024])),
            ("public_key", |w| w.bytes(&[1; 1024])),
            ("public_key", |w| w.null()),
            ("user_data", |w| w.bytes(&[1; 512])),
            ("user_data", |w| w.bytes(&[])),
            ("nonce", |w| w.bytes(&[1; 512])),
            ("nonce", |w| w.null()),
        ];
        for (field, write) in accepted {
            let decoded = Document::decode(&with(field, Some(write)));
            assert!(decoded.is_ok(), "{field}: {decoded:?}");
        }
    }

    #[test]
    fn optional_fields_may_be_left_out_and_others_not() {
        for field in ["public_key", "user_data", "nonce"] {
            assert!(Document::decode(&with(field, None)).is_ok(), "{field}");
        }
        for field in [
            "module_id",
            "digest",
            "timestamp",
            "pcrs",
            "certificate",
            "cabundle",
        ] {
            let problem = "is missing";
            let refusal = Document::decode(&with(field, None)).expect_err(field);
            assert_eq!(refusal, Refusal::Field { field, problem });
        }
    }

    #[test]
    fn every_breach_of_the_format_is_refused_by_its_name() {
        let breaches: [(&str, Write, &str); 27] = [
            ("module_id", |w| w.text(""), "is empty"),
            (
                "module_id",
                |w| w.text(&"i".repeat(257)),
                "is longer than 256 bytes",
            ),
            (
                "module_id",
                |w| w.text("i-\u{1b}[2J"),
                "has a character that does not print",
            ),
            ("module_id", |w| w.bytes(b"i-1"), "is not a text"),
            ("digest", |w| w.text("SHA256"), "is not \"SHA384\""),
            ("digest", |w| w.bytes(b"SHA384"), "is not \"SHA384\""),
            ("timestamp", |w| w.unsigned(0), "is zero"),
            (
                "timestamp",
                |w| w.unsigned(MAX_TIMESTAMP + 1),
                "is later than the year 9999",
            ),
            ("timestamp", |w| w.negative(5), "is not an unsigned integer"),
            ("pcrs", |w| w.map(0), "is empty"),
            ("pcrs", |w| w.array(1).bytes(&[1; 48]), "is not a map"),
            (
                "pcrs",
                |w| registers(w, 32),
                "has an index that is not from 0 to 31",
            ),
            (
                "pcrs",
                |w| w.map(1).unsigned(256).bytes(&[1; 48]),
                "has an index that is not from 0 to 31",
            ),
            (
                "pcrs",
                |w| w.map(1).text("0").bytes(&[1; 48]),
                "has an index that is not from 0 to 31",
            ),
            (
                "pcrs",
                |w| w.map(1).unsigned(0).bytes(&[1; 33]),
                "has a value that is not 32, 48 or 64 bytes",
            ),
            (
                "pcrs",
                |w| w.map(1).unsigned(0).null(),
                "has a value that is not 32, 48 or 64 bytes",
            ),
            (
                "certificate",
                |w| w.bytes(&[]),
                "has a certificate that is not 1 to 1024 bytes",
            ),
            (
                "certificate",
                |w| w.bytes(&[1; 1025]),
                "has a certificate that is not 1 to 1024 bytes",
            ),
            (
                "certificate",
                |w| w.null(),
                "has a certificate that is not a byte string",
            ),
            ("cabundle", |w| w.array(0), "is empty"),
            (
                "cabundle",
                |w| repeated(w, 9, &[1]),
                "has more than 8 certificates",
            ),
            (
                "cabundle",
                |w| repeated(w, 2, &[1; 1025]),
                "has a certificate that is not 1 to 1024 bytes",
            ),
            ("public_key", |w| w.bytes(&[]), "is empty"),
            ("public_key", |w| w.bytes(&[1; 1025]), "is too long"),
            ("user_data", |w| w.bytes(&[1; 513]), "is too long"),
            ("nonce", |w| w.bytes(&[1; 513]), "is too long"),
            ("nonce", |w| w.text("nonce"), "is not a byte string"),
        ];
        for (field, write, problem) in breaches {
            let refusal = Document::decode(&with(field, Some(write))).expect_err(problem);
            assert_eq!(refusal, Refusal::Field { field, problem });
        }
        let unknown = Document::decode(&with("debug", Some(|w| w.null()))).expect_err("unknown");
        let problem = "has a field that is not of the format";
        let field = "the document";
        assert_eq!(unknown, Refusal::Field { field, problem });
    }

    #[test]
    fn a_document_is_a_map_with_texts_for_keys() {
        let problem = |payload: Vec<u8>| Document::decode(&payload).expect_err("no document");
        let field = "the document";
        let not_a_map = Refusal::Field {
            field,
            problem: "is not a map",
        };
        assert_eq!(problem(Writer::new().array(0).finish()), not_a_map);
        let number = Writer::new().map(1).unsigned(1).null().finish();
        let not_a_text = Refusal::Field {
            field,
            problem: "has a key that is not a text",
        };
        assert_eq!(problem(number), not_a_text);
    }
}
