use neural::Loss;
use serde_json::{Map, Value};

use crate::network::{NetworkOptions, Parameter, Widths};
use crate::parameters::{ParameterError, WholeNumber};

pub(super) const NAME: &str = "PATECTGAN";

/// Options of [PATECTGAN](crate::Method::Patectgan).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PatectganOptions {
    pub(super) network: NetworkOptions,
    pub(super) teacher_iters: u32,
    pub(super) student_iters: u32,
    pub(super) sample_per_teacher: u32,
}

impl Default for PatectganOptions {
    fn default() -> PatectganOptions {
        PatectganOptions {
            network: NetworkOptions {
                embedding_dim: 32,
                generator_dim: Widths::one(128),
                discriminator_dim: Widths::one(16),
                generator_lr: 5e-3,
                generator_decay: 0.0,
                discriminator_lr: 1e-2,
                discriminator_decay: 0.0,
                batch_size: 1000,
                epochs: 30,
                loss: Loss::CrossEntropy,
            },
            teacher_iters: 5,
            student_iters: 20,
            sample_per_teacher: 40,
        }
    }
}

const fn iterations(name: &'static str) -> WholeNumber {
    WholeNumber {
        name,
        least: 1,
        most: 1000,
    }
}
const SAMPLE: WholeNumber = WholeNumber {
    name: "sample_per_teacher",
    least: 1,
    most: 10_000,
};

const KNOWN: &str = "it has `embedding_dim`, `generator_dim`, `discriminator_dim`, \
                     `generator_lr`, `generator_decay`, `discriminator_lr`, \
                     `discriminator_decay`, `batch_size`, `epochs`, `teacher_iters`, \
                     `student_iters`, `sample_per_teacher` and `loss`";

const NOISE: &str = "cannot be chosen: how much noise votes get, and how many of them there are, \
                     follows from epsilon, delta and the number of teachers";
const MOMENTS: &str = "cannot be chosen: votes have Gaussian noise, whose cost is known exactly \
                       and not bounded by moments; leave it out";
const REGULARIZATION: &str = "must be null: a penalty on gradients mixes rows, and there is none";
const BINARY: &str = "must be false: columns are coded as their schema says";
const STEPS: &str = "must be 1: `student_iters` says how often the student learns from its votes";

impl PatectganOptions {
    pub(crate) fn read(params: &Map<String, Value>) -> Result<PatectganOptions, ParameterError> {
        let mut options = PatectganOptions::default();
        for (name, value) in params {
            let method = NAME;
            options.set(Parameter {
                method,
                name,
                value,
            })?;
        }
        Ok(options)
    }

    fn set(&mut self, given: Parameter<'_>) -> Result<(), ParameterError> {
        let whole = |name| given.whole(&iterations(name));
        match given.name {
            "teacher_iters" => self.teacher_iters = whole("teacher_iters")?,
            "student_iters" => self.student_iters = whole("student_iters")?,
            "sample_per_teacher" => self.sample_per_teacher = given.whole(&SAMPLE)?,
            "noise_multiplier" => return Err(given.refused("noise_multiplier", NOISE)),
            "moments_order" => return Err(given.refused("moments_order", MOMENTS)),
            "regularization" => given.only("regularization", &Value::Null, REGULARIZATION)?,
            "binary" => given.only("binary", &Value::from(false), BINARY)?,
            "discriminator_steps" => {
                given.only("discriminator_steps", &Value::from(1), STEPS)?;
            }
            _ if self.network.set(given)? => {}
            _ => return Err(given.unknown(KNOWN)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(params: Value) -> Result<PatectganOptions, String> {
        PatectganOptions::read(params.as_object().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_names_that_people_know_are_read() {
        let options = read(json!({
            "embedding_dim": 16, "generator_dim": [64, 32], "discriminator_dim": [24],
            "generator_lr": 2e-4, "generator_decay": 1e-6, "discriminator_lr": 2e-4,
            "discriminator_decay": 1e-6, "batch_size": 500, "discriminator_steps": 1,
            "epochs": 7, "pac": 1, "cuda": false, "verbose": true, "binary": false,
            "regularization": null, "loss": "cross_entropy", "teacher_iters": 5,
            "student_iters": 6, "sample_per_teacher": 1000,
        }));
        let options = options.unwrap();
        assert_eq!((options.teacher_iters, options.student_iters), (5, 6));
        assert_eq!(
            (options.sample_per_teacher, options.network.epochs),
            (1000, 7)
        );
    }

    #[test]
    fn what_would_break_the_promise_is_refused_with_the_reason() {
        for (params, told) in [
            (
                json!({"noise_multiplier": 1e-3}),
                "`noise_multiplier` of PATECTGAN cannot be chosen: how much noise votes get",
            ),
            (
                json!({"moments_order": 100}),
                "`moments_order` of PATECTGAN cannot be chosen: votes have",
            ),
            (
                json!({"regularization": "dragan"}),
                "`regularization` of PATECTGAN must be null: a penalty",
            ),
            (
                json!({"binary": true}),
                "`binary` of PATECTGAN must be false",
            ),
            (
                json!({"discriminator_steps": 2}),
                "`discriminator_steps` of PATECTGAN must be 1",
            ),
            (json!({"pac": 2}), "`pac` of PATECTGAN must be 1: rows that"),
            (
                json!({"teacher_iters": 0}),
                "must be a whole number between 1 and 1000",
            ),
            (
                json!({"max_per_sample_grad_norm": 1}),
                "PATECTGAN has no parameter `max_per_sample_grad_norm`; it has `embedding_dim`",
            ),
        ] {
            let error = read(params).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
