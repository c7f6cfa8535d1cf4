//! `synclave connect`: evidence first, then a local port.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;

use anyhow::Context;
use client::{AcceptedBy, BoundPort, Endpoint, ExpectedRoom, HttpProxy, KeyPair, Proxy, Session};
use protocol::KeyFingerprint;
use serde_json::{Value, json};
use server_kit::StopSignals;
use service::Summary;
use tokio::sync::oneshot;

use crate::arguments::ConnectOptions;
use crate::exit::{BadInput, Declined};
use crate::page::{Page, PageRoom, RoomKnowledge, ServedPage, Subject};
use crate::printer::Printer;
use crate::{agreement_text, page, trust};

pub(crate) fn run(options: &ConnectOptions, printer: Printer) -> anyhow::Result<()> {
    let endpoint = endpoint(options, printer)?;
    // Keys before the network: a wrong file should not look like a wrong room.
    let KeyPair { key, exposed } = client::read_keys(&options.private_key, &options.public_key)?;
    if let Some(exposed) = &exposed {
        printer.warn(exposed);
    }
    let root = options.trust.dangerous_root.as_deref();
    let expected = ExpectedRoom {
        verifier: trust::verifier_with_warning(root, printer)?,
        policy: trust::policy(&options.measurements)?,
        agreement: options
            .trust
            .agreement
            .as_deref()
            .map(trust::agreement)
            .transpose()?,
        id: options.room.as_deref().map(trust::room).transpose()?,
    };
    // Nobody to ask means nobody to accept; who opens the browser is there.
    if expected.agreement.is_none() && !printer.can_ask() && !options.open {
        return Err(BadInput(
            "nobody is there to accept the agreement: give its hash with --agreement (`synclave \
             validate` prints it)"
                .to_owned(),
        )
        .into());
    }
    let knowledge = RoomKnowledge {
        url: endpoint.to_string(),
        root: trust::RootInWords::of(root),
        verifier: Arc::clone(&expected.verifier),
        policy: expected.policy.clone(),
        own: KeyFingerprint::of_key(key.spki()),
    };
    let runtime = tokio::runtime::Runtime::new().context("could not start")?;
    runtime.block_on(async {
        let session = match Session::open(endpoint, key, expected).await {
            Err(error) if options.open && page::is_refusal(&error) => {
                return show_refusal(options, error, knowledge.root, printer).await;
            }
            opened => opened?,
        };
        show(&session, "  ", printer);
        let open = Opened {
            options,
            session,
            warnings: exposed.iter().map(ToString::to_string).collect(),
            printer,
        };
        match options.no_page {
            true => open.serve_plainly(knowledge.own).await,
            false => open.serve_with_page(knowledge).await,
        }
    })
}

/// A room that was verified, before its agreement is accepted.
struct Opened<'a> {
    options: &'a ConnectOptions,
    session: Session,
    /// Of the person's own files.
    warnings: Vec<String>,
    printer: Printer,
}

impl Opened<'_> {
    /// The local port is the room's alone, and is opened after the person's yes.
    async fn serve_plainly(self, own: KeyFingerprint) -> anyhow::Result<()> {
        let printer = self.printer;
        // Shown before anything of the person's is sent.
        let Judged { summary, text } = Judged::of(&self.session, own)?;
        self.tell_agreement(&summary, &text);
        if self.options.trust.agreement.is_none() && !is_yes(&printer.ask(QUESTION)?) {
            return Err(Declined.into());
        }
        // Not before: at the question, Ctrl-C ends the program by itself.
        let signals = StopSignals::listen().context("signals cannot be received")?;
        let room = hex::encode(self.session.verified().room());
        // The person's yes comes before the port is opened.
        let proxy = Proxy::bind(self.session, self.options.lport).await?;
        tell_room(proxy.port(), printer);
        printer.document(&document(proxy.port(), &room, &self.warnings, &summary));
        proxy
            .serve(signals.received(), move |error| printer.warn(error))
            .await;
        Ok(())
    }

    /// The local port is opened for the page at once, and for the room after the person's yes, on
    /// the page or in the terminal.
    async fn serve_with_page(self, knowledge: RoomKnowledge) -> anyhow::Result<()> {
        let (options, printer) = (self.options, self.printer);
        let Judged { summary, text } = Judged::of(&self.session, knowledge.own)?;
        self.tell_agreement(&summary, &text);
        let signals = StopSignals::listen().context("signals cannot be received")?;
        let bound = BoundPort::bind(options.lport).await?;
        let port = bound.number();
        let room = hex::encode(self.session.verified().room());
        let mut document = document(port, &room, &self.warnings, &summary);
        let subject = Subject::room(PageRoom::new(self.session, knowledge, summary, text));
        let page = Page::new(&bound, subject, options.token)?;
        document["page"] = page.address().into();
        if options.trust.agreement.is_some() {
            page.gate().open(AcceptedBy::Option);
        }
        let served = ServedPage::start(page, bound, printer);
        let signals = pin!(signals.received());
        // Removed when this function returns.
        let _browser = options
            .open
            .then(|| served.page().open_browser(printer))
            .transpose()?;
        let outcome = served_until_the_end(&served, &document, signals, printer).await;
        served.end().await;
        outcome
    }

    /// What the agreement says is told in any case, and more loudly where a question follows.
    fn tell_agreement(&self, summary: &Summary, text: &str) {
        let (options, printer) = (self.options, self.printer);
        let agreement = self.session.agreement();
        let text = if options.show_agreement {
            let (service, runtime) = (
                quoted("service.yaml", agreement.service_yaml()),
                quoted("runtime.yaml", agreement.runtime_yaml()),
            );
            format!("{service}{runtime}{text}")
        } else {
            format!(
                "{text}\n  the files as they are: with --show-agreement, and at /agreement later"
            )
        };
        // Its hash was accepted beforehand, so that nobody is asked; what it says is told all the
        // same.
        match options.trust.agreement.is_some() {
            true => printer.say_lines(&text),
            false => printer.must_say_lines(&text),
        }
        agreement_text::warn(summary, printer);
    }
}

const QUESTION: &str = "Do you accept this agreement? Type yes to go on:";
const QUESTION_BESIDE_PAGE: &str =
    "Do you accept this agreement? Type yes to go on, or accept it on the page:";

/// Until the person ends it; an error if that was before the agreement was accepted.
async fn served_until_the_end(
    served: &ServedPage,
    document: &Value,
    mut signals: Pin<&mut impl Future<Output = ()>>,
    printer: Printer,
) -> anyhow::Result<()> {
    let page = served.page();
    if page.gate().accepted().is_none() {
        // Who wants to be told little is not told the address either.
        let question = match printer.is_quiet() {
            true => QUESTION,
            false => QUESTION_BESIDE_PAGE,
        };
        printer.say(format_args!(
            "the page is at {} (keep this address to yourself: it lets you act)",
            page.address()
        ));
        tokio::select! {
            by = page.gate().opened() => {
                // The question in the terminal is still open, and its line not ended.
                if by == AcceptedBy::Page && printer.can_ask() {
                    printer.say("");
                }
                printer.say("the agreement was accepted on the page");
            }
            answer = answered(question, printer) => match is_yes(&answer?) {
                true => drop(page.gate().open(AcceptedBy::Terminal)),
                false => return Err(Declined.into()),
            },
            () = page.left() => return Err(Declined.into()),
            () = &mut signals => return Err(Declined.into()),
        }
        tell_room(page.port(), printer);
    } else {
        tell_room(page.port(), printer);
        printer.say(format_args!(
            "with a browser: {} (keep this address to yourself: it lets you act)",
            page.address()
        ));
    }
    printer.document(document);
    tokio::select! {
        () = page.left() => printer.say("the room was left on the page"),
        () = &mut signals => {}
    }
    Ok(())
}

/// A page that says why the room was refused, until the person has read it; then the program ends
/// as it would have without.
async fn show_refusal(
    options: &ConnectOptions,
    error: client::Error,
    root: trust::RootInWords,
    printer: Printer,
) -> anyhow::Result<()> {
    let signals = StopSignals::listen().context("signals cannot be received")?;
    let bound = BoundPort::bind(options.lport).await?;
    let page = Page::new(&bound, Subject::refused(&error, root), options.token)?;
    printer.warn(format_args!(
        "the room is refused, and nothing was sent to it: {error}"
    ));
    printer.say(format_args!(
        "the page says so at {} (Ctrl-C ends it)",
        page.address()
    ));
    let served = ServedPage::start(page, bound, printer);
    let _browser = served.page().open_browser(printer)?;
    tokio::select! {
        () = served.page().left() => {}
        () = signals.received() => {}
    }
    served.end().await;
    Err(error.into())
}

/// The answer to a question in the terminal, which never comes where nobody can be asked.
async fn answered(question: &'static str, printer: Printer) -> io::Result<String> {
    if !printer.can_ask() {
        return std::future::pending().await;
    }
    let (answer, answered) = oneshot::channel();
    // A thread that nothing waits for: it reads until a line comes, and the program may be over
    // before.
    std::thread::spawn(move || drop(answer.send(printer.ask(question))));
    answered.await.unwrap_or_else(|_| Ok(String::new()))
}

/// A whole word, since a stray key must not accept anything.
fn is_yes(answer: &str) -> bool {
    answer.eq_ignore_ascii_case("yes")
}

fn tell_room(port: u16, printer: Printer) {
    printer.say(format_args!(
        "the room is at http://localhost:{port} (Ctrl-C ends it)"
    ));
}

/// What programs are told once the room can be used.
fn document(port: u16, room: &str, warnings: &[String], summary: &Summary) -> Value {
    json!({
        "url": format!("http://localhost:{port}"),
        "room": room,
        "warnings": warnings,
        "agreement": summary,
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

/// What a room's agreement says to a person.
pub(crate) struct Judged {
    pub(crate) summary: Summary,
    pub(crate) text: String,
}

impl Judged {
    /// Reads it by the very check that the enclave makes. `own` marks the reader's own key.
    pub(crate) fn of(session: &Session, own: KeyFingerprint) -> anyhow::Result<Self> {
        let checked = trust::checked_agreement(session.agreement())?;
        let summary = Summary::new(&checked);
        let text = agreement_text::text(&summary, Some(own));
        Ok(Self { summary, text })
    }
}

/// A file with a mark before each line, so that none can pass for a line of ours.
fn quoted(name: &str, text: &str) -> String {
    let lines = text.lines().map(|line| format!("  | {line}\n"));
    format!("{name}:\n{}", lines.collect::<String>())
}
