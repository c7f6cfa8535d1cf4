//! Which program an enclave must run.

use crate::{Claims, Refusal, Register};

/// The registers of a platform, with the values that a party expects in them.
///
/// There is no policy that accepts any program: it names at least one register, none twice, and
/// none with nothing but zeros. Evidence matches if every register of the policy has its value and
/// every register that names the program is in the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    registers: Vec<Register>,
}

impl Policy {
    /// Of these registers.
    ///
    /// # Errors
    /// [`InvalidPolicy`] for none, for one given twice, and for one that is all zero.
    pub fn new(registers: impl IntoIterator<Item = Register>) -> Result<Policy, InvalidPolicy> {
        let registers: Vec<Register> = registers.into_iter().collect();
        if registers.is_empty() {
            return Err(InvalidPolicy::Empty);
        }
        for (index, Register { name, value }) in registers.iter().enumerate() {
            // Zeros are what an unset register holds and what debug mode reports: whoever asks for
            // them would accept more than one program.
            if value.iter().all(|byte| *byte == 0) {
                return Err(InvalidPolicy::Zero(name.clone()));
            }
            if registers[..index].iter().any(|other| other.name == *name) {
                return Err(InvalidPolicy::Twice(name.clone()));
            }
        }
        Ok(Policy { registers })
    }

    /// The registers, in the order in which they are compared.
    pub fn registers(&self) -> &[Register] {
        &self.registers
    }

    /// Compares claims with this policy; gives a sentence of what was compared.
    pub(crate) fn check(&self, claims: &Claims) -> Result<String, Refusal> {
        let program = claims.program.clone()?;
        let unpinned = program
            .iter()
            .find(|name| !self.registers.iter().any(|pinned| pinned.name == **name));
        // Also when the platform names no register at all: that would be "any program".
        if unpinned.is_some() || program.is_empty() {
            return Err(Refusal::Unpinned {
                register: unpinned.cloned().unwrap_or_default(),
            });
        }
        for Register { name, value } in &self.registers {
            let mut reported = claims.registers.iter().filter(|found| found.name == *name);
            let Some(found) = reported.next() else {
                return Err(Refusal::MissingRegister {
                    register: name.clone(),
                });
            };
            // The first that differs is told; to compare in constant time would protect nothing, as
            // both are public.
            if found.value != *value {
                return Err(Refusal::WrongMeasurement {
                    register: name.clone(),
                    found: hex::encode(&found.value),
                    expected: hex::encode(value),
                });
            }
        }
        let names: Vec<&str> = self.registers.iter().map(|pinned| &*pinned.name).collect();
        Ok(match names.as_slice() {
            [one] => format!("{one} is the one asked for; no debug mode"),
            [first @ .., last] => {
                let first = first.join(", ");
                format!("{first} and {last} are those asked for; no debug mode")
            }
            [] => unreachable!("a policy has registers"),
        })
    }
}

/// Why registers are not a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// No register is named, so that any program would do.
    #[error("the policy names no register, so that any program would do")]
    Empty,
    /// One register is to have two values.
    #[error("the policy names the register {0} twice")]
    Twice(String),
    /// Zeros name no program.
    #[error("the policy expects the register {0} to be all zero, which names no program")]
    Zero(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AgreementRegister, BoundData, ReportData};

    fn register(name: &str, byte: u8) -> Register {
        Register {
            name: name.to_owned(),
            value: vec![byte; 48],
        }
    }

    fn claims(registers: &[Register], program: &[&str]) -> Claims {
        Claims {
            enclave: "enclave-1".to_owned(),
            made_millis: None,
            bound: BoundData::in_report(ReportData::default()),
            registers: registers.to_vec(),
            program: Ok(program.iter().map(|name| (*name).to_owned()).collect()),
            agreement: AgreementRegister::absent(),
        }
    }

    #[test]
    fn a_policy_names_registers_once_each_and_none_with_zeros() {
        let refusal = |registers: &[Register]| {
            Policy::new(registers.to_vec()).expect_err("it accepts too much")
        };
        assert_eq!(refusal(&[]), InvalidPolicy::Empty);
        let twice = [register("A", 1), register("B", 1), register("A", 2)];
        assert_eq!(refusal(&twice), InvalidPolicy::Twice("A".to_owned()));
        let zero = [register("A", 1), register("B", 0)];
        assert_eq!(refusal(&zero), InvalidPolicy::Zero("B".to_owned()));
        let empty = Register {
            name: "A".to_owned(),
            value: Vec::new(),
        };
        assert_eq!(refusal(&[empty]), InvalidPolicy::Zero("A".to_owned()));
    }

    #[test]
    fn a_policy_must_pin_every_register_of_the_program() {
        let both = [register("A", 1), register("B", 2)];
        let a_only = Policy::new([register("A", 1)]).expect("one register");
        let refusal = a_only.check(&claims(&both, &["A", "B"]));
        let register = "B".to_owned();
        assert_eq!(refusal, Err(Refusal::Unpinned { register }));
        let held = a_only.check(&claims(&both, &["A"]));
        assert_eq!(held.as_deref(), Ok("A is the one asked for; no debug mode"));
        // A platform that names no register of a program does not thereby match everything.
        let refusal = a_only.check(&claims(&both, &[])).expect_err("no program");
        assert_eq!(refusal.slug(), "policy-incomplete");
    }

    /// What a person pins is compared, whether or not it is of the program.
    #[test]
    fn every_register_of_the_policy_is_compared() {
        let reported = [register("A", 1), register("B", 2), register("C", 3)];
        let check = |registers: &[Register]| {
            let policy = Policy::new(registers.to_vec()).expect("a policy");
            policy.check(&claims(&reported, &["A"]))
        };
        let held = check(&[register("A", 1), register("B", 2), register("C", 3)]);
        let expected = "A, B and C are those asked for; no debug mode";
        assert_eq!(held.as_deref(), Ok(expected));
        let other = check(&[register("A", 1), register("C", 4)]).expect_err("C differs");
        assert!(
            matches!(&other, Refusal::WrongMeasurement { register, .. } if register == "C"),
            "{other}"
        );
        let missing = check(&[register("A", 1), register("D", 4)]);
        let register = "D".to_owned();
        assert_eq!(missing, Err(Refusal::MissingRegister { register }));
    }

    #[test]
    fn evidence_that_names_no_program_matches_no_policy() {
        let mut claims = claims(&[register("A", 1)], &["A"]);
        let register_a = "A".to_owned();
        let debug = Refusal::DebugMode {
            register: register_a,
        };
        claims.program = Err(debug.clone());
        let policy = Policy::new([register("A", 1)]).expect("one register");
        assert_eq!(policy.check(&claims), Err(debug));
    }
}
