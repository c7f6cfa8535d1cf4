//! `synclave evaluate`: a synthetic table against a real one that the person owns.

use std::num::NonZeroU32;

use anyhow::Context;
use report::EvaluationPage;
use serde_json::json;
use synthesis::{Distances, Evaluation};
use tabular::{CodedTable, Joined};

use crate::arguments::{EvaluateOptions, ReadArguments};
use crate::exit::BadInput;
use crate::printer::{PRIVATE, PRIVATE_FIELD, Printer};
use crate::table_input::IdReading;
use crate::{interrupt, report_file, table_file, table_input, whole_file};

pub(crate) fn run(options: &EvaluateOptions, printer: Printer) -> anyhow::Result<()> {
    whole_file::check_outputs(
        &[("--report", options.report.as_deref())],
        &[
            ("the real table", Some(&options.real)),
            ("the synthetic table", Some(&options.synthetic)),
            ("the schema", options.schema.as_deref()),
        ],
    )?;
    report_file::check(options.report.as_deref())?;
    let declared = options
        .schema
        .as_deref()
        .map(table_file::read_schema)
        .transpose()?;
    if table_input::is_stdin(&options.real) && table_input::is_stdin(&options.synthetic) {
        let message = "only one of both tables can come from standard input";
        return Err(BadInput(message.to_owned()).into());
    }
    let real = table_input::read(
        &options.real,
        &options.how,
        &IdReading {
            key: options.key.as_deref(),
            // All rows of everyone are compared.
            max_rows_per_id: Some(NonZeroU32::MAX),
            ..IdReading::default()
        },
        declared.as_ref(),
    )?;
    let mut notes = real.tell(printer);
    let read_as = real.upload.read_as().to_string();
    // Comparing needs exact counts, so that nothing of it is private; the first line says so.
    let real = Joined::single(real.upload).dangerous_into_coded_for_comparison();
    // Under the real table's bins, or distances would be between different codes.
    let how = ReadArguments::default();
    let without_ids = IdReading::default();
    let schema = Some(real.schema());
    let synthetic = table_input::read(&options.synthetic, &how, &without_ids, schema)?;
    notes.extend(synthetic.tell(printer));
    let synthetic = Joined::single(synthetic.upload).dangerous_into_coded();
    let evaluation = synthesis::evaluate(&real, &synthetic)
        .context(BadInput("the two tables cannot be compared".to_owned()))?;
    // First of all, so that whoever copies the result copies this too.
    printer.result(format_args!(
        "{PRIVATE}: all of this is computed from the real rows without noise; do not publish it"
    ));
    if options.schema.is_none() {
        printer.say(
            "numbers are compared on a grid taken from the real table; with --schema, in \
                     the declared bins",
        );
    }
    let held_out = synthesis::evaluate_halves(&real);
    describe(&evaluation, held_out.as_ref(), printer);
    let mut all = json!(evaluation);
    all["held_out"] = json!(held_out);
    all["notes"] = json!(notes);
    all["read_as"] = json!(read_as);
    // The scores are what was asked for, so that they are there with --quiet as well.
    let document = json!({PRIVATE_FIELD: all});
    if let Some(path) = &options.report {
        let page = || {
            let one_ways = one_ways(&real, &synthetic);
            let page = EvaluationPage {
                schema: real.schema(),
                evaluation: &evaluation,
                held_out: held_out.as_ref(),
                one_ways: &one_ways,
            };
            page.to_html()
        };
        interrupt::leaves_nothing_behind(printer)?;
        let prepared = report_file::prepare(path, || document.clone(), page)?;
        whole_file::keep(vec![prepared])?;
        printer.say(format_args!(
            "wrote the comparison to {}; keep it to yourself, like the real table",
            path.display()
        ));
    }
    printer.document(&document);
    Ok(())
}

/// For each column, the shares of its codes in the real and in the synthetic rows. Not private: the
/// real rows are counted without noise.
#[must_use]
pub fn one_ways(real: &CodedTable, synthetic: &CodedTable) -> Vec<[Vec<f64>; 2]> {
    let sizes = real.schema().sizes();
    let [real, synthetic] = [real, synthetic].map(|table| {
        let columns = table.dangerous_codes();
        let shares = columns.iter().zip(&sizes).map(|(codes, &size)| {
            let mut counts = vec![0.0; size];
            codes.iter().for_each(|&code| counts[code as usize] += 1.0);
            let rows = codes.len().max(1) as f64;
            counts.iter().map(|count| count / rows).collect()
        });
        shares.collect::<Vec<Vec<f64>>>()
    });
    let both = real.into_iter().zip(synthetic);
    both.map(|(real, synthetic)| [real, synthetic]).collect()
}

fn describe(evaluation: &Evaluation, held_out: Option<&Evaluation>, printer: Printer) {
    printer.result(format_args!(
        "rows: {} real, {} synthetic",
        evaluation.real_rows, evaluation.synthetic_rows
    ));
    printer.result("");
    printer.result("total variation distance of marginals (0: equal, 1: nothing shared)");
    printer.result("(held out: one half of the real rows against the other half)");
    printer.result("             marginals    mean     max   held out: mean     max");
    let half = |of: fn(&Evaluation) -> &Distances| held_out.map(of);
    for (name, distances, half) in [
        ("columns", &evaluation.one_way, half(|it| &it.one_way)),
        ("pairs", &evaluation.two_way, half(|it| &it.two_way)),
        ("triples", &evaluation.three_way, half(|it| &it.three_way)),
    ] {
        let Distances {
            marginals,
            mean,
            max,
            ..
        } = distances;
        let beside = half.map_or(String::new(), |half| {
            format!("           {:>6.4}  {:>6.4}", half.mean, half.max)
        });
        printer.result(format_args!(
            "  {name:<9} {marginals:>10}  {mean:>6.4}  {max:>6.4}{beside}"
        ));
    }
    printer.result("");
    printer.result("farthest pairs");
    for worst in evaluation.two_way.worst.iter().take(5) {
        printer.result(format_args!(
            "  {:.4}  {}",
            worst.distance,
            worst.columns.join(" x ")
        ));
    }
    let mut pairs: Vec<_> = evaluation.pairs.iter().collect();
    pairs.sort_by(|a, b| b.real_association.total_cmp(&a.real_association));
    printer.result("");
    printer.result("strongest relations of the real table (Cramer's V)       real  synthetic");
    for pair in pairs.iter().take(10) {
        printer.result(format_args!(
            "  {:<50} {:>8.2} {:>10.2}",
            pair.columns.join(" x "),
            pair.real_association,
            pair.synthetic_association
        ));
    }
}
