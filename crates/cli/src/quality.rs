//! What a person is told of how far to rely on a model.

use synthesis::{ColumnReport, ErrorReport, MarginalError, Report};

use crate::printer::Printer;

/// Most columns, or relations, that are named one by one.
const MOST: usize = 5;

/// How many rows there are, what noise and coding hide, and how far the model is from the table.
pub(crate) fn tell(report: &Report, printer: Printer) {
    let [low, high] = report.row_count.between;
    printer.say(format_args!(
        "the table has between {low} and {high} rows with 95 % confidence, by noisy counts"
    ));
    tell_coding(&report.columns, printer);
    if let Some(errors) = &report.errors {
        tell_errors(errors, printer);
    }
    for warning in &report.warnings {
        printer.warn(warning);
    }
}

/// What the columns' codes lose of their values, which no stated error counts.
fn tell_coding(columns: &[ColumnReport], printer: Printer) {
    /// Less than this many rows do not matter.
    const NEGLIGIBLE: f64 = 0.005;
    if columns.iter().any(|column| column.widest_bin.is_some()) {
        printer.say("values beyond a column's range count as its ends; no stated error shows that");
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
    printer.say(format_args!(
        "the coding of the columns loses what is within a bin or `other`: {text}"
    ));
}

/// How far the model's marginals are from the table's, and what not to rely on.
fn tell_errors(errors: &ErrorReport, printer: Printer) {
    // Sorted for the median; marginals without a bound are told apart below.
    let mut bounds: Vec<f64> = errors.marginals.iter().filter_map(|it| it.bound).collect();
    bounds.sort_by(f64::total_cmp);
    let count = errors.marginals.len();
    if let Some(largest) = bounds.last() {
        printer.say(format_args!(
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
        printer.say(format_args!(
            "with 95 % confidence all of them at once are at most {largest:.3}"
        ));
    }
    if bounds.len() < count {
        printer.say(format_args!(
            "nothing is known of {} marginals: their noise is too large for any bound",
            count - bounds.len()
        ));
    }
    if errors.left_out > 0 {
        printer.say(format_args!(
            "nothing is said of {} other marginals of the workload: they are too many or too large",
            errors.left_out
        ));
    }
    tell_noise(errors, printer);
}

fn tell_noise(errors: &ErrorReport, printer: Printer) {
    let mut noise: Vec<&MarginalError> = errors
        .marginals
        .iter()
        .filter(|marginal| marginal.mostly_noise)
        .collect();
    // Those without a bound first, as if all of it were error.
    let order = |it: &MarginalError| it.bound.unwrap_or(1.0);
    noise.sort_by(|a, b| order(b).total_cmp(&order(a)));
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
            "nor rely on {} others, which --report lists under mostly_noise",
            noise.len() - MOST
        ));
    }
}
