//! Problems as HTTP replies.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::{Code, Problem};

/// A problem on its way out; `?` in a handler makes one.
#[derive(Debug)]
pub(crate) struct Refusal {
    problem: Problem,
    /// For 405: the methods that are answered.
    allow: Option<String>,
}

pub(crate) type Reply<T> = Result<T, Refusal>;

impl Refusal {
    pub(crate) fn method(problem: Problem, allowed: &[&str]) -> Self {
        Refusal {
            problem,
            allow: Some(allowed.join(", ")),
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Refusal {
            problem,
            allow: None,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = self.problem.code;
        let status = StatusCode::from_u16(code.status()).expect("the codes' statuses are valid");
        let mut response = (status, axum::Json(self.problem)).into_response();
        if let Some(allow) = self
            .allow
            .and_then(|allow| HeaderValue::from_str(&allow).ok())
        {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        // For the log, which tells the code and nothing else.
        response.extensions_mut().insert(code);
        response
    }
}

/// The one sentence for whatever is our own fault.
pub(crate) fn internal() -> Problem {
    Problem::new(
        Code::Internal,
        "The room made a mistake of its own; the request had no effect it could not finish.",
    )
}
