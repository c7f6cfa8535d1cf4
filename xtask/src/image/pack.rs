//! The parts put together, and the record of how.

use image::{Archive, ImageBuilder, Metadata, Module, Pcrs, Signer, sha384};
use serde_json::{Value, json};

use super::kernel::Boot;
use crate::run::first_line_of;

/// An image with its measurements.
pub(super) struct Packed {
    eif: Vec<u8>,
    measurements: String,
    pcrs: Pcrs,
    ours: usize,
}

impl Packed {
    /// Packs kernel, modules and program. The first ramdisk has the modules and the empty folders,
    /// the second the program alone: so PCR1 is about the system and PCR2 about synclave.
    pub(super) fn new(
        boot: Boot,
        command_line: &str,
        program: Vec<u8>,
        signer: Option<&Signer>,
    ) -> anyhow::Result<Packed> {
        let record = record(&boot, command_line, &program)?;
        let system = system(&boot.modules)?;
        let application = Archive::new().file("init", 0o755, &program)?.finish();
        let ours = system.len() + application.len();
        let metadata = Metadata {
            name: "synclave".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            kernel_version: boot.release,
        };
        let builder = ImageBuilder::new(boot.kernel, command_line, system, &metadata)?
            .ramdisk(application)?;
        let (pcrs, eif) = match signer {
            None => (builder.pcrs(), builder.build()),
            Some(signer) => (
                builder.pcrs().signed_by(signer.certificate()),
                builder.build_signed(signer)?,
            ),
        };
        let mut measurements = pcrs.to_json();
        measurements["Image"] = of_bytes(&eif);
        measurements["Inputs"] = record;
        measurements["Tools"] = tools()?;
        Ok(Packed {
            eif,
            measurements: format!("{measurements:#}\n"),
            pcrs,
            ours,
        })
    }

    /// Bytes of the EIF file.
    pub(super) fn eif(&self) -> &[u8] {
        &self.eif
    }

    /// What clients compare evidence with, as `nitro-cli` prints it, and beside it how it came
    /// about (JSON).
    pub(super) fn measurements(&self) -> &str {
        &self.measurements
    }

    /// Says sizes and measurements.
    pub(super) fn describe(&self) {
        let (all, ours) = (self.eif.len(), self.ours);
        eprintln!("the image has {all} bytes, of which {ours} are ramdisks");
        for (index, pcr) in self.pcrs.iter() {
            eprintln!("PCR{index}  {}", hex::encode(pcr));
        }
    }
}

/// The ramdisk that makes a kernel ready for the program: folders to mount on, a console, modules
/// in the order of loading.
fn system(modules: &[Module]) -> anyhow::Result<Vec<u8>> {
    let mut archive = Archive::new()
        .folder("dev", 0o755)?
        .character_device("dev/console", 0o600, (5, 1))?
        .folder("proc", 0o555)?
        .folder("sys", 0o555)?;
    if !modules.is_empty() {
        archive = archive.folder("modules", 0o755)?;
    }
    for (index, module) in modules.iter().enumerate() {
        archive = archive.file(&path(index, module), 0o644, module.bytes())?;
    }
    Ok(archive.finish())
}

fn path(index: usize, module: &Module) -> String {
    format!("modules/{index:02}-{}.ko", module.name())
}

fn record(boot: &Boot, command_line: &str, program: &[u8]) -> anyhow::Result<Value> {
    let modules: serde_json::Map<String, Value> = boot
        .modules
        .iter()
        .enumerate()
        .map(|(index, module)| (path(index, module), of_bytes(module.bytes())))
        .collect();
    let mut kernel = of_bytes(&boot.kernel);
    kernel["version"] = boot.banner.as_str().into();
    Ok(json!({
        "kernel": kernel,
        "command_line": command_line,
        "modules": modules,
        "init": of_bytes(program),
    }))
}

fn of_bytes(bytes: &[u8]) -> Value {
    json!({"sha384": hex::encode(sha384(bytes)), "bytes": bytes.len()})
}

/// What the result may depend on besides the inputs.
fn tools() -> anyhow::Result<Value> {
    Ok(json!({
        "synclave": env!("CARGO_PKG_VERSION"),
        "rustc": first_line_of("rustc", "--version")?,
        "cc": first_line_of("gcc", "--version")?,
    }))
}
