//! What a schema of a table could say, from values that enough people share.

mod looks;
mod people;
mod range;

use schema::form::{DateForm, DecimalMark, NumberForm, Reading, ValueForm};
use schema::{Bins, Day, Declared, DeclaredKind, Grid, Moment, OTHER, Range, TruthWords};

use printable::first_hidden;

use super::dates::{Chosen, DateForms, ORDER_CELLS};
use super::keys::{self, Countable, Few};
use super::kind::{self, Decimals, Finding, Values};
use super::{MAX_FOUND_CATEGORIES, MAX_FOUND_CODES, Released, numbers};
use crate::dictionary::RawColumn;
use crate::upload::{Upload, UploadColumn};
pub use looks::Looks;
use people::{Cells, People};
use range::Rounded;

/// How many people must share a value, or reach one, before anything is said of it.
pub const MIN_SHARED: u32 = 20;
/// How many people must have a value before anything is said of a range: of fewer, the value that
/// [`MIN_SHARED`] people reach from below is nearly the one that as many reach from above, and both
/// are one or two people's own.
pub const MIN_RANGED: u32 = 3 * MIN_SHARED;

/// What a schema could say of one column.
///
/// Every text in it is shared by [`MIN_SHARED`] people at least, and every bound is the nearest
/// round number beyond a value that as many people reach, of [`MIN_RANGED`] at least who have one,
/// and shows three digits at most of their size. It is exact all the same, and protected
/// by no budget: for the owner of the table, to be read before anybody else sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    /// Name of the column.
    pub name: String,
    /// What could be declared. None if there is nothing that enough people share.
    pub declared: Option<Declared>,
    /// What is better not declared, but left out.
    pub looks: Option<Looks>,
    /// How many different values fewer people share, where the values are texts.
    pub left_out: usize,
    /// Texts that enough people share, besides the numbers or dates of the column.
    pub other_texts: Vec<String>,
}

impl Upload {
    /// Returns what a schema could say of each column that was read without one.
    ///
    /// People are ids; without a key each row is one. What falls short of [`MIN_SHARED`] people
    /// shows in no text and no bound, but in counts of what was left out. A table with fewer people
    /// has no column of which anything could be said.
    #[must_use]
    pub fn dangerous_outline(&self) -> Vec<Outline> {
        let forms = DateForms::usual();
        let firsts = self.ids.as_ref().and_then(|ids| ids.firsts());
        let columns = self.columns.iter().filter_map(|column| match column {
            UploadColumn::Raw(column) => Some(column),
            UploadColumn::Coded(..) => None,
        });
        columns
            .map(|column| {
                let people = People::new(column.codes.widened(), firsts);
                let sketch = Sketch::new(column, &people, &forms);
                sketch.outline()
            })
            .collect()
    }

    /// The same table without these columns.
    #[must_use]
    pub fn without(mut self, dropped: impl Fn(&str) -> bool) -> Self {
        // Positions in constraints would be others.
        assert!(
            self.constraints.is_empty(),
            "a table that was read without a schema has no constraints"
        );
        self.columns.retain(|column| {
            let name = match column {
                UploadColumn::Coded(column, _) => column.name(),
                UploadColumn::Raw(column) => column.name.as_str(),
            };
            !dropped(name)
        });
        self
    }
}

/// A column while it is outlined.
struct Sketch<'a> {
    column: &'a RawColumn,
    people: &'a People<'a>,
    forms: &'a DateForms,
    /// How many people have each text.
    sharing: Vec<u32>,
    finding: Finding,
    /// Whether so many fields are empty that a table would be refused that may have none.
    nullable: bool,
}

/// As a standard deviation with which counts of [`MIN_SHARED`] stand out, and smaller ones do not.
fn sigma() -> f64 {
    (f64::from(MIN_SHARED) - 0.5) / 3.5
}

fn floats(counts: &[u32]) -> Vec<f64> {
    counts.iter().copied().map(f64::from).collect()
}

impl<'a> Sketch<'a> {
    fn new(column: &'a RawColumn, people: &'a People<'a>, forms: &'a DateForms) -> Self {
        let texts = &column.texts;
        let classes = texts.iter().map(|text| Some(kind::class(text, forms)));
        let classes = Cells::new(classes, kind::CLASSES);
        let counts = people.in_cells(&classes);
        let finding = Finding::from_counts(&floats(&counts), sigma());
        let rows = people.rows_in_cells(&classes);
        let all: u64 = rows.iter().sum();
        let empty = rows[kind::EMPTY];
        Self {
            sharing: people.sharing(texts.len()),
            nullable: finding.nullable || is_noticed(empty, all),
            finding,
            column,
            people,
            forms,
        }
    }

    fn outline(&self) -> Outline {
        let looks = Looks::of(self.column, &self.sharing, self.people, &self.finding);
        match self.finding.values {
            Values::Whole(zeros) => self.numbers(looks, NumberForm::PLAIN, Some(zeros), |text| {
                NumberForm::PLAIN.whole(text)
            }),
            Values::Decimal(decimals) => self.numbers(looks, NumberForm::PLAIN, decimals, |text| {
                NumberForm::PLAIN.number(text)
            }),
            Values::Dressed(mark) => self.dressed(looks, mark),
            Values::Compact => self.dates(looks, &self.forms.compact(), &self.forms.compact()),
            Values::Dates => {
                let cells = self.texts().map(|text| self.forms.cell(text));
                let cells = Cells::new(cells, self.forms.cell_count());
                let counts = floats(&self.people.in_cells(&cells));
                match self.forms.chosen(&counts, sigma()) {
                    Some(Chosen::Form(form, written)) => self.dates(looks, &form, &written),
                    Some(Chosen::Order(open)) => {
                        let cells = Cells::new(self.texts().map(|it| open.cell(it)), ORDER_CELLS);
                        let counts = floats(&self.people.in_cells(&cells));
                        let (form, written) = open.settled(&counts, sigma());
                        self.dates(looks, &form, &written)
                    }
                    None => self.categories(looks),
                }
            }
            Values::Text => self.categories(looks),
        }
    }

    fn dressed(&self, looks: Option<Looks>, mark: DecimalMark) -> Outline {
        let cells = self.texts().map(|text| numbers::cell(text, mark));
        let cells = Cells::new(cells, numbers::CELLS);
        let counts = floats(&self.people.in_cells(&cells));
        let Some(found) = numbers::chosen(mark, &counts, sigma()) else {
            return self.categories(looks);
        };
        let (form, decimals) = (found.form, found.decimals);
        match found.whole {
            true => self.numbers(looks, form, decimals, move |text| form.whole(text)),
            false => self.numbers(looks, form, decimals, move |text| form.number(text)),
        }
    }

    fn numbers<T: Rounded + Countable>(
        &self,
        looks: Option<Looks>,
        form: NumberForm,
        decimals: Option<usize>,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Outline {
        if form == NumberForm::PLAIN
            && self.finding.decimals == Decimals::Mixed
            && self.are_shared()
        {
            return self.categories(looks);
        }
        let ranks = range::Ranks::new(self.texts().map(&read), self.people);
        let sharing = self.people.in_cells(ranks.cells());
        let values: Vec<(T, u32)> = ranks.values().iter().copied().zip(sharing).collect();
        let shared = |(at, (_, people)): (usize, &(T, u32))| {
            (*people >= MIN_SHARED).then_some((at, i64::from(*people)))
        };
        let released = Released {
            keys: values.iter().enumerate().filter_map(shared).collect(),
            sigma: 0.0,
        };
        let filled: f64 = values.iter().map(|(_, people)| f64::from(*people)).sum();
        #[expect(clippy::cast_precision_loss, reason = "numbers of people")]
        let held: f64 = released.keys.iter().map(|(_, people)| *people as f64).sum();
        let few = match form == NumberForm::PLAIN {
            true => decimals.and_then(|decimals| {
                keys::all_there_is(&values, &released, (filled, 0.0), decimals)
            }),
            false => None,
        };
        // Codes are all there is, or nearly so; of measures, a range loses nothing.
        let few = few.filter(|few| match few {
            Few::Codes(_) if matches!(self.finding.values, Values::Whole(_)) => {
                held >= 0.995 * filled
            }
            Few::Codes(_) => released.keys.len() == values.len(),
            Few::Gapless(..) => true,
        });
        let written = value_form(form, decimals);
        let unread = self.unread(ranks.cells());
        match few {
            Some(Few::Codes(codes)) => {
                let fixed = self.finding.decimals.fixed();
                let texts = codes.iter().map(|code| code.code(fixed)).collect();
                let left_out = values.len() - released.keys.len();
                let other = left_out > 0 || unread.noticed;
                let kind = DeclaredKind::Categories(texts);
                self.found(looks, kind, other, ValueForm::Usual, left_out)
            }
            Some(Few::Gapless(grid, _)) => {
                let kind = T::declared(gapless(&grid));
                self.found(looks, kind, unread.noticed, written, 0)
                    .with_texts(unread.shared)
            }
            None => match range::of_numbers(&ranks, self.people, decimals) {
                Some(range) => self
                    .found(looks, T::declared(range), unread.noticed, written, 0)
                    .with_texts(unread.shared),
                None => self.nothing(looks),
            },
        }
    }

    /// In a form that reads them all, and in one that has what they share in its own words.
    fn dates(&self, looks: Option<Looks>, form: &DateForm, written: &DateForm) -> Outline {
        let written = match written.pattern() {
            "%Y-%m-%d" | "%Y-%m-%dT%H:%M:%S" => ValueForm::Usual,
            _ => ValueForm::Date(written.clone()),
        };
        let (kind, unread) = if form.has_time() {
            let ranks = range::Ranks::new(self.texts().map(|text| form.moment(text)), self.people);
            let range = range::of_moments(&ranks, self.people);
            (
                range.map(DeclaredKind::Datetime),
                self.unread(ranks.cells()),
            )
        } else {
            let ranks = range::Ranks::new(self.texts().map(|text| form.day(text)), self.people);
            let range = range::of_days(&ranks, self.people);
            (range.map(DeclaredKind::Date), self.unread(ranks.cells()))
        };
        match kind {
            Some(kind) => self
                .found(looks, kind, unread.noticed, written, 0)
                .with_texts(unread.shared),
            None => self.nothing(looks),
        }
    }

    fn categories(&self, looks: Option<Looks>) -> Outline {
        let mut shared = self.shared(|_| true);
        shared.truncate(MAX_FOUND_CATEGORIES);
        let values = self.texts().filter(|text| !text.is_empty()).count();
        let left_out = values - shared.len();
        let other = left_out > 0;
        // The text would stand for everything that was left out as well.
        let mut texts: Vec<String> = shared
            .into_iter()
            .filter(|text| !(other && text == OTHER))
            .collect();
        texts.sort_unstable();
        if texts.is_empty() {
            return Outline {
                left_out,
                ..self.nothing(looks)
            };
        }
        if let (false, Some(words)) = (other, truths(&texts)) {
            return self.found(looks, DeclaredKind::Boolean, false, words, 0);
        }
        let kind = DeclaredKind::Categories(texts);
        self.found(looks, kind, other, ValueForm::Usual, left_out)
    }

    /// Texts that enough people share and that may be shown, the most frequent first.
    fn shared(&self, wanted: impl Fn(usize) -> bool) -> Vec<String> {
        let mut shared: Vec<(u32, String)> = self
            .texts()
            .zip(&self.sharing)
            .enumerate()
            .filter(|(at, (text, people))| {
                **people >= MIN_SHARED && !text.is_empty() && wanted(*at)
            })
            .filter_map(|(_, (text, people))| {
                let text = str::from_utf8(text).ok()?;
                (first_hidden(text).is_none()).then(|| (*people, text.to_owned()))
            })
            .collect();
        shared.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        shared.into_iter().map(|(_, text)| text).collect()
    }

    /// Whether nearly all fields have texts that enough people share, and these are few.
    fn are_shared(&self) -> bool {
        let rows = self.people.rows_of_texts(self.column.texts.len());
        let (mut all, mut held, mut texts) = (0, 0, 0);
        for ((text, rows), people) in self.texts().zip(rows).zip(&self.sharing) {
            if !text.is_empty() {
                let shared = *people >= MIN_SHARED;
                all += rows;
                held += if shared { rows } else { 0 };
                texts += usize::from(shared);
            }
        }
        texts <= MAX_FOUND_CODES && 100 * held >= 98 * all
    }

    /// What is neither empty nor in one of the cells.
    fn unread(&self, cells: &Cells) -> Unread {
        let rows = self.people.rows_of_texts(self.column.texts.len());
        let (mut unread, mut all) = (0, 0);
        for ((text, rows), cell) in self.texts().zip(rows).zip(cells.of_texts()) {
            all += rows;
            unread += if cell.is_none() && !text.is_empty() {
                rows
            } else {
                0
            };
        }
        let cells: Vec<Option<u32>> = cells.of_texts().collect();
        let shared = self.shared(|at| cells[at].is_none());
        Unread {
            noticed: !shared.is_empty() || is_noticed(unread, all),
            shared,
        }
    }

    fn texts(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.column.texts.iter()
    }

    fn found(
        &self,
        looks: Option<Looks>,
        kind: DeclaredKind,
        other: bool,
        form: ValueForm,
        left_out: usize,
    ) -> Outline {
        let reading = Reading {
            decimal: match &form {
                ValueForm::Number { form, .. } if *form != NumberForm::PLAIN => Some(form.decimal),
                _ => None,
            },
            ..Reading::default()
        };
        Outline {
            declared: Some(Declared {
                kind,
                nullable: self.nullable,
                other,
                form,
                reading,
            }),
            left_out,
            ..self.nothing(looks)
        }
    }

    fn nothing(&self, looks: Option<Looks>) -> Outline {
        Outline {
            name: self.column.name.clone(),
            declared: None,
            looks,
            left_out: 0,
            other_texts: Vec::new(),
        }
    }
}

/// Fields of a column that its kind does not read.
struct Unread {
    /// Whether they are too many to be passed over.
    noticed: bool,
    /// Those that enough people share.
    shared: Vec<String>,
}

impl Outline {
    fn with_texts(mut self, texts: Vec<String>) -> Self {
        /// More than this nobody would read.
        const MOST: usize = 5;
        self.other_texts = texts;
        self.other_texts.truncate(MOST);
        self
    }
}

/// Whether so many of a column's fields could not be passed over in silence: half of what a
/// declared column tolerates.
#[expect(clippy::cast_precision_loss, reason = "a share is rough")]
fn is_noticed(fields: u64, all: u64) -> bool {
    fields as f64 > schema::form::DEFAULT_TOLERANCE / 2.0 * all as f64
}

/// The range of numbers that have a code each; bins are written out only where they are needed.
fn gapless<T: Rounded>(grid: &Grid<T>) -> Range<T> {
    let range = grid.range().clone();
    Range {
        bins: match range.bins {
            Bins::Uniform(_) => Bins::Uniform(schema::DEFAULT_BINS),
            bins => bins,
        },
        ..range
    }
}

fn value_form(form: NumberForm, decimals: Option<usize>) -> ValueForm {
    let decimals = decimals.and_then(|it| u8::try_from(it).ok());
    match (form, decimals) {
        (NumberForm::PLAIN, None | Some(0)) => ValueForm::Usual,
        (form, decimals) => ValueForm::Number { form, decimals },
    }
}

/// Two texts that say true and false, and nothing else does.
fn truths(texts: &[String]) -> Option<ValueForm> {
    let [falses, trues] = texts else {
        return None;
    };
    let are_truths = falses.eq_ignore_ascii_case("false") && trues.eq_ignore_ascii_case("true");
    are_truths.then(|| match (falses.as_str(), trues.as_str()) {
        ("false", "true") => ValueForm::Usual,
        _ => ValueForm::Boolean(TruthWords {
            falses: vec![falses.clone()],
            trues: vec![trues.clone()],
        }),
    })
}

/// The kind of a range.
trait Kinded: Sized {
    fn declared(range: Range<Self>) -> DeclaredKind;
}

impl Kinded for i64 {
    fn declared(range: Range<i64>) -> DeclaredKind {
        DeclaredKind::Integer(range)
    }
}

impl Kinded for f64 {
    fn declared(range: Range<f64>) -> DeclaredKind {
        DeclaredKind::Number(range)
    }
}

impl Kinded for Day {
    fn declared(range: Range<Day>) -> DeclaredKind {
        DeclaredKind::Date(range)
    }
}

impl Kinded for Moment {
    fn declared(range: Range<Moment>) -> DeclaredKind {
        DeclaredKind::Datetime(range)
    }
}
