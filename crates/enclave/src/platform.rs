//! Where evidence comes from.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use attestation::Measurements;
use attestation::authority::{Authority, DocumentFields};
use attested_tls::{AttestError, Attester};
use aws_lc_rs::digest::{Context, SHA384};

use crate::Error;

/// What a Nitro enclave's security module does, done by this process: it makes attestation documents.
///
/// They have the form of real ones, under a root that was made when the platform was. Whoever can read this process's memory can forge
/// them, so they prove nothing to anyone who does not trust this machine.
///
/// PCR0, PCR1 and PCR2 follow from the SHA-384 of the running executable: another build has others.
#[derive(Clone)]
pub struct Platform {
    authority: Arc<Authority>,
    measurements: Measurements,
}

impl Platform {
    /// A platform with a root of its own.
    ///
    /// # Errors
    /// [`Error::Executable`] where the running executable cannot be read.
    pub fn simulated() -> Result<Self, Error> {
        let executable = hash_of_executable().map_err(Error::Executable)?;
        let [pcr0, pcr1, pcr2] = [0, 1, 2].map(|index| simulated_pcr(index, &executable));
        let measurements =
            Measurements::new(pcr0, pcr1, pcr2).expect("no known input hashes to zero");
        Ok(Self {
            authority: Arc::new(Authority::generate()),
            measurements,
        })
    }

    /// The certificate of its root, which clients name behind a `--dangerous-` option.
    pub fn root_pem(&self) -> String {
        self.authority.root_pem()
    }

    /// What it says of the program that runs.
    pub fn measurements(&self) -> &Measurements {
        &self.measurements
    }

    /// Extends PCR16 with the agreement, once and for all: no evidence can be had before, or with another value.
    pub(crate) fn measure(&self, agreement: &[u8; 48]) -> Attesting {
        let mut pcrs: BTreeMap<u8, Vec<u8>> = (0..16).map(|index| (index, vec![0; 48])).collect();
        for (index, pcr) in (0..).zip(self.measurements.pcrs()) {
            pcrs.insert(index, pcr.to_vec());
        }
        pcrs.insert(16, attestation::agreement_pcr(agreement).to_vec());
        Attesting {
            authority: Arc::clone(&self.authority),
            pcrs,
        }
    }
}

/// A platform whose registers are fixed.
pub(crate) struct Attesting {
    authority: Arc<Authority>,
    pcrs: BTreeMap<u8, Vec<u8>>,
}

impl Attester for Attesting {
    fn attest(
        &self,
        nonce: Option<&[u8]>,
        public_key: Option<&[u8]>,
        user_data: &[u8],
    ) -> Result<Vec<u8>, AttestError> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_err(|_| AttestError::new("the clock stands before 1970"))?;
        let fields = DocumentFields {
            module_id: "i-0000000000000000a-enc-simulated".to_owned(),
            timestamp_millis: u64::try_from(now.as_millis())
                .map_err(|_| AttestError::new("the clock is far off"))?,
            pcrs: self.pcrs.clone(),
            public_key: public_key.map(<[u8]>::to_vec),
            user_data: Some(user_data.to_vec()),
            nonce: nonce.map(<[u8]>::to_vec),
        };
        Ok(self.authority.document(&fields))
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
    use super::Platform;

    #[test]
    fn the_same_program_has_the_same_measurements_under_another_root() {
        let (first, second) = (
            Platform::simulated().unwrap(),
            Platform::simulated().unwrap(),
        );
        assert_eq!(first.measurements(), second.measurements());
        assert_ne!(first.root_pem(), second.root_pem());
        let [pcr0, pcr1, pcr2] = first.measurements().pcrs();
        assert!(pcr0 != pcr1 && pcr1 != pcr2 && pcr0 != pcr2);
    }
}
