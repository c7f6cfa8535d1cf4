//! What keeps a server reachable while too many connect: [`Places`] decides which connections stay,
//! and [`Quota`] bounds how often the log tells of the others.
#![forbid(unsafe_code)]

mod places;
mod quota;
mod table;

pub use places::{Full, Limits, Place, Places};
pub use quota::Quota;
