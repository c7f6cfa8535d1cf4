//! Tasks of the repository: `cargo xtask ci` is the whole check, the same for a person and for CI.
#![expect(
    clippy::print_stderr,
    reason = "what a task does is told to the person who runs it"
)]

mod bench;
mod book;
mod ci;
mod debian;
mod fuzz;
mod http;
mod image;
mod outer;
mod page;
mod process;
mod python;
mod release;
mod run;
mod tidy;
mod vm;
mod windows;

use clap::{Parser, Subcommand};

/// Tasks of the synclave repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every check: format, lints, docs, tests, slow tests, spelling, licences, the demo and
    /// the workshop's steps
    Ci(ci::Options),
    /// Start the outer tier of deploy/ on loopback, and go through its table of probes
    Outer(outer::Options),
    /// Build the book of docs/, after writing the pages that are made from the programs
    Book(book::Options),
    /// Measure speed, memory and quality, and print them as a table
    Bench(bench::Options),
    /// Boot the enclave image on an emulated host, and play the demo and every lie of a host
    /// against it
    Vm(vm::Options),
    /// Fuzz the reading of what strangers send
    Fuzz(fuzz::Options),
    /// Check what no compiler does: which crate may use which, what the engine must not touch, and
    /// the width of lines
    Tidy,
    /// Build the Python package's wheel, install it, and run its tests and the notebooks
    Python(python::Options),
    /// Check the types of the local page, and drive it in Chromium from evidence to receipt
    Page(page::Options),
    /// Build the program for Windows, and start it under Wine: keys, agreements, rows, and a
    /// simulated room
    Windows(windows::Options),
    /// Build the enclave image and its measurements, the same bytes wherever it is built
    Image(image::Options),
    /// Put together what is given to others: programs, wheel and image, with a signed list of
    /// checksums
    Release(release::Options),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Ci(options) => ci::run(&options),
        Task::Outer(options) => outer::run(&options),
        Task::Book(options) => book::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Vm(options) => vm::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Tidy => tidy::run(),
        Task::Python(options) => python::run(&options),
        Task::Page(options) => page::run(&options),
        Task::Windows(options) => windows::run(&options),
        Task::Image(options) => image::run(&options),
        Task::Release(options) => release::run(&options),
    }
}
