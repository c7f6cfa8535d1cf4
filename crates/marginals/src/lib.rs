//! Cliques, factors, junction trees, inference, estimation and sampling of Markov random fields.
//!
//! Everything here is arithmetic on noisy, already released numbers: nothing in this crate ever
//! sees private data, so nothing here spends a privacy budget. The vocabulary is that of McKenna,
//! Sheldon and Miklau, "Graphical-model based estimation and inference for differential privacy"
//! (2019).
//!
//! ```
//! use marginals::{Clique, Domain, EstimationOptions, Measurement, estimate};
//!
//! let domain = Domain::new(vec![2, 3])?;
//! let noisy = Measurement::new(
//!     &domain,
//!     Clique::new([0, 1]),
//!     vec![9.0, 1.5, -0.5, 0.0, 2.0, 8.0],
//!     1.0,
//! )?;
//! let fit = estimate(&domain, &[noisy], &EstimationOptions::default())?;
//! let columns = fit.model.marginal(&Clique::new([1]))?;
//! assert!((columns.iter().sum::<f64>() - fit.model.total()).abs() < 1e-6);
//! # Ok::<(), marginals::Error>(())
//! ```
#![forbid(unsafe_code)]

mod alignment;
mod batch;
mod blocks;
mod clique;
mod deck;
mod domain;
mod elimination;
mod error;
mod estimation;
mod exponential;
mod factor;
mod herding;
mod inference;
mod junction_tree;
mod measurement;
mod peeling;
mod propagation;
mod random_field;
mod reductions;
mod rounding;
mod sampling;
mod simplex;
mod tree_sizer;
mod triangulation;
mod urn;

pub use clique::Clique;
pub use domain::Domain;
pub use error::Error;
pub use estimation::{Estimate, EstimationOptions, estimate, estimate_watched};
pub use factor::Factor;
pub use junction_tree::{JunctionTree, TreeNode};
pub use measurement::{Measurement, estimate_total};
pub use random_field::{MAX_TREE_CELLS, MarkovRandomField};
pub use sampling::{RowStream, Sampling};
pub use simplex::project_to_simplex;
pub use tree_sizer::TreeSizer;
pub use urn::Urn;
