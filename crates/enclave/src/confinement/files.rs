//! Landlock: nothing under any path.

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetError,
    RulesetStatus, Scope,
};

use crate::Enforcement;

/// What is asked for. An older kernel gives less of it, and the reply says so.
const KNOWN: ABI = ABI::V6;

pub(super) fn give_up() -> Enforcement {
    match restrict() {
        Ok(RulesetStatus::FullyEnforced) => Enforcement::Fully,
        Ok(RulesetStatus::PartiallyEnforced) => Enforcement::Partly,
        Ok(RulesetStatus::NotEnforced) | Err(_) => Enforcement::NotAtAll,
    }
}

/// A rule would be an exception. There is none.
fn restrict() -> Result<RulesetStatus, RulesetError> {
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(AccessNet::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?
        .create()?
        .restrict_self()?;
    Ok(status.ruleset)
}
