//! What ends an enclave before its time.

use serde::Serialize;

#[cfg(target_os = "linux")]
use crate::NsmError;

/// What ends an enclave. Nothing is served afterwards: an enclave that cannot be vouched for, or
/// whose program has gone wrong, is not an enclave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// `/dev` cannot be mounted: the kernel needs `CONFIG_DEVTMPFS`.
    KernelLacksDevtmpfs,
    /// `/proc` cannot be mounted: the kernel needs `CONFIG_PROC_FS`.
    KernelLacksProc,
    /// A module of the image is not one of this kernel's, or does not find what it needs.
    KernelModule,
    /// There is no `/dev/nsm`: the kernel needs `CONFIG_NSM` (built in, or as a module of the
    /// image), and the machine the device.
    KernelLacksNsm,
    /// There is no vsock: the kernel needs `CONFIG_VSOCKETS` and `CONFIG_VIRTIO_VSOCKETS`.
    KernelLacksVsock,
    /// The security module is not fit to vouch for a room, or refuses to.
    NsmRefused,
    /// PCR16 was extended or locked before: some other program has run here.
    Pcr16Used,
    /// PCR16 does not hold the agreement.
    Pcr16Differs,
    /// The security module has stopped answering.
    NsmLost,
    /// No randomness is to be had.
    NoEntropy,
    /// No threads can be started.
    NoThreads,
    /// Nobody has handed over an agreement in time.
    NoConfiguration,
    /// The parties' port cannot be listened on.
    Listener,
    /// Memory is about to run out.
    OutOfMemory,
    /// A part without which nothing works gave up.
    Panicked,
}

#[cfg(target_os = "linux")]
impl From<&NsmError> for Fault {
    fn from(error: &NsmError) -> Self {
        match error {
            NsmError::Missing(_) => Fault::KernelLacksNsm,
            NsmError::Used => Fault::Pcr16Used,
            NsmError::Differs => Fault::Pcr16Differs,
            NsmError::Refused { .. }
            | NsmError::Reply { .. }
            | NsmError::Kind
            | NsmError::Unlocked(_) => Fault::NsmRefused,
        }
    }
}
