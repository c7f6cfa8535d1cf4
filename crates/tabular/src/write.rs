//! Codes to CSV or JSON, as text.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use rand_core::Rng;
use schema::{Column, Condition, OutputColumn, Rendering, Schema, inert};

use crate::new_identifiers::NewIdentifiers;

/// A format that rows can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180 with a header and `\n` at line ends. Null is an empty field. Categories are as
    /// they were declared or found, so that programs read back what was written, even where a
    /// spreadsheet would take them for a formula ([`schema::is_formula`]).
    Csv,
    /// The same for people who open it with a spreadsheet: column names and categories that it
    /// would take for a formula have an apostrophe before them, and so stay text. Numbers and dates
    /// are left as they are.
    SpreadsheetCsv,
    /// An array of objects, one to a line. Categories are strings, numbers are numbers, dates are
    /// strings, null is null. No spreadsheet takes a string of JSON for a formula.
    Json,
    /// The same objects, each on a line of its own and nothing around them, so that a file can be
    /// read and continued line by line.
    JsonLines,
}

impl Format {
    /// Those that can be asked for by [`name`](Self::name).
    pub const ALL: [Self; 3] = [Self::Csv, Self::Json, Self::JsonLines];

    /// Name by which a person asks for the format: `csv`, `json` or `jsonl`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv | Self::SpreadsheetCsv => "csv",
            Self::Json => "json",
            Self::JsonLines => "jsonl",
        }
    }

    /// The same for a spreadsheet; `None` if there is no such form, which JSON does not need.
    #[must_use]
    pub fn spreadsheet_safe(self) -> Option<Self> {
        match self {
            Self::Csv | Self::SpreadsheetCsv => Some(Self::SpreadsheetCsv),
            Self::Json | Self::JsonLines => None,
        }
    }

    fn is_csv(self) -> bool {
        matches!(self, Self::Csv | Self::SpreadsheetCsv)
    }

    /// A column's name or category in this format.
    fn text(self, text: &str) -> Vec<u8> {
        match self {
            Self::Csv => csv_field(text),
            Self::SpreadsheetCsv => csv_field(&inert(text)),
            Self::Json | Self::JsonLines => json_string(text),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Self::ALL
            .into_iter()
            .find(|format| format.name().eq_ignore_ascii_case(text))
            .ok_or(UnknownFormat)
    }
}

/// The name is not that of a format we have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown format; choose `csv`, `json` or `jsonl`")]
pub struct UnknownFormat;

/// Writes coded rows as text, as many at a time as the caller likes.
///
/// A code of a category becomes its text, the code of undeclared values the text `other`. A bin
/// becomes a value drawn uniformly from it with the given generator: whole numbers stay whole,
/// dates dates, and other numbers get about as many digits as a hundredth of the bin's width needs.
/// Every value written falls into its bin again when it is read. Columns of new identifiers stand
/// at their places, and no identifier comes twice from one writer.
///
/// Call [`write`](Self::write) any number of times, then [`finish`](Self::finish) once.
pub struct RowWriter {
    format: Format,
    opening: Vec<u8>,
    columns: Vec<Vec<Rendering>>,
    identifiers: NewIdentifiers,
    keys: Vec<Vec<u8>>,
    begun: bool,
    buffer: Vec<u8>,
}

/// Bytes collected before they are handed to the output.
const BUFFER: usize = 1 << 16;

impl RowWriter {
    /// A writer for rows of this schema.
    #[must_use]
    pub fn new(format: Format, schema: &Schema) -> Self {
        let names = || schema.output_columns().map(OutputColumn::name);
        let (opening, keys) = match format {
            Format::Csv | Format::SpreadsheetCsv => (csv_header(names(), format), Vec::new()),
            Format::Json | Format::JsonLines => (Vec::new(), json_keys(names())),
        };
        let alone = schema.output_columns().count() == 1;
        let columns = schema
            .columns()
            .iter()
            .map(|column| renderings(column, format, alone))
            .collect();
        Self {
            format,
            opening,
            columns,
            identifiers: NewIdentifiers::new(schema),
            keys,
            begun: false,
            buffer: Vec::with_capacity(BUFFER + 1024),
        }
    }

    /// The same without the line of column names, to continue a CSV file.
    #[must_use]
    pub fn without_header(mut self) -> Self {
        self.opening.clear();
        self
    }

    /// The same for rows that satisfy a condition: a bin that is wanted in part becomes a value of
    /// that part.
    ///
    /// # Panics
    /// If the condition is on another schema.
    #[must_use]
    pub fn within(mut self, condition: &Condition) -> Self {
        for (column, parts) in condition.renderings() {
            for (&code, part) in parts {
                self.columns[column][code] = part.clone();
            }
        }
        self
    }

    /// Writes rows given as codes, column by column.
    ///
    /// # Errors
    /// If writing to `out` fails.
    ///
    /// # Panics
    /// If the codes do not fit the schema, or there are more rows than
    /// [`Schema::check_rows`] allows.
    pub fn write(
        &mut self,
        codes: &[Vec<u32>],
        rng: &mut impl Rng,
        out: &mut impl Write,
    ) -> io::Result<()> {
        assert_eq!(
            codes.len(),
            self.columns.len(),
            "there are codes for every column"
        );
        let rows = codes[0].len();
        if rows > 0 && !self.begun && self.format.is_csv() {
            self.begin();
        }
        if rows > 0 {
            self.identifiers.begin(rng);
        }
        for row in 0..rows {
            match self.format {
                Format::Csv | Format::SpreadsheetCsv => self.push_csv_row(codes, row, rng),
                Format::Json | Format::JsonLines => self.push_json_row(codes, row, rng),
            }
            if self.buffer.len() >= BUFFER {
                out.write_all(&self.buffer)?;
                self.buffer.clear();
            }
        }
        out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Writes what is left to close the file.
    ///
    /// # Errors
    /// If writing to `out` fails.
    pub fn finish(mut self, out: &mut impl Write) -> io::Result<()> {
        match (self.format.is_csv(), self.begun) {
            (true, true) => {}
            (true, false) => self.begin(),
            _ if self.format == Format::JsonLines => {}
            (false, true) => self.buffer.extend_from_slice(b"\n]\n"),
            (false, false) => self.buffer.extend_from_slice(b"[]\n"),
        }
        out.write_all(&self.buffer)
    }

    fn begin(&mut self) {
        self.begun = true;
        self.buffer.extend_from_slice(&self.opening);
    }

    fn push_csv_row(&mut self, codes: &[Vec<u32>], row: usize, rng: &mut impl Rng) {
        let (buffer, format) = (&mut self.buffer, self.format);
        for place in 0..=self.columns.len() {
            self.identifiers.next_behind(place, |identifier| {
                buffer.extend_from_slice(&format.text(identifier));
                buffer.push(b',');
            });
            if let Some(column) = self.columns.get(place) {
                column[codes[place][row] as usize].append(buffer, rng, b"");
                buffer.push(b',');
            }
        }
        // Instead of the last comma.
        buffer.pop();
        buffer.push(b'\n');
    }

    fn push_json_row(&mut self, codes: &[Vec<u32>], row: usize, rng: &mut impl Rng) {
        let lead: &[u8] = match (self.format, self.begun) {
            (Format::JsonLines, _) => b"",
            (_, true) => b",\n",
            (_, false) => b"[\n",
        };
        self.buffer.extend_from_slice(lead);
        self.begun = true;
        let (buffer, format) = (&mut self.buffer, self.format);
        let mut keys = self.keys.iter();
        let mut key = || keys.next().expect("every column has a key");
        for place in 0..=self.columns.len() {
            self.identifiers.next_behind(place, |identifier| {
                buffer.extend_from_slice(key());
                buffer.extend_from_slice(&format.text(identifier));
            });
            if let Some(column) = self.columns.get(place) {
                buffer.extend_from_slice(key());
                column[codes[place][row] as usize].append(buffer, rng, b"\"");
            }
        }
        self.buffer.push(b'}');
        if self.format == Format::JsonLines {
            self.buffer.push(b'\n');
        }
    }
}

/// Writes rows as CSV, with or without the header. To write in several goes, use [`RowWriter`].
///
/// # Errors
/// If writing to `out` fails.
///
/// # Panics
/// If the codes do not fit the schema.
pub fn write_csv(
    schema: &Schema,
    codes: &[Vec<u32>],
    rng: &mut impl Rng,
    out: &mut impl Write,
    header: bool,
) -> io::Result<()> {
    let mut writer = RowWriter::new(Format::Csv, schema);
    if !header {
        writer = writer.without_header();
    }
    writer.write(codes, rng, out)?;
    writer.finish(out)
}

/// Writes rows as a JSON array of objects. To write in several goes, use [`RowWriter`].
///
/// # Errors
/// If writing to `out` fails.
///
/// # Panics
/// If the codes do not fit the schema.
pub fn write_json(
    schema: &Schema,
    codes: &[Vec<u32>],
    rng: &mut impl Rng,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut writer = RowWriter::new(Format::Json, schema);
    writer.write(codes, rng, out)?;
    writer.finish(out)
}

/// How each code of a column is written; `alone` if the table has no other.
fn renderings(column: &Column, format: Format, alone: bool) -> Vec<Rendering> {
    // A CSV line of one empty field would not be a line at all: two quotes are.
    let field = |text: Vec<u8>| match alone && format.is_csv() && text.is_empty() {
        true => b"\"\"".to_vec(),
        false => text,
    };
    let null = match format {
        Format::Csv | Format::SpreadsheetCsv => Vec::new(),
        Format::Json | Format::JsonLines => b"null".to_vec(),
    };
    column.renderings(|text| field(format.text(text)), &field(null))
}

fn csv_header<'a>(names: impl Iterator<Item = &'a str>, format: Format) -> Vec<u8> {
    let text = |name| {
        let text = format.text(name);
        // The names tell how a file is read: they must not be taken for something else.
        match text.starts_with(b"\"") || !is_misleading(name) {
            true => text,
            false => [b"\"", text.as_slice(), b"\""].concat(),
        }
    };
    let mut header = names.map(text).collect::<Vec<_>>().join(&b',');
    header.push(b'\n');
    header
}

/// Whether a file that begins with this name could pass for one of another format, or have its
/// fields separated by what is in the name.
fn is_misleading(name: &str) -> bool {
    const STARTS: [&str; 6] = ["{", "[", "sep=", "PAR1", "BZh", "7z"];
    name.contains([';', '|', '\t']) || STARTS.iter().any(|start| name.starts_with(start))
}

fn csv_field(text: &str) -> Vec<u8> {
    let special = |byte: u8| matches!(byte, b',' | b'"' | b'\n' | b'\r');
    // Some readers of CSV trim spaces around fields that are not in quotes.
    let spaced = text.starts_with([' ', '\t']) || text.ends_with([' ', '\t']);
    if spaced || text.bytes().any(special) {
        format!("\"{}\"", text.replace('"', "\"\"")).into_bytes()
    } else {
        text.as_bytes().to_vec()
    }
}

fn json_keys<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Vec<u8>> {
    names
        .enumerate()
        .map(|(i, name)| {
            let mut key = vec![if i == 0 { b'{' } else { b',' }];
            key.extend(json_string(name));
            key.push(b':');
            key
        })
        .collect()
}

fn json_string(text: &str) -> Vec<u8> {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c < ' ' => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coder::Coder;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use schema::{Bins, Declaration, Grid, Kind, Range};

    fn schema(yaml: &str) -> Schema {
        Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap()
    }

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(1)
    }

    fn written(format: Format, schema: &Schema, chunks: &[Vec<Vec<u32>>]) -> String {
        let (mut out, mut rng) = (Vec::new(), rng());
        let mut writer = RowWriter::new(format, schema);
        for chunk in chunks {
            writer.write(chunk, &mut rng, &mut out).unwrap();
        }
        writer.finish(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn check(format: Format, yaml: &str, chunks: &[Vec<Vec<u32>>], expected: Expect) {
        expected.assert_eq(&written(format, &schema(yaml), chunks));
    }

    const MIXED: &str = r#"{
        t: {categories: [plain, "a,b", "say \"hi\"", " spaced", "=1+1"], nullable: true, other: true},
        i: {integer: {min: 0, max: 119, bins: 12}, nullable: true},
        "n,m": {number: {min: 0, max: 1e6, bins: 4}},
        d: {date: {min: 2020-01-01, max: 2020-12-31, bins: 2}}}"#;

    fn mixed_rows() -> Vec<Vec<u32>> {
        vec![
            vec![0, 1, 2, 3, 4, 5, 6],
            vec![0, 1, 2, 11, 12, 12, 5],
            vec![0, 1, 2, 3, 0, 1, 2],
            vec![0, 1, 0, 1, 0, 1, 0],
        ]
    }

    #[test]
    fn csv_is_quoted_where_needed() {
        check(
            Format::Csv,
            MIXED,
            &[mixed_rows()],
            expect![[r#"
            t,i,"n,m",d
            plain,6,38251,2020-04-10
            "a,b",14,480748,2020-09-08
            "say ""hi""",26,574472,2020-03-21
            " spaced",116,819022,2020-10-23
            =1+1,,141003,2020-05-26
            other,,308693,2020-09-07
            ,53,561690,2020-06-04
        "#]],
        );
    }

    #[test]
    fn in_a_spreadsheets_csv_formulas_are_text_and_numbers_stay_numbers() {
        let schema = schema(
            r#"{
            "@when": {categories: ["=1+1", "-2+3,\"x\"", " =cmd", "-5", plain, "'quoted"]},
            n: {integer: {min: -9, max: -1, bins: 9}},
            f: {number: {min: -1e-9, max: -1e-10, bins: 6}}}"#,
        );
        let codes = vec![vec![0, 1, 2, 3, 4, 5], vec![8, 8, 0, 0, 4, 4], vec![0; 6]];
        let (csv, safe) = (
            written(Format::Csv, &schema, std::slice::from_ref(&codes)),
            written(Format::SpreadsheetCsv, &schema, &[codes]),
        );
        expect![[r#"
            '@when,n,f
            '=1+1,-1,-0.000000000908
            "'-2+3,""x""",-1,-0.000000000978
            ' =cmd,-9,-0.000000000918
            -5,-9,-0.000000000936
            plain,-5,-0.000000000862
            'quoted,-5,-0.000000000944
        "#]]
        .assert_eq(&safe);
        // Nothing else differs.
        let plain = safe
            .replace("'@", "@")
            .replace("'=", "=")
            .replace("'-", "-");
        assert_eq!(csv, plain.replace("' =cmd", "\" =cmd\""));
    }

    #[test]
    fn json_keeps_kinds_apart() {
        check(
            Format::Json,
            MIXED,
            &[mixed_rows()],
            expect![[r#"
            [
            {"t":"plain","i":6,"n,m":38251,"d":"2020-04-10"},
            {"t":"a,b","i":14,"n,m":480748,"d":"2020-09-08"},
            {"t":"say \"hi\"","i":26,"n,m":574472,"d":"2020-03-21"},
            {"t":" spaced","i":116,"n,m":819022,"d":"2020-10-23"},
            {"t":"=1+1","i":null,"n,m":141003,"d":"2020-05-26"},
            {"t":"other","i":null,"n,m":308693,"d":"2020-09-07"},
            {"t":null,"i":53,"n,m":561690,"d":"2020-06-04"}
            ]
        "#]],
        );
        let text = written(Format::Json, &schema(MIXED), &[mixed_rows()]);
        let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(rows[2]["t"], "say \"hi\"");
        assert_eq!(rows[6]["t"], serde_json::Value::Null);
        assert!(rows[0]["i"].is_i64() && rows[0]["n,m"].is_number() && rows[0]["d"].is_string());
    }

    #[test]
    fn lines_of_json_are_the_objects_of_the_array() {
        let lines = written(
            Format::JsonLines,
            &schema(MIXED),
            &[mixed_rows(), mixed_rows()],
        );
        let array = written(Format::Json, &schema(MIXED), &[mixed_rows(), mixed_rows()]);
        let lines: Vec<serde_json::Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let array: Vec<serde_json::Value> = serde_json::from_str(&array).unwrap();
        assert_eq!(lines, array);
        assert_eq!(written(Format::JsonLines, &schema(MIXED), &[]), "");
    }

    #[test]
    fn no_rows_make_a_whole_file() {
        check(
            Format::Csv,
            "{a: {categories: [x]}, b: {categories: [y]}}",
            &[],
            expect![[r#"
            a,b
        "#]],
        );
        check(
            Format::Json,
            "{a: {categories: [x]}}",
            &[],
            expect![[r#"
            []
        "#]],
        );
        check(
            Format::Json,
            "{a: {categories: [x]}}",
            &[vec![vec![]]],
            expect![[r#"
            []
        "#]],
        );
    }

    #[test]
    fn chunks_make_one_file() {
        for format in Format::ALL {
            let schema = schema("{a: {categories: [x, y]}, b: {categories: [z, \"\\\"\\\\\"]}}");
            let whole = written(format, &schema, &[vec![vec![0, 1, 1], vec![1, 0, 0]]]);
            let parts = [
                vec![vec![0], vec![1]],
                vec![vec![], vec![]],
                vec![vec![1, 1], vec![0, 0]],
            ];
            assert_eq!(written(format, &schema, &parts), whole);
        }
    }

    #[test]
    fn a_lone_null_is_still_a_line() {
        check(
            Format::Csv,
            "{a: {categories: [x], nullable: true}}",
            &[vec![vec![0, 1, 0]]],
            expect![[r#"
            a
            x
            ""
            x
        "#]],
        );
    }

    #[test]
    fn digits_follow_the_width_of_the_bin() {
        let sample = |number: &str| {
            let schema = schema(&format!("a: {{number: {number}}}"));
            let text = written(Format::Csv, &schema, &[vec![vec![0, 0, 1]]]);
            text.lines()
                .skip(1)
                .map(str::to_owned)
                .collect::<Vec<_>>()
                .join(" ")
        };
        let all = [
            "{min: 0, max: 1e6, bins: 32}",
            "{min: 0, max: 64, bins: 32}",
            "{min: -1, max: 1, bins: 32}",
            "{min: 0, max: 1e-6, bins: 2}",
            "{min: 0, max: 1e-20, bins: 2}",
            "{min: -1e300, max: 1e300, bins: 2}",
            "{min: 1e17, max: 1.000001e17, bins: 2}",
        ]
        .map(sample);
        expect![[r#"
            19334 4781 48334
            1.23 0.30 3.09
            -0.9614 -0.9905 -0.9034
            0.000000309 0.000000076 0.000000773
            3.09e-21 7.65e-22 7.734e-21
            -3.81e299 -8.47e299 5.47e299
            1.000000309e17 1.000000077e17 1.000000773e17
        "#]]
        .assert_eq(&(all.join("\n") + "\n"));
    }

    fn reads_back(column: &Column, codes: &[u32]) -> Result<(), TestCaseError> {
        let schema = Schema::from_parts(vec![column.clone()], Vec::new()).unwrap();
        let text = written(Format::Csv, &schema, &[vec![codes.to_vec()]]);
        let mut coder = Coder::new(column);
        for line in text.lines().skip(1) {
            coder.push(line.as_bytes(), 0);
        }
        let back = coder.finish(crate::RecordPosition::Line);
        let back = back.map_err(|refused| TestCaseError::fail(refused.to_string()))?;
        prop_assert_eq!(back.warnings, Vec::<String>::new());
        prop_assert_eq!(back.codes.widened(), codes, "{}", text);
        Ok(())
    }

    proptest! {
        #[test]
        fn every_number_falls_into_its_bin_again(
            min in prop_oneof![-1e3..1e3, -1e300..1e300, -1e-300..1e-300],
            width in prop_oneof![1e-3..1e3, 1e-12..1e-9, 1e10..1e200],
            bins in 1u32..50,
        ) {
            let max = min + width;
            prop_assume!(min < max);
            let grid = Grid::new(Range {
                min,
                max,
                bins: Bins::Uniform(bins),
            })
            .unwrap();
            let bins = u32::try_from(grid.len()).unwrap();
            let codes: Vec<u32> = (0..bins).cycle().take(200).collect();
            reads_back(&Column::found("c".into(), Kind::Number(grid), false, false), &codes)?;
        }

        #[test]
        fn every_whole_number_falls_into_its_bin_again(
            min: i64,
            width in 0i64..1_000,
            bins in 1u32..50,
        ) {
            let range = Range {
                min,
                max: min.saturating_add(width),
                bins: Bins::Uniform(bins),
            };
            let grid = Grid::new(range).unwrap();
            let bins = u32::try_from(grid.len()).unwrap();
            let codes: Vec<u32> = (0..bins).cycle().take(200).collect();
            reads_back(&Column::found("c".into(), Kind::Integer(grid), false, false), &codes)?;
        }
    }

    #[test]
    fn a_bin_of_all_whole_numbers_is_drawn_from() {
        let text = written(
            Format::Csv,
            &schema(&format!(
                "a: {{integer: {{min: {}, max: {}, bins: 1}}}}",
                i64::MIN,
                i64::MAX
            )),
            &[vec![vec![0; 50]]],
        );
        let values: Vec<i64> = text
            .lines()
            .skip(1)
            .map(|line| line.parse().unwrap())
            .collect();
        assert!(values.iter().any(|value| *value < 0) && values.iter().any(|value| *value > 0));
    }

    #[test]
    fn values_are_spread_over_the_whole_bin() {
        let schema = schema(
            "{i: {integer: {min: 1, max: 6, bins: 1}}, n: {number: {min: 0, max: 1, bins: 1}}}",
        );
        let text = written(
            Format::Csv,
            &schema,
            &[vec![vec![0; 6_000], vec![0; 6_000]]],
        );
        let mut dice = [0u32; 7];
        let mut sixths = [0u32; 6];
        for line in text.lines().skip(1) {
            let (die, number) = line.split_once(',').unwrap();
            dice[die.parse::<usize>().unwrap()] += 1;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "0 to 5"
            )]
            let sixth = (number.parse::<f64>().unwrap() * 6.0) as usize;
            sixths[sixth] += 1;
        }
        assert_eq!(dice[0], 0);
        // Five standard deviations of a binomial of 6,000 with 1/6.
        for count in dice[1..].iter().chain(&sixths) {
            assert!(count.abs_diff(1_000) < 150, "{dice:?} {sixths:?}");
        }
    }
}
