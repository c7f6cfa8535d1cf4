//! What is refused, and in which words.

use image::{Damaged, Image, ImageBuilder, Metadata, SectionKind};
use proptest::prelude::*;

use crate::draft::{COMMAND_LINE, Draft, KERNEL, METADATA, RAMDISK, section};

fn refusal(change: impl FnOnce(&mut Draft)) -> String {
    let mut draft = Draft::good();
    change(&mut draft);
    refusal_of(&draft.write())
}

fn refusal_of(bytes: &[u8]) -> String {
    Image::parse(bytes).expect_err("damaged").to_string()
}

#[test]
fn a_good_image_is_read_section_by_section() {
    let bytes = Draft::good().write();
    let image = Image::parse(&bytes).expect("nothing is wrong with it");
    assert_eq!(image.kernel(), b"kernel ".repeat(100));
    assert_eq!(image.command_line(), "console=ttyS0");
    assert_eq!(image.metadata(), Some(&b"{}"[..]));
    let initrd = [b"boot ramdisk ".repeat(50), b"application ".repeat(70)].concat();
    assert_eq!(image.initrd(), initrd);
    assert_eq!(image.ramdisks().count(), 2);
    assert!(image.signature().expect("it is unsigned").is_none());
    assert!(!image.is_aarch64());
    assert_eq!(
        (image.default_memory_bytes(), image.default_cpus()),
        (1 << 30, 2)
    );
    let kinds: Vec<SectionKind> = image.sections().iter().map(|s| s.kind()).collect();
    use SectionKind::{CommandLine, Kernel, Metadata, Ramdisk};
    assert_eq!(kinds, [Kernel, CommandLine, Metadata, Ramdisk, Ramdisk]);
    assert_eq!(image.sections()[1].offset(), 548 + 12 + 700);
}

#[test]
fn foreign_files_are_told_by_their_first_bytes() {
    assert_eq!(
        refusal_of(b"\x7fELF\x02\x01\x01"),
        "it begins with \"\\x7fELF\", where an enclave image has \".eif\""
    );
    assert_eq!(
        refusal_of(b""),
        "it begins with \"\", where an enclave image has \".eif\""
    );
    assert_eq!(
        refusal_of(b".eif and no more"),
        "it is cut off in its header: 16 bytes are there, and the header alone has 548"
    );
}

#[test]
fn headers_of_other_versions_and_with_unknown_bits_are_refused() {
    assert_eq!(
        refusal(|draft| draft.version = 3),
        "it is of version 3 of the format; only version 4 is read"
    );
    assert_eq!(
        refusal(|draft| draft.flags = 2),
        "its header has the flags 0x0002; only 0x0001 (aarch64) has a meaning"
    );
    assert_eq!(
        refusal(|draft| draft.reserved = 7),
        "the header's reserved bytes are 0x7, where images have zero"
    );
    assert_eq!(
        refusal(|draft| draft.unused = 0x100),
        "the header's unused bytes are 0x100, where images have zero"
    );
    assert_eq!(
        refusal(|draft| draft.count = Some(33)),
        "its header says 33 sections; there can be at most 32"
    );
}

#[test]
fn the_table_must_name_the_sections_side_by_side() {
    assert_eq!(
        refusal(|draft| draft.count = Some(4)),
        "entry 5 of the table names 840 bytes at 1961, but the header counts only 4 sections"
    );
    assert_eq!(
        refusal(|draft| draft.count = Some(6)),
        "section 6 of 6 begins at 0, before what precedes it ends at 2813: they overlap"
    );
    assert_eq!(
        refusal(|draft| draft.table = |table| table[3].0 = table[0].0),
        "section 4 of 5 (kernel) begins at 548, before what precedes it ends at 1299: they overlap"
    );
    assert_eq!(
        refusal(|draft| draft.table = |table| table[1] = table[2]),
        "section 2 of 5 (metadata) begins at 1285, but what precedes it ends at 1260: there is a \
         gap"
    );
    assert_eq!(
        refusal(|draft| draft.table = |table| table[4].0 = u64::MAX),
        format!(
            "section 5 of 5 is cut off: it ends at {}, but the file at 2813",
            u64::MAX
        )
    );
    assert_eq!(
        refusal(|draft| draft.trailing = b"more".to_vec()),
        "4 bytes follow after its last section, which ends at 2813"
    );
}

#[test]
fn a_file_that_ends_early_names_the_section_it_ends_in() {
    let bytes = Draft::good().write();
    assert_eq!(
        refusal_of(&bytes[..2000]),
        "section 5 of 5 (ramdisk) is cut off: it ends at 2813, but the file at 2000"
    );
    assert_eq!(
        refusal_of(&bytes[..1965]),
        "section 5 of 5 is cut off: it ends at 2813, but the file at 1965"
    );
    for length in 0..bytes.len() {
        assert!(Image::parse(&bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn section_headers_are_held_against_the_table() {
    assert_eq!(
        refusal(|draft| draft.sections[2].kind = 9),
        "section 3 of 5 is of the unknown kind 9"
    );
    assert_eq!(
        refusal(|draft| draft.sections[2].kind = 0),
        "section 3 of 5 is of the unknown kind 0"
    );
    assert_eq!(
        refusal(|draft| draft.sections[3].flags = 1),
        "section 4 of 5 (ramdisk) has the flags 0x0001, where images have none"
    );
    assert_eq!(
        refusal(|draft| draft.table = |table| table[0].1 += 1),
        "section 1 of 5 (kernel) has 701 bytes by the table, but 700 by its own header"
    );
}

#[test]
fn kernel_command_line_and_ramdisks_must_be_there_once_and_in_order() {
    for (kind, name) in [
        (KERNEL, "kernel"),
        (COMMAND_LINE, "command line"),
        (RAMDISK, "ramdisk"),
    ] {
        let without = refusal(|draft| draft.sections.retain(|section| section.kind != kind));
        assert_eq!(without, format!("it has no {name} section"));
    }
    assert_eq!(
        refusal(|draft| draft.sections.push(section(KERNEL, b"another"))),
        "section 6 of 6 (kernel) is the second of its kind; there can be only one"
    );
    assert_eq!(
        refusal(|draft| draft.sections.push(section(METADATA, b"{}"))),
        "section 6 of 6 (metadata) is the second of its kind; there can be only one"
    );
    assert_eq!(
        refusal(|draft| draft.sections.swap(0, 1)),
        "section 1 of 5 (command line) comes before the kernel; the order is kernel, command \
         line, ramdisks"
    );
    assert_eq!(
        refusal(|draft| draft.sections.swap(1, 4)),
        "section 2 of 5 (ramdisk) comes before the command line; the order is kernel, command \
         line, ramdisks"
    );
    assert_eq!(
        refusal(|draft| draft.sections[3].bytes.clear()),
        "section 4 of 5 (ramdisk) is empty"
    );
    assert_eq!(
        refusal(|draft| draft.sections[1].bytes = b"quiet\0init=/x".to_vec()),
        "section 2 of 5 (command line) is not plain text without zero bytes (at byte 5 of it), so \
         it could be read in two ways"
    );
    assert_eq!(
        refusal(|draft| draft.sections[1].bytes = b"ok \xff".to_vec()),
        "section 2 of 5 (command line) is not plain text without zero bytes (at byte 3 of it), so \
         it could be read in two ways"
    );
}

#[test]
fn every_changed_byte_is_noticed() {
    let bytes = Draft::good().write();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        assert!(Image::parse(&changed).is_err(), "byte {at}");
    }
    let mut changed = bytes;
    changed[600] ^= 1;
    let refused = Image::parse(&changed).expect_err("a byte of the kernel was changed");
    assert!(
        matches!(
            refused,
            Damaged::Checksum {
                stored: 0xb59e_2933,
                ..
            }
        ),
        "{refused}"
    );
}

#[test]
fn an_image_for_aarch64_says_so() {
    let mut draft = Draft::good();
    draft.flags = 1;
    assert!(
        Image::parse(&draft.write())
            .expect("a known flag")
            .is_aarch64()
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        kernel in prop::collection::vec(any::<u8>(), 1..300),
        command_line in "[ -~]{0,80}",
        ramdisks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), 1..6),
        name in ".*",
    ) {
        let metadata = Metadata {
            name: name.clone(),
            version: "1".into(),
            kernel_version: "6".into(),
        };
        let (first, others) = ramdisks.split_first().expect("at least one");
        let mut builder = ImageBuilder::new(kernel.clone(), &command_line, first.clone(), &metadata)
            .expect("nothing is empty");
        for ramdisk in others {
            builder = builder.ramdisk(ramdisk.clone()).expect("few, and none is empty");
        }
        let bytes = builder.build();
        prop_assert_eq!(&bytes, &builder.build());
        let image = Image::parse(&bytes).expect("just written");
        prop_assert_eq!(image.kernel(), kernel);
        prop_assert_eq!(image.command_line(), command_line);
        prop_assert_eq!(image.ramdisks().map(<[u8]>::to_vec).collect::<Vec<_>>(), ramdisks);
        prop_assert_eq!(image.pcrs().expect("unsigned"), builder.pcrs());
        let metadata = image.metadata().expect("written");
        let metadata: serde_json::Value = serde_json::from_slice(metadata).expect("JSON");
        prop_assert_eq!(metadata["ImageName"].as_str(), Some(name.as_str()));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..1200),
        as_image in any::<bool>(),
    ) {
        if as_image && bytes.len() >= 28 {
            bytes[..8].copy_from_slice(b".eif\0\x04\0\0");
            bytes[24..28].copy_from_slice(&[0, 0, 0, 3]);
        }
        prop_assert!(Image::parse(&bytes).is_err());
    }
}
