//! A schema as a text that a person reads and changes: a column a line, with comments.

use std::fmt::{Display, Write};

use schema::{
    Bins, DEFAULT_BINS, DecimalMark, Declared, DeclaredKind, NumberForm, Origin, Range, ValueForm,
};
use serde_json::json;

/// What stands for one column.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) entry: Entry,
    /// Sentences above it.
    pub(crate) comments: Vec<String>,
}

/// What a schema says of a column.
#[derive(Debug)]
pub(crate) enum Entry {
    Declared(Box<Declared>),
    Discover,
    Drop,
    /// Nothing: its name stands in a comment.
    Nothing,
}

impl Entry {
    /// For programs: the kind, `discover` or `drop`.
    pub(crate) fn in_a_word(&self) -> &'static str {
        match self {
            Self::Declared(declared) => match &declared.kind {
                DeclaredKind::Categories(_) => "categories",
                DeclaredKind::Integer(_) => "integer",
                DeclaredKind::Number(_) => "number",
                DeclaredKind::Date(_) => "date",
                DeclaredKind::Datetime(_) => "datetime",
                DeclaredKind::Boolean => "boolean",
                DeclaredKind::Identifier(_) => "identifier",
            },
            Self::Discover => "discover",
            Self::Drop => "drop",
            Self::Nothing => "nothing",
        }
    }
}

/// Writes a schema: what it is, where it comes from, and a line for each column.
pub(crate) fn write(preface: &[String], origin: Origin, lines: &[Line]) -> String {
    let mut text = String::new();
    for paragraph in preface {
        comment(&mut text, paragraph);
    }
    let key = Origin::key_beside(lines.iter().map(|line| line.name.as_str()));
    let origin = match origin {
        Origin::Discovery(spend) => {
            let mut numbers = format!("epsilon: {}, delta: {:e}", spend.epsilon, spend.delta);
            if spend.rows_per_id.get() > 1 {
                add(
                    &mut numbers,
                    format_args!(", rows_per_id: {}", spend.rows_per_id),
                );
            }
            format!("{{discovery: {{{numbers}}}}}")
        }
        Origin::Data => "data".to_owned(),
        Origin::Reviewed => "reviewed".to_owned(),
        Origin::Codebook => "codebook".to_owned(),
    };
    add(&mut text, format_args!("{key}: {origin}\n\n"));
    for line in lines {
        for sentence in &line.comments {
            comment(&mut text, sentence);
        }
        let name = word(&line.name);
        match &line.entry {
            Entry::Declared(declared) => {
                add(&mut text, format_args!("{name}: {}\n", column(declared)));
            }
            Entry::Discover => add(&mut text, format_args!("{name}: discover\n")),
            Entry::Drop => add(&mut text, format_args!("{name}: drop\n")),
            Entry::Nothing => {}
        }
    }
    text
}

/// Comment lines of at most 100 characters, unless a word is longer.
fn comment(text: &mut String, sentence: &str) {
    const WIDTH: usize = 100;
    let mut width = WIDTH;
    for word in sentence.split_whitespace() {
        let length = word.chars().count() + 1;
        if width + length > WIDTH {
            text.push_str(
                if width == WIDTH && text.ends_with('\n') || text.is_empty() {
                    "#"
                } else {
                    "\n#"
                },
            );
            width = 1;
        }
        text.push(' ');
        text.push_str(word);
        width += length;
    }
    text.push('\n');
}

fn column(declared: &Declared) -> String {
    let form = &declared.form;
    let mut text = match &declared.kind {
        DeclaredKind::Categories(texts) => format!("categories: {}", list(texts)),
        DeclaredKind::Integer(it) => format!("integer: {}", range(it, form)),
        DeclaredKind::Number(it) => format!("number: {}", range(it, form)),
        DeclaredKind::Date(it) => format!("date: {}", range(it, form)),
        DeclaredKind::Datetime(it) => format!("datetime: {}", range(it, form)),
        DeclaredKind::Boolean => match form {
            ValueForm::Boolean(words) => format!(
                "boolean: {{true: {}, false: {}}}",
                list(&words.trues),
                list(&words.falses)
            ),
            _ => "boolean: true".to_owned(),
        },
        DeclaredKind::Identifier(it) => {
            let form = it.to_string();
            format!("identifier: {{format: {}}}", quoted(&form))
        }
    };
    if declared.nullable {
        text.push_str(", nullable: true");
    }
    if !declared.reading.missing.is_empty() {
        let missing = list(&declared.reading.missing);
        add(&mut text, format_args!(", missing: {missing}"));
    }
    if declared.other {
        text.push_str(", other: true");
    }
    format!("{{{text}}}")
}

fn range<T: Display>(range: &Range<T>, form: &ValueForm) -> String {
    let mut text = format!("min: {}, max: {}", range.min, range.max);
    match &range.bins {
        Bins::Uniform(DEFAULT_BINS) => {}
        Bins::Uniform(bins) => add(&mut text, format_args!(", bins: {bins}")),
        Bins::Quantile(bins) => add(&mut text, format_args!(", bins: {{quantile: {bins}}}")),
        Bins::Cuts(cuts) => {
            let cuts: Vec<String> = cuts.iter().map(ToString::to_string).collect();
            add(
                &mut text,
                format_args!(", bins: {{cuts: [{}]}}", cuts.join(", ")),
            );
        }
    }
    match form {
        ValueForm::Date(form) => {
            add(
                &mut text,
                format_args!(", format: {}", quoted(form.pattern())),
            );
        }
        ValueForm::Number { form, decimals } => {
            if let Some(decimals) = decimals {
                add(&mut text, format_args!(", decimals: {decimals}"));
            }
            if *form != NumberForm::PLAIN {
                add(&mut text, format_args!(", form: {}", number_form(*form)));
            }
        }
        ValueForm::Usual | ValueForm::Boolean(_) => {}
    }
    format!("{{{text}}}")
}

fn number_form(form: NumberForm) -> String {
    let mark = match form.decimal {
        DecimalMark::Point => "point",
        DecimalMark::Comma => "comma",
    };
    let mut text = format!("decimal: {mark}");
    if let Some(thousands) = form.thousands {
        let thousands = json!(thousands);
        let thousands = thousands.as_str().unwrap_or_default();
        add(&mut text, format_args!(", thousands: {thousands}"));
    }
    if let Some(sign) = form.sign {
        let shown = quoted(&sign.text.to_string());
        add(
            &mut text,
            format_args!(", sign: {{text: {shown}, before: {}}}", sign.before),
        );
    }
    format!("{{{text}}}")
}

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| word(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// A text as YAML writes it: plain where nobody could take it for anything else, else in quotes.
pub(crate) fn word(text: &str) -> String {
    const TAKEN: [&str; 12] = [
        "null", "true", "false", "yes", "no", "y", "n", "on", "off", "nan", "inf", "t",
    ];
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && !text.ends_with(' ')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' ' | '/' | '.'))
        && !TAKEN.contains(&text.to_ascii_lowercase().as_str());
    match plain {
        true => text.to_owned(),
        false => quoted(text),
    }
}

/// A text in the quotes that JSON and YAML have in common.
fn quoted(text: &str) -> String {
    json!(text).to_string()
}

/// Writing to a text cannot fail.
fn add(text: &mut String, more: impl Display) {
    let _ = write!(text, "{more}");
}

#[cfg(test)]
mod tests {
    use schema::{Declaration, Schema, SchemaSpend};

    use super::*;

    fn lines(declaration: &Declaration) -> Vec<Line> {
        let columns = declaration.columns.iter();
        columns
            .map(|(name, declared)| Line {
                name: name.clone(),
                entry: Entry::Declared(Box::new(declared.clone())),
                comments: vec!["A sentence of some length. ".repeat(9)],
            })
            .collect()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let yaml = "\
a: {categories: [yes, 'no', x y, '01', 'a: b', '#', 'é', \"'\", '\"', '-'], other: true}
'1': {integer: {min: -5, max: 1000000, bins: 100}, nullable: true, missing: ['-9', '?']}
b b: {number: {min: -0.5, max: 1e6, bins: {cuts: [0, 0.25, 1e3]}, decimals: 2}}
c: {number: {min: 0, max: 10, form: {decimal: comma, thousands: point, sign: {text: '€', before: \
                    false}}}}
d: {date: {min: 2015-01-01, max: 2026-12-31, bins: 120, format: '%d/%m/%Y'}}
e: {datetime: {min: 2015-01-01T00:00:00, max: 2026-12-31T23:59:59, bins: {quantile: 8}}}
f: {boolean: true}
origin: {boolean: {true: [ja], false: [nein]}}
";
        let declared = Declaration::from_yaml(yaml).unwrap();
        let spend = SchemaSpend {
            epsilon: 0.25,
            delta: 1e-9,
            rows_per_id: std::num::NonZeroU32::new(3).unwrap(),
        };
        for origin in [Origin::Data, Origin::Codebook, Origin::Discovery(spend)] {
            let text = write(&["What it is.".to_owned()], origin, &lines(&declared));
            let back = Declaration::from_yaml(&text).unwrap();
            assert_eq!(back.columns, declared.columns, "{text}");
            assert_eq!(back.origin, Some(origin), "{text}");
            assert!(Schema::new(back).is_ok());
            let comments = text.lines().filter(|line| line.starts_with('#'));
            assert!(comments.clone().count() > 8, "{text}");
            assert!(
                comments.clone().all(|line| line.chars().count() <= 100),
                "{text}"
            );
        }
    }
}
