//! What a person is told of how far to rely on a model.

use printable::escaped;
use synthesis::{ColumnReport, ErrorReport, IdentifierReport, MarginalError, Report};

use crate::printer::Printer;

/// Most columns, or relations, that are named one by one.
const MOST: usize = 5;

/// How many rows there are, and what not to rely on: what a person reads first.
pub(crate) fn tell(report: &Report, printer: Printer) {
    let [low, high] = report.row_count.between;
    printer.say(format_args!(
        "the table has between {low} and {high} rows with 95 % confidence, by noisy counts"
    ));
    for warning in &report.warnings {
        printer.warn(warning);
    }
    if let Some(errors) = &report.errors {
        tell_noise(errors, printer);
    }
}

/// What each column was taken for.
pub(crate) fn tell_columns(report: &Report, printer: Printer) {
    /// More columns than fit on a screen are for the curious, unless something is to be done.
    const MOST_LINES: usize = 30;
    printer.say("the columns were taken for:");
    let columns = &report.columns;
    let lines = column_lines(columns);
    let mut hidden = 0;
    for (line, (column, at)) in lines.iter().zip(columns.iter().zip(0..)) {
        if at < MOST_LINES || column.advice.is_some() && at < 10 * MOST_LINES {
            printer.say(line);
        } else {
            hidden += 1;
            printer.detail(line);
        }
    }
    if hidden > 0 {
        printer.say(format_args!("  and {hidden} more columns, which -v shows"));
    }
    if let Some(line) = identifier_line(&report.identifiers) {
        printer.say(line);
    }
}

/// Which columns were made from nothing.
pub(crate) fn identifier_line(columns: &[IdentifierReport]) -> Option<String> {
    let column = |it: &IdentifierReport| format!("`{}` ({})", it.name, it.format);
    let columns: Vec<String> = columns.iter().map(column).collect();
    (!columns.is_empty()).then(|| {
        format!(
            "new identifiers, made for each row from nothing of the table: {}",
            columns.join(", ")
        )
    })
}

/// For each column a line with its name, its kind, its values, and what is missing or `other`.
pub(crate) fn column_lines(columns: &[ColumnReport]) -> Vec<String> {
    /// A longer name is cut.
    const WIDEST: usize = 28;
    let names: Vec<String> = columns
        .iter()
        .map(|column| {
            // Escaped before it is measured: a character that is not shown takes more room.
            let name = escaped(&column.name);
            match name.char_indices().nth(WIDEST) {
                None => name.into_owned(),
                Some((end, _)) => format!("{}…", &name[..end]),
            }
        })
        .collect();
    let widest = names.iter().map(|name| name.chars().count()).max();
    let widest = widest.unwrap_or_default();
    let lines = names
        .iter()
        .zip(columns)
        .map(|(name, column)| format!("  {name:<widest$}  {:<10}  {}", column.kind, facts(column)));
    lines.collect()
}

fn facts(column: &ColumnReport) -> String {
    let count = column.values;
    let plural = if count == 1 { "" } else { "s" };
    let mut text = match &column.widest_bin {
        None => format!("{count} value{plural}"),
        Some(bin) if bin.is_exact() => format!("{count} value{plural}"),
        Some(bin) => format!("{count} bin{plural} of up to {}", bin.size()),
    };
    if let Some([low, high]) = &column.range {
        text.push_str(&format!(", {low} to {high}"));
    }
    for convention in &column.conventions {
        text.push_str(&format!(", {convention}"));
    }
    match column.missing {
        Some(missing) => text.push_str(&format!("; {:.1} % missing", 100.0 * missing)),
        None if column.nullable => text.push_str("; may be missing"),
        None => {}
    }
    if let Some(other) = column.other {
        text.push_str(&format!("; {:.1} % `other`", 100.0 * other));
    }
    if let Some(advice) = column.advice {
        text.push_str(&format!(": {advice}"));
    }
    text
}

/// What a curious person wants to know of how far the model is from the table.
pub(crate) fn detail(report: &Report, printer: Printer) {
    detail_coding(&report.columns, printer);
    if let Some(errors) = &report.errors {
        detail_errors(errors, printer);
    }
}

/// What the columns' codes lose of their values, which no stated error counts.
fn detail_coding(columns: &[ColumnReport], printer: Printer) {
    /// Less than this many rows do not matter.
    const NEGLIGIBLE: f64 = 0.005;
    if columns.iter().any(|column| column.widest_bin.is_some()) {
        printer
            .detail("values beyond a column's range count as its ends; no stated error shows that");
    }
    let mut losses: Vec<(f64, String)> = Vec::new();
    for column in columns {
        let (name, bin) = (&column.name, &column.widest_bin);
        if let Some(other) = column.other.filter(|other| *other >= NEGLIGIBLE) {
            let percent = 100.0 * other;
            losses.push((
                other,
                format!("{percent:.1} % of the rows of `{name}` are `other`"),
            ));
        }
        if let Some(bin) = bin.as_ref().filter(|bin| !bin.is_exact()) {
            let text = format!("`{name}` has bins of up to {} ({})", bin.size(), bin.bin);
            losses.push((bin.share, text));
        }
    }
    if losses.is_empty() {
        return;
    }
    // The largest losses first; of many only these are named.
    losses.sort_by(|a, b| b.0.total_cmp(&a.0));
    let more = losses.len().saturating_sub(MOST);
    losses.truncate(MOST);
    let mut text = losses
        .into_iter()
        .map(|(_, text)| text)
        .collect::<Vec<String>>()
        .join("; ");
    if more > 0 {
        text.push_str(&format!("; --report lists {more} more under columns"));
    }
    printer.detail(format_args!(
        "the coding of the columns loses what is within a bin or `other`: {text}"
    ));
}

/// How far the model's marginals are from the table's.
fn detail_errors(errors: &ErrorReport, printer: Printer) {
    // Sorted for the median; marginals without a bound are told apart below.
    let mut bounds: Vec<f64> = errors.marginals.iter().filter_map(|it| it.bound).collect();
    bounds.sort_by(f64::total_cmp);
    let count = errors.marginals.len();
    if let Some(largest) = bounds.last() {
        printer.detail(format_args!(
            "errors of {} marginals of the columns as coded, as shares of the estimated rows: half \
             have a bound of {:.3} or less, and the largest bound is {largest:.3}; each holds with \
             95 % confidence by itself",
            bounds.len(),
            bounds[(bounds.len() - 1) / 2],
        ));
    }
    let joint = errors.marginals.iter().map(|it| it.joint_bound);
    // All or none: a joint bound of some marginals is a bound of nothing that was asked.
    if let Some(largest) = joint
        .collect::<Option<Vec<f64>>>()
        .filter(|all| all.len() > 1)
    {
        let largest = largest.into_iter().fold(0.0, f64::max);
        printer.detail(format_args!(
            "with 95 % confidence all of them at once are at most {largest:.3}"
        ));
    }
    if bounds.len() < count {
        printer.detail(format_args!(
            "nothing is known of {} marginals: their noise is too large for any bound",
            count - bounds.len()
        ));
    }
    if errors.left_out > 0 {
        printer.detail(format_args!(
            "nothing is said of {} other marginals of the workload: they are too many or too large",
            errors.left_out
        ));
    }
}

/// How the model compares with independent columns, and which relations not to rely on.
fn tell_noise(errors: &ErrorReport, printer: Printer) {
    let mut noise: Vec<&MarginalError> = errors
        .marginals
        .iter()
        .filter(|marginal| marginal.mostly_noise)
        .collect();
    // Those without a bound first, as if all of it were error.
    let order = |it: &MarginalError| it.bound.unwrap_or(1.0);
    noise.sort_by(|a, b| order(b).total_cmp(&order(a)));
    if let Some(compared) = &errors.against_independent {
        printer.say(format_args!(
            "{} pairs of columns are off by {:.3} in the mean, and those of independent columns \
             would be by {:.3} (each measured to within {:.3})",
            compared.pairs,
            compared.model.max(0.0),
            compared.independent.max(0.0),
            1.96 * compared.sigma
        ));
    }
    for marginal in noise.iter().take(MOST) {
        let columns = marginal.columns.join(" and ");
        match marginal.bound {
            Some(bound) => printer.say(format_args!(
                "do not rely on the relation between {columns}: it may be mostly noise at this \
                 epsilon (error up to {bound:.3})"
            )),
            None => printer.say(format_args!(
                "nothing is known of the relation between {columns} at this epsilon"
            )),
        }
    }
    if noise.len() > MOST {
        printer.say(format_args!(
            "nor on {} more, which --report lists",
            noise.len() - MOST
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use privacy::{Delta, Epsilon};
    use schema::{Declaration, Schema};
    use synthesis::{FitPlan, MethodOptions};
    use tabular::Joined;

    use super::*;

    #[test]
    fn a_line_says_what_a_column_was_taken_for() {
        let yaml = "a name of more than 28 letters: {categories: [x], other: true}\n\
                    age: {integer: {min: 0, max: 99, bins: 10}, nullable: true}\n\
                    b: {boolean: true}\n\
                    day: {date: {min: 2020-01-01, max: 2020-01-31}}\n";
        let schema = Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap();
        let rows: String = (0..400)
            .map(|i| format!("y,{},yes,2020-01-07\n", i % 100))
            .collect();
        let table = format!("a name of more than 28 letters,age,b,day\n{rows}");
        let table = Joined::from_csv(table.as_bytes(), Some(&schema)).unwrap();
        let method = MethodOptions::read("INDEPENDENT".parse().unwrap(), &Default::default());
        let (epsilon, delta) = (Epsilon::new(900.0).unwrap(), Delta::new(1e-9).unwrap());
        let plan = FitPlan::new(method.unwrap(), epsilon, delta)
            .check(schema)
            .unwrap();
        let mut go_on = |_| ControlFlow::Continue(());
        let model = plan.fit(table, &mut testkit::noise(1), &mut go_on).unwrap();
        assert_eq!(
            column_lines(&model.report().columns),
            [
                "  a name of more than 28 lette…  categories  1 value; 100.0 % `other`: declare \
                 its values or its range in a schema, or leave the column out",
                "  age                            integer     10 bins \
                 of up to 10 whole numbers, 0 to 99; 0.0 % missing",
                "  b                              boolean     2 values",
                "  day                            date        31 values, 2020-01-01 to 2020-01-31",
            ]
        );
    }
}
