//! `synclave query`: counts of a table's rows, and statistics of their values, by its model.

use anyhow::Context;
use schema::number::shown as shown_number;
use schema::{Column, Condition, Day, Kind, Moment, Schema};
use serde::Serialize;
use serde_json::json;
use synthesis::{Basis, CountAnswer, Model, Statistic, ValueAnswer};

use crate::arguments::QueryOptions;
use crate::exit::BadInput;
use crate::model_file;
use crate::names::{names, position, unquoted};
use crate::printer::Printer;

pub(crate) fn run(options: &QueryOptions, printer: Printer) -> anyhow::Result<()> {
    let model = model_file::open(&options.model, "answers", printer)?;
    let answers = Answers::to(&options.question, &model)?;
    if answers.of_each.is_empty() {
        printer.say("the condition leaves no value of these columns");
    }
    let lines: Vec<[String; 4]> = answers.of_each.iter().map(Answer::line).collect();
    let width = |place: usize| lines.iter().map(|line| line[place].chars().count()).max();
    let [label, estimate, between] = [0, 1, 2].map(|place| width(place).unwrap_or(0));
    for [of, found, range, basis] in &lines {
        let line = format!("{of:label$}  {found:>estimate$}  {range:between$}  {basis}");
        printer.result(line.trim_start());
    }
    printer.say(
        "each is the model's number; the table's own is between the two after it with 95 % \
         confidence",
    );
    printer.document(&json!({
        "question": options.question,
        "answers": answers.document(),
        "confidence": 0.95,
        "domain": model.domain().in_words(),
    }));
    Ok(())
}

/// What a model says to a question.
#[derive(Debug)]
pub struct Answers {
    word: &'static str,
    /// Names of the columns after `by`.
    by: Vec<String>,
    of_each: Vec<Answer>,
}

impl Answers {
    /// Asks a model. The grammar is that of `synclave query`.
    ///
    /// # Errors
    /// If the question cannot be understood, or asks for more than is answered at once.
    pub fn to(question: &str, model: &Model) -> anyhow::Result<Answers> {
        let unusable = || BadInput(format!("could not use the question {question:?}"));
        let question = Question::parse(question, model.schema()).with_context(unusable)?;
        let of_each = question.answers(model).with_context(unusable)?;
        let columns = model.schema().columns();
        let by = question.by.iter();
        Ok(Answers {
            word: question.asked.word(),
            by: by
                .map(|&column| columns[column].name().to_owned())
                .collect(),
            of_each,
        })
    }

    /// One object for each answer: the `values` of the columns after `by`, and under the word that
    /// was asked for `estimate`, `between` and `basis`.
    #[must_use]
    pub fn document(&self) -> serde_json::Value {
        let of_each = self.of_each.iter().map(|answer| {
            let labels = answer.labels.iter().cloned().map(serde_json::Value::from);
            let values = self.by.iter().cloned().zip(labels);
            let values: serde_json::Map<String, serde_json::Value> = values.collect();
            json!({ "values": values, self.word: answer })
        });
        of_each.collect()
    }
}

/// An answer as it is shown.
#[derive(Debug, Serialize)]
struct Answer {
    /// The values of the columns after `by`.
    #[serde(skip)]
    labels: Vec<String>,
    estimate: serde_json::Value,
    between: [serde_json::Value; 2],
    basis: Basis,
}

impl Answer {
    fn of_count(labels: Vec<String>, answer: CountAnswer) -> Answer {
        Answer {
            labels,
            estimate: answer.estimate.into(),
            between: answer.between.map(Into::into),
            basis: answer.basis,
        }
    }

    /// With dates and moments as texts.
    fn of_values(labels: Vec<String>, answer: ValueAnswer, column: &Column) -> Answer {
        let shown = |number: f64| shown(number, column);
        Answer {
            labels,
            estimate: answer.estimate.map(shown).unwrap_or_default(),
            between: answer.between.map(shown),
            basis: answer.basis,
        }
    }

    fn line(&self) -> [String; 4] {
        let basis = match self.basis {
            Basis::Measured => "measured",
            Basis::Modelled => "modelled",
            _ => "not measured together",
        };
        let [low, high] = self.between.each_ref().map(in_words);
        [
            self.labels.join(", "),
            in_words(&self.estimate),
            format!("{low} to {high}"),
            basis.to_owned(),
        ]
    }
}

/// Of days and seconds since 1970, the day and the moment.
fn shown(number: f64, column: &Column) -> serde_json::Value {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "days and seconds of the years 1 to 9999"
    )]
    let whole = number.round() as i64;
    let text = match column.kind() {
        Kind::Date(_) => Day::from_number(whole).map(|day| day.to_string()),
        Kind::Datetime(_) => Moment::from_number(whole).map(|moment| moment.to_string()),
        _ => None,
    };
    text.map_or_else(|| number.into(), Into::into)
}

fn in_words(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "no row".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        number => number.as_f64().map_or_else(String::new, shown_number),
    }
}

/// What is asked, and by which columns.
struct Question {
    asked: Asked,
    condition: Option<Condition>,
    by: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Asked {
    Count,
    /// Of the values of a column.
    Of(Statistic, usize),
}

impl Asked {
    fn word(self) -> &'static str {
        match self {
            Asked::Count => "count",
            Asked::Of(Statistic::Sum, _) => "sum",
            Asked::Of(Statistic::Mean, _) => "mean",
            Asked::Of(_, _) => "quantile",
        }
    }
}

const GRAMMAR: &str = "a question is `count`, `sum COLUMN`, `mean COLUMN`, `median COLUMN` or \
                       `quantile SHARE COLUMN`, then if you like `where` and a condition, then if \
                       you like `by` and columns with commas between them";

impl Question {
    fn parse(text: &str, schema: &Schema) -> anyhow::Result<Question> {
        let (head, by) = match last_by(text) {
            Some(start) => (&text[..start], &text[start + 2..]),
            None => (text, ""),
        };
        let (asked, rest) = Asked::parse(head, schema)?;
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
            let column = position(&name, schema)?;
            if columns.contains(&column) {
                return Err(BadInput(format!("column `{name}` stands twice after `by`")).into());
            }
            columns.push(column);
        }
        if columns.is_empty() && last_by(text).is_some() {
            return Err(BadInput(GRAMMAR.to_owned()).into());
        }
        Ok(Question {
            asked,
            condition,
            by: columns,
        })
    }

    fn answers(&self, model: &Model) -> anyhow::Result<Vec<Answer>> {
        let columns = model.schema().columns();
        let label = |(&column, &code): (&usize, &usize)| columns[column].label(code).into_owned();
        let labels = |codes: &[usize]| self.by.iter().zip(codes).map(label).collect();
        let condition = self.condition.as_ref();
        Ok(match self.asked {
            Asked::Count => {
                let answers = model.counts_by(condition, &self.by)?.into_iter();
                answers
                    .map(|(codes, answer)| Answer::of_count(labels(&codes), answer))
                    .collect()
            }
            Asked::Of(statistic, column) => {
                let of = &columns[column];
                let answers = model.values_by(statistic, column, condition, &self.by)?;
                let answers = answers.into_iter();
                answers
                    .map(|(codes, answer)| Answer::of_values(labels(&codes), answer, of))
                    .collect()
            }
        })
    }
}

impl Asked {
    /// The beginning of a question, and what follows it.
    fn parse<'a>(text: &'a str, schema: &Schema) -> anyhow::Result<(Asked, &'a str)> {
        let grammar = || BadInput(GRAMMAR.to_owned());
        if let Some(rest) = without_word(text, "count") {
            return Ok((Asked::Count, rest));
        }
        let (statistic, rest) = if let Some(rest) = without_word(text, "sum") {
            (Statistic::Sum, rest)
        } else if let Some(rest) = without_word(text, "mean") {
            (Statistic::Mean, rest)
        } else if let Some(rest) = without_word(text, "median") {
            (Statistic::Quantile(0.5), rest)
        } else {
            let rest = without_word(text, "quantile").ok_or_else(grammar)?;
            let (share, rest) = first_word(rest);
            let share: f64 = share.parse().ok().ok_or_else(grammar)?;
            (Statistic::Quantile(share), rest)
        };
        let (name, rest) = first_word(rest);
        let name = names(name).pop().ok_or_else(grammar)?;
        Ok((Asked::Of(statistic, position(&name, schema)?), rest))
    }
}

/// The first word, which may be in quotes, and what follows it.
fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let ends = |&(_, sign): &(usize, char)| sign.is_whitespace();
    let end = unquoted(text).find(ends).map_or(text.len(), |it| it.0);
    text.split_at(end)
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

#[cfg(test)]
mod tests {
    use schema::Declaration;

    use super::*;

    fn schema() -> Schema {
        let yaml = "age: {integer: {min: 0, max: 99}}\nby: {categories: [by, a]}\n\
                    'a, b': {boolean: true}\n";
        Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap()
    }

    #[test]
    fn statistics_are_of_a_column() {
        let asked = |text: &str| {
            let question = Question::parse(text, &schema()).map_err(|error| error.to_string())?;
            let condition = question.condition.map(|it| it.text().to_owned());
            Ok::<_, String>((question.asked, condition, question.by))
        };
        let mean = Asked::Of(Statistic::Mean, 0);
        assert_eq!(asked("mean age"), Ok((mean, None, vec![])));
        let where_ = Some("age < 3".to_owned());
        assert_eq!(
            asked("Quantile 0.9 'age' where age < 3 by 'a, b'"),
            Ok((Asked::Of(Statistic::Quantile(0.9), 0), where_, vec![2]))
        );
        let by = asked("median by by 'by'");
        assert_eq!(
            by,
            Ok((Asked::Of(Statistic::Quantile(0.5), 1), None, vec![1]))
        );
        for text in ["mean", "quantile age", "mean age age", "sum"] {
            let refused = asked(text).unwrap_err();
            assert!(refused.starts_with("a question is"), "{text}: {refused}");
        }
        let refused = asked("sum agee").unwrap_err();
        assert_eq!(refused, "there is no column `agee`; did you mean `age`?");
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
            "variance age",
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
