//! The page's own paths.

use client::{AcceptedBy, Error, HttpRefusal, LocalSite, SiteBody, site_body};
use http_body_util::{BodyExt, Empty, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use protocol::{AgreementHash, Code, Receipt, SignedReceipt};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::page::downloads::Downloads;
use crate::page::evidence::is_refusal;
use crate::page::{Page, PageRoom, Subject, files};
use crate::printer::Causes;
use crate::receipt;

/// Of a request that changes something. The longest is a condition on rows.
const MAX_BODY_BYTES: usize = 64 << 10;
/// Of what a page asks a proof for: 256 bits, so that no answer to one question serves another.
const NONCE_DIGITS: usize = 64;

type Reply = Result<Response<SiteBody>, HttpRefusal>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Acceptance {
    sha384: AgreementHash,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Download {
    path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Page {
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<SiteBody> {
        let path = request.uri().path();
        let methods: &[Method] = match path {
            "/page/api/state" | "/page/api/proof" => &[Method::GET, Method::HEAD],
            _ if path.starts_with("/page/api/") => &[Method::POST],
            // A look ahead would use it up.
            _ if path.starts_with("/page/download/") => &[Method::GET],
            _ if LocalSite::owns(path) => &[Method::GET, Method::HEAD],
            // The room's, or a model's, which says so itself.
            _ => &[],
        };
        if !methods.is_empty() && !methods.contains(request.method()) {
            return wrong_method(methods);
        }
        self.reply(request)
            .await
            .unwrap_or_else(|refusal| refusal.into_response().map(site_body))
    }

    async fn reply(&self, request: Request<Incoming>) -> Reply {
        match request.uri().path() {
            "/" => file(files::INDEX, &request),
            "/favicon.ico" => Ok(done()),
            "/page/api/state" => {
                // Other users of the machine may not read the agreement either then.
                if self.gate.demands_token() {
                    self.gate.check_token(request.headers())?;
                }
                Ok(json_reply(&self.state()))
            }
            "/page/api/proof" => self.proof(request.uri()),
            "/page/api/accept" => self.accept(self.order(request).await?),
            "/page/api/leave" => {
                let Nothing {} = self.order(request).await?;
                self.left.send_replace(true);
                Ok(done())
            }
            "/page/api/check" => {
                let Nothing {} = self.order(request).await?;
                self.check().await
            }
            "/page/api/receipt" => {
                let Nothing {} = self.order(request).await?;
                self.receipt().await
            }
            "/page/api/download" => self.open_download(self.order(request).await?).await,
            path => match path.strip_prefix("/page/") {
                Some(rest) => match rest.strip_prefix("download/") {
                    Some(name) => self.download(name),
                    None => file(rest, &request),
                },
                None => self.subjects_own(&request).await,
            },
        }
    }

    /// What somebody who has the token orders to be done.
    async fn order<T: DeserializeOwned>(
        &self,
        request: Request<Incoming>,
    ) -> Result<T, HttpRefusal> {
        // Whoever lacks the token learns nothing of what else is wrong.
        self.gate.check_token(request.headers())?;
        let mut types = request.headers().get_all(CONTENT_TYPE).iter();
        let is_json = types.next().is_some_and(|kind| {
            let kind = kind.to_str().unwrap_or_default();
            let kind = kind.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("application/json")
        });
        // No form of another site can have this type.
        if !is_json || types.next().is_some() {
            return Err(problem(
                Code::UnsupportedMediaType,
                "Send this as JSON, with the header `Content-Type: application/json`.",
            ));
        }
        let body = Limited::new(request.into_body(), MAX_BODY_BYTES).collect();
        let body = body
            .await
            .map_err(|error| match error.is::<LengthLimitError>() {
                true => problem(
                    Code::TooLarge,
                    format!("A request like this has at most {MAX_BODY_BYTES} bytes."),
                ),
                false => problem(Code::MalformedRequest, "The request broke off."),
            })?;
        serde_json::from_slice(&body.to_bytes()).map_err(|error| {
            problem(
                Code::MalformedRequest,
                format!("The request is not as this path takes it: {error}."),
            )
        })
    }

    /// Answers a page that asks whether this is still the program whose token it has, which it asks
    /// before it sends that token or a table.
    fn proof(&self, uri: &Uri) -> Reply {
        let nonce = uri.query().and_then(|query| query.strip_prefix("nonce="));
        let is_nonce = |text: &&str| {
            text.len() == NONCE_DIGITS && text.bytes().all(|digit| digit.is_ascii_hexdigit())
        };
        let nonce = nonce.filter(is_nonce).ok_or_else(|| {
            problem(
                Code::BadParameter,
                format!("`nonce` must have {NONCE_DIGITS} digits in hex."),
            )
        })?;
        Ok(json_reply(
            &json!({"proof": self.gate.token().proof(nonce)}),
        ))
    }

    fn accept(&self, Acceptance { sha384 }: Acceptance) -> Reply {
        let room = self.room()?;
        // By its hash, so that nothing is accepted that was not shown.
        if sha384 != room.hash() {
            return Err(HttpRefusal::new(
                StatusCode::CONFLICT,
                "another-agreement",
                format!(
                    "The agreement of this room is another one: {}.",
                    room.hash()
                ),
            ));
        }
        self.gate.open(AcceptedBy::Page);
        Ok(done())
    }

    async fn check(&self) -> Reply {
        let room = self.room()?;
        match room.session.check().await {
            Ok(verified) => room.evidence.hold(verified),
            Err(error) if is_refusal(&error) => room.evidence.refuse(&error),
            Err(error) => return Err(HttpRefusal::from(&error)),
        }
        Ok(json_reply(&room.evidence.document()))
    }

    /// Fetches the receipt and verifies it, as `verify-receipt` does.
    async fn receipt(&self) -> Reply {
        let room = self.accepted_room()?;
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = Uri::from_static("/receipt");
        let sent = room.session.send(request, receipt::MAX_BYTES).await;
        let reply = sent.map_err(|error| self.lost(&error))?;
        if !reply.status().is_success() {
            // The room's own sentence, such as that there is no model yet.
            let (head, body) = reply.into_parts();
            let mut response = Response::new(site_body(Full::new(body)));
            *response.status_mut() = head.status;
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            return Ok(response);
        }
        Ok(json_reply(&verified(reply.body(), room)))
    }

    /// Asks for what is to be saved, and keeps the reply for an address that a browser can fetch.
    /// What is refused is told to the page instead: a browser would save it, or say nothing.
    async fn open_download(&self, Download { path }: Download) -> Reply {
        let room = match &self.subject {
            Subject::Model { .. } => None,
            _ => Some(self.accepted_room()?),
        };
        let target = Downloads::target(&path).ok_or_else(|| {
            problem(
                Code::BadParameter,
                "`path` must be /samples, /report, /receipt or /model, with what it takes.",
            )
        })?;
        let file_name = file_name(&target);
        let mut reply = match (&self.subject, room) {
            (Subject::Model { model, .. }, _) => {
                model.answer(&Method::GET, &target).await.map(site_body)
            }
            (_, Some(room)) => {
                let reply = room.session.stream(target).await;
                reply.map_err(|error| self.lost(&error))?
            }
            (_, None) => return Err(not_found()),
        };
        if !reply.status().is_success() {
            return Ok(reply);
        }
        let attachment = HeaderValue::try_from(format!("attachment; filename={file_name}"));
        let attachment = attachment.expect("names of ours");
        reply
            .headers_mut()
            .entry(CONTENT_DISPOSITION)
            .or_insert(attachment);
        let name = self.downloads.keep(reply).map_err(|error| {
            problem(
                Code::Internal,
                format!("No download can be prepared: {error}."),
            )
        })?;
        Ok(json_reply(
            &json!({"url": format!("/page/download/{name}")}),
        ))
    }

    fn download(&self, name: &str) -> Reply {
        self.downloads.take(name).ok_or_else(|| {
            problem(
                Code::NotFound,
                "This address works once, within a minute: ask for the download again.",
            )
        })
    }

    /// What is not of the page. Where there is a room, its requests do not come here.
    async fn subjects_own(&self, request: &Request<Incoming>) -> Reply {
        match &self.subject {
            Subject::Model { model, .. } => {
                let reply = model.answer(request.method(), request.uri()).await;
                Ok(reply.map(site_body))
            }
            Subject::Refused { reason, .. } => Err(refused(reason)),
            Subject::Room(_) => Err(not_found()),
        }
    }

    fn room(&self) -> Result<&PageRoom, HttpRefusal> {
        match &self.subject {
            Subject::Room(room) => Ok(room),
            Subject::Refused { reason, .. } => Err(refused(reason)),
            Subject::Model { .. } => Err(not_found()),
        }
    }

    /// The room, once something may be sent to it.
    fn accepted_room(&self) -> Result<&PageRoom, HttpRefusal> {
        let room = self.room()?;
        self.gate.check_accepted()?;
        Ok(room)
    }

    /// That a request to the room failed, of which the page has to know.
    fn lost(&self, error: &Error) -> HttpRefusal {
        self.notice(error);
        HttpRefusal::from(error)
    }
}

/// What `verify-receipt` would say of it.
fn verified(receipt: &[u8], room: &PageRoom) -> Value {
    let mut lines = Vec::new();
    let outcome = serde_json::from_slice::<SignedReceipt>(receipt)
        .map_err(anyhow::Error::from)
        .and_then(|signed| {
            receipt::verify(&signed, &room.receipt_wanted(), &mut |check| {
                lines.push(json!({"ok": check.held, "text": check.text}));
            })
        });
    match outcome {
        Ok(verified) => json!({
            "holds": true,
            "lines": lines,
            "about": receipt::description(verified.receipt()),
            "commitments": commitments(verified.receipt()),
            "judged_at": verified.judged_at(),
            "error": null,
        }),
        Err(error) => {
            let Causes { told, private } = Causes::of(&error);
            let sentence = [told, private].concat().join(": ");
            json!({
                "holds": false,
                "lines": lines,
                "about": [],
                "commitments": [],
                "error": sentence,
            })
        }
    }
}

/// Whose table had which commitment, by the receipt.
fn commitments(receipt: &Receipt) -> Vec<Value> {
    let parties = receipt.parties.iter();
    parties
        .map(|party| json!({"name": party.name, "digest": party.input.to_string()}))
        .collect()
}

fn file(name: &str, request: &Request<Incoming>) -> Reply {
    files::answer(name, request.headers()).ok_or_else(not_found)
}

/// The name under which a browser keeps what the room gives no name to.
fn file_name(target: &Uri) -> &'static str {
    let is_page = target.query().is_some_and(|query| query.contains("html"));
    match target.path() {
        "/receipt" => "receipt.json",
        "/report" if is_page => "report.html",
        "/report" => "report.json",
        "/model" => "model.synclave",
        _ => "synthetic_data",
    }
}

fn json_reply(document: &Value) -> Response<SiteBody> {
    let mut response = Response::new(site_body(Full::new(Bytes::from(document.to_string()))));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn done() -> Response<SiteBody> {
    let mut response = Response::new(site_body(Empty::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn wrong_method(methods: &[Method]) -> Response<SiteBody> {
    let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    let detail = format!("This path answers {} only.", names.join(" and "));
    let refusal = problem(Code::MethodNotAllowed, detail);
    let mut response = refusal.into_response().map(site_body);
    let allowed = HeaderValue::try_from(names.join(", ")).expect("names of methods");
    response.headers_mut().insert(ALLOW, allowed);
    response
}

fn not_found() -> HttpRefusal {
    problem(Code::NotFound, "There is nothing at this path.")
}

fn refused(reason: &str) -> HttpRefusal {
    HttpRefusal::new(
        StatusCode::BAD_GATEWAY,
        "room-refused",
        format!("The room was refused, so nothing was sent to it: {reason}. Start again to retry."),
    )
}

/// In the room's own form and with its codes, which mean the same here.
fn problem(code: Code, detail: impl Into<String>) -> HttpRefusal {
    let status = StatusCode::from_u16(code.status()).expect("the codes' statuses are valid");
    HttpRefusal::new(status, code.slug(), detail)
}
