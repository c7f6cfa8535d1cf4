//! Small networks by hand: a [`Critic`] of rows, with clipped gradients of single rows in integers;
//! a [`Generator`] of codes, with one softmax for each column; [`Adam`]. No private data is kept
//! here.
//!
//! Sums are taken in a fixed order, without fused or reordered operations: the same random numbers
//! and gradients give the same weights on any number of threads. That is why the kernels are plain
//! loops, and not those of a library that picks instructions by the machine.
//!
//! ```
//! use neural::{Blocks, Critic, Gradients, Loss};
//! use rand_chacha::ChaCha8Rng;
//! use rand_chacha::rand_core::SeedableRng;
//!
//! // Two columns, of 3 and 2 codes.
//! let blocks = Blocks::new(&[3, 2]);
//! let critic = Critic::new(&blocks, &[8, 4], &mut ChaCha8Rng::seed_from_u64(1));
//! let gradients = Gradients::of_real(&critic, Loss::CrossEntropy, 1.0, 1 << 20);
//! let mut sum = vec![0_i64; critic.parameters().len()];
//! gradients.add(&[&[2], &[0]], &mut sum);
//! let square: i64 = sum.iter().map(|unit| unit * unit).sum();
//! assert!(square > 0 && square <= 1 << 40);
//! ```
#![forbid(unsafe_code)]

mod adam;
mod blocks;
mod critic;
mod dense;
mod generator;
mod gradients;
mod random;

pub use adam::{Adam, AdamOptions};
pub use blocks::Blocks;
pub use critic::{Critic, CriticScratch, Loss};
pub use generator::{Generator, Latent, Shape};
pub use gradients::Gradients;
pub use random::{normal, uniform};
