//! Where evidence comes from.

#[cfg(target_os = "linux")]
mod nitro;
mod simulated;

use std::sync::Arc;

use attestation::nitro::{Measurements, claimed_time};
use attestation::{Attester, ReportData};
use service::{NoEvidence, PlatformTime};

use crate::Error;
use crate::platform::simulated::SimulatedPlatform;

#[cfg(target_os = "linux")]
pub(crate) use nitro::NitroPlatform;
#[cfg(target_os = "linux")]
pub use nitro::NsmError;

/// The hardware, or this process in its place. They differ in who signs the documents, and in
/// nothing else that a client sees.
#[derive(Clone)]
pub struct Platform(Signer);

#[derive(Clone)]
enum Signer {
    /// AWS's hypervisor.
    #[cfg(target_os = "linux")]
    Nitro(NitroPlatform),
    /// This process, under a root of its own making.
    Simulated(SimulatedPlatform),
}

impl Platform {
    /// A platform that makes its documents itself, under a root of its own.
    ///
    /// They have the form of real ones. Whoever can read this process's memory can forge them, so
    /// they prove nothing to anyone who does not trust this machine. The measurements follow from
    /// the SHA-384 of the running executable: another build has others.
    ///
    /// # Errors
    /// [`Error::Executable`] where the running executable cannot be read.
    pub fn simulated() -> Result<Self, Error> {
        SimulatedPlatform::new().map(|platform| Self(Signer::Simulated(platform)))
    }

    /// The certificate of a simulated platform's root, which clients name behind a `--dangerous-`
    /// option. The hardware's root is AWS's.
    pub fn root_pem(&self) -> Option<String> {
        self.simulation().map(SimulatedPlatform::root_pem)
    }

    /// What a simulated platform says of the program that runs. A real enclave's measurements come
    /// with its image: what it says of itself is not a measure.
    pub fn measurements(&self) -> Option<&Measurements> {
        self.simulation().map(SimulatedPlatform::measurements)
    }

    /// Has the platform measure the agreement, once and for all: no evidence can be had before, or
    /// with another one.
    ///
    /// May block, as the security module may.
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

/// Neither a channel's binding nor a receipt's user data begins like this.
const TIME_USER_DATA: &[u8] = b"synclave time v1";

/// The time in a document that the platform makes for it. The document comes from the platform's
/// own device: there is nobody between who could have made another.
pub(crate) fn attested_time(attester: Arc<dyn Attester>) -> PlatformTime {
    Arc::new(move || {
        let document = attester
            .attest(&ReportData::of_user_data(TIME_USER_DATA))
            .map_err(|_| NoEvidence)?;
        let time = claimed_time(&document).map_err(|_| NoEvidence)?;
        Ok(time.as_secs())
    })
}

#[cfg(target_os = "linux")]
impl From<NitroPlatform> for Platform {
    fn from(platform: NitroPlatform) -> Self {
        Self(Signer::Nitro(platform))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use attestation::{AttestError, Evidence};

    use super::*;

    /// Answers whatever it is asked with this.
    struct Answering(Result<Evidence, AttestError>);

    impl Attester for Answering {
        fn attest(&self, _: &ReportData) -> Result<Evidence, AttestError> {
            self.0.clone()
        }
    }

    #[test]
    fn the_time_is_the_documents() {
        let platform = Platform::simulated().unwrap();
        let attester = platform.measure(&[7; 48]).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let time = attested_time(Arc::clone(&attester))().unwrap();
        assert!(time.abs_diff(now.as_secs()) <= 60, "{time}");
        // A document of another time gives that time, whatever the clock says.
        let old = attester.attest(&ReportData::default()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let time = attested_time(Arc::new(Answering(Ok(old.clone()))));
        let made = claimed_time(&old).unwrap().as_secs();
        assert_eq!((time().unwrap(), time().unwrap()), (made, made));
    }

    #[test]
    fn without_a_document_there_is_no_time() {
        let refused = Err(AttestError::new("not now"));
        let bytes = |bytes: &[u8]| Ok(Evidence::from_bytes(bytes));
        for answer in [refused, bytes(b""), bytes(b"no document")] {
            assert_eq!(
                attested_time(Arc::new(Answering(answer)))(),
                Err(NoEvidence)
            );
        }
    }
}
