//! Reading, measuring and signing images, from outside.

mod draft;
mod measuring;
mod reading;
mod signing;
