//! Users, roles and paths: who may do what, as one decision.
#![forbid(unsafe_code)]
