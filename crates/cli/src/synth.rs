//! `synclave synth` and `synclave sample`: the engine alone.

use std::num::NonZeroU32;
use std::ops::ControlFlow;

use anyhow::Context;
use privacy::{
    Delta, DomainSource, Epsilon, LedgerRecord, NoiseRng, UnsafeBudget, budget_warnings,
};
use protocol::read_text_file;
use schema::{Condition, Origin, Schema};
use serde_json::{Map, Value, json};
use synthesis::{
    CheckedPlan, Conditional, FitError, FitPlan, FormulaReport, KnownColumns, Method,
    MethodOptions, Model, NamedMarginal, OpenFit, PlanError,
};
use tabular::Joined;

use crate::arguments::{SampleOptions, SynthOptions};
use crate::calling::Calling;
use crate::exit::BadInput;
use crate::printer::Printer;
use crate::progress::Stages;
use crate::public_data::PublicFile;
use crate::rows_file::RowsFile;
use crate::table_input::IdReading;
use crate::{
    interrupt, model_file, quality, receipt, report_file, rows_file, table_file, table_input,
    whole_file,
};

pub(crate) fn run(options: &SynthOptions, printer: Printer) -> anyhow::Result<()> {
    // By the outputs' names, before anything is computed for them.
    check_files(options)?;
    let output = RowsFile::new(&options.output, options.format, options.spreadsheet_safe)?;
    output.check_against_json(printer)?;
    output.check_rows(options.rows)?;
    report_file::check(options.report.as_deref())?;
    let plan = plan(options)?;
    let declared = options.schema.as_deref().map(table_file::read_schema);
    // On one's own machine the other columns of a table are at hand: they are discovered.
    let declared = declared.transpose()?.map(Schema::discovering_rest);
    let origin = declared.as_ref().and_then(Schema::origin);
    check_rows(declared.as_ref(), options.rows)?;
    let columns = match &declared {
        Some(schema) => KnownColumns::at_least(schema.clone()),
        None if options.dangerous_domain_from_data => KnownColumns::dangerous_from_data(),
        None => KnownColumns::none(),
    };
    if origin == Some(Origin::Data) {
        printer.warn(FROM_DATA);
    }
    // What is wrong with the plan is said before a large table is read.
    let plan = plan
        .check(columns)
        .map_err(|cause| refused(options, cause))?;
    if let Some(note) = plan.method().note(&options.method) {
        printer.warn(note);
    }
    for warning in budget_warnings(plan.epsilon(), plan.delta(), None) {
        printer.warn(warning);
    }
    interrupt::leaves_nothing_behind(printer)?;
    if let Some(public) = public(options) {
        public.check(Some(&options.data))?;
    }
    // From the operating system, whatever --seed says: that drives the drawing of rows only.
    let mut rng = NoiseRng::from_os()?;
    let Opened {
        mut open,
        notes,
        discovery,
    } = open(options, &plan, declared.as_ref(), &mut rng, printer)?;
    let columns = open.table().schema().output_columns().count();
    let fits = output.check_columns(columns);
    fits.inspect_err(|_| tell_lost(&open.spent(), printer))?;
    let fitted = fit(options, &mut open, &mut rng, printer);
    let model = fitted.inspect_err(|_| tell_lost(&open.spent(), printer))?;
    // The rows are overwritten.
    drop(open);
    let domain = model.domain().in_words();
    let rows = rows(options.rows, model.noisy_rows(), &output, &model, printer);
    // Drawing rows is post-processing, so that a seed may be a person's.
    let samples = model.sample(rows, options.seed);
    let report = model.report();
    // All files or none: the rows are not there without the record of what they cost.
    let mut files = Vec::new();
    if let Some(path) = &options.model {
        files.push(whole_file::prepare(path, |out| Ok(model.save(out)?))?);
    }
    if let Some(path) = &options.report {
        files.push(report_file::prepare_model(path, &model, &report)?);
    }
    let ready = output.prepare(samples, printer)?;
    output.keep(files, ready, printer)?;
    // After the files are in place: what is told must be true.
    printer.say(format_args!(
        "wrote {rows} synthetic rows of {columns} columns to {}",
        output.in_words()
    ));
    quality::tell(&report, printer);
    output.warn_of_formulas(&report.formulas, printer);
    quality::tell_columns(&report, printer);
    tell_budget(options, &model, discovery.as_deref(), printer);
    quality::detail(&report, printer);
    let mut document = json!({
        "output": options.output,
        "rows": rows,
        "method": model.method().to_string(),
        "domain": domain,
        "guarantees": model.ledger().guarantees(),
        "own_guarantees": model.ledger().own_guarantees(),
        "warnings": report.warnings,
        "row_count": report.row_count,
        "columns": report.columns,
        "identifiers": report.identifiers,
        "errors": report.errors,
        "formulas": report.formulas,
        "ledger": model.ledger(),
    });
    // Notes about the table stay out of what may be published, under a name of their own.
    printer.private_field(&mut document, notes);
    printer.document(&document);
    Ok(())
}

const FROM_DATA: &str = "the schema says `origin: data`: no guarantee will hold until a person has \
    read it, has taken out what could not have been known without the table, and has written \
    `origin: reviewed`";

/// What the options ask for.
fn plan(options: &SynthOptions) -> anyhow::Result<FitPlan> {
    let method: Method = options.method.parse().map_err(bad_input)?;
    if let Some(public) = public(options) {
        public.suits(method)?;
    }
    let method = MethodOptions::read(method, &params(options)?).map_err(bad_input)?;
    let epsilon = Epsilon::new(options.epsilon).map_err(bad_input)?;
    let delta = Delta::new(options.delta).map_err(bad_input)?;
    let mut plan = FitPlan::new(method, epsilon, delta)
        .dangerous_epsilon(options.dangerous_epsilon)
        // Without --max-rows-per-id a second row of a person is refused when the table is read.
        .rows_per_id(options.max_rows_per_id.unwrap_or(NonZeroU32::MIN));
    if let Some(path) = &options.workload {
        let problem = || BadInput(format!("could not use the workload in {}", path.display()));
        let text = read_text_file(path, table_file::MAX_YAML_BYTES).with_context(problem)?;
        plan = plan.workload(NamedMarginal::list(&text).with_context(problem)?);
    }
    if let Some(target) = &options.target {
        plan = plan.target(target.clone());
    }
    Ok(plan)
}

/// What the fit is to start from.
fn public(options: &SynthOptions) -> Option<PublicFile<'_>> {
    let path = options.public.as_deref()?;
    Some(PublicFile {
        path,
        of_other_people: options.public_of_other_people,
        calling: Calling::CommandLine,
    })
}

/// Refuses outputs that would cost a file, before anything is spent.
fn check_files(options: &SynthOptions) -> Result<(), BadInput> {
    let outputs = [
        ("--output", rows_file::path(&options.output)),
        ("--model", options.model.as_deref()),
        ("--report", options.report.as_deref()),
    ];
    // Standard input is no file.
    let table = Some(options.data.as_path()).filter(|path| !table_input::is_stdin(path));
    let inputs = [
        ("the table", table),
        ("the schema", options.schema.as_deref()),
        ("the workload", options.workload.as_deref()),
        ("the public data", options.public.as_deref()),
    ];
    whole_file::check_outputs(&outputs, &inputs)
}

fn unfitted(options: &SynthOptions, error: FitError) -> anyhow::Error {
    match error {
        FitError::Plan(cause) => refused(options, cause),
        other => other.into(),
    }
}

/// A refusal of the plan, in terms of the options.
fn refused(options: &SynthOptions, cause: PlanError) -> anyhow::Error {
    // In the words of the option, where the plan speaks of its parameters.
    match (&cause, &options.workload) {
        (PlanError::TakesNoWorkload { method, others }, _) => {
            let message = format!(
                "{method} takes no --workload or --target: it measures the same whatever they \
                 are; use {others}"
            );
            BadInput(message).into()
        }
        (PlanError::UnsafeBudget(UnsafeBudget::Epsilon(_)), _) => {
            let message = format!("{cause}; --dangerous-epsilon goes on all the same");
            BadInput(message).into()
        }
        (PlanError::Workload(of_workload), Some(path)) if !of_workload.is_about_target() => {
            let problem = BadInput(format!("could not use the workload in {}", path.display()));
            anyhow::Error::new(cause).context(problem)
        }
        _ => bad_input(cause).into(),
    }
}

/// The method's parameters.
fn params(options: &SynthOptions) -> Result<Map<String, Value>, BadInput> {
    let mut params = Map::new();
    for (name, value) in &options.params {
        // Twice the same name could be a slip of the pen: which value was meant?
        if params.insert(name.clone(), value.clone()).is_some() {
            return Err(BadInput(format!("--param gives `{name}` twice")));
        }
    }
    Ok(params)
}

/// Reads the table and codes it, for which discovery may spend something.
fn open<'a>(
    options: &SynthOptions,
    plan: &'a CheckedPlan,
    schema: Option<&Schema>,
    rng: &mut NoiseRng,
    printer: Printer,
) -> anyhow::Result<Opened<'a>> {
    let table = table_input::read(
        &options.data,
        &options.how,
        &IdReading {
            key: options.key.as_deref(),
            max_rows_per_id: options.max_rows_per_id,
            normalisation: options.id_normalise.unwrap_or_default(),
        },
        schema,
    )?;
    let notes = json!({
        "read_as": table.upload.read_as().to_string(),
        "ids": table.upload.id_forms().map(ToString::to_string),
        "notes": table.tell(printer),
    });
    let joined = Joined::single(table.upload);
    if options.dangerous_domain_from_data {
        printer.warn(
            "the domain is taken from the data: its values and ranges show through, whatever \
             epsilon says",
        );
        let open = plan.open_coded(joined.dangerous_into_coded());
        return Ok(Opened {
            open,
            notes,
            discovery: None,
        });
    }
    let (needs_discovery, has_undeclared) = (joined.needs_discovery(), joined.has_undeclared());
    let open = plan
        .open(joined, rng)
        .map_err(|error| unfitted(options, error))?;
    let discovery = needs_discovery.then(|| {
        let what = match has_undeclared {
            false => "bins of equal mass",
            true => "out what the columns hold (declare that with --schema, and it costs nothing)",
        };
        format!(
            "{} % of it went into finding {what}",
            percent_spent(&open.spent())
        )
    });
    Ok(Opened {
        open,
        notes,
        discovery,
    })
}

/// A table that is ready to be fitted.
struct Opened<'a> {
    open: OpenFit<'a>,
    /// What its owner alone was told of it.
    notes: Value,
    /// What discovery has spent, for a person.
    discovery: Option<String>,
}

/// What was spent, in percent of all there is.
fn percent_spent(record: &LedgerRecord) -> f64 {
    let spends = record.entries().iter().map(|entry| entry.rho().get());
    (1000.0 * spends.sum::<f64>() / record.total().get()).round() / 10.0
}

/// Fits while a person watches.
fn fit(
    options: &SynthOptions,
    open: &mut OpenFit<'_>,
    rng: &mut NoiseRng,
    printer: Printer,
) -> anyhow::Result<Model> {
    // Only now all columns are known.
    if let Some(public) = public(options) {
        let public = public.read(open.table().schema())?;
        public.notes().iter().for_each(|note| printer.say(note));
        let prior = public.for_fit_of(open.table())?;
        open.start_from(prior)?;
    }
    let mut stages = Stages::new(printer)?;
    let fitted = open.fit(rng, &mut |progress| {
        stages.show(progress);
        ControlFlow::Continue(())
    });
    stages.end();
    fitted.map_err(|error| unfitted(options, error))
}

/// Tells what a failed fit has spent all the same: what it said of the columns counts.
fn tell_lost(spent: &LedgerRecord, printer: Printer) {
    if spent.entries().is_empty() {
        return;
    }
    printer.warn("there is no model, but part of the budget is spent; runs on one table add up");
    for line in receipt::ledger_lines(spent) {
        printer.warn(line);
    }
}

/// Tells what was spent, in one line unless more than that has to be known; the rest is for the
/// curious.
fn tell_budget(options: &SynthOptions, model: &Model, discovery: Option<&str>, printer: Printer) {
    let ledger = model.ledger();
    if model.domain() == DomainSource::FromData {
        printer.warn(format_args!(
            "no guarantee holds: {}",
            DomainSource::WHY_NO_GUARANTEE
        ));
        return;
    }
    // Without a key nobody has checked that a person has one row.
    let rows = match &options.key {
        Some(_) => "",
        None => "; each row counts as one person (with --key that is checked)",
    };
    let budget = format!(
        "budget     {}{}{rows}",
        ledger.budget(),
        discovery.map_or_else(String::new, |spent| format!("; {spent}"))
    );
    let guarantees = receipt::guarantee_lines(ledger).into_iter();
    let prior = receipt::prior_lines(model.prior());
    if prior.is_empty() && ledger.domain_spends().is_empty() {
        printer.say(budget);
        guarantees.for_each(|line| printer.detail(line));
    } else {
        // With an earlier model, or a schema that was paid for, the guarantee is another than this
        // budget's.
        guarantees
            .chain([budget])
            .chain(prior)
            .for_each(|line| printer.say(line));
    }
    receipt::detail_entries(ledger, printer);
}

pub(crate) fn sample(options: &SampleOptions, printer: Printer) -> anyhow::Result<()> {
    whole_file::check_outputs(
        &[
            ("--output", rows_file::path(&options.output)),
            ("--report", options.report.as_deref()),
        ],
        &[("the model", Some(&options.model))],
    )?;
    let output = RowsFile::new(&options.output, options.format, options.spreadsheet_safe)?;
    output.check_against_json(printer)?;
    output.check_rows(options.rows)?;
    report_file::check(options.report.as_deref())?;
    interrupt::leaves_nothing_behind(printer)?;
    let model = model_file::open(&options.model, "rows", printer)?;
    check_rows(Some(model.schema()), options.rows)?;
    let condition = options.condition.as_deref().map(|text| {
        let unusable = || BadInput(format!("could not use the condition {text:?}"));
        Condition::parse(text, model.schema()).with_context(unusable)
    });
    let condition = condition.transpose()?;
    let given = condition.as_ref().map(|condition| model.given(condition));
    let given = given.transpose().map_err(bad_input)?;
    // A guess that nobody sees would become a file of the wrong length.
    if options.rows.is_none() && model.row_count().mostly_noise {
        printer.warn(
            "the model's budget was too small to tell how many rows its table has: how many are \
             written is a guess, unless --rows says it",
        );
    }
    let noisy_rows = match &given {
        Some(given) => given.noisy_rows(),
        None => model.noisy_rows(),
    };
    output.check_columns(model.schema().output_columns().count())?;
    let rows = rows(options.rows, noisy_rows, &output, &model, printer);
    let samples = match &given {
        Some(given) => given.sample(rows, options.seed),
        None => model.sample(rows, options.seed),
    };
    let mut files = Vec::new();
    if let Some(path) = &options.report {
        files.push(report_file::prepare_model(path, &model, &model.report())?);
    }
    let ready = output.prepare(samples, printer)?;
    output.keep(files, ready, printer)?;
    printer.say(format_args!(
        "wrote {rows} synthetic rows to {}",
        output.in_words()
    ));
    let formulas = FormulaReport::all_of(model.schema());
    output.warn_of_formulas(&formulas, printer);
    let domain = model.domain().in_words();
    let mut document =
        json!({"output": options.output, "rows": rows, "domain": domain, "formulas": formulas});
    if let Some(given) = &given {
        tell_probability(given, &model, printer);
        document["probability"] = given.probability().into();
    }
    printer.document(&document);
    Ok(())
}

/// Refuses more rows than there are identifiers for.
fn check_rows(schema: Option<&Schema>, asked: Option<u64>) -> Result<(), BadInput> {
    match (schema, asked) {
        (Some(schema), Some(asked)) => schema.check_rows(asked).map_err(bad_input),
        _ => Ok(()),
    }
}

/// How many rows to write: as many as were asked for, or as the model says that the table had,
/// within what the output can hold and as far as there are identifiers.
fn rows(
    asked: Option<u64>,
    noisy_rows: u64,
    output: &RowsFile,
    model: &Model,
    printer: Printer,
) -> u64 {
    let bounds = [output.most_rows(), model.schema().most_rows()];
    let most = bounds.into_iter().flatten().min().unwrap_or(u64::MAX);
    let most = most.min(Model::MAX_DEFAULT_ROWS);
    asked.unwrap_or_else(|| {
        // A noisy count may be any number: a file of billions of rows is not what was asked for.
        if noisy_rows > most {
            printer.warn(format_args!(
                "the model says that its table had about {noisy_rows} rows; without --rows at most \
                 {most} are written"
            ));
        }
        noisy_rows.min(most)
    })
}

/// How much of the data the rows given a condition rest on.
fn tell_probability(given: &Conditional, model: &Model, printer: Printer) {
    const FEW: f64 = 10.0;
    let expected = given.probability() * model.noisy_rows() as f64;
    printer.say(format_args!(
        "a row of the model satisfies the condition with probability {:.3e}: about {expected:.1} \
         of its {} rows",
        given.probability(),
        model.noisy_rows()
    ));
    // A handful of rows cannot show relations of their own.
    if expected < FEW {
        printer
            .warn("that is so few that what these rows show beyond the condition is mostly noise");
    }
}

fn bad_input(error: impl std::fmt::Display) -> BadInput {
    BadInput(error.to_string())
}
