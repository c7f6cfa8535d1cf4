//! The receipt: what a room has done, in one text that evidence vouches for.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use privacy::{LedgerRecord, RecordError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::names::{AgreementHash, Digest, KeyFingerprint, RoomId};

/// The only version there is.
pub const RECEIPT_VERSION: u32 = 1;
/// No channel binding begins like this, so that evidence for one can never pass for the other.
const USER_DATA_PREFIX: &[u8] = b"synclave receipt v1";
/// Longest receipt that is read: the ledger of a fit has some hundred bytes an entry.
const MAX_TEXT: usize = 16 << 20;

/// What happened in a room, once its model is fitted. It holds no time: the evidence has its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// [`RECEIPT_VERSION`].
    pub version: u32,
    /// Id of the room that issued it.
    pub room: RoomId,
    /// The agreement it worked by.
    pub agreement_sha384: AgreementHash,
    /// Who brought data, in the order of the agreement.
    pub parties: Vec<ReceiptParty>,
    /// Name of the method that fitted the model.
    pub method: String,
    /// The method's parameters, as agreed.
    pub params: Map<String, Value>,
    /// The budget, and every spend.
    pub ledger: LedgerRecord,
    /// SHA-384 of the fitted model, as `/model` gives it.
    pub model: Digest,
    /// Who has asked for samples so far, in the order of the first request.
    pub samples: Vec<ReceiptSamples>,
}

/// One party's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptParty {
    /// Name of the party.
    pub name: String,
    /// The key it authenticated with.
    pub key: KeyFingerprint,
    /// The commitment to its table (see [`crate::Commitment`]): SHA-384(salt || bytes).
    pub input: Digest,
}

/// What one user has sampled. It costs no privacy; the receipt says it so that parties see how the
/// model is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptSamples {
    /// Name of the user who asked.
    pub user: String,
    /// Number of requests for samples.
    pub requests: u64,
    /// Number of rows of all these requests together.
    pub rows: u64,
}

/// A receipt's text with the evidence for it, as `/receipt` gives it and a file keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedReceipt {
    /// The canonical text of a [`Receipt`].
    pub receipt: String,
    /// An attestation document in base64, whose user data is [`receipt_user_data`] of the text.
    pub evidence: String,
}

/// A receipt that the evidence is about and whose sums hold. Only [`SignedReceipt::check`] makes
/// one.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedReceipt(Receipt);

/// Why a receipt does not hold.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReceiptError {
    /// The evidence is not even base64.
    #[error("the receipt's evidence is not base64")]
    Evidence,
    /// The evidence vouches for something else.
    #[error(
        "the evidence is not about this text: the receipt was changed, or the evidence belongs to \
         something else"
    )]
    NotVouchedFor,
    /// Not a receipt, or not written the one way that receipts are.
    #[error(
        "the receipt's text is not in the canonical form of a receipt of version {RECEIPT_VERSION}"
    )]
    Form,
    /// The ledger does not add up.
    #[error("the receipt's ledger does not hold: {0}")]
    Ledger(#[from] RecordError),
    /// Fewer than two parties, or two of one name or key.
    #[error("the receipt must name at least two parties, each once and with a key of its own")]
    Parties,
}

/// What evidence for this receipt carries as user data: `"synclave receipt v1"` || SHA-384 of the
/// text.
pub fn receipt_user_data(text: &str) -> Vec<u8> {
    let hash = digest::digest(&digest::SHA384, text.as_bytes());
    [USER_DATA_PREFIX, hash.as_ref()].concat()
}

impl Receipt {
    /// The canonical text: compact JSON, fields in the order of declaration, numbers in their
    /// shortest form.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a receipt is made of texts, numbers and lists")
    }
}

impl SignedReceipt {
    /// A receipt's text, and the document that vouches for it.
    pub fn new(text: String, evidence: &[u8]) -> Self {
        SignedReceipt {
            receipt: text,
            evidence: BASE64.encode(evidence),
        }
    }

    /// The attestation document. It has to be authenticated before anything here means something.
    ///
    /// # Errors
    /// If it is not base64.
    pub fn evidence(&self) -> Result<Vec<u8>, ReceiptError> {
        BASE64
            .decode(&self.evidence)
            .map_err(|_| ReceiptError::Evidence)
    }

    /// Checks the text against the user data of its evidence, and recomputes the ledger.
    ///
    /// `user_data` is from the document of [`SignedReceipt::evidence`], after that was
    /// authenticated and its measurements were compared. Whether room and agreement are the
    /// expected ones remains for the caller to compare.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn check(&self, user_data: &[u8]) -> Result<CheckedReceipt, ReceiptError> {
        // First of all: what the evidence does not vouch for is not even parsed.
        if receipt_user_data(&self.receipt) != user_data {
            return Err(ReceiptError::NotVouchedFor);
        }
        if self.receipt.len() > MAX_TEXT {
            return Err(ReceiptError::Form);
        }
        let receipt: Receipt =
            serde_json::from_str(&self.receipt).map_err(|_| ReceiptError::Form)?;
        // Written anew and compared: a text with a repeated key or other spaces could be read in
        // two ways.
        if receipt.version != RECEIPT_VERSION || receipt.to_text() != self.receipt {
            return Err(ReceiptError::Form);
        }
        check_parties(&receipt.parties)?;
        receipt.ledger.check()?;
        Ok(CheckedReceipt(receipt))
    }
}

impl CheckedReceipt {
    /// Returns the receipt that was checked.
    pub fn receipt(&self) -> &Receipt {
        &self.0
    }
}

fn check_parties(parties: &[ReceiptParty]) -> Result<(), ReceiptError> {
    let distinct = parties.iter().enumerate().all(|(place, party)| {
        parties[..place]
            .iter()
            .all(|other| other.name != party.name && other.key != party.key)
    });
    if parties.len() < 2 || !distinct {
        return Err(ReceiptError::Parties);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use privacy::{Accounting, Counts, Delta, Epsilon, Ledger, LedgerOptions, NoiseRng};
    use serde_json::json;

    use super::*;

    fn receipt() -> Receipt {
        let mut ledger = Ledger::open(LedgerOptions::new(
            Epsilon::new(3.0).unwrap(),
            Delta::new(1e-9).unwrap(),
            Accounting::Zcdp,
        ))
        .unwrap();
        let mut rng = NoiseRng::from_os().unwrap();
        let counts = Counts::from_exact(vec![3, 4, 5]);
        for part in 1..4 {
            let rho = ledger.total().share(1, 7 + part);
            ledger
                .measure("one-way `Alice_age`", &counts, rho, &mut rng)
                .unwrap();
        }
        let party = |name: &str, byte| ReceiptParty {
            name: name.to_owned(),
            key: KeyFingerprint::from_bytes([byte; 32]),
            input: Digest::from_bytes([byte; 48]),
        };
        let params = json!({"rounds": 3, "share": 0.1})
            .as_object()
            .unwrap()
            .clone();
        Receipt {
            version: RECEIPT_VERSION,
            room: RoomId::from_bytes([7; 32]),
            agreement_sha384: AgreementHash::from_bytes([8; 48]),
            parties: vec![party("Alice", 1), party("Bob", 2)],
            method: "MST".to_owned(),
            params,
            ledger: ledger.close(),
            model: Digest::from_bytes([9; 48]),
            samples: vec![ReceiptSamples {
                user: "Alice".to_owned(),
                requests: 2,
                rows: 1100,
            }],
        }
    }

    fn check_text(text: &str) -> Result<CheckedReceipt, ReceiptError> {
        SignedReceipt::new(text.to_owned(), b"document").check(&receipt_user_data(text))
    }

    #[test]
    fn a_true_receipt_holds_and_says_what_it_said() {
        let receipt = receipt();
        let signed = SignedReceipt::new(receipt.to_text(), b"document");
        assert_eq!(signed.evidence().unwrap(), b"document");
        let read: SignedReceipt =
            serde_json::from_str(&serde_json::to_string(&signed).unwrap()).unwrap();
        let checked = read.check(&receipt_user_data(&signed.receipt)).unwrap();
        assert_eq!(checked.receipt(), &receipt);
    }

    #[test]
    fn any_one_changed_byte_is_noticed() {
        let text = receipt().to_text();
        let user_data = receipt_user_data(&text);
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 1;
            let changed = String::from_utf8(bytes).expect("the text is ASCII and stays so");
            let signed = SignedReceipt::new(changed, b"document");
            assert_eq!(
                signed.check(&user_data),
                Err(ReceiptError::NotVouchedFor),
                "byte {place}"
            );
        }
    }

    #[test]
    fn user_data_of_something_else_does_not_vouch() {
        let text = receipt().to_text();
        let signed = SignedReceipt::new(text.clone(), b"document");
        let hash = digest::digest(&digest::SHA384, text.as_bytes());
        for other in [&b""[..], hash.as_ref(), b"synclave receipt v1"] {
            assert_eq!(signed.check(other), Err(ReceiptError::NotVouchedFor));
        }
    }

    #[test]
    fn a_text_that_evidence_vouches_for_must_still_be_canonical_and_add_up() {
        let mut value = serde_json::to_value(receipt()).unwrap();
        let text = receipt().to_text();
        assert_eq!(
            check_text(&text.replacen(':', ": ", 1)),
            Err(ReceiptError::Form)
        );
        assert_eq!(check_text("{}"), Err(ReceiptError::Form));
        assert_eq!(
            check_text(&text.replacen("\"version\":1", "\"version\":2", 1)),
            Err(ReceiptError::Form)
        );

        let mut overspent = receipt();
        value["ledger"]["spent"] = json!(0.0);
        overspent.ledger = serde_json::from_value(value["ledger"].clone()).unwrap();
        assert_eq!(
            check_text(&overspent.to_text()),
            Err(ReceiptError::Ledger(RecordError::Sum))
        );

        let mut alone = receipt();
        alone.parties.truncate(1);
        assert_eq!(check_text(&alone.to_text()), Err(ReceiptError::Parties));
        let mut twice = receipt();
        twice.parties[1].key = twice.parties[0].key;
        assert_eq!(check_text(&twice.to_text()), Err(ReceiptError::Parties));
    }

    #[test]
    fn evidence_that_is_not_base64_is_refused() {
        let signed = SignedReceipt {
            receipt: String::new(),
            evidence: "*".to_owned(),
        };
        assert_eq!(signed.evidence(), Err(ReceiptError::Evidence));
    }
}
