//! The command line of synclave: everything a person runs.
//!
//! [`run`] is the program `synclave`, which the Python package carries along as well. That package
//! reads a person's files by the same [`read_table`], and names what went wrong by the same
//! [`Exit`], so that neither can differ from the other.

mod agreement_text;
mod arguments;
mod calling;
mod codebook;
mod connect;
mod demo;
mod evaluate;
mod exit;
mod file_identity;
mod image_file;
mod inspect;
mod interrupt;
mod keygen;
mod marginals;
mod model_file;
mod moment;
mod names;
mod page;
mod parquet_file;
mod printer;
mod progress;
mod public_data;
mod quality;
mod query;
mod receipt;
mod report_file;
mod room;
mod rows_file;
mod schema_command;
mod schema_draft;
mod schema_text;
mod synth;
mod table_file;
mod table_input;
pub mod trust;
mod validate;
mod view;
mod whole_file;
mod workbook;
mod workbook_rows;

use std::ffi::OsString;
use std::path::Path;

use clap::{CommandFactory, Parser};
use schema::Schema;

use crate::arguments::{Arguments, Command, ReadArguments};
use crate::printer::Printer;

pub use crate::calling::Calling;
pub use crate::evaluate::one_ways;
pub use crate::exit::{BadInput, Exit, of as exit_of};
pub use crate::marginals::documents as marginal_documents;
pub use crate::printer::Causes;
pub use crate::public_data::{PublicData, PublicFile};
pub use crate::query::Answers;
pub use crate::schema_draft::{ReadTable, SchemaDraft, SchemaRequest, SchemaSource};
pub use crate::table_input::{IdReading, OwnTable};

/// Runs the program with these arguments, of which the first is its name, and returns its exit
/// code: [`Exit`]'s, or 2 for arguments that make no sense.
///
/// It may end the process: on Ctrl-C, where files are being written.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(asked) => {
            // Help and the version come this way too. A reader that went away is no error of ours.
            drop(asked.print());
            return u8::try_from(asked.exit_code()).unwrap_or(u8::MAX);
        }
    };
    let printer = Printer::new(arguments.output);
    match carry_out(&arguments.command, printer) {
        Ok(()) => Exit::Success.code(),
        Err(error) => {
            printer.error(&error);
            exit_of(&error).code()
        }
    }
}

/// Reads a table of the person's own from a file, of whatever format its first bytes tell, or from
/// standard input (`-`).
///
/// # Errors
/// [`BadInput`], with the cause below it.
pub fn read_table(
    path: &Path,
    ids: &IdReading<'_>,
    schema: Option<&Schema>,
) -> anyhow::Result<OwnTable> {
    table_input::read(path, &ReadArguments::default(), ids, schema)
}

fn carry_out(command: &Command, printer: Printer) -> anyhow::Result<()> {
    match command {
        Command::Demo(options) => demo::run(options, printer),
        Command::Keygen(options) => keygen::run(options, printer),
        Command::Room(command) => room::run(command, printer),
        Command::Validate(options) => validate::run(options, printer),
        Command::Connect(options) => connect::run(options, printer),
        Command::View(options) => view::run(options, printer),
        Command::Inspect(options) => inspect::run(options, printer),
        Command::Measure(options) => image_file::measure(options, printer),
        Command::VerifyReceipt(options) => receipt::run(options, printer),
        Command::Schema(options) => schema_command::run(options, printer),
        Command::Synth(options) => synth::run(options, printer),
        Command::Sample(options) => synth::sample(options, printer),
        Command::Query(options) => query::run(options, printer),
        Command::Marginals(options) => marginals::run(options, printer),
        Command::Evaluate(options) => evaluate::run(options, printer),
        Command::Completions(options) => {
            let mut command = Arguments::command();
            clap_complete::generate(
                options.shell,
                &mut command,
                "synclave",
                &mut printer.raw_result(),
            );
            Ok(())
        }
    }
}
