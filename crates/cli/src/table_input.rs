//! Tables that a person names: a file, or `-` for standard input.

use std::fs::{File, Metadata};
use std::io::{self, Cursor, IsTerminal, Read, Seek};
use std::num::NonZeroU32;
use std::path::Path;

use anyhow::Context;
use bytes::Bytes;
use schema::{Column, Kind, Schema};
use tabular::{IdNormalisation, KeyHasher, ReadAs, ReadLimits, ReadOptions, SheetRow, Upload};
use zeroize::Zeroizing;

use crate::arguments::ReadArguments;
use crate::exit::BadInput;
use crate::printer::Printer;
use crate::table_file::has_ending;
use crate::workbook::{Sheet, Workbook};

/// What can only be read from its end is held in memory where it comes through a pipe.
const MAX_PIPED_BYTES: u64 = 1 << 30;

/// A table of the person's own, and what they alone should know of it.
#[derive(Debug)]
pub struct OwnTable {
    /// Its rows, as codes.
    pub upload: Upload,
    name: String,
    notes: Vec<String>,
}

impl OwnTable {
    /// What its owner, and nobody else, should know of it.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.notes
            .iter()
            .chain(self.upload.warnings())
            .map(String::as_str)
    }

    /// Tells its owner, and nobody else, how it was read and what was noticed; nothing with
    /// `--quiet`. Returns what was noticed.
    pub(crate) fn tell(&self, printer: Printer) -> Vec<String> {
        if printer.is_quiet() {
            return Vec::new();
        }
        // What everybody expects is no news.
        let read_as = format!("{}: read as {}", self.name, self.upload.read_as());
        match self.upload.read_as().is_plain() {
            true => printer.detail(read_as),
            false => printer.private(read_as),
        }
        // With one table there is nothing for them to meet; who asks is told all the same.
        if let Some(ids) = self.upload.id_forms().filter(|_| printer.is_verbose()) {
            printer.private(format_args!("{}: {ids}", self.name));
        }
        let notes: Vec<String> = self
            .notes()
            .map(|note| format!("{}: {note}", self.name))
            .collect();
        // Marked as private: they are facts about the table, under no budget.
        notes.iter().for_each(|note| printer.private(note));
        notes
    }
}

/// Whether a table of this name is what comes from standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Whose a row is; by default each is somebody's of their own.
#[derive(Debug, Clone, Copy, Default)]
pub struct IdReading<'a> {
    /// The column that tells.
    pub key: Option<&'a str>,
    /// Most rows of one person; without it repeats are refused.
    pub max_rows_per_id: Option<NonZeroU32>,
    /// What is done to ids before they are compared.
    pub normalisation: IdNormalisation,
}

/// Reads a table, of whatever format its first bytes tell; Parquet also if its name ends so.
pub(crate) fn read(
    path: &Path,
    how: &ReadArguments,
    ids: &IdReading<'_>,
    schema: Option<&Schema>,
) -> anyhow::Result<OwnTable> {
    refuse_addresses(path)?;
    let name = match is_stdin(path) {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    };
    let problem = || match is_stdin(path) {
        true => BadInput("could not read the table from standard input".to_owned()),
        false => BadInput(format!("could not read the table in {name}")),
    };
    // A new key for each table: nothing outside this process can test guesses of ids.
    let mut hash_key = [0; 16];
    getrandom::fill(&mut hash_key).context("the operating system gives no randomness")?;
    let reading = Reading {
        how,
        key: ids.key,
        schema,
        hasher: KeyHasher::new(hash_key).normalising(ids.normalisation),
        limits: ReadLimits {
            max_rows_per_id: ids.max_rows_per_id,
            ..ReadLimits::default()
        },
    };
    let (upload, notes) = if is_stdin(path) {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            let hint = "standard input is a terminal: pipe a table into it, or name a file";
            return Err(BadInput(hint.to_owned()).into());
        }
        reading.stream(stdin.lock()).with_context(problem)?
    } else {
        reading.file(path).with_context(problem)?
    };
    Ok(OwnTable {
        upload,
        name,
        notes,
    })
}

/// Nothing is fetched: a table that is private should not go through a program that asks servers.
fn refuse_addresses(path: &Path) -> Result<(), BadInput> {
    let text = path.to_string_lossy();
    let Some((scheme, _)) = text.split_once("://") else {
        return Ok(());
    };
    let is_scheme = |scheme: &str| {
        !scheme.is_empty()
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'+')
    };
    if !is_scheme(scheme) || path.exists() {
        return Ok(());
    }
    let fetch = match scheme {
        "s3" => "aws s3 cp ADDRESS -",
        "gs" => "gcloud storage cat ADDRESS",
        _ => "curl -L ADDRESS",
    };
    Err(BadInput(format!(
        "{text} is an address, and nothing is fetched: download the table and name the file, or \
         pipe it in with `-` in its place ({fetch} | synclave ...)"
    )))
}

struct Reading<'a> {
    how: &'a ReadArguments,
    key: Option<&'a str>,
    schema: Option<&'a Schema>,
    hasher: KeyHasher,
    limits: ReadLimits,
}

/// A table, and notes for its owner that are not among the table's own.
type Noted = (Upload, Vec<String>);

/// What the first bytes tell.
#[derive(Clone, Copy, PartialEq)]
enum Kept {
    Text,
    Parquet,
    Workbook,
}

impl Kept {
    fn of(start: &[u8]) -> Self {
        match start {
            b"PAR1" => Self::Parquet,
            [b'P', b'K', 3, 4] => Self::Workbook,
            _ => Self::Text,
        }
    }
}

impl Reading<'_> {
    fn file(&self, path: &Path) -> anyhow::Result<Noted> {
        let metadata = path.metadata()?;
        if metadata.is_dir() {
            anyhow::bail!("it is a folder; name a file in it");
        }
        let mut file = File::open(path)?;
        if !metadata.is_file() {
            return self.stream(file);
        }
        let before = file.metadata()?;
        let kept = match Kept::of(&start(&mut file)?) {
            // A damaged file should be called damaged, and not CSV.
            Kept::Text if has_ending(path, "parquet") => Kept::Parquet,
            kept => kept,
        };
        file.rewind()?;
        let same = file.try_clone()?;
        let read = match kept {
            Kept::Text => self.text(file),
            Kept::Parquet => self.parquet(file),
            Kept::Workbook => self.workbook(io::BufReader::new(file)),
        };
        // Before what was found wrong with it: half a file is often damaged.
        if changed(&before, &same.metadata()?) {
            anyhow::bail!("it changed while it was read; try again when nothing writes to it");
        }
        read
    }

    /// A pipe, a device, a socket: it can be read once, from its beginning.
    fn stream(&self, mut input: impl Read) -> anyhow::Result<Noted> {
        let start = start(&mut input)?;
        let kept = Kept::of(&start);
        let input = Cursor::new(start).chain(input);
        if kept == Kept::Text {
            return self.text(input);
        }
        let mut file = Zeroizing::new(Vec::new());
        input.take(MAX_PIPED_BYTES + 1).read_to_end(&mut file)?;
        if file.len() as u64 > MAX_PIPED_BYTES {
            anyhow::bail!(
                "it is longer than {MAX_PIPED_BYTES} bytes, the most for a Parquet file or \
                 workbook that is not read from a file"
            );
        }
        match kept {
            Kept::Workbook => self.workbook(Cursor::new(file.as_slice())),
            _ => self.parquet(Bytes::from_owner(file)),
        }
    }

    fn text(&self, input: impl Read) -> anyhow::Result<Noted> {
        let ReadArguments {
            delimiter,
            encoding,
            sheet,
        } = self.how;
        if sheet.is_some() {
            anyhow::bail!("--sheet is for workbooks, and this is a text");
        }
        let options = ReadOptions {
            delimiter: *delimiter,
            encoding: *encoding,
        };
        let (key, schema) = (self.key, self.schema);
        let (hasher, limits) = (&self.hasher, &self.limits);
        let upload = tabular::read_table(input, &options, key, schema, hasher, limits, &|| true)?;
        Ok((upload, Vec::new()))
    }

    fn parquet(&self, input: impl tabular::ChunkReader) -> anyhow::Result<Noted> {
        self.refuse_options_of_text("a Parquet file")?;
        if self.how.sheet.is_some() {
            anyhow::bail!("--sheet is for workbooks, and this is a Parquet file");
        }
        let (key, schema) = (self.key, self.schema);
        let upload = tabular::read_parquet(input, key, schema, &self.hasher, &self.limits)?;
        Ok((upload, Vec::new()))
    }

    fn workbook(&self, input: impl Read + Seek) -> anyhow::Result<Noted> {
        self.refuse_options_of_text("a workbook")?;
        let mut workbook = Workbook::open(input)?;
        let is_moment = |name: &str| {
            let column = self
                .schema
                .and_then(|schema| Some(&schema.columns()[schema.position(name)?]));
            matches!(column.map(Column::kind), Some(Kind::Datetime(_)))
        };
        let sheet = workbook.sheet(self.how.sheet.as_deref(), &is_moment)?;
        let Sheet {
            name,
            names,
            rows,
            notes,
        } = sheet;
        let rows = rows.iter().map(|(number, fields)| SheetRow {
            number: *number,
            fields,
        });
        let read_as = ReadAs::sheet(&name);
        let (key, schema) = (self.key, self.schema);
        let (hasher, limits) = (&self.hasher, &self.limits);
        let upload = tabular::read_rows(&names, rows, read_as, key, schema, hasher, limits)?;
        Ok((upload, notes))
    }

    /// An option that is not used would be taken for used.
    fn refuse_options_of_text(&self, what: &str) -> anyhow::Result<()> {
        let given = match self.how {
            ReadArguments {
                delimiter: Some(_), ..
            } => "--delimiter",
            ReadArguments {
                encoding: Some(_), ..
            } => "--encoding",
            _ => return Ok(()),
        };
        anyhow::bail!("{given} is for texts, and this is {what}")
    }
}

/// The first bytes, which are taken.
fn start(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(4);
    input.by_ref().take(4).read_to_end(&mut start)?;
    Ok(start)
}

fn changed(before: &Metadata, after: &Metadata) -> bool {
    // Where a file system keeps no times, the length alone tells.
    before.len() != after.len() || before.modified().ok() != after.modified().ok()
}
