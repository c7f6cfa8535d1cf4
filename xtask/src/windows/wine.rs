//! Wine, with a Windows of its own in a folder.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::run;

/// As packages name it: Debian's lies outside the PATH, and newer ones are called `wine` alone.
const LOADERS: [&str; 3] = ["wine64", "/usr/lib/wine/wine64", "wine"];
/// Made by `ProcessPrng`, from which Rust's standard library takes random numbers.
const RANDOM_LIBRARY: &str = "bcryptprimitives.dll";

const NOT_UTF8: &str = "a path that is not UTF-8";

/// A Windows in a folder, which ends with this value.
pub(super) struct Wine {
    loader: &'static str,
    prefix: String,
}

impl Wine {
    /// Finds Wine, and makes the folder's Windows where it is missing (700 MB, half a minute).
    pub(super) fn prepare(folder: &Path) -> anyhow::Result<Self> {
        let starts = |loader: &&str| {
            let mut command = Command::new(loader);
            command.arg("--version").stderr(Stdio::null());
            command.output().is_ok_and(|output| output.status.success())
        };
        let loader = LOADERS.into_iter().find(starts).context(
            "there is no Wine here; `scripts/install-windows` installs it, and `--build-only` does \
             without",
        )?;
        fs::create_dir_all(folder)?;
        let wine = Self {
            loader,
            prefix: folder.join("wine").to_str().context(NOT_UTF8)?.to_owned(),
        };
        if !Path::new(&wine.prefix).join("system.reg").exists() {
            drop(fs::remove_dir_all(&wine.prefix));
            let made = wine.command("wineboot").arg("--init").output()?;
            ensure!(
                made.status.success(),
                "Wine makes no Windows: {}",
                String::from_utf8_lossy(&made.stderr)
            );
        }
        wine.add_random_library()?;
        // As on every Windows; Wine leaves it to the browser that is left out here.
        let pages = ["reg", "add", r"HKCR\.html", "/ve", "/d", "htmlfile", "/f"];
        let said = wine.command(pages[0]).args(&pages[1..]).output()?;
        ensure!(
            said.status.success(),
            "Wine does not learn what opens pages"
        );
        Ok(wine)
    }

    /// What starts a program under it: one of its own by name, or a file.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(self.loader);
        command
            .arg(program)
            .envs(self.environment())
            // A home of its own: the folders of a user's home are shown to programs.
            .env("HOME", &self.prefix)
            .env_remove("DISPLAY")
            .stdin(Stdio::null());
        command
    }

    /// With which the [loader](Self::loader) starts programs in this Windows, and without fuss.
    pub(super) fn environment(&self) -> [(&'static str, &str); 3] {
        [
            ("WINEPREFIX", &self.prefix),
            // Neither .NET, nor a browser of its own, nor entries in this machine's menus.
            ("WINEDLLOVERRIDES", "mscoree,mshtml=;winemenubuilder.exe=d"),
            ("WINEDEBUG", "-all"),
        ]
    }

    /// What starts Windows' programs.
    pub(super) fn loader(&self) -> &'static str {
        self.loader
    }

    pub(super) fn version(&self) -> anyhow::Result<String> {
        run::first_line_of(self.loader, "--version")
    }

    /// Windows has it since version 10, and Wine only since its own version 9.
    fn add_random_library(&self) -> anyhow::Result<()> {
        let system = Path::new(&self.prefix).join("drive_c/windows/system32");
        let library = system.join(RANDOM_LIBRARY);
        if library.exists() {
            return Ok(());
        }
        let library = library.to_str().context(NOT_UTF8)?;
        let source = "xtask/src/windows/process_prng.c";
        let compile = [
            "x86_64-w64-mingw32-gcc",
            "-shared",
            "-O",
            source,
            "-o",
            library,
        ];
        run::program(&[&compile[..], &["-ladvapi32"]].concat(), &[])
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        drop(self.command("wineboot").arg("--kill").output());
    }
}
