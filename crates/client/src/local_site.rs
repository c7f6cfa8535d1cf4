//! What is answered on this machine and not by the room.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue};
use hyper::{HeaderMap, Request, Response};

/// What the site's own pages may load and run: files of this port, and nothing that stands in a
/// page. No page of another site may frame them, and no text becomes markup by mistake.
const OWN_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// A reply of the room has the page's own address, so that a script in it could do all that the
/// page can: whatever it is, a browser shows it as a document without rights.
const ROOM_POLICY: &str =
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'";

/// The body of an answer.
pub type SiteBody = UnsyncBoxBody<Bytes, io::Error>;

type Answering = Pin<Box<dyn Future<Output = Response<SiteBody>> + Send>>;

/// Answers requests on this machine, with protections of its own on every answer: no content of
/// other sites, no frames, no guessing of types, no referrer, no cache unless the answer asks for
/// one.
#[derive(Clone)]
pub struct LocalSite(Arc<dyn Fn(Request<Incoming>) -> Answering + Send + Sync>);

impl LocalSite {
    /// A site that answers by `answer`. Who may ask was checked before: programs and pages of this
    /// machine only.
    pub fn new<F>(answer: impl Fn(Request<Incoming>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Response<SiteBody>> + Send + 'static,
    {
        Self(Arc::new(move |request| Box::pin(answer(request))))
    }

    /// Whether a path is the site's where there is a room as well. The room has none of these.
    pub fn owns(path: &str) -> bool {
        matches!(path, "/" | "/favicon.ico" | "/page") || path.starts_with("/page/")
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<SiteBody> {
        let mut response = (self.0)(request).await;
        let headers = response.headers_mut();
        // What an answer says of itself is stricter (a reply of the room) or for a reason (a file).
        for (name, value) in [
            (CONTENT_SECURITY_POLICY, OWN_POLICY),
            (CACHE_CONTROL, "no-store"),
        ] {
            headers
                .entry(name)
                .or_insert(HeaderValue::from_static(value));
        }
        isolate(headers);
        response
    }
}

impl fmt::Debug for LocalSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalSite(..)")
    }
}

/// The body of an answer, of any other.
pub fn site_body<B>(body: B) -> SiteBody
where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    body.map_err(io::Error::other).boxed_unsync()
}

/// Takes all rights from a reply that a browser may show and that is not the site's: one of the
/// room, or a refusal at the door.
pub(crate) fn disarm(headers: &mut HeaderMap) {
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(ROOM_POLICY),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    isolate(headers);
}

fn isolate(headers: &mut HeaderMap) {
    for (name, value) in [
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
}

#[cfg(test)]
mod tests {
    use access::Endpoint;

    use super::LocalSite;

    #[test]
    fn the_site_and_the_room_share_no_path() {
        for endpoint in Endpoint::ALL {
            assert!(!LocalSite::owns(endpoint.path()), "{endpoint:?}");
        }
        for path in ["/", "/page", "/page/", "/page/api/state", "/favicon.ico"] {
            assert!(LocalSite::owns(path), "{path}");
        }
        for path in ["/pages", "/page.js", "//", "", "/Page/"] {
            assert!(!LocalSite::owns(path), "{path}");
        }
    }
}
