//! `synclave synth` and `synclave sample`: the engine alone.

use std::num::NonZeroU32;
use std::ops::ControlFlow;

use anyhow::Context;
use privacy::{Delta, DomainSource, Epsilon, Ledger, LedgerOptions, NoiseRng, Rho};
use serde_json::{Map, Value, json};
use synthesis::{Conditional, Method, Model, PublicPrior, Workload};
use tabular::{CodedTable, Condition, Joined, MAX_FOUND_CATEGORIES, Schema};

use crate::arguments::{SampleOptions, SynthOptions};
use crate::exit::BadInput;
use crate::printer::Printer;
use crate::progress::Stages;
use crate::{interrupt, public_data, quality, receipt, table_file, whole_file};

/// Of rho, for finding the domain out; and of delta, for finding categories out.
const DISCOVERY_SHARE: f64 = 0.1;
const THRESHOLD_SHARE: f64 = 0.5;

pub(crate) fn run(options: &SynthOptions, printer: Printer) -> anyhow::Result<()> {
    let method: Method = options.method.parse().map_err(bad_input)?;
    if !method.takes_workload() && (options.workload.is_some() || options.target.is_some()) {
        let message = format!(
            "{method} takes no --workload or --target: it measures the same whatever they are; use GRAIN, AIM or MWEM"
        );
        return Err(BadInput(message).into());
    }
    if !method.takes_public_data() && options.public.is_some() {
        let message = format!("{method} takes no --public data; use GRAIN");
        return Err(BadInput(message).into());
    }
    let params = params(options)?;
    method.check_params(&params).map_err(bad_input)?;
    let mut ledger = open_ledger(options, method)?;
    let declared = options.schema.as_deref().map(table_file::read_schema);
    let declared = declared.transpose()?;
    interrupt::leaves_nothing_behind(printer)?;
    public_data::refuse_the_table_itself(options)?;
    let mut public = None;
    if let Some(schema) = declared.as_ref().filter(|schema| !schema.needs_discovery()) {
        // What is wrong with the rest is said before a large table is read.
        method.check(&params, &workload(options, schema)?, schema)?;
        method.check_budget(&params, &schema.sizes(), &ledger, 0.0)?;
        public = public_data::read(options, schema, printer)?;
    }
    let table = read_table(
        options,
        method,
        &params,
        declared.as_ref(),
        &mut ledger,
        printer,
    )?;
    let workload = workload(options, table.schema())?;
    if public.is_none() {
        public = public_data::read(options, table.schema(), printer)?;
    }
    let prior = public.map(|public| public.for_fit_of(&table)).transpose()?;
    let task = Task {
        method,
        params,
        workload,
        prior,
    };
    let model = fit(&table, &task, &mut ledger, printer)?;
    drop(table);
    let domain = receipt::domain(model.ledger());
    let rows = options.rows.unwrap_or_else(|| model.default_rows());
    let samples = model.sample(rows, options.seed);
    let report = model.report();
    // All files or none: the rows are not there without the record of what they cost.
    let mut files = Vec::new();
    if let Some(path) = &options.model {
        files.push(whole_file::prepare(path, |out| Ok(model.save(out)?))?);
    }
    if let Some(path) = &options.report {
        let report = json!({
            "domain": domain,
            "guarantees": model.ledger().guarantees(),
            "own_guarantees": model.ledger().own_guarantees(),
            "report": report,
            "ledger": model.ledger(),
        });
        files.push(whole_file::prepare(path, |out| {
            Ok(writeln!(out, "{report:#}")?)
        })?);
    }
    files.push(table_file::prepare_samples(
        &options.output,
        samples,
        printer,
    )?);
    whole_file::keep(files)?;
    printer.say(format_args!(
        "wrote {rows} synthetic rows to {}",
        options.output.display()
    ));
    quality::tell(&report, printer);
    tell_guarantee(options, &model, printer);
    printer.document(&json!({
        "output": options.output,
        "rows": rows,
        "method": model.method().to_string(),
        "domain": domain,
        "guarantees": model.ledger().guarantees(),
        "own_guarantees": model.ledger().own_guarantees(),
        "warnings": report.warnings,
        "row_count": report.row_count,
        "columns": report.columns,
        "errors": report.errors,
        "ledger": model.ledger(),
    }));
    Ok(())
}

/// The method's parameters.
fn params(options: &SynthOptions) -> Result<Map<String, Value>, BadInput> {
    let mut params = Map::new();
    for (name, value) in &options.params {
        if params.insert(name.clone(), value.clone()).is_some() {
            return Err(BadInput(format!("--param gives `{name}` twice")));
        }
    }
    Ok(params)
}

fn open_ledger(options: &SynthOptions, method: Method) -> anyhow::Result<Ledger> {
    let discovers = options.schema.is_none() && !options.dangerous_domain_from_data;
    let epsilon = Epsilon::new(options.epsilon).map_err(bad_input)?;
    let delta = Delta::new(options.delta).map_err(bad_input)?;
    let ledger = Ledger::open_with(LedgerOptions {
        accounting: method.accounting(),
        threshold_share: discovers.then_some(THRESHOLD_SHARE),
        rows_per_id: options.max_rows_per_id.unwrap_or(NonZeroU32::MIN),
        ..LedgerOptions::new(epsilon, delta)
    });
    Ok(ledger.map_err(bad_input)?)
}

/// The coded table, for which discovery may have spent something.
fn read_table(
    options: &SynthOptions,
    method: Method,
    params: &Map<String, Value>,
    schema: Option<&Schema>,
    ledger: &mut Ledger,
    printer: Printer,
) -> anyhow::Result<CodedTable> {
    let upload = table_file::read(
        &options.data,
        options.key.as_deref(),
        options.max_rows_per_id,
        schema,
        printer,
    )?;
    let columns = upload.column_names().count();
    let joined = Joined::single(upload);
    if options.dangerous_domain_from_data {
        printer.warn("the domain is taken from the data: its values and ranges show through, whatever epsilon says");
        return Ok(joined.dangerous_into_coded());
    }
    let mut discovery = Rho::ZERO;
    if joined.needs_discovery() {
        // The sizes of which the smallest gets the smallest share of all that may be found.
        let mut sizes = vec![MAX_FOUND_CATEGORIES; columns];
        sizes.iter_mut().take(1).for_each(|size| *size = 1);
        method.check_budget(params, &sizes, ledger, DISCOVERY_SHARE)?;
        let parts = [DISCOVERY_SHARE, 1.0 - DISCOVERY_SHARE];
        discovery = ledger.total().split(&parts).map_err(bad_input)?[0];
        printer.say("a tenth of the budget goes into finding the columns' domain out (declare it with --schema to save that)");
    }
    Ok(joined.into_coded(ledger, discovery, &mut NoiseRng::from_os()?)?)
}

fn workload(options: &SynthOptions, schema: &Schema) -> anyhow::Result<Workload> {
    let workload = match &options.workload {
        Some(path) => {
            let problem = || BadInput(format!("could not use the workload in {}", path.display()));
            let text = std::fs::read_to_string(path).with_context(problem)?;
            Workload::parse(&text, schema).with_context(problem)?
        }
        None => Workload::pairs(schema),
    };
    match &options.target {
        Some(target) => Ok(workload.with_target(target, schema).map_err(bad_input)?),
        None => Ok(workload),
    }
}

/// What is to be made of a table.
struct Task {
    method: Method,
    params: Map<String, Value>,
    workload: Workload,
    prior: Option<PublicPrior>,
}

/// Fits while a person watches.
fn fit(
    table: &CodedTable,
    task: &Task,
    ledger: &mut Ledger,
    printer: Printer,
) -> anyhow::Result<Model> {
    let mut stages = Stages::new(printer)?;
    let mut watch = |progress| {
        stages.show(progress);
        ControlFlow::Continue(())
    };
    let (params, workload) = (&task.params, &task.workload);
    let mut rng = NoiseRng::from_os()?;
    let fitted = match &task.prior {
        Some(prior) => {
            synthesis::fit_with_prior(table, prior, params, workload, ledger, &mut rng, &mut watch)
        }
        None => synthesis::fit(
            table,
            task.method,
            params,
            workload,
            ledger,
            &mut rng,
            &mut watch,
        ),
    };
    stages.end();
    Ok(fitted?)
}

fn tell_guarantee(options: &SynthOptions, model: &Model, printer: Printer) {
    if options.dangerous_domain_from_data {
        printer.warn(format_args!(
            "no guarantee holds: {}",
            receipt::DOMAIN_FROM_DATA
        ));
        return;
    }
    if options.key.is_none() {
        printer.say("each row counts as one person (with --key that is checked)");
    }
    let lines = receipt::ledger_lines(model.ledger()).into_iter();
    for line in lines.chain(receipt::prior_lines(model.prior())) {
        printer.say(line);
    }
    receipt::detail_entries(model.ledger(), printer);
}

pub(crate) fn sample(options: &SampleOptions, printer: Printer) -> anyhow::Result<()> {
    let problem = || {
        BadInput(format!(
            "could not use the model in {}",
            options.model.display()
        ))
    };
    interrupt::leaves_nothing_behind(printer)?;
    let bytes = std::fs::read(&options.model).with_context(problem)?;
    let model = Model::load(&bytes).with_context(problem)?;
    if model.domain() == DomainSource::FromData {
        printer.warn(format_args!(
            "no guarantee holds for this model and its rows: {}",
            receipt::DOMAIN_FROM_DATA
        ));
    }
    let condition = options.condition.as_deref().map(|text| {
        let unusable = || BadInput(format!("could not use the condition {text:?}"));
        Condition::parse(text, model.schema()).with_context(unusable)
    });
    let condition = condition.transpose()?;
    let given = condition.as_ref().map(|condition| model.given(condition));
    let given = given.transpose().map_err(bad_input)?;
    let rows = options.rows.unwrap_or_else(|| match &given {
        Some(given) => given.default_rows(),
        None => model.default_rows(),
    });
    if options.rows.is_none() && model.row_count().mostly_noise {
        printer.warn(
            "the model's budget was too small to tell how many rows its table has: how many are \
             written is a guess, unless --rows says it",
        );
    }
    let samples = match &given {
        Some(given) => given.sample(rows, options.seed),
        None => model.sample(rows, options.seed),
    };
    let prepared = table_file::prepare_samples(&options.output, samples, printer)?;
    whole_file::keep(vec![prepared])?;
    printer.say(format_args!(
        "wrote {rows} synthetic rows to {}",
        options.output.display()
    ));
    let domain = receipt::domain(model.ledger());
    let mut document = json!({"output": options.output, "rows": rows, "domain": domain});
    if let Some(given) = &given {
        tell_probability(given, &model, printer);
        document["probability"] = given.probability().into();
    }
    printer.document(&document);
    Ok(())
}

/// How much of the data the rows given a condition rest on.
fn tell_probability(given: &Conditional<'_>, model: &Model, printer: Printer) {
    const FEW: f64 = 10.0;
    let expected = given.probability() * model.default_rows() as f64;
    printer.say(format_args!(
        "a row of the model satisfies the condition with probability {:.3e}: about {expected:.1} of its {} rows",
        given.probability(),
        model.default_rows()
    ));
    if expected < FEW {
        printer
            .warn("that is so few that what these rows show beyond the condition is mostly noise");
    }
}

fn bad_input(error: impl std::fmt::Display) -> BadInput {
    BadInput(error.to_string())
}
