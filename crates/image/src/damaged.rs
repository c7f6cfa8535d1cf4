//! Why a file is not an enclave image that can be trusted to be read alike by everyone.

use std::fmt;

use crate::layout::{HEADER_BYTES, MAX_SECTIONS, SectionKind, VERSION};

/// A section, as messages name it: by its number in the table, counted from one, and its kind if
/// that could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Number of the section, from 1.
    pub number: usize,
    /// How many sections the header says there are.
    pub of: usize,
    /// What it holds, when that could be read.
    pub kind: Option<SectionKind>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "section {} of {}", self.number, self.of)?;
        match self.kind {
            Some(kind) => write!(f, " ({kind})"),
            None => Ok(()),
        }
    }
}

/// What is wrong with an image, and where. All positions are bytes from the file's beginning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damaged {
    /// Another kind of file.
    #[error("it begins with \"{found}\", where an enclave image has \".eif\"")]
    Magic {
        /// Its first four bytes, escaped.
        found: String,
    },
    /// Not even the header is whole.
    #[error(
        "it is cut off in its header: {length} bytes are there, and the header alone has \
         {HEADER_BYTES}"
    )]
    HeaderCutOff {
        /// Length of the file in bytes.
        length: usize,
    },
    /// A version that this reader does not know, or of before 2022.
    #[error("it is of version {found} of the format; only version {VERSION} is read")]
    Version {
        /// The value in the header.
        found: u16,
    },
    /// A flag that has no meaning here.
    #[error("its header has the flags {found:#06x}; only 0x0001 (aarch64) has a meaning")]
    Flags {
        /// The value in the header.
        found: u16,
    },
    /// Something is written in bytes that are kept for the future.
    #[error("the header's {field} bytes are {found:#x}, where images have zero")]
    Reserved {
        /// `reserved` or `unused`.
        field: &'static str,
        /// The value in the header.
        found: u32,
    },
    /// More sections than the table has room for.
    #[error("its header says {found} sections; there can be at most {MAX_SECTIONS}")]
    SectionCount {
        /// The value in the header.
        found: u16,
    },
    /// The table goes on beyond the sections that the header counts.
    #[error(
        "entry {entry} of the table names {size} bytes at {offset}, but the header counts only \
         {count} sections"
    )]
    UncountedSection {
        /// Number of the entry, from 1.
        entry: usize,
        /// Offset that the table gives.
        offset: u64,
        /// Size that the table gives.
        size: u64,
        /// Number of sections that the header gives.
        count: usize,
    },
    /// Two sections share bytes, or one lies in the header.
    #[error("{place} begins at {found}, before what precedes it ends at {expected}: they overlap")]
    Overlap {
        /// The later of the two.
        place: Place,
        /// Where it could begin at the earliest.
        expected: u64,
        /// Where it begins by the table.
        found: u64,
    },
    /// Bytes between two sections, that one reader would see and another would not.
    #[error("{place} begins at {found}, but what precedes it ends at {expected}: there is a gap")]
    Gap {
        /// The section after the gap.
        place: Place,
        /// Where it should begin.
        expected: u64,
        /// Where it begins by the table.
        found: u64,
    },
    /// The file ends within a section.
    #[error("{place} is cut off: it ends at {end}, but the file at {length}")]
    SectionCutOff {
        /// The section concerned.
        place: Place,
        /// Where it would end.
        end: u64,
        /// Length of the file in bytes.
        length: u64,
    },
    /// A section whose kind this reader does not know.
    #[error("{place} is of the unknown kind {found}")]
    UnknownSection {
        /// The section concerned.
        place: Place,
        /// The value in the section's header.
        found: u16,
    },
    /// Sections have no flags.
    #[error("{place} has the flags {found:#06x}, where images have none")]
    SectionFlags {
        /// The section concerned.
        place: Place,
        /// The value in the section's header.
        found: u16,
    },
    /// Table and section disagree, so that readers could too.
    #[error("{place} has {table} bytes by the table, but {found} by its own header")]
    SectionSize {
        /// The section concerned.
        place: Place,
        /// Size that the table gives.
        table: u64,
        /// In the section's header.
        found: u64,
    },
    /// A section that must hold something is empty.
    #[error("{place} is empty")]
    Empty {
        /// The section concerned.
        place: Place,
    },
    /// A second section of a kind that there can be only one of.
    #[error("{place} is the second of its kind; there can be only one")]
    Repeated {
        /// The second section of its kind.
        place: Place,
    },
    /// Kernel, command line and ramdisks in another order than the one they are hashed in.
    #[error("{place} comes before the {missing}; the order is kernel, command line, ramdisks")]
    Order {
        /// The section that came too early.
        place: Place,
        /// What should have come first.
        missing: SectionKind,
    },
    /// Nothing to boot, or nothing to boot it with.
    #[error("it has no {kind} section")]
    Missing {
        /// The kind of section that is missing.
        kind: SectionKind,
    },
    /// A command line that two readers might cut differently.
    #[error(
        "{place} is not plain text without zero bytes (at byte {at} of it), so it could be read in \
         two ways"
    )]
    CommandLine {
        /// The section concerned.
        place: Place,
        /// Within the section.
        at: usize,
    },
    /// More bytes than the sections.
    #[error("{bytes} bytes follow after its last section, which ends at {end}")]
    Trailing {
        /// Number of bytes left over.
        bytes: u64,
        /// Where the last section ends.
        end: u64,
    },
    /// The sections are whole but something in them or in the header is not as it was written.
    #[error(
        "its CRC-32 is {computed:08x}, but its header says {stored:08x}: some byte was changed \
         since it was written"
    )]
    Checksum {
        /// Over the file as it is.
        computed: u32,
        /// The checksum in the header.
        stored: u32,
    },
}
