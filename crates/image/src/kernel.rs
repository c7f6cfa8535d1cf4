//! What a kernel says about itself.

/// The x86 boot protocol's header (kernel, `Documentation/arch/x86/boot.rst`): its mark, and where
/// its version text lies.
const MARK: &[u8; 4] = b"HdrS";
const MARK_AT: usize = 0x202;
const VERSION_POINTER_AT: usize = 0x20e;
const VERSION_BASE: usize = 0x200;
/// The kernel's own limit for the text is shorter.
const MAX_VERSION_BYTES: usize = 512;

/// An x86-64 kernel in the form that boot loaders take, `bzImage`.
#[derive(Debug, Clone, Copy)]
pub struct Kernel<'a> {
    banner: &'a str,
}

impl<'a> Kernel<'a> {
    /// Looks at a kernel's boot header.
    ///
    /// # Errors
    /// When it has none.
    pub fn parse(bytes: &'a [u8]) -> Result<Kernel<'a>, InvalidKernel> {
        // The build of a kernel leaves both files, and the wrong one is easily taken: told by name,
        // with what to do.
        if bytes.starts_with(b"\x7fELF") {
            return Err(InvalidKernel::Elf);
        }
        let mark = bytes.get(MARK_AT..).and_then(<[u8]>::first_chunk);
        if mark != Some(MARK) {
            return Err(InvalidKernel::NoBootHeader);
        }
        let banner = banner(bytes).ok_or(InvalidKernel::NoVersion)?;
        Ok(Kernel { banner })
    }

    /// The whole version text, such as
    /// `6.12.95+deb12-cloud-amd64 (debian-kernel@lists.debian.org) #1 SMP ...`.
    pub fn banner(&self) -> &'a str {
        self.banner
    }

    /// The release, which modules must be built for: the text up to the first space.
    pub fn release(&self) -> &'a str {
        self.banner.split(' ').next().unwrap_or(self.banner)
    }
}

fn banner(bytes: &[u8]) -> Option<&str> {
    let pointer = *bytes.get(VERSION_POINTER_AT..)?.first_chunk()?;
    let start = VERSION_BASE + usize::from(u16::from_le_bytes(pointer));
    let text = bytes.get(start..)?;
    // The pointer can say anything: a text that does not end within the limit is not one.
    let text = &text[..text.len().min(MAX_VERSION_BYTES)];
    let end = text.iter().position(|byte| *byte == 0)?;
    std::str::from_utf8(&text[..end])
        .ok()
        .filter(|text| !text.is_empty())
}

/// Why a file is not a kernel that can be packed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKernel {
    /// `vmlinux` instead of `bzImage`.
    #[error("it is an ELF file (vmlinux); give the bzImage made from it")]
    Elf,
    /// A file of another kind.
    #[error("it is not an x86-64 bzImage: the mark \"HdrS\" of the boot header is not there")]
    NoBootHeader,
    /// A damaged one.
    #[error("it is a bzImage, but the version that its boot header points to is not there")]
    NoVersion,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel() -> Vec<u8> {
        let mut bytes = vec![0; 0x1000];
        bytes[MARK_AT..][..4].copy_from_slice(MARK);
        bytes[VERSION_POINTER_AT..][..2].copy_from_slice(&0x400_u16.to_le_bytes());
        bytes[0x600..][..14].copy_from_slice(b"6.12.95 (me) #");
        bytes
    }

    #[test]
    fn the_release_is_the_first_word_of_the_banner() {
        let bytes = kernel();
        let kernel = Kernel::parse(&bytes).expect("a boot header");
        assert_eq!(kernel.banner(), "6.12.95 (me) #");
        assert_eq!(kernel.release(), "6.12.95");
    }

    #[test]
    fn other_files_are_told_apart() {
        let refused = |bytes: &[u8]| Kernel::parse(bytes).expect_err("no kernel");
        assert_eq!(refused(b""), InvalidKernel::NoBootHeader);
        assert_eq!(refused(&[0; 0x1000]), InvalidKernel::NoBootHeader);
        assert_eq!(refused(b"\x7fELF\x02\x01"), InvalidKernel::Elf);
        assert_eq!(refused(&kernel()[..0x600]), InvalidKernel::NoVersion);
        let mut unended = kernel();
        unended[0x600..].fill(b'x');
        assert_eq!(refused(&unended), InvalidKernel::NoVersion);
    }
}
