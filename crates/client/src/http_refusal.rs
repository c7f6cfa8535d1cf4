//! What the proxy itself answers, in the room's own form.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use crate::{Error, Refused};

/// A status, a stable code for programs, and a sentence for a person: `{"detail": .., "code": ..}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRefusal {
    /// Of HTTP.
    pub status: StatusCode,
    /// What a program goes by.
    pub code: &'static str,
    /// What was wrong and what to do, for a person.
    pub detail: String,
}

impl HttpRefusal {
    /// From its three parts.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
        }
    }

    /// The reply that says so, in JSON.
    pub fn into_response(self) -> Response<Full<Bytes>> {
        let body = serde_json::json!({ "detail": self.detail, "code": self.code }).to_string();
        // In the room's own form, so that a program has one kind of error to read.
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = self.status;
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
            .headers_mut()
            // A refusal of now says nothing about later.
            .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

impl From<&Error> for HttpRefusal {
    fn from(error: &Error) -> Self {
        let (status, code) = match error {
            Error::Refused(Refused::Closed | Refused::Io(_) | Refused::Tls(_)) => {
                (StatusCode::BAD_GATEWAY, "room-unreachable")
            }
            Error::Refused(_) | Error::ServedAgreement | Error::Reply { .. } => {
                (StatusCode::BAD_GATEWAY, "room-refused")
            }
            Error::ConnectDeadline { .. } | Error::Silent => {
                (StatusCode::GATEWAY_TIMEOUT, "room-silent")
            }
            Error::Busy => (StatusCode::SERVICE_UNAVAILABLE, "too-busy"),
            Error::Lost => (StatusCode::BAD_GATEWAY, "room-lost"),
            _ => (StatusCode::BAD_GATEWAY, "room-unreachable"),
        };
        let detail = match error {
            Error::Refused(refused) if code == "room-refused" => format!(
                "What answers at the enclave's address is not the room that was verified, so \
                 nothing was sent to it: {refused}. If the \
                 enclave was restarted, its old room and the data in it are gone; connect again."
            ),
            other if code == "room-unreachable" => format!(
                "The enclave that was verified cannot be reached: {other}. If it was stopped, its \
                 room and the data in it are gone: then \
                 connect again, to the room that takes its place. If it was not, try again."
            ),
            other => format!("{other}."),
        };
        Self::new(status, code, detail)
    }
}
