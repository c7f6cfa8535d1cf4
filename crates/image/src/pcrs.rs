//! The measurements of an image.

use serde_json::{Map, Value, json};

use crate::digest::{Digest, sha384, sha384_of};

/// PCR0, PCR1 and PCR2 of an image, and PCR8 of a signed one, as a Nitro host reports them outside
/// debug mode.
///
/// Each is the SHA-384 of 48 zero bytes and the SHA-384 of what it covers: a register that begins
/// at zero, extended once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pcrs {
    pcr0: Digest,
    pcr1: Digest,
    pcr2: Digest,
    pcr8: Option<Digest>,
}

impl Pcrs {
    /// Measures an unsigned image. PCR0 is over kernel, command line and all ramdisks; PCR1 over
    /// kernel, command line and the first ramdisk; PCR2 over the other ramdisks. So with one
    /// ramdisk PCR0 and PCR1 are the same, and PCR2 is over nothing.
    pub fn measure(kernel: &[u8], command_line: &str, ramdisks: &[&[u8]]) -> Pcrs {
        let (boot, application) = ramdisks.split_at(ramdisks.len().min(1));
        let base = [kernel, command_line.as_bytes()];
        let base = || base.into_iter();
        let boot = || boot.iter().copied();
        let application = || application.iter().copied();
        Pcrs {
            pcr0: extended(sha384_of(base().chain(boot()).chain(application()))),
            pcr1: extended(sha384_of(base().chain(boot()))),
            pcr2: extended(sha384_of(application())),
            pcr8: None,
        }
    }

    /// With PCR8, which names the signing certificate (DER).
    #[must_use]
    pub fn signed_by(self, certificate: &[u8]) -> Pcrs {
        Pcrs {
            pcr8: Some(extended(sha384(certificate))),
            ..self
        }
    }

    /// Over the whole image.
    pub fn pcr0(&self) -> &Digest {
        &self.pcr0
    }

    /// Over kernel, command line and the first ramdisk.
    pub fn pcr1(&self) -> &Digest {
        &self.pcr1
    }

    /// Over the ramdisks after the first.
    pub fn pcr2(&self) -> &Digest {
        &self.pcr2
    }

    /// Over the signing certificate; of an unsigned image there is none, and a host reports zeros.
    pub fn pcr8(&self) -> Option<&Digest> {
        self.pcr8.as_ref()
    }

    /// Those that there are, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Digest)> {
        [
            (0, Some(&self.pcr0)),
            (1, Some(&self.pcr1)),
            (2, Some(&self.pcr2)),
            (8, self.pcr8.as_ref()),
        ]
        .into_iter()
        .filter_map(|(index, pcr)| Some((index, pcr?)))
    }

    /// What `nitro-cli build-enclave` and `describe-eif` print:
    /// `{"Measurements": {"HashAlgorithm": ..., "PCR0": ..., ...}}`.
    pub fn to_json(&self) -> Value {
        let mut measurements = Map::new();
        // How AWS's tools print their digest's type.
        measurements.insert("HashAlgorithm".into(), "Sha384 { ... }".into());
        for (index, pcr) in self.iter() {
            measurements.insert(format!("PCR{index}"), hex::encode(pcr).into());
        }
        json!({ "Measurements": measurements })
    }
}

/// A register that was zero, after it was extended with `digest`.
fn extended(digest: Digest) -> Digest {
    sha384_of([&[0; 48][..], &digest])
}
