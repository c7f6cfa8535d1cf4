//! Where evidence comes from.

#[cfg(target_os = "linux")]
mod nitro;
mod simulated;

use std::sync::Arc;

use attestation::Measurements;
use attested_tls::Attester;

use crate::Error;
use crate::platform::simulated::SimulatedPlatform;

#[cfg(target_os = "linux")]
pub(crate) use nitro::NitroPlatform;
#[cfg(target_os = "linux")]
pub use nitro::NsmError;

/// The hardware, or this process in its place. They differ in who signs the documents, and in nothing else that a client sees.
#[derive(Clone)]
pub struct Platform(Signer);

#[derive(Clone)]
enum Signer {
    /// AWS's hypervisor.
    #[cfg(target_os = "linux")]
    Nitro(NitroPlatform),
    /// This process.
    Simulated(SimulatedPlatform),
}

impl Platform {
    /// A platform that makes its documents itself, under a root of its own.
    ///
    /// They have the form of real ones. Whoever can read this process's memory can forge them, so they prove nothing to anyone who does
    /// not trust this machine. PCR0, PCR1 and PCR2 follow from the SHA-384 of the running executable: another build has others.
    ///
    /// # Errors
    /// [`Error::Executable`] where the running executable cannot be read.
    pub fn simulated() -> Result<Self, Error> {
        SimulatedPlatform::new().map(|platform| Self(Signer::Simulated(platform)))
    }

    /// The certificate of a simulated platform's root, which clients name behind a `--dangerous-` option. The hardware's root is AWS's.
    pub fn root_pem(&self) -> Option<String> {
        self.simulation().map(SimulatedPlatform::root_pem)
    }

    /// What a simulated platform says of the program that runs. A real enclave's measurements come with its image: what it says of itself
    /// is no measure.
    pub fn measurements(&self) -> Option<&Measurements> {
        self.simulation().map(SimulatedPlatform::measurements)
    }

    /// Extends PCR16 with the agreement, once and for all: no evidence can be had before, or with another value.
    ///
    /// May block.
    pub(crate) fn measure(&self, agreement: &[u8; 48]) -> Result<Arc<dyn Attester>, Error> {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Signer::Nitro(platform) => Ok(Arc::new(platform.measure(agreement)?)),
            Signer::Simulated(platform) => Ok(Arc::new(platform.measure(agreement))),
        }
    }

    /// Waits until no evidence can be had any more, which may be for ever.
    pub(crate) async fn lost(&self) {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Signer::Nitro(platform) => platform.lost().await,
            Signer::Simulated(_) => std::future::pending().await,
        }
    }

    fn simulation(&self) -> Option<&SimulatedPlatform> {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Signer::Nitro(_) => None,
            Signer::Simulated(platform) => Some(platform),
        }
    }
}

#[cfg(target_os = "linux")]
impl From<NitroPlatform> for Platform {
    fn from(platform: NitroPlatform) -> Self {
        Self(Signer::Nitro(platform))
    }
}
