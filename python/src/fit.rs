//! Fits of one table.

use std::num::NonZeroU32;

use anyhow::Context;
use cli::BadInput;
use privacy::{Delta, DomainSource, Epsilon, NoiseRng, UnsafeBudget, budget_warnings};
use pyo3::prelude::*;
use schema::Schema;
use serde::Deserialize;
use serde_json::{Map, Value};
use synthesis::{
    CheckedPlan, FitPlan, KnownColumns, Method, MethodOptions, NamedMarginal, OpenFit, PlanError,
};
use tabular::Joined;

use crate::failure::Failure;
use crate::model::Model;
use crate::table::{Read, Table, declared};
use crate::work::{Watch, carry_out};

/// What is asked for, as the package's Python writes it down.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FitOptions {
    method: String,
    params: Map<String, Value>,
    epsilon: f64,
    delta: f64,
    dangerous_epsilon: bool,
    dangerous_domain_from_data: bool,
    /// YAML.
    schema: Option<String>,
    /// YAML or JSON.
    workload: Option<String>,
    target: Option<String>,
    key: Option<String>,
    max_rows_per_id: Option<NonZeroU32>,
    discovery_share: Option<f64>,
}

/// The model; what may be told of the fit; and notes on the table, for its owner alone.
type Fitted = (Model, Vec<String>, Vec<String>);

/// Fits a model to a table: a path, or an object with `__arrow_c_stream__`.
#[pyfunction]
#[pyo3(signature = (table, options, progress=None))]
pub(crate) fn fit(
    py: Python<'_>,
    table: Table,
    options: &str,
    progress: Option<Bound<'_, PyAny>>,
) -> PyResult<Fitted> {
    let options: FitOptions =
        serde_json::from_str(options).map_err(|error| Failure::input(error).into_exception(py))?;
    carry_out(py, progress.as_ref(), move |watch| {
        // Everything that needs no row is checked before the table is read.
        let schema = options.schema.as_deref().map(declared).transpose()?;
        let schema = schema.map(Schema::discovering_rest);
        let plan = plan(&options, schema.as_ref())?;
        let warnings = budget_warnings(plan.epsilon(), plan.delta(), None);
        let mut told: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        // From the operating system: a seed drives the drawing of rows only.
        let mut rng = NoiseRng::from_os().map_err(anyhow::Error::from)?;
        let (key, most) = (options.key.as_deref(), options.max_rows_per_id);
        let Read { upload, notes } = table.read(key, most, schema.as_ref(), watch)?;
        let joined = Joined::single(upload);
        let mut open = match options.dangerous_domain_from_data {
            true => plan.open_coded(joined.dangerous_into_coded()),
            false => plan.open(joined, &mut rng).map_err(anyhow::Error::from)?,
        };
        let model = fit_open(&mut open, &mut rng, watch)?;
        // Of a schema as well, that was drafted from the table and that nobody has reviewed.
        if model.domain() == DomainSource::FromData {
            let why = DomainSource::WHY_NO_GUARANTEE;
            told.push(format!("no guarantee holds: {why}"));
        }
        Ok((Model::of(model), told, notes))
    })
}

fn fit_open(
    open: &mut OpenFit<'_>,
    rng: &mut NoiseRng,
    watch: &Watch,
) -> Result<synthesis::Model, Failure> {
    let fitted = open.fit(rng, &mut |progress| watch.tell(progress));
    fitted.map_err(|error| {
        // What it said of the columns counts, though there is no model.
        Failure::from(anyhow::Error::from(error)).having_spent(&open.spent())
    })
}

fn plan(options: &FitOptions, schema: Option<&Schema>) -> anyhow::Result<CheckedPlan> {
    fn bad(error: impl std::fmt::Display) -> BadInput {
        BadInput(error.to_string())
    }
    let method: Method = options.method.parse().map_err(bad)?;
    let method = MethodOptions::read(method, &options.params).map_err(bad)?;
    let epsilon = Epsilon::new(options.epsilon).map_err(bad)?;
    let delta = Delta::new(options.delta).map_err(bad)?;
    let mut plan = FitPlan::new(method, epsilon, delta)
        .dangerous_epsilon(options.dangerous_epsilon)
        .rows_per_id(options.max_rows_per_id.unwrap_or(NonZeroU32::MIN));
    if let Some(share) = options.discovery_share {
        plan = plan.discovery_share(share);
    }
    if let Some(text) = &options.workload {
        let problem = || BadInput("could not use the workload".to_owned());
        plan = plan.workload(NamedMarginal::list(text).with_context(problem)?);
    }
    if let Some(target) = &options.target {
        plan = plan.target(target.clone());
    }
    let columns = match schema {
        Some(schema) => KnownColumns::at_least(schema.clone()),
        None if options.dangerous_domain_from_data => KnownColumns::dangerous_from_data(),
        None => KnownColumns::none(),
    };
    plan.check(columns).map_err(|cause| match cause {
        PlanError::UnsafeBudget(UnsafeBudget::Epsilon(_)) => bad(format!(
            "{cause}; dangerous_epsilon=True goes on all the same"
        ))
        .into(),
        other => other.into(),
    })
}

/// The names of all methods.
#[pyfunction]
pub(crate) fn methods() -> Vec<String> {
    Method::all().map(|method| method.to_string()).collect()
}
