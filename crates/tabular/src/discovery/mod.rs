//! Finding the domain of undeclared columns under differential privacy.

mod budget;
mod cells;
mod dates;
mod keys;
mod kind;
mod ladder;
mod mass;
mod numbers;
mod outline;
mod range;
mod search;
mod spikes;

use std::num::NonZeroU32;

use privacy::{Counts, Delta, DomainSource, KeyCounts, Ledger, LedgerError, NoiseRng, Rho};
use rayon::prelude::*;
use schema::{Column, Schema};

use crate::codes::{Code, Codes, Wiped, with_codes};
use crate::join::{Joined, JoinedColumn};
use crate::table::{CodedTable, Domain};
pub use budget::DiscoveryBudget;
use budget::tenths;
use dates::DateForms;
use kind::Classes;
pub use outline::{Looks, MIN_RANGED, MIN_SHARED, Outline};
use search::discover;

/// The most categories that are kept of an undeclared column: those with the highest noisy counts.
pub const MAX_FOUND_CATEGORIES: usize = 1024;

/// The most numbers that are taken for all that an undeclared column holds.
pub const MAX_FOUND_NUMBERS: usize = 32;

/// The most, where they are few of the numbers between the first and the last, as codes are.
pub const MAX_FOUND_CODES: usize = 256;

/// Why the domain could not be discovered. Depends on the budget and the number of columns, never
/// on the data.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DiscoveryError {
    /// The ledger refused a spend.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger's noise is for fewer rows of one id than the table may have.
    #[error(
        "one id may have {table} rows in the table, and the ledger was opened for {ledger}; open \
         it for as many"
    )]
    RowsPerId {
        /// The most rows of one id in the table.
        table: NonZeroU32,
        /// The most rows of one id that the ledger was opened for.
        ledger: NonZeroU32,
    },
    /// The ledger keeps no share of delta for finding categories.
    #[error(
        "undeclared columns need a share of delta for finding their categories, and the ledger \
         keeps none"
    )]
    NoThresholdDelta,
}

impl Joined {
    /// Finds what is still unknown of the domain, spending at most `discovery` from the ledger, and
    /// codes the rows under the schema so found, which is public.
    ///
    /// The budget is split evenly over the columns that need it, and delta over those that are not
    /// declared; declared columns cost nothing, except those with `bins: quantile`. Where the
    /// budget depends on the number of rows ([`DiscoveryBudget::ByRows`]), that is measured first.
    ///
    /// Each step is one spend, labelled with what it finds and the column. Whatever is decided
    /// follows from the noisy counts of this step and those before: no field and no exact count
    /// decides anything. Counts below three and a half standard deviations of their noise count as
    /// nothing.
    ///
    /// - *Kind*, two tenths of an undeclared column's share: a noisy histogram over what fields
    ///   look like: empty (also `NA`, `null` and the like), whole number, numbers of 1 to 6
    ///   decimals and of more, the same with zeros at their end, code (a number with leading zeros,
    ///   such as `007`, or written `1e3`), compact date (`20200131`), number with separators of
    ///   thousands, a sign or a decimal comma, date, date with a time of day, text. Nine tenths of
    ///   the filled fields decide for numbers or dates; anything else is text, and so are numbers
    ///   of which one in a hundred is a code, so that no value is made up between two postcodes.
    ///   The column is nullable if the empty ones stand out, and numbers and dates have an `other`
    ///   if other texts do.
    /// - *Form*, two tenths, for dates and for numbers that are not plain: a noisy histogram over
    ///   the usual forms. The form that nine tenths have is taken; without one, the column is text.
    ///   Day and month are told apart by fields that only one order can read. Where none stands
    ///   out, a tenth is spent on counts of days and months: a number that nearly all dates share
    ///   is the day (`07/01/2020`, `08/01/2020`); where there is none, the day comes first.
    /// - *Values*, three tenths (two where rows are many, which the counts of kinds say), for plain
    ///   numbers of at most 6 decimals: if at most [`MAX_FOUND_NUMBERS`] numbers pass the threshold
    ///   of [`Ledger::release_keys`] and hold 98 % of the fields (99.5 % where at most 32 numbers
    ///   lie between the first and the last), they are all there is, and nothing more is spent.
    ///   Without a gap between them they are numbers with a code each, else categories, and other
    ///   numbers become `other`. Up to [`MAX_FOUND_CODES`] are categories if they are a twentieth
    ///   at most of the numbers between the first and the last. Where some numbers have a zero at
    ///   the end of their decimals and some have fewer decimals (`1.10`, `1.1`), texts are released
    ///   in place of numbers, and are categories if they hold as much.
    /// - *Bounds*, two tenths (one where rows are many), for other numbers and dates: a noisy
    ///   histogram over fixed cells (sign and power of two; years), of which those that stand out
    ///   mark the range, with their neighbours of one and a half standard deviations. Where none
    ///   does, adjacent cells do that hold all values with a probability of at least four fifths.
    ///   Values that tables often have in place of none (`9999-12-31`, -1, 999) have cells of their
    ///   own. Where one holds a thirty-second of the fields, as where a number does that was
    ///   released, it gets a bin of its own, and all else is found from the other values.
    ///   Where there are none either, all that is left is spent on the same histogram once more,
    ///   and bins are made of both; should these not tell, the column gets the single code `other`.
    /// - *Range*, two fifths of what is left: a noisy histogram over finer cells in that range,
    ///   denser where there is more mass, and over one cell beyond either of its ends.
    /// - *Bins*, all that is left: the same cells once more or, where values are in less than half
    ///   of them, still finer ones in their place; and what is beside these, in one or two cells at
    ///   either end. Such a tail belongs to the range where its count stands out of its noise, and
    ///   is a bin then. Of the finer cells those at an end are left out of which noise can hide at
    ///   most one field in two hundred. Up to 32 whole numbers, days or seconds get a code each,
    ///   more are cut into bins of about equal mass. A declared `bins: quantile` column spends its
    ///   whole share here.
    ///   What lies beyond a range counts as its nearest end, or as `other` where the counts make it
    ///   clear that it is one field in a hundred, or their noise could hide one in twenty-five.
    /// - *Categories*, all that is left, for text: those texts whose noisy counts pass the
    ///   threshold of [`Ledger::release_keys`], at most [`MAX_FOUND_CATEGORIES`]; everything else
    ///   becomes `other`, and so do, however many rows have them, texts with a character that other
    ///   parties would not see or a terminal would obey ([`printable::first_hidden`]).
    ///
    /// Nothing here fails because of the data: a column of which nothing can be seen gets the
    /// single code `other`.
    ///
    /// # Errors
    /// If the ledger was opened for fewer rows of an id, the budget does not suffice, or there are
    /// undeclared columns and the ledger was opened without [a share of
    /// delta](privacy::LedgerOptions::threshold_share).
    pub fn into_coded(
        self,
        ledger: &mut Ledger,
        discovery: impl Into<DiscoveryBudget>,
        rng: &mut NoiseRng,
    ) -> Result<CodedTable, DiscoveryError> {
        let (table, allowed) = (self.rows_per_id(), ledger.rows_per_id());
        if table > allowed {
            return Err(DiscoveryError::RowsPerId {
                table,
                ledger: allowed,
            });
        }
        ledger.note_domain_spends(&self.domain.spends);
        let wanting = self
            .columns
            .iter()
            .filter(|column| column.needs_discovery())
            .count();
        // Nothing to find: the ledger is not even asked.
        if wanting == 0 {
            return Ok(self.coded(DomainSource::Declared, &mut NothingToDiscover));
        }
        // Refused as a whole and at first: half a discovery would have cost its budget for nothing.
        let discovery = discovery.into();
        if discovery.most() > ledger.remaining() {
            return Err(LedgerError::OverBudget {
                label: "discovery of the domain".to_owned(),
                asked: discovery.most().get(),
                remaining: ledger.remaining(),
            }
            .into());
        }
        let undeclared = self
            .columns
            .iter()
            .filter(|column| !column.is_declared())
            .count();
        let delta = if undeclared == 0 {
            None
        } else {
            // Delta is split among the columns that release keys, by basic composition.
            let parts = u32::try_from(undeclared).expect("a table has fewer columns than 2^32");
            let share = ledger
                .remaining_threshold_delta()
                .and_then(|delta| delta.share(1, parts));
            Some(share.ok_or(DiscoveryError::NoThresholdDelta)?)
        };
        let parts = u32::try_from(wanting).expect("a table has fewer columns than 2^32");
        let discovery = discovery.settle(parts, ledger, rng, || {
            u32::try_from(self.rows).expect("a joined table has fewer than 2^32 rows")
        })?;
        let mut private = Private {
            ledger,
            rng,
            share: discovery.share(1, parts),
            delta,
            refused: None,
        };
        // `coded` has no way to stop half-way: a refusal is told when it is through.
        let table = self.coded(DomainSource::Discovered, &mut private);
        match private.refused {
            Some(refused) => Err(refused.into()),
            None => Ok(table),
        }
    }

    /// Takes the domain of undeclared columns, and the bins of `bins: quantile`, from the data as
    /// they are. The schema then tells about the data whatever it contains: for data a person owns
    /// and keeps, or knows to be public.
    #[must_use]
    pub fn dangerous_into_coded(self) -> CodedTable {
        let source = match self.needs_discovery() {
            true => DomainSource::FromData,
            false => DomainSource::Declared,
        };
        self.coded(source, &mut Exact { takes_all: false })
    }

    /// The same with an `other` in every column that is not declared, which may be empty too, so
    /// that another table whose values this one lacks can be coded under its schema.
    #[must_use]
    pub fn dangerous_into_coded_for_comparison(self) -> CodedTable {
        self.coded(DomainSource::FromData, &mut Exact { takes_all: true })
    }

    fn coded(self, domain: DomainSource, counting: &mut impl Counting) -> CodedTable {
        let rows_per_id = self.rows_per_id();
        let forms = DateForms::usual();
        let summaries: Vec<Option<Classes>> = self
            .columns
            .par_iter()
            .map(|column| match column {
                // Classes are exact and stay in memory: only noisy sums of them are ever looked at.
                JoinedColumn::Coded(..) => None,
                JoinedColumn::Raw { texts, codes, .. } => {
                    let rows = rows_of_each(codes, texts.len());
                    Some(Classes::new(texts, rows, &forms))
                }
            })
            .collect();
        let mut columns = Vec::with_capacity(self.columns.len());
        let mut coded = Vec::with_capacity(self.columns.len());
        for (column, classes) in self.columns.into_iter().zip(summaries) {
            let (column, codes) = match (column, classes) {
                (JoinedColumn::Raw { name, texts, codes }, Some(classes)) => {
                    let found = discover(name, &texts, &classes, &forms, counting);
                    let codes = found.recode(&texts, &codes);
                    (found.column, codes)
                }
                (JoinedColumn::Coded(column, codes), _) => settle(column, codes, counting),
                (JoinedColumn::Raw { .. }, None) => {
                    unreachable!("undeclared columns were summarised above")
                }
            };
            columns.push(column);
            coded.push(codes);
        }
        let schema = Schema::from_parts(columns, self.constraints)
            .and_then(|schema| schema.with_identifiers(self.identifiers))
            .expect(
                "joined columns have different names, and there is one; constraints are about \
                 declared columns and were checked",
            );
        let domain = Domain {
            source: self.domain.source.max(domain),
            spends: self.domain.spends,
        };
        CodedTable::new(schema, self.rows, rows_per_id, domain, coded)
    }
}

/// The way from exact counts to what may be known of them.
trait Counting {
    /// The counts with noise, for this many tenths of the column's share.
    fn measure(&mut self, label: &str, cells: Vec<u32>, tenths: u32) -> Measured;
    /// Which of the observed keys become known, with their noisy counts.
    fn release(&mut self, label: &str, counts: Vec<u32>, tenths: u32) -> Released;
    /// Whether every column gets an `other` and may be empty, whatever is counted.
    fn takes_all(&self) -> bool {
        false
    }
}

/// Keys that became known, by their positions, with counts that have noise of this standard
/// deviation.
struct Released {
    keys: Vec<(usize, i64)>,
    sigma: f64,
}

/// Counts with noise of this standard deviation.
struct Measured {
    values: Vec<f64>,
    sigma: f64,
}

impl Measured {
    /// Both measurements of the same cells as one, each weighed by its precision.
    fn combined(self, other: Self) -> Self {
        // Without noise one says what the other does.
        if self.sigma <= 0.0 || other.sigma <= 0.0 {
            return self;
        }
        let [own, others] = [self.sigma, other.sigma].map(|sigma| 1.0 / (sigma * sigma));
        let values = self.values.iter().zip(&other.values);
        Self {
            values: values
                .map(|(a, b)| (a * own + b * others) / (own + others))
                .collect(),
            sigma: 1.0 / (own + others).sqrt(),
        }
    }
}

struct Private<'a> {
    ledger: &'a mut Ledger,
    rng: &'a mut NoiseRng,
    share: Rho,
    delta: Option<Delta>,
    /// The first refusal, after which nothing is looked at any more.
    refused: Option<LedgerError>,
}

impl Private<'_> {
    fn refuse<T>(&mut self, error: LedgerError, instead: T) -> T {
        // The first refusal is the cause; what follows is its consequence.
        self.refused.get_or_insert(error);
        instead
    }
}

impl Counting for Private<'_> {
    fn measure(&mut self, label: &str, cells: Vec<u32>, tenths: u32) -> Measured {
        let rho = self.share.share(tenths, tenths::ALL);
        let cells = Counts::from_exact(cells);
        // Zeros in place of counts: discovery goes on blindly, and its result is thrown away.
        let zeros = Measured {
            values: vec![0.0; cells.len()],
            sigma: 1.0,
        };
        if self.refused.is_some() {
            return zeros;
        }
        match self.ledger.measure(label, &cells, rho, self.rng) {
            #[expect(clippy::cast_precision_loss, reason = "noisy counts are rough already")]
            Ok(noisy) => Measured {
                values: noisy.values().iter().map(|&value| value as f64).collect(),
                sigma: noisy.sigma(),
            },
            Err(error) => self.refuse(error, zeros),
        }
    }

    fn release(&mut self, label: &str, counts: Vec<u32>, tenths: u32) -> Released {
        let rho = self.share.share(tenths, tenths::ALL);
        let keys = KeyCounts::from_exact(counts);
        let sigma = self.ledger.sigma(rho);
        // Nothing is released after a refusal, and nothing without a delta to pay for it.
        let (None, Some(delta)) = (&self.refused, self.delta) else {
            return Released {
                keys: Vec::new(),
                sigma,
            };
        };
        let keys = match self.ledger.release_keys(label, keys, rho, delta, self.rng) {
            Ok(released) => released,
            // So little budget that no threshold could be passed: then nothing passes it.
            Err(LedgerError::NoBudget { .. }) => Vec::new(),
            Err(error) => self.refuse(error, Vec::new()),
        };
        Released { keys, sigma }
    }
}

/// For tables all of whose columns are settled: nothing is counted, and no exact count can come to
/// light.
struct NothingToDiscover;

const SETTLED: &str = "nothing was to be discovered";

impl Counting for NothingToDiscover {
    fn measure(&mut self, _: &str, _: Vec<u32>, _: u32) -> Measured {
        unreachable!("{SETTLED}")
    }

    fn release(&mut self, _: &str, _: Vec<u32>, _: u32) -> Released {
        unreachable!("{SETTLED}")
    }
}

/// No noise, no budget: only for data that a person owns.
struct Exact {
    /// Whether every column has an `other` and may be empty.
    takes_all: bool,
}

impl Counting for Exact {
    fn measure(&mut self, _: &str, cells: Vec<u32>, _: u32) -> Measured {
        Measured {
            values: cells.into_iter().map(f64::from).collect(),
            sigma: 0.0,
        }
    }

    fn release(&mut self, _: &str, counts: Vec<u32>, _: u32) -> Released {
        Released {
            keys: counts.into_iter().map(i64::from).enumerate().collect(),
            sigma: 0.0,
        }
    }

    fn takes_all(&self) -> bool {
        self.takes_all
    }
}

/// Puts equal-mass bins in place of the fine grid of a declared column that asks for them.
fn settle(column: Column, codes: Codes, counting: &mut impl Counting) -> (Column, Codes) {
    let Some(wanted) = column.kind().wanted_quantiles() else {
        return (column, codes);
    };
    // The last cells are `other` and null, which have no place among bins.
    let cells = column.kind().len();
    let counts = rows_of_each(&codes, column.size()).as_slice()[..cells].to_vec();
    let measured = counting.measure(&format!("bins of `{}`", column.name()), counts, tenths::ALL);
    let firsts = mass::equal(&measured.values, wanted as usize);
    let settled = column.with_quantiles(&firsts);
    let bins = settled.kind().len();
    let map: Vec<u32> = (0..column.size())
        .map(|code| {
            let code = if code < cells {
                firsts.partition_point(|&first| first <= code)
            } else {
                code - cells + bins
            };
            u32::try_from(code).expect("codes are below 2^32")
        })
        .collect();
    let codes = codes.recoded(&map, settled.size());
    (settled, codes)
}

/// How many rows have each code.
fn rows_of_each(codes: &Codes, size: usize) -> Wiped<u32> {
    let mut counted = Wiped::from(vec![0; size]);
    let rows = counted.as_mut_slice();
    with_codes!(codes, codes => for &code in codes {
        rows[code.index()] += 1;
    });
    counted
}
