//! What of an enclave image is booted.

use attestation::nitro::{InvalidMeasurements, Measurements};
use image::{Damaged, Image, InvalidSignature};

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
    /// It is not as tools write images.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// It is signed, in a form that no tool writes.
    #[error(transparent)]
    Signature(#[from] InvalidSignature),
    /// It hashes to zero.
    #[error(transparent)]
    Measurements(#[from] InvalidMeasurements),
    /// Its kernel is for another kind of processor.
    #[error("the image is for aarch64, and only x86-64 is emulated")]
    Processor,
}

impl BootImage {
    /// From the bytes of an image file.
    ///
    /// # Errors
    /// [`ImageError`]
    pub fn from_eif(eif: &[u8]) -> Result<Self, ImageError> {
        let image = Image::parse(eif)?;
        if image.is_aarch64() {
            return Err(ImageError::Processor);
        }
        let pcrs = image.pcrs()?;
        Ok(Self {
            kernel: image.kernel().to_vec(),
            command_line: image.command_line().to_owned(),
            ramdisk: image.initrd(),
            measurements: Measurements::new(*pcrs.pcr0(), *pcrs.pcr1(), *pcrs.pcr2())?,
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
