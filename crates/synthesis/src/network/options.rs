//! What all networks can be told, under the names that people know from smartnoise-synth.

use neural::{Loss, Shape};
use serde_json::Value;

use crate::parameters::{ParameterError, WholeNumber};

/// Options of a generator and of the critic that it is trained against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NetworkOptions {
    pub(crate) embedding_dim: u32,
    pub(crate) generator_dim: Widths,
    pub(crate) discriminator_dim: Widths,
    pub(crate) generator_lr: f64,
    pub(crate) generator_decay: f64,
    pub(crate) discriminator_lr: f64,
    pub(crate) discriminator_decay: f64,
    pub(crate) batch_size: u32,
    pub(crate) epochs: u32,
    pub(crate) loss: Loss,
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

    pub(crate) const fn one(width: u16) -> Widths {
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

    pub(crate) fn to_vec(self) -> Vec<usize> {
        let used = &self.widths[..usize::from(self.count)];
        used.iter().map(|&width| width.into()).collect()
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
const EPOCHS: WholeNumber = WholeNumber {
    name: "epochs",
    least: 1,
    most: 10_000,
};

const WIDTHS: &str = "must be a list of one to four whole numbers between 1 and 512";
const RATE: &str = "must be a number above 0 and at most 1";
const DECAY: &str = "must be a number from 0 to 1";
const LOSS: &str = "must be `cross_entropy` or `wasserstein`";
const PAC: &str = "must be 1: rows that the critic sees together let one of them move the \
                   gradients of others, which no clipping of single rows bounds";
const DISABLED: &str = "must be false: without noise nothing is promised";
const CUDA: &str = "must be false: networks are trained on the processor";
const VERBOSE: &str = "must be true or false; it changes nothing here";

/// One parameter of a method, as it was written.
#[derive(Clone, Copy)]
pub(crate) struct Parameter<'a> {
    pub(crate) method: &'static str,
    pub(crate) name: &'a str,
    pub(crate) value: &'a Value,
}

impl Parameter<'_> {
    pub(crate) fn refused(&self, name: &'static str, reason: &'static str) -> ParameterError {
        ParameterError::Refused {
            method: self.method,
            name,
            reason,
        }
    }

    pub(crate) fn whole(&self, number: &WholeNumber) -> Result<u32, ParameterError> {
        let value = number.read(self.method, self.value)?;
        Ok(u32::try_from(value).expect("the largest is far below 2^32"))
    }

    pub(crate) fn within(
        &self,
        name: &'static str,
        [least, most]: [f64; 2],
        reason: &'static str,
    ) -> Result<f64, ParameterError> {
        let number = self.value.as_f64();
        number
            .filter(|it| (least..=most).contains(it))
            .ok_or_else(|| self.refused(name, reason))
    }

    /// Takes one value only: one that changes nothing.
    pub(crate) fn only(
        &self,
        name: &'static str,
        allowed: &Value,
        reason: &'static str,
    ) -> Result<(), ParameterError> {
        match self.value == allowed {
            true => Ok(()),
            false => Err(self.refused(name, reason)),
        }
    }

    pub(crate) fn unknown(&self, known: &'static str) -> ParameterError {
        ParameterError::Unknown {
            method: self.method,
            name: self.name.to_owned(),
            known,
        }
    }

    fn widths(&self, name: &'static str) -> Result<Widths, ParameterError> {
        Widths::read(self.value).ok_or_else(|| self.refused(name, WIDTHS))
    }

    fn rate(&self, name: &'static str) -> Result<f64, ParameterError> {
        self.within(name, [f64::MIN_POSITIVE, 1.0], RATE)
    }

    fn decay(&self, name: &'static str) -> Result<f64, ParameterError> {
        self.within(name, [0.0, 1.0], DECAY)
    }
}

impl NetworkOptions {
    /// Of the generator.
    pub(crate) fn shape(&self) -> Shape {
        Shape {
            embedding: self.embedding_dim as usize,
            hidden: self.generator_dim.to_vec(),
        }
    }

    /// Takes a parameter of that name. False if networks have none.
    ///
    /// What would break the promise is refused with the reason, and what changes nothing is taken.
    pub(crate) fn set(&mut self, given: Parameter<'_>) -> Result<bool, ParameterError> {
        match given.name {
            "embedding_dim" => self.embedding_dim = given.whole(&EMBEDDING)?,
            "generator_dim" => self.generator_dim = given.widths("generator_dim")?,
            "discriminator_dim" => self.discriminator_dim = given.widths("discriminator_dim")?,
            "generator_lr" => self.generator_lr = given.rate("generator_lr")?,
            "generator_decay" => self.generator_decay = given.decay("generator_decay")?,
            "discriminator_lr" => self.discriminator_lr = given.rate("discriminator_lr")?,
            "discriminator_decay" => {
                self.discriminator_decay = given.decay("discriminator_decay")?;
            }
            "batch_size" => self.batch_size = given.whole(&BATCH)?,
            "epochs" => self.epochs = given.whole(&EPOCHS)?,
            "loss" => {
                self.loss = match given.value.as_str() {
                    Some("cross_entropy") => Loss::CrossEntropy,
                    Some("wasserstein") => Loss::Wasserstein,
                    _ => return Err(given.refused("loss", LOSS)),
                }
            }
            "pac" => given.only("pac", &Value::from(1), PAC)?,
            "disabled_dp" => given.only("disabled_dp", &Value::from(false), DISABLED)?,
            "cuda" => given.only("cuda", &Value::from(false), CUDA)?,
            "verbose" if given.value.is_boolean() => {}
            "verbose" => return Err(given.refused("verbose", VERBOSE)),
            _ => return Ok(false),
        }
        Ok(true)
    }
}
