//! `synclave room`: the two files of a room, and what a party sends to whoever writes them.

use std::fs;
use std::path::Path;

use access::PublicKey;
use anyhow::Context;
use protocol::{Agreement, KeyFingerprint, read_file, read_text_file};
use schema::{Declaration, Origin, Schema};
use serde::Deserialize;
use serde_json::json;
use service::{CheckedAgreement, Summary};

use crate::agreement_text;
use crate::arguments::{NamedText, RoomCommand, RoomJoinOptions, RoomNewOptions};
use crate::exit::BadInput;
use crate::printer::Printer;
use crate::{table_file, whole_file};

/// The ending of what a party sends.
const PARTY_FILE: &str = ".party.yaml";
/// The role of those who bring no table.
const ANALYST: &str = "analyst";

pub(crate) fn run(command: &RoomCommand, printer: Printer) -> anyhow::Result<()> {
    match command {
        RoomCommand::New(options) => new(options, printer),
        RoomCommand::Join(options) => join(options, printer),
    }
}

/// Whoever takes part.
struct Member {
    name: String,
    /// As it stands in `service.yaml`.
    public_key: String,
    columns: Option<Declaration>,
}

/// What a party sends: its name, its key, and what its table has. Nothing in it is secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartyFile {
    party: String,
    public_key: String,
    #[serde(default)]
    columns: Option<Declaration>,
}

fn join(options: &RoomJoinOptions, printer: Printer) -> anyhow::Result<()> {
    check_name(&options.name)?;
    let columns = options.schema.as_deref().map(declaration).transpose()?;
    let path = options.output.join(format!("{}{PARTY_FILE}", options.name));
    refuse_existing(&path)?;
    let key = client::keygen(&options.name, &options.output, options.algorithm)?;
    let text = party_file(&options.name, &key.key.public_text(), columns.as_ref());
    whole_file::write(&path, |out| Ok(out.write_all(text.as_bytes())?))?;
    let fingerprint = KeyFingerprint::of_key(key.key.spki());
    printer.say(format_args!(
        "private key: {} (keep it; nobody else needs it)",
        key.private_file.display()
    ));
    printer.say(format_args!("fingerprint: {}", fingerprint.in_groups()));
    printer
        .say("             (read it to the others by telephone once they show you the agreement)");
    printer.say("send this file to whoever sets the room up; nothing in it is secret:");
    printer.result(path.display());
    printer.document(&json!({
        "party_file": path,
        "private_key": key.private_file,
        "public_key": key.public_file,
        "fingerprint": fingerprint,
    }));
    Ok(())
}

fn party_file(name: &str, public_key: &str, columns: Option<&Declaration>) -> String {
    let mut text = format!(
        "# What {name} sends to whoever sets the room up: a name, a public key, and what the \
         table has.\n# Nothing in it is secret. `synclave room new --party` takes this file.\n\
         party: {}\npublic_key: {public_key}\n",
        quoted(name)
    );
    if let Some(columns) = columns {
        text.push_str("columns:\n");
        text.push_str(&declared(columns, 2));
    }
    text
}

fn new(options: &RoomNewOptions, printer: Printer) -> anyhow::Result<()> {
    for file in ["service.yaml", "runtime.yaml"] {
        refuse_existing(&options.output.join(file))?;
    }
    let mut parties = options
        .party
        .iter()
        .map(|text| member(text))
        .collect::<anyhow::Result<Vec<Member>>>()?;
    if parties.len() < 2 {
        if !printer.can_ask() {
            let message = "a room has two parties or more: give --party twice, each as NAME=KEY \
                           or as the file that `synclave room join` wrote";
            return Err(BadInput(message.to_owned()).into());
        }
        ask_for_parties(&mut parties, printer)?;
    }
    for NamedText { name, text } in &options.columns {
        let party = parties.iter_mut().find(|party| party.name == *name);
        let Some(party) = party else {
            let message = format!("--columns names {name:?}, which is not one of the parties");
            return Err(BadInput(message).into());
        };
        party.columns = Some(declaration(Path::new(text))?);
    }
    let analysts = options
        .analyst
        .iter()
        .map(|it| named_key(&it.name, &it.text));
    let analysts = analysts.collect::<anyhow::Result<Vec<Member>>>()?;
    let epsilon = match options.epsilon {
        Some(epsilon) => epsilon,
        None => ask_for_epsilon(printer)?,
    };
    let service = service_yaml(&parties, &analysts);
    let runtime = runtime_yaml(options, &parties, epsilon);
    // The very check that the enclave makes: files that it would refuse are not even written.
    let agreement = Agreement::new(service.clone().into_bytes(), runtime.clone().into_bytes());
    let problem = || BadInput("these parties and options give no room".to_owned());
    let checked = agreement.with_context(problem)?;
    let checked = CheckedAgreement::parse(checked).with_context(problem)?;
    fs::create_dir_all(&options.output)
        .with_context(|| format!("could not make the folder {}", options.output.display()))?;
    let files = [("service.yaml", &service), ("runtime.yaml", &runtime)];
    let files = files.map(|(name, text)| {
        whole_file::prepare(&options.output.join(name), |out| {
            Ok(out.write_all(text.as_bytes())?)
        })
    });
    whole_file::keep(files.into_iter().collect::<anyhow::Result<Vec<_>>>()?)?;
    let summary = Summary::new(&checked);
    printer.say_lines(agreement_text::text(&summary, None));
    agreement_text::warn(&summary, printer);
    let folder = options.output.display();
    printer.say(format_args!(
        "wrote {folder}/service.yaml and {folder}/runtime.yaml: send both to every party, which \
         runs `synclave validate` on them; an operator starts `synclave-enclave` with them, or \
         packs them into an image. Any change to a byte gives another hash:"
    ));
    printer.result(summary.agreement_sha384);
    let mut document = serde_json::to_value(&summary).context("could not write the summary")?;
    document["folder"] = json!(options.output);
    printer.document(&document);
    Ok(())
}

/// `NAME=KEY`, or the file that a party sent.
fn member(text: &str) -> anyhow::Result<Member> {
    if text.ends_with(PARTY_FILE) || !text.contains('=') && Path::new(text).is_file() {
        return read_party_file(Path::new(text));
    }
    match text.split_once('=') {
        Some((name, key)) => named_key(name, key),
        None => {
            let message = format!(
                "--party {text:?} is neither NAME=KEY nor a file that `synclave room join` wrote"
            );
            Err(BadInput(message).into())
        }
    }
}

fn read_party_file(path: &Path) -> anyhow::Result<Member> {
    let problem = || BadInput(format!("could not use the party's file {}", path.display()));
    let text = read_text_file(path, table_file::MAX_YAML_BYTES).with_context(problem)?;
    let file: PartyFile = strict_yaml::from_str(&text).with_context(problem)?;
    Ok(Member {
        columns: file.columns,
        ..named_key(&file.party, &file.public_key).with_context(problem)?
    })
}

/// A key is a file, or the text that `keygen` prints.
fn named_key(name: &str, key: &str) -> anyhow::Result<Member> {
    check_name(name)?;
    let problem = || BadInput(format!("could not use the public key of {name}"));
    let path = Path::new(key);
    let key = if path.is_file() {
        let bytes = read_file(path, MAX_KEY_BYTES).with_context(problem)?;
        PublicKey::read(&bytes).with_context(problem)?
    } else {
        PublicKey::parse(key).with_context(|| {
            BadInput(format!(
                "could not use the public key of {name}: {key:?} is not a file, and not the text \
                 that `keygen` prints either"
            ))
        })?
    };
    Ok(Member {
        name: name.to_owned(),
        public_key: key.to_text(),
        columns: None,
    })
}

fn ask_for_parties(parties: &mut Vec<Member>, printer: Printer) -> anyhow::Result<()> {
    loop {
        let more = if parties.len() < 2 {
            ""
        } else {
            " (empty: no more)"
        };
        let name = printer.ask(&format!("Name of party {}{more}: ", parties.len() + 1))?;
        let name = name.trim();
        if name.is_empty() {
            if parties.len() < 2 {
                printer.warn("a room has two parties or more");
                continue;
            }
            return Ok(());
        }
        let question = format!("Public key of {name} (a file, or what `keygen` printed): ");
        let key = printer.ask(&question)?;
        match named_key(name, key.trim()) {
            Ok(party) => parties.push(party),
            // A slip of the pen should not cost what was typed before it.
            Err(error) => printer.warn(format_args!("{error:#}")),
        }
    }
}

fn ask_for_epsilon(printer: Printer) -> anyhow::Result<f64> {
    if !printer.can_ask() {
        let message = "--epsilon is missing: it is the privacy budget of the room (1 is a usual \
                       start), and everybody has to agree on it";
        return Err(BadInput(message.to_owned()).into());
    }
    loop {
        let answer = printer.ask("Epsilon, the privacy budget (1 is a usual start): ")?;
        match answer.trim().parse() {
            Ok(epsilon) => return Ok(epsilon),
            Err(_) => printer.warn("that is not a number; write it as 1 or 0.5"),
        }
    }
}

fn service_yaml(parties: &[Member], analysts: &[Member]) -> String {
    let mut text = String::from(
        "# Who takes part, and with which key. Together with runtime.yaml this is the agreement,\n\
         # byte for byte. Each party compares its key's fingerprint, which `synclave validate`\n\
         # shows, with the one that its own `keygen` or `room join` printed.\n\
         auth:\n- {auth_name: default, auth_type: signed_headers}\n",
    );
    if !analysts.is_empty() {
        text.push_str(
            "# What analysts may see besides the parties: rows and what is said of them.\n",
        );
        text.push_str("paths:\n");
        for path in ["/samples", "/columns", "/model", "/report"] {
            text.push_str(&format!(
                "- {{path: {path}, access: [data_provider, {ANALYST}]}}\n"
            ));
        }
    }
    text.push_str("roles:\n");
    let mut role = |name: &str, members: usize, does: &str| {
        text.push_str(&format!(
            "- role_name: {name}\n  role_cardinality: {members}\n  role_auth: default\n  \
             role_description: {does}\n"
        ));
    };
    role(
        "data_provider",
        parties.len(),
        "uploads a table and downloads rows",
    );
    if !analysts.is_empty() {
        role(ANALYST, analysts.len(), "downloads rows");
    }
    text.push_str("traffic:\n  inbound: [{name: main_io, port: 443, type: tcp}]\n  outbound: []\n");
    text.push_str("users:\n");
    let mut users = |role: &str, members: &[Member]| {
        text.push_str(&format!("  {role}:\n"));
        for member in members {
            text.push_str(&format!(
                "  - user_name: {}\n    public_key: {}\n",
                quoted(&member.name),
                member.public_key
            ));
        }
    };
    users("data_provider", parties);
    if !analysts.is_empty() {
        users(ANALYST, analysts);
    }
    text
}

fn runtime_yaml(options: &RoomNewOptions, parties: &[Member], epsilon: f64) -> String {
    let names: Vec<String> = parties.iter().map(|party| quoted(&party.name)).collect();
    let mut text = format!(
        "# What the room computes.\nmethod: {}\n# The privacy budget: whether anybody is in the \
         tables changes the odds of anything that is\n# seen by at most a factor of e^epsilon, \
         except with probability delta.\nepsilon: {epsilon}\ndelta: {:e}\n",
        options.method, options.delta
    );
    if let Some(people) = options.people {
        text.push_str(&format!(
            "# About how many people the tables are of; public, for warnings.\npeople: {people}\n"
        ));
    }
    text.push_str(&format!("party_names: [{}]\n", names.join(", ")));
    text.push_str(&format!(
        "# The column that says whose a row is, in each table.\nkey: {}\n",
        quoted(&options.key)
    ));
    if let Some(rows) = options.max_rows_per_id {
        text.push_str(&format!("max_rows_per_id: {rows}\n"));
    }
    text.push_str(
        "# If the parties write ids differently: these steps are taken before ids are compared.\n\
         # id_normalise: [trim, strip_leading_zeros, lower]\n\
         # Train only if about so many rows meet; tested at most three times, for a hundredth of \
         the\n# budget each, or more where it is a small number.\n# minimum_rows: 1000\n",
    );
    if let Some(target) = &options.target {
        text.push_str(&format!(
            "# The column that the rows will be used to predict.\ntarget: {}\n",
            quoted(target)
        ));
    }
    if parties.iter().any(|party| party.columns.is_some()) {
        text.push_str("# What the tables have. What is declared here costs no budget.\ncolumns:\n");
        for party in parties {
            if let Some(columns) = &party.columns {
                text.push_str(&format!("  {}:\n", quoted(&party.name)));
                text.push_str(&declared(columns, 4));
            }
        }
    }
    for party in parties.iter().filter(|party| party.columns.is_none()) {
        text.push_str(&format!(
            "# The columns of {} are not declared: what they hold is found out with a share of \
             the budget.\n",
            party.name
        ));
    }
    text
}

/// Columns, one a line, in the form of JSON, which is YAML as well.
fn declared(columns: &Declaration, indentation: usize) -> String {
    let document = serde_json::to_value(columns).expect("a declaration is JSON");
    let entries = document.as_object().into_iter().flatten();
    let line = |(name, value): (&String, &serde_json::Value)| {
        format!("{:indentation$}{}: {value}\n", "", quoted(name))
    };
    entries.map(line).collect()
}

/// A text as YAML and JSON write it.
fn quoted(text: &str) -> String {
    json!(text).to_string()
}

/// A schema file, checked by itself: its errors are told before those of the whole agreement.
fn declaration(path: &Path) -> anyhow::Result<Declaration> {
    let problem = || BadInput(format!("could not use the schema in {}", path.display()));
    let text = read_text_file(path, table_file::MAX_YAML_BYTES).with_context(problem)?;
    let declaration = Declaration::from_yaml(&text).with_context(problem)?;
    let schema = Schema::new(declaration.clone()).with_context(problem)?;
    if schema.origin() == Some(Origin::Data) {
        let message = format!(
            "{} says `origin: data`, for which a room has no guarantee: read it, take out what \
             could not have been known without the table, and write `origin: reviewed`",
            path.display()
        );
        return Err(BadInput(message).into());
    }
    Ok(declaration)
}

/// Names stand in comments and in names of files.
fn check_name(name: &str) -> Result<(), BadInput> {
    let usable = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
    if name.trim() != name || name.is_empty() || !name.chars().all(usable) {
        return Err(BadInput(format!(
            "the name {name:?} cannot be used: give letters, digits, `-`, `_` or spaces between \
             them"
        )));
    }
    Ok(())
}

/// An agreement that others may have accepted, or a key that is in use, must not be lost.
fn refuse_existing(path: &Path) -> Result<(), BadInput> {
    match path.exists() {
        true => Err(BadInput(format!(
            "{} is there already; move it away, or name another --output",
            path.display()
        ))),
        false => Ok(()),
    }
}

const MAX_KEY_BYTES: u64 = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_written_so_that_they_are_read_back() {
        let yaml = "age: {integer: {min: 0, max: 99, bins: 10}, nullable: true}\nplan: \
                    {categories: [\"0\", yes, 'a: b'], other: true}\nx: {number: {min: 0, max: \
                    1e6, bins: {cuts: [10, 100]}}}\nconstraints:\n- {impossible: {plan: \
                    [\"0\"], age: [0..9]}}\n";
        let declared_here = Declaration::from_yaml(yaml);
        let Ok(read) = declared_here else {
            panic!("{declared_here:?}")
        };
        let text = format!("columns:\n{}", declared(&read, 2));
        #[derive(Deserialize)]
        struct Columns {
            columns: Declaration,
        }
        let back: Columns = strict_yaml::from_str(&text).expect(&text);
        assert_eq!(back.columns, read);
    }
}
