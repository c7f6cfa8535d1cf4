//! The bodies of replies, as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::agreement::Agreement;
use crate::names::{AgreementHash, Digest, RoomId, Salt};

/// `{"message": ...}`, as to `/confirm_data`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// What was done, as one sentence.
    pub message: String,
}

/// The reply to `/upload_data`, to the owner only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadReply {
    /// `Upload completed`.
    pub message: String,
    /// Number of rows that were read.
    pub rows: u64,
    /// How the file was read: its format, what separates its fields, its encoding and compression,
    /// such as `CSV separated by semicolons, in UTF-8, compressed with gzip`.
    pub read_as: String,
    /// What the ids look like, so that parties can compare that before they spend anything.
    pub ids: IdForms,
    /// What the owner should know about the table, such as values outside the declared domain.
    pub warnings: Vec<String>,
    /// What the receipt will say about this file.
    pub commitment: Commitment,
}

/// What the ids of a table look like; to its owner only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdForms {
    /// How many different ids there are, as they are compared.
    pub distinct: u64,
    /// As they stand in the file.
    pub written: IdForm,
    /// As they are compared, where the agreement normalises them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<IdForm>,
    /// The same for a person, such as `300 different ids: 1 to 3 characters, all digits, none
    /// padded with zeros`.
    pub in_words: String,
}

/// The form of ids; what is counted are rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdForm {
    /// The fewest characters of an id.
    pub shortest: u64,
    /// The most characters of an id.
    pub longest: u64,
    /// Ids of digits alone.
    pub digits: u64,
    /// Ids of letters alone.
    pub letters: u64,
    /// Ids that begin with a zero and go on.
    pub leading_zeros: u64,
    /// Ids with white space around them.
    pub outer_blanks: u64,
    /// Ids with white space in them.
    pub inner_blanks: u64,
}

/// `digest` = SHA-384(`salt` || the bytes of the file). Status and receipt show the digest; only
/// the owner is told the salt, so that nobody else can try out guesses of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    /// Drawn afresh for every upload.
    pub salt: Salt,
    /// The commitment itself.
    pub digest: Digest,
}

/// The reply to `/columns`: one party's columns, as a table to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnsReply {
    /// Name of the party.
    pub user: String,
    /// Names of its columns in the joined table, such as `Alice_buying`.
    pub columns: Vec<String>,
    /// The k-th row holds the k-th category (or bin) of each column, `""` where a column has fewer.
    /// These come from the agreement or were discovered under the budget; they are not rows of
    /// anybody's table. At most 1,000 are shown.
    pub rows: Vec<Vec<String>>,
}

/// The reply to `/details`: what was agreed, and what it promises.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// Name of the method.
    pub method: String,
    /// The whole budget.
    pub epsilon: f64,
    /// Parameters of the method.
    pub params: Map<String, Value>,
    /// The data providers, in the order of the agreement.
    pub party_names: Vec<String>,
    /// The whole budget.
    pub delta: f64,
    /// Name of the column that says whose a row is.
    pub key: String,
    /// Rows that one id may have in each party's table.
    pub max_rows_per_id: BTreeMap<String, u32>,
    /// Rows that one id may then have in the joined table, for which the noise is made.
    pub rows_per_id: u32,
    /// What is done to ids before they are compared, besides taking away the spaces around them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub id_normalise: Vec<String>,
    /// How it is tested before training whether enough rows meet, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_rows: Option<MinimumRows>,
    /// The declared columns of each party; no entry for a party whose columns are discovered.
    pub columns: Map<String, Value>,
    /// What no synthetic row looks like, besides the constraints that stand among a party's
    /// columns: a list.
    pub constraints: Value,
    /// Share of the budget that finding out undeclared columns or bins costs at most, if anything
    /// is to be found out.
    pub discovery_share: Option<f64>,
    /// The marginals that matter, by columns of the joined table; absent if it is all pairs, or the
    /// method takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Value>,
    /// The column that the synthetic data should suit to predict, if one is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// For whom the guarantee holds, in words.
    pub neighbouring_relation: String,
    /// Seconds without an upload, a confirmation or a withdrawal after which the room overwrites
    /// the uploads and closes, unless training has started.
    pub expires_after_seconds: u64,
    /// What requests may ask for.
    pub limits: DetailsLimits,
    /// The name of this room.
    pub room: RoomId,
    /// The name of the agreement.
    pub agreement_sha384: AgreementHash,
}

/// How it is tested whether enough rows meet: their number gets Gaussian noise, which is paid for,
/// and passes if that reaches the threshold. Only whether it does is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MinimumRows {
    /// What was agreed: a join of as many rows fails one test with a probability of at most
    /// `error`.
    pub rows: u32,
    /// How many tests there can be.
    pub tests: u32,
    /// Share of the budget that each takes. What is not used goes into the model.
    pub share: f64,
    /// What the noisy number must reach.
    pub threshold: i64,
    /// Standard deviation of the noise.
    pub sigma: f64,
    /// An empty join passes one test with a probability of at most this.
    pub error: f64,
}

/// Limits that a caller can run into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetailsLimits {
    /// Bytes of one uploaded file.
    pub max_upload_bytes: u64,
    /// Rows of one uploaded file.
    pub max_rows: u64,
    /// Columns of one uploaded file.
    pub max_columns: u64,
    /// Rows of one request for samples.
    pub max_samples: u64,
    /// Bytes of the enclave's memory for everything of one party: in a room always there, and of an
    /// agreement by itself where it names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_party_memory_bytes: Option<u64>,
}

/// How far the room has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// At least one party has not uploaded.
    AwaitingData,
    /// All have uploaded, at least one has not confirmed.
    AwaitingConfirmation,
    /// The model is being fitted.
    Training,
    /// There is a model.
    Trained,
    /// Training ended without a model.
    Failed,
    /// The parties did nothing for longer than agreed; what they had uploaded is overwritten.
    Expired,
}

impl Phase {
    /// The words of `/model_status`.
    pub fn words(self) -> &'static str {
        match self {
            Phase::AwaitingData => "awaiting data",
            Phase::AwaitingConfirmation => "awaiting confirmation",
            Phase::Training => "training",
            Phase::Trained => "trained",
            Phase::Failed => "failed",
            Phase::Expired => "expired",
        }
    }

    /// Whether nothing more will change.
    pub fn is_final(self) -> bool {
        matches!(self, Phase::Trained | Phase::Failed | Phase::Expired)
    }
}

/// The reply to `/status`, and each event of `/events` (there without `you`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// How far the room has come.
    pub status: Phase,
    /// The parties, in the order of the agreement.
    pub parties: Vec<PartyStatus>,
    /// While training: how far.
    pub progress: Option<TrainingProgress>,
    /// Where the agreement has `minimum_rows`: which tests were made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_tests: Option<RowTests>,
    /// About the one who asks, if that is a data provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub you: Option<Yourself>,
}

impl Status {
    /// The words of `/model_status`: those of the phase, and what a test of the rows that met has
    /// to do with it.
    pub fn words(&self) -> String {
        let phase = self.status.words();
        let tests = self.row_tests.as_ref().filter(|tests| tests.made > 0);
        match (self.status, tests) {
            (Phase::AwaitingData | Phase::AwaitingConfirmation, Some(tests)) => format!(
                "{phase} (in test {} of {} fewer rows met than minimum_rows; upload again)",
                tests.made,
                tests.made + tests.left
            ),
            (Phase::Failed, Some(tests)) if tests.left == 0 => format!(
                "{phase} (in {} tests fewer rows met than minimum_rows)",
                tests.made
            ),
            _ => phase.to_owned(),
        }
    }
}

/// Tests of whether enough rows meet. All but the last of those made have failed, and the last has
/// as well unless there is a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowTests {
    /// What was agreed.
    pub minimum_rows: u32,
    /// Tests that were made.
    pub made: u32,
    /// Tests that can still be made.
    pub left: u32,
    /// What the tests that failed have spent, as a guarantee in words. A model's ledger has them
    /// among its entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guarantee: Option<String>,
}

/// What everybody may know about a party's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyStatus {
    /// Name of the party.
    pub name: String,
    /// Whether it has uploaded a table.
    pub uploaded: bool,
    /// Whether it has confirmed it.
    pub confirmed: bool,
    /// What its table is committed to by (see [`Commitment`]), if there is one: another for every
    /// upload. The salt is the owner's alone.
    pub commitment: Option<Digest>,
}

/// How far training is. Coarse, as what takes long can depend on the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingProgress {
    /// What is being done.
    pub stage: String,
    /// How much of this stage is done, in tenths.
    pub tenths: u8,
}

/// What only the owner is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Yourself {
    /// Name of the party.
    pub name: String,
    /// The commitment to the table that the room holds or has trained on, if there is one.
    pub commitment: Option<Commitment>,
    /// The rows of that table which take part in the join if their ids meet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// How many rows met, once there is a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<JoinedRows>,
}

/// How many rows the joined table has, by the noisy counts of the model, beside the party's own
/// number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinedRows {
    /// The noisy number, as the report has it.
    pub estimate: u64,
    /// The true number is between these with a probability of 95 %, over the noise.
    pub between: [u64; 2],
    /// For a person, such as `about 2005 of your 3000 rows met (95 %: 1990 to 2020)`.
    pub in_words: String,
}

/// The reply to `/agreement`: the two files byte for byte. Whoever relies on the name computes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementReply {
    /// The two files.
    #[serde(flatten)]
    pub agreement: Agreement,
    /// What the room says the name is.
    pub agreement_sha384: AgreementHash,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agreement_is_read_back_from_its_reply() {
        let agreement = Agreement::new("a: 1\n", "b: 2\n").unwrap();
        let reply = AgreementReply {
            agreement_sha384: agreement.sha384(),
            agreement,
        };
        let json = serde_json::to_value(&reply).unwrap();
        assert_eq!(json["service_yaml"], "a: 1\n");
        assert_eq!(json["runtime_yaml"], "b: 2\n");
        assert_eq!(
            serde_json::from_value::<AgreementReply>(json).unwrap(),
            reply
        );
    }

    #[test]
    fn phases_are_told_in_the_workshops_words() {
        assert_eq!(Phase::AwaitingData.words(), "awaiting data");
        assert_eq!(
            serde_json::to_value(Phase::AwaitingConfirmation).unwrap(),
            "awaiting_confirmation"
        );
    }
}
