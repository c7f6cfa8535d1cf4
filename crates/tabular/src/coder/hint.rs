//! What would probably make fields understood that were not.

use schema::form::DecimalMark;
use schema::number::decimal;
use schema::{Column, DateForm, Kind, NumberForm, ValueForm};
use strict_yaml::nearest;

/// What the first of the fields look like that were not understood: counts only, and no text.
#[derive(Default)]
pub(crate) struct Hint {
    looked: u32,
    commas: u32,
    points: u32,
    decimals: u32,
    /// How many fields each of the usual forms of dates reads.
    dates: Vec<(DateForm, u32)>,
    /// The category that a field comes near to.
    meant: Option<usize>,
}

/// So many fields are looked at.
const LOOKED: u32 = 64;

/// Among more categories the nearest is not looked for.
const MOST_CATEGORIES: usize = 10_000;

impl Hint {
    pub(crate) fn look(&mut self, field: &[u8], kind: &Kind) {
        if self.looked == LOOKED {
            return;
        }
        self.looked += 1;
        match kind {
            Kind::Categories(texts) if texts.len() <= MOST_CATEGORIES => {
                if self.meant.is_none()
                    && let Ok(field) = str::from_utf8(field)
                {
                    let names = texts.iter().map(String::as_str);
                    let near = nearest(field, names);
                    self.meant = texts.iter().position(|text| Some(text.as_str()) == near);
                }
            }
            Kind::Integer(_) | Kind::Number(_) => {
                let reads = |mark| u32::from(NumberForm::of(field, mark).is_some());
                self.commas += reads(DecimalMark::Comma);
                self.points += reads(DecimalMark::Point);
                self.decimals += u32::from(decimal(field).is_some());
            }
            Kind::Date(_) | Kind::Datetime(_) => {
                if self.dates.is_empty() {
                    self.dates = DateForm::usual()
                        .into_iter()
                        .map(|form| (form, 0))
                        .collect();
                }
                for (form, count) in &mut self.dates {
                    *count += u32::from(form.day(field).is_some());
                }
            }
            Kind::Categories(_) | Kind::Boolean => {}
        }
    }

    /// What to do, in words: the nearest thing that would work.
    pub(crate) fn advice(&self, column: &Column) -> String {
        // Nine tenths, since the few may be slips.
        let most = |count: u32| 10 * count >= 9 * self.looked;
        match column.kind() {
            Kind::Categories(texts) => match self.meant {
                Some(code) => format!("did you mean `{}`?", texts[code]),
                None => "list them among the categories, or declare `other: true`".to_owned(),
            },
            Kind::Boolean => "declare the words: `boolean: {true: [..], false: [..]}`".to_owned(),
            Kind::Integer(_) if most(self.decimals) => {
                "they have decimals: declare a `number`".to_owned()
            }
            Kind::Integer(_) | Kind::Number(_) if most(self.commas) && most(self.points) => {
                "is the comma before decimals or between thousands? declare `read: {decimal: \
                 comma}` or `read: {decimal: point}`"
                    .to_owned()
            }
            Kind::Integer(_) | Kind::Number(_) if most(self.commas) => {
                "a decimal comma: declare `read: {decimal: comma}`".to_owned()
            }
            Kind::Integer(_) | Kind::Number(_) if most(self.points) => {
                "a decimal point: declare `read: {decimal: point}`".to_owned()
            }
            Kind::Integer(_) | Kind::Number(_) => {
                "list what stands for missing under `missing`, or declare `categories`".to_owned()
            }
            Kind::Date(_) | Kind::Datetime(_) => self.date_advice(column),
        }
    }

    fn date_advice(&self, column: &Column) -> String {
        let reads = |(_, count): &&(DateForm, u32)| 10 * count >= 9 * self.looked;
        let forms: Vec<&DateForm> = self
            .dates
            .iter()
            .filter(reads)
            .map(|(form, _)| form)
            .collect();
        let timed = matches!(column.kind(), Kind::Datetime(_));
        let fits = |form: &&&DateForm| !timed || form.has_time();
        match forms.iter().find(fits) {
            None if !forms.is_empty() => {
                "these are dates without a time: declare a `date`".to_owned()
            }
            None => "say how they are written, as in `format: '%d/%m/%Y'`".to_owned(),
            Some(form) => {
                let others = forms.iter().filter(fits).filter(|other| other != &form);
                let others: Vec<String> = others
                    .map(|other| format!(" or `format: '{other}'`"))
                    .collect();
                let declared = match column.form() {
                    ValueForm::Date(_) => "they look like",
                    _ => "declare",
                };
                format!("{declared} `format: '{form}'`{}", others.concat())
            }
        }
    }
}
