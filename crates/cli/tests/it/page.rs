//! The local page as a browser and the programs of this machine meet it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::connecting::{arguments, free_port, open_room};
use crate::synclave;

const JSON: (&str, &str) = ("content-type", "application/json");

/// A running `synclave` that serves a page.
struct Served {
    child: testkit::Running,
    port: u16,
    token: String,
    said: Receiver<String>,
}

impl Served {
    /// Starts it and waits until it has told the page's address.
    fn start(folder: &Path, port: u16, arguments: &[&str]) -> Self {
        Self::start_with(folder, port, arguments, |command| command)
    }

    fn start_with(
        folder: &Path,
        port: u16,
        arguments: &[&str],
        change: impl Fn(&mut Command) -> &mut Command,
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_synclave"));
        command
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = change(&mut command).spawn().unwrap();
        let said = lines(child.stderr.take().unwrap());
        let token = wait_for(&said, &format!("http://localhost:{port}/#token="));
        Served {
            child: testkit::Running(child),
            port,
            token,
            said,
        }
    }

    /// A request to it, with no more headers than these.
    fn ask(&self, request: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        ask(self.port, request, headers, body)
    }

    fn get(&self, path: &str) -> Reply {
        self.ask(&format!("GET {path}"), &[], b"")
    }

    fn state(&self) -> Value {
        self.get("/page/api/state").json()
    }

    /// What the page orders, with its token.
    fn order(&self, path: &str, body: &Value) -> Reply {
        self.ask(
            &format!("POST /page/api/{path}"),
            &[JSON, ("x-synclave-token", &self.token)],
            body.to_string().as_bytes(),
        )
    }

    /// Whatever is downloaded from the room, by an address that works once.
    fn download(&self, path: &str) -> (String, Reply) {
        let noted = self.order("download", &json!({"path": path}));
        let url = noted.json()["url"].as_str().unwrap().to_owned();
        let reply = self.get(&url);
        (url, reply)
    }

    fn upload(&self, table: &str) -> Reply {
        upload(self.port, table)
    }

    fn wait(mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Some(status) = self.child.0.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!(
            "it does not end: {:#?}",
            self.said.try_iter().collect::<Vec<_>>()
        );
    }

    /// As Ctrl-C does.
    #[cfg(unix)]
    fn interrupt(self) -> Option<i32> {
        let id = self.child.0.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &id])
                .status()
                .unwrap()
                .success()
        );
        self.wait()
    }
}

/// Its talk, line by line.
fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The word after `lead`, in the first line that has it.
fn wait_for(said: &Receiver<String>, lead: &str) -> String {
    let mut seen = Vec::new();
    while let Ok(line) = said.recv_timeout(Duration::from_secs(60)) {
        if let Some((_, rest)) = line.split_once(lead) {
            return rest
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned();
        }
        seen.push(line);
    }
    panic!("{lead} was not said: {seen:#?}");
}

#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// Status and code of an error.
    #[track_caller]
    fn is(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status, self.json()["code"].as_str().unwrap()),
            (status, code),
            "{self:?}"
        );
    }
}

fn ask(port: u16, request: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let host = format!("localhost:{port}");
    let mut head = format!("{request} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        head.push_str(&format!("host: {host}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    // A reply may come before the whole request is sent; then the rest may fail to be.
    drop(stream.write_all(&[head.as_bytes(), b"\r\n", body].concat()));
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("{request}: {:?}", String::from_utf8_lossy(&bytes)));
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let body = bytes[end + 4..].to_vec();
    let chunked = head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked");
    Reply {
        status: head[9..12].parse().unwrap(),
        body: if chunked { dechunked(&body) } else { body },
        head,
    }
}

fn dechunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|it| it == b"\r\n").unwrap();
        let size = usize::from_str_radix(str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        rest = &rest[line + 2..];
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
}

fn upload(port: u16, table: &str) -> Reply {
    let body = format!(
        "--xyz\r\ncontent-disposition: form-data; name=\"file\"; filename=\"table.csv\"\r\n\
         content-type: text/csv\r\n\r\n{table}\r\n--xyz--\r\n"
    );
    let origin = format!("http://localhost:{port}");
    let headers = [
        ("content-type", "multipart/form-data; boundary=xyz"),
        ("origin", origin.as_str()),
    ];
    ask(port, "POST /upload_data", &headers, body.as_bytes())
}

/// The arguments of a connection, of which these are changed.
fn connecting(
    running: &enclave::Running,
    port: u16,
    changes: &[(&str, Option<&str>)],
) -> Vec<String> {
    let mut arguments = arguments(running, port);
    for (name, value) in changes {
        arguments.retain(|(known, _)| known != name);
        if let Some(value) = value {
            arguments.push(((*name).to_owned(), (*value).to_owned()));
        }
    }
    let pairs = arguments
        .into_iter()
        .flat_map(|(name, value)| [name, value]);
    std::iter::once("connect".to_owned()).chain(pairs).collect()
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// A program that passes for a browser: it notes its arguments, and keeps what it was shown.
#[cfg(unix)]
fn browser(folder: &Path) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;

    let script = folder.join("browser");
    let text = format!(
        "#!/bin/sh\nls -l \"$1\" > {0}/rights\ncp \"$1\" {0}/shown\necho \"$@\" > {0}/given\n",
        folder.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script
}

#[cfg(unix)]
fn wait_for_file(path: &Path) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        match fs::read_to_string(path) {
            Ok(text) if !text.is_empty() => return text,
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    panic!("{} was not written", path.display());
}

/// `connect --open` without anybody at a terminal, of a room that is not accepted yet.
#[cfg(unix)]
fn unaccepted(folder: &Path, running: &enclave::Running, more: &[&str]) -> Served {
    let port = free_port();
    let arguments = connecting(running, port, &[("--agreement", None)]);
    let arguments = [&words(&arguments)[..], &["--open"], more].concat();
    let browser = browser(folder);
    Served::start_with(folder, port, &arguments, |command| {
        command.env("BROWSER", &browser)
    })
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_to_the_room_before_the_agreement_is_accepted_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let running = open_room(folder.path()).await;
    let page = unaccepted(folder.path(), &running, &[]);

    let state = page.state();
    assert_eq!(state["mode"], "room");
    assert_eq!(state["room"]["id"], running.room().to_string());
    assert_eq!(
        state["me"],
        json!({"name": "Alice", "role": "data_provider"})
    );
    assert_eq!(state["evidence"]["held"], true);
    assert_eq!(state["evidence"]["steps"].as_array().unwrap().len(), 12);
    assert_eq!(state["evidence"]["refusal"], Value::Null);
    let measurements: Value =
        serde_json::from_slice(&fs::read(folder.path().join("measurements.json")).unwrap())
            .unwrap();
    let pcr0 = measurements["Measurements"]["PCR0"].as_str().unwrap();
    assert_eq!(state["evidence"]["measurements"]["PCR0"], pcr0);
    assert_eq!(
        state["evidence"]["measurements_short"],
        format!("{} {} {}", &pcr0[..4], &pcr0[4..8], &pcr0[8..12])
    );
    let agreement = &state["agreement"];
    let hash = running.agreement().to_string();
    assert_eq!(agreement["sha384"], hash);
    assert_eq!(
        (&agreement["accepted"], &agreement["accepted_by"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(agreement["summary"]["epsilon"], 3.0);
    assert!(
        agreement["odds"]
            .as_str()
            .unwrap()
            .contains("by at most a factor of")
    );
    assert!(
        agreement["service_yaml"]
            .as_str()
            .unwrap()
            .contains("user_name: Alice")
    );
    assert!(
        agreement["text"][0]
            .as_str()
            .unwrap()
            .contains("as it was read")
    );

    // Every path of the room, also of the kind that is none, and with the token too.
    let token = page.token.clone();
    let curl = ("user-agent", "curl/8.5.0");
    for path in access::Endpoint::ALL
        .map(access::Endpoint::path)
        .iter()
        .chain(&["/x"])
    {
        for headers in [&[curl][..], &[curl, ("x-synclave-token", token.as_str())]] {
            let reply = page.ask(&format!("GET {path}"), headers, b"");
            reply.is(503, "agreement-not-accepted");
        }
    }
    page.upload("id,a\n1,2\n").is(503, "agreement-not-accepted");
    page.order("receipt", &json!({}))
        .is(503, "agreement-not-accepted");
    let download = json!({"path": "/samples"});
    page.order("download", &download)
        .is(503, "agreement-not-accepted");

    // To check evidence once more sends nothing.
    assert_eq!(page.order("check", &json!({})).json()["held"], true);

    let accept = json!({"sha384": hash}).to_string();
    let accept = accept.as_bytes();
    let wrong = "0".repeat(32);
    for shown in [None, Some(""), Some(wrong.as_str())] {
        let mut headers = vec![JSON];
        headers.extend(shown.map(|token| ("x-synclave-token", token)));
        page.ask("POST /page/api/accept", &headers, accept)
            .is(403, "token-required");
    }
    let shown = ("x-synclave-token", token.as_str());
    page.ask("GET /page/api/accept", &[shown], b"")
        .is(405, "method-not-allowed");
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
    ] {
        let headers = [("content-type", kind), shown];
        page.ask("POST /page/api/accept", &headers, accept)
            .is(415, "unsupported-media-type");
    }
    page.ask("POST /page/api/accept", &[shown], accept)
        .is(415, "unsupported-media-type");
    page.order("accept", &json!({}))
        .is(400, "malformed-request");
    page.order("accept", &json!({"sha384": hash, "more": 1}))
        .is(400, "malformed-request");
    page.order("accept", &json!({"sha384": "ab".repeat(48)}))
        .is(409, "another-agreement");
    let long = json!({"sha384": "a".repeat(1 << 20)});
    page.order("accept", &long).is(413, "too-large");
    page.get("/details").is(503, "agreement-not-accepted");
    assert_eq!(page.state()["agreement"]["accepted"], false);

    assert_eq!(page.order("accept", &json!({"sha384": hash})).status, 204);
    wait_for(&page.said, "the agreement was accepted on the");
    wait_for(&page.said, "the room is at http://localhost:");
    assert_eq!(page.get("/details").json()["method"], "MST");
    assert_eq!(page.state()["agreement"]["accepted_by"], "page");
    assert_eq!(page.order("accept", &json!({"sha384": hash})).status, 204);

    // The browser was shown a file that others cannot read, and no command line had the token.
    let shown = wait_for_file(&folder.path().join("shown"));
    assert!(shown.contains(&format!("#token={token}")), "{shown}");
    let given = wait_for_file(&folder.path().join("given"));
    assert!(!given.contains(&token), "{given}");
    assert!(wait_for_file(&folder.path().join("rights")).starts_with("-rw------- "));
    assert!(Path::new(given.trim()).exists());
    assert_eq!(page.interrupt(), Some(0));
    assert!(!Path::new(given.trim()).exists());
    running.shutdown().await;
}

/// A person at a terminal, who is asked. `script` is in Debian's essential packages.
#[cfg(target_os = "linux")]
struct AtTerminal {
    script: testkit::Running,
    keys: std::process::ChildStdin,
    port: u16,
    token: String,
    said: Receiver<String>,
}

#[cfg(target_os = "linux")]
impl AtTerminal {
    fn start(folder: &Path, running: &enclave::Running) -> Self {
        let port = free_port();
        let arguments = connecting(running, port, &[("--agreement", None)]);
        let program = env!("CARGO_BIN_EXE_synclave");
        // Without it, a shell that waits for the program would be ended by Ctrl-C as well.
        let command = format!("exec {program} {}", arguments.join(" "));
        let mut script = Command::new("script")
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let keys = script.stdin.take().unwrap();
        let said = lines(script.stdout.take().unwrap());
        let token = wait_for(
            &said,
            &format!("the page is at http://localhost:{port}/#token="),
        );
        AtTerminal {
            script: testkit::Running(script),
            keys,
            port,
            token,
            said,
        }
    }

    fn type_in(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    fn state(&self) -> Value {
        ask(self.port, "GET /page/api/state", &[], b"").json()
    }

    fn wait(mut self) -> Option<i32> {
        self.script.0.wait().unwrap().code()
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn whichever_comes_first_of_terminal_and_page_accepts() {
    let folder = tempfile::tempdir().unwrap();
    let running = open_room(folder.path()).await;

    let mut terminal = AtTerminal::start(folder.path(), &running);
    let details = |port| ask(port, "GET /details", &[], b"");
    details(terminal.port).is(503, "agreement-not-accepted");
    terminal.type_in("yes\n");
    wait_for(&terminal.said, "the room is at http://localhost:");
    assert_eq!(details(terminal.port).status, 200);
    assert_eq!(terminal.state()["agreement"]["accepted_by"], "terminal");
    terminal.type_in("\u{3}");
    assert_eq!(terminal.wait(), Some(0));

    // The question is still open when it is accepted on the page, and keeps nothing from ending.
    let mut page = AtTerminal::start(folder.path(), &running);
    let hash = json!({"sha384": running.agreement().to_string()}).to_string();
    let headers = [JSON, ("x-synclave-token", page.token.as_str())];
    let accepted = ask(
        page.port,
        "POST /page/api/accept",
        &headers,
        hash.as_bytes(),
    );
    assert_eq!(accepted.status, 204);
    wait_for(&page.said, "the agreement was accepted on the");
    wait_for(&page.said, "the room is at http://localhost:");
    assert_eq!(details(page.port).status, 200);
    page.type_in("\u{3}");
    assert_eq!(page.wait(), Some(0));

    let mut declined = AtTerminal::start(folder.path(), &running);
    declined.type_in("no\n");
    wait_for(
        &declined.said,
        "the agreement was not accepted: nothing was",
    );
    assert_eq!(declined.wait(), Some(36));
    running.shutdown().await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_or_ends_it_has_not_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let running = open_room(folder.path()).await;
    let left = unaccepted(folder.path(), &running, &[]);
    left.ask("POST /page/api/leave", &[JSON], b"{}")
        .is(403, "token-required");
    assert_eq!(left.order("leave", &json!({})).status, 204);
    assert_eq!(left.wait(), Some(36));
    let interrupted = unaccepted(folder.path(), &running, &[]);
    assert_eq!(interrupted.interrupt(), Some(36));
    // Once it is accepted, leaving is what Ctrl-C is.
    let port = free_port();
    let accepted = Served::start(
        folder.path(),
        port,
        &words(&connecting(&running, port, &[])),
    );
    assert_eq!(accepted.state()["agreement"]["accepted_by"], "option");
    assert_eq!(accepted.order("leave", &json!({})).status, 204);
    assert_eq!(accepted.wait(), Some(0));
    running.shutdown().await;
}

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
            page.ask(request, &headers, body).is(403, code);
        }
    }
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

/// A wire to the room that counts what goes there.
fn counting_wire(room: u16) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    std::thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            let far = TcpStream::connect(("127.0.0.1", room)).unwrap();
            let (mut back, mut there) = (far.try_clone().unwrap(), near.try_clone().unwrap());
            let counter = Arc::clone(&counter);
            std::thread::spawn(move || {
                let (mut near, mut far, mut buffer) = (near, far, [0; 4096]);
                while let Ok(read @ 1..) = near.read(&mut buffer) {
                    counter.fetch_add(read, Ordering::SeqCst);
                    if far.write_all(&buffer[..read]).is_err() {
                        break;
                    }
                }
                drop(far.shutdown(Shutdown::Both));
            });
            std::thread::spawn(move || drop(std::io::copy(&mut back, &mut there)));
        }
    });
    (port, sent)
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_room_is_shown_and_sent_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let running = open_room(folder.path()).await;
    let (wire, sent) = counting_wire(running.address().tcp().unwrap().port());
    let other = "ab".repeat(48);
    let wrong = format!(
        r#"{{"Measurements": {{"PCR0": "{other}", "PCR1": "{other}", "PCR2": "{other}"}}}}"#
    );
    fs::write(folder.path().join("wrong.json"), wrong).unwrap();
    let port = free_port();
    let changes = [
        ("--measurements", Some("wrong.json")),
        ("--port", Some(&*wire.to_string())),
    ];
    let arguments = connecting(&running, port, &changes);
    let arguments = words(&arguments);

    // As ever without --open.
    synclave(folder.path(), &arguments)
        .exits(29)
        .saying("another program");

    let browser = browser(folder.path());
    let arguments = [&arguments[..], &["--open"]].concat();
    let page = Served::start_with(folder.path(), port, &arguments, |command| {
        command.env("BROWSER", &browser)
    });
    assert_eq!(page.get("/").status, 200);
    let state = page.state();
    let before = sent.load(Ordering::SeqCst);
    assert_eq!(
        (&state["room"], &state["agreement"]),
        (&Value::Null, &Value::Null)
    );
    let evidence = &state["evidence"];
    assert_eq!(evidence["held"], false);
    assert_eq!(evidence["refusal"]["check"], "wrong-measurement");
    assert_eq!(evidence["refusal"]["code"], 29);
    assert!(
        evidence["refusal"]["text"]
            .as_str()
            .unwrap()
            .contains("another program")
    );

    page.upload(&"1,2\n".repeat(100_000))
        .is(502, "room-refused");
    for path in ["/details", "/agreement", "/samples", "/x"] {
        page.get(path).is(502, "room-refused");
    }
    let hash = json!({"sha384": running.agreement().to_string()});
    page.order("accept", &hash).is(502, "room-refused");
    for path in ["check", "receipt"] {
        page.order(path, &json!({})).is(502, "room-refused");
    }
    page.order("download", &json!({"path": "/samples"}))
        .is(502, "room-refused");
    assert_eq!(sent.load(Ordering::SeqCst), before);
    assert_eq!(page.interrupt(), Some(29));
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_is_refused_later_is_shown_as_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = open_room(folder.path()).await;
    let port = free_port();
    let page = Served::start(folder.path(), port, &words(&connecting(&first, port, &[])));
    assert_eq!(page.order("check", &json!({})).json()["held"], true);
    let place = first.address().tcp().unwrap();
    first.shutdown().await;
    page.order("check", &json!({})).is(502, "room-unreachable");
    // It could not be asked: what was verified is no less true for that.
    assert_eq!(page.state()["evidence"]["held"], true);

    // Another platform, with a root of its own, at the same address.
    let elsewhere = tempfile::tempdir().unwrap();
    let second = crate::connecting::open_room_at(elsewhere.path(), &place.to_string()).await;
    let checked = page.order("check", &json!({})).json();
    assert_eq!(checked["held"], false);
    assert_eq!(page.state()["evidence"]["refusal"], checked["refusal"]);
    page.upload("id,a\n1,2\n").is(502, "room-refused");
    second.shutdown().await;
}

/// Both parties' tables, of which one says nothing of the other.
fn table(column: &str) -> String {
    let rows: String = (0..200).map(|id| format!("{id},{}\n", id % 3)).collect();
    format!("id,{column}\n{rows}")
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_and_receipt_are_taken_home_by_addresses_that_work_once() {
    let folder = tempfile::tempdir().unwrap();
    let running = open_room(folder.path()).await;
    let (port, other) = (free_port(), free_port());
    let alice = Served::start(
        folder.path(),
        port,
        &words(&connecting(&running, port, &[])),
    );
    let bob = [
        ("--private-key", Some("bob_private.der")),
        ("--public-key", Some("bob_public.der")),
    ];
    let bob = connecting(&running, other, &bob);
    let bob = Served::start(folder.path(), other, &words(&bob));
    assert_eq!(bob.state()["me"]["name"], "Bob");

    // Nothing is fitted yet, which the room says itself.
    alice.order("receipt", &json!({})).is(400, "not-fitted");
    let (_, early) = alice.download("/samples");
    early.is(400, "not-fitted");
    assert_eq!(early.header("content-disposition"), "");

    for (party, column) in [(&alice, "a"), (&bob, "b")] {
        assert_eq!(party.upload(&table(column)).status, 200);
    }
    for party in [&alice, &bob] {
        let origin = format!("http://localhost:{}", party.port);
        let confirmed = party.ask("POST /confirm_data", &[("origin", &origin)], b"");
        assert_eq!(confirmed.status, 200, "{confirmed:?}");
    }
    let deadline = Instant::now() + Duration::from_secs(120);
    while alice.get("/status").json()["status"] != "trained" {
        assert!(Instant::now() < deadline, "it does not train");
        std::thread::sleep(Duration::from_millis(100));
    }

    let (url, rows) = alice.download("/samples?format=csv&num_samples=1000");
    assert_eq!(rows.status, 200);
    assert_eq!(rows.text().lines().count(), 1001);
    assert!(rows.text().starts_with("Alice_a,Bob_b\n"));
    assert_eq!(
        rows.header("content-disposition"),
        "attachment; filename=synthetic_data.csv"
    );
    assert!(
        rows.header("content-security-policy")
            .starts_with("sandbox;")
    );
    assert_eq!(rows.header("cache-control"), "no-store");
    alice.get(&url).is(404, "not-found");
    let (_, receipt) = alice.download("/receipt");
    assert_eq!(
        receipt.header("content-disposition"),
        "attachment; filename=receipt.json"
    );
    let (_, report) = alice.download("/report?format=html");
    assert_eq!(
        report.header("content-disposition"),
        "attachment; filename=report.html"
    );
    for path in [
        "/confirm_data",
        "/status",
        "//evil.example/samples",
        "/page/api/state",
        "",
    ] {
        alice
            .order("download", &json!({"path": path}))
            .is(400, "bad-parameter");
    }
    let names: BTreeSet<String> = (0..5).map(|_| alice.download("/receipt").0).collect();
    assert_eq!(names.len(), 5);
    bob.get(names.first().unwrap()).is(404, "not-found");

    let verified = alice.order("receipt", &json!({})).json();
    assert_eq!(verified["holds"], true, "{verified}");
    assert_eq!(verified["error"], Value::Null);
    let lines = verified["lines"].as_array().unwrap();
    for text in ["agreement: the one you named", "room: the one you named"] {
        assert!(
            lines.contains(&json!({"ok": true, "text": text})),
            "{lines:#?}"
        );
    }
    let about = verified["about"].as_array().unwrap();
    let method = about.iter().filter_map(Value::as_str);
    assert!(
        method
            .clone()
            .any(|line| line.starts_with("method     MST")),
        "{about:#?}"
    );
    // The very program a person would run agrees.
    fs::write(folder.path().join("receipt.json"), &receipt.body).unwrap();
    let verify = [
        "verify-receipt",
        "receipt.json",
        "--measurements",
        "measurements.json",
        "--dangerous-root",
        "root.pem",
    ];
    synclave(folder.path(), &verify)
        .exits(0)
        .saying("text: it is what");
    running.shutdown().await;
}

#[test]
fn a_model_is_looked_at_without_a_room() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("people.csv"), table("a")).unwrap();
    fs::write(
        folder.path().join("people.yaml"),
        "a: {categories: [0, 1, 2]}\n",
    )
    .unwrap();
    let synth = "synth people.csv --key id --schema people.yaml --epsilon 3 --model people.model \
                 --output rows.csv";
    synclave(folder.path(), &synth.split_whitespace().collect::<Vec<_>>()).exits(0);
    let (port, missing) = (free_port(), free_port().to_string());
    synclave(folder.path(), &["view", "rows.csv", "--lport", &missing])
        .exits(3)
        .saying("model");
    let arguments = ["view", "people.model", "--lport", &port.to_string()];
    let page = Served::start(folder.path(), port, &arguments);

    let state = page.state();
    assert_eq!(state["mode"], "model");
    for part in ["room", "me", "evidence", "agreement"] {
        assert_eq!(state[part], Value::Null, "{part}");
    }
    assert_eq!(
        page.get("/").header("content-type"),
        "text/html; charset=utf-8"
    );
    let columns = page.get("/columns").json();
    assert_eq!(
        columns,
        json!({"user": "", "columns": ["a"], "rows": [["0"], ["1"], ["2"]]})
    );
    let report = page.get("/report").json();
    assert_eq!(report["method"], "GRAIN");
    assert_eq!(report["distributions"][0]["column"], "a");
    let shown = page.get("/report?format=html");
    assert!(shown.header("content-security-policy").contains("sandbox"));
    page.get("/report?format=pdf").is(400, "unknown-format");
    assert_eq!(page.get("/formats").json(), json!(["csv", "json", "jsonl"]));

    let rows = page.get("/samples?num_samples=20&seed=7&where=a+%3D+1");
    assert_eq!(rows.text(), format!("a\n{}", "1\n".repeat(20)));
    assert_eq!(
        rows.header("synclave-condition-probability")
            .parse::<f64>()
            .ok()
            .map(|p| p < 1.0),
        Some(true)
    );
    page.get("/samples?where=b+%3D+1").is(400, "bad-parameter");
    page.get("/samples?rows=1").is(400, "unknown-parameter");
    page.ask("POST /samples", &[], b"")
        .is(405, "method-not-allowed");
    // Rows are those of `sample`, to the byte.
    let sample = [
        "sample",
        "people.model",
        "--rows",
        "50",
        "--seed",
        "7",
        "--output",
        "s.csv",
    ];
    synclave(folder.path(), &sample).exits(0);
    let (url, taken) = page.download("/samples?num_samples=50&seed=7");
    assert_eq!(
        taken.text(),
        fs::read_to_string(folder.path().join("s.csv")).unwrap()
    );
    page.get(&url).is(404, "not-found");
    for path in ["/receipt", "/details", "/agreement", "/status", "/x"] {
        page.get(path).is(404, "not-found");
    }
    page.order("accept", &json!({"sha384": "ab".repeat(48)}))
        .is(404, "not-found");
    page.ask("GET /samples", &[("host", "evil.example")], b"")
        .is(403, "host-not-local");
    assert_eq!(page.order("leave", &json!({})).status, 204);
    assert_eq!(page.wait(), Some(0));
}

#[cfg(unix)]
#[test]
fn one_person_plays_both_parties_of_the_demo() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_synclave"))
        .args(["demo", "--serve", "--output", "demo"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = lines(child.stderr.take().unwrap());
    let child = testkit::Running(child);
    let mut parties = Vec::new();
    for name in ["insurer", "clinic"] {
        let address = wait_for(&said, &format!("the {name}: http://localhost:"));
        let (port, token) = address.split_once("/#token=").unwrap();
        let token = token.to_owned();
        parties.push((name, port.parse::<u16>().unwrap(), token));
    }
    for (name, port, token) in &parties {
        let state = ask(*port, "GET /page/api/state", &[], b"").json();
        assert_eq!(state["me"]["name"], *name);
        ask(*port, "GET /details", &[], b"").is(503, "agreement-not-accepted");
        let accept = json!({"sha384": state["agreement"]["sha384"]}).to_string();
        let headers = [JSON, ("x-synclave-token", token.as_str())];
        let accepted = ask(*port, "POST /page/api/accept", &headers, accept.as_bytes());
        assert_eq!(accepted.status, 204);
        let table = fs::read_to_string(folder.path().join(format!("demo/{name}.csv"))).unwrap();
        assert_eq!(upload(*port, &table).json()["rows"], 5912);
    }
    let id = child.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    let mut child = child;
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
}
