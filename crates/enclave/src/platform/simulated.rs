//! What a Nitro enclave's security module does, done by this process.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use attestation::nitro::authority::{Authority, DocumentFields};
use attestation::nitro::{AGREEMENT_PCR, Measurements};
use attestation::{AttestError, Attester, Evidence, ReportData, extended_register};
use aws_lc_rs::digest::{Context, SHA384};

use crate::Error;

/// A platform that makes its attestation documents itself. [`crate::Platform::simulated`] says what
/// they are worth.
#[derive(Clone)]
pub(crate) struct SimulatedPlatform {
    authority: Arc<Authority>,
    measurements: Measurements,
}

impl SimulatedPlatform {
    /// With a root of its own.
    pub(crate) fn new() -> Result<Self, Error> {
        let executable = hash_of_executable().map_err(Error::Executable)?;
        let [pcr0, pcr1, pcr2] = [0, 1, 2].map(|index| simulated_pcr(index, &executable));
        let measurements =
            Measurements::new(pcr0, pcr1, pcr2).expect("no known input hashes to zero");
        Ok(Self {
            authority: Arc::new(Authority::generate()),
            measurements,
        })
    }

    pub(crate) fn root_pem(&self) -> String {
        self.authority.root_pem()
    }

    pub(crate) fn measurements(&self) -> &Measurements {
        &self.measurements
    }

    pub(crate) fn measure(&self, agreement: &[u8; 48]) -> SimulatedAttester {
        let mut pcrs: BTreeMap<u8, Vec<u8>> = (0..16).map(|index| (index, vec![0; 48])).collect();
        for (index, pcr) in (0..).zip(self.measurements.pcrs()) {
            pcrs.insert(index, pcr.to_vec());
        }
        pcrs.insert(AGREEMENT_PCR, extended_register(agreement).to_vec());
        SimulatedAttester {
            authority: Arc::clone(&self.authority),
            pcrs,
        }
    }
}

/// A platform whose registers are fixed.
pub(crate) struct SimulatedAttester {
    authority: Arc<Authority>,
    pcrs: BTreeMap<u8, Vec<u8>>,
}

impl Attester for SimulatedAttester {
    fn attest(&self, data: &ReportData) -> Result<Evidence, AttestError> {
        // The host's clock, because there is nothing better here; a real document has the
        // hypervisor's.
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_err(|_| AttestError::new("the clock is before 1970"))?;
        let fields = DocumentFields {
            module_id: "i-0000000000000000a-enc-simulated".to_owned(),
            timestamp_millis: u64::try_from(now.as_millis())
                .map_err(|_| AttestError::new("the clock is far off"))?,
            pcrs: self.pcrs.clone(),
            public_key: data.public_key.clone(),
            user_data: data.user_data.clone(),
            nonce: data.nonce.clone(),
        };
        Ok(Evidence::from_bytes(self.authority.document(&fields)))
    }
}

fn simulated_pcr(index: u8, executable: &[u8]) -> [u8; 48] {
    let mut hash = Context::new(&SHA384);
    hash.update(b"synclave simulated PCR");
    hash.update(&[index]);
    hash.update(executable);
    hash.finish()
        .as_ref()
        .try_into()
        .expect("SHA-384 has 48 bytes")
}

fn hash_of_executable() -> io::Result<Vec<u8>> {
    // The link leads to the running program even where its file was replaced since.
    let mut file = if cfg!(target_os = "linux") {
        File::open("/proc/self/exe")?
    } else {
        File::open(std::env::current_exe()?)?
    };
    let mut hash = Context::new(&SHA384);
    let mut part = vec![0; 1 << 20];
    loop {
        match file.read(&mut part)? {
            0 => return Ok(hash.finish().as_ref().to_vec()),
            length => hash.update(&part[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SimulatedPlatform;

    #[test]
    fn the_same_program_has_the_same_measurements_under_another_root() {
        let (first, second) = (
            SimulatedPlatform::new().unwrap(),
            SimulatedPlatform::new().unwrap(),
        );
        assert_eq!(first.measurements(), second.measurements());
        assert_ne!(first.root_pem(), second.root_pem());
        let [pcr0, pcr1, pcr2] = first.measurements().pcrs();
        assert!(pcr0 != pcr1 && pcr1 != pcr2 && pcr0 != pcr2);
    }
}
