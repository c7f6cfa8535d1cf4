use std::fmt;
use std::str::FromStr;

use privacy::Accounting;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::mst::MstParameters;

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
}

/// The name of a method that does not exist here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no method {name:?}; there are INDEPENDENT and MST")]
pub struct UnknownMethod {
    name: String,
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
            Method::Independent => Accounting::Gdp,
            Method::Mst => Accounting::Zcdp,
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
        }
    }
}

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(name: &str) -> Result<Method, UnknownMethod> {
        match name.to_ascii_uppercase().as_str() {
            "INDEPENDENT" => Ok(Method::Independent),
            "MST" => Ok(Method::Mst),
            _ => Err(UnknownMethod {
                name: name.to_owned(),
            }),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Method::Independent => "INDEPENDENT",
            Method::Mst => "MST",
        })
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
        let error = "DPCTGAN".parse::<Method>().unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no method \"DPCTGAN\"; there are INDEPENDENT and MST"
        );
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
