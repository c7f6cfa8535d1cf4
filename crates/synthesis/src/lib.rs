//! The synthesizers, the fitted model, and the quality report.
#![forbid(unsafe_code)]
