//! The command line of synclave: everything a person runs.

mod agreement_text;
mod arguments;
mod codebook;
mod connect;
mod demo;
mod evaluate;
mod exit;
mod image_file;
mod inspect;
mod interrupt;
mod keygen;
mod model_file;
mod moment;
mod parquet_file;
mod printer;
mod progress;
mod public_data;
mod quality;
mod receipt;
mod report_file;
mod room;
mod rows_file;
mod schema_command;
mod schema_text;
mod synth;
mod table_file;
mod table_input;
mod trust;
mod validate;
mod whole_file;
mod workbook;
mod workbook_rows;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::arguments::{Arguments, Command};
use crate::exit::Exit;
use crate::printer::Printer;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let printer = Printer::new(arguments.output);
    match run(&arguments.command, printer) {
        Ok(()) => Exit::Success.into(),
        Err(error) => {
            printer.error(&error);
            exit::of(&error).into()
        }
    }
}

fn run(command: &Command, printer: Printer) -> anyhow::Result<()> {
    match command {
        Command::Demo(options) => demo::run(options, printer),
        Command::Keygen(options) => keygen::run(options, printer),
        Command::Room(command) => room::run(command, printer),
        Command::Validate(options) => validate::run(options, printer),
        Command::Connect(options) => connect::run(options, printer),
        Command::Inspect(options) => inspect::run(options, printer),
        Command::Measure(options) => image_file::measure(options, printer),
        Command::VerifyReceipt(options) => receipt::run(options, printer),
        Command::Schema(options) => schema_command::run(options, printer),
        Command::Synth(options) => synth::run(options, printer),
        Command::Sample(options) => synth::sample(options, printer),
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
