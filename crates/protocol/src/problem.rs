//! What an error looks like to a caller: one sentence for a person, one stable code for a program.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The body of every reply that is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// One sentence: what was wrong and what to do. It may tell the owner of a table about that
    /// table.
    pub detail: String,
    /// What a program goes by.
    pub code: Code,
}

impl Problem {
    /// From its code and sentence.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Problem {
            detail: detail.into(),
            code,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Problem {}

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $slug:literal, $status:literal;)*) => {
        /// Why a request failed. The slugs are stable: none is ever renamed or given another
        /// meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $slug)] $code,)*
        }

        impl Code {
            /// All of them.
            pub const ALL: &'static [Code] = &[$(Code::$code),*];

            /// The stable text of it.
            pub fn slug(self) -> &'static str {
                match self { $(Code::$code => $slug,)* }
            }

            /// The HTTP status that goes with it, always the same.
            pub fn status(self) -> u16 {
                match self { $(Code::$code => $status,)* }
            }
        }
    };
}

codes! {
    /// The request could not be read as HTTP or multipart.
    MalformedRequest = "malformed-request", 400;
    /// A query parameter that the path does not know.
    UnknownParameter = "unknown-parameter", 400;
    /// A query parameter that is out of range, repeated or not of its kind.
    BadParameter = "bad-parameter", 400;
    /// A format of samples that does not exist.
    UnknownFormat = "unknown-format", 400;
    /// A party that is not in the agreement.
    UnknownParty = "unknown-party", 400;
    /// The table has no key column.
    NoKeyColumn = "no-key-column", 400;
    /// Values of the key column repeat.
    RepeatedIds = "repeated-ids", 400;
    /// The table cannot be read.
    UnreadableTable = "unreadable-table", 400;
    /// The upload ended before its end.
    UploadIncomplete = "upload-incomplete", 400;
    /// There is no model yet.
    NotFitted = "not-fitted", 400;
    /// No key, or one that is not in the agreement.
    NotRegistered = "not-registered", 401;
    /// The role may not do this.
    Forbidden = "forbidden", 403;
    /// Nothing at this path.
    NotFound = "not-found", 404;
    /// The path does not answer this method.
    MethodNotAllowed = "method-not-allowed", 405;
    /// The party has confirmed; its table cannot be replaced unless it withdraws that.
    AlreadyConfirmed = "already-confirmed", 409;
    /// There is nothing to confirm.
    NothingUploaded = "nothing-uploaded", 409;
    /// Another party's upload is not the one that the confirmation names.
    UploadsChanged = "uploads-changed", 409;
    /// All have confirmed, so that no confirmation can be withdrawn any more.
    TrainingStarted = "training-started", 409;
    /// The party's other upload is still coming in.
    UploadInProgress = "upload-in-progress", 409;
    /// Training ended without a model, and cannot be repeated in this room.
    TrainingFailed = "training-failed", 409;
    /// The parties did nothing for longer than agreed, so that the room has overwritten what they
    /// uploaded.
    Expired = "expired", 409;
    /// More bytes, rows or columns than agreed.
    TooLarge = "too-large", 413;
    /// Not a content type that is read here.
    UnsupportedMediaType = "unsupported-media-type", 415;
    /// Compressed or otherwise encoded content.
    UnsupportedEncoding = "unsupported-encoding", 415;
    /// The multipart body has no field `file`, or other fields.
    MissingFile = "missing-file", 422;
    /// Too many fields of declared columns are not understood.
    NotUnderstood = "not-understood", 422;
    /// Too many requests of one user at a time.
    TooManyRequests = "too-many-requests", 429;
    /// A fault of the room's own.
    Internal = "internal", 500;
    /// Cannot be answered now, such as when the platform gives no evidence.
    Unavailable = "unavailable", 503;
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn slugs_are_distinct_lower_case_and_what_json_shows() {
        let slugs: HashSet<_> = Code::ALL.iter().map(|code| code.slug()).collect();
        assert_eq!(slugs.len(), Code::ALL.len());
        for code in Code::ALL {
            let slug = code.slug();
            assert!(
                slug.chars().all(|c| c.is_ascii_lowercase() || c == '-'),
                "{slug}"
            );
            assert_eq!(serde_json::to_value(code).unwrap(), serde_json::json!(slug));
            assert!((400..=503).contains(&code.status()));
        }
    }

    #[test]
    fn a_problem_is_a_detail_and_a_code() {
        let problem = Problem::new(Code::NotFitted, "The model is not fitted yet.");
        let json = r#"{"detail":"The model is not fitted yet.","code":"not-fitted"}"#;
        assert_eq!(serde_json::to_string(&problem).unwrap(), json);
    }
}
