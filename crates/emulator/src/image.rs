//! What of an enclave image is booted.

use attestation::{InvalidMeasurements, Measurements};
use aws_lc_rs::digest::{Context, SHA384};

/// Kernel, command line and ramdisks of an image, and its measurements.
pub struct BootImage {
    kernel: Vec<u8>,
    command_line: String,
    ramdisk: Vec<u8>,
    measurements: Measurements,
}

/// Why an image cannot be booted.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It is damaged.
    #[error("not an enclave image")]
    Damaged,
    /// It hashes to zero.
    #[error(transparent)]
    Measurements(#[from] InvalidMeasurements),
}

impl BootImage {
    /// From the bytes of an image file.
    ///
    /// # Errors
    /// [`ImageError`]
    pub fn from_eif(eif: &[u8]) -> Result<Self, ImageError> {
        let (mut kernel, mut line, mut disks) = (vec![], vec![], vec![]);
        let mut at = 548;
        while let Some(header) = eif.get(at..at + 12) {
            let size = u64::from_be_bytes(header[4..12].try_into().expect("8 bytes"));
            let size = usize::try_from(size).map_err(|_| ImageError::Damaged)?;
            let body = eif
                .get(at + 12..at + 12 + size)
                .ok_or(ImageError::Damaged)?;
            match header[1] {
                1 => kernel = body.to_vec(),
                2 => line = body.to_vec(),
                3 => disks.push(body.to_vec()),
                _ => {}
            }
            at += 12 + size;
        }
        let pcr = |parts: &[&[u8]]| {
            let mut hash = Context::new(&SHA384);
            parts.iter().for_each(|part| hash.update(part));
            let mut outer = Context::new(&SHA384);
            outer.update(&[0; 48]);
            outer.update(hash.finish().as_ref());
            let mut value = [0; 48];
            value.copy_from_slice(outer.finish().as_ref());
            value
        };
        let first = disks.first().cloned().unwrap_or_default();
        let rest = disks.get(1..).unwrap_or_default().concat();
        let measurements = Measurements::new(
            pcr(&[&kernel, &line, &first, &rest]),
            pcr(&[&kernel, &line, &first]),
            pcr(&[&rest]),
        )?;
        Ok(Self {
            kernel,
            command_line: String::from_utf8(line).map_err(|_| ImageError::Damaged)?,
            ramdisk: disks.concat(),
            measurements,
        })
    }

    /// What a security module reports of it.
    pub fn measurements(&self) -> &Measurements {
        &self.measurements
    }

    pub(crate) fn kernel(&self) -> &[u8] {
        &self.kernel
    }

    pub(crate) fn command_line(&self) -> &str {
        &self.command_line
    }

    pub(crate) fn ramdisk(&self) -> &[u8] {
        &self.ramdisk
    }
}
