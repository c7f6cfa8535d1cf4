//! Tables as people have them: compressed, through pipes, in workbooks, with other separators.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::{Ran, synclave};

const SYNTH: [&str; 7] = [
    "--epsilon",
    "1000",
    "--output",
    "out.csv",
    "--schema",
    "schema.yaml",
    "--json",
];

/// A folder with a schema of `age` and `city`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let schema = "age: {integer: {min: 0, max: 99}}\ncity: {categories: [Köln, Łódź, Málaga]}\n";
    fs::write(folder.path().join("schema.yaml"), schema).unwrap();
    folder
}

fn synth(folder: &Path, table: &str, options: &[&str]) -> Ran {
    synclave(folder, &[&["synth", table], &SYNTH[..], options].concat())
}

/// A table of 300 rows, two thirds of them of people in Köln.
fn csv(separator: &str) -> String {
    let cities = ["Köln", "Köln", "Łódź"];
    let rows = (0..300).map(|row| {
        let (age, city) = (20 + row % 50, cities[row % 3]);
        format!("{age}{separator}{city}\n")
    });
    format!("age{separator}city\n{}", rows.collect::<String>())
}

/// What was said of a table that was understood: none of its fields is told as unknown.
#[track_caller]
fn understood(ran: Ran) -> String {
    let ran = ran.exits(0);
    let private = &ran.json()["private_to_you"];
    assert_eq!(private["notes"], serde_json::json!([]));
    private["read_as"].as_str().unwrap().to_owned()
}

#[track_caller]
fn refused(ran: Ran, because: &str) {
    let ran = ran.exits(3);
    let said = ran.stderr();
    assert!(said.contains(because), "{said}");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

#[test]
fn tables_are_read_by_what_is_in_them() {
    let folder = folder();
    let utf16 = format!("\u{feff}{}", csv("\t"));
    let utf16: Vec<u8> = utf16.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let piped = csv("|");
    let objects = piped.lines().skip(1).map(|line| {
        let (age, city) = line.split_once('|').unwrap();
        format!("{{\"city\": \"{city}\", \"age\": {age}}}\n")
    });
    let objects: String = objects.collect();
    for (name, bytes, read_as) in [
        (
            "a.csv",
            csv(",").into_bytes(),
            "CSV separated by commas, in UTF-8",
        ),
        (
            "b.csv",
            csv(", ").into_bytes(),
            "CSV separated by commas and spaces, in UTF-8",
        ),
        (
            "c.csv",
            csv(";").into_bytes(),
            "CSV separated by semicolons, in UTF-8",
        ),
        ("d.txt", utf16, "CSV separated by tabs, in UTF-16LE"),
        (
            "e.csv.gz",
            gzip(csv("|").as_bytes()),
            "CSV separated by pipes, in UTF-8, compressed with gzip",
        ),
        (
            "f.jsonl",
            objects.into_bytes(),
            "JSON, one object after the other, in UTF-8",
        ),
    ] {
        fs::write(folder.path().join(name), bytes).unwrap();
        assert_eq!(understood(synth(folder.path(), name, &[])), read_as);
    }
}

#[test]
fn what_the_file_does_not_tell_is_said_by_options() {
    let folder = folder();
    let latin1: Vec<u8> = csv("~")
        .replace("Łódź", "Málaga")
        .chars()
        .map(|c| c as u8)
        .collect();
    fs::write(folder.path().join("t.csv"), latin1).unwrap();
    let options = ["--encoding", "latin1", "--delimiter", "~"];
    let read_as = understood(synth(folder.path(), "t.csv", &options));
    assert_eq!(read_as, "CSV separated by `~`s, in windows-1252");
    refused(
        synth(folder.path(), "t.csv", &["--delimiter", "~"]),
        "--encoding latin1",
    );
    refused(
        synth(folder.path(), "t.csv", &["--sheet", "a"]),
        "--sheet is for workbooks",
    );
    synth(folder.path(), "t.csv", &["--encoding", "klingon"]).exits(2);
    synth(folder.path(), "t.csv", &["--delimiter", "ab"]).exits(2);
}

#[test]
fn a_table_comes_from_standard_input() {
    let folder = folder();
    let ran = |bytes: &[u8]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_synclave"))
            .args(["synth", "-"])
            .args(SYNTH)
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It may refuse before it has read everything.
        let _ = program.stdin.take().unwrap().write_all(bytes);
        Ran {
            arguments: "synth -".to_owned(),
            output: program.wait_with_output().unwrap(),
        }
    };
    assert_eq!(
        understood(ran(csv(";").as_bytes())),
        "CSV separated by semicolons, in UTF-8"
    );
    let workbook = workbook(&[("People", &sheet_of_people(""))]);
    assert_eq!(
        understood(ran(&workbook)),
        "the sheet `People` of a workbook"
    );
    refused(ran(b""), "the file is empty");
    refused(
        ran(b"age,city\n7,\"K\xc3\xb6ln\n8,x\n"),
        "ends inside a quoted field",
    );
    let packed = gzip(csv(",").as_bytes());
    refused(ran(&packed[..packed.len() / 2]), "the gzip file is cut off");
}

#[test]
fn what_is_no_table_is_refused_with_what_to_do() {
    let folder = folder();
    let at = folder.path();
    refused(
        synth(at, "https://example.org/t.csv", &[]),
        "curl -L ADDRESS | synclave",
    );
    refused(
        synth(at, "s3://bucket/t.csv", &[]),
        "aws s3 cp ADDRESS - | synclave",
    );
    fs::create_dir(at.join("folder")).unwrap();
    refused(
        synth(at, "folder", &[]),
        "it is a folder; name a file in it",
    );
    fs::write(at.join("t.csv"), "age,city\n7,1,80\n").unwrap();
    refused(synth(at, "t.csv", &[]), "with a decimal comma");
    fs::write(at.join("t.parquet"), csv(",")).unwrap();
    refused(
        synth(at, "t.parquet", &[]),
        "the Parquet file cannot be read",
    );
    let both = ["evaluate", "-", "-"];
    refused(synclave(at, &both), "only one of both tables");
}

/// A file that grows while it is read must not pass for what it was.
#[test]
fn a_first_row_does_not_become_the_names() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..300)
        .map(|n| format!("{},y,{}\n", n % 90, 569 + n))
        .collect();
    fs::write(folder.path().join("people.csv"), &rows).unwrap();
    let refused = |command: &[&str]| {
        let ran = synclave(folder.path(), command);
        let (said, told) = (ran.stderr(), ran.stdout());
        ran.exits(3).saying("the first line seems to be a row");
        assert!(
            !said.contains("569") && !told.contains("569"),
            "{said}{told}"
        );
    };
    refused(&["synth", "people.csv", "--epsilon", "3", "--output", "o.csv"]);
    refused(&["schema", "people.csv"]);
    assert!(!folder.path().join("o.csv").exists());
}

#[test]
fn a_file_that_changes_while_it_is_read_is_refused() {
    let folder = folder();
    let path = folder.path().join("t.csv");
    // Long enough for reading to take a while.
    fs::write(&path, csv(",") + &"33,Köln\n".repeat(2_000_000)).unwrap();
    let program = Command::new(env!("CARGO_BIN_EXE_synclave"))
        .args(["synth", "t.csv"])
        .args(SYNTH)
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut file = File::options().append(true).open(&path).unwrap();
    // Until it has ended: reading is somewhere in between.
    let watched = std::thread::spawn(move || program.wait_with_output().unwrap());
    while !watched.is_finished() {
        file.write_all(b"34,K\xc3\xb6ln\n").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let ran = Ran {
        arguments: "synth t.csv".to_owned(),
        output: watched.join().unwrap(),
    };
    refused(ran, "it changed while it was read");
}

/// The XML of the cells of a sheet like that of [`csv`], with `more` after them.
fn sheet_of_people(more: &str) -> String {
    let mut rows = "<row r=\"1\">".to_owned() + &text("A1", "age") + &text("B1", "city") + "</row>";
    for row in 2..100 {
        let (age, city) = (20 + row % 50, ["Köln", "Łódź"][row % 2]);
        let age = format!("<c r=\"A{row}\"><v>{age}.0</v></c>");
        rows += &format!(
            "<row r=\"{row}\">{age}{}</row>",
            text(&format!("B{row}"), city)
        );
    }
    format!("<sheetData>{rows}</sheetData>{more}")
}

fn text(cell: &str, text: &str) -> String {
    format!("<c r=\"{cell}\" t=\"inlineStr\"><is><t>{text}</t></is></c>")
}

/// A workbook of these sheets, as little of it as is read.
fn workbook(sheets: &[(&str, &str)]) -> Vec<u8> {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const LINKS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let mut add = |name: &str, content: &str| {
        archive
            .start_file(name, SimpleFileOptions::default())
            .unwrap();
        archive.write_all(content.as_bytes()).unwrap();
    };
    add("[Content_Types].xml", "<Types/>");
    let of_book = format!(
        "<Relationships><Relationship Id=\"b\" Type=\"{LINKS}/officeDocument\" \
         Target=\"xl/workbook.xml\"/></Relationships>"
    );
    add("_rels/.rels", &of_book);
    let (mut listed, mut linked) = (String::new(), String::new());
    for (i, (name, cells)) in sheets.iter().enumerate() {
        listed += &format!(
            "<sheet name=\"{name}\" sheetId=\"{}\" r:id=\"r{i}\"/>",
            i + 1
        );
        linked += &format!(
            "<Relationship Id=\"r{i}\" Type=\"{LINKS}/worksheet\" Target=\"worksheets/{i}.xml\"/>"
        );
        let sheet = format!("<worksheet xmlns=\"{MAIN}\">{cells}</worksheet>");
        add(&format!("xl/worksheets/{i}.xml"), &sheet);
    }
    let book = format!(
        "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{LINKS}\"><sheets>{listed}</sheets></workbook>"
    );
    add("xl/workbook.xml", &book);
    add(
        "xl/_rels/workbook.xml.rels",
        &format!("<Relationships>{linked}</Relationships>"),
    );
    let styles = format!(
        "<styleSheet xmlns=\"{MAIN}\"><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/></cellXfs>\
         </styleSheet>"
    );
    add("xl/styles.xml", &styles);
    archive.finish().unwrap().into_inner()
}

#[test]
fn a_sheet_of_a_workbook_is_a_table() {
    let folder = folder();
    let at = folder.path();
    let people = sheet_of_people("");
    fs::write(at.join("one.xlsx"), workbook(&[("People", &people)])).unwrap();
    assert_eq!(
        understood(synth(at, "one.xlsx", &[])),
        "the sheet `People` of a workbook"
    );
    let two = workbook(&[("Notes", "<sheetData/>"), ("People", &people)]);
    // By what is in it, whatever it is called.
    fs::write(at.join("two.bin"), two).unwrap();
    refused(
        synth(at, "two.bin", &[]),
        "several sheets: `Notes`, `People`; say which with --sheet",
    );
    refused(
        synth(at, "two.bin", &["--sheet", "Peolpe"]),
        "no sheet `Peolpe`; its sheets are",
    );
    understood(synth(at, "two.bin", &["--sheet", "People"]));
    refused(
        synth(at, "two.bin", &["--sheet", "Notes"]),
        "no sheet with cells",
    );
    refused(
        synth(at, "one.xlsx", &["--delimiter", ";"]),
        "--delimiter is for texts",
    );
}

#[test]
fn sheets_that_are_laid_out_for_people_are_refused_or_told() {
    let folder = folder();
    let at = folder.path();
    let check = |cells: &str, because: &str| {
        fs::write(at.join("t.xlsx"), workbook(&[("A", cells)])).unwrap();
        refused(synth(at, "t.xlsx", &[]), because);
    };
    let merged = "<mergeCells count=\"1\"><mergeCell ref=\"A3:A7\"/></mergeCells>";
    check(&sheet_of_people(merged), "the cells A3:A7 are merged");
    let people = sheet_of_people("");
    let title = people.replace(&text("B1", "city"), "");
    check(&title, "row 1 names 1 of 2 columns");
    let units = people.replacen("<c r=\"A2\"><v>22.0</v></c>", &text("A2", "years"), 1);
    check(&units, "row 2 looks like a second row of names");
    let formula = people.replacen("<v>22.0</v>", "<f>2*11</f>", 1);
    check(&formula, "the formula in A2 has no value yet");

    let computed = people.replacen("<v>22.0</v>", "<f>2*11</f><v>22</v>", 1);
    fs::write(at.join("t.xlsx"), workbook(&[("A", &computed)])).unwrap();
    let notes = synth(at, "t.xlsx", &[]).exits(0).json()["private_to_you"]["notes"].take();
    let note = notes[0].as_str().unwrap();
    assert!(note.contains("1 cell is computed by formulas"), "{note}");
}

#[test]
fn dates_of_a_workbook_are_dates() {
    let folder = folder();
    let at = folder.path();
    fs::write(
        at.join("schema.yaml"),
        "seen: {date: {min: 2015-01-01, max: 2015-12-31}}\nsex: {categories: [F, M]}\n",
    )
    .unwrap();
    let head = text("A1", "seen") + &text("B1", "sex");
    let mut rows = format!("<row r=\"1\">{head}</row>");
    for row in 2..40 {
        let day = format!("<c r=\"A{row}\" s=\"1\"><v>{}</v></c>", 42_005 + row);
        rows += &format!(
            "<row r=\"{row}\">{day}{}</row>",
            text(&format!("B{row}"), "F")
        );
    }
    let cells = format!("<sheetData>{rows}</sheetData>");
    fs::write(at.join("t.xlsx"), workbook(&[("A", &cells)])).unwrap();
    understood(synth(at, "t.xlsx", &[]));
}
