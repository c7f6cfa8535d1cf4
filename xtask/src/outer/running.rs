//! Programs that run for as long as the check does.

use std::fs::File;
use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// How long a program may take until it is ready.
const DEADLINE: Duration = Duration::from_secs(30);

/// A program whose words go to a file; it is ended with this value.
pub(crate) struct Running {
    child: Child,
    name: &'static str,
    log: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Running {
    pub(crate) fn start(
        name: &'static str,
        command: &mut Command,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| {
                format!("could not start {name}; `scripts/install-outer` installs what is needed")
            })?;
        Ok(Self { child, name, log })
    }

    /// Waits until it has said `text`, and gives all that it has said.
    pub(crate) fn said(&mut self, text: &str) -> anyhow::Result<String> {
        self.wait(|said| said.contains(text))
    }

    /// Waits until its port takes connections.
    pub(crate) fn listens(&mut self, port: u16) -> anyhow::Result<()> {
        self.wait(|_| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())
            .map(drop)
    }

    fn wait(&mut self, is_ready: impl Fn(&str) -> bool) -> anyhow::Result<String> {
        let start = Instant::now();
        loop {
            let mut said = String::new();
            File::open(&self.log)?.read_to_string(&mut said)?;
            if is_ready(&said) {
                return Ok(said);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status}:\n{said}", self.name);
            }
            if start.elapsed() > DEADLINE {
                bail!("{} is not ready after {DEADLINE:?}:\n{said}", self.name);
            }
            sleep(Duration::from_millis(50));
        }
    }
}

/// A port that nobody has now.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
