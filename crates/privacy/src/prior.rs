//! What a fit started from besides its own table, and what that adds to the guarantee.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::record::LedgerRecord;

/// The public data that a fit started from.
///
/// Nothing here can tell whose data a file holds: [`People`] is the word of whoever ran the fit.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Prior {
    // Skipped in writing, so that records of older programs read as "not recorded" and never as
    // "none".
    /// The record is of a program that did not write it down: there may have been public data or
    /// not.
    #[default]
    #[serde(skip)]
    NotRecorded,
    /// The fit started from no public data.
    None,
    /// A table, of other people than those of the ledger. Its rows were used without noise.
    Table {
        /// SHA-384 of the table's file.
        sha384: FileDigest,
    },
    /// The fit started from an earlier model.
    Model {
        /// SHA-384 of the model's file.
        sha384: FileDigest,
        /// Whether the model may be of the same people as this fit.
        people: People,
        /// What was spent on it, and what it started from in its turn.
        ledger: Box<LedgerRecord>,
    },
}

const NOT_RECORDED: &str = "not recorded: the program that wrote this did not say whether the fit \
    started from public data";

/// Whom an earlier model tells of, beside the ledger's own people.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum People {
    /// None of them: neither the model nor anything that it was made from.
    Other,
    /// Perhaps the same people, so that what was spent on them then counts as well.
    PerhapsTheSame,
}

impl Prior {
    /// The spends that count besides the ledger's own: those of a model that may be of the same
    /// people.
    #[must_use]
    pub fn counted(&self) -> Option<&LedgerRecord> {
        match self {
            Self::Model {
                people: People::PerhapsTheSame,
                ledger,
                ..
            } => Some(ledger),
            _ => None,
        }
    }

    /// What the fit started from, and what that was made from in its turn: a clause for each file,
    /// none where there was no public data.
    #[must_use]
    pub fn in_words(&self) -> Vec<String> {
        let mut clauses = Vec::new();
        let mut prior = self;
        loop {
            let next = match prior {
                Self::None => return clauses,
                Self::NotRecorded => {
                    clauses.push(NOT_RECORDED.to_owned());
                    return clauses;
                }
                Self::Table { sha384 } => {
                    clauses.push(format!(
                        "a table (SHA-384 {sha384}), declared to be of other people"
                    ));
                    return clauses;
                }
                Self::Model {
                    sha384,
                    people,
                    ledger,
                } => {
                    let whose = match people {
                        People::Other => "declared to be of other people",
                        People::PerhapsTheSame => "perhaps of the same people, so that it counts",
                    };
                    clauses.push(format!(
                        "a model (SHA-384 {sha384}) that spent epsilon {} with delta {} by {}, \
                         {whose}",
                        ledger.epsilon(),
                        ledger.delta(),
                        ledger.accounting()
                    ));
                    ledger.prior()
                }
            };
            prior = next;
        }
    }

    /// How many files the ledger goes back to, one made from the next.
    #[must_use]
    pub fn depth(&self) -> usize {
        match self {
            Self::NotRecorded | Self::None => 0,
            Self::Table { .. } => 1,
            Self::Model { ledger, .. } => 1 + ledger.prior().depth(),
        }
    }

    pub(crate) fn is_not_recorded(&self) -> bool {
        matches!(self, Self::NotRecorded)
    }
}

/// The SHA-384 of a file, in hexadecimal when written.
#[derive(Clone, Copy, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileDigest([u8; 48]);

impl FileDigest {
    /// The digest with these 48 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 48]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for FileDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for FileDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileDigest({self})")
    }
}

impl From<FileDigest> for String {
    fn from(digest: FileDigest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for FileDigest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut bytes = [0; 48];
        hex::decode_to_slice(&text, &mut bytes)
            .map(|()| Self(bytes))
            .map_err(|_| "expected 96 hexadecimal digits")
    }
}
