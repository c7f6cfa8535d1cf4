//! Finding the domain of undeclared columns under differential privacy.

mod kind;
mod ladder;
mod mass;

use std::num::NonZeroU32;

use printable::first_hidden;
use privacy::{Counts, Delta, DomainSource, KeyCounts, Ledger, LedgerError, NoiseRng, Rho};
use rayon::prelude::*;
use schema::{Bins, Column, DEFAULT_BINS, Day, Grid, Kind, OTHER, Ordered, Range, Schema};

use crate::coder::Coder;
use crate::codes::{Code, Codes, Wiped, with_codes};
use crate::dictionary::Texts;
use crate::error::RecordPosition;
use crate::join::{Joined, JoinedColumn};
use crate::table::CodedTable;
use kind::{Classes, Finding, Values};
use ladder::Ladder;

/// The most categories that are kept of an undeclared column: those with the highest noisy counts.
pub const MAX_FOUND_CATEGORIES: usize = 1024;

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
    /// The budget is split evenly over the columns that need it; declared columns cost nothing,
    /// except those with `bins: quantile`.
    ///
    /// - *Kind*, a tenth of an undeclared column's share: a noisy histogram over empty, whole
    ///   number, decimal number, date, text and code (a number with leading zeros, such as `007`,
    ///   or written `1e3`). Nine tenths of the filled fields decide for numbers or dates; anything
    ///   else is text, and so are numbers of which one in a hundred is a code, so that no value is
    ///   made up between two postcodes. The column is nullable if the empty ones stand out from the
    ///   noise, and numbers and dates have an `other` if other texts do.
    /// - *Bounds*, three tenths, for numbers and dates: a noisy histogram over fixed cells (sign
    ///   and power of two; years), of which those that stand out mark the range.
    /// - *Bins*, six tenths: a noisy histogram over a finer grid, denser where there is more mass.
    ///   Its ends are trimmed where there is only noise; up to 32 whole numbers or days get a code
    ///   each, more are cut into bins of about equal mass. A declared `bins: quantile` column
    ///   spends its whole share here.
    /// - *Categories*, nine tenths, for text: those texts whose noisy counts pass the threshold of
    ///   [`Ledger::release_keys`], at most [`MAX_FOUND_CATEGORIES`]; everything else becomes
    ///   `other`, and so do, however many rows have them, texts with a character that other parties
    ///   would not see or a terminal would obey ([`printable::first_hidden`]).
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
        discovery: Rho,
        rng: &mut NoiseRng,
    ) -> Result<CodedTable, DiscoveryError> {
        let (table, allowed) = (self.rows_per_id(), ledger.rows_per_id());
        if table > allowed {
            return Err(DiscoveryError::RowsPerId {
                table,
                ledger: allowed,
            });
        }
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
        if discovery > ledger.remaining() {
            return Err(LedgerError::OverBudget {
                label: "discovery of the domain".to_owned(),
                asked: discovery.get(),
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
        self.coded(source, &mut Exact)
    }

    fn coded(self, domain: DomainSource, counting: &mut impl Counting) -> CodedTable {
        let rows_per_id = self.rows_per_id();
        let summaries: Vec<Option<Classes>> = self
            .columns
            .par_iter()
            .map(|column| match column {
                // Classes are exact and stay in memory: only noisy sums of them are ever looked at.
                JoinedColumn::Coded(..) => None,
                JoinedColumn::Raw { texts, codes, .. } => {
                    Some(Classes::new(texts, rows_of_each(codes, texts.len())))
                }
            })
            .collect();
        let mut columns = Vec::with_capacity(self.columns.len());
        let mut coded = Vec::with_capacity(self.columns.len());
        for (column, classes) in self.columns.into_iter().zip(summaries) {
            let (column, codes) = match (column, classes) {
                (JoinedColumn::Raw { name, texts, codes }, Some(classes)) => {
                    let column = discover(name, &texts, &classes, counting);
                    let codes = recode(&column, &texts, &codes);
                    (column, codes)
                }
                (JoinedColumn::Coded(column, codes), _) => settle(column, codes, counting),
                (JoinedColumn::Raw { .. }, None) => {
                    unreachable!("undeclared columns were summarised above")
                }
            };
            columns.push(column);
            coded.push(codes);
        }
        let schema = Schema::from_parts(columns, self.constraints).expect(
            "joined columns have different names, and there is one; constraints are about \
             declared columns and were checked",
        );
        CodedTable::new(schema, self.rows, rows_per_id, domain, coded)
    }
}

/// The way from exact counts to what may be known of them.
trait Counting {
    /// The counts with noise, for this many tenths of the column's share.
    fn measure(&mut self, label: &str, cells: Vec<u32>, tenths: u32) -> Measured;
    /// Which of the observed keys become known, with their noisy counts.
    fn release(&mut self, label: &str, counts: Vec<u32>, tenths: u32) -> Vec<(usize, i64)>;
}

/// Counts with noise of this standard deviation.
struct Measured {
    values: Vec<f64>,
    sigma: f64,
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
        let rho = self.share.share(tenths, 10);
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

    fn release(&mut self, label: &str, counts: Vec<u32>, tenths: u32) -> Vec<(usize, i64)> {
        let rho = self.share.share(tenths, 10);
        let keys = KeyCounts::from_exact(counts);
        // Nothing is released after a refusal, and nothing without a delta to pay for it.
        let (None, Some(delta)) = (&self.refused, self.delta) else {
            return Vec::new();
        };
        match self.ledger.release_keys(label, keys, rho, delta, self.rng) {
            Ok(released) => released,
            // So little budget that no threshold could be passed: then nothing passes it.
            Err(LedgerError::NoBudget { .. }) => Vec::new(),
            Err(error) => self.refuse(error, Vec::new()),
        }
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

    fn release(&mut self, _: &str, _: Vec<u32>, _: u32) -> Vec<(usize, i64)> {
        unreachable!("{SETTLED}")
    }
}

/// No noise, no budget: only for data that a person owns.
struct Exact;

impl Counting for Exact {
    fn measure(&mut self, _: &str, cells: Vec<u32>, _: u32) -> Measured {
        Measured {
            values: cells.into_iter().map(f64::from).collect(),
            sigma: 0.0,
        }
    }

    fn release(&mut self, _: &str, counts: Vec<u32>, _: u32) -> Vec<(usize, i64)> {
        counts.into_iter().map(i64::from).enumerate().collect()
    }
}

const KIND_TENTHS: u32 = 1;
const BOUNDS_TENTHS: u32 = 3;
const BINS_TENTHS: u32 = 6;
const CATEGORIES_TENTHS: u32 = 9;
const ALL_TENTHS: u32 = 10;

/// Finds what an undeclared column holds.
fn discover(
    name: String,
    texts: &Texts,
    classes: &Classes,
    counting: &mut impl Counting,
) -> Column {
    let finding = {
        let measured = counting.measure(&format!("kind of `{name}`"), classes.cells(), KIND_TENTHS);
        // Decided by noisy counts alone: from here on which way is taken is public.
        Finding::from_counts(&measured.values, measured.sigma)
    };
    let kind = match finding.values {
        Values::Whole => {
            range_of(&name, &finding, classes.wholes(texts), counting).map(Kind::Integer)
        }
        Values::Decimal => {
            range_of(&name, &finding, classes.decimals(texts), counting).map(Kind::Number)
        }
        Values::Day => range_of(&name, &finding, classes.days(texts), counting).map(Kind::Date),
        Values::Text => Ok(Kind::Categories(categories(
            &name, texts, classes, counting,
        ))),
    };
    // No range: the column keeps the one code `other`, rather than fail because of the data.
    let kind = kind.unwrap_or_else(|NoRange| Kind::Categories(Vec::new()));
    let other = finding.other || matches!(kind, Kind::Categories(_));
    Column::found(name, kind, finding.nullable, other)
}

/// The noisy counts left no range to speak of.
struct NoRange;

/// Finds bounds and bins for values and how many rows have each.
fn range_of<T: Ladder>(
    name: &str,
    finding: &Finding,
    values: impl Iterator<Item = (T, u32)> + Clone,
    counting: &mut impl Counting,
) -> Result<Grid<T>, NoRange> {
    let rungs = T::rungs();
    // Coarse first, over all values there are: cells that followed the data would tell of it.
    let counts = count_by_start(&rungs, values.clone());
    let coarse = counting.measure(&format!("bounds of `{name}`"), counts, BOUNDS_TENTHS);
    let fine = ladder::fine_starts(&rungs, &coarse, finding.filled);
    let counts = count_by_start(&fine.starts, values);
    let measured = counting.measure(&format!("bins of `{name}`"), counts, BINS_TENTHS);
    let kept = mass::trimmed(&measured.values, measured.sigma);
    let (min, max) = (fine.starts[kept.start], fine.last_of(kept.end - 1));
    // Few values: a code for each tells all, and bins would only lose something.
    let bins = if T::values_between(min, max) <= u64::from(DEFAULT_BINS) {
        Bins::Uniform(DEFAULT_BINS)
    } else {
        let wanted = mass::affordable_bins(finding.filled, measured.sigma);
        let firsts = mass::equal(&measured.values[kept.clone()], wanted);
        Bins::Cuts(
            firsts
                .into_iter()
                .map(|bin| fine.starts[kept.start + bin])
                .collect(),
        )
    };
    Grid::new(Range { min, max, bins }).map_err(|_| NoRange)
}

/// Rows in each cell, cells given by their ascending starts; what lies before the first counts to
/// it.
fn count_by_start<T: Ladder>(starts: &[T], values: impl Iterator<Item = (T, u32)>) -> Vec<u32> {
    let mut counts = vec![0; starts.len()];
    for (value, rows) in values {
        counts[starts[1..].partition_point(|start| *start <= value)] += rows;
    }
    counts
}

/// Finds the categories that enough rows have, in order of their texts.
///
/// Which texts may be released at all is a rule about each text alone, applied before anything is
/// counted: it changes no count of another text, so that the sensitivity stays what it is.
fn categories(
    name: &str,
    texts: &Texts,
    classes: &Classes,
    counting: &mut impl Counting,
) -> Vec<String> {
    let keys: Vec<usize> = (0..texts.len())
        .filter(|&i| {
            let text = texts.get(i);
            // Only texts of joined rows: what a party has beyond the join is not looked at.
            classes.rows()[i] > 0
                && !text.is_empty()
                && text != OTHER.as_bytes()
                && str::from_utf8(text).is_ok_and(|text| first_hidden(text).is_none())
        })
        .collect();
    let counts = keys.iter().map(|&i| classes.rows()[i]).collect();
    let mut released = counting.release(
        &format!("categories of `{name}`"),
        counts,
        CATEGORIES_TENTHS,
    );
    // Ties are broken by the texts: the order of the keys is that of the rows, and private.
    released.sort_by(|(a, count_a), (b, count_b)| {
        count_b
            .cmp(count_a)
            .then_with(|| texts.get(keys[*a]).cmp(texts.get(keys[*b])))
    });
    // By noisy count and not by name: which ones are cut off is post-processing.
    released.truncate(MAX_FOUND_CATEGORIES);
    let mut found: Vec<String> = released
        .into_iter()
        .map(|(key, _)| String::from_utf8_lossy(texts.get(keys[key])).into_owned())
        .collect();
    // Back in the order of their texts, which tells nothing of the table's.
    found.sort_unstable();
    found
}

/// Puts equal-mass bins in place of the fine grid of a declared column that asks for them.
fn settle(column: Column, codes: Codes, counting: &mut impl Counting) -> (Column, Codes) {
    let Some(wanted) = column.kind().wanted_quantiles() else {
        return (column, codes);
    };
    // The last cells are `other` and null, which have no place among bins.
    let cells = column.kind().len();
    let counts = rows_of_each(&codes, column.size()).as_slice()[..cells].to_vec();
    let measured = counting.measure(&format!("bins of `{}`", column.name()), counts, ALL_TENTHS);
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

/// Codes every text as a declared column would, then every row.
fn recode(column: &Column, texts: &Texts, codes: &Codes) -> Codes {
    // Each text once, then each row by its text: texts are far fewer than rows.
    let mut coder = Coder::new(column);
    for text in texts.iter() {
        coder.push(text, 0);
    }
    let (_, map, _) = coder.finish(RecordPosition::Row);
    codes.recoded(Wiped::from(map.widened()).as_slice(), column.size())
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

impl Ladder for i64 {
    fn rungs() -> Vec<i64> {
        // Powers of two: 127 cells over all numbers, however wide the data.
        // .., -7..=-4, -3..=-2, -1, 0, 1, 2..=3, 4..=7, ..
        let below = (0..62).rev().map(|k| 1 - (2 << k));
        let above = (0..63).map(|k| 1 << k);
        std::iter::once(i64::MIN)
            .chain(below)
            .chain([0])
            .chain(above)
            .collect()
    }

    fn last_before(next: i64) -> i64 {
        next - 1
    }

    const LARGEST: i64 = i64::MAX;

    fn values_between(min: i64, max: i64) -> u64 {
        max.abs_diff(min).saturating_add(1)
    }
}

impl Ladder for Day {
    fn rungs() -> Vec<Day> {
        // Years from 1850 to 2150, and one cell for what is before.
        let new_year = |year: i32| {
            format!("{year}-01-01")
                .parse()
                .expect("a day of 4 digits' year")
        };
        let years = (1850..=2150).map(new_year);
        std::iter::once(Day::MIN).chain(years).collect()
    }

    fn last_before(next: Day) -> Day {
        next.before().expect("a cell's end is above its start")
    }

    const LARGEST: Day = Day::MAX;

    fn values_between(min: Day, max: Day) -> u64 {
        u64::from(max.number().abs_diff(min.number())) + 1
    }
}

impl Ladder for f64 {
    fn rungs() -> Vec<f64> {
        let powers = || (-40..=80).map(|k| 2f64.powi(k));
        let below = powers().rev().map(|power| -power);
        std::iter::once(f64::MIN)
            .chain(below)
            .chain([0.0])
            .chain(powers())
            .collect()
    }

    fn last_before(next: f64) -> f64 {
        next
    }

    const LARGEST: f64 = f64::MAX;

    fn values_between(_: f64, _: f64) -> u64 {
        u64::MAX
    }

    fn is_speck(cell: (f64, f64), range: (f64, f64)) -> bool {
        cell.1 / 2.0 - cell.0 / 2.0 < (range.1 / 2.0 - range.0 / 2.0) * 1e-6
    }
}
