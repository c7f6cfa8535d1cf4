//! Epsilon, delta, rho; the ledger; exact integer noise; private selection.
#![forbid(unsafe_code)]
