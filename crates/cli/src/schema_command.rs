//! `synclave schema`: a schema to start from.

use std::num::NonZeroU32;
use std::path::Path;

use privacy::{
    Accounting, Delta, Epsilon, Ledger, LedgerOptions, LedgerRecord, NoiseRng, budget_warnings,
    check_budget,
};
use schema::{Declaration, DeclaredKind, Origin, Schema, SchemaSpend};
use serde_json::{Value, json};
use strict_yaml::nearest;
use tabular::{Joined, Looks, MIN_RANGED, MIN_SHARED, Outline};

use crate::arguments::SchemaOptions;
use crate::codebook;
use crate::exit::BadInput;
use crate::printer::{PRIVATE_FIELD, Printer};
use crate::schema_text::{self, Entry, Line, word};
use crate::table_input::IdReading;
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
    let written = match (&options.codebook, options.private, table) {
        (Some(book), ..) => from_codebook(options, book, printer)?,
        (None, Some(epsilon), Some(table)) => by_discovery(options, table, epsilon, printer)?,
        (None, None, Some(table)) => from_data(options, table, printer)?,
        (None, _, None) => {
            let message = "name a table, or a code book with --codebook";
            return Err(BadInput(message.to_owned()).into());
        }
    };
    check(&written).inspect_err(|_| written.tell_spent(printer))?;
    written.give(options, printer)
}

/// Where the schema goes, unless it is standard output.
fn output(options: &SchemaOptions) -> Option<&Path> {
    let output = options.output.as_deref();
    output.filter(|path| *path != Path::new(whole_file::STANDARD))
}

/// A schema, and what is told of it.
struct Written {
    text: String,
    origin: Origin,
    lines: Vec<Line>,
    /// What its owner was told of the table.
    notes: Vec<String>,
    ledger: Option<LedgerRecord>,
}

/// There is too little in the table that people share.
#[derive(Debug, thiserror::Error)]
#[error(
    "no column has a text that {MIN_SHARED} people share, or numbers or dates of {MIN_RANGED} \
     people, and is not left out by its looks: write the schema by hand, from what is known without \
     the table, or keep a column with --keep"
)]
pub(crate) struct NothingShared;

/// Discovery found nothing: that is its outcome, and no more private than what it finds.
#[derive(Debug, thiserror::Error)]
#[error(
    "nothing of any column could be told from noise with this budget: give --private a larger \
     epsilon, or write the schema by hand, from what is known without the table"
)]
pub(crate) struct NothingFound {
    /// What it has cost to find that out.
    pub(crate) ledger: Option<LedgerRecord>,
}

/// What a text of ours says must be what a fit reads.
fn check(written: &Written) -> anyhow::Result<()> {
    let has_columns = |line: &Line| matches!(line.entry, Entry::Declared(_));
    if !written.lines.iter().any(has_columns) {
        return Err(match written.origin {
            Origin::Codebook => BadInput(
                "the code book says of no column what it can hold: give values, or min and max"
                    .to_owned(),
            )
            .into(),
            Origin::Discovery(_) => {
                let problem = BadInput("no schema was found".to_owned());
                let ledger = written.ledger.clone();
                anyhow::Error::new(NothingFound { ledger }).context(problem)
            }
            _ => {
                let problem = BadInput("no schema can be made of the table".to_owned());
                anyhow::Error::new(NothingShared).context(problem)
            }
        });
    }
    Schema::new(Declaration::from_yaml(&written.text)?)?;
    Ok(())
}

impl Written {
    /// Tells what a schema that is not written has cost all the same.
    fn tell_spent(&self, printer: Printer) {
        let (Some(ledger), Origin::Discovery(spend)) = (&self.ledger, self.origin) else {
            return;
        };
        printer.warn(format_args!(
            "epsilon {} with delta {:e} is spent all the same: that nothing was found is released",
            spend.epsilon, spend.delta
        ));
        for line in receipt::ledger_lines(ledger) {
            printer.warn(line);
        }
    }

    fn give(self, options: &SchemaOptions, printer: Printer) -> anyhow::Result<()> {
        let is_private = self.origin == Origin::Data;
        if let Some(path) = output(options) {
            whole_file::write(path, |out| Ok(out.write_all(self.text.as_bytes())?))?;
            let left_out = self
                .lines
                .iter()
                .filter(|it| matches!(it.entry, Entry::Drop));
            let said = format!(
                "wrote a schema of {} columns to {}, of which {} are left out",
                self.lines.len(),
                path.display(),
                left_out.count()
            );
            match is_private {
                true => printer.private(said),
                false => printer.say(said),
            }
        } else {
            printer.result_lines(self.text.trim_end());
        }
        match self.origin {
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
        if let Some(ledger) = &self.ledger {
            receipt::detail_entries(ledger, printer);
        }
        printer.document(&self.document(options, printer));
        Ok(())
    }

    fn document(&self, options: &SchemaOptions, printer: Printer) -> Value {
        let column = |line: &Line| {
            json!({
                "name": line.name,
                "written": line.entry.in_a_word(),
                "comments": line.comments,
            })
        };
        let columns: Vec<Value> = self.lines.iter().map(column).collect();
        let mut document = json!({
            "output": output(options),
            "origin": self.origin,
            "columns": columns,
        });
        if output(options).is_none() {
            document["schema"] = self.text.as_str().into();
        }
        if self.origin == Origin::Data {
            // All of it is computed from the rows without noise.
            document["notes"] = json!(self.notes);
            return json!({ PRIVATE_FIELD: document });
        }
        if let Some(ledger) = &self.ledger {
            document["ledger"] = json!(ledger);
        }
        printer.private_field(&mut document, json!({ "notes": self.notes }));
        document
    }
}

fn from_data(options: &SchemaOptions, path: &Path, printer: Printer) -> anyhow::Result<Written> {
    let key = options.key.as_deref();
    // A person is an id, however many rows it has; all of them are looked at.
    let all = key.and(Some(NonZeroU32::MAX));
    let ids = IdReading {
        key,
        max_rows_per_id: all,
        ..IdReading::default()
    };
    let table = table_input::read(path, &options.how, &ids, None)?;
    let names: Vec<&str> = table.upload.column_names().collect();
    check_kept(options, &names)?;
    let notes = table.tell(printer);
    let outlines = table.upload.dangerous_outline();
    let mut lines: Vec<Line> = key.map(key_line).into_iter().collect();
    lines.extend(
        outlines
            .into_iter()
            .map(|outline| outlined(outline, options)),
    );
    let people = match key {
        Some(_) => "people",
        None => "people (each row counts as one)",
    };
    let preface = [
        format!(
            "A schema to start from. What stands here was taken from the table itself: texts that \
             at least {MIN_SHARED} {people} share, and ranges rounded outward from values that as \
             many reach, where {MIN_RANGED} have one."
        ),
        "Read every line, and take out what you could not have known without the table. Then write \
         `origin: reviewed` in place of `origin: data`: until then a fit with this schema has no \
         guarantee."
            .to_owned(),
    ];
    Ok(Written {
        text: schema_text::write(&preface, Origin::Data, &lines),
        origin: Origin::Data,
        lines,
        notes,
        ledger: None,
    })
}

fn outlined(outline: Outline, options: &SchemaOptions) -> Line {
    let Outline {
        name,
        declared,
        looks,
        left_out,
        other_texts,
    } = outline;
    let is_kept = options.keep.contains(&name);
    let mut comments = Vec::new();
    let entry = match (declared, looks) {
        (_, Some(looks)) if !is_kept => {
            comments.push(dropped(&name, looks));
            Entry::Drop
        }
        (Some(mut declared), looks) => {
            if let Some(looks) = looks {
                comments.push(format!("Looks like {looks}, and is kept as you asked."));
            }
            // One text that stands for everything else, and perhaps was a text of its own.
            if matches!(&declared.kind, DeclaredKind::Categories(texts) if texts.is_empty()) {
                declared.other = true;
            }
            Entry::Declared(declared)
        }
        (None, _) => {
            comments.push(format!(
                "Has no text that {MIN_SHARED} people share, and no numbers or dates of \
                 {MIN_RANGED}, and is left out: declare it from what is known without the table."
            ));
            Entry::Drop
        }
    };
    if let Entry::Declared(_) = entry {
        comments.extend(of_left_out(left_out));
        if !other_texts.is_empty() {
            let texts: Vec<String> = other_texts.iter().map(|text| word(text)).collect();
            let texts = texts.join(", ");
            comments.push(format!(
                "Besides, it has the texts [{texts}], which are `other`: list them under \
                 `missing` where they stand for no value."
            ));
        }
    }
    Line {
        name,
        entry,
        comments,
    }
}

/// How many values are not in a list of categories, and never which.
fn of_left_out(left_out: usize) -> Option<String> {
    let left_out = match left_out {
        0 => return None,
        1 => "1 more value, of".to_owned(),
        _ => format!("{left_out} more values, each of"),
    };
    Some(format!(
        "{left_out} fewer than {MIN_SHARED} people, left out: they are `other`."
    ))
}

fn dropped(name: &str, looks: Looks) -> String {
    format!("Looks like {looks}, and is left out; --keep {name:?} writes what it holds.")
}

fn key_line(key: &str) -> Line {
    Line {
        name: key.to_owned(),
        entry: Entry::Nothing,
        comments: vec![format!(
            "The column {key:?} says whose a row is: it is given as --key, and not declared."
        )],
    }
}

fn check_kept(options: &SchemaOptions, names: &[&str]) -> Result<(), BadInput> {
    let unknown = |kept: &&String| !names.contains(&kept.as_str());
    let Some(unknown) = options.keep.iter().find(unknown) else {
        return Ok(());
    };
    let meant = match nearest(unknown, names.iter().copied()) {
        Some(meant) => format!("; did you mean `{meant}`?"),
        None => String::new(),
    };
    Err(BadInput(format!(
        "--keep names the column `{unknown}`, which there is not{meant}"
    )))
}

fn by_discovery(
    options: &SchemaOptions,
    path: &Path,
    epsilon: f64,
    printer: Printer,
) -> anyhow::Result<Written> {
    let bad_input = |error: &dyn std::fmt::Display| BadInput(error.to_string());
    let epsilon = Epsilon::new(epsilon).map_err(|error| bad_input(&error))?;
    let delta = Delta::new(options.delta).map_err(|error| bad_input(&error))?;
    check_budget(epsilon, delta, false).map_err(|error| bad_input(&error))?;
    for warning in budget_warnings(epsilon, delta, None) {
        printer.warn(warning);
    }
    let key = options.key.as_deref();
    let ids = IdReading {
        key,
        max_rows_per_id: options.max_rows_per_id,
        ..IdReading::default()
    };
    let table = table_input::read(path, &options.how, &ids, None)?;
    let names: Vec<String> = table.upload.column_names().map(str::to_owned).collect();
    check_kept(
        options,
        &names.iter().map(String::as_str).collect::<Vec<_>>(),
    )?;
    let notes = table.tell(printer);
    // By their names alone, which are public: nothing is spent on what is left out anyway.
    let looks = |name: &str| {
        let is_kept = options.keep.iter().any(|kept| kept == name);
        Looks::of_name(name).filter(|_| !is_kept)
    };
    if names.iter().all(|name| looks(name).is_some()) {
        let message = "by their names, all columns are better left out: name one with --keep";
        return Err(BadInput(message.to_owned()).into());
    }
    let upload = table.upload.without(|name| looks(name).is_some());
    let mut ledger = Ledger::open(LedgerOptions {
        // As much for finding texts as for everything else.
        threshold_share: Some(0.5),
        rows_per_id: ids.max_rows_per_id.unwrap_or(NonZeroU32::MIN),
        ..LedgerOptions::new(epsilon, delta, Accounting::Gdp)
    })
    .map_err(|error| bad_input(&error))?;
    let mut rng = NoiseRng::from_os()?;
    let total = ledger.total();
    let coded = Joined::single(upload).into_coded(&mut ledger, total, &mut rng)?;
    let found = coded.schema().to_declaration();
    drop(coded);
    let ledger = ledger.close();
    let line = |name: &String| {
        let found = found.columns.iter().find(|(own, _)| own == name);
        let nothing = |kind: &DeclaredKind| match kind {
            DeclaredKind::Categories(texts) => texts.is_empty(),
            _ => false,
        };
        let (entry, comment) = match (found, looks(name)) {
            (Some((_, declared)), _) if !nothing(&declared.kind) => {
                (Entry::Declared(declared.clone()), None)
            }
            (_, Some(looks)) => (Entry::Drop, Some(dropped(name, looks))),
            _ => {
                let comment = "Nothing of it could be told from noise, and it is left out.";
                (Entry::Drop, Some(comment.to_owned()))
            }
        };
        Line {
            name: name.clone(),
            entry,
            comments: comment.into_iter().collect(),
        }
    };
    let mut lines: Vec<Line> = key.map(key_line).into_iter().collect();
    lines.extend(names.iter().map(line));
    let origin = Origin::Discovery(SchemaSpend {
        epsilon: epsilon.get(),
        delta: delta.get(),
        rows_per_id: ledger.rows_per_id(),
    });
    let preface = [format!(
        "A schema that was found in the table under differential privacy, with epsilon {epsilon} \
         and delta {:e}; it may be shown to anyone. What a fit with it guarantees is the sum of \
         that and its own budget, as long as `origin` says so.",
        delta.get()
    )];
    Ok(Written {
        text: schema_text::write(&preface, origin, &lines),
        origin,
        lines,
        notes,
        ledger: Some(ledger),
    })
}

fn from_codebook(
    options: &SchemaOptions,
    book: &Path,
    printer: Printer,
) -> anyhow::Result<Written> {
    let sheet = match options.data {
        // Of two workbooks it is said of the table.
        Some(_) => None,
        None => options.how.sheet.as_deref(),
    };
    let mut lines = codebook::read(book, sheet)?;
    let names: Vec<&str> = lines.iter().map(|line| line.name.as_str()).collect();
    check_kept(options, &names)?;
    for line in &mut lines {
        let is_key = options.key.as_deref() == Some(line.name.as_str());
        if is_key {
            *line = key_line(&line.name);
        } else if let Entry::Discover = line.entry
            && let Some(looks) = Looks::of_name(&line.name)
            && !options.keep.contains(&line.name)
        {
            line.comments.push(dropped(&line.name, looks));
            line.entry = Entry::Drop;
        }
    }
    let mut preface = vec![
        "A schema from a code book, which is public: it needs no budget and no review of what \
         people have in the table."
            .to_owned(),
    ];
    let mut written = Written {
        text: schema_text::write(&preface, Origin::Codebook, &lines),
        origin: Origin::Codebook,
        lines,
        notes: Vec::new(),
        ledger: None,
    };
    check(&written)?;
    let Some(table) = &options.data else {
        return Ok(written);
    };
    let schema = Schema::new(Declaration::from_yaml(&written.text)?)?.discovering_rest();
    let key = options.key.as_deref();
    let ids = IdReading {
        key,
        max_rows_per_id: key.and(Some(NonZeroU32::MAX)),
        ..IdReading::default()
    };
    // What the table has too little or too much of is refused as in a fit: which column, how many.
    let table = table_input::read(table, &options.how, &ids, Some(&schema)).map_err(|error| {
        error.context(BadInput(format!(
            "the code book in {} and the table contradict each other; mend one of them, or leave \
             the table out to get the schema of the code book as it is",
            book.display()
        )))
    })?;
    written.notes = table.tell(printer);
    let unknown: Vec<String> = table
        .upload
        .column_names()
        .filter(|name| !written.lines.iter().any(|line| line.name == *name))
        .map(word)
        .collect();
    if !unknown.is_empty() {
        let unknown = unknown.join(", ");
        printer.say(format_args!(
            "not in the code book, and so discovered by a fit under its budget: {unknown}"
        ));
        preface.push(format!(
            "The table has columns besides, which a fit discovers under its budget: {unknown}."
        ));
        written.text = schema_text::write(&preface, Origin::Codebook, &written.lines);
    }
    Ok(written)
}
