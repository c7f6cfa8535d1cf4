//! Public data: what a fit starts from, and whose data that is.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Context;
use privacy::{FileDigest, People};
use protocol::{BoundedFile, Digest};
use schema::Schema;
use synthesis::{Method, Model, PublicPrior};
use tabular::{CodedTable, Joined};

use crate::arguments::ReadArguments;
use crate::calling::Calling;
use crate::exit::BadInput;
use crate::file_identity::is_one_file;
use crate::table_input::IdReading;
use crate::{model_file, table_input};

/// A file that a fit is to start from: an earlier model, or a table.
#[derive(Debug, Clone, Copy)]
pub struct PublicFile<'a> {
    /// The file.
    pub path: &'a Path,
    /// A person's word that nobody of the private table is in it, nor in what it was made from.
    pub of_other_people: bool,
    /// How the person names the options, for what they are told.
    pub calling: Calling,
}

/// Public data, ready to start from.
#[derive(Debug)]
pub struct PublicData {
    path: PathBuf,
    prior: PublicPrior,
    /// Of a table: how often each column has each of its codes.
    one_ways: Option<Vec<Vec<u32>>>,
    notes: Vec<String>,
}

/// The public file is the private table, or has its very values: what tells that is about the
/// private rows.
#[derive(Debug, thiserror::Error)]
#[error(
    "{why}: what is taken as public without noise cannot be kept private; leave the public data \
     out, or name data of other people"
)]
pub(crate) struct IsTheTable {
    why: &'static str,
}

impl PublicFile<'_> {
    /// Refuses methods that cannot start from anything, by name rather than by ignoring it: public
    /// data that was not used would be taken for used.
    ///
    /// # Errors
    /// [`BadInput`].
    pub fn suits(&self, method: Method) -> Result<(), BadInput> {
        if method.takes_prior() {
            return Ok(());
        }
        let message = match self.calling {
            Calling::CommandLine => format!("{method} takes no --public data; use GRAIN"),
            Calling::Python => format!("{method} takes no public data; use GRAIN"),
        };
        Err(BadInput(message))
    }

    /// Refuses what cannot be public data whatever the columns are, before a large table is read;
    /// and the very file that is to be fitted, if it is one, by whatever name: rows cannot be
    /// private and public at once.
    ///
    /// # Errors
    /// [`BadInput`] with the cause below it. That it is the table is the owner's to know.
    pub fn check(&self, table: Option<&Path>) -> anyhow::Result<()> {
        // Before a byte of it is read as public.
        if let Some(table) = table {
            self.refuse_the_table_itself(table)?;
        }
        let problem = || unusable(self.path);
        if is_model(self.path).with_context(problem)? {
            return Ok(());
        }
        self.check_word().with_context(problem)
    }

    /// What it names, as a prior for tables of this schema.
    ///
    /// # Errors
    /// [`BadInput`] with the cause below it.
    pub fn read(&self, schema: &Schema) -> anyhow::Result<PublicData> {
        let problem = || unusable(self.path);
        let public = if is_model(self.path).with_context(problem)? {
            self.model()
        } else {
            self.table(schema)
        };
        let public = public.with_context(problem)?;
        public.prior.check(schema).with_context(problem)?;
        Ok(public)
    }

    /// Bytes are compared of regular files only: a pipe could be read but once, and the rows in it
    /// are compared when they are read ([`PublicData::for_fit_of`]).
    fn refuse_the_table_itself(&self, table: &Path) -> anyhow::Result<()> {
        // What is not there is refused where it is read, with what it was to be.
        let (Ok(of_table), Ok(of_public)) = (table.metadata(), self.path.metadata()) else {
            return Ok(());
        };
        let comparable =
            of_table.is_file() && of_public.is_file() && of_table.len() == of_public.len();
        // Two names of one file, or a link, are one table.
        if is_one_file(table, self.path) || comparable && same_bytes(table, self.path)? {
            return Err(is_the_table(self.path, "it is the table itself"));
        }
        Ok(())
    }

    /// A table has no noise at all: that it is of other people is somebody's word, which must be
    /// given.
    fn check_word(&self) -> anyhow::Result<()> {
        if !self.of_other_people {
            let say_so = self.calling.flag("public-of-other-people");
            anyhow::bail!(
                "a table is used without any noise, so that it must be of other people than the \
                 private table: if none of them is in it, say so with {say_so}"
            );
        }
        Ok(())
    }

    fn model(&self) -> anyhow::Result<PublicData> {
        let model = model_file::load(BoundedFile::open(self.path)?)?;
        let people = if self.of_other_people {
            People::Other
        } else {
            People::PerhapsTheSame
        };
        // The digest is of the file as it is, so that the ledger names what was read.
        let prior = PublicPrior::from_model(&model, file_digest(self.path)?, people)?;
        Ok(PublicData {
            path: self.path.to_owned(),
            prior,
            one_ways: None,
            notes: Vec::new(),
        })
    }

    fn table(&self, schema: &Schema) -> anyhow::Result<PublicData> {
        self.check_word()?;
        // Under the private table's schema: values that it does not know count as `other`.
        let how = ReadArguments::default();
        let without_ids = IdReading::default();
        let upload = table_input::read(self.path, &how, &without_ids, Some(schema))?.upload;
        let path = self.path.display();
        let mut notes = Vec::new();
        if !upload.read_as().is_plain() {
            notes.push(format!("{path}: read as {}", upload.read_as()));
        }
        let warnings = upload.warnings().iter();
        notes.extend(warnings.map(|warning| format!("note: {path}: {warning}")));
        let joined = Joined::single(upload);
        if joined.needs_discovery() {
            anyhow::bail!("it has columns that the private table does not have: leave them out");
        }
        let table = joined.dangerous_into_coded();
        let prior = PublicPrior::dangerous_from_public_table(&table, file_digest(self.path)?)?;
        Ok(PublicData {
            path: self.path.to_owned(),
            prior,
            one_ways: Some(dangerous_one_ways(&table)),
            notes,
        })
    }
}

impl PublicData {
    /// How it was read, and what was noticed.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The prior, unless the table that is to be fitted has the very same rows, in whatever order
    /// and form.
    ///
    /// # Errors
    /// That it is the table, which is the owner's to know.
    pub fn for_fit_of(self, table: &CodedTable) -> anyhow::Result<PublicPrior> {
        match self.one_ways {
            Some(public) if public == dangerous_one_ways(table) => {
                let why = "each of its columns has the very values of the table itself";
                Err(is_the_table(&self.path, why))
            }
            _ => Ok(self.prior),
        }
    }
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
