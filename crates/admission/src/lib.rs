//! What keeps a server reachable while too many connect: [`Places`] decides which connections stay.
//!
//! ```
//! use admission::{Full, PlaceLimits, Places};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let places = Places::new(PlaceLimits {
//!     connections: 2,
//!     of_one_client: 2,
//!     unsettled: 2,
//! });
//! let client = Some([192, 0, 2, 7].into());
//! let first = places.enter(client).await.unwrap();
//! let second = places.enter(client).await.unwrap();
//! // Both have shown who they are: nobody gives way, and a third is turned away.
//! first.settle();
//! second.settle();
//! assert!(places.enter(client).await.is_err());
//! # }
//! ```
#![forbid(unsafe_code)]

mod places;
mod table;

pub use places::{Full, Place, PlaceLimits, Places};
