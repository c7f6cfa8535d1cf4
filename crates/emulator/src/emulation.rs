//! One emulated enclave: its devices, and QEMU.

use std::ffi::OsString;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::{BootImage, Lie, Nsm, Signer, Tools, device};

/// What is to be emulated.
pub struct Machine {
    /// Image that the machine boots.
    pub image: BootImage,
    /// What signs its documents.
    pub signer: Signer,
    /// Where the host reaches the enclave's vsock ports: a Unix socket that takes `CONNECT PORT`
    /// and answers `OK`.
    pub vsock: PathBuf,
    /// The guest's memory.
    pub memory_mib: u32,
    /// The guest's processors.
    pub cpus: u32,
}

/// Why an enclave cannot be emulated, or has gone.
#[derive(Debug, thiserror::Error)]
pub enum EmulationError {
    /// Another enclave has this socket, or something else has its name.
    #[error("{} is in use", .0.display())]
    SocketInUse(PathBuf),
    /// A file, socket or process.
    #[error("{what}: {cause}")]
    System {
        /// What was being done.
        what: String,
        /// What the operating system says.
        cause: io::Error,
    },
    /// The vsock device did not come up.
    #[error("the vsock device did not listen within {0:?}")]
    NoVsock(Duration),
    /// QEMU ended with an error.
    #[error("QEMU ended with {0}")]
    Qemu(std::process::ExitStatus),
}

/// The vhost device takes one virtual machine a context id, and each emulation has a device of its
/// own.
const GUEST_CID: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(10);

/// A running enclave. Its sockets go when it is dropped; [`Emulation::end`] also waits until its
/// processes are gone.
pub struct Emulation {
    qemu: Child,
    vsock: Child,
    _sockets: TempDir,
    _public_socket: RemovedOnDrop,
}

impl Emulation {
    /// Starts everything. It must be called on a thread that lasts as long as the emulation: the
    /// processes end with it.
    ///
    /// # Errors
    /// [`EmulationError`]
    pub async fn start(machine: Machine, tools: &Tools) -> Result<Self, EmulationError> {
        let sockets = tempfile::Builder::new()
            .prefix("synclave-emulator-")
            .tempdir()
            .map_err(system("a folder for sockets"))?;
        let files = Files::write(sockets.path(), &machine.image)?;
        let public_socket = RemovedOnDrop::claim(&machine.vsock)?;
        let vsock_device = sockets.path().join("vsock-device");
        let vsock = start_vsock(tools, &vsock_device, &machine.vsock).await?;
        let nsm_device = match machine.signer.lie() {
            Some(Lie::NsmMissing) => None,
            _ => Some(sockets.path().join("nsm-device")),
        };
        let arguments = Arguments {
            files: &files,
            machine: &machine,
            nsm: nsm_device.as_deref(),
            vsock: &vsock_device,
        }
        .to_vec();
        if let Some(path) = &nsm_device {
            let nsm = Nsm::new(machine.image.measurements(), machine.signer);
            start_nsm(nsm, path)?;
        }
        let qemu = ending_with_us(tools.qemu().into_iter().chain(arguments))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(system("QEMU"))?;
        Ok(Self {
            qemu,
            vsock,
            _sockets: sockets,
            _public_socket: public_socket,
        })
    }

    /// Gives each line of the guest's console to `line`, until the guest has ended.
    ///
    /// # Errors
    /// [`EmulationError::Qemu`] where it did not end by itself.
    pub async fn run(&mut self, mut line: impl FnMut(&str)) -> Result<(), EmulationError> {
        let console = self.qemu.stdout.take().map(BufReader::new);
        if let Some(mut console) = console {
            let mut bytes = Vec::new();
            while console
                .read_until(b'\n', &mut bytes)
                .await
                .map_err(system("the console"))?
                > 0
            {
                let text = String::from_utf8_lossy(&bytes);
                let text = text.trim_end();
                line(text);
                if halted(text) {
                    return Ok(());
                }
                bytes.clear();
            }
        }
        let status = self.qemu.wait().await.map_err(system("QEMU"))?;
        if status.success() {
            Ok(())
        } else {
            Err(EmulationError::Qemu(status))
        }
    }

    /// Ends the enclave as a cut of the power does.
    ///
    /// # Errors
    /// [`EmulationError::System`] where a process cannot be ended.
    pub async fn end(mut self) -> Result<(), EmulationError> {
        self.qemu.kill().await.map_err(system("QEMU"))?;
        self.vsock.kill().await.map_err(system("the vsock device"))
    }
}

/// A machine without ACPI cannot be switched off by its guest, so one that stopped tells QEMU
/// nothing.
fn halted(line: &str) -> bool {
    line.contains("reboot: System halted") || line.contains("reboot: Power down")
}

async fn start_vsock(tools: &Tools, device: &Path, public: &Path) -> Result<Child, EmulationError> {
    let command = [
        tools.vsock().into_os_string(),
        "--guest-cid".into(),
        GUEST_CID.to_string().into(),
        "--socket".into(),
        device.into(),
        "--uds-path".into(),
        public.into(),
    ];
    let child = ending_with_us(command)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(system("the vsock device"))?;
    // The device does not say when it is ready; its sockets appear.
    let start = Instant::now();
    while !(device.exists() && public.exists()) {
        if start.elapsed() > PATIENCE {
            return Err(EmulationError::NoVsock(PATIENCE));
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(child)
}

/// Its thread ends when QEMU hangs up.
fn start_nsm(nsm: Nsm, path: &Path) -> Result<(), EmulationError> {
    let listener = UnixListener::bind(path).map_err(system("the security module's socket"))?;
    std::thread::Builder::new()
        .name("nsm".to_owned())
        .spawn(move || {
            if let Err(error) = device::serve(nsm, listener) {
                crate::complain(error);
            }
        })
        .map_err(system("the security module"))?;
    Ok(())
}

/// A process that the kernel ends when this program's thread ends, in whatever way.
fn ending_with_us(command: impl IntoIterator<Item = OsString>) -> Command {
    let mut wrapped = Command::new("setpriv");
    wrapped.args(["--pdeathsig", "KILL", "--"]).args(command);
    wrapped.kill_on_drop(true);
    wrapped
}

/// Kernel and ramdisk as files, which is how QEMU takes them.
struct Files {
    kernel: PathBuf,
    ramdisk: PathBuf,
}

impl Files {
    fn write(folder: &Path, image: &BootImage) -> Result<Self, EmulationError> {
        let files = Self {
            kernel: folder.join("kernel"),
            ramdisk: folder.join("ramdisk"),
        };
        std::fs::write(&files.kernel, image.kernel()).map_err(system("the kernel"))?;
        std::fs::write(&files.ramdisk, image.ramdisk()).map_err(system("the ramdisk"))?;
        Ok(files)
    }
}

struct Arguments<'a> {
    files: &'a Files,
    machine: &'a Machine,
    nsm: Option<&'a Path>,
    vsock: &'a Path,
}

impl Arguments<'_> {
    /// No device but the console and the two that a Nitro enclave has. QEMU itself adds the
    /// `virtio_mmio.device` words to the command line.
    fn to_vec(&self) -> Vec<OsString> {
        let memory = self.machine.memory_mib;
        let mut all: Vec<OsString> = [
            "-M",
            "microvm,acpi=off,pcie=off,rtc=on,memory-backend=memory",
            // Never KVM: the machines that check this often have none, or a kind on which ordinary
            // kernels do not run.
            "-accel",
            "tcg",
            "-cpu",
            "max",
            "-m",
            &format!("{memory}M"),
            "-smp",
            &self.machine.cpus.to_string(),
            // Shared, as the devices behind vhost-user are outside QEMU, and read and write the
            // guest's memory.
            "-object",
            &format!("memory-backend-memfd,id=memory,size={memory}M,share=on"),
            "-nodefaults",
            "-no-user-config",
            "-no-reboot",
            "-display",
            "none",
            "-serial",
            "stdio",
            "-append",
            self.machine.image.command_line(),
            "-device",
            "vhost-user-vsock-device,chardev=vsock",
        ]
        .map(OsString::from)
        .into();
        all.extend(["-kernel".into(), self.files.kernel.clone().into()]);
        all.extend(["-initrd".into(), self.files.ramdisk.clone().into()]);
        all.extend(["-chardev".into(), socket("vsock", self.vsock)]);
        if let Some(nsm) = self.nsm {
            let device = format!(
                "vhost-user-test-device,virtio-id={},num_vqs=1,chardev=nsm",
                device::VIRTIO_ID
            );
            all.extend(["-chardev".into(), socket("nsm", nsm)]);
            all.extend(["-device".into(), device.into()]);
        }
        all
    }
}

fn socket(id: &str, path: &Path) -> OsString {
    let mut text = OsString::from(format!("socket,id={id},path="));
    text.push(path);
    text
}

struct RemovedOnDrop(PathBuf);

impl RemovedOnDrop {
    /// A socket that nobody listens on any more may be replaced; nothing else may.
    fn claim(path: &Path) -> Result<Self, EmulationError> {
        let in_use = || EmulationError::SocketInUse(path.to_path_buf());
        match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                use std::os::unix::fs::FileTypeExt;
                let kind = std::fs::symlink_metadata(path).map_err(system("the vsock socket"))?;
                if !kind.file_type().is_socket() {
                    return Err(in_use());
                }
                std::fs::remove_file(path).map_err(system("the vsock socket"))?;
            }
            _ => return Err(in_use()),
        }
        Ok(Self(path.to_path_buf()))
    }
}

impl Drop for RemovedOnDrop {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> EmulationError {
    move |cause| EmulationError::System {
        what: what.to_owned(),
        cause,
    }
}
