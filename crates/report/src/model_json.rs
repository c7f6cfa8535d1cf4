//! What the page of a fitted model shows, for programs.

use privacy::DomainSource;
use serde_json::{Map, Value, json};
use synthesis::{Model, Report};

use crate::bars::Bar;
use crate::budget;
use crate::html::shortened;
use crate::model_page::bars_of;

/// A label is cut here, in characters: a category may be as long as a book, and a column has up to
/// 26 of them.
const LONGEST: usize = 120;

/// Returns the report's own JSON, and beside it what only [`model_page`](crate::model_page) shows:
///
/// - `distributions`: for each column, in the model's order, its values as on the page, with
///   neighbouring bins and rare categories together: `{column, values: [{label, released,
///   synthetic, error}]}`. `released` and `synthetic` are shares of the estimated rows, null where
///   unknown; noise can make a released one negative. `error` is half the width of the 95 %
///   interval of the noise in `released`. `values` is null for a column that was never measured.
/// - `constraints`: as they are declared.
/// - `spent`: the `budget`, and shares of it by what it was for.
/// - `guarantees`: each as `odds` and as a `formula`; `danger` says why none holds.
///
/// It is computed from what the ledger paid for. Texts of the table are as they were written:
/// whoever shows them escapes them; labels are cut after 120 characters.
#[must_use]
pub fn model_json(model: &Model, report: &Report) -> Value {
    let mut all = match serde_json::to_value(report) {
        Ok(Value::Object(report)) => report,
        // A report holds nothing that JSON cannot.
        _ => Map::new(),
    };
    let columns = model.schema().columns().iter();
    let distributions: Vec<Value> = columns
        .enumerate()
        .map(|(i, column)| {
            let bars = bars_of(model, report, i);
            let values: Option<Vec<Value>> = bars.map(|bars| bars.iter().map(value).collect());
            json!({"column": column.name(), "values": values})
        })
        .collect();
    all.insert("distributions".to_owned(), distributions.into());
    all.insert(
        "constraints".to_owned(),
        json!(model.schema().to_declaration().constraints),
    );
    all.insert("spent".to_owned(), spent(model));
    let from_data = model.domain() == DomainSource::FromData;
    let danger = from_data.then_some(DomainSource::WHY_NO_GUARANTEE);
    all.insert("danger".to_owned(), json!(danger));
    all.insert("guarantees".to_owned(), guarantees(model));
    all.into()
}

fn value(bar: &Bar) -> Value {
    let [released, synthetic] = bar.shares;
    json!({
        "label": shortened(&bar.label, LONGEST),
        "released": released,
        "synthetic": synthetic,
        "error": bar.error,
    })
}

fn spent(model: &Model) -> Value {
    let ledger = model.ledger();
    let names = model.schema().columns().iter().map(schema::Column::name);
    let groups: Vec<Value> = budget::by_purpose(ledger, names)
        .iter()
        .map(
            |group| json!({"purpose": group.purpose, "spends": group.spends, "share": group.share}),
        )
        .collect();
    json!({"budget": ledger.budget().to_string(), "groups": groups})
}

fn guarantees(model: &Model) -> Value {
    if model.domain() == DomainSource::FromData {
        return json!([]);
    }
    let guarantees = model.ledger().guarantees().iter();
    let in_words = guarantees
        .map(|guarantee| json!({"odds": guarantee.in_odds(), "formula": guarantee.sentence()}));
    in_words.collect()
}
