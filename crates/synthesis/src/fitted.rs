//! What a mechanism makes of what it measured.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::errors::MeasuredErrors;
use crate::generator::Generator;
use crate::measured::Measured;

/// A distribution of rows, and what it was estimated from.
pub(crate) struct Fitted {
    pub(crate) generator: Arc<dyn Generator>,
    pub(crate) measured: Vec<Measured>,
    pub(crate) errors: Option<MeasuredErrors>,
}

/// A column with its codes in groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Coarse {
    pub(crate) column: usize,
    /// The group of each of the model's codes.
    pub(crate) groups: Vec<u32>,
}

impl Coarse {
    /// Whether it is of a column of this many codes: neighbouring ones in groups, numbered from 0
    /// without a gap.
    pub(crate) fn is_sound(&self, codes: usize) -> bool {
        let follows = |pair: &[u32]| pair[0] == pair[1] || pair[0].checked_add(1) == Some(pair[1]);
        self.groups.len() == codes
            && self.groups.first() == Some(&0)
            && self.groups.windows(2).all(follows)
    }

    /// How many groups there are.
    pub(crate) fn size(&self) -> usize {
        self.groups
            .iter()
            .max()
            .map_or(0, |&last| last as usize + 1)
    }
}
