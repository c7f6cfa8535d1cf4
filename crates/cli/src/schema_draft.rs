//! Schemas to start from: of a table's rows, found under a budget, or of a code book.

use std::num::NonZeroU32;
use std::path::Path;

use privacy::{
    Accounting, Delta, Epsilon, Ledger, LedgerOptions, LedgerRecord, NoiseRng, check_budget,
};
use schema::{Declaration, DeclaredKind, Origin, Schema, SchemaSpend};
use serde_json::{Value, json};
use strict_yaml::nearest;
use tabular::{Joined, Looks, MIN_RANGED, MIN_SHARED, Outline, Upload};

use crate::calling::Calling;
use crate::codebook;
use crate::exit::BadInput;
use crate::schema_text::{self, Entry, Line, word};
use crate::table_input::IdReading;

/// What a schema is to be drafted from.
#[derive(Debug, Clone, Copy)]
pub enum SchemaSource<'a> {
    /// The rows as they are. **Not private**: the draft is for the owner's eyes until a person has
    /// reviewed it, which its `origin: data` says.
    Rows,
    /// The rows, under differential privacy: the draft may be shown to anyone.
    Discovery {
        /// The budget that it spends.
        epsilon: Epsilon,
        /// The chance with which the bound of epsilon may fail.
        delta: Delta,
        /// Most rows of one person that take part; without it repeats are refused.
        max_rows_per_id: Option<NonZeroU32>,
    },
    /// A code book, which is public. A table is only compared with it.
    Codebook {
        /// Its file: CSV, or a workbook.
        file: &'a Path,
        /// The sheet of a workbook.
        sheet: Option<&'a str>,
    },
}

/// A schema that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct SchemaRequest<'a> {
    /// What from.
    pub source: SchemaSource<'a>,
    /// The column that says whose a row is. It is not declared.
    pub key: Option<&'a str>,
    /// Columns to declare although they look as if they named people.
    pub keep: &'a [String],
    /// How the person names the options, for what they are told.
    pub calling: Calling,
}

/// Reads the person's own table, with its ids and under a schema as it says, and returns it with
/// what its owner alone should know of it.
pub type ReadTable<'a> =
    dyn Fn(&IdReading<'_>, Option<&Schema>) -> anyhow::Result<(Upload, Vec<String>)> + 'a;

/// A schema to start from.
#[derive(Debug)]
pub struct SchemaDraft {
    text: String,
    origin: Origin,
    lines: Vec<Line>,
    notes: Vec<String>,
    ledger: Option<LedgerRecord>,
    beside_codebook: Vec<String>,
}

/// There is too little in the table that people share.
#[derive(Debug, thiserror::Error)]
#[error(
    "no column has a text that {MIN_SHARED} people share, or numbers or dates of {MIN_RANGED} \
     people, and is not left out by its looks: write the schema by hand, from what is known \
     without the table, or keep a column with {keep}"
)]
pub(crate) struct NothingShared {
    keep: String,
}

/// Discovery found nothing: that is its outcome, and no more private than what it finds.
#[derive(Debug, thiserror::Error)]
#[error(
    "nothing of any column could be told from noise with this budget, and epsilon {} with delta \
     {:e} is spent all the same: give {private} a larger epsilon, or write the schema by hand, \
     from what is known without the table",
    spent.epsilon,
    spent.delta
)]
pub(crate) struct NothingFound {
    private: String,
    spent: SchemaSpend,
    ledger: LedgerRecord,
}

impl NothingFound {
    /// What was spent to find nothing, if that is what an error tells.
    pub(crate) fn ledger_of(error: &anyhow::Error) -> Option<&LedgerRecord> {
        let nothing = error
            .chain()
            .find_map(|cause| cause.downcast_ref::<Self>())?;
        Some(&nothing.ledger)
    }
}

impl SchemaRequest<'_> {
    /// Drafts the schema. A code book needs no table.
    ///
    /// # Errors
    /// [`BadInput`], with the cause below it; what the reading of the table says.
    pub fn draft(&self, read: Option<&ReadTable<'_>>) -> anyhow::Result<SchemaDraft> {
        let draft = match (self.source, read) {
            (SchemaSource::Codebook { file, sheet }, read) => {
                self.by_codebook(file, sheet, read)?
            }
            (
                SchemaSource::Discovery {
                    epsilon,
                    delta,
                    max_rows_per_id,
                },
                Some(read),
            ) => self.by_discovery(epsilon, delta, max_rows_per_id, read)?,
            (SchemaSource::Rows, Some(read)) => self.by_rows(read)?,
            (_, None) => {
                let codebook = self.calling.option("codebook");
                let message = format!("name a table, or a code book with {codebook}");
                return Err(BadInput(message).into());
            }
        };
        self.check(&draft)?;
        Ok(draft)
    }

    /// What a text of ours says must be what a fit reads.
    fn check(&self, draft: &SchemaDraft) -> anyhow::Result<()> {
        let has_columns = |line: &Line| matches!(line.entry, Entry::Declared(_));
        if !draft.lines.iter().any(has_columns) {
            return Err(match (draft.origin, &draft.ledger) {
                (Origin::Codebook, _) => BadInput(
                    "the code book says of no column what it can hold: give values, or min and max"
                        .to_owned(),
                )
                .into(),
                (Origin::Discovery(spent), Some(ledger)) => {
                    let nothing = NothingFound {
                        private: self.calling.option("private"),
                        spent,
                        ledger: ledger.clone(),
                    };
                    let problem = BadInput("no schema was found".to_owned());
                    anyhow::Error::new(nothing).context(problem)
                }
                _ => {
                    let problem = BadInput("no schema can be made of the table".to_owned());
                    let keep = self.calling.option("keep");
                    anyhow::Error::new(NothingShared { keep }).context(problem)
                }
            });
        }
        Schema::new(draft.declaration()?)?;
        Ok(())
    }

    fn by_rows(&self, read: &ReadTable<'_>) -> anyhow::Result<SchemaDraft> {
        // A person is an id, however many rows it has; all of them are looked at.
        let ids = self.ids(self.key.and(Some(NonZeroU32::MAX)));
        let (upload, notes) = read(&ids, None)?;
        self.check_kept(upload.column_names())?;
        let outlines = upload.dangerous_outline().into_iter();
        let mut lines: Vec<Line> = self.key_line().into_iter().collect();
        lines.extend(outlines.map(|outline| self.outlined(outline)));
        let people = match self.key {
            Some(_) => "people",
            None => "people (each row counts as one)",
        };
        let preface = [
            format!(
                "A schema to start from. What stands here was taken from the table itself: texts \
                 that at least {MIN_SHARED} {people} share, and ranges rounded outward from values \
                 that as many reach, where {MIN_RANGED} have one."
            ),
            "Read every line, and take out what you could not have known without the table. Then \
             write `origin: reviewed` in place of `origin: data`: until then a fit with this \
             schema has no guarantee."
                .to_owned(),
        ];
        Ok(SchemaDraft {
            notes,
            ..SchemaDraft::new(&preface, Origin::Data, lines)
        })
    }

    fn outlined(&self, outline: Outline) -> Line {
        let Outline {
            name,
            declared,
            looks,
            left_out,
            other_texts,
        } = outline;
        let is_kept = self.keep.contains(&name);
        let mut comments = Vec::new();
        let entry = match (declared, looks) {
            (_, Some(looks)) if !is_kept => {
                comments.push(self.dropped(&name, looks));
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
                Entry::Declared(Box::new(declared))
            }
            (None, _) => {
                comments.push(format!(
                    "Has no text that {MIN_SHARED} people share, and no numbers or dates of \
                     {MIN_RANGED}, and is left out: declare it from what is known without the \
                     table."
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

    fn dropped(&self, name: &str, looks: Looks) -> String {
        let keep = self.calling.given("keep", name);
        format!("Looks like {looks}, and is left out; {keep} writes what it holds.")
    }

    fn key_line(&self) -> Option<Line> {
        let key = self.key?;
        let option = self.calling.option("key");
        Some(Line {
            name: key.to_owned(),
            entry: Entry::Nothing,
            comments: vec![format!(
                "The column {key:?} says whose a row is: it is given as {option}, and not declared."
            )],
        })
    }

    fn ids(&self, max_rows_per_id: Option<NonZeroU32>) -> IdReading<'_> {
        IdReading {
            key: self.key,
            max_rows_per_id,
            ..IdReading::default()
        }
    }

    fn check_kept<'n>(&self, names: impl Iterator<Item = &'n str>) -> Result<(), BadInput> {
        let names: Vec<&str> = names.collect();
        let unknown = |kept: &&String| !names.contains(&kept.as_str());
        let Some(unknown) = self.keep.iter().find(unknown) else {
            return Ok(());
        };
        let meant = match nearest(unknown, names) {
            Some(meant) => format!("; did you mean `{meant}`?"),
            None => String::new(),
        };
        let option = self.calling.option("keep");
        Err(BadInput(format!(
            "{option} names the column `{unknown}`, which there is not{meant}"
        )))
    }

    fn by_discovery(
        &self,
        epsilon: Epsilon,
        delta: Delta,
        max_rows_per_id: Option<NonZeroU32>,
        read: &ReadTable<'_>,
    ) -> anyhow::Result<SchemaDraft> {
        let bad_input = |error: &dyn std::fmt::Display| BadInput(error.to_string());
        check_budget(epsilon, delta, false).map_err(|error| bad_input(&error))?;
        let (upload, notes) = read(&self.ids(max_rows_per_id), None)?;
        let names: Vec<String> = upload.column_names().map(str::to_owned).collect();
        self.check_kept(names.iter().map(String::as_str))?;
        // By their names alone, which are public: nothing is spent on what is left out anyway.
        let looks = |name: &str| {
            let is_kept = self.keep.iter().any(|kept| kept == name);
            Looks::of_name(name).filter(|_| !is_kept)
        };
        if names.iter().all(|name| looks(name).is_some()) {
            let keep = self.calling.option("keep");
            let message =
                format!("by their names, all columns are better left out: name one with {keep}");
            return Err(BadInput(message).into());
        }
        let upload = upload.without(|name| looks(name).is_some());
        let mut ledger = Ledger::open(LedgerOptions {
            // As much for finding texts as for everything else.
            threshold_share: Some(0.5),
            rows_per_id: max_rows_per_id.unwrap_or(NonZeroU32::MIN),
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
                    (Entry::Declared(Box::new(declared.clone())), None)
                }
                (_, Some(looks)) => (Entry::Drop, Some(self.dropped(name, looks))),
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
        let mut lines: Vec<Line> = self.key_line().into_iter().collect();
        lines.extend(names.iter().map(line));
        let origin = Origin::Discovery(SchemaSpend {
            epsilon: epsilon.get(),
            delta: delta.get(),
            rows_per_id: ledger.rows_per_id(),
        });
        let preface = [format!(
            "A schema that was found in the table under differential privacy, with epsilon \
             {epsilon} and delta {:e}; it may be shown to anyone. What a fit with it guarantees is \
             the sum of that and its own budget, as long as `origin` says so.",
            delta.get()
        )];
        Ok(SchemaDraft {
            notes,
            ledger: Some(ledger),
            ..SchemaDraft::new(&preface, origin, lines)
        })
    }

    fn by_codebook(
        &self,
        book: &Path,
        sheet: Option<&str>,
        read: Option<&ReadTable<'_>>,
    ) -> anyhow::Result<SchemaDraft> {
        let mut lines = codebook::read(book, sheet)?;
        self.check_kept(lines.iter().map(|line| line.name.as_str()))?;
        for line in &mut lines {
            if self.key == Some(line.name.as_str()) {
                *line = self.key_line().expect("there is a key, which this line is");
            } else if let Entry::Discover = line.entry
                && let Some(looks) = Looks::of_name(&line.name)
                && !self.keep.contains(&line.name)
            {
                line.comments.push(self.dropped(&line.name, looks));
                line.entry = Entry::Drop;
            }
        }
        let mut preface = vec![
            "A schema from a code book, which is public: it needs no budget and no review of what \
             people have in the table."
                .to_owned(),
        ];
        let draft = SchemaDraft::new(&preface, Origin::Codebook, lines);
        let Some(read) = read else {
            return Ok(draft);
        };
        self.check(&draft)?;
        let schema = Schema::new(draft.declaration()?)?.discovering_rest();
        let ids = self.ids(self.key.and(Some(NonZeroU32::MAX)));
        // What the table has too little or too much of is refused as in a fit: which column, how
        // many.
        let (upload, notes) = read(&ids, Some(&schema)).map_err(|error| {
            error.context(BadInput(format!(
                "the code book in {} and the table contradict each other; mend one of them, or \
                 leave the table out to get the schema of the code book as it is",
                book.display()
            )))
        })?;
        let is_described = |name: &str| draft.lines.iter().any(|line| line.name == name);
        let beside_codebook: Vec<String> = upload
            .column_names()
            .filter(|name| !is_described(name))
            .map(word)
            .collect();
        if !beside_codebook.is_empty() {
            preface.push(format!(
                "The table has columns besides, which a fit discovers under its budget: {}.",
                beside_codebook.join(", ")
            ));
        }
        Ok(SchemaDraft {
            notes,
            beside_codebook,
            ..SchemaDraft::new(&preface, Origin::Codebook, draft.lines)
        })
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

impl SchemaDraft {
    fn new(preface: &[String], origin: Origin, lines: Vec<Line>) -> Self {
        Self {
            text: schema_text::write(preface, origin, &lines),
            origin,
            lines,
            notes: Vec::new(),
            ledger: None,
            beside_codebook: Vec::new(),
        }
    }

    /// The schema as a file (YAML), a column a line, with comments.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the text declares.
    ///
    /// # Errors
    /// None of a draft that was given out: it was checked.
    pub fn declaration(&self) -> anyhow::Result<Declaration> {
        Ok(Declaration::from_yaml(&self.text)?)
    }

    /// Where its values and ranges come from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// What its owner alone should know of the table.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What was spent to find it.
    #[must_use]
    pub fn ledger(&self) -> Option<&LedgerRecord> {
        self.ledger.as_ref()
    }

    /// Columns of the table that the code book does not describe, as they are written in YAML.
    #[must_use]
    pub fn beside_codebook(&self) -> &[String] {
        &self.beside_codebook
    }

    /// How many columns it speaks of, and how many of them it leaves out.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let is_dropped = |line: &&Line| matches!(line.entry, Entry::Drop);
        let dropped = self.lines.iter().filter(is_dropped).count();
        (self.lines.len(), dropped)
    }

    /// For each column its name, what is written of it (a kind, `discover`, `drop` or `nothing`),
    /// and the comments.
    #[must_use]
    pub fn columns(&self) -> Vec<Value> {
        let column = |line: &Line| {
            json!({
                "name": line.name,
                "written": line.entry.in_a_word(),
                "comments": line.comments,
            })
        };
        self.lines.iter().map(column).collect()
    }
}
