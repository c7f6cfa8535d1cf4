//! `synclave measure`, and `synclave inspect` of an enclave image.

use anyhow::Context;
use image::{Image, Kernel, Pcrs, sha384};
use protocol::BoundedFile;
use serde_json::{Value, json};

use crate::arguments::MeasureOptions;
use crate::exit::BadInput;
use crate::printer::Printer;

/// The longest that is read of an image, of which none comes near it.
pub(crate) const MAX_BYTES: u64 = 1 << 30;

/// Recomputes the measurements of an image.
pub(crate) fn measure(options: &MeasureOptions, printer: Printer) -> anyhow::Result<()> {
    let problem = || {
        BadInput(format!(
            "{} cannot be measured as an enclave image",
            options.file.display()
        ))
    };
    let file = BoundedFile::open(&options.file).with_context(problem)?;
    // What does not begin as an image is not read further: its beginning is told from one.
    let bytes = match Image::is_image(file.start()) {
        true => file.read(MAX_BYTES).with_context(problem)?,
        false => file.start().to_vec(),
    };
    let image = Image::parse(&bytes).with_context(problem)?;
    let pcrs = checked_pcrs(&image).with_context(problem)?;
    say_pcrs(&pcrs, printer);
    printer.document(&pcrs.to_json());
    Ok(())
}

/// Tells a person what is in an image.
pub(crate) fn describe(bytes: &[u8], printer: Printer) -> anyhow::Result<()> {
    let problem = || BadInput("an enclave image, but it cannot be relied on".into());
    let image = Image::parse(bytes).with_context(problem)?;
    let pcrs = checked_pcrs(&image).with_context(problem)?;
    // A banner is for people only: an image whose kernel cannot be read is still measured.
    let kernel = Kernel::parse(image.kernel()).ok();
    let banner = kernel.map(|kernel| kernel.banner());

    for section in image.sections() {
        printer.result(format_args!(
            "{:<12} {:>10} bytes at {}",
            section.kind().to_string(),
            section.bytes().len(),
            section.offset()
        ));
    }
    if let Some(banner) = banner {
        printer.result(format_args!("kernel       {banner}"));
    }
    printer.result(format_args!("command line {}", image.command_line()));
    let metadata = image.metadata().map(read_metadata);
    if let Some(metadata) = &metadata {
        printer.result(format_args!("metadata     {metadata}"));
    }
    printer.result(format_args!(
        "asks for     {} MiB of memory, {} CPUs",
        image.default_memory_bytes() >> 20,
        image.default_cpus()
    ));
    printer.result(format_args!(
        "CRC-32       {:08x}, which is right",
        image.crc32()
    ));
    say_pcrs(&pcrs, printer);
    let processor = if image.is_aarch64() {
        "aarch64"
    } else {
        "x86-64"
    };
    let signed = match pcrs.pcr8() {
        Some(_) => "signed by the certificate that PCR8 is over",
        None => "not signed",
    };
    printer.result(format_args!(
        "an enclave image for {processor}, whole, {signed}; which program it is, PCR0 to PCR2 tell"
    ));

    let mut document = json!({
        "kind": "enclave image",
        "processor": processor,
        "sections": sections(&image),
        "kernel": banner,
        "command_line": image.command_line(),
        "metadata": metadata,
        "default_memory_bytes": image.default_memory_bytes(),
        "default_cpus": image.default_cpus(),
        "crc32": format!("{:08x}", image.crc32()),
        "signed": pcrs.pcr8().is_some(),
    });
    document["Measurements"] = pcrs.to_json()["Measurements"].take();
    printer.document(&document);
    Ok(())
}

/// The measurements; of a signed image only if its signature is about them, else no host would
/// start it.
fn checked_pcrs(image: &Image<'_>) -> anyhow::Result<Pcrs> {
    let pcrs = image.pcrs()?;
    if let Some(signature) = image.signature()? {
        signature.verify(pcrs.pcr0())?;
    }
    Ok(pcrs)
}

fn say_pcrs(pcrs: &Pcrs, printer: Printer) {
    for (index, pcr) in pcrs.iter() {
        printer.result(format_args!("PCR{index} {}", hex::encode(pcr)));
    }
}

/// JSON as a rule; what is none is told by its length.
fn read_metadata(bytes: &[u8]) -> Value {
    let unreadable = || format!("{} bytes that are no JSON", bytes.len()).into();
    serde_json::from_slice(bytes).unwrap_or_else(|_| unreadable())
}

fn sections(image: &Image<'_>) -> Vec<Value> {
    let section = |section: &image::Section<'_>| {
        json!({
            "kind": section.kind().to_string(),
            "offset": section.offset(),
            "bytes": section.bytes().len(),
            "sha384": hex::encode(sha384(section.bytes())),
        })
    };
    image.sections().iter().map(section).collect()
}
