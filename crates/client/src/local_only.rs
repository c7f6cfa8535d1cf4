//! Who may speak to the local port: programs on this machine that mean to, and no web page.

use hyper::header::{HOST, HeaderName, ORIGIN, REFERER};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use crate::refusal::Refusal;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses a request that a browser may have been tricked into, and one that is meant for another kind of proxy.
///
/// A page of another site can make a browser send requests to `localhost` (and, by giving its own name the address 127.0.0.1,
/// read the replies). The first kind carries `Origin` or `Sec-Fetch-Site`, the second a foreign `Host`.
pub(crate) fn check(head: &Parts, port: u16) -> Result<(), Refusal> {
    if head.method == Method::CONNECT || head.uri.authority().is_some() || head.uri.path() == "*" {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "bad-request-target",
            format!(
                "This port leads to one room only, not to other addresses: ask for a path, such as http://localhost:{port}/details."
            ),
        ));
    }
    let mut hosts = head.headers.get_all(HOST).iter();
    let here = hosts
        .next()
        .is_some_and(|host| is_here(host.as_bytes(), port))
        && hosts.next().is_none();
    if !here {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "host-not-local",
            format!(
                "This port answers only to http://localhost:{port} and http://127.0.0.1:{port}; the request's Host header says otherwise."
            ),
        ));
    }
    let foreign_origin = head.headers.get_all(ORIGIN).iter().any(|origin| {
        let host = origin.as_bytes().strip_prefix(b"http://");
        !host.is_some_and(|host| is_here(host, port))
    });
    let foreign_page = head
        .headers
        .get_all(SEC_FETCH_SITE)
        .iter()
        .any(|site| site != "same-origin" && site != "none");
    if foreign_origin || foreign_page {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "foreign-page",
            "A web page of another site asked for this; only programs and pages of this port may. Type the address yourself, or use curl or Python.",
        ));
    }
    if head.method == Method::GET && head.uri.path() == "/confirm_data" && is_of_a_browser(head) {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "confirm-by-visit",
            "Confirming cannot be undone, so a visit with a browser (a link, a prefetch) does not do it: use curl or Python, or POST.",
        ));
    }
    Ok(())
}

/// What browsers, and hardly anyone else, say of a request: fetch metadata, a purpose, where it came from.
fn is_of_a_browser(head: &Parts) -> bool {
    head.headers
        .keys()
        .any(|name| name.as_str().starts_with("sec-") || name == "purpose" || name == REFERER)
}

fn is_here(host: &[u8], port: u16) -> bool {
    let Ok(host) = str::from_utf8(host) else {
        return false;
    };
    let host = host.to_ascii_lowercase();
    let name = match host.strip_suffix(&format!(":{port}")) {
        Some(name) => name,
        None if port == 80 => &host,
        None => return false,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    fn answer(request: &str, headers: &[(&str, &str)]) -> &'static str {
        let (method, target) = request.split_once(' ').unwrap();
        let mut builder = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let (head, ()) = builder.body(()).unwrap().into_parts();
        super::check(&head, 3030).map_or_else(|refusal| refusal.code, |()| "passes")
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
    fn a_visit_with_a_browser_does_not_confirm() {
        let host = ("host", "localhost:3030");
        for header in [
            ("sec-fetch-site", "none"),
            ("sec-purpose", "prefetch"),
            ("purpose", "prefetch"),
            ("referer", "http://localhost:3030/"),
        ] {
            let visit = answer("GET /confirm_data", &[host, header]);
            assert_eq!(visit, "confirm-by-visit", "{header:?}");
            assert_eq!(answer("POST /confirm_data", &[host, header]), "passes");
        }
        assert_eq!(answer("GET /confirm_data", &[host]), "passes");
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
