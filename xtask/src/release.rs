//! What is given to others: an archive of the programs, the wheel, the image, and a signed list of
//! their checksums.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::{run, windows};

/// What to put together, and who signs it.
#[derive(Args)]
pub(crate) struct Options {
    /// The folder for the archives; by default target/release-files, which is emptied first
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,

    /// The enclave image's folder, as `cargo xtask image` wrote it
    #[arg(long, value_name = "DIR", default_value = "target/image")]
    image: PathBuf,

    /// The folder of the wheel that `cargo xtask python` built
    #[arg(long, value_name = "DIR", default_value = "target/python/wheels")]
    wheels: PathBuf,

    /// Also build and put in the program for Windows (`scripts/install-windows` installs what that
    /// takes)
    #[arg(long)]
    windows: bool,

    /// Sign the list with this OpenSSH key, or with the agent's if it is a public one
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// What a signature is for: one made for another purpose is none of a release.
const NAMESPACE: &str = "synclave-release";
const LIST: &str = "SHA256SUMS";
const PROGRAMS: [&str; 3] = ["synclave", "synclave-enclave", "synclave-host"];
const DOCUMENTS: [&str; 4] = ["README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md"];

/// Builds the programs, packs them, takes the image and the wheel as they were built, and lists and
/// signs everything.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let root = run::root();
    let usual = || root.join("target/release-files");
    let output = options.output.clone().unwrap_or_else(usual);
    empty(&output)?;
    let mut build = vec!["cargo", "build", "--release", "--locked"];
    for program in ["synclave-cli", "synclave-enclave", "synclave-host"] {
        build.extend(["--package", program]);
    }
    run::program(&build, &[])?;
    let programs = PROGRAMS.map(|program| root.join("target/release").join(program));
    let (name, folder) = gather(&output, &host()?, &programs)?;
    archive(&output, &name, &commit_time(&root)?)?;
    fs::remove_dir_all(&folder)?;
    if options.windows {
        let program = windows::build("release")?;
        let (name, folder) = gather(&output, windows::TARGET, &[program])?;
        zip_archive(&output, &name, commit_day(&root)?)?;
        fs::remove_dir_all(&folder)?;
    }
    let image = root.join(&options.image);
    for file in ["synclave.eif", "measurements.json"] {
        copy(&image.join(file), &output).context("`cargo xtask image` builds it")?;
    }
    let wheel = crate::python::only_file(&root.join(&options.wheels))
        .context("no wheel; `cargo xtask python` builds it")?;
    copy(&wheel, &output)?;
    list(&output)?;
    match &options.key {
        Some(key) => sign(&output, key)?,
        None => eprintln!("{LIST} is not signed: --key KEY signs it"),
    }
    eprintln!("the release is in {}", output.display());
    Ok(())
}

/// A folder with programs for one kind of machine and the documents, and its name, which that of
/// its archive begins with.
fn gather(output: &Path, target: &str, programs: &[PathBuf]) -> anyhow::Result<(String, PathBuf)> {
    let name = format!("synclave-{}-{target}", env!("CARGO_PKG_VERSION"));
    let folder = output.join(&name);
    fs::create_dir_all(&folder)?;
    let documents = DOCUMENTS.map(|document| run::root().join(document));
    for file in programs.iter().chain(&documents) {
        copy(file, &folder)?;
    }
    Ok((name, folder))
}

/// Only a folder that this task made before is emptied: anything else may be a person's.
fn empty(output: &Path) -> anyhow::Result<()> {
    let entries = fs::read_dir(output).into_iter().flatten().count();
    if entries > 0 && !output.join(LIST).exists() {
        bail!(
            "{} has files that are not of a release; name an empty folder",
            output.display()
        );
    }
    if entries > 0 {
        fs::remove_dir_all(output)?;
    }
    fs::create_dir_all(output).with_context(|| format!("{} cannot be made", output.display()))
}

/// What this machine's compiler builds for.
fn host() -> anyhow::Result<String> {
    let told = output_of(Command::new("rustc").args(["--print", "host-tuple"]))?;
    Ok(told.trim().to_owned())
}

/// The one time in an archive, so that the same files make the same archive.
fn commit_time(root: &Path) -> anyhow::Result<String> {
    let mut git = Command::new("git");
    let told = output_of(git.current_dir(root).args(["log", "-1", "--format=%ct"]))?;
    Ok(told.trim().to_owned())
}

/// Its day at noon: such an archive has the time of a place that it does not name.
fn commit_day(root: &Path) -> anyhow::Result<DateTime> {
    let mut git = Command::new("git");
    let format = ["log", "-1", "--format=%cd", "--date=format-local:%Y-%m-%d"];
    let told = output_of(git.current_dir(root).env("TZ", "UTC").args(format))?;
    let mut parts = told.trim().splitn(3, '-');
    let mut part = || parts.next().context("git names no day");
    let (year, month, day) = (part()?.parse()?, part()?.parse()?, part()?.parse()?);
    Ok(DateTime::from_date_and_time(year, month, day, 12, 0, 0)?)
}

/// `NAME.tar.gz` of the folder `NAME`, without anything of the machine that made it.
fn archive(output: &Path, name: &str, seconds: &str) -> anyhow::Result<()> {
    let file = output.join(format!("{name}.tar"));
    let status = Command::new("tar")
        .current_dir(output)
        .args(["--create", "--sort=name", "--format=ustar", "--file"])
        .arg(&file)
        .args([
            "--owner=0",
            "--group=0",
            "--numeric-owner",
            "--mode=a+rX,go-w",
        ])
        .arg(format!("--mtime=@{seconds}"))
        .arg(name)
        .status()
        .context("could not start `tar`")?;
    let packed = Command::new("gzip")
        .args(["--no-name", "--best", "--force"])
        .arg(&file)
        .status()
        .context("could not start `gzip`")?;
    if !status.success() || !packed.success() {
        bail!("{name} could not be packed");
    }
    Ok(())
}

/// `NAME.zip` of the files in the folder `NAME`: an archive that Windows opens by itself.
fn zip_archive(output: &Path, name: &str, day: DateTime) -> anyhow::Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(output.join(name))? {
        let file = entry?.file_name().into_string();
        names.push(file.map_err(|_| anyhow!("a name that is not UTF-8"))?);
    }
    names.sort();
    let mut archive = ZipWriter::new(File::create_new(output.join(format!("{name}.zip")))?);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(day)
        .unix_permissions(0o644);
    for file in names {
        archive.start_file(format!("{name}/{file}"), options)?;
        io::copy(&mut File::open(output.join(name).join(file))?, &mut archive)?;
    }
    archive.finish()?;
    Ok(())
}

/// The digests of all files, in the form that `sha256sum --check` reads.
fn list(output: &Path) -> anyhow::Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(output)? {
        names.push(entry?.file_name());
    }
    names.sort();
    let mut sums = Command::new("sha256sum");
    let told = output_of(sums.current_dir(output).arg("--").args(&names))?;
    fs::write(output.join(LIST), told)?;
    Ok(())
}

/// `SHA256SUMS.sig`, by OpenSSH, which those who check it have already.
fn sign(output: &Path, key: &Path) -> anyhow::Result<()> {
    let status = Command::new("ssh-keygen")
        .args(["-Y", "sign", "-n", NAMESPACE, "-f"])
        .arg(key)
        .arg(output.join(LIST))
        .status()
        .context("could not start `ssh-keygen`, of OpenSSH")?;
    if !status.success() {
        bail!("{LIST} could not be signed with {}", key.display());
    }
    Ok(())
}

fn copy(file: &Path, folder: &Path) -> anyhow::Result<()> {
    let name = file.file_name().context("a file without a name")?;
    fs::copy(file, folder.join(name)).with_context(|| format!("{}", file.display()))?;
    Ok(())
}

fn output_of(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .output()
        .with_context(|| format!("could not start {:?}", command.get_program()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{:?} failed: {said}", command.get_program());
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_to_pack() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("thing-1");
        fs::create_dir(&inner).unwrap();
        for (name, text) in [("b", "second"), ("a", "first")] {
            fs::write(inner.join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn the_same_files_make_the_same_archive() {
        let archives = [1, 2].map(|_| {
            let folder = folder_to_pack();
            archive(folder.path(), "thing-1", "1700000000").unwrap();
            fs::read(folder.path().join("thing-1.tar.gz")).unwrap()
        });
        assert_eq!(archives[0], archives[1]);
    }

    #[test]
    fn a_zip_of_the_same_files_is_the_same_and_holds_them() {
        let day = DateTime::from_date_and_time(2026, 11, 28, 12, 0, 0).unwrap();
        let archives = [1, 2].map(|_| {
            let folder = folder_to_pack();
            zip_archive(folder.path(), "thing-1", day).unwrap();
            fs::read(folder.path().join("thing-1.zip")).unwrap()
        });
        assert_eq!(archives[0], archives[1]);
        let mut archive = zip::ZipArchive::new(io::Cursor::new(&archives[0])).unwrap();
        let names = archive.file_names().map(|name| name.unwrap().into_owned());
        let names: Vec<String> = names.collect();
        assert_eq!(names, ["thing-1/a", "thing-1/b"]);
        let mut file = archive.by_name("thing-1/b").unwrap();
        assert_eq!(io::read_to_string(&mut file).unwrap(), "second");
    }

    #[test]
    fn a_changed_file_or_list_is_found_out() {
        let folder = folder_to_pack();
        let path = folder.path();
        archive(path, "thing-1", "1700000000").unwrap();
        fs::remove_dir_all(path.join("thing-1")).unwrap();
        list(path).unwrap();
        let holds = |path: &Path| {
            let mut check = Command::new("sha256sum");
            output_of(check.current_dir(path).args(["--check", "--strict", LIST])).is_ok()
        };
        assert!(holds(path));
        fs::write(path.join("thing-1.tar.gz"), "another").unwrap();
        assert!(!holds(path));
    }

    #[test]
    fn a_signature_is_of_this_list_and_this_purpose() {
        if Command::new("ssh-keygen").arg("-?").output().is_err() {
            eprintln!("skipped: no OpenSSH here to sign with");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let key = path.join("key");
        let mut make = Command::new("ssh-keygen");
        make.args(["-q", "-t", "ed25519", "-N", "", "-C", "releases", "-f"]);
        output_of(make.arg(&key)).unwrap();
        let public = fs::read_to_string(path.join("key.pub")).unwrap();
        fs::write(path.join("signers"), format!("releases {public}")).unwrap();
        fs::write(path.join(LIST), "0  nothing\n").unwrap();
        sign(path, &key).unwrap();
        let holds = |namespace: &str| {
            let mut verify = Command::new("ssh-keygen");
            verify
                .current_dir(path)
                .stdin(fs::File::open(path.join(LIST)).unwrap());
            verify.args(["-Y", "verify", "-f", "signers", "-I", "releases"]);
            output_of(verify.args(["-n", namespace, "-s", "SHA256SUMS.sig"])).is_ok()
        };
        assert!(holds(NAMESPACE));
        assert!(!holds("file"));
        fs::write(path.join(LIST), "1  nothing\n").unwrap();
        assert!(!holds(NAMESPACE));
    }

    #[test]
    fn a_folder_of_other_files_is_left_alone() {
        let folder = folder_to_pack();
        assert!(empty(folder.path()).is_err());
        assert!(folder.path().join("thing-1/a").exists());
        fs::write(folder.path().join(LIST), "").unwrap();
        empty(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
