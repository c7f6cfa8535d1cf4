//! Parameters of methods as they are written in files and on command lines.

use serde_json::{Map, Value};

/// A method's parameter that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// The method has no such parameter.
    #[error("{method} has no parameter `{name}`; {known}")]
    Unknown {
        /// Name of the method.
        method: &'static str,
        /// The name that was given.
        name: String,
        /// A sentence about those it has.
        known: &'static str,
    },
    /// The value is of the wrong type or out of range.
    #[error("the parameter `{name}` of {method} must be a whole number between {least} and {most}")]
    Value {
        /// Name of the method.
        method: &'static str,
        /// Name of the parameter.
        name: &'static str,
        /// The least it may be.
        least: u64,
        /// The most it may be.
        most: u64,
    },
    /// The value is of the wrong form, or would break the promise.
    #[error("the parameter `{name}` of {method} {reason}")]
    Refused {
        /// Name of the method.
        method: &'static str,
        /// Name of the parameter.
        name: &'static str,
        /// What it must be, or why it cannot be chosen: the end of the sentence.
        reason: &'static str,
    },
}

/// A parameter that is a whole number.
pub(crate) struct WholeNumber {
    pub(crate) name: &'static str,
    pub(crate) least: u64,
    pub(crate) most: u64,
}

impl WholeNumber {
    /// Refuses a value out of range.
    pub(crate) fn check(&self, method: &'static str, value: u64) -> Result<u64, ParameterError> {
        match (self.least..=self.most).contains(&value) {
            true => Ok(value),
            false => Err(self.refusal(method)),
        }
    }

    pub(crate) fn read(&self, method: &'static str, value: &Value) -> Result<u64, ParameterError> {
        let number = value.as_u64().ok_or_else(|| self.refusal(method))?;
        self.check(method, number)
    }

    fn refusal(&self, method: &'static str) -> ParameterError {
        ParameterError::Value {
            method,
            name: self.name,
            least: self.least,
            most: self.most,
        }
    }
}

/// The values of a method's parameters, all of them whole numbers, in the order of `known`.
pub(crate) fn whole_numbers<const N: usize>(
    method: &'static str,
    params: &Map<String, Value>,
    known: [&WholeNumber; N],
    sentence: &'static str,
) -> Result<[Option<u64>; N], ParameterError> {
    let unknown = |name: &&String| !known.iter().any(|known| known.name == name.as_str());
    if let Some(name) = params.keys().find(unknown) {
        return Err(ParameterError::Unknown {
            method,
            name: name.clone(),
            known: sentence,
        });
    }
    let mut values = [None; N];
    for (value, known) in values.iter_mut().zip(known) {
        let given = params.get(known.name);
        *value = given.map(|given| known.read(method, given)).transpose()?;
    }
    Ok(values)
}
