//! HTTP in front of the room: who asks, what for, and the reply.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use access::{Authorized, Denied, Endpoint};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any};
use axum::{Extension, Json, Router};
use futures_util::{FutureExt, Stream, stream};
use protocol::{
    AgreementReply, Code, ColumnsReply, Details, Message, Phase, Problem, SignedReceipt, Status,
    UploadReply,
};

use tabular::Format;

use crate::event::RoomEvent;
use crate::query::Parameters;
use crate::receipt::signed_receipt;
use crate::reply::{Refusal, Reply, internal};
use crate::room::Room;
use crate::samples::{FORMATS, stream_samples};
use crate::turnstile::LongRequest;
use crate::upload::receive;

/// Who is at the other end of the channel. The enclave puts it into the extensions of every
/// request; a request without it is refused.
#[derive(Clone, Debug)]
pub struct ClientIdentity {
    /// The key that the channel authenticated: SPKI in DER.
    pub spki: Vec<u8>,
}

/// The paths of the room. Every request is authorized first, and every error is a [`Problem`].
pub fn router(room: Arc<Room>) -> Router {
    let paths = Endpoint::ALL
        .into_iter()
        .fold(Router::new(), |paths, endpoint| {
            paths.route(endpoint.path(), handler(endpoint))
        });
    paths
        .fallback(unknown_path)
        // Axum's limit is for bodies that are held whole. An upload is read as it comes, within the
        // agreement's limits, and nothing else reads a body.
        .layer(DefaultBodyLimit::disable())
        // Around the fallback too: a stranger is told that its key is not registered, never which
        // paths there are.
        .layer(from_fn_with_state(Arc::clone(&room), authorize))
        // Last, hence outermost, so that a panic in the authorization is caught as well.
        .layer(from_fn_with_state(Arc::clone(&room), oversee))
        .with_state(room)
}

/// Methods were checked when the request was authorized.
fn handler(endpoint: Endpoint) -> MethodRouter<Arc<Room>> {
    match endpoint {
        Endpoint::UploadData => any(upload_data),
        Endpoint::ConfirmData => any(confirm_data),
        Endpoint::WithdrawConfirmation => any(withdraw_confirmation),
        Endpoint::Samples => any(samples),
        Endpoint::Columns => any(columns),
        Endpoint::Model => any(model),
        Endpoint::Report => any(report),
        Endpoint::Formats => any(formats),
        Endpoint::Details => any(details),
        Endpoint::ModelStatus => any(model_status),
        Endpoint::Status => any(status),
        Endpoint::Events => any(events),
        Endpoint::Agreement => any(agreement),
        Endpoint::Receipt => any(receipt),
        Endpoint::Healthz => any(healthz),
        Endpoint::OpenApi => any(openapi),
    }
}

type SharedRoom = State<Arc<Room>>;
type Caller = Extension<Authorized>;

async fn upload_data(
    State(room): SharedRoom,
    Extension(caller): Caller,
    request: Request,
) -> Reply<Json<UploadReply>> {
    no_parameters(request.uri())?;
    receive(&room, caller.user(), request).await
}

async fn confirm_data(
    State(room): SharedRoom,
    Extension(caller): Caller,
    uri: Uri,
) -> Reply<Json<Message>> {
    let parameters = Parameters::from_query(&uri, &["commitments"])?;
    room.confirm(caller.user(), parameters.get("commitments"))?;
    Ok(message("Data confirmed"))
}

async fn withdraw_confirmation(
    State(room): SharedRoom,
    Extension(caller): Caller,
    uri: Uri,
) -> Reply<Json<Message>> {
    no_parameters(&uri)?;
    Ok(message(if room.withdraw_confirmation(caller.user())? {
        "Confirmation withdrawn"
    } else {
        "You had not confirmed, so nothing has changed"
    }))
}

fn message(text: &str) -> Json<Message> {
    Json(Message {
        message: text.to_owned(),
    })
}

async fn samples(State(room): SharedRoom, Extension(caller): Caller, uri: Uri) -> Reply<Response> {
    stream_samples(&room, caller.user(), &uri).await
}

async fn columns(
    State(room): SharedRoom,
    Extension(caller): Caller,
    uri: Uri,
) -> Reply<Json<ColumnsReply>> {
    let parameters = Parameters::from_query(&uri, &["party"])?;
    Ok(Json(room.columns(
        caller.user(),
        parameters.get("party").unwrap_or("mine"),
    )?))
}

async fn model(State(room): SharedRoom, uri: Uri) -> Reply<Response> {
    no_parameters(&uri)?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=model.synclave",
        ),
    ];
    Ok((headers, room.fitted()?.model_file.clone()).into_response())
}

async fn report(State(room): SharedRoom, uri: Uri) -> Reply<Response> {
    let form = report_form(&uri)?;
    let fitted = room.fitted()?;
    Ok(report_reply(form, &fitted.report, &fitted.report_page))
}

/// How a report is asked for.
pub(crate) enum ReportForm {
    Json,
    Page,
}

pub(crate) fn report_form(uri: &Uri) -> Result<ReportForm, Problem> {
    let parameters = Parameters::from_query(uri, &["format"])?;
    match parameters.get("format").unwrap_or("json") {
        "json" => Ok(ReportForm::Json),
        "html" => Ok(ReportForm::Page),
        _ => {
            let detail = "`format` must be one of json, html.";
            Err(Problem::new(Code::UnknownFormat, detail))
        }
    }
}

pub(crate) fn report_reply(form: ReportForm, json: &Bytes, page: &Bytes) -> Response {
    match form {
        ReportForm::Json => {
            let headers = [(header::CONTENT_TYPE, "application/json")];
            (headers, json.clone()).into_response()
        }
        ReportForm::Page => {
            let headers = [
                (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
            ];
            (headers, page.clone()).into_response()
        }
    }
}

/// A browser opens the page in the place of the room itself, so it may neither run nor load
/// anything there, whatever a party's words in it might be.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

pub(crate) async fn formats(uri: Uri) -> Reply<Json<[&'static str; 3]>> {
    no_parameters(&uri)?;
    Ok(Json(FORMATS.map(Format::name)))
}

async fn details(State(room): SharedRoom, uri: Uri) -> Reply<Json<Details>> {
    no_parameters(&uri)?;
    Ok(Json(room.details()))
}

async fn model_status(State(room): SharedRoom, uri: Uri) -> Reply<Json<String>> {
    no_parameters(&uri)?;
    Ok(Json(format!(
        "Model status: {}",
        room.watch().borrow().words()
    )))
}

async fn status(
    State(room): SharedRoom,
    Extension(caller): Caller,
    uri: Uri,
) -> Reply<Json<Status>> {
    no_parameters(&uri)?;
    Ok(Json(room.status_for(caller.user())))
}

async fn events(
    State(room): SharedRoom,
    Extension(caller): Caller,
    uri: Uri,
) -> Reply<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>> {
    no_parameters(&uri)?;
    let place = room.turnstile.enter(caller.user(), LongRequest::Events)?;
    let mut watch = room.watch();
    watch.mark_changed();
    // Each status as it changes, the present one first; the last one ends the stream.
    let changes = stream::unfold(Some((watch, place)), |state| async {
        let (mut watch, place) = state?;
        watch.changed().await.ok()?;
        let status = watch.borrow_and_update().clone();
        let event = sse::Event::default()
            .event("status")
            .json_data(&status)
            .ok()?;
        let next = (!Phase::is_final(status.status)).then_some((watch, place));
        Some((Ok(event), next))
    });
    Ok(Sse::new(changes).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

async fn agreement(State(room): SharedRoom, uri: Uri) -> Reply<Json<AgreementReply>> {
    no_parameters(&uri)?;
    let agreement = room.agreement();
    Ok(Json(AgreementReply {
        agreement: agreement.agreement().clone(),
        agreement_sha384: agreement.sha384(),
    }))
}

async fn receipt(State(room): SharedRoom, uri: Uri) -> Reply<Json<SignedReceipt>> {
    no_parameters(&uri)?;
    Ok(Json(signed_receipt(&room).await?))
}

async fn healthz(uri: Uri) -> Reply<Json<serde_json::Value>> {
    no_parameters(&uri)?;
    Ok(Json(serde_json::json!({"status": "ok"})))
}

/// The description of the paths. It is a file, so that a change of the interface shows in a review.
pub const OPENAPI: &str = include_str!("../openapi.json");

async fn openapi(uri: Uri) -> Reply<Response> {
    no_parameters(&uri)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response())
}

async fn unknown_path() -> Refusal {
    problem_of(&Denied::UnknownPath).into()
}

pub(crate) fn no_parameters(uri: &Uri) -> Result<(), Problem> {
    Parameters::from_query(uri, &[]).map(|_| ())
}

/// Lets a request through with its [`Authorized`], or answers it.
async fn authorize(State(room): SharedRoom, mut request: Request, next: Next) -> Response {
    let spki = request
        .extensions()
        .get::<ClientIdentity>()
        .map(|identity| identity.spki.as_slice());
    let decision = match spki {
        Some(spki) => room.agreement().policy().authorize(
            spki,
            request.method().as_str(),
            request.uri().path(),
        ),
        None => Err(Denied::NotRegistered),
    };
    match decision {
        Ok(authorized) => {
            request.extensions_mut().insert(authorized);
            next.run(request).await
        }
        Err(denied @ Denied::Method { allowed }) => {
            Refusal::method(problem_of(&denied), allowed).into_response()
        }
        Err(denied) => Refusal::from(problem_of(&denied)).into_response(),
    }
}

pub(crate) fn problem_of(denied: &Denied) -> Problem {
    let code = match denied {
        Denied::NotRegistered => Code::NotRegistered,
        Denied::UnknownPath => Code::NotFound,
        Denied::Method { .. } => Code::MethodNotAllowed,
        Denied::Role { .. } => Code::Forbidden,
    };
    let text = denied.to_string();
    let (first, rest) = text.split_at(1);
    Problem::new(code, format!("{}{rest}.", first.to_uppercase()))
}

/// Turns panics into replies, tells of errors, and keeps replies out of caches.
async fn oversee(State(room): SharedRoom, request: Request, next: Next) -> Response {
    let path = Endpoint::at(request.uri().path());
    let mut response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => Refusal::from(internal()).into_response(),
    };
    if let Some(code) = response.extensions().get::<Code>() {
        // The log is the host's to read, and what is wrong with a table is between the room and its
        // owner.
        let code = (path != Some(Endpoint::UploadData)).then_some(*code);
        room.tell(RoomEvent::Refused { path, code });
    }
    private(response.headers_mut());
    response
}

fn private(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
}
