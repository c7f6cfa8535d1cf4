//! Writing an image.

use crate::crc::crc32;
use crate::layout::{
    CRC_AT, HEADER_BYTES, Header, MAX_SECTIONS, SECTION_HEADER_BYTES, SectionHeader, SectionKind,
    VERSION,
};
use crate::metadata::Metadata;
use crate::pcrs::Pcrs;
use crate::signature::{InvalidSigner, Signer};

/// The longest command line that an x86-64 kernel takes whole (`COMMAND_LINE_SIZE`, with the zero
/// byte at its end). Hosts add words of their own to it.
pub const MAX_COMMAND_LINE_BYTES: usize = 2047;

/// What `nitro-cli` writes, too.
const DEFAULT_MEMORY_BYTES: u64 = 1 << 30;
const DEFAULT_CPUS: u64 = 2;

/// The parts of an x86-64 image, in the order in which they are written: kernel, command line,
/// metadata, ramdisks, signature.
#[derive(Debug, Clone)]
pub struct ImageBuilder {
    kernel: Vec<u8>,
    command_line: String,
    metadata: Vec<u8>,
    ramdisks: Vec<Vec<u8>>,
}

impl ImageBuilder {
    /// An image that boots `kernel` with `command_line`, and `boot_ramdisk` as its first ramdisk.
    ///
    /// # Errors
    /// When the kernel or the ramdisk is empty, or the command line is too long or has a character
    /// that no kernel takes.
    pub fn new(
        kernel: Vec<u8>,
        command_line: &str,
        boot_ramdisk: Vec<u8>,
        metadata: &Metadata,
    ) -> Result<ImageBuilder, InvalidImage> {
        if kernel.is_empty() {
            return Err(InvalidImage::EmptyKernel);
        }
        if command_line.len() > MAX_COMMAND_LINE_BYTES {
            return Err(InvalidImage::LongCommandLine {
                bytes: command_line.len(),
            });
        }
        if let Some(found) = command_line.chars().find(|c| !(' '..='~').contains(c)) {
            return Err(InvalidImage::CommandLineCharacter { found });
        }
        let builder = ImageBuilder {
            kernel,
            command_line: command_line.to_owned(),
            metadata: metadata.to_json(),
            ramdisks: Vec::new(),
        };
        builder.ramdisk(boot_ramdisk)
    }

    /// With one more ramdisk, which counts as the application.
    ///
    /// # Errors
    /// When it is empty, or there would be more sections than an image can have.
    pub fn ramdisk(mut self, ramdisk: Vec<u8>) -> Result<ImageBuilder, InvalidImage> {
        if ramdisk.is_empty() {
            return Err(InvalidImage::EmptyRamdisk);
        }
        self.ramdisks.push(ramdisk);
        // Kernel, command line, metadata, and room for a signature.
        if self.ramdisks.len() > MAX_SECTIONS - 4 {
            return Err(InvalidImage::TooManyRamdisks);
        }
        Ok(self)
    }

    /// The measurements of the unsigned image.
    pub fn pcrs(&self) -> Pcrs {
        let ramdisks: Vec<&[u8]> = self.ramdisks.iter().map(Vec::as_slice).collect();
        Pcrs::measure(&self.kernel, &self.command_line, &ramdisks)
    }

    /// The image's bytes: the same parts always give the same.
    pub fn build(&self) -> Vec<u8> {
        self.write(None)
    }

    /// The image's bytes with a signature over PCR0. They differ from one call to the next in the
    /// signature, which ECDSA draws at random.
    ///
    /// # Errors
    /// When the signer's key fails.
    pub fn build_signed(&self, signer: &Signer) -> Result<Vec<u8>, InvalidSigner> {
        let signature = signer.sign(self.pcrs().pcr0())?;
        Ok(self.write(Some(&signature)))
    }

    fn write(&self, signature: Option<&[u8]>) -> Vec<u8> {
        let mut sections = vec![
            (SectionKind::Kernel, self.kernel.as_slice()),
            (SectionKind::CommandLine, self.command_line.as_bytes()),
            (SectionKind::Metadata, &self.metadata),
        ];
        for ramdisk in &self.ramdisks {
            sections.push((SectionKind::Ramdisk, ramdisk));
        }
        if let Some(signature) = signature {
            sections.push((SectionKind::Signature, signature));
        }
        assemble(&sections)
    }
}

/// Puts sections side by side behind their header.
fn assemble(sections: &[(SectionKind, &[u8])]) -> Vec<u8> {
    let mut header = Header {
        version: VERSION,
        flags: 0,
        default_memory: DEFAULT_MEMORY_BYTES,
        default_cpus: DEFAULT_CPUS,
        reserved: 0,
        section_count: u16::try_from(sections.len()).expect("at most 32 sections"),
        offsets: [0; MAX_SECTIONS],
        sizes: [0; MAX_SECTIONS],
        unused: 0,
        crc: 0,
    };
    let mut bytes = vec![0; HEADER_BYTES];
    for (index, (kind, section)) in sections.iter().enumerate() {
        header.offsets[index] = as_u64(bytes.len());
        header.sizes[index] = as_u64(section.len());
        let section_header = SectionHeader {
            kind: kind.code(),
            flags: 0,
            size: header.sizes[index],
        };
        bytes.reserve(SECTION_HEADER_BYTES + section.len());
        bytes.extend(section_header.encode());
        bytes.extend(*section);
    }
    header.crc = crc32([&header.encode()[..CRC_AT], &bytes[HEADER_BYTES..]]);
    bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
    bytes
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).expect("lengths of slices fit into 64 bits")
}

/// Why parts make no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidImage {
    /// Nothing to boot.
    #[error("the kernel is empty")]
    EmptyKernel,
    /// A ramdisk without a byte.
    #[error("a ramdisk is empty")]
    EmptyRamdisk,
    /// More ramdisks than an image has room for.
    #[error("an image has room for {} ramdisks", MAX_SECTIONS - 4)]
    TooManyRamdisks,
    /// The kernel would cut it off.
    #[error(
        "the command line has {bytes} bytes; the kernel takes at most {MAX_COMMAND_LINE_BYTES}"
    )]
    LongCommandLine {
        /// Length of the command line.
        bytes: usize,
    },
    /// Only printable ASCII is the same to everyone.
    #[error("the command line has the character {found:?}; only printable ASCII is taken")]
    CommandLineCharacter {
        /// The first such character.
        found: char,
    },
}
