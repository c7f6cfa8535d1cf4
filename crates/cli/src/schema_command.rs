//! `synclave schema`: a schema to start from.

use std::path::Path;

use privacy::{Delta, Epsilon, budget_warnings};
use schema::Origin;
use serde_json::{Value, json};

use crate::arguments::SchemaOptions;
use crate::calling::Calling;
use crate::exit::BadInput;
use crate::printer::{PRIVATE_FIELD, Printer};
use crate::schema_draft::{NothingFound, ReadTable, SchemaDraft, SchemaRequest, SchemaSource};
use crate::{interrupt, receipt, table_input, whole_file};

pub(crate) fn run(options: &SchemaOptions, printer: Printer) -> anyhow::Result<()> {
    let table = options.data.as_deref();
    whole_file::check_outputs(
        &[("--output", output(options))],
        &[
            (
                "the table",
                table.filter(|path| !table_input::is_stdin(path)),
            ),
            ("the code book", options.codebook.as_deref()),
        ],
    )?;
    interrupt::leaves_nothing_behind(printer)?;
    let request = SchemaRequest {
        source: source(options, printer)?,
        key: options.key.as_deref(),
        keep: &options.keep,
        calling: Calling::CommandLine,
    };
    let read: Option<Box<ReadTable<'_>>> = table.map(|path| -> Box<ReadTable<'_>> {
        Box::new(move |ids, schema| {
            let table = table_input::read(path, &options.how, ids, schema)?;
            let notes = table.tell(printer);
            Ok((table.upload, notes))
        })
    });
    let draft = request.draft(read.as_deref()).inspect_err(|error| {
        let spent = NothingFound::ledger_of(error).map(receipt::ledger_lines);
        for line in spent.into_iter().flatten() {
            printer.warn(line);
        }
    })?;
    give(&draft, options, printer)
}

/// Where the schema goes, unless it is standard output.
fn output(options: &SchemaOptions) -> Option<&Path> {
    let output = options.output.as_deref();
    output.filter(|path| *path != Path::new(whole_file::STANDARD))
}

fn source(options: &SchemaOptions, printer: Printer) -> anyhow::Result<SchemaSource<'_>> {
    if let Some(file) = &options.codebook {
        let sheet = match options.data {
            // Of two workbooks it is said of the table.
            Some(_) => None,
            None => options.how.sheet.as_deref(),
        };
        return Ok(SchemaSource::Codebook { file, sheet });
    }
    let Some(epsilon) = options.private else {
        return Ok(SchemaSource::Rows);
    };
    let epsilon = Epsilon::new(epsilon).map_err(|error| BadInput(error.to_string()))?;
    let delta = Delta::new(options.delta).map_err(|error| BadInput(error.to_string()))?;
    // Before a large table is read.
    for warning in budget_warnings(epsilon, delta, None) {
        printer.warn(warning);
    }
    Ok(SchemaSource::Discovery {
        epsilon,
        delta,
        max_rows_per_id: options.max_rows_per_id,
    })
}

fn give(draft: &SchemaDraft, options: &SchemaOptions, printer: Printer) -> anyhow::Result<()> {
    if !draft.beside_codebook().is_empty() {
        printer.say(format_args!(
            "not in the code book, and so discovered by a fit under its budget: {}",
            draft.beside_codebook().join(", ")
        ));
    }
    if let Some(path) = output(options) {
        whole_file::write(path, |out| Ok(out.write_all(draft.text().as_bytes())?))?;
        let (columns, dropped) = draft.counts();
        let said = format!(
            "wrote a schema of {columns} columns to {}, of which {dropped} are left out",
            path.display()
        );
        match draft.origin() {
            Origin::Data => printer.private(said),
            _ => printer.say(said),
        }
    } else {
        printer.result_lines(draft.text().trim_end());
    }
    match draft.origin() {
        Origin::Data => printer.say(
            "read every line of it, take out what could not have been known without the table, \
             and write `origin: reviewed`: until then a fit with it has no guarantee",
        ),
        Origin::Discovery(spend) => printer.say(format_args!(
            "it cost epsilon {} with delta {:e}, to which each fit with it adds its own",
            spend.epsilon, spend.delta
        )),
        _ => {}
    }
    if let Some(ledger) = draft.ledger() {
        receipt::detail_entries(ledger, printer);
    }
    printer.document(&document(draft, options, printer));
    Ok(())
}

fn document(draft: &SchemaDraft, options: &SchemaOptions, printer: Printer) -> Value {
    let mut document = json!({
        "output": output(options),
        "origin": draft.origin(),
        "columns": draft.columns(),
    });
    if output(options).is_none() {
        document["schema"] = draft.text().into();
    }
    if draft.origin() == Origin::Data {
        // All of it is computed from the rows without noise.
        document["notes"] = json!(draft.notes());
        return json!({ PRIVATE_FIELD: document });
    }
    if let Some(ledger) = draft.ledger() {
        document["ledger"] = json!(ledger);
    }
    printer.private_field(&mut document, json!({ "notes": draft.notes() }));
    document
}
