//! Strict reading of the YAML that people write: agreements, schema files, workload files.
//!
//! An agreement binds because all parties understand the same by it: one reads it on a screen,
//! another with a program of its own. So [`from_str`] and [`from_slice`] refuse what two readers
//! could take for two values: tags, anchors, merges, repeated keys, numbers such as `030`,
//! characters that a screen does not show, each with its line. Unknown keys are refused by the
//! types that are read; [`nearest`] says what was probably meant.
//!
//! The type that is read also says what a scalar is, and none becomes another value silently:
//!
//! | written | read as a text | as a number | as a boolean |
//! |---|---|---|---|
//! | `"20"`, `"0x14"`, `"true"` | what is in the quotes | refused | refused |
//! | `20`, `2.0`, `1e3` | as written | the number | refused |
//! | `true`, `False` | as written | refused | the boolean |
//! | `yes`, `no`, `on`, `off`, `y`, `n` | as written | refused | refused |
//! | `null`, `~`, nothing | refused, or none | refused, or none | refused, or none |
//!
//! So other readers may give a text without quotes another *type* (YAML 1.1 takes `yes` for a
//! boolean, all take `2.0` for a number), which is left to them: a list of categories such as
//! `[yes, no]` has one meaning to whoever reads it on a screen, and it is the one that is read
//! here.
//!
//! The crate is pure: it reads no file, no clock and no environment.
//!
//! ```
//! #[derive(Debug, serde::Deserialize)]
//! struct Budget {
//!     epsilon: f64,
//! }
//!
//! let budget: Budget = strict_yaml::from_str("epsilon: 1.5").unwrap();
//! assert_eq!(budget.epsilon, 1.5);
//!
//! // Octal to some readers, and decimal to others.
//! let refused = strict_yaml::from_str::<Budget>("epsilon: 010").unwrap_err();
//! assert!(refused.to_string().starts_with("line 1: "));
//! ```
#![forbid(unsafe_code)]

mod ambiguity;
mod names;
mod number;
mod reader;

pub use names::{nearest, quoted_list};
pub use reader::{YamlError, from_slice, from_str};
pub use serde_saphyr::Spanned;
