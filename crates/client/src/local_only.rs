//! Who may speak to the local port: programs on this machine that mean to, and no web page.

use access::Endpoint;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST,
    HeaderName, ORIGIN, REFERER, USER_AGENT,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode};

use crate::gate::TOKEN;
use crate::http_refusal::HttpRefusal;

const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses a request that a browser may have been tricked into, and one that is meant for another
/// kind of proxy.
///
/// A page of another site can make a browser send requests to `localhost` (and, by giving its own
/// name the address 127.0.0.1, read the replies). The first kind carries a foreign `Origin`,
/// `Referer` or `Sec-Fetch-Site`, the second a foreign `Host`. Old browsers send none of the first
/// three, so that what changes the room needs more:
///
/// - by GET, it must be a request as only the programs of [`KNOWN_PROGRAMS`] make it;
/// - by any other method, what may come from a browser must say that a page of this port asks.
///
/// Where this port `has_page`, a link elsewhere may lead to that: it tells nothing to the page that
/// has the link, and a visit changes nothing.
pub(crate) fn check(head: &Parts, port: u16, has_page: bool) -> Result<(), HttpRefusal> {
    // From the request itself to what surrounds it: each check may rely on the ones before.
    check_target(head, port)?;
    check_host(&head.headers, port)?;
    if has_page && is_visit_of_the_page(head) {
        return Ok(());
    }
    check_page(&head.headers, port)?;
    // Looking is free to every program of this machine; only what changes the room needs more.
    match Endpoint::at(head.uri.path()).filter(|endpoint| endpoint.changes_the_room()) {
        None => Ok(()),
        Some(endpoint) if head.method == Method::GET => {
            check_program(&head.headers, endpoint, port)
        }
        Some(_) => check_browser(&head.headers, port),
    }
}

fn check_target(head: &Parts, port: u16) -> Result<(), HttpRefusal> {
    // An absolute address or CONNECT is meant for a forward proxy: answering it would make one of
    // us.
    if head.method != Method::CONNECT && head.uri.authority().is_none() && head.uri.path() != "*" {
        return Ok(());
    }
    Err(HttpRefusal::new(
        StatusCode::BAD_REQUEST,
        "bad-request-target",
        format!(
            "This port leads to one room only, not to other addresses: ask for a path, such as \
             http://localhost:{port}/details."
        ),
    ))
}

fn check_host(headers: &HeaderMap, port: u16) -> Result<(), HttpRefusal> {
    let mut hosts = headers.get_all(HOST).iter();
    let first = hosts.next();
    // Exactly one: of two, the next reader might take the other.
    if first.is_some_and(|host| is_here(host.as_bytes(), port)) && hosts.next().is_none() {
        return Ok(());
    }
    Err(forbidden(
        "host-not-local",
        format!(
            "This port answers only to http://localhost:{port} and http://127.0.0.1:{port}; the \
             request's Host header says otherwise."
        ),
    ))
}

/// A browser's window goes to the page itself, from wherever: a bookmark, a mail, or the file that
/// `connect --open` shows it. In a frame, or from a script that reads the reply, it would say
/// otherwise.
fn is_visit_of_the_page(head: &Parts) -> bool {
    let says = |name, value| only(&head.headers, &name).is_some_and(|said| said == value);
    head.method == Method::GET
        && head.uri.path() == "/"
        && says(SEC_FETCH_MODE, "navigate")
        && says(SEC_FETCH_DEST, "document")
        && !head.headers.contains_key(ORIGIN)
}

/// Whatever names the page that asks must name one of this port.
fn check_page(headers: &HeaderMap, port: u16) -> Result<(), HttpRefusal> {
    let origin = |text: &[u8]| {
        text.strip_prefix(b"http://")
            .is_some_and(|host| is_here(host, port))
    };
    let address = |text: &[u8]| {
        // After `http://`, which has seven characters.
        let end = text.iter().skip(7).position(|byte| b"/?#".contains(byte));
        origin(end.map_or(text, |end| &text[..7 + end]))
    };
    let all_here = headers
        .get_all(ORIGIN)
        .iter()
        .all(|text| origin(text.as_bytes()))
        && headers
            .get_all(REFERER)
            .iter()
            .all(|text| address(text.as_bytes()))
        && headers
            .get_all(SEC_FETCH_SITE)
            .iter()
            // `none` is what a person typed into the address bar.
            .all(|site| site == "same-origin" || site == "none");
    if all_here {
        return Ok(());
    }
    Err(forbidden(
        "foreign-page",
        "A web page of another site asked for this; only programs and pages of this port may. \
         Type the address yourself, or use curl or Python.",
    ))
}

// By the beginning of the name only: versions follow.
/// What `curl`, `wget` and Python's libraries call themselves. No browser does.
const KNOWN_PROGRAMS: [&str; 6] = [
    "curl/",
    "python-httpx/",
    "python-requests/",
    "python-urllib/",
    // aiohttp
    "python/",
    "wget/",
];

/// What others call themselves that may send forms. No browser uses these names either.
const OTHER_PROGRAMS: [&str; 6] = [
    "go-http-client/",
    // R
    "httr2/",
    "java-http-client/",
    // R
    "libcurl/",
    "node",
    "synclave",
];

/// Follows a browser's name in its `User-Agent`.
const POWERSHELL: &str = "powershell/";

/// What forms are sent as. (The page of another site can also have a POST without any type sent,
/// from a script: browsers that run those have long said where it comes from.)
const FORM_TYPES: [&str; 3] = [
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/plain",
];

/// What [`KNOWN_PROGRAMS`] send. Browsers send `Accept-Language` at least besides. (The token is a
/// header that no page of another site can have sent.)
const PLAIN_HEADERS: [HeaderName; 9] = [
    ACCEPT,
    ACCEPT_ENCODING,
    AUTHORIZATION,
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    HOST,
    TOKEN,
    USER_AGENT,
];

/// A link, an image, a prefetch or a preview is a GET, and none of them may change the room.
fn check_program(headers: &HeaderMap, endpoint: Endpoint, port: u16) -> Result<(), HttpRefusal> {
    let known = is_called(headers, &KNOWN_PROGRAMS);
    // Programs ask for anything or for JSON; a browser's image or page asks for its own types.
    let accepted = texts(headers, &ACCEPT).all(|types| {
        types.split(',').all(|kind| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            matches!(kind, "*/*" | "application/*" | "application/json")
        })
    });
    // A page cannot leave headers out that its browser adds, such as Accept-Language.
    let plain = headers.keys().all(|name| PLAIN_HEADERS.contains(name));
    if known && accepted && plain {
        return Ok(());
    }
    Err(forbidden(
        "confirm-by-visit",
        format!(
            "A browser's visit, link or preview must not change the room, so by GET only curl and \
             Python can do this. Send a POST: curl -X POST http://localhost:{port}{}",
            endpoint.path()
        ),
    ))
}

/// Old browsers send a form of another site without saying whose it is. (The others say it in
/// headers that were looked at before.)
fn check_browser(headers: &HeaderMap, port: u16) -> Result<(), HttpRefusal> {
    let says_here = [ORIGIN, REFERER, SEC_FETCH_SITE]
        .iter()
        .any(|name| headers.contains_key(name));
    // What it says was checked above: here it is enough that it says something.
    if says_here || !(is_of_a_browser(headers) || is_a_strangers_form(headers)) {
        return Ok(());
    }
    Err(forbidden(
        "page-unknown",
        format!(
            "This does not say which page asked for it, so it may be a form of another site in a \
             browser: use curl or Python, or send the \
             header `Origin: http://localhost:{port}` along."
        ),
    ))
}

/// Most browsers with forms call themselves after Mozilla or Opera, or want HTML in reply. So does
/// PowerShell, which is none.
fn is_of_a_browser(headers: &HeaderMap) -> bool {
    let agent = |text: String| {
        // Lower case, as `texts` makes them; all engines of today keep Mozilla's name for old
        // servers' sake.
        (text.contains("mozilla") || text.contains("opera")) && !text.contains(POWERSHELL)
    };
    texts(headers, &USER_AGENT).any(agent)
        || texts(headers, &ACCEPT).any(|types| types.contains("html"))
}

/// Browsers in apps, and very old ones, can have any name or none.
fn is_a_strangers_form(headers: &HeaderMap) -> bool {
    let form = texts(headers, &CONTENT_TYPE).any(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        FORM_TYPES.contains(&kind)
    });
    form && !is_called(headers, &KNOWN_PROGRAMS)
        && !is_called(headers, &OTHER_PROGRAMS)
        && !texts(headers, &USER_AGENT).any(|agent| agent.contains(POWERSHELL))
}

/// Whether one of these names begins the agent's, which must be there once.
fn is_called(headers: &HeaderMap, names: &[&str]) -> bool {
    let agent = only(headers, &USER_AGENT).unwrap_or_default();
    names.iter().any(|name| agent.starts_with(name))
}

/// The header's values in lower case; what is not text is empty.
fn texts(headers: &HeaderMap, name: &HeaderName) -> impl Iterator<Item = String> {
    headers
        .get_all(name)
        // Not text is empty and not left out: a header that is there must count.
        .iter()
        .map(|value| value.to_str().unwrap_or_default().to_ascii_lowercase())
}

/// The header's value, if it is there once.
fn only(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let mut values = texts(headers, name);
    values.next().filter(|_| values.next().is_none())
}

fn forbidden(code: &'static str, detail: impl Into<String>) -> HttpRefusal {
    HttpRefusal::new(StatusCode::FORBIDDEN, code, detail)
}

fn is_here(host: &[u8], port: u16) -> bool {
    let Ok(host) = str::from_utf8(host) else {
        return false;
    };
    // Host names have no case.
    let host = host.to_ascii_lowercase();
    let name = match host.strip_suffix(&format!(":{port}")) {
        Some(name) => name,
        // Port 80 may be left out; any other must be named, or the request was for another server.
        None if port == 80 => &host,
        None => return false,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod browsers;

#[cfg(test)]
mod tests {
    use hyper::Request;

    pub(super) fn answer(request: &str, headers: &[(&str, &str)]) -> &'static str {
        with_page(request, headers, false)
    }

    fn with_page(request: &str, headers: &[(&str, &str)], has_page: bool) -> &'static str {
        let (method, target) = request.split_once(' ').unwrap();
        let mut builder = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let (head, ()) = builder.body(()).unwrap().into_parts();
        super::check(&head, 3030, has_page).map_or_else(|refusal| refusal.code, |()| "passes")
    }

    #[test]
    fn programs_on_this_machine_pass() {
        for host in [
            "localhost:3030",
            "LOCALHOST:3030",
            "127.0.0.1:3030",
            "[::1]:3030",
        ] {
            assert_eq!(
                answer("GET /details", &[("host", host)]),
                "passes",
                "{host}"
            );
        }
    }

    #[test]
    fn a_name_that_was_rebound_to_this_machine_does_not_pass() {
        for host in [
            "evil.example:3030",
            "localhost",
            "localhost:3031",
            "localhost.evil.example:3030",
            "127.0.0.1:3030@evil",
            "",
            "127.0.0.2:3030",
        ] {
            assert_eq!(
                answer("GET /details", &[("host", host)]),
                "host-not-local",
                "{host}"
            );
        }
        assert_eq!(answer("GET /details", &[]), "host-not-local");
        assert_eq!(
            answer(
                "GET /details",
                &[("host", "localhost:3030"), ("host", "evil.example")]
            ),
            "host-not-local"
        );
    }

    #[test]
    fn a_page_of_another_site_does_not_pass() {
        let host = ("host", "localhost:3030");
        for origin in [
            "https://evil.example",
            "null",
            "http://localhost:8888",
            "https://localhost:3030",
        ] {
            assert_eq!(
                answer("POST /upload_data", &[host, ("origin", origin)]),
                "foreign-page",
                "{origin}"
            );
        }
        for page in [
            "https://evil.example/",
            "http://localhost:8888/notebooks/a.ipynb",
            "http://localhost:3030.evil.example/",
            "http://localhost:3030@evil.example/",
            "https://localhost:3030/",
            "about:blank",
            "",
        ] {
            for request in ["GET /samples", "POST /confirm_data"] {
                let answer = answer(request, &[host, ("referer", page)]);
                assert_eq!(answer, "foreign-page", "{request} {page:?}");
            }
        }
        for page in [
            "http://localhost:3030",
            "http://127.0.0.1:3030/?a=http://b/",
        ] {
            assert_eq!(
                answer("POST /upload_data", &[host, ("referer", page)]),
                "passes"
            );
        }
        for site in ["cross-site", "same-site", "strange"] {
            assert_eq!(
                answer("GET /confirm_data", &[host, ("sec-fetch-site", site)]),
                "foreign-page",
                "{site}"
            );
        }
        for site in ["none", "same-origin"] {
            assert_eq!(
                answer(
                    "GET /status",
                    &[
                        host,
                        ("sec-fetch-site", site),
                        ("origin", "http://localhost:3030")
                    ]
                ),
                "passes"
            );
        }
    }

    #[test]
    fn a_link_elsewhere_may_lead_to_the_page_and_nowhere_else() {
        let visit = [
            ("host", "localhost:3030"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
            ("referer", "https://mail.example/"),
        ];
        assert_eq!(with_page("GET /", &visit, true), "passes");
        assert_eq!(with_page("GET /", &visit, false), "foreign-page");
        for request in [
            "GET /report",
            "GET /page/api/state",
            "GET /page/download/ab",
            "POST /",
            "HEAD /",
        ] {
            assert_eq!(
                with_page(request, &visit, true),
                "foreign-page",
                "{request}"
            );
        }
        for (name, value) in [
            ("sec-fetch-dest", "iframe"),
            ("sec-fetch-dest", "image"),
            ("sec-fetch-mode", "no-cors"),
            ("sec-fetch-mode", "cors"),
        ] {
            let other = visit.map(|header| match header.0 == name {
                true => (name, value),
                false => header,
            });
            assert_eq!(with_page("GET /", &other, true), "foreign-page", "{value}");
        }
        let scripted = [&visit[..], &[("origin", "https://evil.example")]].concat();
        assert_eq!(with_page("GET /", &scripted, true), "foreign-page");
        let rebound = visit.map(|header| match header.0 == "host" {
            true => ("host", "evil.example:3030"),
            false => header,
        });
        assert_eq!(with_page("GET /", &rebound, true), "host-not-local");
    }

    #[test]
    fn it_is_no_proxy_to_elsewhere() {
        let host = ("host", "localhost:3030");
        assert_eq!(
            answer("GET http://localhost:3030/details", &[host]),
            "bad-request-target"
        );
        assert_eq!(
            answer("CONNECT evil.example:443", &[host]),
            "bad-request-target"
        );
        assert_eq!(answer("OPTIONS *", &[host]), "bad-request-target");
    }
}
