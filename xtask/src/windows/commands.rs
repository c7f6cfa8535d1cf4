//! What a person does with one machine: keys, agreements, rows.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::laptop::{Laptop, Ran};
use super::told;
use crate::process::{self, Process};

/// Exit codes of the program.
pub(super) const INPUT: i32 = 3;
const UNREACHABLE: i32 = 10;
const INTERRUPTED: i32 = 130;

const ROWS: usize = 500;
/// More rows than can be written before the check is over.
const ENDLESS: &str = "200000000";
const STARTED: Duration = Duration::from_secs(60);

/// `programs` are those of this machine, which must find the same.
pub(super) fn check(laptop: &Laptop<'_>, programs: &Path) -> anyhow::Result<()> {
    makes_keys_for_their_owner_alone(laptop)?;
    makes_rows(laptop)?;
    draws_the_same_rows_as_here(laptop, &programs.join("synclave"))?;
    refuses_what_would_be_lost(laptop)?;
    leaves_nothing_behind_after_ctrl_c(laptop)?;
    Ok(())
}

/// Wine makes a file's mode of its access list, and its list of the mode. It gives the group what
/// the owner has, so that the mode tells of all others alone.
fn makes_keys_for_their_owner_alone(laptop: &Laptop<'_>) -> anyhow::Result<()> {
    let keygen = ["keygen", "--key-name", "insurer", "--output", "keys"];
    let keygen = [&keygen[..], &["--algorithm", "p256"]].concat();
    laptop.succeed(&keygen)?;
    let others = |name: &str| -> anyhow::Result<u32> {
        let file = fs::metadata(laptop.path(&format!("keys/insurer_{name}.der")))?;
        Ok(file.permissions().mode() & 0o007)
    };
    ensure!(others("private")? == 0, "others may open the private key");
    ensure!(
        others("public")? != 0,
        "the public key has the rights of a private one"
    );
    laptop.run(&keygen, INPUT)?.saying("not overwritten")?;
    told("a private key is for its owner alone, and is not overwritten");

    let key = laptop.path("keys/insurer_private.der");
    let connect = [
        "connect",
        "--url",
        "http://127.0.0.1",
        // Nobody listens there.
        "--port",
        "1",
        "--private-key",
        r"keys\insurer_private.der",
        "--public-key",
        r"keys\insurer_public.der",
        "--measurements",
        "measurements.json",
        "--agreement",
        &"0".repeat(96),
    ];
    let digest = "1".repeat(96);
    let registers = ["PCR0", "PCR1", "PCR2"].map(|name| format!("\"{name}\": \"{digest}\""));
    let measurements = format!("{{\"Measurements\": {{{}}}}}", registers.join(", "));
    fs::write(laptop.path("measurements.json"), measurements)?;
    let ran = laptop.run(&connect, UNREACHABLE)?;
    ensure!(
        !ran.stderr.contains("icacls"),
        "a key that is not open: {}",
        ran.stderr
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644))?;
    let ran = laptop.run(&connect, UNREACHABLE)?;
    ran.saying("open to other users of this machine (to Everyone)")?
        .saying(r"`icacls keys\insurer_private.der /inheritance:r")?;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
    told("a private key that others may open is told, with the command that closes it");
    Ok(())
}

fn makes_rows(laptop: &Laptop<'_>) -> anyhow::Result<()> {
    fs::create_dir_all(laptop.path("data"))?;
    // Lines end as Notepad and Excel end them.
    let lines = |lines: Vec<String>| lines.join("\r\n") + "\r\n";
    let people = (0..2000).map(|id| format!("{id},{},{}", ["red", "green"][id % 2], id % 90));
    let people = std::iter::once("id,colour,age".to_owned()).chain(people);
    fs::write(laptop.path("data/people.csv"), lines(people.collect()))?;
    let schema = [
        "colour: {categories: [red, green]}",
        "age: {integer: {min: 0, max: 89}}",
    ];
    fs::write(
        laptop.path("data/people.yaml"),
        lines(schema.map(str::to_owned).into()),
    )?;
    laptop.succeed(&synth(&ROWS.to_string(), "rows.csv"))?;
    let rows = fs::read_to_string(laptop.path("rows.csv"))?;
    let mut lines = rows.lines();
    ensure!(
        lines.next() == Some("colour,age"),
        "the names of columns: {rows}"
    );
    let is_good = |line: &str| {
        line.split_once(',').is_some_and(|(colour, age)| {
            ["red", "green"].contains(&colour) && age.parse().is_ok_and(|age: u32| age < 90)
        })
    };
    ensure!(
        lines.clone().all(is_good),
        "a value that no column has: {rows}"
    );
    ensure!(lines.count() == ROWS, "there are not {ROWS} rows: {rows}");
    let report = fs::read_to_string(laptop.path("report.html"))?;
    ensure!(report.contains("colour"), "a report without the columns");
    told(format_args!(
        "a table became {ROWS} rows, a model and a report"
    ));
    Ok(())
}

fn synth<'a>(rows: &'a str, output: &'a str) -> [&'a str; 16] {
    [
        "synth",
        r"data\people.csv",
        "--schema",
        r".\data\people.yaml",
        "--key",
        "id",
        "--epsilon",
        "3",
        "--rows",
        rows,
        "--output",
        output,
        "--model",
        "people.model",
        "--report",
        "report.html",
    ]
}

fn draws_the_same_rows_as_here(laptop: &Laptop<'_>, here: &Path) -> anyhow::Result<()> {
    for arguments in [
        &["inspect", "people.model", "--json"][..],
        &[
            "sample",
            "people.model",
            "--rows",
            "100",
            "--seed",
            "7",
            "--output",
            "-",
        ],
    ] {
        let there = laptop.succeed(arguments)?.stdout;
        let output = Command::new(here)
            .args(arguments)
            .current_dir(laptop.folder())
            .output();
        let output = output.with_context(|| format!("could not start {}", here.display()))?;
        let here = Ran::of(output, arguments, 0)?.stdout;
        ensure!(
            there == here,
            "`{}` differs:\n{there}{here}",
            arguments.join(" ")
        );
    }
    told("the program of this machine reads its model alike, and draws the same rows from it");
    Ok(())
}

/// Nothing that a person has is overwritten by what they did not mean.
fn refuses_what_would_be_lost(laptop: &Laptop<'_>) -> anyhow::Result<()> {
    let refused = |output: &str, why: &str| -> anyhow::Result<()> {
        laptop.run(&synth("10", output), INPUT)?.saying(why)?;
        Ok(())
    };
    // Windows has one name for both.
    refused(r"DATA\People.CSV", "which would be lost")?;
    refused("PEOPLE.model.", "which would be lost")?;
    fs::hard_link(laptop.path("data/people.csv"), laptop.path("linked.csv"))?;
    refused("linked.csv", "which would be lost")?;
    refused(r"nowhere\rows.csv", "there is no such folder")?;
    refused("nul", "no regular file")?;
    told("outputs that are an input under another name, or no files, are refused");

    let holder = laptop.start_other("cmd", "/c ping -n 60 127.0.0.1 >>held.csv")?;
    holder.wait_until("it had the file open", STARTED, || {
        laptop.path("held.csv").exists().then_some(())
    })?;
    refused("held.csv", "another program has it open")?;
    drop(holder);
    told("an output that another program has open is refused before anything is spent");
    Ok(())
}

fn leaves_nothing_behind_after_ctrl_c(laptop: &Laptop<'_>) -> anyhow::Result<()> {
    let before = names(laptop.folder())?;
    let mut endless = laptop.start(&synth(ENDLESS, "endless.csv"))?;
    endless.wait_until("rows were written", STARTED, || {
        let new = names(laptop.folder()).ok()?.into_iter();
        let mut new = new.filter(|name| !before.contains(name));
        let length = |name: String| fs::metadata(laptop.path(&name)).map_or(0, |it| it.len());
        new.any(|name| length(name) > 1 << 20).then_some(())
    })?;
    let code = ctrl_c(&mut endless)?;
    ensure!(
        code == Some(INTERRUPTED),
        "it ended with {code:?}: {:?}",
        endless.lines()
    );
    let after = names(laptop.folder())?;
    ensure!(before == after, "it left behind: {before:?} {after:?}");
    told("Ctrl-C ends it at once, and no half file stays");
    Ok(())
}

/// Gives the exit code. Wine hands a program Ctrl-C where this machine interrupts it.
pub(super) fn ctrl_c(running: &mut Process) -> anyhow::Result<Option<i32>> {
    process::signal("INT", running.id())?;
    Ok(running.wait(STARTED)?.code())
}

fn names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
