//! Fits of one table.

use std::num::NonZeroU32;
use std::path::PathBuf;

use anyhow::Context;
use cli::{BadInput, Calling, IdReading, PublicFile};
use privacy::{
    Delta, DomainSource, Epsilon, NoiseRng, UnsafeBudget, budget_warnings, check_budget,
};
use pyo3::prelude::*;
use schema::Schema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use synthesis::{
    CheckedPlan, FitPlan, KnownColumns, Method, MethodOptions, NamedMarginal, OpenFit, PlanError,
};
use tabular::{IdNormalisation, Joined};

use crate::failure::Failure;
use crate::model::Model;
use crate::table::{Read, Table, declared};
use crate::work::carry_out;

/// What a synthesizer is made for, as the package's Python writes it down.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Synthesizer {
    method: String,
    params: Map<String, Value>,
    epsilon: f64,
    delta: f64,
    dangerous_epsilon: bool,
    dangerous_domain_from_data: bool,
    /// YAML or JSON.
    workload: Option<String>,
    target: Option<String>,
}

/// What a fit of it is asked for besides.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FitOptions {
    /// YAML.
    schema: Option<String>,
    key: Option<String>,
    max_rows_per_id: Option<NonZeroU32>,
    id_normalise: Vec<String>,
    discovery_share: Option<f64>,
    public: Option<PathBuf>,
    public_of_other_people: bool,
}

/// The model; what may be told of the fit; and notes on the table, for its owner alone.
type Fitted = (Model, Vec<String>, Vec<String>);

/// Refuses what no table could be fitted with.
#[pyfunction]
pub(crate) fn check_synthesizer(py: Python<'_>, synthesizer: &str) -> PyResult<()> {
    let synthesizer: Synthesizer = read(py, synthesizer)?;
    // Not whether the workload suits the columns, which are not known yet.
    let checked = synthesizer.plan().and_then(|_| {
        let (epsilon, delta) = synthesizer.budget()?;
        check_budget(epsilon, delta, synthesizer.dangerous_epsilon)
            .map_err(|cause| refused(PlanError::UnsafeBudget(cause)))
    });
    checked.map_err(|error| Failure::from(error).into_exception(py))
}

/// Fits a model to a table: a path, or an object with `__arrow_c_stream__`.
#[pyfunction]
#[pyo3(signature = (table, synthesizer, options, progress=None))]
pub(crate) fn fit(
    py: Python<'_>,
    table: Table,
    synthesizer: &str,
    options: &str,
    progress: Option<Bound<'_, PyAny>>,
) -> PyResult<Fitted> {
    let synthesizer: Synthesizer = read(py, synthesizer)?;
    let options: FitOptions = read(py, options)?;
    carry_out(py, progress.as_ref(), move |watch| {
        // Everything that needs no row is checked before the table is read.
        let schema = options.schema.as_deref().map(declared).transpose()?;
        let schema = schema.map(Schema::discovering_rest);
        let plan = options.plan(&synthesizer, schema.as_ref())?;
        let ids = options.ids()?;
        let public = options.public();
        if let Some(public) = &public {
            public.suits(plan.method()).map_err(anyhow::Error::from)?;
            public.check(table.path())?;
        }
        let warnings = budget_warnings(plan.epsilon(), plan.delta(), None);
        let mut told: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        // From the operating system: a seed drives the drawing of rows only.
        let mut rng = NoiseRng::from_os().map_err(anyhow::Error::from)?;
        let Read { upload, mut notes } = table.read(&ids, schema.as_ref(), watch)?;
        let joined = Joined::single(upload);
        let mut open = match synthesizer.dangerous_domain_from_data {
            true => plan.open_coded(joined.dangerous_into_coded()),
            false => plan.open(joined, &mut rng).map_err(anyhow::Error::from)?,
        };
        // From here on a failure has its price.
        let fitted = start(&mut open, public, &mut notes)
            .map_err(Failure::from)
            .and_then(|()| {
                let fitted = open.fit(&mut rng, &mut |progress| watch.tell(progress));
                fitted.map_err(|error| anyhow::Error::from(error).into())
            });
        let model = fitted.map_err(|failure| failure.having_spent(&open.spent()))?;
        // Of a schema as well, that was drafted from the table and that nobody has reviewed.
        if model.domain() == DomainSource::FromData {
            let why = DomainSource::WHY_NO_GUARANTEE;
            told.push(format!("no guarantee holds: {why}"));
        }
        Ok((Model::of(model), told, notes))
    })
}

/// Reads what the package's Python has written.
fn read<T: DeserializeOwned>(py: Python<'_>, text: &str) -> PyResult<T> {
    serde_json::from_str(text).map_err(|error| Failure::input(error).into_exception(py))
}

/// Lets the fit start from public data. Only now all columns are known.
fn start(
    open: &mut OpenFit<'_>,
    public: Option<PublicFile<'_>>,
    notes: &mut Vec<String>,
) -> anyhow::Result<()> {
    let Some(public) = public else {
        return Ok(());
    };
    let public = public.read(open.table().schema())?;
    notes.extend_from_slice(public.notes());
    Ok(open.start_from(public.for_fit_of(open.table())?)?)
}

fn bad(error: impl std::fmt::Display) -> BadInput {
    BadInput(error.to_string())
}

fn refused(cause: PlanError) -> anyhow::Error {
    match cause {
        PlanError::UnsafeBudget(UnsafeBudget::Epsilon(_)) => bad(format!(
            "{cause}; dangerous_epsilon=True goes on all the same"
        ))
        .into(),
        other => other.into(),
    }
}

impl Synthesizer {
    fn budget(&self) -> anyhow::Result<(Epsilon, Delta)> {
        let epsilon = Epsilon::new(self.epsilon).map_err(bad)?;
        Ok((epsilon, Delta::new(self.delta).map_err(bad)?))
    }

    fn plan(&self) -> anyhow::Result<FitPlan> {
        let method: Method = self.method.parse().map_err(bad)?;
        let method = MethodOptions::read(method, &self.params).map_err(bad)?;
        let (epsilon, delta) = self.budget()?;
        let mut plan =
            FitPlan::new(method, epsilon, delta).dangerous_epsilon(self.dangerous_epsilon);
        if let Some(text) = &self.workload {
            let problem = || BadInput("could not use the workload".to_owned());
            plan = plan.workload(NamedMarginal::list(text).with_context(problem)?);
        }
        if let Some(target) = &self.target {
            plan = plan.target(target.clone());
        }
        Ok(plan)
    }
}

impl FitOptions {
    fn plan(
        &self,
        synthesizer: &Synthesizer,
        schema: Option<&Schema>,
    ) -> anyhow::Result<CheckedPlan> {
        let mut plan = synthesizer
            .plan()?
            .rows_per_id(self.max_rows_per_id.unwrap_or(NonZeroU32::MIN));
        if let Some(share) = self.discovery_share {
            plan = plan.discovery_share(share);
        }
        let columns = match schema {
            Some(schema) => KnownColumns::at_least(schema.clone()),
            None if synthesizer.dangerous_domain_from_data => KnownColumns::dangerous_from_data(),
            None => KnownColumns::none(),
        };
        plan.check(columns).map_err(refused)
    }

    fn ids(&self) -> anyhow::Result<IdReading<'_>> {
        let steps = self.id_normalise.iter().map(String::as_str);
        Ok(IdReading {
            key: self.key.as_deref(),
            max_rows_per_id: self.max_rows_per_id,
            normalisation: IdNormalisation::parse(steps).map_err(bad)?,
        })
    }

    fn public(&self) -> Option<PublicFile<'_>> {
        Some(PublicFile {
            path: self.public.as_deref()?,
            of_other_people: self.public_of_other_people,
            calling: Calling::Python,
        })
    }
}

/// The names of all methods.
#[pyfunction]
pub(crate) fn methods() -> Vec<String> {
    Method::all().map(|method| method.to_string()).collect()
}
