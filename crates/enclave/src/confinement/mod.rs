//! What the program gives up, so that a flaw in it is worth less.

#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod system_calls;

use serde::Serialize;

/// What the kernel holds this process to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Confinement {
    /// No file, folder or device can be opened any more, and no TCP port (Landlock).
    pub files: Enforcement,
    /// Only the listed system calls can be made (seccomp); any other ends the process at once.
    pub system_calls: Enforcement,
}

/// How far the kernel enforces one part of the confinement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// In all respects.
    Fully,
    /// As far as this kernel knows how to.
    Partly,
    /// Not at all: this kernel was built without it.
    NotAtAll,
}

/// Gives up, for the calling thread and all that it starts from now on: opening files and devices,
/// TCP, every socket but vsock, other programs and processes, and memory that can be executed. What
/// is open stays open.
///
/// A kernel without these means holds to nothing; the result says so.
#[cfg(target_os = "linux")]
pub fn confine() -> Confinement {
    // In this order: the second forbids the calls that the first is made of.
    Confinement {
        files: files::give_up(),
        system_calls: system_calls::give_up(),
    }
}
