//! What a ledger promises against what is true, and against what it lets one do.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod opendp;
mod record;
mod spending;
mod truth;

use privacy::{Accounting, Delta, Epsilon, InvalidParameter, Ledger, LedgerOptions, Rho};

fn epsilon(value: f64) -> Epsilon {
    Epsilon::new(value).unwrap()
}

fn delta(value: f64) -> Delta {
    Delta::new(value).unwrap()
}

/// The largest rho up to the value.
fn rho(value: f64) -> Rho {
    let unit = 2.0_f64.powi(-48);
    Rho::try_from((value / unit).floor() * unit).unwrap()
}

/// A ledger that keeps a share of delta for thresholding.
fn with_threshold(epsilon: Epsilon, delta: Delta, share: f64) -> Result<Ledger, InvalidParameter> {
    Ledger::open(LedgerOptions {
        threshold_share: Some(share),
        ..LedgerOptions::new(epsilon, delta, Accounting::Zcdp)
    })
}
