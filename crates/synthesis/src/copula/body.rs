//! What the file of a copula says beyond that of independent columns.

use std::io;

use serde::{Deserialize, Serialize};

use super::Signs;
use super::correlation::Correlations;
use super::generator::GaussianCopula;
use crate::Model;
use crate::body::BodyRef;
use crate::random_field::RandomField;

/// The copula's part of a body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CopulaPart {
    /// Positions of the columns it ties, ascending.
    columns: Vec<usize>,
    /// What was measured of them; nothing where fewer than two columns can be tied.
    signs: Option<SignsPart>,
    /// Below the diagonal, row by row.
    correlations: Vec<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignsPart {
    cuts: Vec<u32>,
    sums: Vec<f64>,
    sigma: f64,
}

pub(super) fn body(copula: &GaussianCopula, model: &Model) -> io::Result<Vec<u8>> {
    let signs = copula.signs.as_deref().map(|signs| SignsPart {
        cuts: signs.cuts.clone(),
        sums: signs.sums.clone(),
        sigma: signs.sigma,
    });
    let part = CopulaPart {
        columns: copula.related.to_vec(),
        signs,
        correlations: copula.correlations.below().to_vec(),
    };
    let mut bytes = Vec::new();
    let body = BodyRef::new(model, &copula.independent).with_copula(&part);
    ciborium::into_writer(&body, &mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

impl CopulaPart {
    /// Of a file, whose independent columns were checked before.
    pub(crate) fn onto(self, independent: RandomField) -> Result<GaussianCopula, String> {
        let refusal = || "its copula is not one of its columns".to_owned();
        let sizes: Vec<usize> = independent
            .compressions
            .iter()
            .map(|it| it.full_size())
            .collect();
        let ascending = self.columns.windows(2).all(|pair| pair[0] < pair[1]);
        let known = self.columns.last().is_none_or(|&last| last < sizes.len());
        if !ascending || !known || self.columns.len() > super::MOST_COLUMNS {
            return Err(refusal());
        }
        // Codes of a tied column are drawn anew, which must break no constraint.
        let alone = independent.field.potentials().iter().all(|factor| {
            let tied = |column: usize| self.columns.binary_search(&column).is_ok();
            factor.clique().len() < 2 || !factor.clique().iter().any(tied)
        });
        if !alone {
            return Err("a column of its copula is in a table with another".to_owned());
        }
        let pairs = self.columns.len() * self.columns.len().saturating_sub(1) / 2;
        let sound = |signs: &SignsPart| {
            let cut =
                |(&cut, &column): (&u32, &usize)| (1..sizes[column]).contains(&(cut as usize));
            signs.cuts.len() == self.columns.len()
                && signs.cuts.iter().zip(&self.columns).all(cut)
                && signs.sums.len() == pairs
                && signs.sums.iter().all(|sum| sum.is_finite())
                && signs.sigma > 0.0
                && signs.sigma.is_finite()
        };
        if self.signs.is_some() == self.columns.is_empty() || !self.signs.iter().all(sound) {
            return Err(refusal());
        }
        let correlations = Correlations::checked(self.columns.len(), self.correlations)
            .ok_or("its correlations are not those of any columns")?;
        Ok(GaussianCopula {
            independent,
            related: self.columns.into(),
            signs: self.signs.map(|signs| {
                Signs {
                    cuts: signs.cuts,
                    sums: signs.sums,
                    sigma: signs.sigma,
                }
                .into()
            }),
            correlations: correlations.into(),
        })
    }
}
