//! What the room tells the machine it runs on: a closed list of facts, none of which depends on
//! what the tables hold (but the place in the source where a program error showed, should there be
//! one).

use std::sync::Arc;

use access::Endpoint;
use protocol::Code;
use serde::{Serialize, Serializer};

/// One line of the log. There is no field for a text of a party, a query, an id or a number of
/// rows, and no time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RoomEvent {
    /// A party's table was taken in.
    UploadAccepted {
        /// Its place in `party_names`, from 0.
        party: usize,
    },
    /// A party confirmed its table.
    Confirmed {
        /// Its place in `party_names`, from 0.
        party: usize,
    },
    /// A party took its confirmation back.
    ConfirmationWithdrawn {
        /// Its place in `party_names`, from 0.
        party: usize,
    },
    /// A party's confirmation was for the table that another party has replaced, and holds no more.
    ConfirmationLapsed {
        /// Its place in `party_names`, from 0.
        party: usize,
    },
    /// Nothing has happened for longer than was agreed; what was uploaded is overwritten.
    Expired,
    /// The platform does not say what time it is. Until it does, the steady clock alone ends a room
    /// that waits.
    NoPlatformTime,
    /// All parties have confirmed.
    TrainingStarted,
    /// There is a model.
    TrainingFinished,
    /// Training ended without a model.
    TrainingFailed,
    /// In a test that was paid for, fewer rows met than was agreed, so that nothing was trained.
    TooFewRows {
        /// How often it can be tested again.
        tests_left: u32,
    },
    /// Somebody has asked for samples.
    SamplesRequested,
    /// The platform vouched for the receipt as it now is.
    ReceiptIssued,
    /// A request was answered with an error.
    Refused {
        /// Endpoint of the request, if its path is one.
        #[serde(serialize_with = "serialize_path")]
        path: Option<Endpoint>,
        /// Why. Not told of uploads: what is wrong with a table is between the room and its owner.
        code: Option<Code>,
    },
    /// A part of the program gave up. Its message is not repeated, as it could hold anything.
    Panicked {
        /// File of the source.
        file: String,
        /// Line of the source.
        line: u32,
    },
}

/// Where events go.
pub type Events = Arc<dyn Fn(RoomEvent) + Send + Sync>;

/// From now on panics in this process are told as [`RoomEvent::Panicked`] and in no other way: the
/// message that Rust would print can hold anything, a value of a table included. Those of a file's
/// decoder are told to the file's owner only.
pub fn tell_panics_as_events(events: Events) {
    std::panic::set_hook(Box::new(move |panic| {
        // It ends in a refusal, and why an upload was refused is not for the log.
        if tabular::is_decoding() {
            return;
        }
        let (file, line) = panic
            .location()
            .map_or(("unknown", 0), |place| (place.file(), place.line()));
        events(RoomEvent::Panicked {
            file: file.to_owned(),
            line,
        });
    }));
}

#[expect(clippy::ref_option, reason = "the form that serde asks for")]
fn serialize_path<S: Serializer>(
    endpoint: &Option<Endpoint>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    endpoint.map(Endpoint::path).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(event: &RoomEvent) -> String {
        serde_json::to_string(event).unwrap()
    }

    #[test]
    fn an_event_is_one_flat_json_object() {
        assert_eq!(
            line(&RoomEvent::Confirmed { party: 1 }),
            r#"{"event":"confirmed","party":1}"#
        );
        let refused = RoomEvent::Refused {
            path: Some(Endpoint::Samples),
            code: Some(Code::NotFitted),
        };
        assert_eq!(
            line(&refused),
            r#"{"event":"refused","path":"/samples","code":"not-fitted"}"#
        );
        let refused = RoomEvent::Refused {
            path: None,
            code: Some(Code::NotFound),
        };
        assert_eq!(
            line(&refused),
            r#"{"event":"refused","path":null,"code":"not-found"}"#
        );
    }
}
