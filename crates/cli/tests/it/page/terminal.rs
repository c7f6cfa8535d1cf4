//! The terminal asks while the page does.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;

use serde_json::{Value, json};

use super::asking::{JSON, ask};
use super::served::{connecting, lines, wait_for};
use crate::connecting::{free_port, open_room};

/// A person at a terminal, who is asked. `script` is in Debian's essential packages.
struct AtTerminal {
    script: testkit::Running,
    keys: std::process::ChildStdin,
    port: u16,
    token: String,
    said: Receiver<String>,
}

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
