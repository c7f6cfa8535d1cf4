//! `synclave query`: counts of a table's rows, by its model.

use anyhow::Context;
use privacy::DomainSource;
use protocol::BoundedFile;
use schema::{Column, Condition, Schema};
use serde_json::json;
use strict_yaml::nearest;
use synthesis::{Basis, CountAnswer};

use crate::arguments::QueryOptions;
use crate::exit::BadInput;
use crate::model_file;
use crate::printer::Printer;

pub(crate) fn run(options: &QueryOptions, printer: Printer) -> anyhow::Result<()> {
    let problem = || {
        BadInput(format!(
            "could not use the model in {}",
            options.model.display()
        ))
    };
    let file = BoundedFile::open(&options.model).with_context(problem)?;
    let model = model_file::load(file).with_context(problem)?;
    let unusable = || BadInput(format!("could not use the question {:?}", options.question));
    let question = Question::parse(&options.question, model.schema()).with_context(unusable)?;
    if model.domain() == DomainSource::FromData {
        printer.warn(format_args!(
            "no guarantee holds for this model and its answers: {}",
            DomainSource::WHY_NO_GUARANTEE
        ));
    }
    let answers = model
        .counts_by(question.condition.as_ref(), &question.by)
        .with_context(unusable)?;
    if answers.is_empty() {
        printer.say("the condition leaves no value of these columns");
    }
    let columns = model.schema().columns();
    let label = |(&column, &code): (&usize, &usize)| columns[column].label(code).into_owned();
    let labels =
        |codes: &[usize]| -> Vec<String> { question.by.iter().zip(codes).map(label).collect() };
    let lines: Vec<[String; 4]> = answers
        .iter()
        .map(|(codes, answer)| line(&labels(codes).join(", "), answer))
        .collect();
    let width = |place: usize| lines.iter().map(|line| line[place].chars().count()).max();
    let [label, estimate, between] = [0, 1, 2].map(|place| width(place).unwrap_or(0));
    for [of, count, range, basis] in &lines {
        let line = format!("{of:label$}  {count:>estimate$}  {range:between$}  {basis}");
        printer.result(line.trim_start());
    }
    printer.say(
        "each is the model's number; the table's own is between the two after it with 95 % \
         confidence",
    );
    let documents = answers.iter().map(|(codes, answer)| {
        let names = question.by.iter().map(|&column| columns[column].name());
        let values: serde_json::Map<String, serde_json::Value> = names
            .zip(labels(codes))
            .map(|(name, label)| (name.to_owned(), label.into()))
            .collect();
        json!({ "values": values, "count": answer })
    });
    printer.document(&json!({
        "question": options.question,
        "answers": documents.collect::<Vec<_>>(),
        "confidence": 0.95,
        "domain": model.domain().in_words(),
    }));
    Ok(())
}

fn line(label: &str, answer: &CountAnswer) -> [String; 4] {
    let [low, high] = answer.between;
    let basis = match answer.basis {
        Basis::Measured => "measured",
        Basis::Modelled => "modelled",
        _ => "not measured together",
    };
    [
        label.to_owned(),
        format!("{:.0}", answer.estimate),
        format!("{low} to {high}"),
        basis.to_owned(),
    ]
}

/// What is to be counted, and by which columns.
struct Question {
    condition: Option<Condition>,
    by: Vec<usize>,
}

const GRAMMAR: &str = "a question is `count`, then if you like `where` and a condition, then if \
                       you like `by` and columns with commas between them";

impl Question {
    fn parse(text: &str, schema: &Schema) -> anyhow::Result<Question> {
        let (head, by) = match last_by(text) {
            Some(start) => (&text[..start], &text[start + 2..]),
            None => (text, ""),
        };
        let rest = without_word(head, "count").ok_or_else(|| BadInput(GRAMMAR.to_owned()))?;
        let condition = match rest.trim() {
            "" => None,
            rest => {
                let wanted = without_word(rest, "where");
                let wanted = wanted.ok_or_else(|| BadInput(GRAMMAR.to_owned()))?;
                Some(Condition::parse(wanted, schema)?)
            }
        };
        let mut columns = Vec::new();
        for name in names(by) {
            let column = schema
                .position(&name)
                .ok_or_else(|| unknown(&name, schema))?;
            if columns.contains(&column) {
                return Err(BadInput(format!("column `{name}` stands twice after `by`")).into());
            }
            columns.push(column);
        }
        if columns.is_empty() && last_by(text).is_some() {
            return Err(BadInput(GRAMMAR.to_owned()).into());
        }
        Ok(Question {
            condition,
            by: columns,
        })
    }
}

fn unknown(name: &str, schema: &Schema) -> BadInput {
    let known = schema.columns().iter().map(Column::name);
    BadInput(match nearest(name, known) {
        Some(meant) => format!("there is no column `{name}`; did you mean `{meant}`?"),
        None => {
            format!("there is no column `{name}`; `synclave inspect` lists the model's columns")
        }
    })
}

/// What comes after a word that the text begins with.
fn without_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let text = text.trim_start();
    let begins = text.get(..word.len())?.eq_ignore_ascii_case(word);
    let rest = text.get(word.len()..)?;
    let ends = rest.is_empty() || rest.starts_with(char::is_whitespace);
    (begins && ends).then_some(rest)
}

/// Where the last `by` that is a word of the grammar begins.
fn last_by(text: &str) -> Option<usize> {
    let starts = unquoted(text).filter_map(|(start, _)| {
        let after_space = text[..start].ends_with(char::is_whitespace);
        let is_by = without_word(&text[start..], "by").is_some();
        (after_space && is_by && text[start..].starts_with(['b', 'B'])).then_some(start)
    });
    starts.last()
}

/// Names with commas between them, without their quotes.
fn names(text: &str) -> Vec<String> {
    let commas = unquoted(text)
        .filter(|(_, sign)| *sign == ',')
        .map(|(place, _)| place);
    let mut start = 0;
    let mut names = Vec::new();
    for end in commas.chain([text.len()]) {
        names.push(text[start..end].trim());
        start = end + 1;
    }
    let without_quotes = |name: &str| {
        let quote = name.chars().next().filter(|quote| QUOTES.contains(quote));
        match quote.and_then(|quote| name.strip_prefix(quote)?.strip_suffix(quote)) {
            Some(inner) => {
                let quote = &name[..1];
                inner.replace(&quote.repeat(2), quote)
            }
            None => name.to_owned(),
        }
    };
    let named = names.into_iter().filter(|name| !name.is_empty());
    named.map(without_quotes).collect()
}

const QUOTES: [char; 3] = ['\'', '"', '`'];

/// The characters of a text that are not in quotes, which are not among them either.
fn unquoted(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut within = None;
    text.char_indices().filter(move |&(_, sign)| match within {
        Some(quote) if sign == quote => {
            within = None;
            false
        }
        Some(_) => false,
        None if QUOTES.contains(&sign) => {
            within = Some(sign);
            false
        }
        None => true,
    })
}

#[cfg(test)]
mod tests {
    use schema::Declaration;

    use super::*;

    fn schema() -> Schema {
        let yaml = "age: {integer: {min: 0, max: 99}}\nby: {categories: [by, a]}\n\
                    'a, b': {boolean: true}\n";
        Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap()
    }

    fn parsed(text: &str) -> Result<(Option<String>, Vec<usize>), String> {
        let question = Question::parse(text, &schema()).map_err(|error| error.to_string())?;
        let condition = question.condition.map(|it| it.text().to_owned());
        Ok((condition, question.by))
    }

    #[test]
    fn questions_are_read_with_their_clauses() {
        assert_eq!(parsed("count"), Ok((None, vec![])));
        assert_eq!(parsed(" COUNT by age"), Ok((None, vec![0])));
        let condition = Some("age < 30 and 'by' = 'by'".to_owned());
        assert_eq!(
            parsed("count where age < 30 and 'by' = 'by' by 'by', 'a, b'"),
            Ok((condition, vec![1, 2]))
        );
    }

    #[test]
    fn what_is_no_question_is_refused_with_what_one_is() {
        for text in [
            "",
            "counts",
            "sum age",
            "count age < 3",
            "count by",
            "count by age by",
        ] {
            let refused = parsed(text).unwrap_err();
            assert!(
                refused.starts_with("a question is `count`"),
                "{text}: {refused}"
            );
        }
        let refused = parsed("count by agee").unwrap_err();
        assert_eq!(refused, "there is no column `agee`; did you mean `age`?");
        assert!(parsed("count by age, age").unwrap_err().contains("twice"));
        assert!(
            parsed("count where agee = 3")
                .unwrap_err()
                .contains("did you mean `age`")
        );
    }
}
