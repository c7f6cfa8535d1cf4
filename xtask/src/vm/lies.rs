//! Everything that a host can lie about, and what a party's client says to it.

use anyhow::ensure;

use super::host::{Host, Plan};
use super::party::{Connected, refused};
use super::testbed::{PARTIES, TRUSTING_EMULATOR, Testbed};
use super::told;

/// One lie: how the client ends, and what it then says.
struct Lie {
    kind: &'static str,
    exit: i32,
    says: &'static str,
}

const fn lie(kind: &'static str, exit: i32, says: &'static str) -> Lie {
    Lie { kind, exit, says }
}

const ABOUT_EVIDENCE: [Lie; 9] = [
    lie("debug-mode", 28, "debug mode"),
    lie("other-image", 29, "another program"),
    lie("other-agreement", 30, "another agreement"),
    lie("stale", 27, "stale"),
    lie("future", 27, "future"),
    lie("wrong-root", 22, "unknown root"),
    lie("expired-leaf", 23, "expired"),
    lie("wrong-key", 26, "signature"),
    lie("unsigned", 26, "signature"),
];

/// Boots an enclave for each, as a party would meet it.
pub(crate) fn tell_all(testbed: &Testbed) -> anyhow::Result<()> {
    eprintln!("\n=== Hosts that lie ===");
    for lie in &ABOUT_EVIDENCE {
        about_evidence(testbed, lie)?;
    }
    replayed_document(testbed)?;
    changed_agreement(testbed)?;
    without_security_module(testbed, "nsm-refuses")?;
    without_security_module(testbed, "nsm-missing")
}

fn plan(lie: Option<&'static str>) -> Plan {
    Plan {
        name: "lying",
        room: "room",
        lie,
    }
}

fn about_evidence(testbed: &Testbed, lie: &Lie) -> anyhow::Result<()> {
    let host = Host::start(testbed, plan(Some(lie.kind)))?;
    host.configured()?;
    expect_refusal(testbed, &host, lie)?;
    host.end()
}

/// The first connection gets what the second is shown again: only the second can know.
fn replayed_document(testbed: &Testbed) -> anyhow::Result<()> {
    let host = Host::start(testbed, plan(Some("replayed")))?;
    host.configured()?;
    Connected::to(testbed, &PARTIES[0], host.port())?.end()?;
    let lie = lie("replayed", 32, "made for another one");
    expect_refusal(testbed, &host, &lie)?;
    host.end()
}

/// The host hands over another agreement than the parties expect, with a far larger budget.
fn changed_agreement(testbed: &Testbed) -> anyhow::Result<()> {
    let changed = Plan {
        room: "changed",
        ..plan(None)
    };
    let host = Host::start(testbed, changed)?;
    host.configured()?;
    let lie = lie("agreement changed on the way", 30, "another agreement");
    expect_refusal(testbed, &host, &lie)?;
    host.end()
}

/// An enclave that cannot vouch for itself stops, and says so to its console; nobody gets to speak
/// to it.
fn without_security_module(testbed: &Testbed, kind: &'static str) -> anyhow::Result<()> {
    let host = Host::start(testbed, plan(Some(kind)))?;
    let event = host.event("fault")?;
    let lie = lie(
        kind,
        12,
        "closed the connection before it showed any evidence",
    );
    expect_refusal(testbed, &host, &lie)?;
    told(format_args!("  (its console said {event})"));
    host.end()
}

fn expect_refusal(testbed: &Testbed, host: &Host, lie: &Lie) -> anyhow::Result<()> {
    let (exit, said) = refused(testbed, &PARTIES[1], host.port(), &TRUSTING_EMULATOR)?;
    ensure!(
        exit == lie.exit && said.contains(lie.says),
        "{}: the client should end with {} saying {:?}; it ended with {exit}: {said}",
        lie.kind,
        lie.exit,
        lie.says
    );
    let sentence = said.lines().last().unwrap_or_default();
    told(format_args!("{}: exit {exit}: {sentence}", lie.kind));
    Ok(())
}
