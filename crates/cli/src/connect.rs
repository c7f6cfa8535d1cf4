//! `synclave connect`: evidence first, then a local port.

use anyhow::Context;
use client::{Endpoint, ExpectedRoom, HttpProxy, KeyPair, Proxy, Session};
use protocol::KeyFingerprint;
use serde_json::json;
use server_kit::StopSignals;
use service::Summary;

use crate::arguments::ConnectOptions;
use crate::exit::{BadInput, Declined};
use crate::printer::Printer;
use crate::{agreement_text, trust};

pub(crate) fn run(options: &ConnectOptions, printer: Printer) -> anyhow::Result<()> {
    let endpoint = endpoint(options, printer)?;
    // Keys before the network: a wrong file should not look like a wrong room.
    let KeyPair { key, exposed } = client::read_keys(&options.private_key, &options.public_key)?;
    if let Some(exposed) = &exposed {
        printer.warn(exposed);
    }
    let own = KeyFingerprint::of_key(key.spki());
    let expected = ExpectedRoom {
        verifier: trust::verifier_with_warning(options.trust.dangerous_root.as_deref(), printer)?,
        policy: trust::policy(&options.measurements)?,
        agreement: options
            .trust
            .agreement
            .as_deref()
            .map(trust::agreement)
            .transpose()?,
        id: options.room.as_deref().map(trust::room).transpose()?,
    };
    // Nobody to ask means nobody to accept.
    if expected.agreement.is_none() && !printer.can_ask() {
        return Err(BadInput(
            "nobody is there to accept the agreement: give its hash with --agreement (`synclave \
             validate` prints it)"
                .to_owned(),
        )
        .into());
    }
    let runtime = tokio::runtime::Runtime::new().context("could not start")?;
    runtime.block_on(async {
        let session = Session::open(endpoint, key, expected).await?;
        show(&session, "  ", printer);
        // Shown before anything of the person's is sent.
        let summary = judge(&session, own, options, printer)?;
        let room = hex::encode(session.verified().room());
        // Not before: at the question, Ctrl-C ends the program by itself.
        let signals = StopSignals::listen().context("signals cannot be received")?;
        // The person's yes comes before the port is opened.
        let proxy = Proxy::bind(session, options.lport).await?;
        printer.say(format_args!(
            "the room is at http://localhost:{} (Ctrl-C ends it)",
            proxy.port()
        ));
        printer.document(&json!({
            "url": format!("http://localhost:{}", proxy.port()),
            "room": room,
            "warnings": exposed.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "agreement": summary,
        }));
        proxy
            .serve(signals.received(), move |error| printer.warn(error))
            .await;
        Ok(())
    })
}

/// Where the enclave is, and the way there.
fn endpoint(options: &ConnectOptions, printer: Printer) -> anyhow::Result<Endpoint> {
    let (proxy, outer_ca) = (options.proxy.as_deref(), options.outer_ca.as_deref());
    let endpoint = trust::endpoint(&options.url, options.port, proxy, outer_ca)?;
    if let Some(proxy) = proxy
        && HttpProxy::parse(proxy)?.has_password()
    {
        printer.warn(format_args!(
            "other users of this machine can see the password in --proxy; put it in {} instead",
            client::PASSWORD_VARIABLE
        ));
    }
    Ok(endpoint)
}

/// Every check that passed, a line each.
pub(crate) fn show(session: &Session, indent: &str, printer: Printer) {
    for step in session.verified().steps() {
        printer.say(format_args!("{indent}ok  {step}"));
    }
}

/// Shows the person what the agreement says, and goes on only after a yes; who named its hash
/// beforehand is not asked.
fn judge(
    session: &Session,
    own: KeyFingerprint,
    options: &ConnectOptions,
    printer: Printer,
) -> anyhow::Result<Summary> {
    let agreement = session.agreement();
    let checked = trust::checked_agreement(agreement)?;
    let summary = Summary::new(&checked);
    let mut text = agreement_text::text(&summary, Some(own));
    if options.show_agreement {
        let (service, runtime) = (agreement.service_yaml(), agreement.runtime_yaml());
        let (service, runtime) = (
            quoted("service.yaml", service),
            quoted("runtime.yaml", runtime),
        );
        text = format!("{service}{runtime}{text}");
    } else {
        text.push_str("\n  the files as they are: with --show-agreement, and at /agreement later");
    }
    // Its hash was accepted beforehand, so that nobody is asked; what it says is told all the same.
    if options.trust.agreement.is_some() {
        printer.say_lines(&text);
        agreement_text::warn(&summary, printer);
        return Ok(summary);
    }
    printer.must_say_lines(&text);
    agreement_text::warn(&summary, printer);
    let answer = printer.ask("Do you accept this agreement? Type yes to go on:")?;
    // A whole word, since a stray key must not accept anything.
    match answer.eq_ignore_ascii_case("yes") {
        true => Ok(summary),
        false => Err(Declined.into()),
    }
}

/// A file with a mark before each line, so that none can pass for a line of ours.
fn quoted(name: &str, text: &str) -> String {
    let lines = text.lines().map(|line| format!("  | {line}\n"));
    format!("{name}:\n{}", lines.collect::<String>())
}
