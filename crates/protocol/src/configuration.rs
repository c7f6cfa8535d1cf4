//! How the host hands an enclave its agreement: once, over vsock, before anything else.
//!
//! The host is not trusted with it. What arrives is measured by the platform, so that an agreement
//! changed on the way shows in all evidence.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use crate::agreement::{Agreement, AgreementError, MAX_FILE_BYTES};
use crate::names::{AgreementHash, RoomId};

/// The enclave's vsock port for its configuration.
pub const CONFIGURATION_PORT: u32 = 5000;
/// The enclave's vsock port for the parties' connections. It is open once the enclave is
/// configured.
pub const PARTIES_PORT: u32 = 5001;
/// Longest that a [`ConfigurationReply`] may be, with its end of line.
pub const MAX_REPLY_BYTES: usize = 4096;

const GREETING: &[u8; 25] = b"synclave configuration 1\n";

/// Why what came is not a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// It begins in another way.
    #[error("it does not begin as a configuration of version 1")]
    Greeting,
    /// Far longer than any agreement.
    #[error("{file} would have {bytes} bytes, and at most {MAX_FILE_BYTES} are allowed")]
    TooLong {
        /// `service.yaml` or `runtime.yaml`.
        file: &'static str,
        /// Length that the header announces.
        bytes: u32,
    },
    /// It ended early, or did not come in time.
    #[error("it did not arrive whole: {0}")]
    Incomplete(#[from] io::Error),
    /// The files are not an agreement.
    #[error(transparent)]
    Agreement(#[from] AgreementError),
}

/// What the enclave says to a configuration: one line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ConfigurationReply {
    /// The enclave serves this agreement from now on.
    Accepted {
        /// The name of what arrived.
        agreement: AgreementHash,
        /// The room's id.
        room: RoomId,
    },
    /// The enclave does not take it.
    Refused {
        /// A sentence for the operator.
        detail: String,
    },
}

impl Agreement {
    /// The bytes of a configuration: a greeting, then of each file its length (32 bits, big-endian)
    /// and its bytes.
    pub fn to_configuration(&self) -> Vec<u8> {
        let mut bytes = GREETING.to_vec();
        for file in [self.service_yaml(), self.runtime_yaml()] {
            let length = u32::try_from(file.len()).expect("a file is at most MAX_FILE_BYTES long");
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(file.as_bytes());
        }
        bytes
    }

    /// Reads a configuration, and nothing after it.
    ///
    /// # Errors
    /// [`ConfigurationError`]; no more than what is allowed is read or kept.
    pub fn from_configuration(mut from: impl Read) -> Result<Self, ConfigurationError> {
        let mut greeting = [0; GREETING.len()];
        from.read_exact(&mut greeting)?;
        if greeting != *GREETING {
            return Err(ConfigurationError::Greeting);
        }
        let service = read_file("service.yaml", &mut from)?;
        let runtime = read_file("runtime.yaml", &mut from)?;
        Ok(Agreement::new(service, runtime)?)
    }
}

fn read_file(file: &'static str, from: &mut impl Read) -> Result<Vec<u8>, ConfigurationError> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let bytes = u32::from_be_bytes(length);
    // Before allocating: the length is the host's word.
    let length = usize::try_from(bytes)
        .ok()
        .filter(|length| *length <= MAX_FILE_BYTES)
        .ok_or(ConfigurationError::TooLong { file, bytes })?;
    let mut content = vec![0; length];
    from.read_exact(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> String {
        Agreement::from_configuration(bytes)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn what_is_sent_arrives_and_the_rest_is_left() {
        let agreement = Agreement::new("a: \u{e9}", "b: 1\n").unwrap();
        let mut bytes = agreement.to_configuration();
        bytes.extend_from_slice(b"more");
        let mut rest = bytes.as_slice();
        assert_eq!(Agreement::from_configuration(&mut rest).unwrap(), agreement);
        assert_eq!(rest, b"more");
    }

    #[test]
    fn what_is_short_long_or_something_else_is_refused() {
        let whole = Agreement::new("a: 1", "b: 1").unwrap().to_configuration();
        for end in 0..whole.len() {
            assert!(
                refusal(&whole[..end]).starts_with("it did not arrive whole"),
                "{end}"
            );
        }
        assert_eq!(
            refusal(b"GET / HTTP/1.1\r\nHost: enclave\r\n\r\n"),
            "it does not begin as a configuration of version 1"
        );
        let mut long = whole.clone();
        long[GREETING.len()..GREETING.len() + 4].copy_from_slice(&[0xff; 4]);
        assert_eq!(
            refusal(&long),
            "service.yaml would have 4294967295 bytes, and at most 1048576 are allowed"
        );
        let mut no_text = whole;
        *no_text.last_mut().unwrap() = 0xff;
        assert_eq!(refusal(&no_text), "runtime.yaml is not UTF-8 text");
    }

    #[test]
    fn a_reply_is_one_line_of_json() {
        let reply = ConfigurationReply::Refused {
            detail: "no".to_owned(),
        };
        let json = serde_json::to_string(&reply).unwrap();
        assert_eq!(json, r#"{"refused":{"detail":"no"}}"#);
        assert_eq!(
            serde_json::from_str::<ConfigurationReply>(&json).unwrap(),
            reply
        );
    }
}
