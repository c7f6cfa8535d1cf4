use neural::{Loss, Shape};
use serde_json::{Map, Value};

use crate::parameters::{ParameterError, WholeNumber};

pub(super) const NAME: &str = "DPCTGAN";

/// Options of [DPCTGAN](crate::Method::Dpctgan).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DpctganOptions {
    pub(super) embedding_dim: u32,
    pub(super) generator_dim: Widths,
    pub(super) discriminator_dim: Widths,
    pub(super) generator_lr: f64,
    pub(super) generator_decay: f64,
    pub(super) discriminator_lr: f64,
    pub(super) discriminator_decay: f64,
    pub(super) batch_size: u32,
    pub(super) discriminator_steps: u32,
    pub(super) epochs: u32,
    pub(super) max_per_sample_grad_norm: f64,
    pub(super) loss: Loss,
}

/// Widths of hidden layers: at most four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Widths {
    widths: [u16; Widths::MOST],
    count: u8,
}

impl Widths {
    const MOST: usize = 4;
    const LARGEST: u16 = 512;

    const fn one(width: u16) -> Widths {
        Widths {
            widths: [width, 0, 0, 0],
            count: 1,
        }
    }

    fn read(value: &Value) -> Option<Widths> {
        let values = value.as_array()?;
        let mut read = Widths {
            widths: [0; Widths::MOST],
            count: u8::try_from(values.len()).ok()?,
        };
        for (i, value) in values.iter().enumerate() {
            let width = u16::try_from(value.as_u64()?).ok()?;
            let usable = (1..=Widths::LARGEST).contains(&width);
            *read.widths.get_mut(i)? = usable.then_some(width)?;
        }
        (read.count > 0).then_some(read)
    }

    pub(super) fn to_vec(self) -> Vec<usize> {
        let used = &self.widths[..usize::from(self.count)];
        used.iter().map(|&width| width.into()).collect()
    }
}

impl Default for DpctganOptions {
    fn default() -> DpctganOptions {
        DpctganOptions {
            embedding_dim: 32,
            generator_dim: Widths::one(128),
            discriminator_dim: Widths::one(32),
            generator_lr: 5e-3,
            generator_decay: 0.0,
            discriminator_lr: 1e-2,
            discriminator_decay: 0.0,
            batch_size: 1000,
            discriminator_steps: 1,
            epochs: 300,
            max_per_sample_grad_norm: 1.0,
            loss: Loss::CrossEntropy,
        }
    }
}

const EMBEDDING: WholeNumber = WholeNumber {
    name: "embedding_dim",
    least: 1,
    most: 512,
};
const BATCH: WholeNumber = WholeNumber {
    name: "batch_size",
    least: 16,
    most: 1 << 16,
};
const STEPS: WholeNumber = WholeNumber {
    name: "discriminator_steps",
    least: 1,
    most: 1000,
};
const EPOCHS: WholeNumber = WholeNumber {
    name: "epochs",
    least: 1,
    most: 10_000,
};

const KNOWN: &str = "it has `embedding_dim`, `generator_dim`, `discriminator_dim`, \
                     `generator_lr`, `generator_decay`, `discriminator_lr`, \
                     `discriminator_decay`, `batch_size`, `discriminator_steps`, `epochs`, \
                     `max_per_sample_grad_norm` and `loss`";

const WIDTHS: &str = "must be a list of one to four whole numbers between 1 and 512";
const RATE: &str = "must be a number above 0 and at most 1";
const DECAY: &str = "must be a number from 0 to 1";
const CLIP: &str = "must be a number from 0.001 to 1000";
const LOSS: &str = "must be `cross_entropy` or `wasserstein`";
const PAC: &str = "must be 1: rows that the critic sees together let one of them move the \
                   gradients of others, which no clipping of single rows bounds";
const SIGMA: &str = "cannot be chosen: how much noise gradients get follows from epsilon, delta \
                     and `epochs`, and any other amount would break the promise or waste budget";
const DISABLED: &str = "must be false: without noise nothing is promised";
const CUDA: &str = "must be false: networks are trained on the processor";

impl DpctganOptions {
    pub(crate) fn read(params: &Map<String, Value>) -> Result<DpctganOptions, ParameterError> {
        let mut options = DpctganOptions::default();
        for (name, value) in params {
            options.set(name, value)?;
        }
        Ok(options)
    }

    /// Of the generator.
    pub(super) fn shape(&self) -> Shape {
        Shape {
            embedding: self.embedding_dim as usize,
            hidden: self.generator_dim.to_vec(),
        }
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), ParameterError> {
        let refused = |name: &'static str, reason: &'static str| ParameterError::Refused {
            method: NAME,
            name,
            reason,
        };
        let whole = |number: &WholeNumber| {
            let value = number.read(NAME, value)?;
            Ok(u32::try_from(value).expect("the largest is far below 2^32"))
        };
        let widths = |name| Widths::read(value).ok_or_else(|| refused(name, WIDTHS));
        let within = |name, least: f64, most: f64, reason| {
            let number = value.as_f64().filter(|it| (least..=most).contains(it));
            number.ok_or_else(|| refused(name, reason))
        };
        let rate = |name| within(name, f64::MIN_POSITIVE, 1.0, RATE);
        let decay = |name| within(name, 0.0, 1.0, DECAY);
        let only = |name, allowed: Value, reason| match *value == allowed {
            true => Ok(()),
            false => Err(refused(name, reason)),
        };
        match name {
            "embedding_dim" => self.embedding_dim = whole(&EMBEDDING)?,
            "generator_dim" => self.generator_dim = widths("generator_dim")?,
            "discriminator_dim" => self.discriminator_dim = widths("discriminator_dim")?,
            "generator_lr" => self.generator_lr = rate("generator_lr")?,
            "generator_decay" => self.generator_decay = decay("generator_decay")?,
            "discriminator_lr" => self.discriminator_lr = rate("discriminator_lr")?,
            "discriminator_decay" => self.discriminator_decay = decay("discriminator_decay")?,
            "batch_size" => self.batch_size = whole(&BATCH)?,
            "discriminator_steps" => self.discriminator_steps = whole(&STEPS)?,
            "epochs" => self.epochs = whole(&EPOCHS)?,
            "max_per_sample_grad_norm" => {
                self.max_per_sample_grad_norm =
                    within("max_per_sample_grad_norm", 1e-3, 1e3, CLIP)?;
            }
            "loss" => {
                self.loss = match value.as_str() {
                    Some("cross_entropy") => Loss::CrossEntropy,
                    Some("wasserstein") => Loss::Wasserstein,
                    _ => return Err(refused("loss", LOSS)),
                }
            }
            // Of the program that people know: what would break the promise is refused with the
            // reason, and what changes nothing is taken.
            "pac" => only("pac", Value::from(1), PAC)?,
            "disabled_dp" => only("disabled_dp", Value::from(false), DISABLED)?,
            "cuda" => only("cuda", Value::from(false), CUDA)?,
            "sigma" => return Err(refused("sigma", SIGMA)),
            _ => {
                return Err(ParameterError::Unknown {
                    method: NAME,
                    name: name.to_owned(),
                    known: KNOWN,
                });
            }
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
            "disabled_dp": false, "discriminator_steps": 2, "generator_decay": 1e-6,
        }));
        let options = options.unwrap();
        assert_eq!(options.generator_dim.to_vec(), [64, 32]);
        assert_eq!(
            (options.batch_size, options.epochs, options.loss),
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
