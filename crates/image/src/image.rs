//! Reading an image, strictly.

use crate::crc::crc32;
use crate::damaged::{Damaged, Place};
use crate::layout::{
    CRC_AT, FLAG_AARCH64, HEADER_BYTES, Header, MAGIC, MAX_SECTIONS, SECTION_HEADER_BYTES,
    SectionHeader, SectionKind, VERSION,
};
use crate::pcrs::Pcrs;
use crate::signature::{InvalidSignature, Signature};

/// An image that every reader sees alike: whole, its sections side by side in the order of the
/// table, its checksum right.
///
/// That says nothing about who made it. Compare its [measurements](Image::pcrs) with those you
/// expect.
#[derive(Debug, Clone)]
pub struct Image<'a> {
    header: Header,
    sections: Vec<Section<'a>>,
}

/// A section of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section<'a> {
    kind: SectionKind,
    offset: usize,
    bytes: &'a [u8],
}

impl<'a> Image<'a> {
    /// Whether a file means to be an enclave image, by its first bytes.
    pub fn is_image(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }

    /// Reads a whole image.
    ///
    /// # Errors
    /// When anything about it is not as tools write it; see [`Damaged`]. The checksum is compared
    /// last, so that a cut or foreign file is told by what is wrong with it.
    pub fn parse(bytes: &'a [u8]) -> Result<Image<'a>, Damaged> {
        let header = read_header(bytes)?;
        let sections = read_sections(bytes, &header)?;
        check_kinds(&sections)?;
        // The checksum does not cover itself, and is the header's last field.
        let computed = crc32([&bytes[..CRC_AT], &bytes[HEADER_BYTES..]]);
        if computed != header.crc {
            return Err(Damaged::Checksum {
                computed,
                stored: header.crc,
            });
        }
        Ok(Image { header, sections })
    }

    /// In the order of the file.
    pub fn sections(&self) -> &[Section<'a>] {
        &self.sections
    }

    /// Returns the bytes of the kernel section.
    pub fn kernel(&self) -> &'a [u8] {
        self.first(SectionKind::Kernel)
            .expect("an image without a kernel is refused")
    }

    /// The kernel's command line: text without zero bytes.
    pub fn command_line(&self) -> &'a str {
        let bytes = self
            .first(SectionKind::CommandLine)
            .expect("an image without a command line is refused");
        std::str::from_utf8(bytes).expect("a command line that is not text is refused")
    }

    /// The ramdisks, at least one.
    pub fn ramdisks(&self) -> impl Iterator<Item = &'a [u8]> {
        self.sections
            .iter()
            .filter(|section| section.kind == SectionKind::Ramdisk)
            .map(|section| section.bytes)
    }

    /// All ramdisks one after the other, as the kernel takes them: what goes to a loader that wants
    /// one `initrd`.
    pub fn initrd(&self) -> Vec<u8> {
        self.ramdisks().collect::<Vec<_>>().concat()
    }

    /// What the builder says about itself (JSON as a rule). It is not measured: anyone could have
    /// written it.
    pub fn metadata(&self) -> Option<&'a [u8]> {
        self.first(SectionKind::Metadata)
    }

    /// The signature section, taken apart but not verified.
    ///
    /// # Errors
    /// When it is there and is not the CBOR that AWS's tools write.
    pub fn signature(&self) -> Result<Option<Signature>, InvalidSignature> {
        self.first(SectionKind::Signature)
            .map(Signature::decode)
            .transpose()
    }

    /// The measurements that a host reports for this image outside debug mode.
    ///
    /// # Errors
    /// When there is a signature section, and its certificate, which PCR8 is over, cannot be read.
    pub fn pcrs(&self) -> Result<Pcrs, InvalidSignature> {
        let signature = self.signature()?;
        let ramdisks: Vec<&[u8]> = self.ramdisks().collect();
        let mut pcrs = Pcrs::measure(self.kernel(), self.command_line(), &ramdisks);
        if let Some(signature) = signature {
            pcrs = pcrs.signed_by(signature.certificate());
        }
        Ok(pcrs)
    }

    /// Whether the kernel is for aarch64; else it is for x86-64.
    pub fn is_aarch64(&self) -> bool {
        self.header.flags == FLAG_AARCH64
    }

    /// The memory that the builder suggests, in bytes. Hosts are free to give another amount, and
    /// it is not measured.
    pub fn default_memory_bytes(&self) -> u64 {
        self.header.default_memory
    }

    /// The number of CPUs that the builder suggests.
    pub fn default_cpus(&self) -> u64 {
        self.header.default_cpus
    }

    /// The checksum, which is right.
    pub fn crc32(&self) -> u32 {
        self.header.crc
    }

    fn first(&self, kind: SectionKind) -> Option<&'a [u8]> {
        self.sections
            .iter()
            .find(|section| section.kind == kind)
            .map(|section| section.bytes)
    }
}

impl<'a> Section<'a> {
    /// Returns what the section holds.
    pub fn kind(&self) -> SectionKind {
        self.kind
    }

    /// Where its own header begins, in bytes from the file's beginning.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// What it holds, without its header.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

fn read_header(bytes: &[u8]) -> Result<Header, Damaged> {
    if !Image::is_image(bytes) {
        let found = &bytes[..bytes.len().min(MAGIC.len())];
        return Err(Damaged::Magic {
            found: found.escape_ascii().to_string(),
        });
    }
    let header = bytes.first_chunk().ok_or(Damaged::HeaderCutOff {
        length: bytes.len(),
    })?;
    let header = Header::decode(header);
    if header.version != VERSION {
        return Err(Damaged::Version {
            found: header.version,
        });
    }
    if header.flags & !FLAG_AARCH64 != 0 {
        return Err(Damaged::Flags {
            found: header.flags,
        });
    }
    let kept_for_the_future = [
        ("reserved", u32::from(header.reserved)),
        ("unused", header.unused),
    ];
    if let Some((field, found)) = kept_for_the_future
        .into_iter()
        .find(|(_, found)| *found != 0)
    {
        return Err(Damaged::Reserved { field, found });
    }
    check_table(&header)?;
    Ok(header)
}

fn check_table(header: &Header) -> Result<(), Damaged> {
    let count = usize::from(header.section_count);
    if count > MAX_SECTIONS {
        return Err(Damaged::SectionCount {
            found: header.section_count,
        });
    }
    // Entries that the header does not count: a reader that goes by the table might load them.
    for entry in count..MAX_SECTIONS {
        let (offset, size) = (header.offsets[entry], header.sizes[entry]);
        if (offset, size) != (0, 0) {
            return Err(Damaged::UncountedSection {
                entry: entry + 1,
                offset,
                size,
                count,
            });
        }
    }
    Ok(())
}

fn read_sections<'a>(bytes: &'a [u8], header: &Header) -> Result<Vec<Section<'a>>, Damaged> {
    let count = usize::from(header.section_count);
    let mut sections = Vec::with_capacity(count);
    let mut end = HEADER_BYTES;
    for index in 0..count {
        let place = Place {
            number: index + 1,
            of: count,
            kind: None,
        };
        let section = read_section(
            bytes,
            place,
            end,
            header.offsets[index],
            header.sizes[index],
        )?;
        end += SECTION_HEADER_BYTES + section.bytes.len();
        sections.push(section);
    }
    if end < bytes.len() {
        return Err(Damaged::Trailing {
            bytes: as_u64(bytes.len() - end),
            end: as_u64(end),
        });
    }
    Ok(sections)
}

/// Reads the section that must begin at `start`, of which the table says `offset` and `size`.
fn read_section(
    bytes: &[u8],
    mut place: Place,
    start: usize,
    offset: u64,
    size: u64,
) -> Result<Section<'_>, Damaged> {
    let expected = as_u64(start);
    // Telling the kind helps to tell which section it is, wherever the table says that it begins.
    let claimed = usize::try_from(offset)
        .ok()
        .and_then(|offset| bytes.get(offset..)?.first_chunk())
        .map(SectionHeader::decode);
    place.kind = claimed.and_then(|claimed| SectionKind::from_code(claimed.kind));
    // QEMU goes to a section by the table, AWS's reader by where the one before ends: only where
    // both agree is there one image.
    if offset < expected {
        return Err(Damaged::Overlap {
            place,
            expected,
            found: offset,
        });
    }
    let cut_off = || Damaged::SectionCutOff {
        place,
        end: offset
            .saturating_add(as_u64(SECTION_HEADER_BYTES))
            .saturating_add(size),
        length: as_u64(bytes.len()),
    };
    let header = claimed.ok_or_else(cut_off)?;
    if offset > expected {
        return Err(Damaged::Gap {
            place,
            expected,
            found: offset,
        });
    }
    let kind = SectionKind::from_code(header.kind).ok_or(Damaged::UnknownSection {
        place,
        found: header.kind,
    })?;
    if header.flags != 0 {
        return Err(Damaged::SectionFlags {
            place,
            found: header.flags,
        });
    }
    // A reader could go by either of the two.
    if header.size != size {
        return Err(Damaged::SectionSize {
            place,
            table: size,
            found: header.size,
        });
    }
    let body = &bytes[start + SECTION_HEADER_BYTES..];
    let body = usize::try_from(size)
        .ok()
        .and_then(|size| body.get(..size))
        .ok_or_else(cut_off)?;
    Ok(Section {
        kind,
        offset: start,
        bytes: body,
    })
}

/// One kernel, then one command line, then ramdisks; at most one signature and one piece of
/// metadata anywhere.
fn check_kinds(sections: &[Section<'_>]) -> Result<(), Damaged> {
    let position = |kind| sections.iter().position(|section| section.kind == kind);
    for (index, section) in sections.iter().enumerate() {
        let place = Place {
            number: index + 1,
            of: sections.len(),
            kind: Some(section.kind),
        };
        // An empty command line is a valid one.
        if section.bytes.is_empty() && section.kind != SectionKind::CommandLine {
            return Err(Damaged::Empty { place });
        }
        if section.kind != SectionKind::Ramdisk && position(section.kind) != Some(index) {
            return Err(Damaged::Repeated { place });
        }
        // The order in which they are measured: to a reader that hashes section after section any
        // other would be another image.
        let before = match section.kind {
            SectionKind::CommandLine => Some(SectionKind::Kernel),
            SectionKind::Ramdisk => Some(SectionKind::CommandLine),
            _ => None,
        };
        if let Some(missing) = before
            && position(missing).is_some_and(|found| found > index)
        {
            return Err(Damaged::Order { place, missing });
        }
        if section.kind == SectionKind::CommandLine
            && let Some(at) = unclear(section.bytes)
        {
            return Err(Damaged::CommandLine { place, at });
        }
    }
    for kind in [
        SectionKind::Kernel,
        SectionKind::CommandLine,
        SectionKind::Ramdisk,
    ] {
        if position(kind).is_none() {
            return Err(Damaged::Missing { kind });
        }
    }
    Ok(())
}

/// The first byte that makes a command line something else than text without zero bytes.
fn unclear(command_line: &[u8]) -> Option<usize> {
    let no_text = std::str::from_utf8(command_line)
        .err()
        .map(|error| error.valid_up_to());
    let zero = command_line.iter().position(|byte| *byte == 0);
    no_text.into_iter().chain(zero).min()
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).expect("lengths of slices fit into 64 bits")
}
