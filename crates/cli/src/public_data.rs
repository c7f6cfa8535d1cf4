//! `--public`: what a fit starts from, and whose data that is.

use std::fs::{File, Metadata};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Context;
use privacy::{FileDigest, People};
use protocol::{BoundedFile, Digest};
use schema::Schema;
use synthesis::{Model, PublicPrior};
use tabular::{CodedTable, Joined};

use crate::arguments::{ReadArguments, SynthOptions};
use crate::exit::BadInput;
use crate::printer::Printer;
use crate::table_input::IdReading;
use crate::{model_file, table_input};

/// Public data, ready to start from.
pub(crate) struct PublicData {
    path: PathBuf,
    prior: PublicPrior,
    /// Of a table: how often each column has each of its codes.
    one_ways: Option<Vec<Vec<u32>>>,
}

/// The public file is the private table, or has its very values: what tells that is about the
/// private rows.
#[derive(Debug, thiserror::Error)]
#[error(
    "{why}: what is taken as public without noise cannot be kept private; leave --public out, or \
     name data of other people"
)]
pub(crate) struct IsTheTable {
    why: &'static str,
}

/// Refuses the very file that is to be fitted, by whatever name: rows cannot be private and public
/// at once. Bytes are compared of regular files only: a pipe could be read but once, and the rows
/// in it are compared when they are read ([`PublicData::for_fit_of`]).
pub(crate) fn refuse_the_table_itself(options: &SynthOptions) -> anyhow::Result<()> {
    let Some(public) = &options.public else {
        return Ok(());
    };
    // What is not there is refused where it is read, with what it was to be.
    let (Ok(of_table), Ok(of_public)) = (options.data.metadata(), public.metadata()) else {
        return Ok(());
    };
    let comparable = of_table.is_file() && of_public.is_file() && of_table.len() == of_public.len();
    // By device and number first: two names of one file, or a link, are one table.
    if same_file(&of_table, &of_public) || comparable && same_bytes(&options.data, public)? {
        return Err(is_the_table(public, "it is the table itself"));
    }
    Ok(())
}

/// What `--public` names, as a prior for tables of this schema.
pub(crate) fn read(
    options: &SynthOptions,
    schema: &Schema,
    printer: Printer,
) -> anyhow::Result<Option<PublicData>> {
    let Some(path) = &options.public else {
        return Ok(None);
    };
    let problem = || unusable(path);
    let public = if is_model(path).with_context(problem)? {
        model(options, path)
    } else {
        table(options, path, schema, printer)
    };
    let public = public.with_context(problem)?;
    public.prior.check(schema).with_context(problem)?;
    Ok(Some(public))
}

impl PublicData {
    /// The prior, unless the table that is to be fitted has the very same rows, in whatever order
    /// and form.
    pub(crate) fn for_fit_of(self, table: &CodedTable) -> anyhow::Result<PublicPrior> {
        match self.one_ways {
            Some(public) if public == dangerous_one_ways(table) => {
                let why = "each of its columns has the very values of the table itself";
                Err(is_the_table(&self.path, why))
            }
            _ => Ok(self.prior),
        }
    }
}

/// Refuses what cannot be public data whatever the columns are, before a large table is read.
pub(crate) fn check(options: &SynthOptions) -> anyhow::Result<()> {
    let Some(path) = &options.public else {
        return Ok(());
    };
    let problem = || unusable(path);
    if is_model(path).with_context(problem)? {
        return Ok(());
    }
    check_word(options).with_context(problem)
}

/// A table has no noise at all: that it is of other people is somebody's word, which must be given.
fn check_word(options: &SynthOptions) -> anyhow::Result<()> {
    if !options.public_of_other_people {
        anyhow::bail!(
            "a table is used without any noise, so that it must be of other people than the \
             private table: if none of them is in it, say so with --public-of-other-people"
        );
    }
    Ok(())
}

fn is_model(path: &Path) -> anyhow::Result<bool> {
    if table_input::is_stdin(path) {
        anyhow::bail!("it cannot come from standard input, as it is read more than once");
    }
    // It is read more than once; and before a pipe is opened, which waits for whoever writes to it.
    if !path.metadata()?.is_file() {
        anyhow::bail!("it is not a regular file: write it to one first");
    }
    Ok(Model::is_model(BoundedFile::open(path)?.start()))
}

fn model(options: &SynthOptions, path: &Path) -> anyhow::Result<PublicData> {
    let model = model_file::load(BoundedFile::open(path)?)?;
    let people = if options.public_of_other_people {
        People::Other
    } else {
        People::PerhapsTheSame
    };
    // The digest is of the file as it is, so that the ledger names what was read.
    let prior = PublicPrior::from_model(&model, file_digest(path)?, people)?;
    Ok(PublicData {
        path: path.to_owned(),
        prior,
        one_ways: None,
    })
}

fn table(
    options: &SynthOptions,
    path: &Path,
    schema: &Schema,
    printer: Printer,
) -> anyhow::Result<PublicData> {
    check_word(options)?;
    // Under the private table's schema: values that it does not know count as `other`.
    let how = ReadArguments::default();
    let without_ids = IdReading::default();
    let upload = table_input::read(path, &how, &without_ids, Some(schema))?.upload;
    if !upload.read_as().is_plain() {
        printer.say(format_args!(
            "{}: read as {}",
            path.display(),
            upload.read_as()
        ));
    }
    for warning in upload.warnings() {
        printer.say(format_args!("note: {}: {warning}", path.display()));
    }
    let joined = Joined::single(upload);
    if joined.needs_discovery() {
        anyhow::bail!("it has columns that the private table does not have: leave them out");
    }
    let table = joined.dangerous_into_coded();
    let prior = PublicPrior::dangerous_from_public_table(&table, file_digest(path)?)?;
    Ok(PublicData {
        path: path.to_owned(),
        prior,
        one_ways: Some(dangerous_one_ways(&table)),
    })
}

/// How often each column has each of its codes: two tables of the same rows agree in it, and hardly
/// any others.
fn dangerous_one_ways(table: &CodedTable) -> Vec<Vec<u32>> {
    // Order and format do not matter to it.
    let columns = 0..table.schema().columns().len();
    columns
        .map(|column| table.counts(&[column]).dangerous_reveal())
        .collect()
}

fn file_digest(path: &Path) -> anyhow::Result<FileDigest> {
    let digest = Digest::sha384_of_reader(File::open(path)?)?;
    Ok(FileDigest::from_bytes(digest.to_bytes()))
}

#[cfg(unix)]
fn same_file(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Its bytes tell it.
#[cfg(not(unix))]
fn same_file(_: &Metadata, _: &Metadata) -> bool {
    false
}

/// Whether two files have the same content. One that cannot be opened is refused where it is read.
fn same_bytes(a: &Path, b: &Path) -> std::io::Result<bool> {
    let (Ok(a), Ok(b)) = (File::open(a), File::open(b)) else {
        return Ok(false);
    };
    // In pieces, as the files may be larger than memory.
    let (mut a, mut b) = (BufReader::new(a), BufReader::new(b));
    loop {
        let (of_a, of_b) = (a.fill_buf()?, b.fill_buf()?);
        let length = of_a.len().min(of_b.len());
        if of_a[..length] != of_b[..length] {
            return Ok(false);
        }
        if length == 0 {
            return Ok(of_a.len() == of_b.len());
        }
        a.consume(length);
        b.consume(length);
    }
}

fn unusable(path: &Path) -> BadInput {
    BadInput(format!(
        "could not use the public data in {}",
        path.display()
    ))
}

fn is_the_table(public: &Path, why: &'static str) -> anyhow::Error {
    anyhow::Error::new(IsTheTable { why }).context(unusable(public))
}
