//! `synclave demo --serve`: both parties' pages, for one person who plays both.

use std::path::Path;

use anyhow::Context;
use client::BoundPort;
use protocol::KeyFingerprint;
use serde_json::json;
use server_kit::StopSignals;

use crate::connect::Judged;
use crate::demo::parties::RunningRoom;
use crate::demo::{PARTIES, Party};
use crate::page::{Page, PageRoom, RoomKnowledge, ServedPage, Subject};
use crate::printer::Printer;
use crate::trust::RootInWords;
use crate::whole_file;

/// Keeps the room and a page for each party until Ctrl-C, or until both have left it.
pub(super) async fn serve(
    running: RunningRoom,
    folder: &Path,
    printer: Printer,
) -> anyhow::Result<()> {
    let signals = StopSignals::listen().context("signals cannot be received")?;
    let (mut pages, mut told) = (Vec::new(), Vec::new());
    printer.say("3. Each party has a page. Play both, in two windows of your browser:");
    for party in &PARTIES {
        let table = folder.join(format!("{}.csv", party.name));
        whole_file::write(&table, |out| Ok(out.write_all(party.table.as_bytes())?))?;
        let served = page(&running, folder, party, printer).await?;
        let address = served.page().address();
        printer.say(format_args!("   the {}: {address}", party.name));
        printer.say(format_args!("     its table: {}", table.display()));
        told.push(json!({"name": party.name, "page": address, "table": table}));
        pages.push(served);
    }
    printer.say("");
    printer.say(
        "4. On each: compare the room, accept the agreement, drop the table, confirm. Then both \
         can download rows. (Ctrl-C ends it.)",
    );
    printer.document(&json!({"folder": folder, "parties": told}));
    let all_left = async {
        for served in &pages {
            served.page().left().await;
        }
    };
    tokio::select! {
        () = all_left => {}
        () = signals.received() => {}
    }
    for served in pages {
        served.end().await;
    }
    running.close().await;
    Ok(())
}

async fn page(
    running: &RunningRoom,
    folder: &Path,
    party: &Party,
    printer: Printer,
) -> anyhow::Result<ServedPage> {
    let own = KeyFingerprint::of_key(party.keys(folder)?.key.spki());
    let session = running.connect(folder, party).await?;
    let Judged { summary, text } = Judged::of(&session, own)?;
    let knowledge = RoomKnowledge {
        url: running.address().to_string(),
        root: RootInWords::dangerous("the demo's own"),
        verifier: running.verifier()?,
        policy: running.policy(),
        own,
    };
    let bound = BoundPort::bind(0).await?;
    let subject = Subject::room(PageRoom::new(session, knowledge, summary, text));
    let page = Page::new(&bound, subject, false)?;
    Ok(ServedPage::start(page, bound, printer))
}
