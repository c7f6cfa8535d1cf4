//! What holds, but should make the parties think twice.

use std::collections::BTreeMap;

use privacy::budget_warnings;

use crate::agreement::CheckedAgreement;

/// Above this, more goes into finding out what the columns are than into the model.
const LARGE_DISCOVERY_SHARE: f64 = 0.5;
/// Above this, finding out whether enough rows met takes too much of what is worth finding out.
const LARGE_SHARE_FOR_ROWS: f64 = 0.1;
/// Noise is as many times larger.
const MANY_ROWS_PER_ID: u32 = 20;
/// Each of them is one more key that can be lost.
const MANY_USERS: usize = 16;

/// Returns a sentence for each, which names the file.
pub(crate) fn warnings(agreement: &CheckedAgreement) -> Vec<String> {
    let policy = &agreement.policy;
    let mut warnings: Vec<String> = policy
        .warnings()
        .iter()
        .map(|warning| format!("service.yaml: {warning}"))
        .collect();
    let mut of_role: BTreeMap<&str, usize> = BTreeMap::new();
    for user in policy.users() {
        *of_role.entry(user.role()).or_default() += 1;
    }
    for (role, users) in of_role.into_iter().filter(|(_, users)| *users > MANY_USERS) {
        warnings.push(format!(
            "service.yaml: the role `{role}` has {users} users; each of their keys \
             opens what the role may see"
        ));
    }
    for warning in budget_warnings(agreement.epsilon(), agreement.delta(), agreement.people) {
        warnings.push(format!("runtime.yaml: {warning}"));
    }
    if let Some(share) = agreement
        .discovery_share()
        .filter(|share| *share > LARGE_DISCOVERY_SHARE)
    {
        warnings.push(format!(
            "runtime.yaml: discovery_share is {share}: more of the budget goes into finding out \
             what the columns are than into the model; declare more columns, or lower it"
        ));
    }
    if let Some(test) = agreement.minimum_rows() {
        let all = test.share * f64::from(test.tests);
        if all > LARGE_SHARE_FOR_ROWS {
            warnings.push(format!(
                "runtime.yaml: minimum_rows is {}: to tell so few rows from none, up to {} tests \
                 take {:.0} % of the budget each; raise it",
                test.rows,
                test.tests,
                100.0 * test.share
            ));
        }
    }
    let rows = agreement.plan.rows_per_id().get();
    if rows > MANY_ROWS_PER_ID {
        warnings.push(format!(
            "runtime.yaml: one id may have {rows} rows in the joined table, so that all noise is \
             {rows} times as large; lower max_rows_per_id"
        ));
    }
    let least = agreement.method().least_people();
    if let (Some(least), Some(people)) = (least, agreement.people)
        && people < least
    {
        warnings.push(format!(
            "runtime.yaml: with fewer than {least} people {method} comes out hardly better than \
             INDEPENDENT, if at all, and people says {people}; use GRAIN",
            method = agreement.method(),
        ));
    }
    warnings
}
