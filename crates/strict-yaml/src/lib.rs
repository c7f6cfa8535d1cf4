//! Strict reading of the YAML that people write: agreements, schema files, workload files.
//!
//! An agreement binds because all parties understand the same by it: one reads it on a screen,
//! another with a program of its own. So [`from_str`] and [`from_slice`] refuse whatever two
//! readers could understand differently (tags, anchors, merges, repeated keys, numbers such as
//! `030`, characters that a screen does not show), each with its line. Unknown keys are refused by
//! the types that are read; [`nearest`] says what was probably meant.
//!
//! The crate is pure: it reads no file, no clock and no environment.
#![forbid(unsafe_code)]

mod ambiguity;
mod names;
mod number;
mod reader;

pub use names::{nearest, quoted_list};
pub use reader::{YamlError, from_slice, from_str};
pub use serde_saphyr::Spanned;
