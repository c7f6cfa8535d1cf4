//! What was checked of the room, for the page.

use std::sync::{Mutex, MutexGuard, PoisonError};

use attestation::UnixTime;
use client::{Error, Refused, VerifiedChannel};
use serde_json::{Map, Value, json};

use crate::trust::RootInWords;
use crate::{exit, moment};

/// The only platform that there is a verifier for.
const PLATFORM: &str = "nitro";
/// Groups of four digits that two people read to each other of a hash: 128 bits, for which nobody
/// finds another image or agreement by trying.
const HASH_GROUPS: usize = 8;
/// The same of a room's id, which the enclave draws and nobody can choose: it is told from others.
const ROOM_GROUPS: usize = 3;

/// The evidence that held, and the latest that did not.
pub(super) struct EvidenceRecord {
    root: RootInWords,
    latest: Mutex<Latest>,
}

struct Latest {
    verified: Option<VerifiedChannel>,
    checked: UnixTime,
    refusal: Option<Value>,
}

impl EvidenceRecord {
    /// Of a room that has just been verified under `root`.
    pub(super) fn held(verified: VerifiedChannel, root: RootInWords) -> Self {
        let latest = Latest {
            verified: Some(verified),
            checked: UnixTime::now(),
            refusal: None,
        };
        Self {
            root,
            latest: Mutex::new(latest),
        }
    }

    /// Of a room that never was.
    pub(super) fn refused(error: &Error, root: RootInWords) -> Self {
        let checked = UnixTime::now();
        let latest = Latest {
            verified: None,
            checked,
            refusal: Some(refusal(error, checked)),
        };
        Self {
            root,
            latest: Mutex::new(latest),
        }
    }

    /// Takes in what a further connection has shown.
    pub(super) fn hold(&self, verified: VerifiedChannel) {
        let mut latest = self.lock();
        *latest = Latest {
            verified: Some(verified),
            checked: UnixTime::now(),
            refusal: None,
        };
    }

    /// Takes in that a further connection was refused.
    pub(super) fn refuse(&self, error: &Error) {
        let mut latest = self.lock();
        latest.checked = UnixTime::now();
        latest.refusal = Some(refusal(error, latest.checked));
    }

    pub(super) fn document(&self) -> Value {
        let latest = self.lock();
        let (mut steps, mut measurements) = (Vec::new(), Map::new());
        if let Some(verified) = &latest.verified {
            for step in verified.steps() {
                steps.push(json!({"name": step.check(), "text": step.to_string()}));
            }
            // They were compared, so that they are there.
            for register in verified.attested().program().unwrap_or_default() {
                measurements.insert(register.name, hex::encode(register.value).into());
            }
        }
        let first = measurements.values().next().and_then(Value::as_str);
        json!({
            "held": latest.refusal.is_none(),
            "checked_at": moment::format(latest.checked),
            "platform": PLATFORM,
            "root": self.root.words,
            "hardware": self.root.hardware,
            "steps": steps,
            "measurements_short": first.map(spoken_hash).unwrap_or_default(),
            "measurements": measurements,
            "refusal": latest.refusal,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The beginning of the hash of an image or an agreement, as it is read out on the telephone.
pub(super) fn spoken_hash(hex: &str) -> String {
    spoken(hex, HASH_GROUPS)
}

/// The beginning of a room's id, as it is read out on the telephone.
pub(super) fn spoken_room(hex: &str) -> String {
    spoken(hex, ROOM_GROUPS)
}

fn spoken(hex: &str, groups: usize) -> String {
    let groups = hex.as_bytes().chunks(4).take(groups);
    let groups: Vec<_> = groups.map(String::from_utf8_lossy).collect();
    groups.join(" ")
}

/// Whether it was the evidence that was wrong, or what it speaks of, and not the way there.
pub(crate) fn is_refusal(error: &Error) -> bool {
    match error {
        Error::Refused(refused) => {
            !matches!(refused, Refused::Closed | Refused::Io(_) | Refused::Tls(_))
        }
        Error::ServedAgreement => true,
        _ => false,
    }
}

fn refusal(error: &Error, at: UnixTime) -> Value {
    let check = match error {
        Error::Refused(refused) => check(refused),
        _ => "agreement",
    };
    json!({
        "check": check,
        "code": exit::of_client(error).code(),
        "text": error.to_string(),
        "at": moment::format(at),
    })
}

/// What was checked when it was refused, by the names of the steps where there is one.
fn check(refused: &Refused) -> &'static str {
    match refused {
        Refused::NotRegistered => "your key",
        Refused::WrongProtocol
        | Refused::OldTls
        | Refused::Tls(_)
        | Refused::Closed
        | Refused::Io(_) => "channel",
        Refused::Evidence(refusal) => refusal.slug(),
        Refused::Binding(_) => "connection",
        Refused::WrongServerKey => "server key",
        Refused::WrongNonce => "nonce",
        Refused::Relayed => "connection",
        Refused::WrongAgreement { .. } => "agreement",
        Refused::WrongRoom { .. } => "room",
    }
}

#[cfg(test)]
mod tests {
    use attestation::Refusal;
    use client::{Error, Refused};

    use super::{EvidenceRecord, is_refusal, spoken_hash, spoken_room};
    use crate::trust::RootInWords;

    #[test]
    fn what_is_read_out_is_the_beginning_in_groups() {
        let hash = "1a2b3c4d5e6f7788".repeat(6);
        assert_eq!(
            spoken_hash(&hash),
            "1a2b 3c4d 5e6f 7788 1a2b 3c4d 5e6f 7788"
        );
        assert_eq!(spoken_room(&hash), "1a2b 3c4d 5e6f");
        assert_eq!(spoken_hash("1a2"), "1a2");
    }

    #[test]
    fn a_refusal_says_what_was_checked_and_with_which_exit_code() {
        let error = Error::Refused(Refused::Relayed);
        assert!(is_refusal(&error));
        let document = EvidenceRecord::refused(&error, RootInWords::of(None)).document();
        assert_eq!(document["held"], false);
        assert_eq!(document["hardware"], true);
        assert_eq!(document["refusal"]["check"], "connection");
        assert_eq!(document["refusal"]["code"], 33);
        assert_eq!(document["measurements_short"], "");
        let register = "PCR0".to_owned();
        let debug = Error::Refused(Refused::Evidence(Refusal::DebugMode { register }));
        let document = EvidenceRecord::refused(&debug, RootInWords::dangerous("a")).document();
        assert_eq!(document["hardware"], false);
        assert_eq!(document["refusal"]["check"], "debug-mode");
        assert!(!is_refusal(&Error::Lost));
        assert!(!is_refusal(&Error::Refused(Refused::Closed)));
    }
}
