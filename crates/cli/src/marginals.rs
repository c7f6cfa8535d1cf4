//! `synclave marginals`: the noisy counts that a model was made from.

use anyhow::Context;
use schema::Schema;
use serde_json::json;
use synthesis::{Model, NoisyMarginal};

use crate::arguments::MarginalsOptions;
use crate::exit::BadInput;
use crate::model_file;
use crate::names::{names, position};
use crate::printer::Printer;

pub(crate) fn run(options: &MarginalsOptions, printer: Printer) -> anyhow::Result<()> {
    let model = model_file::open(&options.model, "counts", printer)?;
    let schema = model.schema();
    let mut marginals = model.noisy_marginals();
    if let Some(text) = &options.columns {
        let wanted = columns(text, schema)
            .with_context(|| BadInput(format!("could not use the columns {text:?}")))?;
        marginals.retain(|marginal| {
            let mut columns = marginal.columns.clone();
            columns.sort_unstable();
            columns == wanted
        });
        if marginals.is_empty() {
            return Err(BadInput(format!(
                "{text:?} was not measured together; `synclave marginals {}` lists what was, and \
                 `synclave query` says what the model knows of the rest",
                options.model.display()
            ))
            .into());
        }
        let all_places = |marginal: &NoisyMarginal| show(marginal, &model, printer);
        marginals.iter().for_each(all_places);
    } else {
        for marginal in &marginals {
            printer.result(format_args!("{}", heading(marginal, schema)));
        }
        printer.say(format_args!(
            "name columns to see their counts: synclave marginals {} 'COLUMN, COLUMN'",
            options.model.display()
        ));
    }
    printer.document(&json!({
        "marginals": documents(&marginals, schema),
        "domain": model.domain().in_words(),
    }));
    Ok(())
}

/// One object for each marginal: `columns`, the `values` of each place of each of them, `counts`
/// (row-major) and `sigma`.
#[must_use]
pub fn documents(marginals: &[NoisyMarginal], schema: &Schema) -> serde_json::Value {
    marginals.iter().map(|it| document(it, schema)).collect()
}

fn columns(text: &str, schema: &Schema) -> Result<Vec<usize>, BadInput> {
    let columns = names(text);
    let columns = columns.iter().map(|name| position(name, schema));
    let mut columns = columns.collect::<Result<Vec<_>, _>>()?;
    columns.sort_unstable();
    Ok(columns)
}

fn heading(marginal: &NoisyMarginal, schema: &Schema) -> String {
    let columns = marginal.columns.iter();
    let names: Vec<&str> = columns.map(|&at| schema.columns()[at].name()).collect();
    let cells = marginal.counts.len();
    let s = if cells == 1 { "" } else { "s" };
    let sigma = schema::number::shown(marginal.sigma);
    format!("{}: {cells} count{s}, sigma {sigma}", names.join(", "))
}

/// Prints each count with its values.
fn show(marginal: &NoisyMarginal, model: &Model, printer: Printer) {
    let schema = model.schema();
    printer.say(heading(marginal, schema));
    let labels: Vec<Vec<String>> = (0..marginal.columns.len())
        .map(|axis| {
            labels(marginal, axis, schema)
                .into_iter()
                .map(in_short)
                .collect()
        })
        .collect();
    let lines: Vec<(String, i64)> = marginal
        .counts
        .iter()
        .enumerate()
        .map(|(cell, &count)| {
            let (mut rest, mut of_cell) = (cell, Vec::new());
            // Row-major: the last column is the fastest.
            for of_axis in labels.iter().rev() {
                of_cell.push(of_axis[rest % of_axis.len()].as_str());
                rest /= of_axis.len();
            }
            of_cell.reverse();
            (of_cell.join(", "), count)
        })
        .collect();
    let widths = lines.iter().map(|(label, _)| label.chars().count());
    let width = widths.max().unwrap_or(0);
    for (label, count) in lines {
        printer.result(format_args!("{label:width$}  {count:>8}"));
    }
}

/// The values of each place of a column.
fn labels(marginal: &NoisyMarginal, axis: usize, schema: &Schema) -> Vec<Vec<String>> {
    let column = &schema.columns()[marginal.columns[axis]];
    let places = marginal.places[axis].iter();
    let of_place = |codes: &Vec<usize>| {
        let codes = codes.iter();
        codes.map(|&code| column.label(code).into_owned()).collect()
    };
    places.map(of_place).collect()
}

fn in_short(labels: Vec<String>) -> String {
    const MOST: usize = 3;
    match labels.as_slice() {
        [first, .., last] if labels.len() > MOST => {
            format!("{first} | ... | {last} ({} together)", labels.len())
        }
        _ => labels.join(" | "),
    }
}

fn document(marginal: &NoisyMarginal, schema: &Schema) -> serde_json::Value {
    let columns = marginal.columns.iter();
    let columns: Vec<&str> = columns.map(|&at| schema.columns()[at].name()).collect();
    let axes = 0..columns.len();
    let values: Vec<_> = axes.map(|axis| labels(marginal, axis, schema)).collect();
    json!({
        "columns": columns,
        "values": values,
        "counts": marginal.counts,
        "sigma": marginal.sigma,
    })
}
