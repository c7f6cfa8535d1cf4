//! Debian's packages, unpacked into a folder: nothing on the machine is installed or changed.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

/// `apt` with a state of its own, which knows one release and its backports.
pub(crate) struct Apt {
    folder: PathBuf,
    release: &'static str,
}

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const MIRROR_VARIABLE: &str = "SYNCLAVE_DEBIAN_MIRROR";

impl Apt {
    /// With fresh lists of packages, in a folder that can be thrown away afterwards.
    pub(crate) fn open(folder: &Path, release: &'static str) -> anyhow::Result<Self> {
        let mirror = mirror()?;
        let sources = [release.to_owned(), format!("{release}-backports")]
            .map(|suite| format!("deb [signed-by={KEYRING}] {mirror} {suite} main\n"));
        Self::with_sources(folder, release, &sources.concat())
    }

    /// As [`Apt::open`], for the sources of the release's packages alone.
    pub(crate) fn open_sources(folder: &Path, release: &'static str) -> anyhow::Result<Self> {
        let mirror = mirror()?;
        let source = format!("deb-src [signed-by={KEYRING}] {mirror} {release} main\n");
        Self::with_sources(folder, release, &source)
    }

    fn with_sources(folder: &Path, release: &'static str, sources: &str) -> anyhow::Result<Self> {
        for part in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(part))?;
        }
        fs::write(folder.join("sources.list"), sources)?;
        // Nothing counts as installed, so dependencies are complete.
        fs::write(folder.join("status"), "")?;
        let apt = Self {
            folder: folder.to_path_buf(),
            release,
        };
        apt.run("apt-get", &["update", "--quiet=2"])?;
        Ok(apt)
    }

    /// The package of the newest version among those that begin and end so, in the backports.
    pub(crate) fn newest_in_backports(&self, begin: &str, end: &str) -> anyhow::Result<String> {
        let listed = self.run("apt-cache", &["pkgnames", begin])?;
        let mut names: Vec<&str> = listed.lines().filter(|name| name.ends_with(end)).collect();
        names.sort_by_key(|name| std::cmp::Reverse(version_in(name)));
        let backports = format!("{}-backports", self.release);
        for name in names {
            if self
                .run("apt-cache", &["madison", name])?
                .contains(&backports)
            {
                return Ok(name.to_owned());
            }
        }
        bail!("{backports} has no package {begin}...{end}")
    }

    /// Downloads packages with all that they need, from the backports where they have them, and
    /// unpacks them.
    pub(crate) fn unpack_with_dependencies(
        &self,
        packages: &[&str],
        into: &Path,
    ) -> anyhow::Result<()> {
        let backports = format!("{}-backports", self.release);
        let mut arguments = vec![
            "install",
            "--yes",
            "--quiet=2",
            "--download-only",
            "--no-install-recommends",
            "--target-release",
            &backports,
        ];
        arguments.extend(packages);
        self.run("apt-get", &arguments)?;
        unpack_all(&self.folder.join("cache/archives"), into)
    }

    /// Downloads packages alone, and unpacks them.
    pub(crate) fn unpack(&self, packages: &[&str], into: &Path) -> anyhow::Result<()> {
        let mut arguments = vec!["download", "--quiet=2"];
        arguments.extend(packages);
        let downloads = self.folder.join("downloads");
        fs::create_dir_all(&downloads)?;
        self.run_in(&downloads, "apt-get", &arguments)?;
        unpack_all(&downloads, into)
    }

    /// Downloads a package's source archives.
    pub(crate) fn source(&self, package: &str, into: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(into)?;
        let arguments = ["source", "--quiet=2", "--download-only", package];
        self.run_in(into, "apt-get", &arguments).map(drop)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
        self.run_in(&self.folder, program, arguments)
    }

    fn run_in(&self, here: &Path, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(program)
            .args(self.options())
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .current_dir(here)
            .stdin(Stdio::null())
            .output()
            .with_context(|| {
                format!("could not start `{program}`: this task needs Debian's apt")
            })?;
        ensure!(
            output.status.success(),
            "`{program} {}` failed: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The machine's own settings stay (it may have a proxy), but for what it has installed and
    /// from where.
    fn options(&self) -> Vec<OsString> {
        let within = |setting: &str, part: &str| {
            let mut option = OsString::from(format!("--option={setting}="));
            option.push(self.folder.join(part));
            option
        };
        vec![
            within("Dir::Etc::sourcelist", "sources.list"),
            "--option=Dir::Etc::sourceparts=/dev/null".into(),
            "--option=Dir::Etc::preferences=/dev/null".into(),
            "--option=Dir::Etc::preferencesparts=/dev/null".into(),
            within("Dir::State", ""),
            within("Dir::State::lists", "lists"),
            within("Dir::State::status", "status"),
            within("Dir::Cache", "cache"),
            // Root would else hand downloads to a user who may not write here.
            "--option=APT::Sandbox::User=root".into(),
            "--option=APT::Architecture=amd64".into(),
            "--option=Acquire::Retries=3".into(),
        ]
    }
}

/// Where this machine gets Debian's packages from.
fn mirror() -> anyhow::Result<String> {
    if let Ok(named) = std::env::var(MIRROR_VARIABLE) {
        return Ok(named);
    }
    let output = Command::new("apt-get")
        .args([
            "indextargets",
            "--format",
            "$(REPO_URI)",
            "Created-By: Packages",
        ])
        .output()
        .context("could not start `apt-get`: this task needs Debian's apt")?;
    let places = String::from_utf8(output.stdout)?;
    let debian = |place: &&str| place.trim_end_matches('/').ends_with("/debian");
    match places.lines().find(debian) {
        Some(place) => Ok(place.to_owned()),
        None => bail!(
            "apt on this machine has no source of Debian's packages: name one in {MIRROR_VARIABLE}"
        ),
    }
}

fn unpack_all(archives: &Path, into: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(into)?;
    for entry in fs::read_dir(archives)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "deb") {
            continue;
        }
        let status = Command::new("dpkg-deb")
            .arg("--extract")
            .arg(&path)
            .arg(into)
            .status()
            .context("could not start `dpkg-deb`")?;
        ensure!(status.success(), "{} cannot be unpacked", path.display());
    }
    Ok(())
}

/// The numbers in a name, so that 6.12.9 comes before 6.12.95.
fn version_in(name: &str) -> Vec<u64> {
    let numbers = name.split(|letter: char| !letter.is_ascii_digit());
    numbers.filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(version_in("linux-image-6.12.9+deb12") < version_in("linux-image-6.12.95+deb12"));
        assert!(version_in("linux-image-6.12.95") < version_in("linux-image-6.12.95.1"));
    }
}
