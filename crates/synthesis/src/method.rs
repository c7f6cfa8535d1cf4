use std::fmt;
use std::str::FromStr;

use privacy::Accounting;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::grain::GrainParameters;
use crate::mst::MstParameters;
use crate::{aim, mwem};

/// A way to make synthetic data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Every column on its own. The whole budget goes into the columns' marginals; relations are lost.
    Independent,
    /// A tree of pairs of columns, chosen privately: McKenna, Miklau and Sheldon, "Winning the NIST contest" (2021),
    /// arXiv:2108.04978.
    ///
    /// Parameters: `max_cells`, the largest table of a pair that is considered, in cells (default 4194304).
    Mst,
    /// Marginals of a workload, chosen one after the other where the model is worst: McKenna, Mullins, Sheldon and Miklau, "AIM"
    /// (2022), arXiv:2201.12677. Slow on wide tables.
    ///
    /// Parameters: `rounds` that the budget is laid out for, at least one for each column (default 16 for each);
    /// `max_model_mb`, the largest model in units of 2^20 bytes (default 80); `max_iterations` of each
    /// estimate (default 1000).
    Aim,
    /// As AIM, with fewer rounds and nothing measured beforehand: Hardt, Ligett and McSherry's MWEM (2012) with the graphical model of
    /// McKenna, Sheldon and Miklau (2019), arXiv:1901.09136.
    ///
    /// Parameters: those of AIM, by default one round for each column and models of 25.
    Mwem,
    /// Pairs of columns at the resolution that the budget allows, chosen in three rounds where the model is worst, with Gaussian
    /// noise throughout: the default.
    ///
    /// Parameters: `max_cells`, the largest junction tree of a model, in cells (default 1048576).
    Grain,
}

/// The name of a method that is not to be had here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownMethod {
    /// No such method is known.
    #[error("there is no method {name:?}; there are {}", known())]
    Unknown {
        /// As given.
        name: String,
    },
    /// A method of other programs that is left out on purpose.
    #[error("{name} is not offered: {reason}; use one of {}", known())]
    Declined {
        /// Its usual name.
        name: &'static str,
        /// Why not.
        reason: &'static str,
    },
}

/// In the order in which they are told.
const METHODS: [(Method, &str); 5] = [
    (Method::Grain, "GRAIN"),
    (Method::Mst, "MST"),
    (Method::Aim, "AIM"),
    (Method::Mwem, "MWEM"),
    (Method::Independent, "INDEPENDENT"),
];

const GAN: &str = "on tables, networks trained with noisy gradients come out far less accurate than marginals (arXiv:2112.09238)";
const PATE: &str = "all six known implementations of PATE-GAN leaked more than they state when audited (arXiv:2406.13985), \
     and they come out far less accurate than marginals";

/// Methods that people know from smartnoise-synth and synthcity, and why they are not here.
const DECLINED: [(&str, &str); 5] = [
    ("DPCTGAN", GAN),
    ("DPGAN", GAN),
    ("ADSGAN", GAN),
    ("PATECTGAN", PATE),
    ("PATEGAN", PATE),
];

/// `MST, AIM and MWEM`
fn known() -> String {
    let names: Vec<&str> = METHODS.iter().map(|&(_, name)| name).collect();
    let (last, others) = names.split_last().expect("there is a method");
    format!("{} and {last}", others.join(", "))
}

/// A method's parameter that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// The method has no such parameter.
    #[error("{method} has no parameter `{name}`; {known}")]
    Unknown {
        /// The method.
        method: Method,
        /// As given.
        name: String,
        /// A sentence about those it has.
        known: &'static str,
    },
    /// The value is of the wrong type or out of range.
    #[error("the parameter `{name}` of {method} must be {expected}")]
    Value {
        /// The method.
        method: Method,
        /// Which one.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
    },
}

impl Method {
    /// How the costs of its measurements and selections add up: the tightest accounting that covers all of them.
    pub fn accounting(self) -> Accounting {
        match self {
            Method::Independent | Method::Grain => Accounting::Gdp,
            Method::Mst | Method::Aim | Method::Mwem => Accounting::Zcdp,
        }
    }

    /// Whether [`fit`](crate::fit) would accept these parameters.
    ///
    /// # Errors
    /// The first parameter that is unknown or unusable.
    pub fn check_params(self, params: &Map<String, Value>) -> Result<(), ParameterError> {
        match self {
            Method::Independent => match params.keys().next() {
                Some(name) => Err(ParameterError::Unknown {
                    method: self,
                    name: name.clone(),
                    known: "it has none",
                }),
                None => Ok(()),
            },
            Method::Mst => MstParameters::new(params).map(drop),
            Method::Aim => aim::parameters(params).map(drop),
            Method::Mwem => mwem::parameters(params).map(drop),
            Method::Grain => GrainParameters::new(params).map(drop),
        }
    }

    /// Whether it can start from public data, as [`fit_with_prior`](crate::fit_with_prior) does.
    #[must_use]
    pub fn takes_public_data(self) -> bool {
        self == Method::Grain
    }

    /// Whether it adapts to a workload. The others measure the same whatever the workload is.
    #[must_use]
    pub fn takes_workload(self) -> bool {
        match self {
            Method::Independent | Method::Mst => false,
            Method::Aim | Method::Mwem | Method::Grain => true,
        }
    }
}

/// A parameter's value between 1 and `most`.
pub(crate) fn whole_number(
    method: Method,
    name: &'static str,
    value: &Value,
    most: u32,
    expected: &'static str,
) -> Result<u32, ParameterError> {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number
        .filter(|number| (1..=most).contains(number))
        .ok_or(ParameterError::Value {
            method,
            name,
            expected,
        })
}

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(name: &str) -> Result<Method, UnknownMethod> {
        if let Some(&(method, _)) = METHODS
            .iter()
            .find(|(_, known)| known.eq_ignore_ascii_case(name))
        {
            return Ok(method);
        }
        let plain: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
        let declined = DECLINED
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(&plain));
        Err(match declined {
            Some(&(name, reason)) => UnknownMethod::Declined { name, reason },
            None => UnknownMethod::Unknown {
                name: name.to_owned(),
            },
        })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = METHODS.iter().find(|(method, _)| method == self);
        f.write_str(name.expect("every method has a name").1)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(method: Method, params: Value) -> String {
        method
            .check_params(params.as_object().unwrap())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn names_are_read_in_any_case_and_written_in_capitals() {
        for (text, method) in [
            ("mst", Method::Mst),
            ("Independent", Method::Independent),
            ("MST", Method::Mst),
        ] {
            assert_eq!(text.parse::<Method>().unwrap(), method);
        }
        assert_eq!(Method::Mst.to_string(), "MST");
        assert_eq!(
            serde_json::to_value(Method::Independent).unwrap(),
            "INDEPENDENT"
        );
    }

    #[test]
    fn an_unknown_method_is_refused_with_those_there_are() {
        let refusal = |name: &str| name.parse::<Method>().unwrap_err().to_string();
        assert_eq!(
            refusal("MTS"),
            "there is no method \"MTS\"; there are GRAIN, MST, AIM, MWEM and INDEPENDENT"
        );
        assert!(refusal("").starts_with("there is no method \"\""));
    }

    #[test]
    fn methods_that_are_left_out_on_purpose_are_refused_with_the_reason() {
        for (name, told) in [
            (
                "DPCTGAN",
                "DPCTGAN is not offered: on tables, networks trained with noisy gradients",
            ),
            ("dp-ctgan", "DPCTGAN is not offered: "),
            (
                "PATE_CTGAN",
                "PATECTGAN is not offered: all six known implementations",
            ),
        ] {
            let error = name.parse::<Method>().unwrap_err().to_string();
            assert!(
                error.starts_with(told)
                    && error.ends_with("; use one of GRAIN, MST, AIM, MWEM and INDEPENDENT"),
                "{error}"
            );
        }
    }

    #[test]
    fn unknown_and_unusable_parameters_are_refused() {
        assert_eq!(
            refusal(Method::Independent, json!({"rounds": 3})),
            "INDEPENDENT has no parameter `rounds`; it has none"
        );
        assert_eq!(
            refusal(Method::Mst, json!({"rounds": 3})),
            "MST has no parameter `rounds`; it has `max_cells`"
        );
        for bad in [
            json!(0),
            json!(-1),
            json!("many"),
            json!(1.5),
            json!(1_u64 << 40),
        ] {
            let error = refusal(Method::Mst, json!({ "max_cells": bad }));
            assert_eq!(
                error,
                "the parameter `max_cells` of MST must be a whole number between 1 and 134217728"
            );
        }
        assert!(
            Method::Mst
                .check_params(json!({"max_cells": 1000}).as_object().unwrap())
                .is_ok()
        );
    }
}
