//! The summary of an agreement, as lines for a person.
//!
//! Names and categories are the words of other parties. Each line is escaped whole, so that none
//! can begin a line of its own, and what is not a plain word is quoted, so that none can pass for
//! ours.

use printable::escaped;
use protocol::{KeyFingerprint, MinimumRows};
use schema::{
    Bins, DecimalMark, Declared, DeclaredConstraint, DeclaredKind, DeclaredValue, Range, Reading,
    ValueForm,
};
use serde_json::Value;
use service::{Summary, TableSummary, UserSummary};

use crate::printer::Printer;

/// A list is cut here: nobody judges more of it on a screen.
const MOST_SHOWN: usize = 12;
const MOST_COLUMNS: usize = 60;
/// So is a text, in characters.
const LONGEST: usize = 60;

/// Returns the whole summary, with a line feed after each line but the last. `own` marks the
/// reader's own key.
pub(crate) fn text(summary: &Summary, own: Option<KeyFingerprint>) -> String {
    let mut lines = Vec::new();
    lines.push("the agreement, as it was read:".to_owned());
    budget(summary, &mut lines);
    lines.push("  who takes part (compare the keys' fingerprints by telephone):".to_owned());
    for one in &summary.users {
        user(one, own, &mut lines);
    }
    let key = word(&summary.key);
    lines.push(format!("  tables, joined on the column {key}:"));
    if !summary.id_normalise.is_empty() {
        let steps = summary.id_normalise.join(", ");
        lines.push(format!("    before ids are counted and compared: {steps}"));
    }
    for party in &summary.parties {
        table(party, &mut lines);
    }
    if let Some(test) = &summary.minimum_rows {
        minimum_rows(test, &mut lines);
    }
    model(summary, &mut lines);
    releases(summary, &mut lines);
    lines.push(format!("  hash: {}", summary.agreement_sha384));
    let lines: Vec<_> = lines.iter().map(|line| escaped(line)).collect();
    lines.join("\n")
}

/// Says what should make the parties think twice, however quiet it is to be.
pub(crate) fn warn(summary: &Summary, printer: Printer) {
    for warning in &summary.warnings {
        printer.warn(warning);
    }
}

fn budget(summary: &Summary, lines: &mut Vec<String>) {
    let danger = if summary.dangerous {
        " (DANGEROUS, and so marked)"
    } else {
        ""
    };
    lines.push(format!(
        "  privacy: epsilon {}{danger}, delta {}",
        summary.epsilon, summary.delta
    ));
    let guarantee = &summary.guarantee;
    for sentence in [&guarantee.presence, &guarantee.changing, &guarantee.rows] {
        lines.push(format!("    {sentence}"));
    }
    lines.push(match summary.people {
        Some(people) => format!("  people: about {people}, as the agreement states"),
        None => "  people: the agreement does not say how many".to_owned(),
    });
}

fn minimum_rows(test: &MinimumRows, lines: &mut Vec<String>) {
    lines.push(format!(
        "  nothing is trained if fewer than about {} rows meet: their number, with noise of \
         standard deviation {:.1}, must reach {}",
        test.rows, test.sigma, test.threshold
    ));
    lines.push(format!(
        "    tested at most {} times, for {} % of the budget each; an empty join passes less than \
         once in {:.0} times, and {} rows fail as rarely",
        test.tests,
        percent(test.share),
        1.0 / test.error,
        test.rows
    ));
    lines.push(
        "    whether it passes is told to all users; after a failure the parties upload again"
            .to_owned(),
    );
}

/// In percent, to three digits.
fn percent(share: f64) -> f64 {
    (1e5 * share).round() / 1e3
}

fn user(user: &UserSummary, own: Option<KeyFingerprint>, lines: &mut Vec<String>) {
    // Told by the fingerprint, since a name in the file is what others wrote.
    let yours = if own == Some(user.fingerprint) {
        ", your own key"
    } else {
        ""
    };
    let brings = if user.provides_data {
        ", brings data"
    } else {
        ""
    };
    lines.push(format!(
        "    {} (role {}{brings}), {}{yours}:",
        word(&user.name),
        word(&user.role),
        user.algorithm
    ));
    lines.push(format!("      {}", user.fingerprint.in_groups()));
    if !user.provides_data {
        lines.push(format!("      may use {}", user.may.join(", ")));
    }
}

fn table(party: &TableSummary, lines: &mut Vec<String>) {
    let rows = match party.max_rows_per_id {
        None => "one row an id, or the table is refused".to_owned(),
        Some(rows) => format!("at most {rows} rows an id, of more a random choice"),
    };
    let name = word(&party.name);
    let Some(declaration) = &party.columns else {
        lines.push(format!(
            "    {name}: {rows}; all its columns, and what they hold is found out under the budget"
        ));
        return;
    };
    let columns = &declaration.columns;
    lines.push(format!(
        "    {name}: {rows}; these {} columns and no others",
        columns.len() + declaration.discover.len()
    ));
    if let Some(origin) = &declaration.origin {
        lines.push(format!("      declared as {origin}"));
    }
    for (column, declared) in columns.iter().take(MOST_COLUMNS) {
        lines.push(format!("      {}: {}", word(column), values(declared)));
    }
    if columns.len() > MOST_COLUMNS {
        lines.push(format!("      and {} others", columns.len() - MOST_COLUMNS));
    }
    let names = |names: &[String]| list(names.iter().map(|name| word(name)));
    if !declaration.discover.is_empty() {
        let names = names(&declaration.discover);
        lines.push(format!("      found out under the budget: {names}"));
    }
    if !declaration.drop.is_empty() {
        let names = names(&declaration.drop);
        lines.push(format!("      left out: {names}"));
    }
    let read = reading(&declaration.read);
    if !read.is_empty() {
        lines.push(format!("      in all columns{read}"));
    }
    if let Some(DecimalMark::Comma) = declaration.read.decimal {
        lines.push("      in all columns: a decimal comma".to_owned());
    }
    constraints(&declaration.constraints, "      ", lines);
}

/// What a column holds.
fn values(declared: &Declared) -> String {
    let mut text = match &declared.kind {
        DeclaredKind::Categories(texts) => {
            format!(
                "{} categories: {}",
                texts.len(),
                list(texts.iter().map(|text| word(text)))
            )
        }
        DeclaredKind::Integer(range) => ordered("whole numbers", range),
        DeclaredKind::Number(range) => ordered("numbers", range),
        DeclaredKind::Date(range) => ordered("dates", range),
        DeclaredKind::Datetime(range) => ordered("dates with times", range),
        DeclaredKind::Boolean => "true or false".to_owned(),
        DeclaredKind::Identifier(form) => format!(
            "not read; each synthetic row gets a new identifier of the form {}",
            word(form.as_ref())
        ),
    };
    text.push_str(&form(&declared.form));
    if declared.other {
        text.push_str("; anything else counts as `other`");
    }
    if declared.nullable {
        text.push_str("; may be empty");
    }
    text.push_str(&reading(&declared.reading));
    text
}

/// How values are written.
fn form(form: &ValueForm) -> String {
    let words = |words: &[String]| list(words.iter().map(|text| word(text)));
    match form {
        ValueForm::Usual => String::new(),
        ValueForm::Date(form) => format!("; written as {}", word(form.pattern())),
        ValueForm::Number { form, decimals } => {
            let decimals = decimals.map(|decimals| format!("; with {decimals} decimals"));
            let comma = match form.decimal {
                DecimalMark::Comma => "; with a decimal comma",
                DecimalMark::Point => "",
            };
            decimals.unwrap_or_default() + comma
        }
        ValueForm::Boolean(truths) => format!(
            "; false is {}, true {}",
            words(&truths.falses),
            words(&truths.trues)
        ),
    }
}

/// What decides whether a table is taken in.
fn reading(reading: &Reading) -> String {
    let mut text = String::new();
    if !reading.missing.is_empty() {
        let missing = list(reading.missing.iter().map(|text| word(text)));
        text.push_str(&format!("; also missing: {missing}"));
    }
    if let Some(tolerance) = reading.tolerance {
        text.push_str(&format!(
            "; {tolerance} of the fields may be not understood"
        ));
    }
    text
}

fn ordered<T: std::fmt::Display>(what: &str, range: &Range<T>) -> String {
    let bins = match &range.bins {
        Bins::Uniform(bins) => format!("at most {bins} bins"),
        Bins::Quantile(bins) => format!("{bins} bins that are found out under the budget"),
        Bins::Cuts(cuts) => format!(
            "bins that begin at {}",
            list(cuts.iter().map(ToString::to_string))
        ),
    };
    format!("{what} from {} to {}, {bins}", range.min, range.max)
}

/// How the model is fitted.
fn model(summary: &Summary, lines: &mut Vec<String>) {
    let params = match summary.params.is_empty() {
        true => "no parameters set".to_owned(),
        false => list(
            summary
                .params
                .iter()
                .map(|(name, value)| format!("{} = {}", word(name), plain(value))),
        ),
    };
    lines.push(format!("  model: {}, {params}", summary.method));
    if let Some(share) = summary.discovery_share {
        lines.push(format!(
            "    at most {} % of the budget goes into finding out what the agreement does not \
             declare",
            share * 100.0
        ));
    }
    if let Some(workload) = &summary.workload {
        let marginals = workload.iter().map(|marginal| {
            let columns: Vec<String> = marginal.columns.iter().map(|name| word(name)).collect();
            format!("{} (weight {})", columns.join(" x "), marginal.weight)
        });
        lines.push(format!(
            "    made to keep {} marginals: {}",
            workload.len(),
            list(marginals)
        ));
    }
    if let Some(target) = &summary.target {
        lines.push(format!("    made to predict {}", word(target)));
    }
    constraints(&summary.constraints, "    ", lines);
}

fn constraints(constraints: &[DeclaredConstraint], indent: &str, lines: &mut Vec<String>) {
    for constraint in constraints.iter().take(MOST_SHOWN) {
        let text = match constraint {
            DeclaredConstraint::Impossible(columns) => {
                let one = |(column, values): &(String, Vec<DeclaredValue>)| {
                    let value =
                        |value: &DeclaredValue| value.as_deref().map_or("null".to_owned(), word);
                    format!("{} in [{}]", word(column), list(values.iter().map(value)))
                };
                let columns: Vec<String> = columns.iter().map(one).collect();
                format!("never {}", columns.join(" with "))
            }
            DeclaredConstraint::Determines { from, to, map } => {
                format!(
                    "{} determines {} ({} values)",
                    word(from),
                    word(to),
                    map.len()
                )
            }
        };
        lines.push(format!("{indent}constraint: {text}"));
    }
    if constraints.len() > MOST_SHOWN {
        lines.push(format!(
            "{indent}and {} other constraints",
            constraints.len() - MOST_SHOWN
        ));
    }
}

fn releases(summary: &Summary, lines: &mut Vec<String>) {
    lines.push("  released (names, number and order of columns count as public):".to_owned());
    for release in &summary.releases {
        let to = list(release.to.iter().map(|name| word(name)));
        let to = if to.is_empty() {
            "nobody".to_owned()
        } else {
            to
        };
        lines.push(format!("    {} ({}): to {to}", release.what, release.path));
    }
    lines.push(format!(
        "  uploads are overwritten after {} hours without activity, and by training",
        summary.expires_after_seconds / 3_600
    ));
    let limits = serde_json::to_value(&summary.limits).unwrap_or_default();
    let limits = limits.as_object().into_iter().flatten();
    lines.push(format!(
        "  limits: {}",
        limits
            .map(|(name, value)| format!("{name} {}", plain(value)))
            .collect::<Vec<_>>()
            .join(", ")
    ));
}

/// The first of a list, and how many others there are.
fn list(all: impl ExactSizeIterator<Item = String>) -> String {
    let others = all.len().saturating_sub(MOST_SHOWN);
    let mut text = all.take(MOST_SHOWN).collect::<Vec<_>>().join(", ");
    if others > 0 {
        text.push_str(&format!(", and {others} others"));
    }
    text
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => word(text),
        other => other.to_string(),
    }
}

/// A word of somebody else: as it is if it is made of letters, digits, and `_`, `-` and `.`; else
/// in quotes.
fn word(text: &str) -> String {
    // Cut before it is quoted, so that the closing quote is never cut off.
    let short: String = text.chars().take(LONGEST).collect();
    let ellipsis = if short.len() < text.len() { "…" } else { "" };
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !short.is_empty() && short.chars().all(is_plain) {
        return format!("{short}{ellipsis}");
    }
    // A quote within would end the word early, and what follows would pass for ours.
    let short = short.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{short}{ellipsis}\"")
}

#[cfg(test)]
mod tests {
    use super::{list, word};

    #[test]
    fn foreign_words_cannot_pass_for_ours() {
        assert_eq!(word("Alice_age"), "Alice_age");
        assert_eq!(word("2-4.5"), "2-4.5");
        assert_eq!(word("Größe"), "Größe");
        assert_eq!(word(""), "\"\"");
        assert_eq!(word("low; epsilon 3"), "\"low; epsilon 3\"");
        assert_eq!(word("a\" b\\"), "\"a\\\" b\\\\\"");
        assert_eq!(word(&"x".repeat(100)), format!("{}…", "x".repeat(60)));
    }

    #[test]
    fn long_lists_are_cut_and_say_so() {
        let words = |count: usize| list((0..count).map(|i| i.to_string()));
        assert_eq!(words(3), "0, 1, 2");
        assert!(words(12).ends_with(", 11"));
        assert!(words(15).ends_with(", 11, and 3 others"));
    }
}
