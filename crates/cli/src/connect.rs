//! `synclave connect`: evidence first, then a local port.

use std::path::Path;

use anyhow::Context;
use attestation::{Measurements, Root};
use client::{Endpoint, Expectations, HttpProxy, OuterTrust, Proxy, Session};
use protocol::{AgreementHash, RoomId, read_text_file};
use serde_json::json;

use crate::arguments::{ConnectOptions, MeasurementOptions};
use crate::exit::{BadInput, Declined};
use crate::printer::Printer;

/// Of a root certificate, or of measurements.
const MAX_TEXT_BYTES: u64 = 1 << 20;

pub(crate) fn run(options: &ConnectOptions, printer: Printer) -> anyhow::Result<()> {
    let endpoint = endpoint(options)?;
    let key = client::read_keys(&options.private_key, &options.public_key)?;
    let expectations = Expectations {
        root: root(options.trust.dangerous_root.as_deref(), printer)?,
        measurements: measurements(&options.measurements)?,
        agreement: options
            .trust
            .agreement
            .as_deref()
            .map(agreement)
            .transpose()?,
        room: options.room.as_deref().map(room).transpose()?,
    };
    if expectations.agreement.is_none() && !printer.can_ask() {
        return Err(BadInput(
            "nobody is there to accept the agreement: give its hash with --agreement (`synclave validate` prints it)".to_owned(),
        )
        .into());
    }
    let runtime = tokio::runtime::Runtime::new().context("could not start")?;
    runtime.block_on(async {
        let session = Session::open(endpoint, key, expectations).await?;
        show(&session, "  ", printer);
        if options.trust.agreement.is_none() {
            ask(&session, printer)?;
        }
        let room = hex::encode(session.verified().room());
        let proxy = Proxy::bind(session, options.lport).await?;
        printer.say(format_args!(
            "the room is at http://localhost:{} (Ctrl-C ends it)",
            proxy.port()
        ));
        printer
            .document(&json!({"url": format!("http://localhost:{}", proxy.port()), "room": room}));
        proxy.serve(ended(), move |error| printer.warn(error)).await;
        Ok(())
    })
}

/// Where the enclave is, and the way there.
fn endpoint(options: &ConnectOptions) -> anyhow::Result<Endpoint> {
    let endpoint = Endpoint::parse(&options.url, options.port)?;
    let proxy = match &options.proxy {
        Some(named) => Some(HttpProxy::parse(named)?),
        None => HttpProxy::of_environment(&endpoint, |name| std::env::var(name).ok())?,
    };
    let trust = match &options.outer_ca {
        Some(file) => OuterTrust::from_pem_file(file)?,
        None => OuterTrust::default(),
    };
    Ok(endpoint.through(proxy).trusting(trust))
}

/// Every check that passed, a line each.
pub(crate) fn show(session: &Session, indent: &str, printer: Printer) {
    for step in session.verified().steps() {
        printer.say(format_args!("{indent}ok  {step}"));
    }
}

pub(crate) fn root(file: Option<&Path>, printer: Printer) -> anyhow::Result<Root> {
    let Some(file) = file else {
        return Ok(Root::aws_nitro());
    };
    printer.warn(format_args!(
        "trusting the root in {}; no hardware vouches for what it signs",
        file.display()
    ));
    let problem = || BadInput(format!("could not use the root in {}", file.display()));
    let pem = read_text_file(file, MAX_TEXT_BYTES).with_context(problem)?;
    Root::dangerous_from_pem(&pem).with_context(problem)
}

pub(crate) fn measurements_file(file: &Path) -> anyhow::Result<Measurements> {
    let problem = || {
        BadInput(format!(
            "could not use the measurements in {}",
            file.display()
        ))
    };
    let text = read_text_file(file, MAX_TEXT_BYTES).with_context(problem)?;
    Measurements::from_json(&text).with_context(problem)
}

pub(crate) fn agreement(text: &str) -> anyhow::Result<[u8; 48]> {
    let hash: AgreementHash = text
        .trim()
        .parse()
        .with_context(|| BadInput(format!("`{text}` is no hash of an agreement")))?;
    Ok(hash.to_bytes())
}

pub(crate) fn room(text: &str) -> anyhow::Result<[u8; 32]> {
    let room: RoomId = text
        .trim()
        .parse()
        .with_context(|| BadInput(format!("`{text}` is no id of a room")))?;
    Ok(room.to_bytes())
}

fn measurements(options: &MeasurementOptions) -> anyhow::Result<Measurements> {
    match options {
        MeasurementOptions {
            measurements: Some(file),
            ..
        } => measurements_file(file),
        MeasurementOptions {
            pcr0: Some(pcr0),
            pcr1: Some(pcr1),
            pcr2: Some(pcr2),
            ..
        } => Measurements::from_hex(pcr0, pcr1, pcr2)
            .with_context(|| BadInput("could not use the measurements".to_owned())),
        _ => unreachable!("clap asks for a file or for all three"),
    }
}

/// Shows the agreement to the person, and goes on only after a yes.
fn ask(session: &Session, printer: Printer) -> anyhow::Result<()> {
    let agreement = session.agreement();
    let text = format!(
        "\n--- service.yaml ---\n{}\n--- runtime.yaml ---\n{}\n---\nhash: {}",
        agreement.service_yaml(),
        agreement.runtime_yaml(),
        agreement.sha384()
    );
    let answer = printer.ask(&text, "Do you accept this agreement? Type yes to go on:")?;
    if answer.eq_ignore_ascii_case("yes") {
        Ok(())
    } else {
        Err(Declined.into())
    }
}

/// Completes when the person or the system ends the program.
async fn ended() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    drop(tokio::signal::ctrl_c().await);
}
