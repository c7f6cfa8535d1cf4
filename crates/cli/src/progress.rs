//! How far long work is.

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use synthesis::Progress;

use crate::printer::Printer;

/// A bar that a person sees, and nobody else.
pub(crate) fn bar(printer: Printer) -> anyhow::Result<ProgressBar> {
    let bar = if printer.interactive() {
        // Length 1, as it is not known yet: the first step sets it.
        ProgressBar::new(1)
    } else {
        ProgressBar::hidden()
    };
    bar.set_style(ProgressStyle::with_template("{bar:30} {msg}").context("a constant template")?);
    Ok(bar)
}

/// Shows the progress of a fit: a bar, and with `--verbose` a line for each stage.
pub(crate) struct Stages {
    bar: ProgressBar,
    printer: Printer,
    stage: &'static str,
}

impl Stages {
    pub(crate) fn new(printer: Printer) -> anyhow::Result<Self> {
        Ok(Self {
            bar: bar(printer)?,
            printer,
            stage: "",
        })
    }

    pub(crate) fn show(&mut self, progress: Progress) {
        if self.stage != progress.stage {
            self.stage = progress.stage;
            self.bar
                // Suspended, since a line printed over a bar leaves half of it on the screen.
                .suspend(|| self.printer.detail(format_args!("{} ...", progress.stage)));
        }
        self.bar.set_length(progress.total);
        self.bar.set_position(progress.done);
        self.bar.set_message(progress.stage);
    }

    pub(crate) fn end(self) {
        self.bar.finish_and_clear();
    }
}
