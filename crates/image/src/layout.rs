//! Where things are in an image. All integers are big-endian.
//!
//! ```text
//! header    0  magic ".eif"     4  version     6  flags       8  default memory
//!          16  default CPUs    24  reserved   26  section count
//!          28  32 offsets of sections        284  32 sizes  540  unused   544  CRC-32
//! section   0  kind             2  flags       4  size       12  the section's bytes
//! ```
//! An offset is that of the section's own header; a size is without that header. The CRC covers the
//! whole file but itself.

use std::fmt;

pub(crate) const MAGIC: [u8; 4] = *b".eif";
pub(crate) const VERSION: u16 = 4;
/// The only flag of the header: the kernel is for aarch64.
pub(crate) const FLAG_AARCH64: u16 = 1;
pub(crate) const MAX_SECTIONS: usize = 32;
pub(crate) const HEADER_BYTES: usize = 548;
pub(crate) const CRC_AT: usize = 544;
pub(crate) const SECTION_HEADER_BYTES: usize = 12;

/// What a section holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SectionKind {
    /// The kernel, as the boot loader takes it (`bzImage` on x86-64).
    Kernel,
    /// The kernel's command line.
    CommandLine,
    /// A cpio archive, compressed or not. The kernel unpacks all of them, in order, into one file
    /// system.
    Ramdisk,
    /// Who signed the image (CBOR).
    Signature,
    /// Who built the image, and from what (JSON). It is not measured.
    Metadata,
}

impl SectionKind {
    pub(crate) fn from_code(code: u16) -> Option<SectionKind> {
        use SectionKind::{CommandLine, Kernel, Metadata, Ramdisk, Signature};
        [Kernel, CommandLine, Ramdisk, Signature, Metadata]
            .into_iter()
            .find(|kind| kind.code() == code)
    }

    pub(crate) fn code(self) -> u16 {
        match self {
            SectionKind::Kernel => 1,
            SectionKind::CommandLine => 2,
            SectionKind::Ramdisk => 3,
            SectionKind::Signature => 4,
            SectionKind::Metadata => 5,
        }
    }
}

impl fmt::Display for SectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SectionKind::Kernel => "kernel",
            SectionKind::CommandLine => "command line",
            SectionKind::Ramdisk => "ramdisk",
            SectionKind::Signature => "signature",
            SectionKind::Metadata => "metadata",
        })
    }
}

/// The first 548 bytes, taken apart and not yet judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) version: u16,
    pub(crate) flags: u16,
    pub(crate) default_memory: u64,
    pub(crate) default_cpus: u64,
    pub(crate) reserved: u16,
    pub(crate) section_count: u16,
    pub(crate) offsets: [u64; MAX_SECTIONS],
    pub(crate) sizes: [u64; MAX_SECTIONS],
    pub(crate) unused: u32,
    pub(crate) crc: u32,
}

impl Header {
    pub(crate) fn decode(bytes: &[u8; HEADER_BYTES]) -> Header {
        let mut rest = &bytes[MAGIC.len()..];
        Header {
            version: u16::from_be_bytes(take(&mut rest)),
            flags: u16::from_be_bytes(take(&mut rest)),
            default_memory: u64::from_be_bytes(take(&mut rest)),
            default_cpus: u64::from_be_bytes(take(&mut rest)),
            reserved: u16::from_be_bytes(take(&mut rest)),
            section_count: u16::from_be_bytes(take(&mut rest)),
            offsets: std::array::from_fn(|_| u64::from_be_bytes(take(&mut rest))),
            sizes: std::array::from_fn(|_| u64::from_be_bytes(take(&mut rest))),
            unused: u32::from_be_bytes(take(&mut rest)),
            crc: u32::from_be_bytes(take(&mut rest)),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(self.version.to_be_bytes());
        bytes.extend(self.flags.to_be_bytes());
        bytes.extend(self.default_memory.to_be_bytes());
        bytes.extend(self.default_cpus.to_be_bytes());
        bytes.extend(self.reserved.to_be_bytes());
        bytes.extend(self.section_count.to_be_bytes());
        for value in self.offsets.iter().chain(&self.sizes) {
            bytes.extend(value.to_be_bytes());
        }
        bytes.extend(self.unused.to_be_bytes());
        bytes.extend(self.crc.to_be_bytes());
        bytes
    }
}

/// The header before a section's bytes, not yet judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SectionHeader {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) size: u64,
}

impl SectionHeader {
    pub(crate) fn decode(bytes: &[u8; SECTION_HEADER_BYTES]) -> SectionHeader {
        let mut rest = &bytes[..];
        SectionHeader {
            kind: u16::from_be_bytes(take(&mut rest)),
            flags: u16::from_be_bytes(take(&mut rest)),
            size: u64::from_be_bytes(take(&mut rest)),
        }
    }

    pub(crate) fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SECTION_HEADER_BYTES);
        bytes.extend(self.kind.to_be_bytes());
        bytes.extend(self.flags.to_be_bytes());
        bytes.extend(self.size.to_be_bytes());
        bytes
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (taken, left) = rest
        .split_first_chunk()
        .expect("headers are as long as their fields");
    *rest = left;
    *taken
}
