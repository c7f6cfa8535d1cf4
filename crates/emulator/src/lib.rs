//! For development only: a host that boots an enclave image without Nitro hardware, and lies on
//! demand.
//!
//! The machine is QEMU's `microvm`, in software. Its security module is [`Nsm`], behind [`device`]:
//! it answers the guest's own driver, and signs documents under a generated root whose chain has
//! the shape of AWS's. Each [`Lie`] is one that a host could tell; what a client says to it can
//! then be watched.
//!
//! Nothing here protects anything: whoever runs an emulated enclave can read its memory. No program
//! of the product depends on this crate.
#![forbid(unsafe_code)]

pub mod device;
mod document;
mod emulation;
mod image;
mod lie;
mod message;
mod nsm;
mod tools;

pub use document::Signer;
pub use emulation::{Emulation, EmulationError, Machine};
pub use image::{BootImage, ImageError};
pub use lie::Lie;
pub use nsm::Nsm;
pub use tools::{MissingTool, Tools};

/// Tells the person who runs the emulator what went wrong.
pub fn complain(error: impl std::fmt::Display) {
    server_kit::complain("synclave-emulator", error);
}
