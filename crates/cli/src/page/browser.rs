//! Opening the browser, so that nobody else learns the token.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;
use tempfile::TempDir;

use crate::printer::Printer;

/// Names the program to open addresses with, as other tools have it too.
const BROWSER: &str = "BROWSER";

/// Opens the browser at `address`. What is returned holds the file that leads it there, which is
/// removed when it is dropped.
///
/// Other users of the machine see command lines: on the browser's there is the name of that file
/// only, which they cannot read.
pub(super) fn open(address: &str, printer: Printer) -> anyhow::Result<TempDir> {
    let problem = "could not write the file that leads a browser to the page";
    let folder = tempfile::Builder::new()
        .prefix("synclave-")
        .tempdir()
        .context(problem)?;
    let file = folder.path().join("page.html");
    write(&file, address).context(problem)?;
    let mut command = command(&file, std::env::var_os(BROWSER));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let note = move |why: String| {
        printer.warn(format_args!(
            "no browser could be opened ({why}); open the address yourself"
        ));
    };
    match command.spawn() {
        Err(error) => note(format!("{}: {error}", command.get_program().display())),
        // It may say only later that there is no browser, and may as well run as long as that.
        Ok(mut child) => drop(std::thread::spawn(move || {
            if let Ok(status) = child.wait()
                && !status.success()
            {
                note(format!("{}: {status}", command.get_program().display()));
            }
        })),
    }
    Ok(folder)
}

/// A page that leads on to `address`, which has nothing in it that HTML would take otherwise.
fn write(file: &Path, address: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)?.write_all(
        format!(
            "<!doctype html>\n<meta charset=\"utf-8\">\n<meta name=\"referrer\" \
             content=\"no-referrer\">\n<meta http-equiv=\"refresh\" content=\"0; \
             url={address}\">\n<title>synclave</title>\n<p><a href=\"{address}\">Open the \
             page</a></p>\n"
        )
        .as_bytes(),
    )
}

/// What opens a file in the browser: what the person has named for it, or what the system has.
fn command(file: &Path, named: Option<std::ffi::OsString>) -> Command {
    let mut command = match named.filter(|named| !named.is_empty()) {
        Some(named) => Command::new(named),
        None if cfg!(windows) => {
            let mut command = Command::new("cmd");
            // The empty argument is the window's title, which `start` would take from the file.
            command.args(["/C", "start", ""]);
            command
        }
        None if cfg!(target_os = "macos") => Command::new("open"),
        None => Command::new("xdg-open"),
    };
    command.arg(file);
    command
}
