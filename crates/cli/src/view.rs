//! `synclave view`: a model's report and rows in the browser, without a room.

use anyhow::Context;
use client::BoundPort;
use serde_json::json;
use server_kit::StopSignals;
use service::ServedModel;

use crate::arguments::ViewOptions;
use crate::model_file;
use crate::page::{Page, ServedPage, Subject};
use crate::printer::Printer;

pub(crate) fn run(options: &ViewOptions, printer: Printer) -> anyhow::Result<()> {
    let model = model_file::open(&options.model, "rows", printer)?;
    let model = ServedModel::new(model).with_context(|| model_file::unusable(&options.model))?;
    let runtime = tokio::runtime::Runtime::new().context("could not start")?;
    runtime.block_on(serve(options, model, printer))
}

async fn serve(options: &ViewOptions, model: ServedModel, printer: Printer) -> anyhow::Result<()> {
    let signals = StopSignals::listen().context("signals cannot be received")?;
    let bound = BoundPort::bind(options.lport).await?;
    // Without its folders, which are nobody's business on a screen that is shown to others.
    let file = options.model.file_name().unwrap_or_default();
    let subject = Subject::Model {
        model: Box::new(model),
        file: file.to_string_lossy().into_owned(),
    };
    let page = Page::new(&bound, subject, false)?;
    printer.say(format_args!(
        "the model is shown at {} (Ctrl-C ends it)",
        page.address()
    ));
    printer.document(&json!({
        "url": format!("http://localhost:{}", page.port()),
        "page": page.address(),
    }));
    let served = ServedPage::start(page, bound, printer);
    // Removed when this function returns.
    let _browser = options
        .open
        .then(|| served.page().open_browser(printer))
        .transpose()?;
    tokio::select! {
        () = served.page().left() => {}
        () = signals.received() => {}
    }
    served.end().await;
    Ok(())
}
