//! A program that serves a page, and what it says.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::asking::{JSON, Reply, ask, upload};
use crate::connecting::arguments;

/// A running `synclave` that serves a page.
pub(super) struct Served {
    child: testkit::Running,
    pub(super) port: u16,
    pub(super) token: String,
    pub(super) said: Receiver<String>,
}

impl Served {
    /// Starts it and waits until it has told the page's address.
    pub(super) fn start(folder: &Path, port: u16, arguments: &[&str]) -> Self {
        Self::start_with(folder, port, arguments, |command| command)
    }

    pub(super) fn start_with(
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
    pub(super) fn ask(&self, request: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        ask(self.port, request, headers, body)
    }

    pub(super) fn get(&self, path: &str) -> Reply {
        self.ask(&format!("GET {path}"), &[], b"")
    }

    pub(super) fn state(&self) -> Value {
        self.get("/page/api/state").json()
    }

    /// What the page orders, with its token.
    pub(super) fn order(&self, path: &str, body: &Value) -> Reply {
        self.ask(
            &format!("POST /page/api/{path}"),
            &[JSON, ("x-synclave-token", &self.token)],
            body.to_string().as_bytes(),
        )
    }

    /// Whatever is downloaded from the room, by an address that works once.
    pub(super) fn download(&self, path: &str) -> (String, Reply) {
        let noted = self.order("download", &json!({"path": path}));
        let url = noted.json()["url"].as_str().unwrap().to_owned();
        let reply = self.get(&url);
        (url, reply)
    }

    pub(super) fn upload(&self, table: &str) -> Reply {
        upload(self.port, table)
    }

    pub(super) fn wait(mut self) -> Option<i32> {
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
    pub(super) fn interrupt(self) -> Option<i32> {
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
pub(super) fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
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
pub(super) fn wait_for(said: &Receiver<String>, lead: &str) -> String {
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

/// The arguments of a connection, of which these are changed.
pub(super) fn connecting(
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

pub(super) fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// A program that passes for a browser: it notes its arguments, and keeps what it was shown.
#[cfg(unix)]
pub(super) fn browser(folder: &Path) -> std::path::PathBuf {
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
pub(super) fn wait_for_file(path: &Path) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        match fs::read_to_string(path) {
            Ok(text) if !text.is_empty() => return text,
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    panic!("{} was not written", path.display());
}
