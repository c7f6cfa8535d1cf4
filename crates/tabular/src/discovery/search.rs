//! The search for what one column holds, step by step.

use schema::form::{DateForm, DecimalMark, NumberForm, ValueForm, is_missing};
use schema::{Column, Day, Grid, Kind, Moment};

use super::cells::Cells;
use super::dates::{Chosen, DateForms};
use super::keys::{self, Countable, Few, Index};
use super::kind::{Classes, Decimals, Finding, Values};
use super::ladder::Ladder;
use super::range::Span;
use super::spikes;
use super::{Counting, Measured, Released, numbers, tenths};
use crate::codes::{Codes, Wiped};
use crate::dictionary::Texts;

/// Reads the code of a field.
type Reader = dyn Fn(&[u8]) -> Option<usize>;

/// A column that was found, and how the fields are read under it.
pub(super) struct Found {
    pub(super) column: Column,
    /// The code of a field that is not read, where there is neither `other` nor null: such fields
    /// are too few to be seen, so that a usual value changes least.
    usual: usize,
    read: Box<Reader>,
}

impl Found {
    fn new(column: Column, usual: usize, read: impl Fn(&[u8]) -> Option<usize> + 'static) -> Self {
        let read = Box::new(read);
        Self {
            column,
            usual,
            read,
        }
    }

    /// Codes every text, then every row.
    pub(super) fn recode(&self, texts: &Texts, codes: &Codes) -> Codes {
        let column = &self.column;
        let unread = column.other_code().or(column.null_code());
        let unread = unread.unwrap_or(self.usual);
        let missing = column.null_code().unwrap_or(unread);
        // Each text once, then each row by its text: texts are far fewer than rows.
        let map: Vec<u32> = texts
            .iter()
            .map(|text| {
                let code = match is_missing(text) {
                    true => missing,
                    false => (self.read)(text).unwrap_or(unread),
                };
                u32::try_from(code).expect("codes are below 2^32")
            })
            .collect();
        codes.recoded(Wiped::from(map).as_slice(), column.size())
    }
}

/// Finds what an undeclared column holds.
pub(super) fn discover(
    name: String,
    texts: &Texts,
    classes: &Classes,
    forms: &DateForms,
    counting: &mut impl Counting,
) -> Found {
    let label = format!("kind of `{name}`");
    let measured = counting.measure(&label, classes.cells(), tenths::KIND);
    // Decided by noisy counts alone: from here on which way is taken is public.
    let mut finding = Finding::from_counts(&measured.values, measured.sigma);
    finding.other |= counting.takes_all();
    finding.nullable |= counting.takes_all();
    let values = finding.values;
    let search = Search {
        name,
        texts,
        classes,
        forms,
        steps: tenths::Steps::by_fields(finding.filled, measured.sigma),
        finding,
        sigma: measured.sigma,
        left: tenths::ALL - tenths::KIND,
        counting,
    };
    match values {
        Values::Whole(zeros) => search.plain(|text| NumberForm::PLAIN.whole(text), Some(zeros)),
        Values::Decimal(decimals) => search.plain(|text| NumberForm::PLAIN.number(text), decimals),
        Values::Dressed(mark) => search.dressed(mark),
        Values::Compact => search.dates(forms.compact(), forms.compact()),
        Values::Dates => search.formed_dates(),
        Values::Text => search.texts(),
    }
}

pub(super) struct Search<'a, C> {
    name: String,
    pub(super) texts: &'a Texts,
    pub(super) classes: &'a Classes,
    forms: &'a DateForms,
    pub(super) finding: Finding,
    /// Of the counts from which the finding is.
    pub(super) sigma: f64,
    pub(super) steps: tenths::Steps,
    /// Tenths of the column's share that are not spent.
    pub(super) left: u32,
    counting: &'a mut C,
}

impl<C: Counting> Search<'_, C> {
    /// What most texts are, once nothing else is left.
    fn texts(mut self) -> Found {
        let keys = keys::releasable(self.texts, self.classes.rows());
        let counts = keys.iter().map(|&i| self.classes.rows()[i]).collect();
        let left = self.left;
        let released = self.release("categories", counts, left);
        let found = keys::categories(self.texts, &keys, released);
        let index = Index::new(&found);
        self.categories(found, move |text| index.code(text))
    }

    /// Plain numbers: a few that are all there is, or a range of them.
    fn plain<T: Rounded + 'static>(
        mut self,
        read: impl Fn(&[u8]) -> Option<T> + Clone + 'static,
        decimals: Option<usize>,
    ) -> Found {
        let form = written(NumberForm::PLAIN, decimals.filter(|&decimals| decimals > 0));
        let mut frequent = Vec::new();
        if self.finding.decimals == Decimals::Mixed {
            let mut keys = keys::releasable(self.texts, self.classes.rows());
            keys.retain(|&i| read(self.texts.get(i)).is_some());
            let counts = keys.iter().map(|&i| self.classes.rows()[i]).collect();
            let released = self.release("values", counts, self.steps.keys);
            if keys::all_texts(&released, (self.finding.filled, self.sigma)) {
                let found = keys::categories(self.texts, &keys, released);
                let index = Index::new(&found);
                return self.categories(found, move |text| index.code(text));
            }
        } else if let Some(decimals) = decimals {
            let values = keys::by_value(self.classes.read(self.texts, read.clone()));
            let counts = values.iter().map(|(_, rows)| *rows).collect();
            let released = self.release("values", counts, self.steps.keys);
            let fields = (self.finding.filled, self.sigma);
            match keys::all_there_is(&values, &released, fields, decimals) {
                Some(Few::Gapless(grid, usual)) => {
                    return self.found(grid, usual, read, form);
                }
                Some(Few::Codes(found)) => {
                    let fixed = self.finding.decimals.fixed();
                    let texts = found.iter().map(|code| code.code(fixed)).collect();
                    // `1010.0` is 1010.
                    return self.categories(texts, move |text| {
                        let code = read(text)?;
                        found.iter().position(|own| *own == code)
                    });
                }
                None => frequent = spikes::among(&values, &released, fields),
            }
        }
        let (span, read) = self.range(read, frequent, decimals, |it| T::rounded(it, decimals));
        self.found_if_any(span, read, form)
    }

    /// Numbers with separators of thousands, signs or a decimal comma.
    fn dressed(mut self, mark: DecimalMark) -> Found {
        let cells = numbers::cells(mark, self.fields());
        let measured = self.measure("form", cells, tenths::FORM);
        let Some(found) = numbers::chosen(mark, &measured.values, measured.sigma) else {
            return self.texts();
        };
        self.finding.other |= found.others;
        let (form, decimals) = (found.form, found.decimals);
        let written = written(form, decimals);
        if found.whole {
            let (span, read) = self.range(move |text| form.whole(text), Vec::new(), None, |it| it);
            self.found_if_any(span, read, written)
        } else {
            let rounded = |grid| f64::rounded(grid, decimals);
            let read = move |text: &[u8]| form.number(text);
            let (span, read) = self.range(read, Vec::new(), decimals, rounded);
            self.found_if_any(span, read, written)
        }
    }

    /// Dates whose form has yet to be found.
    fn formed_dates(mut self) -> Found {
        let cells = self.forms.cells(self.fields());
        let measured = self.measure("form", cells, tenths::FORM);
        match self.forms.chosen(&measured.values, measured.sigma) {
            Some(Chosen::Form(form, written)) => self.dates(form, written),
            Some(Chosen::Order(open)) => {
                let cells = open.cells(self.fields());
                let measured = self.measure("order of day and month", cells, tenths::ORDER);
                let (form, written) = open.settled(&measured.values, measured.sigma);
                self.dates(form, written)
            }
            None => self.texts(),
        }
    }

    /// Dates that are read in one form and written in another, which tells the same or, of dates
    /// that seem to begin larger units all of them, these units alone.
    fn dates(mut self, form: DateForm, of_column: DateForm) -> Found {
        if of_column.has_time() {
            let rounded = |cells: Cells<Moment>| cells.told_by(&of_column);
            let read = move |text: &[u8]| form.moment(text);
            let (span, read) = self.range(read, Vec::new(), None, rounded);
            // Years of two digits cannot tell days beyond a century.
            let told = span.all(|moment| of_column.can_write(moment.day()));
            self.found_if_any(span, read, date_form(of_column, told))
        } else {
            let read = move |text: &[u8]| form.day(text);
            let rounded = |cells: Cells<Day>| cells.told_by(&of_column);
            let (span, read) = self.range(read, Vec::new(), None, rounded);
            let told = span.all(|day| of_column.can_write(day));
            self.found_if_any(span, read, date_form(of_column, told))
        }
    }

    /// Without a range the column keeps the one code `other`, rather than fail because of the data.
    fn found_if_any<T: Ladder + 'static>(
        mut self,
        span: Span<T>,
        read: impl Fn(&[u8]) -> Option<T> + 'static,
        form: ValueForm,
    ) -> Found {
        match span {
            Span::Range {
                grid,
                usual,
                cut: false,
            } => self.found(grid, usual, read, form),
            Span::Range { grid, usual, .. } => {
                self.finding.other = true;
                // Moved to the ends, they would make them frequent values.
                let ends = [grid.range().min, grid.range().max];
                let read = move |text: &[u8]| {
                    let within = |value: &T| ends[0] <= *value && *value <= ends[1];
                    read(text).filter(within)
                };
                self.found(grid, usual, read, form)
            }
            Span::Few(values) => {
                let texts = values.iter().map(|value| value.category(&form)).collect();
                self.categories(texts, move |text| {
                    let value = read(text)?;
                    values.iter().position(|own| *own == value)
                })
            }
            Span::Unknown => self.categories(Vec::new(), |_| None),
        }
    }

    fn found<T: Ladder + 'static>(
        self,
        grid: Grid<T>,
        usual: T,
        read: impl Fn(&[u8]) -> Option<T> + 'static,
        form: ValueForm,
    ) -> Found {
        let kind = T::kind(grid.clone());
        let column = Column::found(self.name, kind, self.finding.nullable, self.finding.other);
        let usual = grid.bin(usual).0;
        Found::new(column.with_form(form), usual, move |text| {
            Some(grid.bin(read(text)?).0)
        })
    }

    fn categories(
        self,
        found: Vec<String>,
        read: impl Fn(&[u8]) -> Option<usize> + 'static,
    ) -> Found {
        let kind = Kind::Categories(found);
        let column = Column::found(self.name, kind, self.finding.nullable, true);
        Found::new(column, 0, read)
    }

    /// The texts of joined rows, each with its rows.
    fn fields(&self) -> impl Iterator<Item = (&[u8], u32)> {
        let rows = self.classes.rows().iter().copied();
        self.texts.iter().zip(rows).filter(|(_, rows)| *rows > 0)
    }

    pub(super) fn measure(&mut self, what: &str, cells: Vec<u32>, tenths: u32) -> Measured {
        self.left -= tenths;
        let label = format!("{what} of `{}`", self.name);
        self.counting.measure(&label, cells, tenths)
    }

    fn release(&mut self, what: &str, counts: Vec<u32>, tenths: u32) -> Released {
        self.left -= tenths;
        let label = format!("{what} of `{}`", self.name);
        self.counting.release(&label, counts, tenths)
    }
}

/// How numbers of this form are written back.
fn written(form: NumberForm, decimals: Option<usize>) -> ValueForm {
    let decimals = decimals.map(|it| u8::try_from(it).expect("a few decimals"));
    match (form, decimals) {
        (NumberForm::PLAIN, None) => ValueForm::Usual,
        (form, decimals) => ValueForm::Number { form, decimals },
    }
}

/// How dates of this form are written back: in the form, if it can tell all of them.
fn date_form(form: DateForm, told: bool) -> ValueForm {
    match form.pattern() {
        "%Y-%m-%d" | "%Y-%m-%dT%H:%M:%S" => ValueForm::Usual,
        _ if told => ValueForm::Date(form),
        _ => ValueForm::Usual,
    }
}

/// Numbers of which a grid may be rounded to so many decimals.
trait Rounded: Countable {
    fn rounded(grid: Cells<Self>, decimals: Option<usize>) -> Cells<Self>;
}

impl Rounded for i64 {
    fn rounded(grid: Cells<i64>, _: Option<usize>) -> Cells<i64> {
        grid
    }
}

impl Rounded for f64 {
    fn rounded(grid: Cells<f64>, decimals: Option<usize>) -> Cells<f64> {
        match decimals {
            Some(decimals) => grid.rounded(decimals),
            None => grid,
        }
    }
}
