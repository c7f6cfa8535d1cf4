//! Who else may ask: other sites, other users of the machine, and the room's own answers.

use std::process::{Command, Stdio};

use super::asking::{JSON, Reply, ask};
use super::served::{Served, connecting, lines, wait_for, words};
use crate::connecting::{free_port, open_room};

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_protected_from_other_sites_and_from_what_the_room_answers() {
    let folder = tempfile::tempdir().unwrap();
    let running = open_room(folder.path()).await;
    let port = free_port();
    let page = Served::start(
        folder.path(),
        port,
        &words(&connecting(&running, port, &[])),
    );

    let index = page.get("/");
    assert_eq!(
        (index.status, index.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    assert_eq!(index.header("cache-control"), "no-cache");
    let tag = index.header("etag").to_owned();
    assert_eq!(
        page.ask("GET /", &[("if-none-match", &tag)], b"").status,
        304
    );
    let again = page.get("/page/index.html");
    assert_eq!(again.body, index.body);
    for reply in [
        &index,
        &page.get("/page/api/state"),
        &page.get("/page/nothing.js"),
    ] {
        let policy = reply.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "form-action 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(part), "{part}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_isolated(reply);
    }
    assert_eq!(
        page.get("/page/api/state").header("cache-control"),
        "no-store"
    );
    page.get("/page/nothing.js").is(404, "not-found");
    page.get("/page/../Cargo.toml").is(404, "not-found");
    assert_eq!(page.get("/favicon.ico").status, 204);
    page.ask("POST /", &[], b"{}").is(405, "method-not-allowed");

    // The room has the page's origin, but none of its rights.
    let details = page.get("/details");
    assert_eq!(details.status, 200);
    assert!(
        details
            .header("content-security-policy")
            .starts_with("sandbox;")
    );
    assert_eq!(details.header("cache-control"), "no-store");
    assert_isolated(&details);

    let own = format!("localhost:{port}");
    let token = page.token.clone();
    for request in [
        "GET /",
        "GET /page/main.js",
        "GET /page/api/state",
        "GET /page/api/proof",
        "POST /page/api/accept",
        "POST /page/api/leave",
        "POST /page/api/check",
        "POST /page/api/receipt",
        "POST /page/api/download",
        "GET /page/download/00",
        "GET /favicon.ico",
    ] {
        for (name, value, code) in [
            ("origin", "https://evil.example", "foreign-page"),
            ("origin", "null", "foreign-page"),
            ("referer", "http://evil.example/", "foreign-page"),
            ("sec-fetch-site", "cross-site", "foreign-page"),
            ("host", "evil.example", "host-not-local"),
            ("host", &format!("evil.example:{port}"), "host-not-local"),
        ] {
            let mut headers = vec![JSON, ("x-synclave-token", token.as_str()), (name, value)];
            if name != "host" {
                headers.push(("host", &own));
            }
            let body: &[u8] = if request.starts_with("POST") {
                b"{}"
            } else {
                b""
            };
            let refused = page.ask(request, &headers, body);
            refused.is(403, code);
            assert_disarmed(&refused);
        }
    }
    let elsewhere = page.get("http://evil.example/");
    elsewhere.is(400, "bad-request-target");
    assert_disarmed(&elsewhere);

    // Whoever has the token is shown that the program has it too.
    let nonce = "0f".repeat(32);
    let proof = page.get(&format!("/page/api/proof?nonce={nonce}")).json();
    let digits = proof["proof"].as_str().unwrap();
    assert!(digits.len() == 64 && digits != nonce, "{proof}");
    for wrong in [
        "",
        "?nonce=",
        "?nonce=0f",
        &format!("?nonce={}", "xy".repeat(32)),
    ] {
        page.get(&format!("/page/api/proof{wrong}"))
            .is(400, "bad-parameter");
    }
    page.ask("POST /page/api/proof", &[], b"{}")
        .is(405, "method-not-allowed");
    // A link elsewhere leads to the page, though not in a frame.
    let link = |destination| {
        let headers = [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", destination),
        ];
        page.ask("GET /", &headers, b"").status
    };
    assert_eq!((link("document"), link("iframe")), (200, 403));
    running.shutdown().await;
}

/// A refusal at the door: it can run nothing either, and no connection is kept for it.
#[track_caller]
fn assert_disarmed(reply: &Reply) {
    let policy = reply.header("content-security-policy");
    assert!(policy.starts_with("sandbox;"), "{}", reply.head);
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.header("connection"), "close", "{}", reply.head);
    assert_isolated(reply);
}

#[track_caller]
fn assert_isolated(reply: &Reply) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(reply.header(name), value, "{name}: {}", reply.head);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_page_all_is_the_rooms_and_with_token_all_wants_it() {
    let folder = tempfile::tempdir().unwrap();
    let running = open_room(folder.path()).await;
    let port = free_port();
    let arguments = connecting(&running, port, &[]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_synclave"))
        .args(&arguments)
        .arg("--no-page")
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = lines(child.stderr.take().unwrap());
    let _child = testkit::Running(child);
    wait_for(&said, "the room is at http://localhost:");
    for path in ["/", "/page/api/state", "/page/index.html"] {
        let reply = ask(port, &format!("GET {path}"), &[], b"");
        assert!(
            reply.text().contains("GET /openapi.json lists"),
            "{reply:?}"
        );
        reply.is(404, "not-found");
    }
    let details = ask(port, "GET /details", &[], b"");
    assert_eq!(
        (details.status, details.header("content-security-policy")),
        (200, "")
    );
    assert!(said.try_iter().all(|line| !line.contains("token")));

    let port = free_port();
    let arguments = connecting(&running, port, &[]);
    let arguments = [&words(&arguments)[..], &["--token"]].concat();
    let page = Served::start(folder.path(), port, &arguments);
    let bearer = format!("Bearer {}", page.token);
    for request in [
        "GET /details",
        "GET /status",
        "POST /confirm_data",
        "GET /page/api/state",
    ] {
        page.ask(request, &[], b"").is(403, "token-required");
        let wrong = [("authorization", "Bearer 0000")];
        page.ask(request, &wrong, b"").is(403, "token-required");
    }
    for header in [
        ("authorization", bearer.as_str()),
        ("x-synclave-token", &page.token),
    ] {
        assert_eq!(page.ask("GET /details", &[header], b"").status, 200);
        // By a plain GET as well, which the workshop's notebook uses.
        let headers = [
            header,
            ("user-agent", "python-requests/2.32"),
            ("accept", "*/*"),
        ];
        page.ask("GET /confirm_data", &headers, b"")
            .is(409, "nothing-uploaded");
    }
    assert_eq!(page.get("/").status, 200);
    let token = [("x-synclave-token", page.token.as_str())];
    let state = page.ask("GET /page/api/state", &token, b"").json();
    assert_eq!(state["token_required"], true);
    running.shutdown().await;
}
