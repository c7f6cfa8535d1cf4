use neural::Loss;
use serde_json::{Map, Value};

use crate::network::{NetworkOptions, Parameter, Widths};
use crate::parameters::{ParameterError, WholeNumber};

pub(super) const NAME: &str = "DPCTGAN";

/// Options of [DPCTGAN](crate::Method::Dpctgan).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DpctganOptions {
    pub(super) network: NetworkOptions,
    pub(super) discriminator_steps: u32,
    pub(super) max_per_sample_grad_norm: f64,
}

impl Default for DpctganOptions {
    fn default() -> DpctganOptions {
        DpctganOptions {
            network: NetworkOptions {
                embedding_dim: 32,
                generator_dim: Widths::one(128),
                discriminator_dim: Widths::one(32),
                generator_lr: 5e-3,
                generator_decay: 0.0,
                discriminator_lr: 1e-2,
                discriminator_decay: 0.0,
                batch_size: 1000,
                epochs: 300,
                loss: Loss::CrossEntropy,
            },
            discriminator_steps: 1,
            max_per_sample_grad_norm: 1.0,
        }
    }
}

const STEPS: WholeNumber = WholeNumber {
    name: "discriminator_steps",
    least: 1,
    most: 1000,
};

const KNOWN: &str = "it has `embedding_dim`, `generator_dim`, `discriminator_dim`, \
                     `generator_lr`, `generator_decay`, `discriminator_lr`, \
                     `discriminator_decay`, `batch_size`, `discriminator_steps`, `epochs`, \
                     `max_per_sample_grad_norm` and `loss`";

const CLIP: &str = "must be a number from 0.001 to 1000";
const SIGMA: &str = "cannot be chosen: how much noise gradients get follows from epsilon, delta \
                     and `epochs`, and any other amount would break the promise or waste budget";

impl DpctganOptions {
    pub(crate) fn read(params: &Map<String, Value>) -> Result<DpctganOptions, ParameterError> {
        let mut options = DpctganOptions::default();
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
        match given.name {
            "discriminator_steps" => self.discriminator_steps = given.whole(&STEPS)?,
            "max_per_sample_grad_norm" => {
                self.max_per_sample_grad_norm =
                    given.within("max_per_sample_grad_norm", [1e-3, 1e3], CLIP)?;
            }
            "sigma" => return Err(given.refused("sigma", SIGMA)),
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

    fn read(params: Value) -> Result<DpctganOptions, String> {
        DpctganOptions::read(params.as_object().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_names_that_people_know_are_read() {
        let options = read(json!({
            "embedding_dim": 16, "generator_dim": [64, 32], "discriminator_dim": [24],
            "generator_lr": 1e-4, "discriminator_lr": 0.01, "batch_size": 500, "epochs": 5,
            "max_per_sample_grad_norm": 0.5, "loss": "wasserstein", "pac": 1, "cuda": false,
            "disabled_dp": false, "verbose": true, "discriminator_steps": 2,
            "generator_decay": 1e-6,
        }));
        let network = options.unwrap().network;
        assert_eq!(network.generator_dim.to_vec(), [64, 32]);
        assert_eq!(
            (network.batch_size, network.epochs, network.loss),
            (500, 5, Loss::Wasserstein)
        );
    }

    #[test]
    fn what_would_break_the_promise_is_refused_with_the_reason() {
        for (params, told) in [
            (
                json!({"pac": 10}),
                "the parameter `pac` of DPCTGAN must be 1: rows that",
            ),
            (
                json!({"sigma": 5}),
                "the parameter `sigma` of DPCTGAN cannot be chosen: how much",
            ),
            (
                json!({"disabled_dp": true}),
                "`disabled_dp` of DPCTGAN must be false: without noise",
            ),
            (
                json!({"generator_dim": []}),
                "`generator_dim` of DPCTGAN must be a list of one to",
            ),
            (
                json!({"generator_dim": [1, 2, 3, 4, 5]}),
                "must be a list of one to four whole",
            ),
            (
                json!({"discriminator_lr": 0}),
                "must be a number above 0 and at most 1",
            ),
            (
                json!({"loss": "hinge"}),
                "must be `cross_entropy` or `wasserstein`",
            ),
            (
                json!({"epochs": 0}),
                "must be a whole number between 1 and 10000",
            ),
            (
                json!({"rounds": 3}),
                "DPCTGAN has no parameter `rounds`; it has `embedding_dim`",
            ),
        ] {
            let error = read(params).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
