//! The same image on QEMU's own Nitro machine, which loads the image file itself and measures it by
//! code that is not ours.
//!
//! No Debian package has that machine, but Debian's source of QEMU does: it is built once, without
//! anything else in it. Its security module does not sign its documents, so that every client of
//! ours must refuse them; what they claim is read by a program that trusts anyone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::testbed::{PARTIES, Testbed};
use super::{host, party, told, vsock};
use crate::debian::Apt;
use crate::process::Process;
use crate::run;

const RELEASE: &str = "trixie";
/// What QEMU's build needs of the machine.
const NEEDED: [(&str, &str); 5] = [
    ("ninja-build", "/usr/bin/ninja"),
    ("libcbor-dev", "/usr/include/cbor.h"),
    ("libglib2.0-dev", "/usr/include/glib-2.0/glib.h"),
    ("libgnutls28-dev", "/usr/include/gnutls/gnutls.h"),
    ("libfdt-dev", "/usr/include/libfdt.h"),
];
/// QEMU's own build tools, which Debian's source leaves out.
const BUILD_TOOLS: [&str; 2] = ["meson==1.5.0", "pycotap==1.3.1"];
const CONFIGURE: &str = "--target-list=x86_64-softmmu --without-default-features \
                         --without-default-devices --with-devices-x86_64=nitro \
    --enable-system --disable-user --disable-tools --disable-guest-agent --disable-docs \
    --enable-kvm --enable-tcg --enable-libcbor \
    --enable-gnutls --enable-fdt=system --enable-vhost-user --disable-werror \
    --disable-install-blobs";
const BOOT: Duration = Duration::from_secs(180);

/// Builds the machine if it is not there, boots the image on it, and compares.
pub(crate) fn run_all(testbed: &Testbed) -> anyhow::Result<()> {
    eprintln!("\n=== QEMU's own Nitro machine ===");
    let qemu = build_qemu(&testbed.tools)?;
    let machine = NitroMachine::boot(testbed, &qemu)?;
    machine.is_refused(testbed)?;
    let claimed = machine.claimed_registers(testbed)?;
    for (register, expected) in expected_registers(&testbed.measurements)? {
        let found = claimed
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{register} ")));
        ensure!(
            found == Some(expected.as_str()),
            "{register}: we compute {expected}, QEMU says {found:?}"
        );
        told(format_args!(
            "{register} is what QEMU computes: {}...",
            &expected[..16]
        ));
    }
    Ok(())
}

/// What our own tool computed.
fn expected_registers(measurements: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let file: Value = serde_json::from_slice(&fs::read(measurements)?)?;
    ["PCR0", "PCR1", "PCR2"]
        .map(|register| {
            let value = file["Measurements"][register].as_str();
            let value = value.with_context(|| format!("no {register} in the measurements"))?;
            Ok((register.to_owned(), value.to_owned()))
        })
        .into_iter()
        .collect()
}

/// QEMU's Nitro machine with the image, the vsock device, and the real host.
struct NitroMachine {
    host: Process,
    socket: PathBuf,
    _qemu: Process,
    _vsock: Process,
}

impl NitroMachine {
    fn boot(testbed: &Testbed, qemu: &Path) -> anyhow::Result<Self> {
        let socket = testbed.folder.join("nitro.sock");
        let device = testbed.folder.join("nitro-vsock-device");
        let text = |path: &Path| path.display().to_string();
        let vsock = [
            "--guest-cid",
            "5",
            "--socket",
            &text(&device),
            "--uds-path",
            &text(&socket),
        ];
        let vsock = Process::start(
            "vhost-device-vsock",
            &testbed.tools.join("bin/vhost-device-vsock"),
            &vsock.map(str::to_owned),
            &testbed.folder,
        )?;
        vsock.wait_until("it listened", BOOT, || device.exists().then_some(()))?;
        let firmware = |name: &str| text(&testbed.tools.join("qemu/usr/share").join(name));
        let arguments = [
            "-M",
            "nitro-enclave,vsock=vsock,id=conformance",
            "-accel",
            "tcg",
            "-cpu",
            "max",
            "-m",
            "1G",
            "-kernel",
            &text(&testbed.image),
            "-chardev",
            &format!("socket,id=vsock,path={}", text(&device)),
            "-L",
            &firmware("qemu"),
            "-L",
            &firmware("seabios"),
            "-display",
            "none",
            "-monitor",
            "none",
            "-serial",
            "stdio",
            "-no-reboot",
        ];
        let qemu = Process::start("QEMU", qemu, &arguments.map(str::to_owned), &testbed.folder)?;
        qemu.wait_for("it listened", BOOT, |line| {
            line.contains("awaiting_configuration").then_some(())
        })?;
        told("the image boots on it, and takes its security module for one");
        let arguments = [
            "--listen",
            "127.0.0.1:0",
            "--room",
            "room",
            "--enclave",
            &format!("unix:{}", text(&socket)),
        ];
        let host = Process::start(
            "synclave-host",
            &testbed.programs.host,
            &arguments.map(str::to_owned),
            &testbed.folder,
        )?;
        host.wait_for("the enclave had its agreement", BOOT, |line| {
            line.contains("enclave_configured").then_some(())
        })?;
        Ok(Self {
            host,
            socket,
            _qemu: qemu,
            _vsock: vsock,
        })
    }

    /// No client of ours trusts an unsigned document.
    fn is_refused(&self, testbed: &Testbed) -> anyhow::Result<()> {
        let port = host::listening_port(&self.host)?;
        let (exit, said) = party::refused(testbed, &PARTIES[0], port, &[])?;
        let sentence = said.lines().last().unwrap_or_default();
        ensure!((20..30).contains(&exit), "exit {exit}: {said}");
        told(format_args!(
            "its unsigned documents are refused: exit {exit}: {sentence}"
        ));
        Ok(())
    }

    fn claimed_registers(&self, testbed: &Testbed) -> anyhow::Result<String> {
        let output = Command::new("cargo")
            .args([
                "run",
                "--quiet",
                "--package",
                "synclave-emulator",
                "--example",
                "claimed_registers",
                "--",
            ])
            .arg(&self.socket)
            .arg(vsock::PARTIES_PORT.to_string())
            .arg(testbed.folder.join("keys/insurer_private.der"))
            .current_dir(run::root())
            .output()?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// Gives the program; it is built if it is not there.
fn build_qemu(tools: &Path) -> anyhow::Result<PathBuf> {
    let program = tools.join("qemu-nitro");
    if program.exists() {
        return Ok(program);
    }
    for (package, file) in NEEDED {
        ensure!(
            Path::new(file).exists(),
            "QEMU's build needs Debian's package {package}; `scripts/install-conformance` installs \
             all that it needs"
        );
    }
    eprintln!(
        "building QEMU with its Nitro machine, from Debian's source (40 MB; about seven CPU \
         minutes)"
    );
    let work = tools.join("qemu-source");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    Apt::open_sources(&work.join("apt"), RELEASE)?.source("qemu", &work)?;
    let source = unpack(&work)?;
    let step = |command: &[&str], folder: &Path| {
        let (name, arguments) = command.split_first().context("an empty command")?;
        let log = fs::File::create(work.join("build.log"))?;
        let status = Command::new(name)
            .args(arguments)
            .current_dir(folder)
            .stdout(log.try_clone()?)
            .stderr(log)
            .status()
            .with_context(|| format!("could not start `{name}`"))?;
        ensure!(
            status.success(),
            "`{name}` failed; {} has its output",
            work.join("build.log").display()
        );
        Ok(())
    };
    let mut wheels = vec![
        "python3",
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--dest",
        "python/wheels",
    ];
    wheels.extend(BUILD_TOOLS);
    step(&wheels, &source)?;
    let build = source.join("build");
    fs::create_dir_all(&build)?;
    let mut configure = vec!["../configure"];
    configure.extend(CONFIGURE.split_whitespace());
    step(&configure, &build)?;
    step(&["ninja", "qemu-system-x86_64"], &build)?;
    step(&["strip", "qemu-system-x86_64"], &build)?;
    fs::copy(build.join("qemu-system-x86_64"), &program)?;
    fs::remove_dir_all(&work)?;
    Ok(program)
}

/// Unpacks the source and leaves out what Debian's archive lacks or a Nitro machine does without.
fn unpack(work: &Path) -> anyhow::Result<PathBuf> {
    let mut archive = None;
    for entry in fs::read_dir(work)? {
        let path = entry?.path();
        if path.to_string_lossy().contains(".orig.tar.") {
            archive = Some(path);
        }
    }
    let source = work.join("source");
    fs::create_dir_all(&source)?;
    let status = Command::new("tar")
        .args(["--extract", "--strip-components=1", "--file"])
        .arg(archive.context("Debian's source of QEMU has no archive")?)
        .current_dir(&source)
        .status()?;
    ensure!(status.success(), "QEMU's source cannot be unpacked");
    let blobs = source.join("pc-bios/meson.build");
    let text = fs::read_to_string(&blobs)?;
    fs::write(&blobs, text.replace("if unpack_edk2_blobs", "if false"))?;
    let devices = source.join("configs/devices/x86_64-softmmu");
    fs::create_dir_all(&devices)?;
    fs::write(devices.join("nitro.mak"), "CONFIG_NITRO_ENCLAVE=y\n")?;
    Ok(source)
}
