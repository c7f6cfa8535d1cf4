//! From untrusted bytes to a proof.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use rustls_pki_types::UnixTime;

use crate::{
    BoundBy, Claims, Evidence, MAX_EVIDENCE_BYTES, Policy, Refusal, Register, Step,
    extended_register,
};

/// What the time of checking means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It is now, and evidence with a time must have been made close to it.
    Live,
    /// It is some time in the past at which the evidence held (see [`Verifier::claimed_time`]).
    ///
    /// Whoever gets hold of a signing key later can backdate such evidence: hardware keeps it, a
    /// file does not prove it.
    Archived,
}

/// What judges the evidence of one platform.
///
/// A platform implements [`Verifier::claims`] and [`Verifier::claimed_time`]. The other methods
/// make proofs of what it found; [`Authentic`] and [`Attested`] have no other origin, so an
/// implementation cannot give one without its checks having passed.
///
/// Nothing here reads a clock or the network: time is an argument.
pub trait Verifier: fmt::Debug + Send + Sync {
    /// Checks form, origin, signature and time of evidence, and says what it claims. Each check
    /// that passed is pushed onto `steps`, cheap ones first. The size was checked before.
    ///
    /// An implementation must not give claims that the platform's signature does not cover, and
    /// must refuse in [`Claims::program`] what runs in debug mode.
    ///
    /// # Errors
    /// The first check that failed.
    fn claims(
        &self,
        evidence: &Evidence,
        at: UnixTime,
        freshness: Freshness,
        steps: &mut Vec<Step>,
    ) -> Result<Claims, Refusal>;

    /// When evidence says it was made. Nothing is verified: use it only as the time at which
    /// archived evidence is then checked.
    ///
    /// # Errors
    /// When the bytes are too many, not in the platform's form, or give no time.
    fn claimed_time(&self, evidence: &Evidence) -> Result<UnixTime, Refusal>;

    /// As [`Verifier::authenticate`], and tells which checks had passed before one failed.
    fn examine(&self, evidence: &Evidence, at: UnixTime, freshness: Freshness) -> Examination {
        let mut steps = Vec::new();
        // Size before form, so that nothing is decoded, let alone verified, for a stranger's
        // megabyte.
        let outcome = evidence.check_size().and_then(|bytes| {
            let found = format!("{bytes} bytes, of at most {MAX_EVIDENCE_BYTES}");
            steps.push(Step::passed("size", found));
            let claims = self.claims(evidence, at, freshness, &mut steps)?;
            if claims.bound.by() == BoundBy::Digest {
                let found = "the evidence holds the SHA-512 of what came beside it";
                steps.push(Step::passed("report data", found));
            }
            Ok(claims)
        });
        // Steps are kept also where one fails: a person should see how far it came.
        let outcome = outcome.map(|claims| Authentic {
            claims,
            steps: steps.clone(),
        });
        Examination { steps, outcome }
    }

    /// Checks that an enclave of this platform made the evidence; `at` is the time at which that
    /// must hold.
    ///
    /// # Errors
    /// The first check that failed.
    fn authenticate(
        &self,
        evidence: &Evidence,
        at: UnixTime,
        freshness: Freshness,
    ) -> Result<Authentic, Refusal> {
        self.examine(evidence, at, freshness).into_outcome()
    }

    /// Checks that an enclave of this platform made the evidence and runs the program of the
    /// policy.
    ///
    /// # Errors
    /// The first check that failed.
    fn verify(
        &self,
        evidence: &Evidence,
        at: UnixTime,
        freshness: Freshness,
        policy: &Policy,
    ) -> Result<Attested, Refusal> {
        self.authenticate(evidence, at, freshness)?.matching(policy)
    }
}

/// The outcome of [`Verifier::examine`], with the steps that led there.
#[derive(Debug)]
pub struct Examination {
    steps: Vec<Step>,
    outcome: Result<Authentic, Refusal>,
}

impl Examination {
    /// The checks that passed, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What the evidence says, or the check that failed.
    ///
    /// # Errors
    /// The first check that failed.
    pub fn into_outcome(self) -> Result<Authentic, Refusal> {
        self.outcome
    }
}

/// Claims that an enclave of the verifier's platform made: form, origin, signature and time hold.
///
/// *Which* program that enclave runs is not settled; that takes [`Authentic::matching`]. Reads as
/// the [`Claims`].
#[derive(Debug, Clone)]
pub struct Authentic {
    claims: Claims,
    steps: Vec<Step>,
}

impl Authentic {
    /// What was checked, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// When it was made, to the second, if the platform tells the time.
    pub fn made(&self) -> Option<UnixTime> {
        self.claims
            .made_millis
            .map(|millis| UnixTime::since_unix_epoch(Duration::from_millis(millis)))
    }

    /// One register, if it is reported.
    pub fn register(&self, name: &str) -> Option<&[u8]> {
        let mut registers = self.claims.registers.iter();
        let found = registers.find(|register| register.name == name)?;
        Some(&found.value)
    }

    /// The registers that say which program the enclave runs.
    ///
    /// # Errors
    /// [`Refusal::DebugMode`] and [`Refusal::MissingRegister`] when they do not say it.
    pub fn program(&self) -> Result<Vec<Register>, Refusal> {
        let names = self.claims.program.as_ref().map_err(Refusal::clone)?;
        let registers = self.claims.registers.iter();
        Ok(registers
            .filter(|register| names.contains(&register.name))
            .cloned()
            .collect())
    }

    /// Settles that the enclave runs exactly the program of the policy, and not in debug mode.
    ///
    /// # Errors
    /// As [`Authentic::program`]; [`Refusal::WrongMeasurement`] for the first register that
    /// differs; [`Refusal::Unpinned`] for one that names the program and is not in the policy.
    pub fn matching(mut self, policy: &Policy) -> Result<Attested, Refusal> {
        let found = policy.check(&self.claims)?;
        self.steps.push(Step::passed("measurements", found));
        Ok(Attested(self))
    }

    /// What the platform itself reports of the agreement.
    ///
    /// # Errors
    /// [`Refusal::WrongAgreementRegister`] when the register holds something else, or is not there
    /// on a platform that always reports it.
    pub fn measured_agreement(&self, agreement: &[u8; 48]) -> Result<MeasuredAgreement, Refusal> {
        let register = &self.claims.agreement;
        let expected = extended_register(agreement);
        let refused = |found: String| {
            Err(Refusal::WrongAgreementRegister {
                register: register.name.clone(),
                found,
                expected: hex::encode(expected),
            })
        };
        match &register.value {
            None if register.required => refused("not locked".to_owned()),
            None => Ok(MeasuredAgreement::NotReported {
                register: register.name.clone(),
            }),
            Some(found) if *found == expected => Ok(MeasuredAgreement::Extended {
                register: register.name.clone(),
            }),
            Some(found) => refused(hex::encode(found)),
        }
    }
}

impl Deref for Authentic {
    type Target = Claims;

    fn deref(&self) -> &Claims {
        &self.claims
    }
}

/// Claims of an enclave that runs the program of a policy. Reads as [`Authentic`].
#[derive(Debug, Clone)]
pub struct Attested(Authentic);

impl Deref for Attested {
    type Target = Authentic;

    fn deref(&self) -> &Authentic {
        &self.0
    }
}

/// That no register contradicts an agreement, and whether one confirms it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeasuredAgreement {
    /// The register was extended with it, and with nothing else.
    Extended {
        /// The register's name.
        register: String,
    },
    /// The platform has no such register, or did not report it.
    NotReported {
        /// The register's name.
        register: String,
    },
}

impl From<MeasuredAgreement> for Step {
    fn from(measured: MeasuredAgreement) -> Step {
        match measured {
            MeasuredAgreement::Extended { register } => {
                Step::passed(register, "extended with the agreement")
            }
            MeasuredAgreement::NotReported { register } => {
                Step::passed(register, "not reported by this platform")
            }
        }
    }
}
