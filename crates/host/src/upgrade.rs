//! The WebSocket endpoint: which requests become a channel, and what the others are told.

use std::net::IpAddr;

use http_body_util::Full;
use hyper::body::{Body, Bytes};
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{Method, Request, Response, StatusCode, Version};

/// What an answer carries: a sentence, or nothing.
pub(crate) type Answer = Response<Full<Bytes>>;

/// A request that may become a channel.
#[derive(Debug)]
pub(crate) struct Upgrade {
    accept: String,
    names_us: bool,
}

/// What an HTTP request is for.
#[derive(Debug)]
pub(crate) enum RequestKind {
    /// Whether the host is well.
    Health,
    /// A WebSocket that carries the attested channel.
    Channel(Upgrade),
}

/// Why it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoUpgrade {
    #[error("there is nothing here; the channel is at /connect")]
    Path,
    #[error("only GET is answered here")]
    Method,
    #[error("this request carries no body")]
    Body,
    #[error("only HTTP/1.1 can be upgraded here")]
    Version,
    #[error(
        "the channel needs `Connection: Upgrade` and `Upgrade: websocket`, and nothing else in \
         either"
    )]
    Upgrade,
    #[error("only version 13 of WebSocket is spoken here")]
    WebSocketVersion,
    #[error("`Sec-WebSocket-Key` is missing or not a key")]
    Key,
    #[error("only the subprotocol synclave.1 is spoken here")]
    Subprotocol,
    #[error("there is no enclave at present; try again later")]
    NoEnclave,
    #[error("too many connections come from your address")]
    TooMany,
    #[error("the load balancer does not say who connects")]
    Client,
}

/// Reads what `request` asks for.
///
/// # Errors
/// [`NoUpgrade`]: everything that is not exactly the health check or a WebSocket of our own.
pub(crate) fn request_kind<B: Body>(request: &Request<B>) -> Result<RequestKind, NoUpgrade> {
    let path = request.uri().path();
    // Everything else is not this host's business.
    if path != websocket::PATH && path != "/healthz" {
        return Err(NoUpgrade::Path);
    }
    if request.method() != Method::GET {
        return Err(NoUpgrade::Method);
    }
    // A body would wait in the connection, before the WebSocket's own bytes.
    if !request.body().is_end_stream() {
        return Err(NoUpgrade::Body);
    }
    if path == "/healthz" {
        return Ok(RequestKind::Health);
    }
    // HTTP/2 has another way to a WebSocket (RFC 8441), which is not spoken here.
    if request.version() != Version::HTTP_11 {
        return Err(NoUpgrade::Version);
    }
    upgrade(request.headers()).map(RequestKind::Channel)
}

fn upgrade(headers: &HeaderMap) -> Result<Upgrade, NoUpgrade> {
    // Exactly one header of each: of two, a balancer may have read the other.
    let connection = single(headers, &CONNECTION).unwrap_or_default();
    // Browsers and some proxies name keep-alive besides.
    let mut tokens = connection.split(',').map(str::trim);
    let asks = tokens.any(|token| token.eq_ignore_ascii_case("upgrade"));
    let protocol = single(headers, &UPGRADE).unwrap_or_default();
    if !asks || !protocol.eq_ignore_ascii_case("websocket") {
        return Err(NoUpgrade::Upgrade);
    }
    if single(headers, &SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(NoUpgrade::WebSocketVersion);
    }
    let key = single(headers, &SEC_WEBSOCKET_KEY)
        .filter(|key| is_key(key))
        .ok_or(NoUpgrade::Key)?;
    let names_us = headers.contains_key(SEC_WEBSOCKET_PROTOCOL);
    let ours = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        text.split(',')
            .any(|it| it.trim() == websocket::SUBPROTOCOL)
    };
    // A browser that names protocols wants one of them; who names none takes what comes.
    if names_us && !headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().any(ours) {
        return Err(NoUpgrade::Subprotocol);
    }
    Ok(Upgrade {
        accept: websocket::accept_key(key.as_bytes()),
        names_us,
    })
}

/// The value of a header that is there exactly once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Base64 of 16 bytes.
fn is_key(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    text.len() == 24 && text.ends_with("==") && text.bytes().take(22).all(plain)
}

/// The client's address as the load balancer before this host has appended it to `X-Forwarded-For`;
/// whatever comes before that, the client may have written itself.
pub(crate) fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    // The last header and its last entry: what came before, the client may have sent.
    let last = headers.get_all("x-forwarded-for").iter().next_back()?;
    let last = last.to_str().ok()?.rsplit(',').next()?.trim();
    last.parse().ok()
}

impl Upgrade {
    /// The answer after which the connection is a WebSocket.
    pub(crate) fn switch(self) -> Answer {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        let accept = HeaderValue::from_str(&self.accept).expect("base64 is a header's value");
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        if self.names_us {
            let ours = HeaderValue::from_static(websocket::SUBPROTOCOL);
            headers.insert(SEC_WEBSOCKET_PROTOCOL, ours);
        }
        response
    }
}

impl NoUpgrade {
    pub(crate) fn answer(self) -> Answer {
        let status = match self {
            Self::Path => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Body => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Upgrade | Self::WebSocketVersion => StatusCode::UPGRADE_REQUIRED,
            Self::Key | Self::Subprotocol | Self::Client => StatusCode::BAD_REQUEST,
            Self::NoEnclave => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
        };
        let mut response = sentence(status, &self.to_string());
        let headers = response.headers_mut();
        match self {
            Self::Method => {
                headers.insert(ALLOW, HeaderValue::from_static("GET"));
            }
            Self::Upgrade | Self::WebSocketVersion => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            _ => {}
        }
        response
    }
}

/// A status and a line for a person.
pub(crate) fn sentence(status: StatusCode, text: &str) -> Answer {
    let mut response = Response::new(Full::from(format!("{text}\n")));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;

    use super::*;

    const GOOD: &[(&str, &str)] = &[
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "chat, synclave.1"),
    ];

    fn request(headers: &[(&str, &str)]) -> Request<Empty<Bytes>> {
        let mut request = Request::get("/connect?x=1");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Empty::new()).unwrap()
    }

    #[test]
    fn the_answer_is_the_one_of_the_standard() {
        let RequestKind::Channel(upgrade) = request_kind(&request(GOOD)).unwrap() else {
            panic!("no channel")
        };
        let response = upgrade.switch();
        assert_eq!(response.status(), 101);
        // RFC 6455, section 1.3.
        assert_eq!(
            response.headers()["sec-websocket-accept"],
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        assert_eq!(response.headers()["sec-websocket-protocol"], "synclave.1");
    }

    #[test]
    fn whatever_differs_in_one_header_is_refused() {
        for (name, value, expected) in [
            ("connection", "close", 426),
            ("upgrade", "h2c", 426),
            ("upgrade", "h2c, websocket", 426),
            ("sec-websocket-version", "8", 426),
            ("sec-websocket-version", "13, 8", 426),
            ("sec-websocket-key", "short", 400),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=?", 400),
            ("sec-websocket-protocol", "chat", 400),
            ("sec-websocket-protocol", "synclave.2", 400),
        ] {
            let changed = GOOD.iter().map(|header| match header.0 == name {
                true => (name, value),
                false => *header,
            });
            let refusal = request_kind(&request(&changed.collect::<Vec<_>>())).unwrap_err();
            assert_eq!(refusal.answer().status(), expected, "{name}: {value}");
        }
        for left_out in 0..4 {
            let mut headers = GOOD.to_vec();
            let name = headers.remove(left_out).0;
            assert!(request_kind(&request(&headers)).is_err(), "{name}");
        }
        for twice in &GOOD[..4] {
            let headers = [GOOD, &[*twice]].concat();
            assert!(request_kind(&request(&headers)).is_err(), "{}", twice.0);
        }
    }

    #[test]
    fn other_paths_methods_versions_and_bodies_are_refused() {
        let changed = |change: fn(&mut Request<Full<Bytes>>)| {
            let mut request = request(GOOD).map(|_| Full::default());
            change(&mut request);
            request_kind(&request)
                .unwrap_err()
                .answer()
                .status()
                .as_u16()
        };
        assert_eq!(
            changed(|it| *it.uri_mut() = "/upload_data".parse().unwrap()),
            404
        );
        assert_eq!(changed(|it| *it.method_mut() = Method::POST), 405);
        assert_eq!(changed(|it| *it.version_mut() = Version::HTTP_10), 505);
        assert_eq!(changed(|it| *it.body_mut() = Full::from("x")), 413);
    }

    #[test]
    fn the_last_address_is_the_balancers_word() {
        let headers = |values: &[&str]| -> HeaderMap {
            let name = HeaderName::from_static("x-forwarded-for");
            let values = values.iter().map(|it| it.parse().unwrap());
            values.map(|value| (name.clone(), value)).collect()
        };
        let last = |values: &[&str]| forwarded_for(&headers(values)).map(|it| it.to_string());
        assert_eq!(last(&["192.0.2.7"]).unwrap(), "192.0.2.7");
        assert_eq!(last(&["10.0.0.1, 2001:db8::7"]).unwrap(), "2001:db8::7");
        assert_eq!(last(&["10.0.0.1", "192.0.2.7"]).unwrap(), "192.0.2.7");
        for none in [&[][..], &["unknown"], &["192.0.2.7, "], &["192.0.2.7:80"]] {
            assert_eq!(last(none), None, "{none:?}");
        }
    }
}
