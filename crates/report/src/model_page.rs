//! The page of a fitted model.

use privacy::DomainSource;
use schema::{Column, Schema};
use synthesis::{ErrorReport, MarginalError, MarginalReport, Model, OneWay, Report};

use crate::bars::{self, Bar, Distributions, Names};
use crate::budget;
use crate::constraint_text;
use crate::heat_map::{self, MOST_COLUMNS, PairError};
use crate::html::{self, Html, grouped, percent, short_numbers};

/// Charts of more columns would make a page that no browser scrolls through.
pub(crate) const MOST_CHARTS: usize = 200;
/// Rows of a list that nobody reads to its end.
const MOST_LISTED: usize = 20;
/// Rows of a table of figures.
const MOST_FIGURES: usize = 500;

const NAMES: Names = Names(["released", "synthetic"]);

/// Writes the page of a model and of its own report: what came out, what not to rely on, what each
/// column was taken for and how it is distributed, how far pairs of columns are off, what was kept,
/// where the budget went, and what is guaranteed.
///
/// The page is one HTML file that needs no script and loads nothing, and its own policy
/// (Content-Security-Policy) forbids both. All of it is computed from what the ledger paid for, so
/// it may be shown to anyone; where the model's domain was [taken from the
/// data](DomainSource::FromData), it says first of all that no guarantee holds. Texts of the table
/// are escaped.
///
/// At most 200 columns have charts, and at most 100 columns a map of their pairs; the page says
/// what it leaves out.
#[must_use]
pub fn model_page(model: &Model, report: &Report) -> String {
    let mut page = html::open("What a private model shows");
    if model.domain() == DomainSource::FromData {
        page.markup("<p class=\"danger\" role=\"note\">No guarantee holds: ");
        page.text(DomainSource::WHY_NO_GUARANTEE)
            .markup(". Do not publish this page.</p>\n");
    }
    page.markup("</header>\n<main>\n");
    came_out(&mut page, model, report);
    not_to_rely_on(&mut page, report);
    taken_for(&mut page, report);
    distributions(&mut page, model, report);
    relations(&mut page, model.schema(), report);
    constraints(&mut page, model.schema());
    spent(&mut page, model);
    guaranteed(&mut page, model);
    page.markup("</main>\n");
    html::close(page)
}

fn came_out(page: &mut Html, model: &Model, report: &Report) {
    let [low, high] = report.row_count.between.map(grouped);
    page.element("h2", "What came out");
    page.markup("<p>A model of ");
    page.text(format_args!(
        "{} columns, fitted by {}, from which any number of synthetic rows can be drawn. ",
        report.columns.len(),
        report.method
    ));
    page.text(format_args!(
        "The table has about {} rows: between {low} and {high} with 95 % confidence, by noisy \
         counts. ",
        grouped(report.rows)
    ));
    page.markup("The columns' values and ranges: ")
        .text(model.domain().in_words());
    page.markup(".</p>\n");
}

fn not_to_rely_on(page: &mut Html, report: &Report) {
    page.element("h2", "What not to rely on");
    let pairs = unreliable(report);
    let formulas: Vec<&str> = report
        .formulas
        .iter()
        .map(|it| it.column.as_str())
        .collect();
    if report.warnings.is_empty() && pairs.is_empty() && formulas.is_empty() {
        page.markup("<p>Nothing stands out: ");
        page.markup(match &report.errors {
            Some(_) => "no column and no relation that was judged is drowned in noise.</p>\n",
            None => {
                "no column is drowned in noise. This method does not measure its own \
                     errors.</p>\n"
            }
        });
        return;
    }
    page.markup("<ul class=\"warnings\">\n");
    for warning in &report.warnings {
        page.markup("<li><strong>Warning:</strong> ")
            .text(warning)
            .markup("</li>\n");
    }
    for marginal in pairs.iter().take(MOST_LISTED) {
        page.markup("<li>The relation between ");
        for (i, column) in marginal.columns.iter().enumerate() {
            page.markup(if i == 0 { "" } else { " and " }).word(column);
        }
        match marginal.bound {
            Some(bound) => page.text(format_args!(
                " may be mostly noise at this budget (error up to {}).",
                percent(bound)
            )),
            None => page.markup(": nothing is known of it at this budget."),
        };
        page.markup("</li>\n");
    }
    if pairs.len() > MOST_LISTED {
        let others = pairs.len() - MOST_LISTED;
        page.element("li", format_args!("Nor on {others} more."));
    }
    for column in formulas {
        page.markup("<li>A spreadsheet may take texts of ")
            .word(column);
        page.markup(" for formulas, and run them.</li>\n");
    }
    page.markup("</ul>\n");
}

/// Relations that may be mostly noise, the worst first.
fn unreliable(report: &Report) -> Vec<&MarginalError> {
    let marginals = report.errors.iter().flat_map(|errors| &errors.marginals);
    let mut found: Vec<&MarginalError> = marginals.filter(|it| it.mostly_noise).collect();
    let bound = |it: &MarginalError| it.bound.unwrap_or(1.0);
    found.sort_by(|a, b| bound(b).total_cmp(&bound(a)));
    found
}

fn taken_for(page: &mut Html, report: &Report) {
    page.element("h2", "What each column was taken for");
    let mut headings = vec![
        "",
        "column",
        "taken for",
        "values",
        "range",
        "widest bin",
        "missing",
        "other",
        "noise",
    ];
    // Mostly there is nothing to do, and paper is narrow.
    let advised = report.columns.iter().any(|column| column.advice.is_some());
    headings.extend(advised.then_some("what to do"));
    page.table(
        &headings,
        report.columns.iter().enumerate(),
        |page, (i, column)| {
            page.number(i + 1)
                .row_heading(&column.name)
                .cell(column.kind);
            let bin = column.widest_bin.as_ref().filter(|bin| !bin.is_exact());
            let values = grouped(column.values as u64);
            page.number(if bin.is_some() {
                values + " bins"
            } else {
                values
            });
            let range = column.range.as_ref();
            let mut facts: Vec<String> = range
                .map(|[low, high]| short_numbers(&format!("{low} to {high}")))
                .into_iter()
                .collect();
            facts.extend(column.conventions.iter().map(|it| (*it).to_owned()));
            page.cell(facts.join(", "));
            page.cell(bin.map_or(String::new(), |bin| {
                format!("{} ({})", bin.size(), short_numbers(&bin.bin))
            }));
            page.number(match column.missing {
                Some(missing) => percent(missing),
                None if column.nullable => "unknown".to_owned(),
                None => "never".to_owned(),
            });
            page.number(column.other.map_or("none".to_owned(), percent));
            page.number(column.noise.map_or("not measured".to_owned(), percent));
            if advised {
                page.cell(column.advice.unwrap_or_default());
            }
        },
    );
    page.markup(
        "<p class=\"note\">Missing and other: shares of the estimated rows. Noise: how far noise \
         alone takes the column's counts from the table's, half the sum of absolute differences as \
         a share of the rows. Where in a bin a value lies is lost, and values beyond the range \
         count as its ends.</p>\n",
    );
    if !report.identifiers.is_empty() {
        page.element("h3", "Columns of new identifiers");
        page.markup(
            "<p>Made for each row from nothing of the table, so that they cost no budget. No \
             identifier is that of a real row, though one may look the same by chance.</p>\n",
        );
        page.table(
            &["column", "format"],
            report.identifiers.iter(),
            |page, column| {
                page.row_heading(&column.name).cell(&column.format);
            },
        );
    }
}

fn distributions(page: &mut Html, model: &Model, report: &Report) {
    page.element("h2", "How the values are distributed");
    page.markup(
        "<p>Released: the counts that the budget paid for, with noise. Synthetic: what rows drawn \
         from the model have on average. Both as shares of the estimated rows.</p>\n",
    );
    bars::legend(page, NAMES, true);
    page.markup("<div class=\"charts\">\n");
    let columns = model.schema().columns();
    for (i, column) in columns.iter().take(MOST_CHARTS).enumerate() {
        page.markup("<article>\n<h3>")
            .word(column.name())
            .markup("</h3>\n");
        let Some(bars) = bars_of(model, report, i) else {
            page.element(
                "p",
                "It was never measured: the model has all its values alike.",
            );
            page.markup("</article>\n");
            continue;
        };
        bars::draw(page, column.name(), &bars, NAMES, i);
        page.markup("</article>\n");
    }
    page.markup("</div>\n");
    left_out(page, columns.len(), MOST_CHARTS, "columns");
}

/// A column's values as the budget paid for them and as the model has them, as shares of the
/// estimated rows; none where it was never measured.
pub(crate) fn bars_of(model: &Model, report: &Report, column: usize) -> Option<Vec<Bar>> {
    let OneWay {
        released,
        synthetic,
        ..
    } = model.one_way(column);
    if released.is_none() && synthetic.is_none() {
        return None;
    }
    let rows = report.rows as f64;
    let share = |counts: Vec<f64>| -> Vec<f64> {
        let shares = counts.into_iter().map(|count| count / rows);
        shares.collect()
    };
    let sigma = released.as_ref().map_or(0.0, |it| it.sigma / rows);
    let released = released.map(|it| share(it.counts));
    let synthetic = synthetic.map(share);
    let distributions = Distributions {
        column: &model.schema().columns()[column],
        shares: [released.as_deref(), synthetic.as_deref()],
        sigma,
    };
    Some(distributions.bars())
}

/// Says how many are not shown.
pub(crate) fn left_out(page: &mut Html, all: usize, most: usize, what: &'static str) {
    if all > most {
        let others = all - most;
        page.markup("<p class=\"note\">Left out: ");
        page.text(format_args!("{others} of {all} {what}."))
            .markup("</p>\n");
    }
}

fn relations(page: &mut Html, schema: &Schema, report: &Report) {
    page.element("h2", "How far relations are off");
    let (pairs, measured_errors) = match &report.errors {
        Some(errors) => (bounds(schema, errors), true),
        None => (fits(schema, &report.two_way), false),
    };
    if pairs.is_empty() {
        page.element("p", "No pair of columns was judged.");
        return;
    }
    page.markup(match measured_errors {
        true => {
            "<p>For each pair of columns, how far the model is from the table at most, with \
                 95 % confidence: the share of the rows (in %) that would have to move. "
        }
        false => {
            "<p>This method does not measure how far its model is from the table. For each \
                  pair that it counted: how far the model is from the noisy counts, and these on \
                  average from the table, together (in % of the rows). Nothing is said of the \
                  other pairs. "
        }
    });
    if let Some(errors) = &report.errors {
        page.text(format_args!(
            "The best that this budget can show is {}. ",
            percent(errors.best_possible)
        ));
        if errors.left_out > 0 {
            page.text(format_args!(
                "Nothing is said of {} other relations. ",
                errors.left_out
            ));
        }
    }
    page.markup("</p>\n");
    let names: Vec<&str> = schema.columns().iter().map(Column::name).collect();
    map_and_table(page, &names, pairs, "How far pairs of columns are off");
}

/// Draws the map of the pairs, and lists them in a table, the worst first.
pub(crate) fn map_and_table(
    page: &mut Html,
    names: &[&str],
    mut pairs: Vec<PairError>,
    what: &'static str,
) {
    heat_map::legend(page, pairs.iter().any(|pair| pair.unreliable));
    if names.len() > MOST_COLUMNS {
        page.markup("<p class=\"note\">").text(format_args!(
            "There is no map of more than {MOST_COLUMNS} columns; the table has the worst pairs."
        ));
        page.markup("</p>\n");
    } else {
        heat_map::draw(page, names, &pairs, what);
    }
    let size = |pair: &PairError| pair.error.unwrap_or(f64::INFINITY);
    pairs.sort_by(|a, b| size(b).total_cmp(&size(a)));
    page.markup("<details><summary>Figures</summary>\n");
    let headings = ["column", "column", "error", "best possible", ""];
    page.table(&headings, pairs.iter().take(MOST_FIGURES), |page, pair| {
        for column in pair.columns {
            page.markup("<td>").word(names[column]).markup("</td>");
        }
        page.number(pair.in_words())
            .number(percent(pair.best_possible));
        page.cell(if pair.unreliable {
            "do not rely on it"
        } else {
            ""
        });
    });
    left_out(page, pairs.len(), MOST_FIGURES, "pairs, which are nearer");
    page.markup("</details>\n");
}

/// Positions of a pair's columns; none for other marginals.
pub(crate) fn pair(schema: &Schema, names: &[String]) -> Option<[usize; 2]> {
    let [first, second] = names else {
        return None;
    };
    let (first, second) = (schema.position(first)?, schema.position(second)?);
    Some([first.min(second), first.max(second)])
}

/// The stated bounds.
fn bounds(schema: &Schema, errors: &ErrorReport) -> Vec<PairError> {
    let pairs = errors.marginals.iter().filter_map(|marginal| {
        Some(PairError {
            columns: pair(schema, &marginal.columns)?,
            error: marginal.bound,
            best_possible: errors.best_possible,
            unreliable: marginal.mostly_noise,
        })
    });
    heat_map::best_of_each(pairs)
}

/// How far from the table a pair is on average at most: by the triangle inequality, as far as the
/// model is from what was measured, and that from the table.
fn fits(schema: &Schema, measured: &[MarginalReport]) -> Vec<PairError> {
    let pairs = measured.iter().filter_map(|marginal| {
        Some(PairError {
            columns: pair(schema, &marginal.columns)?,
            error: Some(marginal.error + marginal.expected_noise),
            best_possible: marginal.expected_noise,
            unreliable: false,
        })
    });
    heat_map::best_of_each(pairs)
}

fn constraints(page: &mut Html, schema: &Schema) {
    page.element("h2", "Constraints kept");
    let declared = schema.to_declaration().constraints;
    if declared.is_empty() {
        page.element("p", "None were declared.");
        return;
    }
    page.markup("<p>They hold in every synthetic row.</p>\n<ul>\n");
    for constraint in declared.iter().take(MOST_FIGURES) {
        page.markup("<li>");
        constraint_text::sentence(page, constraint);
        page.markup("</li>\n");
    }
    page.markup("</ul>\n");
    left_out(
        page,
        declared.len(),
        MOST_FIGURES,
        "constraints, which are kept as well",
    );
}

fn spent(page: &mut Html, model: &Model) {
    page.element("h2", "Where the budget went");
    let ledger = model.ledger();
    page.markup("<p>The budget was ")
        .text(ledger.budget())
        .markup(".</p>\n");
    let names = model.schema().columns().iter().map(Column::name);
    let groups = budget::by_purpose(ledger, names);
    page.table(&["for", "spends", "share of rho"], groups, |page, group| {
        page.markup("<th scope=\"row\">")
            .text(group.purpose)
            .markup("</th>");
        page.number(match group.spends {
            0 => String::new(),
            spends => grouped(spends as u64),
        });
        page.number(percent(group.share));
    });
}

fn guaranteed(page: &mut Html, model: &Model) {
    page.element("h2", "What is guaranteed");
    let ledger = model.ledger();
    if model.domain() == DomainSource::FromData {
        page.markup("<p><strong>Nothing:</strong> ");
        page.text(DomainSource::WHY_NO_GUARANTEE).markup(".</p>\n");
        return;
    }
    for guarantee in ledger.guarantees() {
        page.element("p", guarantee.in_odds());
    }
    page.element(
        "p",
        match ledger.rows_per_id().get() {
            1 => {
                "One person is one id with one row; where the table has no ids, one row.".to_owned()
            }
            rows => format!("One person is one id, with up to {rows} rows."),
        },
    );
    for spend in ledger.domain_spends() {
        page.element(
            "p",
            format_args!(
                "Finding the schema cost epsilon {} with delta {:e} before; that is counted in.",
                spend.epsilon,
                spend.delta.get()
            ),
        );
    }
    let prior = model.prior().in_words();
    if !prior.is_empty() {
        page.element("p", "The fit started from public data:");
        page.markup("<ul>\n");
        for clause in prior {
            page.element("li", clause);
        }
        page.markup("</ul>\n");
    }
    page.markup("<details><summary>The same as formulas</summary>\n<ul>\n");
    for guarantee in ledger.guarantees() {
        page.element("li", guarantee.sentence());
    }
    page.markup("</ul>\n</details>\n");
}
