//! `synclave synth` and `synclave sample`: the engine alone.

use std::ops::ControlFlow;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use privacy::{Delta, Epsilon, Ledger, LedgerOptions, NoiseRng, Rho};
use serde_json::{Map, json};
use synthesis::{Method, Model, Progress};
use tabular::{CodedTable, Joined};

use crate::arguments::{SampleOptions, SynthOptions};
use crate::exit::BadInput;
use crate::printer::Printer;
use crate::{receipt, table_file, whole_file};

/// Of rho, for finding the domain out; and of delta, for finding categories out.
const DISCOVERY_SHARE: (u32, u32) = (1, 10);
const THRESHOLD_SHARE: f64 = 0.5;

pub(crate) fn run(options: &SynthOptions, printer: Printer) -> anyhow::Result<()> {
    let method: Method = options.method.parse().map_err(bad_input)?;
    let (table, mut ledger, domain) = read_table(options, method, printer)?;
    let model = fit(&table, method, &mut ledger, printer)?;
    drop(table);
    let rows = options.rows.unwrap_or_else(|| model.default_rows());
    table_file::write_samples(&options.output, &model, rows, options.seed)?;
    if let Some(path) = &options.model {
        whole_file::write(path, |out| Ok(model.save(out)?))?;
    }
    if let Some(path) = &options.report {
        let report = json!({"domain": domain, "report": model.report(), "ledger": model.ledger()});
        whole_file::write(path, |out| Ok(writeln!(out, "{report:#}")?))?;
    }
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
    let bar = progress_bar(printer)?;
    let mut watch = |progress| {
        show(&bar, progress);
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
    bar.finish_and_clear();
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
    let bytes = std::fs::read(&options.model).with_context(problem)?;
    let model = Model::load(&bytes).with_context(problem)?;
    let rows = options.rows.unwrap_or_else(|| model.default_rows());
    table_file::write_samples(&options.output, &model, rows, options.seed)?;
    printer.say(format_args!(
        "wrote {rows} synthetic rows to {}",
        options.output.display()
    ));
    printer.document(&json!({"output": options.output, "rows": rows}));
    Ok(())
}

/// A bar that a person sees, and nobody else.
fn progress_bar(printer: Printer) -> anyhow::Result<ProgressBar> {
    let bar = if printer.interactive() {
        ProgressBar::new(1)
    } else {
        ProgressBar::hidden()
    };
    bar.set_style(ProgressStyle::with_template("{bar:30} {msg}").context("a constant template")?);
    Ok(bar)
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.total);
    bar.set_position(progress.done);
    bar.set_message(progress.stage);
}

fn bad_input(error: impl std::fmt::Display) -> BadInput {
    BadInput(error.to_string())
}
