//! Where the budget went, by what it was for.

use std::collections::HashSet;

use privacy::{Entry, LedgerRecord, Mechanism};

/// What spends were for. The order is that of a fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Purpose {
    Enough,
    Discovery,
    Columns,
    Choice,
    Relations,
    Training,
    Errors,
    Other,
}

impl Purpose {
    const ALL: [Self; 8] = [
        Self::Enough,
        Self::Discovery,
        Self::Columns,
        Self::Choice,
        Self::Relations,
        Self::Training,
        Self::Errors,
        Self::Other,
    ];

    fn of(entry: &Entry, columns: &HashSet<&str>) -> Self {
        let label = entry.label();
        match entry.mechanism() {
            Mechanism::Threshold { .. } => Self::Discovery,
            Mechanism::Exponential { .. } => Self::Choice,
            Mechanism::GaussianScores { .. } if label == "errors of the model" => Self::Errors,
            Mechanism::GaussianScores { .. } => Self::Choice,
            Mechanism::GaussianGradients { .. } | Mechanism::GaussianVotes { .. } => Self::Training,
            // A column's name before anything else: it may look like one of our own labels.
            _ if columns.contains(label) => Self::Columns,
            _ if label.starts_with("whether enough rows met") => Self::Enough,
            _ if label.contains(" of `") => Self::Discovery,
            _ if label.contains(" x ") => Self::Relations,
            _ => Self::Other,
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::Enough => "finding out whether enough rows met",
            Self::Discovery => "finding out what the columns hold",
            Self::Columns => "counting the values of each column",
            Self::Choice => "finding out which relations matter",
            Self::Relations => "counting combinations of columns",
            Self::Training => "training the network",
            Self::Errors => "measuring the errors of the model",
            Self::Other => "other measurements",
        }
    }
}

/// Spends for one purpose.
#[derive(Debug, PartialEq)]
pub(crate) struct Spent {
    pub(crate) purpose: &'static str,
    pub(crate) spends: usize,
    /// Share of all that there was to spend.
    pub(crate) share: f64,
}

/// What was spent for each purpose, and what is left over.
pub(crate) fn by_purpose<'a>(
    ledger: &LedgerRecord,
    columns: impl IntoIterator<Item = &'a str>,
) -> Vec<Spent> {
    let columns: HashSet<&str> = columns.into_iter().collect();
    let total = ledger.total().get().max(f64::MIN_POSITIVE);
    let mut groups = Vec::new();
    for purpose in Purpose::ALL {
        let entries = ledger.entries().iter();
        let mine = entries.filter(|entry| Purpose::of(entry, &columns) == purpose);
        let costs: Vec<f64> = mine.map(|entry| entry.rho().get()).collect();
        if !costs.is_empty() {
            groups.push(Spent {
                purpose: purpose.in_words(),
                spends: costs.len(),
                share: costs.iter().sum::<f64>() / total,
            });
        }
    }
    let left = ledger.remaining().get() / total;
    // Less is what rounding leaves of a budget that was spent whole.
    if left > 1e-6 {
        groups.push(Spent {
            purpose: "not spent",
            spends: 0,
            share: left,
        });
    }
    groups
}

#[cfg(test)]
mod tests {
    use privacy::{Accounting, Counts, Delta, Epsilon, Ledger, LedgerOptions};

    use super::*;

    #[test]
    fn spends_are_grouped_by_what_they_were_for_and_the_shares_add_up() {
        let options = LedgerOptions::new(
            Epsilon::new(1.0).unwrap(),
            Delta::new(1e-9).unwrap(),
            Accounting::Zcdp,
        );
        let mut ledger = Ledger::open(options).unwrap();
        let tenth = ledger.total().share(1, 10);
        let mut noise = testkit::noise(1);
        let labels = [
            "whether enough rows met, test 1 of 3",
            "kind of `age`",
            "age",
            "bins of `x`",
            "age x sex",
            "age",
            "rows",
        ];
        for label in labels {
            let counts = Counts::from_exact(vec![3, 4]);
            ledger.measure(label, &counts, tenth, &mut noise).unwrap();
        }
        // A column that is named like a spend of discovery.
        let groups = by_purpose(&ledger.close(), ["age", "sex", "bins of `x`"]);
        let found: Vec<(&str, usize)> = groups.iter().map(|it| (it.purpose, it.spends)).collect();
        let expected = [
            ("finding out whether enough rows met", 1),
            ("finding out what the columns hold", 1),
            ("counting the values of each column", 3),
            ("counting combinations of columns", 1),
            ("other measurements", 1),
            ("not spent", 0),
        ];
        assert_eq!(found, expected);
        let sum: f64 = groups.iter().map(|it| it.share).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
    }
}
