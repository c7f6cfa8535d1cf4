//! What keeps a server reachable while too many connect: [`Places`] decides which connections stay.
#![forbid(unsafe_code)]

mod places;
mod table;

pub use places::{Full, Place, PlaceLimits, Places};
