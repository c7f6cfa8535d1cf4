//! Enclave images (EIF, version 4): writing, strict reading, and measuring them.
//!
//! An enclave image is what a Nitro host boots: a header with a table of sections, then the kernel,
//! its command line, the ramdisks, and optionally metadata and a signature. Its measurements PCR0,
//! PCR1 and PCR2 are hashes of those sections alone, so anyone who has the file can compute them:
//! [`Image::pcrs`].
//!
//! Bytes in, bytes out: nothing here reads a file, a clock or the environment, and the same input
//! always gives the same image. The one exception is a signature, which ECDSA draws at random; it
//! changes the file, but none of its measurements.
//!
//! The format has no published specification. It is defined by what AWS's tools write and read
//! (aws-nitro-enclaves-image-format, `src/defs/mod.rs`) and by QEMU's reader (`hw/core/eif.c`).
//! Where those two could see different images in one file (AWS's reads section after section,
//! QEMU's follows the table) [`Image::parse`] refuses the file.
//!
//! ```
//! use image::Pcrs;
//!
//! let (kernel, command_line, init) = (b"a kernel", "console=ttyS0", b"a ramdisk");
//! let built = Pcrs::measure(kernel, command_line, &[init]);
//! let changed = Pcrs::measure(kernel, "console=ttyS0 debug", &[init]);
//! assert_ne!(built.pcr0(), changed.pcr0());
//! assert_eq!(built.pcr2(), changed.pcr2(), "which is of the ramdisks after the first alone");
//! ```
#![forbid(unsafe_code)]

mod archive;
mod builder;
mod crc;
mod damaged;
mod digest;
mod image;
mod kernel;
mod layout;
mod metadata;
mod module;
mod pcrs;
mod requirements;
mod signature;

pub use archive::{Archive, InvalidArchive};
pub use builder::{ImageBuilder, InvalidImage, MAX_COMMAND_LINE_BYTES};
pub use damaged::{Damaged, Place};
pub use digest::{Digest, sha384};
pub use image::{Image, Section};
pub use kernel::{InvalidKernel, Kernel};
pub use layout::SectionKind;
pub use metadata::Metadata;
pub use module::{InvalidModule, Module, load_order};
pub use pcrs::Pcrs;
pub use requirements::{KernelConfig, Lacking, lacking};
pub use signature::{InvalidSignature, InvalidSigner, Signature, Signer};
