//! A room that was verified.

use std::sync::Arc;
use std::time::Duration;

use attested_tls::{ClientKey, Connector, ExpectedRoom, VerifiedChannel};
use http_body_util::{BodyExt, Limited};
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::{Request, Response, StatusCode, Uri};
use protocol::{Agreement, AgreementReply, MAX_FILE_BYTES};

use crate::dial::{Dial, attested};
use crate::local_site::{SiteBody, disarm, site_body};
use crate::pieces::Pieces;
use crate::relay::relay;
use crate::upstream::{self, Upstream};
use crate::{Endpoint, Error};

/// How long the room may take to show its agreement.
const AGREEMENT_DEADLINE: Duration = Duration::from_secs(20);
/// Two files in JSON, where a character can take six bytes.
const MAX_REPLY_BYTES: usize = 12 * MAX_FILE_BYTES + 4096;

/// That an enclave was asked for evidence, and gave it: the program, the room and its agreement are
/// what they were expected to be.
///
/// Every further connection must show the same room. Clones share their connections.
#[derive(Clone)]
pub struct Session {
    verified: VerifiedChannel,
    agreement: Agreement,
    upstream: Arc<Upstream>,
}

impl Session {
    /// Connects to `endpoint` as the holder of `key`, and checks that it leads to the `expected`
    /// room. Then asks for the agreement and checks that it is the one the evidence speaks of.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::ServedAgreement`] and those of an enclave that does not answer,
    /// or not in its protocol.
    pub async fn open(
        endpoint: Endpoint,
        key: ClientKey,
        expected: ExpectedRoom,
    ) -> Result<Self, Error> {
        // The first connection is for the agreement alone: it is verified, but the person has not
        // accepted anything yet.
        let first = Connector::new(&key, expected.clone());
        let ((mut sender, driver), verified) = attested(&endpoint, &first).await?;
        let agreement = tokio::time::timeout(AGREEMENT_DEADLINE, fetch_agreement(&mut sender))
            .await
            .map_err(|_| Error::Silent)??;
        // Not kept: further connections must expect this very room, which only the second connector
        // does.
        driver.abort();
        // The bytes served are hashed here: what is shown to the person is what the evidence names.
        if agreement.sha384().as_bytes() != verified.agreement() {
            return Err(Error::ServedAgreement);
        }
        // From here on a restarted enclave is refused, as its room is another one.
        let same = ExpectedRoom {
            agreement: Some(*verified.agreement()),
            id: Some(*verified.room()),
            ..expected
        };
        let connector = Box::new(Connector::new(&key, same));
        Ok(Self {
            verified,
            agreement,
            upstream: Arc::new(Upstream::new(Dial::Attested {
                endpoint,
                connector,
            })),
        })
    }

    /// What was verified, step by step.
    pub fn verified(&self) -> &VerifiedChannel {
        &self.verified
    }

    /// What the room will do and who takes part, byte for byte as its evidence names it.
    pub fn agreement(&self) -> &Agreement {
        &self.agreement
    }

    /// Sends a request to the room, without a local port in between, and collects the reply, whose
    /// status may be an error's. Each connection is verified like the first and must show the same
    /// room; what of headers is this machine's own business is left out.
    ///
    /// # Errors
    /// [`Error::Refused`] where a new connection leads elsewhere: nothing was sent then.
    /// [`Error::Lost`], [`Error::Silent`], [`Error::Busy`]; [`Error::Reply`] for a reply longer
    /// than `most` bytes, or one that breaks off.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        most: usize,
    ) -> Result<Response<Bytes>, Error> {
        self.send_telling(request, most, |_| {}).await
    }

    /// Sends a request as [`send`](Self::send) does, and tells how many bytes of its body are on
    /// their way, with each piece of it.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_telling(
        &self,
        request: Request<Bytes>,
        most: usize,
        tell: impl FnMut(u64) + Send + Unpin + 'static,
    ) -> Result<Response<Bytes>, Error> {
        let request = request.map(|body| Pieces::new(body, tell));
        let reply = relay(&self.upstream, request).await?;
        let (head, body) = reply.into_parts();
        let body = Limited::new(body, most).collect().await;
        let body = body.map_err(|error| Error::Reply {
            request: "a request",
            why: error.to_string(),
        })?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }

    /// Asks the room for `path_and_query` and gives its reply for a browser of this machine, whose
    /// body streams: a document that can run nothing, whatever it is.
    ///
    /// # Errors
    /// As [`Session::send`], for what can be known before the body.
    pub async fn stream(&self, path_and_query: Uri) -> Result<Response<SiteBody>, Error> {
        let mut request = Request::new(upstream::empty());
        *request.uri_mut() = path_and_query;
        let mut reply = relay(&self.upstream, request).await?;
        disarm(reply.headers_mut());
        Ok(reply.map(site_body))
    }

    /// Verifies the room once more, over a connection that is made for this and carries nothing
    /// else.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of an enclave that does not answer.
    pub async fn check(&self) -> Result<VerifiedChannel, Error> {
        self.upstream.check().await
    }

    pub(crate) fn into_upstream(self) -> Arc<Upstream> {
        self.upstream
    }
}

async fn fetch_agreement(
    sender: &mut hyper::client::conn::http1::SendRequest<upstream::Body>,
) -> Result<Agreement, Error> {
    let nonsense = |why: String| Error::Reply {
        request: "GET /agreement",
        why,
    };
    let request = Request::get("/agreement")
        .header(HOST, "room")
        .body(upstream::empty())
        .expect("a constant request");
    let response = sender
        .send_request(request)
        .await
        .map_err(|_| Error::Lost)?;
    if response.status() != StatusCode::OK {
        return Err(nonsense(format!(
            "its status is {}",
            response.status().as_u16()
        )));
    }
    // Limited before it is parsed: the room is verified, and may still be wrong.
    let body = Limited::new(response.into_body(), MAX_REPLY_BYTES);
    let body = body
        .collect()
        .await
        .map_err(|error| nonsense(error.to_string()))?
        .to_bytes();
    let reply: AgreementReply =
        serde_json::from_slice(&body).map_err(|error| nonsense(error.to_string()))?;
    Ok(reply.agreement)
}
