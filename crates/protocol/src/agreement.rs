//! The agreement: two files, byte for byte, and their common name.

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use crate::names::{AgreementHash, fixed};

/// Longest that either file may be.
pub const MAX_FILE_BYTES: usize = 1 << 20;

/// The exact bytes of `service.yaml` and `runtime.yaml`. They are UTF-8 and at most
/// [`MAX_FILE_BYTES`] each; nothing else about them is checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Files", into = "Files")]
pub struct Agreement {
    service_yaml: String,
    runtime_yaml: String,
}

/// Why two files are not an agreement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgreementError {
    /// A file is not UTF-8 text.
    #[error("{file} is not UTF-8 text")]
    NotUtf8 {
        /// `service.yaml` or `runtime.yaml`.
        file: &'static str,
    },
    /// Far longer than any agreement.
    #[error("{file} is longer than {MAX_FILE_BYTES} bytes")]
    TooLong {
        /// `service.yaml` or `runtime.yaml`.
        file: &'static str,
    },
}

impl Agreement {
    /// From the bytes of the two files.
    ///
    /// # Errors
    /// A file that is not UTF-8, or too long.
    pub fn new(
        service_yaml: impl Into<Vec<u8>>,
        runtime_yaml: impl Into<Vec<u8>>,
    ) -> Result<Self, AgreementError> {
        Ok(Agreement {
            service_yaml: text("service.yaml", service_yaml.into())?,
            runtime_yaml: text("runtime.yaml", runtime_yaml.into())?,
        })
    }

    /// The text of `service.yaml`.
    pub fn service_yaml(&self) -> &str {
        &self.service_yaml
    }

    /// The text of `runtime.yaml`.
    pub fn runtime_yaml(&self) -> &str {
        &self.runtime_yaml
    }

    /// Its name: SHA-384 of `"synclave agreement v1"`, then of each file its length in bytes (64
    /// bits, big-endian) and its bytes, `service.yaml` first.
    pub fn sha384(&self) -> AgreementHash {
        let mut hash = digest::Context::new(&digest::SHA384);
        hash.update(b"synclave agreement v1");
        for file in [&self.service_yaml, &self.runtime_yaml] {
            // With lengths, so that no byte can move from the end of one file to the beginning of
            // the other under the same hash.
            let length = u64::try_from(file.len()).expect("a file is at most MAX_FILE_BYTES long");
            hash.update(&length.to_be_bytes());
            hash.update(file.as_bytes());
        }
        AgreementHash::from_bytes(fixed(hash.finish()))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Files {
    service_yaml: String,
    runtime_yaml: String,
}

impl TryFrom<Files> for Agreement {
    type Error = AgreementError;

    fn try_from(files: Files) -> Result<Self, AgreementError> {
        Agreement::new(files.service_yaml, files.runtime_yaml)
    }
}

impl From<Agreement> for Files {
    fn from(agreement: Agreement) -> Files {
        Files {
            service_yaml: agreement.service_yaml,
            runtime_yaml: agreement.runtime_yaml,
        }
    }
}

fn text(file: &'static str, bytes: Vec<u8>) -> Result<String, AgreementError> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(AgreementError::TooLong { file });
    }
    String::from_utf8(bytes).map_err(|_| AgreementError::NotUtf8 { file })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(service: &str, runtime: &str) -> AgreementHash {
        Agreement::new(service, runtime).unwrap().sha384()
    }

    #[test]
    fn bytes_cannot_move_from_one_file_to_the_other() {
        assert_ne!(hash("ab", "c"), hash("a", "bc"));
        assert_ne!(hash("abc", ""), hash("", "abc"));
        assert_ne!(hash("a", "b"), hash("b", "a"));
        assert_ne!(hash("a", "b"), hash("a", "b\n"));
        assert_eq!(hash("a", "b"), hash("a", "b"));
    }

    #[test]
    fn the_name_of_a_known_agreement_stays_what_it_is() {
        // (printf 'synclave agreement v1\0\0\0\0\0\0\0\1a\0\0\0\0\0\0\0\2bc') | sha384sum
        let expected = "fa9e301e4deafa69750191044357037de151dc6f55aee54006ffe2e327e116d2c0ca9bf459912301fcbb80c1c9e64bb9";
        assert_eq!(hash("a", "bc").to_string(), expected);
    }

    #[test]
    fn files_that_are_not_text_or_too_long_are_refused() {
        assert_eq!(
            Agreement::new([0xff], ""),
            Err(AgreementError::NotUtf8 {
                file: "service.yaml"
            })
        );
        let long = vec![b'#'; MAX_FILE_BYTES + 1];
        assert_eq!(
            Agreement::new("", long),
            Err(AgreementError::TooLong {
                file: "runtime.yaml"
            })
        );
    }

    #[test]
    fn it_survives_json_byte_for_byte() {
        let agreement = Agreement::new("a: \"\u{e9}\"\r\n", "b: 1 # \u{1f600}\t\n").unwrap();
        let json = serde_json::to_string(&agreement).unwrap();
        assert_eq!(serde_json::from_str::<Agreement>(&json).unwrap(), agreement);
    }
}
