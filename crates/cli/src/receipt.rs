//! `synclave verify-receipt`.

use std::fmt::{self, Display};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use attestation::{
    Authentic, Evidence, Freshness, MeasuredAgreement, Policy, Refusal, UnixTime, Verifier,
};
use privacy::{DomainSource, LedgerRecord, Prior};
use protocol::{BoundedFile, CheckedReceipt, Receipt, ReceiptError, SignedReceipt};
use serde_json::json;

use crate::arguments::VerifyReceiptOptions;
use crate::exit::BadInput;
use crate::printer::Printer;
use crate::{moment, trust};

/// Twice the longest text, since quotes in it are escaped, and evidence.
pub(crate) const MAX_BYTES: usize = 33 << 20;

pub(crate) fn run(options: &VerifyReceiptOptions, printer: Printer) -> anyhow::Result<()> {
    let wanted = Wanted {
        at: options.at.as_deref().map(moment::parse).transpose()?,
        verifier: trust::verifier_with_warning(options.dangerous_root.as_deref(), printer)?,
        policy: options
            .measurements
            .as_deref()
            .map(trust::policy_file)
            .transpose()?,
        agreement: options
            .agreement
            .as_deref()
            .map(trust::agreement)
            .transpose()?,
        room: options.room.as_deref().map(trust::room).transpose()?,
    };
    let problem = || unreadable(&options.file);
    let file = BoundedFile::open(&options.file).with_context(problem)?;
    let verified = verify(&read(&options.file, file)?, &wanted, &mut say(printer))
        .with_context(|| format!("{} is not accepted", options.file.display()))?;
    describe(verified.receipt(), printer);
    verified.tell_time(printer);
    printer.result(wanted.verdict());
    printer.document(&json!({
        "holds": true,
        "judged_at": verified.judged_at(),
        "time_is_from": verified.time_is_from(),
        "program_compared": wanted.policy.is_some(),
        "agreement_compared": wanted.agreement.is_some(),
        "room_compared": wanted.room.is_some(),
        "receipt": verified.receipt(),
    }));
    Ok(())
}

/// What a receipt must be about. What is not named is not compared, and the verdict says so.
pub(crate) struct Wanted {
    /// The time at which to judge its evidence; by default the one at which it says it was made.
    pub(crate) at: Option<UnixTime>,
    pub(crate) verifier: Arc<dyn Verifier>,
    pub(crate) policy: Option<Policy>,
    pub(crate) agreement: Option<[u8; 48]>,
    pub(crate) room: Option<[u8; 32]>,
}

impl Wanted {
    /// Of a receipt that passed.
    pub(crate) fn verdict(&self) -> &'static str {
        match self.policy {
            Some(_) => "the receipt holds",
            None => {
                "the receipt is what some enclave vouches for; WHICH program that was is not \
                 compared (name its measurements with --measurements)"
            }
        }
    }
}

/// A receipt that holds, and the time at which its evidence was judged.
pub(crate) struct VerifiedReceipt {
    checked: CheckedReceipt,
    at: UnixTime,
    by_person: bool,
}

impl VerifiedReceipt {
    pub(crate) fn receipt(&self) -> &Receipt {
        self.checked.receipt()
    }

    /// The time of judging, for programs.
    pub(crate) fn judged_at(&self) -> String {
        moment::format(self.at)
    }

    /// Whose word the time of judging is, for programs.
    pub(crate) fn time_is_from(&self) -> &'static str {
        match self.by_person {
            true => "person",
            false => "evidence",
        }
    }

    /// What judging at that time means, and what it does not.
    pub(crate) fn tell_time(&self, printer: Printer) {
        let whose = match self.by_person {
            true => "the time that you gave: it is your own claim, and the file does not prove it",
            false => {
                "the time that the evidence gives, which the file alone does not prove; \
                 if you know when you got it, name that time with --at"
            }
        };
        printer.say("");
        printer.say(format_args!("judged at  {}, {whose}", self.judged_at()));
        printer.say(
            "           its certificates were valid then; whether a key or an image has been \
             withdrawn since, this does not say",
        );
    }
}

/// Reads a receipt as `/receipt` gave it.
pub(crate) fn read(path: &Path, file: BoundedFile) -> anyhow::Result<SignedReceipt> {
    let problem = || unreadable(path);
    let bytes = file.read(MAX_BYTES as u64).with_context(problem)?;
    serde_json::from_slice(&bytes).with_context(problem)
}

fn unreadable(path: &Path) -> BadInput {
    BadInput(format!("could not read a receipt from {}", path.display()))
}

/// One line of what was checked of a receipt.
pub(crate) struct Check {
    /// Whether it held; where it did not, there is an error and no line.
    pub(crate) held: bool,
    pub(crate) text: String,
}

impl Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.held { "ok" } else { "--" };
        write!(f, "  {mark}  {}", self.text)
    }
}

/// Tells each line as it comes.
pub(crate) fn say(printer: Printer) -> impl FnMut(Check) {
    move |check| printer.say(check)
}

/// Verifies the evidence, at the time asked for, then what it vouches for. `tell` gets each check
/// that held, or was not made.
pub(crate) fn verify(
    signed: &SignedReceipt,
    wanted: &Wanted,
    tell: &mut dyn FnMut(Check),
) -> anyhow::Result<VerifiedReceipt> {
    let evidence = Evidence::from_bytes(signed.evidence()?);
    // By default the evidence's own time: at that of reading its certificates have long expired.
    let at = match wanted.at {
        Some(at) => at,
        None => wanted.verifier.claimed_time(&evidence)?,
    };
    let evidence = (wanted.verifier).authenticate(&evidence, at, Freshness::Archived)?;
    let program = evidence.program()?;
    let evidence = match &wanted.policy {
        Some(policy) => Authentic::clone(&*evidence.matching(policy)?),
        None => evidence,
    };
    let mut tell = |held: bool, text: String| tell(Check { held, text });
    for step in evidence.steps() {
        tell(true, step.to_string());
    }
    // Told though nothing was compared: the person can compare them with a list.
    if wanted.policy.is_none() {
        for register in program {
            let value = hex::encode(register.value);
            tell(false, format!("{}, not compared: {value}", register.name));
        }
    }
    // Evidence without user data vouches for no text: the check then fails.
    let checked = signed.check(evidence.bound.user_data().unwrap_or_default())?;
    let receipt = checked.receipt();
    for line in [
        "text: it is what the evidence vouches for",
        "ledger: the spends add up, and stay within the budget",
    ] {
        tell(true, line.to_owned());
    }

    let about =
        |sentence: String| anyhow::Error::new(ReceiptError::NotVouchedFor).context(sentence);
    let named = receipt.agreement_sha384.to_bytes();
    match evidence.measured_agreement(&named) {
        Ok(MeasuredAgreement::Extended { register }) => tell(
            true,
            format!("{register}: extended with the receipt's agreement"),
        ),
        Ok(MeasuredAgreement::NotReported { register }) => {
            tell(false, format!("{register}: not reported by this platform"));
        }
        Err(Refusal::WrongAgreementRegister { register, .. }) => {
            return Err(about(format!(
                "{register} does not hold the agreement that the receipt names"
            )));
        }
        Err(other) => return Err(other.into()),
    }
    compare(
        "agreement",
        wanted.agreement.map(|wanted| wanted == named),
        &receipt.agreement_sha384,
        &mut tell,
    )?;
    compare(
        "room",
        wanted.room.map(|wanted| wanted == receipt.room.to_bytes()),
        &receipt.room,
        &mut tell,
    )?;
    Ok(VerifiedReceipt {
        checked,
        at,
        by_person: wanted.at.is_some(),
    })
}

fn compare(
    what: &str,
    equal: Option<bool>,
    found: &dyn Display,
    tell: &mut dyn FnMut(bool, String),
) -> anyhow::Result<()> {
    match equal {
        Some(true) => tell(true, format!("{what}: the one you named")),
        Some(false) => {
            return Err(anyhow::Error::new(ReceiptError::NotVouchedFor)
                .context(format!("the receipt is about another {what}: {found}")));
        }
        None => tell(false, format!("{what}, not compared: {found}")),
    }
    Ok(())
}

/// Tells the receipt to a person.
pub(crate) fn describe(receipt: &Receipt, printer: Printer) {
    printer.say("");
    let (before, after) = description_parts(receipt);
    before.iter().for_each(|line| printer.say(line));
    detail_entries(&receipt.ledger, printer);
    after.iter().for_each(|line| printer.say(line));
}

/// The receipt for a person, a line each.
pub(crate) fn description(receipt: &Receipt) -> Vec<String> {
    let (mut lines, after) = description_parts(receipt);
    lines.extend(after);
    lines
}

/// What comes before the single spends, and what after them.
fn description_parts(receipt: &Receipt) -> (Vec<String>, Vec<String>) {
    let mut lines = vec![
        format!("room       {}", receipt.room),
        format!("agreement  {}", receipt.agreement_sha384),
    ];
    lines.extend(receipt.parties.iter().map(|party| {
        format!(
            "party      {} (key {}), commitment {}",
            party.name, party.key, party.input
        )
    }));
    lines.push(format!("method     {}", receipt.method));
    lines.extend(ledger_lines(&receipt.ledger));
    lines.push(format!("model      SHA-384 {}", receipt.model));
    let samples = receipt.samples.iter().map(|samples| {
        let (requests, rows) = (samples.requests, samples.rows);
        format!(
            "samples    {}: {requests} {}, {rows} {}",
            samples.user,
            if requests == 1 { "request" } else { "requests" },
            if rows == 1 { "row" } else { "rows" },
        )
    });
    (lines, samples.collect())
}

/// The ledger, a line each: what is guaranteed altogether, then what this ledger spent.
pub(crate) fn ledger_lines(ledger: &LedgerRecord) -> Vec<String> {
    let mut lines = guarantee_lines(ledger);
    lines.push(format!("budget     {}", ledger.budget()));
    lines
}

/// What is guaranteed altogether, and by this ledger where that is not the same.
pub(crate) fn guarantee_lines(ledger: &LedgerRecord) -> Vec<String> {
    let stated = ledger.guarantees().iter();
    let mut lines: Vec<String> = stated
        .map(|guarantee| format!("guarantee  {}", guarantee.sentence()))
        .collect();
    if ledger.domain() == DomainSource::FromData {
        let why = DomainSource::WHY_NO_GUARANTEE;
        lines.push(format!("guarantee  none: {why}"));
    }
    for spend in ledger.domain_spends() {
        lines.push(format!(
            "           (epsilon {} and delta {:e} of it were spent on the schema before)",
            spend.epsilon,
            spend.delta.get()
        ));
    }
    if ledger.prior().counted().is_some() {
        lines.push(
            "           (this fit and the model that it started from: epsilons and deltas added up)"
                .to_owned(),
        );
    }
    if ledger.prior().counted().is_some() || !ledger.domain_spends().is_empty() {
        let own = ledger.own_guarantees().iter();
        lines.extend(own.map(|guarantee| format!("own spend  {}", guarantee.sentence())));
    }
    lines
}

/// The public data that a model started from, and what that was made from in its turn.
pub(crate) fn prior_lines(prior: &Prior) -> Vec<String> {
    let clauses = prior.in_words().into_iter();
    clauses
        .map(|clause| format!("public     {clause}"))
        .collect()
}

/// The same for programs.
pub(crate) fn prior_document(prior: &Prior) -> serde_json::Value {
    match prior {
        Prior::NotRecorded => "not_recorded".into(),
        recorded => json!(recorded),
    }
}

/// Every spend, for a curious person.
pub(crate) fn detail_entries(ledger: &LedgerRecord, printer: Printer) {
    for entry in ledger.entries() {
        printer.detail(format_args!("  rho {}  {}", entry.rho(), entry.label()));
    }
}
