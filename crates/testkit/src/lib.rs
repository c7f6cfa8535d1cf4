//! For tests only: a made-up Nitro authority, seeded noise, small tables, Parquet files that lie,
//! and what it takes to run a room.
#![forbid(unsafe_code)]

pub mod parquet;
mod room;
mod running;
mod table;

pub use attestation::nitro::authority;
pub use room::service_yaml;
pub use running::Running;
pub use table::{Table, table};

/// Noise that is the same in every run. It protects nothing.
pub fn noise(seed: u64) -> privacy::NoiseRng {
    privacy::NoiseRng::dangerous_from_seed(seed)
}
