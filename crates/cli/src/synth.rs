//! `synclave synth` and `synclave sample`: the engine alone.

use std::ops::ControlFlow;

use anyhow::Context;
use privacy::{Delta, Epsilon, Ledger, LedgerOptions, NoiseRng, Rho};
use serde_json::{Map, json};
use synthesis::{Conditional, Method, Model};
use tabular::{CodedTable, Condition, Joined};

use crate::arguments::{SampleOptions, SynthOptions};
use crate::exit::BadInput;
use crate::printer::Printer;
use crate::progress::Stages;
use crate::{interrupt, receipt, table_file, whole_file};

/// Of rho, for finding the domain out; and of delta, for finding categories out.
const DISCOVERY_SHARE: (u32, u32) = (1, 10);
const THRESHOLD_SHARE: f64 = 0.5;

pub(crate) fn run(options: &SynthOptions, printer: Printer) -> anyhow::Result<()> {
    let method: Method = options.method.parse().map_err(bad_input)?;
    interrupt::leaves_nothing_behind(printer)?;
    let (table, mut ledger, domain) = read_table(options, method, printer)?;
    let model = fit(&table, method, &mut ledger, printer)?;
    drop(table);
    let rows = options.rows.unwrap_or_else(|| model.default_rows());
    let samples = model.sample(rows, options.seed);
    // All files or none: the rows are not there without the record of what they cost.
    let mut files = Vec::new();
    if let Some(path) = &options.model {
        files.push(whole_file::prepare(path, |out| Ok(model.save(out)?))?);
    }
    if let Some(path) = &options.report {
        let report = json!({"domain": domain, "report": model.report(), "ledger": model.ledger()});
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
    tell_guarantee(options, &model, printer);
    printer.document(&json!({
        "output": options.output,
        "rows": rows,
        "method": model.method().to_string(),
        "domain": domain,
        "ledger": model.ledger(),
    }));
    Ok(())
}

/// The coded table, what is left of the budget, and where the domain came from.
fn read_table(
    options: &SynthOptions,
    method: Method,
    printer: Printer,
) -> anyhow::Result<(CodedTable, Ledger, &'static str)> {
    let epsilon = Epsilon::new(options.epsilon).map_err(bad_input)?;
    let delta = Delta::new(options.delta).map_err(bad_input)?;
    let from_data = options.dangerous_domain_from_data;
    let discovered = options.schema.is_none() && !from_data;
    let schema = options
        .schema
        .as_deref()
        .map(table_file::read_schema)
        .transpose()?;
    let upload = table_file::read(
        &options.data,
        options.key.as_deref(),
        options.max_rows_per_id,
        schema.as_ref(),
        printer,
    )?;
    let joined = Joined::single(upload);
    let mut ledger = Ledger::open_with(LedgerOptions {
        accounting: method.accounting(),
        threshold_share: discovered.then_some(THRESHOLD_SHARE),
        rows_per_id: joined.rows_per_id(),
        ..LedgerOptions::new(epsilon, delta)
    })
    .map_err(bad_input)?;
    if from_data {
        printer.warn("the domain is taken from the data: its values and ranges show through, whatever epsilon says");
        let table = joined.dangerous_into_coded();
        return Ok((table, ledger, "from data: no guarantee holds"));
    }
    let domain = if discovered { "discovered" } else { "declared" };
    let mut discovery = Rho::ZERO;
    if joined.needs_discovery() {
        printer.say("a tenth of the budget goes into finding the columns' domain out (declare it with --schema to save that)");
        discovery = ledger.total().share(DISCOVERY_SHARE.0, DISCOVERY_SHARE.1);
    }
    let table = joined.into_coded(&mut ledger, discovery, &mut NoiseRng::from_os()?)?;
    Ok((table, ledger, domain))
}

/// Fits while a person watches.
fn fit(
    table: &CodedTable,
    method: Method,
    ledger: &mut Ledger,
    printer: Printer,
) -> anyhow::Result<Model> {
    let mut stages = Stages::new(printer)?;
    let mut watch = |progress| {
        stages.show(progress);
        ControlFlow::Continue(())
    };
    let fitted = synthesis::fit(
        table,
        method,
        &Map::new(),
        ledger,
        &mut NoiseRng::from_os()?,
        &mut watch,
    );
    stages.end();
    Ok(fitted?)
}

fn tell_guarantee(options: &SynthOptions, model: &Model, printer: Printer) {
    if options.dangerous_domain_from_data {
        printer.warn("with the domain from the data no guarantee holds, whatever the ledger in model and report says");
        return;
    }
    if options.key.is_none() {
        printer.say("each row counts as one person (with --key that is checked)");
    }
    for line in receipt::ledger_lines(model.ledger()) {
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
    let mut document = json!({"output": options.output, "rows": rows});
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
