//! Opening the browser, so that nobody else learns the token.

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
    private_file::create_new(file)?.write_all(
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
    match named.filter(|named| !named.is_empty()) {
        Some(named) => {
            let mut command = Command::new(named);
            command.arg(file);
            command
        }
        None => system_command(file),
    }
}

#[cfg(not(windows))]
fn system_command(file: &Path) -> Command {
    let opener = match cfg!(target_os = "macos") {
        true => "open",
        false => "xdg-open",
    };
    let mut command = Command::new(opener);
    command.arg(file);
    command
}

#[cfg(windows)]
fn system_command(file: &Path) -> Command {
    use std::ffi::OsString;
    use std::os::windows::process::CommandExt;

    // By its whole path: Windows looks for programs beside this one first, which may lie among
    // downloads.
    let system = std::env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into());
    let mut command = Command::new(Path::new(&system).join(r"System32\cmd.exe"));
    // The first of the two is the window's title, which `start` would otherwise take from the
    // second.
    let mut start = OsString::from("start \"\" \"");
    start.push(file);
    start.push("\"");
    // As it is, since this shell does not read quotation marks as other programs do; within them an
    // ampersand in a person's name is no command. `/D`: without what may run at each start of it.
    command.raw_arg("/D /C").raw_arg(start);
    command
}
