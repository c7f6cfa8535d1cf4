//! What must be there before anything else: devices, console, kernel modules.

use std::fs::{self, OpenOptions};
use std::io;

use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use crate::Fault;
use crate::init::modules;

/// Mounts `/dev`, takes the console, and loads the image's modules. `/proc` is there only while the
/// kernel's command line is read from it.
pub(super) fn bring_up() -> Result<(), Fault> {
    // No set-user-id and no programs: nothing on these file systems is meant to be run.
    let harmless = MountFlags::NOSUID | MountFlags::NOEXEC;
    attach("devtmpfs", "/dev", harmless).map_err(|_| Fault::KernelLacksDevtmpfs)?;
    // A machine without a console runs as well as one with; there is only nobody to tell.
    drop(take_console());
    attach("proc", "/proc", harmless | MountFlags::NODEV).map_err(|_| Fault::KernelLacksProc)?;
    let command_line = fs::read_to_string("/proc/cmdline").map_err(|_| Fault::KernelLacksProc)?;
    // Should it stay, nothing is opened in it later.
    let _ = unmount("/proc", UnmountFlags::DETACH);
    modules::load(&command_line)
}

fn attach(kind: &str, folder: &str, flags: MountFlags) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    match mount(kind, folder, kind, flags, None) {
        // The kernel can be told to do it itself.
        Ok(()) | Err(Errno::BUSY) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn take_console() -> io::Result<()> {
    let console = OpenOptions::new().write(true).open("/dev/console")?;
    dup2_stdout(&console)?;
    dup2_stderr(&console)?;
    // The console is the host's. Nothing is read from it.
    dup2_stdin(&OpenOptions::new().read(true).open("/dev/null")?)?;
    Ok(())
}
