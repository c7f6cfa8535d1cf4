//! Enclave images. The checksum is no obstacle: a wrong one is made right.
//!
//! What is accepted has no byte outside its sections, and its measurements are those of its parts.
#![no_main]

use image::{Damaged, Image, Kernel, Module, Pcrs};
use libfuzzer_sys::fuzz_target;

/// Where the header has the checksum of all the rest.
const CHECKSUM_AT: usize = 544;
const HEADER_BYTES: usize = 548;
const SECTION_HEADER_BYTES: usize = 12;

fuzz_target!(|file: &[u8]| {
    let mut file = file.to_vec();
    if let Err(Damaged::Checksum { computed, .. }) = Image::parse(&file) {
        file[CHECKSUM_AT..HEADER_BYTES].copy_from_slice(&computed.to_be_bytes());
        assert!(Image::parse(&file).is_ok(), "only the checksum was wrong");
    }
    let parsed = Image::parse(&file);
    synclave_fuzz::accepted(parsed.is_ok());
    drop(Module::parse(file.clone()));
    let Ok(image) = parsed else { return };
    let sections = image.sections().iter();
    let covered: usize = sections.map(|it| it.bytes().len() + SECTION_HEADER_BYTES).sum();
    assert_eq!(covered + HEADER_BYTES, file.len());
    drop(Kernel::parse(image.kernel()));
    let ramdisks: Vec<&[u8]> = image.ramdisks().collect();
    let measured = Pcrs::measure(image.kernel(), image.command_line(), &ramdisks);
    if let Ok(pcrs) = image.pcrs() {
        assert_eq!(pcrs.pcr0(), measured.pcr0());
        assert_eq!(pcrs.pcr1(), measured.pcr1());
        assert_eq!(pcrs.pcr2(), measured.pcr2());
        let signature = image.signature().expect("it was read for PCR8");
        assert_eq!(signature.is_some(), pcrs.pcr8().is_some());
        drop(signature.map(|it| it.verify(pcrs.pcr0())));
    }
});
