//! Evidence as it travels, and what an enclave has its platform vouch for.

use aws_lc_rs::digest::{SHA512, digest};

use crate::Refusal;
use crate::cbor::{self, Value, Writer};

/// The longest evidence that is looked at; Nitro's has 4 to 6 KiB.
pub const MAX_EVIDENCE_BYTES: usize = 16 * 1024;

/// The version of both encodings below. An older program refuses what it does not understand.
const VERSION: u64 = 1;

/// Evidence as it travels: bytes that anyone could have written, in the form of some platform.
///
/// Which platform's is settled by the [`Verifier`](crate::Verifier) that accepts them: nothing in
/// the bytes chooses how they are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    bytes: Vec<u8>,
}

impl Evidence {
    /// As received, or as a platform made it whose report holds the report data itself.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Evidence {
        Evidence {
            bytes: bytes.into(),
        }
    }

    /// Of a platform whose report has room for [`ReportData::digest`] only: the report data travels
    /// beside it, in CBOR `{v: 1, report, data}`.
    pub fn detached(report: &[u8], data: &ReportData) -> Evidence {
        Evidence::from_bytes(detached(report, &data.encode()))
    }

    /// The bytes as they travel.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes as they travel.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Refuses evidence that is too long to be decoded; gives its length.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`] above [`MAX_EVIDENCE_BYTES`].
    pub fn check_size(&self) -> Result<usize, Refusal> {
        match self.bytes.len() {
            bytes @ 0..=MAX_EVIDENCE_BYTES => Ok(bytes),
            bytes => Err(Refusal::TooLarge { bytes }),
        }
    }

    /// Takes apart what [`Evidence::detached`] put together. Nothing is believed yet.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] and [`Refusal::Field`] for all other bytes.
    pub fn split(&self) -> Result<DetachedReport<'_>, Refusal> {
        const FIELD: &str = "the evidence";
        let entries = map(FIELD, &self.bytes)?;
        let (Some(Value::Bytes(report)), Some(Value::Bytes(data))) =
            (entry(&entries, "report"), entry(&entries, "data"))
        else {
            return Err(not_ours(FIELD));
        };
        // Encoded again and compared: that settles the version, the order, and that there is no
        // other field.
        match detached(report, data) == self.bytes {
            true => Ok(DetachedReport { report, data }),
            false => Err(not_ours(FIELD)),
        }
    }
}

fn detached(report: &[u8], data: &[u8]) -> Vec<u8> {
    let map = Writer::new().map(3).text("v").unsigned(VERSION);
    map.text("report")
        .bytes(report)
        .text("data")
        .bytes(data)
        .finish()
}

/// A report, and the report data that came beside it.
#[derive(Debug, Clone, Copy)]
pub struct DetachedReport<'a> {
    report: &'a [u8],
    data: &'a [u8],
}

impl<'a> DetachedReport<'a> {
    /// The platform's report, for its verifier to check.
    pub fn report(&self) -> &'a [u8] {
        self.report
    }

    /// The report data, if it is what the report commits to: `reported` are the report's 64 bytes.
    ///
    /// # Errors
    /// [`Refusal::UnboundData`] when their SHA-512 is another; [`Refusal::Malformed`] and
    /// [`Refusal::Field`] when they are not the encoding of any report data.
    pub fn bound_by(&self, reported: &[u8; 64]) -> Result<BoundData, Refusal> {
        // Over the bytes that came, before they are decoded: whoever wrote other bytes has not
        // earned a decoder.
        if digest(&SHA512, self.data).as_ref() != reported {
            return Err(Refusal::UnboundData);
        }
        Ok(BoundData {
            data: ReportData::decode(self.data)?,
            by: BoundBy::Digest,
        })
    }
}

/// What an enclave has its platform vouch for, in its own words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportData {
    /// The key that the enclave holds (SPKI, DER).
    pub public_key: Option<Vec<u8>>,
    /// The challenge that it answers.
    pub nonce: Option<Vec<u8>>,
    /// Anything else, at most 512 bytes: of a channel, the encoded
    /// [`ChannelBinding`](crate::ChannelBinding).
    pub user_data: Option<Vec<u8>>,
}

impl ReportData {
    /// User data alone, which answers nobody's challenge.
    pub fn of_user_data(user_data: &[u8]) -> ReportData {
        ReportData {
            user_data: Some(user_data.to_vec()),
            ..ReportData::default()
        }
    }

    /// SHA-512 of the encoded report data: what a platform is given that has 64 bytes for it.
    pub fn digest(&self) -> [u8; 64] {
        let digest = digest(&SHA512, &self.encode());
        digest.as_ref().try_into().expect("SHA-512 has 64 bytes")
    }

    /// CBOR `{v: 1, public_key, nonce, user_data}`, null for what is absent.
    fn encode(&self) -> Vec<u8> {
        let optional = |map: Writer, value: &Option<Vec<u8>>| match value {
            Some(bytes) => map.bytes(bytes),
            None => map.null(),
        };
        let map = Writer::new().map(4).text("v").unsigned(VERSION);
        let map = optional(map.text("public_key"), &self.public_key);
        let map = optional(map.text("nonce"), &self.nonce);
        optional(map.text("user_data"), &self.user_data).finish()
    }

    fn decode(bytes: &[u8]) -> Result<ReportData, Refusal> {
        const FIELD: &str = "the report data";
        let entries = map(FIELD, bytes)?;
        let bytes_of = |name| match entry(&entries, name) {
            Some(Value::Bytes(bytes)) => Some(bytes.to_vec()),
            _ => None,
        };
        let data = ReportData {
            public_key: bytes_of("public_key"),
            nonce: bytes_of("nonce"),
            user_data: bytes_of("user_data"),
        };
        match data.encode() == bytes {
            true => Ok(data),
            false => Err(not_ours(FIELD)),
        }
    }
}

/// Report data that evidence commits to. There is none without a verifier's word for it, or a
/// digest that was compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundData {
    data: ReportData,
    by: BoundBy,
}

/// How evidence commits to report data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoundBy {
    /// The signed report holds it.
    Whole,
    /// The signed report holds its SHA-512, and it travelled beside the report.
    Digest,
}

impl BoundData {
    /// As a verifier read it in a report whose signature it checked.
    pub fn in_report(data: ReportData) -> BoundData {
        let by = BoundBy::Whole;
        BoundData { data, by }
    }

    /// How the evidence commits to it.
    pub fn by(&self) -> BoundBy {
        self.by
    }

    /// The key that the enclave says it holds.
    pub fn public_key(&self) -> Option<&[u8]> {
        self.data.public_key.as_deref()
    }

    /// The challenge that the enclave answered.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.data.nonce.as_deref()
    }

    /// What else the enclave put in.
    pub fn user_data(&self) -> Option<&[u8]> {
        self.data.user_data.as_deref()
    }
}

fn map<'a>(field: &'static str, bytes: &'a [u8]) -> Result<Vec<(Value<'a>, Value<'a>)>, Refusal> {
    match cbor::decode(bytes) {
        Ok(Value::Map(entries)) => Ok(entries),
        Ok(_) => Err(not_ours(field)),
        Err(malformed) => Err(Refusal::Malformed {
            part: field,
            problem: malformed.problem,
            at: malformed.at,
        }),
    }
}

fn entry<'a>(entries: &[(Value<'a>, Value<'a>)], name: &'static str) -> Option<Value<'a>> {
    let found = entries.iter().find(|(key, _)| *key == Value::Text(name));
    found.map(|(_, value)| value.clone())
}

fn not_ours(field: &'static str) -> Refusal {
    Refusal::Field {
        field,
        problem: "is not in the one encoding that it has",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> ReportData {
        ReportData {
            public_key: Some(vec![1; 91]),
            nonce: Some(vec![2; 32]),
            user_data: None,
        }
    }

    #[test]
    fn what_travelled_beside_a_report_is_bound_by_its_digest() {
        let evidence = Evidence::detached(b"report", &some());
        let detached = evidence.split().expect("it was just put together");
        assert_eq!(detached.report(), b"report");
        let bound = detached.bound_by(&some().digest()).expect("its own digest");
        assert_eq!(bound.by(), BoundBy::Digest);
        assert_eq!(bound.public_key(), Some([1; 91].as_slice()));
        assert_eq!(bound.nonce(), Some([2; 32].as_slice()));
        assert_eq!(bound.user_data(), None);
    }

    #[test]
    fn report_data_with_any_one_bit_changed_is_not_bound() {
        let honest = some().encode();
        for at in 0..honest.len() {
            for bit in 0..8 {
                let mut data = honest.clone();
                data[at] ^= 1 << bit;
                let report: &[u8] = b"report";
                let data = DetachedReport {
                    report,
                    data: &data,
                };
                let refusal = data.bound_by(&some().digest()).expect_err("other data");
                assert_eq!(refusal, Refusal::UnboundData);
            }
        }
    }

    /// An absent field and an empty one are different statements.
    #[test]
    fn every_field_and_its_absence_change_the_digest() {
        let empty = || Some(Vec::new());
        let data = |public_key, nonce, user_data| ReportData {
            public_key,
            nonce,
            user_data,
        };
        let digests = [
            data(None, None, None),
            data(empty(), None, None),
            data(None, empty(), None),
            data(None, None, empty()),
        ]
        .map(|data| data.digest());
        for (index, digest) in digests.iter().enumerate() {
            assert!(!digests[..index].contains(digest), "{index}");
        }
    }

    #[test]
    fn a_second_encoding_is_refused_in_evidence_and_in_report_data() {
        let evidence = Evidence::detached(b"report", &some());
        let mut indefinite = evidence.as_bytes().to_vec();
        indefinite[0] = 0xbf;
        indefinite.push(0xff);
        let refusal = Evidence::from_bytes(indefinite).split().expect_err("two");
        assert_eq!(refusal, not_ours("the evidence"));

        let mut indefinite = some().encode();
        indefinite[0] = 0xbf;
        indefinite.push(0xff);
        let refusal = ReportData::decode(&indefinite).expect_err("two");
        assert_eq!(refusal, not_ours("the report data"));
    }

    #[test]
    fn other_bytes_are_not_split() {
        for bytes in [&b""[..], b"\x80", b"\xa0", b"\xa1\x61v\x01", b"report"] {
            let refusal = Evidence::from_bytes(bytes).split().expect_err("no report");
            assert_eq!(refusal.slug(), "evidence-malformed", "{bytes:?}");
        }
    }
}
