//! Programs that run beside the task, and end with it.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A program gets this long to end by itself, and to leave nothing behind.
const GRACE: Duration = Duration::from_secs(10);

/// A running program, and every line that it has written. It is told to end when this value goes.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    pub(crate) fn start(
        name: &'static str,
        program: &Path,
        arguments: &[String],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        Self::start_command(name, command.args(arguments).current_dir(folder))
    }

    /// As [`Process::start`], for a command that is put together elsewhere.
    pub(crate) fn start_command(name: &'static str, command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("could not start {}", command.get_program().display()))?;
        let lines = Arc::default();
        let mut readers = Vec::new();
        readers.extend(child.stdout.take().map(|from| collect(from, &lines)));
        readers.extend(child.stderr.take().map(|from| collect(from, &lines)));
        Ok(Self {
            name,
            child,
            lines,
            readers,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written so far, on both streams.
    pub(crate) fn lines(&self) -> Vec<String> {
        locked(&self.lines).clone()
    }

    /// The first line, past or future, of which `pick` makes something.
    pub(crate) fn wait_for<T>(
        &self,
        what: &str,
        patience: Duration,
        pick: impl Fn(&str) -> Option<T>,
    ) -> anyhow::Result<T> {
        self.wait_until(what, patience, || {
            locked(&self.lines).iter().find_map(|line| pick(line))
        })
    }

    /// Looks again and again, until `look` finds something.
    pub(crate) fn wait_until<T>(
        &self,
        what: &str,
        patience: Duration,
        look: impl Fn() -> Option<T>,
    ) -> anyhow::Result<T> {
        let start = Instant::now();
        loop {
            let ended = self.readers.iter().all(JoinHandle::is_finished);
            if let Some(found) = look() {
                return Ok(found);
            }
            if ended || start.elapsed() > patience {
                let how = if ended { "ended" } else { "took too long" };
                bail!("{} {how} before {what}:\n{}", self.name, self.last_lines());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(&mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                for reader in self.readers.drain(..) {
                    drop(reader.join());
                }
                return Ok(status);
            }
            if start.elapsed() > patience {
                bail!("{} did not end:\n{}", self.name, self.last_lines());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn end(mut self) -> anyhow::Result<ExitStatus> {
        signal("TERM", self.id())?;
        self.wait(GRACE)
    }

    fn last_lines(&self) -> String {
        let lines = self.lines();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(signal("TERM", self.id()));
            if self.wait(GRACE).is_err() {
                drop(self.child.kill());
                drop(self.child.wait());
            }
        }
    }
}

/// Sends a signal to one process.
pub(crate) fn signal(name: &str, process: u32) -> anyhow::Result<()> {
    let status = Command::new("kill")
        .args([format!("-{name}"), process.to_string()])
        .stderr(Stdio::null())
        .status()?;
    if !status.success() {
        bail!("process {process} is not there");
    }
    Ok(())
}

fn collect(from: impl Read + Send + 'static, into: &Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    let lines = Arc::clone(into);
    std::thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n') {
            let Ok(line) = line else { return };
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            locked(&lines).push(line);
        }
    })
}

/// A reader that panicked has left whole lines.
fn locked(lines: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}
