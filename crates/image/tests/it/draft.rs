//! An image written field by field, beside the library, so that every field can be wrong.

pub(crate) const KERNEL: u16 = 1;
pub(crate) const COMMAND_LINE: u16 = 2;
pub(crate) const RAMDISK: u16 = 3;
pub(crate) const SIGNATURE: u16 = 4;
pub(crate) const METADATA: u16 = 5;

pub(crate) struct Draft {
    pub(crate) magic: [u8; 4],
    pub(crate) version: u16,
    pub(crate) flags: u16,
    pub(crate) reserved: u16,
    pub(crate) unused: u32,
    /// When another than there are sections.
    pub(crate) count: Option<u16>,
    pub(crate) sections: Vec<DraftSection>,
    /// After the last section.
    pub(crate) trailing: Vec<u8>,
    /// Changes entries of the table (offset, size) after they were computed.
    pub(crate) table: fn(&mut [(u64, u64); 32]),
}

pub(crate) struct DraftSection {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn section(kind: u16, bytes: &[u8]) -> DraftSection {
    DraftSection {
        kind,
        flags: 0,
        bytes: bytes.to_vec(),
    }
}

impl Draft {
    /// Kernel, command line, metadata, two ramdisks.
    pub(crate) fn good() -> Draft {
        Draft {
            magic: *b".eif",
            version: 4,
            flags: 0,
            reserved: 0,
            unused: 0,
            count: None,
            sections: vec![
                section(KERNEL, &b"kernel ".repeat(100)),
                section(COMMAND_LINE, b"console=ttyS0"),
                section(METADATA, b"{}"),
                section(RAMDISK, &b"boot ramdisk ".repeat(50)),
                section(RAMDISK, &b"application ".repeat(70)),
            ],
            trailing: Vec::new(),
            table: |_| (),
        }
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut table = [(0, 0); 32];
        let mut body = Vec::new();
        for (entry, section) in table.iter_mut().zip(&self.sections) {
            *entry = (548 + body.len() as u64, section.bytes.len() as u64);
            body.extend(section.kind.to_be_bytes());
            body.extend(section.flags.to_be_bytes());
            body.extend((section.bytes.len() as u64).to_be_bytes());
            body.extend(&section.bytes);
        }
        body.extend(&self.trailing);
        (self.table)(&mut table);

        let count = u16::try_from(self.sections.len()).expect("few sections");
        let mut bytes = self.magic.to_vec();
        bytes.extend(self.version.to_be_bytes());
        bytes.extend(self.flags.to_be_bytes());
        bytes.extend((1_u64 << 30).to_be_bytes());
        bytes.extend(2_u64.to_be_bytes());
        bytes.extend(self.reserved.to_be_bytes());
        bytes.extend(self.count.unwrap_or(count).to_be_bytes());
        for (offset, _) in table {
            bytes.extend(offset.to_be_bytes());
        }
        for (_, size) in table {
            bytes.extend(size.to_be_bytes());
        }
        bytes.extend(self.unused.to_be_bytes());
        let crc = crc32(bytes.iter().chain(&body));
        bytes.extend(crc.to_be_bytes());
        bytes.extend(body);
        bytes
    }
}

/// Bit by bit, without a table.
fn crc32<'a>(bytes: impl Iterator<Item = &'a u8>) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc = (crc >> 1) ^ (carry * 0xedb8_8320);
        }
    }
    !crc
}
