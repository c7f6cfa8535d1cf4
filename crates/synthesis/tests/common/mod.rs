//! Fits with a ledger that the test opens, so that it can look at what was spent.

use privacy::{Delta, Ledger, NoiseRng};
use serde_json::{Map, Value};
use synthesis::{
    FitError, FitPlan, KnownColumns, Method, MethodOptions, Model, NamedMarginal, PublicPrior,
    Watcher,
};
use tabular::CodedTable;

/// All pairs of columns.
pub(crate) const PAIRS: &[NamedMarginal] = &[];

/// Parameters with which a fit takes no time: a network is trained for a few steps only.
#[allow(
    dead_code,
    reason = "not every test that has this module fits every method"
)]
pub(crate) fn quick(method: Method) -> Map<String, Value> {
    match method {
        Method::Dpctgan => {
            let params = serde_json::json!({
                "epochs": 6, "batch_size": 32, "embedding_dim": 4, "generator_dim": [8],
                "discriminator_dim": [8],
            });
            params.as_object().cloned().unwrap_or_default()
        }
        Method::Patectgan => {
            let params = serde_json::json!({
                "epochs": 3, "batch_size": 32, "embedding_dim": 4, "generator_dim": [8],
                "discriminator_dim": [6], "teacher_iters": 2, "student_iters": 2,
            });
            params.as_object().cloned().unwrap_or_default()
        }
        _ => Map::new(),
    }
}

pub(crate) fn fit(
    table: &CodedTable,
    method: Method,
    params: &Map<String, Value>,
    workload: &[NamedMarginal],
    ledger: &mut Ledger,
    rng: &mut NoiseRng,
    progress: &mut Watcher<'_>,
) -> Result<Model, FitError> {
    let options = MethodOptions::read(method, params)?;
    fit_from(table, options, None, workload, ledger, rng, progress)
}

pub(crate) fn fit_from(
    table: &CodedTable,
    options: MethodOptions,
    prior: Option<&PublicPrior>,
    workload: &[NamedMarginal],
    ledger: &mut Ledger,
    rng: &mut NoiseRng,
    progress: &mut Watcher<'_>,
) -> Result<Model, FitError> {
    // Of these two only the ledger that the test has opened counts.
    let (epsilon, delta) = (ledger.epsilon(), Delta::new(1e-9).expect("it is below 1"));
    let mut plan = FitPlan::new(options, epsilon, delta).dangerous_epsilon(true);
    if !workload.is_empty() {
        plan = plan.workload(workload.to_vec());
    }
    let plan = plan.check(KnownColumns::dangerous_from_data())?;
    plan.fit_with_ledger(table, prior, ledger, rng, progress)
}
