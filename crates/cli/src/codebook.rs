//! Code books, or data dictionaries: tables with a row for each variable, as people have them.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::Context;
use schema::form::{DateForm, NumberForm, Reading, ValueForm};
use schema::{Bins, DEFAULT_BINS, Day, DecimalMark, Declared, DeclaredKind, Moment, Range, number};
use strict_yaml::nearest;

use crate::exit::BadInput;
use crate::schema_text::{Entry, Line};
use crate::workbook::Workbook;

/// Nobody writes a longer one by hand.
const MAX_BYTES: u64 = 64 << 20;

/// Reads a code book: CSV, or a workbook. Its line of names is matched whatever the letter case.
pub(crate) fn read(path: &Path, sheet: Option<&str>) -> anyhow::Result<Vec<Line>> {
    let problem = || BadInput(format!("could not use the code book in {}", path.display()));
    let table = Table::read(path, sheet).with_context(problem)?;
    lines(&table).with_context(problem)
}

/// The fields of the file.
struct Table {
    names: Vec<String>,
    /// Each with its number as people see it.
    rows: Vec<(u64, Vec<String>)>,
}

impl Table {
    fn read(path: &Path, sheet: Option<&str>) -> anyhow::Result<Self> {
        let mut bytes = Vec::new();
        File::open(path)?
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_BYTES {
            anyhow::bail!("it is longer than {MAX_BYTES} bytes");
        }
        if bytes.starts_with(b"PK\x03\x04") {
            let input = BufReader::new(std::io::Cursor::new(bytes));
            let sheet = Workbook::open(input)?.sheet(sheet, &|_| false)?;
            return Ok(Self {
                names: sheet.names,
                rows: sheet.rows,
            });
        }
        if sheet.is_some() {
            anyhow::bail!("--sheet is for workbooks, and this is a text");
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| BadInput("it is not in UTF-8; save it as such".to_owned()))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        Self::of_csv(text)
    }

    fn of_csv(text: &str) -> anyhow::Result<Self> {
        let first = text.lines().next().unwrap_or_default();
        // The line of names tells: it has no commas but those between names.
        let count = |delimiter: char| first.matches(delimiter).count();
        let most = [',', ';', '\t', '|']
            .into_iter()
            .reduce(|a, b| if count(b) > count(a) { b } else { a });
        let delimiter = most.and_then(|c| u8::try_from(c).ok()).unwrap_or(b',');
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .from_reader(text.as_bytes());
        let fields = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
        let names = fields(reader.headers()?);
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record?;
            let line = record.position().map_or(0, csv::Position::line);
            rows.push((line, fields(&record)));
        }
        Ok(Self { names, rows })
    }
}

/// What a column of a code book is for, with the names that people give it.
const HEADINGS: [(Heading, &[&str]); 12] = [
    (
        Heading::Name,
        &[
            "name",
            "variable",
            "variablename",
            "varname",
            "var",
            "field",
            "fieldname",
            "column",
            "columnname",
            "attribute",
            "feature",
        ],
    ),
    (
        Heading::Type,
        &[
            "type",
            "kind",
            "datatype",
            "variabletype",
            "fieldtype",
            "columntype",
            "class",
        ],
    ),
    (Heading::Format, &["format", "dateformat", "form"]),
    (
        Heading::Min,
        &[
            "min",
            "minimum",
            "lower",
            "lowest",
            "minvalue",
            "lowerbound",
        ],
    ),
    (
        Heading::Max,
        &[
            "max",
            "maximum",
            "upper",
            "highest",
            "maxvalue",
            "upperbound",
        ],
    ),
    (Heading::Range, &["range", "validrange", "allowedrange"]),
    (
        Heading::Values,
        &[
            "values",
            "value",
            "levels",
            "level",
            "categories",
            "codes",
            "code",
            "choices",
            "options",
            "allowedvalues",
            "validvalues",
            "valuelabels",
            "coding",
        ],
    ),
    (
        Heading::Label,
        &[
            "label",
            "labels",
            "description",
            "question",
            "definition",
            "meaning",
            "variablelabel",
        ],
    ),
    (
        Heading::Missing,
        &["missing", "missingvalues", "missingcodes", "missingvalue"],
    ),
    (Heading::Nullable, &["nullable", "optional"]),
    (Heading::Required, &["required", "mandatory"]),
    (Heading::Decimals, &["decimals", "decimalplaces"]),
];

#[derive(Clone, Copy, PartialEq)]
enum Heading {
    Name,
    Type,
    Format,
    Min,
    Max,
    Range,
    Values,
    Label,
    Missing,
    Nullable,
    Required,
    Decimals,
}

impl Heading {
    fn of(name: &str) -> Option<Self> {
        let name: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
        let name = name.to_lowercase();
        let known = HEADINGS
            .iter()
            .find(|(_, names)| names.contains(&name.as_str()));
        known.map(|(heading, _)| *heading)
    }
}

/// What a code book says of one variable.
#[derive(Default, Clone)]
struct Variable {
    row: u64,
    name: String,
    kind: String,
    format: String,
    min: String,
    max: String,
    values: Vec<Value>,
    label: String,
    missing: Vec<String>,
    nullable: Option<bool>,
    decimals: Option<u8>,
}

/// A code and what it stands for, if that is said.
#[derive(Clone)]
struct Value {
    code: String,
    label: String,
}

fn lines(table: &Table) -> anyhow::Result<Vec<Line>> {
    let mut headings: Vec<Option<Heading>> =
        table.names.iter().map(|name| Heading::of(name)).collect();
    if !headings.contains(&Some(Heading::Name)) {
        anyhow::bail!(
            "none of its columns has the variables' names; call it `name` (and the others `type`, \
             `min`, `max`, `values`, `label`)"
        );
    }
    // Alone, it is what others call a type.
    if !headings.contains(&Some(Heading::Type)) {
        for heading in &mut headings {
            if *heading == Some(Heading::Format) {
                *heading = Some(Heading::Type);
            }
        }
    }
    let mut variables: Vec<Variable> = Vec::new();
    for (row, fields) in &table.rows {
        let variable = Variable::of_row(*row, &headings, fields)?;
        match variables.last_mut() {
            // A row for each code, under one name or under none.
            Some(last)
                if !variable.values.is_empty()
                    && (variable.name.is_empty() || variable.name == last.name) =>
            {
                last.values.extend(variable.values);
            }
            _ if variable.name.is_empty() => {
                if fields.iter().any(|field| !field.trim().is_empty()) {
                    anyhow::bail!("row {row} names no variable");
                }
            }
            _ => {
                if let Some(first) = variables.iter().find(|it| it.name == variable.name) {
                    anyhow::bail!(
                        "rows {} and {row} are both about `{}`; keep one of them",
                        first.row,
                        variable.name
                    );
                }
                variables.push(variable);
            }
        }
    }
    variables.into_iter().map(Variable::line).collect()
}

impl Variable {
    fn of_row(row: u64, headings: &[Option<Heading>], fields: &[String]) -> anyhow::Result<Self> {
        let mut variable = Self {
            row,
            ..Self::default()
        };
        for (heading, field) in headings.iter().zip(fields) {
            let field = field.trim();
            let Some(heading) = heading.filter(|_| !field.is_empty()) else {
                continue;
            };
            let text = || field.to_owned();
            let truth = || {
                schema::form::truth(field.as_bytes())
                    .with_context(|| format!("row {row}: `{field}` is neither yes nor no"))
            };
            match heading {
                Heading::Name => variable.name = text(),
                Heading::Type => variable.kind = text(),
                Heading::Format => variable.format = text(),
                Heading::Min => variable.min = text(),
                Heading::Max => variable.max = text(),
                Heading::Range => {
                    let [min, max] = range_of(field)
                        .with_context(|| format!("row {row}: `{field}` is not a range as 0-99"))?;
                    (variable.min, variable.max) = (min, max);
                }
                Heading::Values => variable.values = values_of(field),
                Heading::Label => variable.label = text(),
                Heading::Missing => {
                    variable.missing = values_of(field).into_iter().map(|it| it.code).collect();
                    // Some books have yes and no there, and no codes.
                    if let [only] = variable.missing.as_slice()
                        && let Some(nullable) = word_of_truth(only)
                    {
                        (variable.nullable, variable.missing) = (Some(nullable), Vec::new());
                    }
                }
                Heading::Nullable => variable.nullable = Some(truth()?),
                Heading::Required => variable.nullable = Some(!truth()?),
                Heading::Decimals => {
                    let decimals = field.parse();
                    let decimals = decimals.with_context(|| {
                        format!("row {row}: `{field}` is no number of decimals")
                    })?;
                    variable.decimals = Some(decimals);
                }
            }
        }
        Ok(variable)
    }

    fn line(mut self) -> anyhow::Result<Line> {
        let place = format!("row {}: `{}`", self.row, self.name);
        // `1-5`, in the place of a list.
        if let [only] = self.values.as_slice()
            && only.label.is_empty()
            && Kind::of(&self.kind) != Some(Kind::Categories)
            && let Some([min, max]) = range_of(&only.code)
        {
            (self.min, self.max) = (min, max);
            self.values.clear();
        }
        let kind = self.kind().with_context(|| place.clone())?;
        let declared = self.declared(kind).with_context(|| place)?;
        let mut comments = Vec::new();
        if !self.label.is_empty() {
            comments.push(self.label.clone());
        }
        let labelled: Vec<String> = self
            .values
            .iter()
            .filter(|it| !it.label.is_empty())
            .map(|it| format!("{} is {}", it.code, it.label))
            .collect();
        if !labelled.is_empty() {
            comments.push(format!("{}.", labelled.join(", ")));
        }
        let entry = match declared {
            Some(declared) => Entry::Declared(Box::new(declared)),
            None if kind == Kind::Identifier => {
                comments.push("Identifiers are left out.".to_owned());
                Entry::Drop
            }
            None => {
                comments.push(
                    "The code book gives no values and no range: a fit discovers it under its \
                     budget."
                        .to_owned(),
                );
                Entry::Discover
            }
        };
        // Comments end with a line: what a book has in several lines goes into one.
        let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Line {
            name: self.name,
            entry,
            comments: comments.into_iter().map(one_line).collect(),
        })
    }

    fn kind(&self) -> anyhow::Result<Kind> {
        let text = self.kind.split('(').next().unwrap_or_default();
        let known = Kind::of(text);
        match known {
            Some(kind) => Ok(kind),
            None if !self.values.is_empty() => Ok(Kind::Categories),
            None if text.trim().is_empty() => Ok(match (whole(&self.min), whole(&self.max)) {
                (Some(_), Some(_)) => Kind::Integer,
                _ if decimal(&self.min).is_some() => Kind::Number,
                _ if self.min.parse::<Day>().is_ok() => Kind::Date,
                _ => Kind::Text,
            }),
            None => {
                let names = KINDS.iter().flat_map(|(_, names)| names.iter().copied());
                let meant = match nearest(&text.trim().to_lowercase(), names) {
                    Some(meant) => format!("; did you mean `{meant}`?"),
                    None => String::new(),
                };
                anyhow::bail!(
                    "unknown type `{}`; write integer, number, categories, date, datetime, \
                     boolean, text or id{meant}",
                    self.kind
                )
            }
        }
    }

    fn declared(&self, kind: Kind) -> anyhow::Result<Option<Declared>> {
        let has_range = !self.min.is_empty() && !self.max.is_empty();
        let mut missing = self.missing.clone();
        let mut form = ValueForm::Usual;
        let kind = match kind {
            Kind::Identifier => return Ok(None),
            // Codes beside a range are special ones, of which some say that there is no value.
            Kind::Integer | Kind::Number if has_range => {
                let special = self.values.iter().filter(|it| it.says_missing());
                missing.extend(special.map(|it| it.code.clone()));
                if let Some(decimals) = self.decimals.filter(|_| kind == Kind::Number) {
                    form = ValueForm::Number {
                        form: NumberForm::PLAIN,
                        decimals: Some(decimals),
                    };
                }
                self.numbers(kind)?
            }
            Kind::Date if has_range => {
                form = self.date_form()?.map_or(ValueForm::Usual, ValueForm::Date);
                DeclaredKind::Date(self.range(|text, last| day(text, &form, last))?)
            }
            Kind::Datetime if has_range => {
                form = self.date_form()?.map_or(ValueForm::Usual, ValueForm::Date);
                DeclaredKind::Datetime(self.range(|text, last| moment(text, &form, last))?)
            }
            _ if !self.values.is_empty() => {
                DeclaredKind::Categories(self.values.iter().map(|it| it.code.clone()).collect())
            }
            Kind::Boolean => DeclaredKind::Boolean,
            _ => return Ok(None),
        };
        missing.dedup();
        Ok(Some(Declared {
            nullable: self.nullable.unwrap_or(false) || !missing.is_empty(),
            kind,
            other: false,
            form,
            reading: Reading {
                missing,
                ..Reading::default()
            },
        }))
    }

    fn numbers(&self, kind: Kind) -> anyhow::Result<DeclaredKind> {
        Ok(match kind {
            Kind::Integer => DeclaredKind::Integer(self.range(|text, _| whole(text))?),
            _ => DeclaredKind::Number(self.range(|text, _| decimal(text))?),
        })
    }

    fn range<T>(&self, read: impl Fn(&str, bool) -> Option<T>) -> anyhow::Result<Range<T>> {
        let bound = |text: &String, last| {
            read(text, last).with_context(|| format!("`{text}` is not a bound of this type"))
        };
        Ok(Range {
            min: bound(&self.min, false)?,
            max: bound(&self.max, true)?,
            bins: Bins::Uniform(DEFAULT_BINS),
        })
    }

    fn date_form(&self) -> anyhow::Result<Option<DateForm>> {
        if self.format.is_empty() {
            return Ok(None);
        }
        let pattern = match self.format.contains('%') {
            true => self.format.clone(),
            false => pattern_of(&self.format),
        };
        let form = DateForm::new(&pattern);
        Ok(Some(form.with_context(|| {
            format!("`{}` is no form of dates", self.format)
        })?))
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Integer,
    Number,
    Categories,
    Boolean,
    Date,
    Datetime,
    Text,
    Identifier,
}

const KINDS: [(Kind, &[&str]); 8] = [
    (
        Kind::Integer,
        &[
            "integer",
            "int",
            "whole",
            "whole number",
            "count",
            "discrete",
            "long",
            "bigint",
            "smallint",
            "int64",
            "int32",
        ],
    ),
    (
        Kind::Number,
        &[
            "number",
            "numeric",
            "num",
            "float",
            "double",
            "decimal",
            "real",
            "continuous",
            "float64",
            "ratio",
            "interval",
            "quantity",
        ],
    ),
    (
        Kind::Categories,
        &[
            "categories",
            "category",
            "categorical",
            "factor",
            "nominal",
            "ordinal",
            "enum",
            "code",
            "coded",
            "radio",
            "dropdown",
            "select",
            "choice",
            "ordered",
        ],
    ),
    (
        Kind::Boolean,
        &[
            "boolean",
            "bool",
            "logical",
            "binary",
            "flag",
            "yesno",
            "yes/no",
            "truefalse",
            "true/false",
            "indicator",
        ],
    ),
    (Kind::Date, &["date", "day"]),
    (
        Kind::Datetime,
        &[
            "datetime",
            "timestamp",
            "date and time",
            "date time",
            "datetime64",
        ],
    ),
    (
        Kind::Text,
        &[
            "text",
            "string",
            "str",
            "char",
            "character",
            "varchar",
            "free text",
            "object",
            "notes",
        ],
    ),
    (Kind::Identifier, &["id", "identifier", "key", "uuid"]),
];

impl Kind {
    fn of(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        let known = KINDS
            .iter()
            .find(|(_, names)| names.contains(&text.as_str()));
        known.map(|(kind, _)| *kind)
    }
}

impl Value {
    /// Whether the label says that the code stands for no value.
    fn says_missing(&self) -> bool {
        const WORDS: [&str; 11] = [
            "missing",
            "unknown",
            "refused",
            "refusal",
            "not available",
            "not applicable",
            "no answer",
            "don't know",
            "do not know",
            "not stated",
            "n/a",
        ];
        let label = self.label.to_lowercase();
        WORDS.iter().any(|word| label.contains(word)) || label == "na"
    }
}

/// `1=male; 2=female`, `1, male | 2, female`, `1: male` and the like, a line each, or codes alone.
fn values_of(field: &str) -> Vec<Value> {
    let separator = [';', '|', '\n'].into_iter().find(|it| field.contains(*it));
    let separator = separator.unwrap_or(',');
    let unquoted = |text: &str| text.trim().trim_matches(['"', '\'']).trim().to_owned();
    let value = |item: &str| {
        let sign = ['=', ':'].into_iter().find(|it| item.contains(*it));
        // As in `1, male`, and not in `east, west`.
        let coded = |(code, _): (&str, &str)| decimal(code).is_some();
        let is_coded = separator != ',' && item.split_once(',').is_some_and(coded);
        let sign = sign.or(is_coded.then_some(','));
        let (code, label) = match sign.and_then(|sign| item.split_once(sign)) {
            Some(both) => both,
            None => item.split_once(" - ").unwrap_or((item, "")),
        };
        Value {
            code: unquoted(code),
            label: unquoted(label),
        }
    };
    let values = field.split(separator).map(value);
    values.filter(|value| !value.code.is_empty()).collect()
}

/// `0-120`, `0 to 120`, `0..120`, `[0, 120]`.
fn range_of(field: &str) -> Option<[String; 2]> {
    let field = field.trim().trim_matches(['[', ']', '(', ')']);
    // A minus before the first number separates nothing.
    let (sign, rest) = match field.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", field),
    };
    let parts = ["..", " to ", "\u{2013}", ",", ";", "-"];
    let (min, max) = parts.into_iter().find_map(|it| rest.split_once(it))?;
    let both = [format!("{sign}{}", min.trim()), max.trim().to_owned()];
    both.iter().all(|it| decimal(it).is_some()).then_some(both)
}

fn word_of_truth(text: &str) -> Option<bool> {
    let is_word = text.chars().all(char::is_alphabetic);
    is_word.then(|| schema::form::truth(text.as_bytes()))?
}

fn whole(text: &str) -> Option<i64> {
    let text = text.trim().as_bytes();
    number::whole(text).or_else(|| NumberForm::dressed_whole(text, DecimalMark::Point))
}

fn decimal(text: &str) -> Option<f64> {
    let text = text.trim().as_bytes();
    number::decimal(text).or_else(|| NumberForm::dressed_number(text, DecimalMark::Point))
}

/// A day in ISO 8601 or in the column's form; of a year alone its first or last.
fn day(text: &str, form: &ValueForm, last: bool) -> Option<Day> {
    let read = text.parse().ok();
    let read = read.or_else(|| form.date()?.day(text.as_bytes()));
    let end = if last { "12-31" } else { "01-01" };
    read.or_else(|| format!("{text}-{end}").parse().ok())
}

fn moment(text: &str, form: &ValueForm, last: bool) -> Option<Moment> {
    let read = text.parse().ok();
    let read = read.or_else(|| form.date()?.moment(text.as_bytes()));
    let time = if last { "23:59:59" } else { "00:00:00" };
    read.or_else(|| {
        let day = day(text, form, last)?;
        format!("{day}T{time}").parse().ok()
    })
}

/// `DD/MM/YYYY` as `%d/%m/%Y`. After hours, `mm` is minutes.
fn pattern_of(format: &str) -> String {
    let mut pattern = String::new();
    let mut has_hours = false;
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        let same = |c: char| c.eq_ignore_ascii_case(&first);
        let length = rest.chars().take_while(|c| same(*c)).count();
        let directive = match (first.to_ascii_lowercase(), length) {
            ('y', 4) => "%Y",
            ('y', 2) => "%y",
            ('m', 2) if has_hours => "%M",
            ('m', 1..=2) => "%m",
            ('m', 3) => "%b",
            ('m', 4) => "%B",
            ('d', 1..=2) => "%d",
            ('h', 1..=2) => "%H",
            ('s', 1..=2) => "%S",
            _ => "",
        };
        has_hours |= directive == "%H";
        let end = rest
            .char_indices()
            .nth(length)
            .map_or(rest.len(), |it| it.0);
        match directive {
            "" => pattern.push_str(&rest[..end]),
            directive => pattern.push_str(directive),
        }
        rest = &rest[end..];
    }
    pattern
}

#[cfg(test)]
mod tests;
