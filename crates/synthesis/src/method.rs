use std::fmt;
use std::str::FromStr;

use privacy::Accounting;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strict_yaml::nearest;

use crate::aim::AimOptions;
use crate::copula::Copula;
use crate::dpctgan::DpctganOptions;
use crate::grain::GrainOptions;
use crate::independent::Independent;
use crate::mechanism::Mechanism;
use crate::mst::MstOptions;
use crate::mwem::MwemOptions;
use crate::parameters::{ParameterError, whole_numbers};
use crate::patectgan::PatectganOptions;

/// A way to make synthetic data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Every column on its own. The whole budget goes into the columns' marginals; relations are
    /// lost.
    Independent,
    /// A tree of pairs of columns, chosen privately: McKenna, Miklau and Sheldon, "Winning the NIST
    /// contest" (2021), arXiv:2108.04978.
    ///
    /// Parameters: `max_cells`, the largest table of a pair that is considered, in cells (default
    /// 4194304).
    Mst,
    /// Marginals of a workload, chosen one after the other where the model is worst: McKenna,
    /// Mullins, Sheldon and Miklau, "AIM" (2022), arXiv:2201.12677. Slow on wide tables.
    ///
    /// Parameters: `rounds` that the budget is laid out for, at least one for each column (default
    /// 16 for each); `max_model_mb`, the largest model in units of 2^20 bytes (default 80);
    /// `max_iterations` of each estimate (default 1000).
    Aim,
    /// As AIM, with fewer rounds and nothing measured beforehand: Hardt, Ligett and McSherry's MWEM
    /// (2012) with the graphical model of McKenna, Sheldon and Miklau (2019), arXiv:1901.09136.
    ///
    /// Parameters: those of AIM, by default one round for each column and models of 25.
    Mwem,
    /// Every column's own distribution, ordered columns tied by one Gaussian copula whose
    /// correlations are found in noisy counts of rows on the same side of two medians. The others
    /// are drawn on their own. Quick; behind GRAIN on tables of mixed columns.
    Copula,
    /// Pairs of columns at the resolution that the budget allows, chosen in three rounds where the
    /// model is worst, with Gaussian noise throughout: the default.
    ///
    /// Parameters: `max_cells`, the largest junction tree of a model, in cells (default 1048576).
    Grain,
    /// A network that makes rows, trained against a critic with clipped and noised gradients: Xu,
    /// Skoularidou, Cuesta-Infante and Veeramachaneni, "Modeling tabular data using conditional
    /// GAN" (2019), arXiv:1907.00503. Less accurate than marginals on most tables.
    ///
    /// Parameters: `epochs`, the number of steps (default 300), in each of which every row takes
    /// part; `batch_size`, generated rows of a step; `embedding_dim`, `generator_dim`,
    /// `discriminator_dim`, `generator_lr`, `generator_decay`, `discriminator_lr`,
    /// `discriminator_decay`, `discriminator_steps`, `max_per_sample_grad_norm`, `loss`.
    Dpctgan,
    /// The same network, trained against a student who learns from the noisy votes of teachers,
    /// each of whom knows one part of the rows: Jordon, Yoon and van der Schaar, "PATE-GAN" (ICLR
    /// 2019). No better than independent columns at 39,000 rows.
    ///
    /// Parameters: those of DPCTGAN without `discriminator_steps` and `max_per_sample_grad_norm`;
    /// `epochs`, in each of which teachers vote (default 30); `sample_per_teacher`, rows of a
    /// teacher (default 40); `teacher_iters` and `student_iters`, steps of either in an epoch.
    Patectgan,
}

/// The name of a method that is not to be had here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownMethod {
    /// No such method is known.
    #[error("there is no method {name:?}; there are {}{hint}", known())]
    Unknown {
        /// The name that was given.
        name: String,
        /// Which one may be meant, as the end of the sentence, or nothing.
        hint: String,
    },
    /// A method of other programs that is left out on purpose.
    #[error("{name} is not offered: {reason}; use one of {}", known())]
    Declined {
        /// Its usual name.
        name: &'static str,
        /// Why it is not offered.
        reason: &'static str,
    },
}

/// In the order in which they are told.
const METHODS: [(Method, &str); 8] = [
    (Method::Grain, "GRAIN"),
    (Method::Mst, "MST"),
    (Method::Aim, "AIM"),
    (Method::Mwem, "MWEM"),
    (Method::Copula, "COPULA"),
    (Method::Independent, "INDEPENDENT"),
    (Method::Dpctgan, "DPCTGAN"),
    (Method::Patectgan, "PATECTGAN"),
];

const GAN: &str = "on tables, networks trained with noisy gradients come out far less accurate \
                   than marginals (arXiv:2112.09238), and DPCTGAN and PATECTGAN are those of them \
                   that are made here";

/// Methods that people know from smartnoise-synth and synthcity, and why they are not here.
const DECLINED: [(&str, &str); 3] = [("DPGAN", GAN), ("ADSGAN", GAN), ("PATEGAN", GAN)];

fn known() -> String {
    list(METHODS.iter().map(|&(_, name)| name).collect(), "and")
}

/// `MST, AIM and MWEM`, with this conjunction.
fn list(names: Vec<&str>, conjunction: &str) -> String {
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => {
            format!("{} {conjunction} {last}", others.join(", "))
        }
        _ => names.concat(),
    }
}

/// A method with its options.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MethodOptions {
    /// [`Method::Independent`], which has none.
    Independent,
    /// [`Method::Copula`], which has none.
    Copula,
    /// Of [`Method::Mst`].
    Mst(MstOptions),
    /// Of [`Method::Aim`].
    Aim(AimOptions),
    /// Of [`Method::Mwem`].
    Mwem(MwemOptions),
    /// Of [`Method::Grain`].
    Grain(GrainOptions),
    /// Of [`Method::Dpctgan`].
    Dpctgan(DpctganOptions),
    /// Of [`Method::Patectgan`].
    Patectgan(PatectganOptions),
}

impl MethodOptions {
    /// From parameters as they are written in a file: those that are left out have their defaults.
    ///
    /// # Errors
    /// The first parameter that is unknown or unusable.
    pub fn read(method: Method, params: &Map<String, Value>) -> Result<Self, ParameterError> {
        Ok(match method {
            Method::Independent => {
                let [] = whole_numbers("INDEPENDENT", params, [], "it has none")?;
                MethodOptions::Independent
            }
            Method::Copula => {
                let [] = whole_numbers("COPULA", params, [], "it has none")?;
                MethodOptions::Copula
            }
            Method::Mst => MethodOptions::Mst(MstOptions::read(params)?),
            Method::Aim => MethodOptions::Aim(AimOptions::read(params)?),
            Method::Mwem => MethodOptions::Mwem(MwemOptions::read(params)?),
            Method::Grain => MethodOptions::Grain(GrainOptions::read(params)?),
            Method::Dpctgan => MethodOptions::Dpctgan(DpctganOptions::read(params)?),
            Method::Patectgan => MethodOptions::Patectgan(PatectganOptions::read(params)?),
        })
    }

    /// Whose options they are.
    #[must_use]
    pub fn method(&self) -> Method {
        match self {
            MethodOptions::Independent => Method::Independent,
            MethodOptions::Copula => Method::Copula,
            MethodOptions::Mst(_) => Method::Mst,
            MethodOptions::Aim(_) => Method::Aim,
            MethodOptions::Mwem(_) => Method::Mwem,
            MethodOptions::Grain(_) => Method::Grain,
            MethodOptions::Dpctgan(_) => Method::Dpctgan,
            MethodOptions::Patectgan(_) => Method::Patectgan,
        }
    }

    pub(crate) fn mechanism(&self) -> &dyn Mechanism {
        match self {
            MethodOptions::Independent => &Independent,
            MethodOptions::Copula => &Copula,
            MethodOptions::Mst(options) => options,
            MethodOptions::Aim(options) => options,
            MethodOptions::Mwem(options) => options,
            MethodOptions::Grain(options) => options,
            MethodOptions::Dpctgan(options) => options,
            MethodOptions::Patectgan(options) => options,
        }
    }
}

impl From<Method> for MethodOptions {
    /// With the defaults.
    fn from(method: Method) -> Self {
        MethodOptions::read(method, &Map::new()).expect("every parameter has a default")
    }
}

impl From<MstOptions> for MethodOptions {
    fn from(options: MstOptions) -> Self {
        MethodOptions::Mst(options)
    }
}

impl From<AimOptions> for MethodOptions {
    fn from(options: AimOptions) -> Self {
        MethodOptions::Aim(options)
    }
}

impl From<MwemOptions> for MethodOptions {
    fn from(options: MwemOptions) -> Self {
        MethodOptions::Mwem(options)
    }
}

impl From<GrainOptions> for MethodOptions {
    fn from(options: GrainOptions) -> Self {
        MethodOptions::Grain(options)
    }
}

impl From<DpctganOptions> for MethodOptions {
    fn from(options: DpctganOptions) -> Self {
        MethodOptions::Dpctgan(options)
    }
}

impl From<PatectganOptions> for MethodOptions {
    fn from(options: PatectganOptions) -> Self {
        MethodOptions::Patectgan(options)
    }
}

impl Method {
    /// All methods, the default first.
    pub fn all() -> impl Iterator<Item = Self> {
        METHODS.iter().map(|&(method, _)| method)
    }

    /// The name, in capitals.
    #[must_use]
    pub fn name(self) -> &'static str {
        let name = METHODS.iter().find(|(method, _)| *method == self);
        name.expect("every method has a name").1
    }

    /// What to tell somebody who has written another name than its own, as `MTS` for MST.
    #[must_use]
    pub fn note(self, name: &str) -> Option<String> {
        let own = self.name();
        (!own.eq_ignore_ascii_case(name)).then(|| format!("{name} is read as {own}"))
    }

    /// The number of people below which it is hardly better than independent columns whatever the
    /// budget, if there is one.
    #[must_use]
    pub fn least_people(self) -> Option<u64> {
        (self == Method::Patectgan).then_some(100_000)
    }

    /// How the costs of its measurements and selections add up: the tightest accounting that covers
    /// all of them.
    #[must_use]
    pub fn accounting(self) -> Accounting {
        MethodOptions::from(self).mechanism().accounting()
    }

    /// Whether it can start from public data.
    #[must_use]
    pub fn takes_prior(self) -> bool {
        MethodOptions::from(self).mechanism().takes_prior()
    }

    /// Whether it adapts to a workload. The others measure the same whatever the workload is.
    #[must_use]
    pub fn takes_workload(self) -> bool {
        MethodOptions::from(self).mechanism().takes_workload()
    }

    /// [`Mechanism::counts_rows_in_all`].
    pub(crate) fn counts_rows_in_all(self) -> bool {
        MethodOptions::from(self).mechanism().counts_rows_in_all()
    }

    /// `GRAIN, AIM or MWEM`: the methods of which something holds.
    pub(crate) fn names_where(holds: fn(Method) -> bool) -> String {
        let methods = METHODS.iter().filter(|&&(method, _)| holds(method));
        list(methods.map(|&(_, name)| name).collect(), "or")
    }
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
        // As some configurations for other programs spell it.
        if name.eq_ignore_ascii_case("MTS") {
            return Ok(Method::Mst);
        }
        let plain: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
        let declined = DECLINED
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(&plain));
        Err(match declined {
            Some(&(name, reason)) => UnknownMethod::Declined { name, reason },
            None => UnknownMethod::Unknown {
                name: name.to_owned(),
                hint: match nearest(name, METHODS.map(|(_, known)| known)) {
                    Some(meant) => format!("; did you mean {meant}?"),
                    None => String::new(),
                },
            },
        })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(method: Method, params: Value) -> String {
        MethodOptions::read(method, params.as_object().unwrap())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn names_are_read_in_any_case_and_written_in_capitals() {
        for (text, method) in [
            ("mst", Method::Mst),
            ("Independent", Method::Independent),
            ("MST", Method::Mst),
            ("MTS", Method::Mst),
            ("dpctgan", Method::Dpctgan),
            ("PateCTGAN", Method::Patectgan),
        ] {
            assert_eq!(text.parse::<Method>().unwrap(), method);
        }
        assert_eq!(Method::Mst.to_string(), "MST");
        assert_eq!(Method::Mst.note("mst"), None);
        assert_eq!(Method::Mst.note("MTS").unwrap(), "MTS is read as MST");
        assert_eq!(
            serde_json::to_value(Method::Independent).unwrap(),
            "INDEPENDENT"
        );
    }

    #[test]
    fn an_unknown_method_is_refused_with_those_there_are() {
        let refusal = |name: &str| name.parse::<Method>().unwrap_err().to_string();
        assert_eq!(
            refusal("BAYES"),
            "there is no method \"BAYES\"; there are GRAIN, MST, AIM, MWEM, COPULA, \
             INDEPENDENT, DPCTGAN and PATECTGAN"
        );
        assert!(refusal("independents").ends_with(" and PATECTGAN; did you mean INDEPENDENT?"));
        assert!(refusal("grian").ends_with("; did you mean GRAIN?"));
        assert!(refusal("").starts_with("there is no method \"\""));
    }

    #[test]
    fn methods_that_are_left_out_on_purpose_are_refused_with_the_reason() {
        for (name, told) in [
            (
                "DPGAN",
                "DPGAN is not offered: on tables, networks trained with noisy gradients",
            ),
            ("ads-gan", "ADSGAN is not offered: "),
            ("PATE-GAN", "PATEGAN is not offered: "),
        ] {
            let error = name.parse::<Method>().unwrap_err().to_string();
            assert!(
                error.starts_with(told)
                    && error.ends_with(
                        "; use one of GRAIN, MST, AIM, MWEM, COPULA, INDEPENDENT, DPCTGAN and \
                         PATECTGAN"
                    ),
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
        let params = json!({"max_cells": 1000});
        assert_eq!(
            MethodOptions::read(Method::Mst, params.as_object().unwrap()).unwrap(),
            MethodOptions::Mst(MstOptions { max_cells: 1000 })
        );
    }
}
