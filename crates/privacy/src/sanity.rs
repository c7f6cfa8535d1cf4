//! Which budgets a person should think twice about, and which are refused.
//!
//! The accounting holds for any epsilon and delta; whether they protect anybody is another
//! question. The bounds are conventions, not theorems: deployments that publish their budgets stay
//! near or below an epsilon of 10, and texts on the subject agree that delta belongs far below one
//! over the number of people (Dwork and Roth 2014, section 2.3).

use std::fmt;

use thiserror::Error;

use crate::parameters::{Delta, Epsilon};

/// Epsilons above this protect hardly anybody: they are refused unless the danger is spelled out.
pub const MAX_EPSILON: f64 = 1_000.0;
/// Deltas from this on are always refused: the guarantee would be as likely to fail as to hold.
pub const MAX_DELTA: f64 = 0.5;

const LARGE_EPSILON: f64 = 10.0;
const TINY_EPSILON: f64 = 0.01;
const LARGE_DELTA: f64 = 1e-4;
/// Epsilon times the number of people below which noise is of the size of what is counted, once
/// the budget is shared out among the columns of a table.
const DROWNING: f64 = 100.0;

/// A budget that is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum UnsafeBudget {
    /// Delta is [`MAX_DELTA`] or more.
    #[error(
        "delta is {:?}, but from a half on the guarantee is as likely to fail as to hold; \
         choose far less than one over the number of people, such as 1e-9", .0.get()
    )]
    Delta(Delta),
    /// Above [`MAX_EPSILON`], and nothing says that this is wanted.
    #[error(
        "epsilon is {0}, but above {MAX_EPSILON} hardly anything is protected; \
         common choices lie between 0.1 and 10"
    )]
    Epsilon(Epsilon),
}

/// What is odd about a budget: for the person who has to agree to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BudgetWarning {
    /// Above [`MAX_EPSILON`], as the danger was spelled out.
    Dangerous(Epsilon),
    /// Epsilon is above 10.
    LargeEpsilon(Epsilon),
    /// So small that noise drowns the data.
    TinyEpsilon(Epsilon),
    /// So small for so few people that noise drowns the data.
    FewPeople(Epsilon, u64),
    /// Delta is above 1e-4.
    LargeDelta(Delta),
    /// Above one over the number of people.
    DeltaForPeople(Delta, u64),
}

/// Refuses budgets that protect hardly anybody.
///
/// # Errors
/// A delta of [`MAX_DELTA`] or more, always; an epsilon above [`MAX_EPSILON`], unless `dangerous`
/// says that the people concerned spelled out that they want it.
pub fn check_budget(epsilon: Epsilon, delta: Delta, dangerous: bool) -> Result<(), UnsafeBudget> {
    // Not even where the danger is spelled out: publishing each row with probability one half
    // satisfies such a delta.
    if delta.get() >= MAX_DELTA {
        return Err(UnsafeBudget::Delta(delta));
    }
    if needs_danger(epsilon) && !dangerous {
        return Err(UnsafeBudget::Epsilon(epsilon));
    }
    Ok(())
}

/// Whether an epsilon is allowed only where the danger is spelled out.
pub fn needs_danger(epsilon: Epsilon) -> bool {
    epsilon.get() > MAX_EPSILON
}

/// Returns what is odd about a budget, for tables about `people` people where that number is
/// public.
pub fn budget_warnings(epsilon: Epsilon, delta: Delta, people: Option<u64>) -> Vec<BudgetWarning> {
    let mut warnings = Vec::new();
    #[expect(clippy::cast_precision_loss, reason = "a rule of thumb")]
    let number = people.map(|people| people as f64);
    if needs_danger(epsilon) {
        warnings.push(BudgetWarning::Dangerous(epsilon));
    } else if epsilon.get() > LARGE_EPSILON {
        warnings.push(BudgetWarning::LargeEpsilon(epsilon));
    }
    // With a number of people there is something to compare with; without it only the extremes are
    // told.
    match people.zip(number) {
        Some((people, number)) if epsilon.get() * number < DROWNING => {
            warnings.push(BudgetWarning::FewPeople(epsilon, people));
        }
        None if epsilon.get() < TINY_EPSILON => {
            warnings.push(BudgetWarning::TinyEpsilon(epsilon));
        }
        _ => {}
    }
    match people.zip(number) {
        Some((people, number)) if delta.get() * number > 1.0 => {
            warnings.push(BudgetWarning::DeltaForPeople(delta, people));
        }
        _ if delta.get() > LARGE_DELTA => warnings.push(BudgetWarning::LargeDelta(delta)),
        _ => {}
    }
    warnings
}

impl fmt::Display for BudgetWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dangerous(epsilon) => write!(
                f,
                "DANGEROUS: epsilon is {epsilon}, which protects hardly anything of anybody"
            ),
            Self::LargeEpsilon(epsilon) => write!(
                f,
                "epsilon is {epsilon}, above {LARGE_EPSILON}: a person's values can show through; \
                 common choices lie between 0.1 and 10"
            ),
            Self::TinyEpsilon(epsilon) => write!(
                f,
                "epsilon is {epsilon}, below {TINY_EPSILON}: noise will drown all but very \
                 large tables"
            ),
            Self::FewPeople(epsilon, people) => write!(
                f,
                "epsilon is {epsilon} for about {people} people: noise will drown the data"
            ),
            Self::LargeDelta(delta) => write!(
                f,
                "delta is {:?}, above {LARGE_DELTA}: choose far less than one over the number of \
                 people, such as 1e-9",
                delta.get()
            ),
            Self::DeltaForPeople(delta, people) => write!(
                f,
                "delta is {:?}, above one over the number of people (about {people}): some of them \
                 could be exposed outright; choose far less, such as 1e-9",
                delta.get()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(epsilon: f64, delta: f64, people: Option<u64>) -> Vec<String> {
        let (epsilon, delta) = (Epsilon::new(epsilon).unwrap(), Delta::new(delta).unwrap());
        let warnings = budget_warnings(epsilon, delta, people);
        warnings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn budgets_that_protect_nobody_are_refused() {
        let check = |epsilon, delta, dangerous| {
            check_budget(
                Epsilon::new(epsilon).unwrap(),
                Delta::new(delta).unwrap(),
                dangerous,
            )
        };
        assert_eq!(check(1_000.0, 0.499, false), Ok(()));
        assert!(matches!(check(1.0, 0.5, true), Err(UnsafeBudget::Delta(_))));
        assert!(matches!(
            check(1.0, 0.99, false),
            Err(UnsafeBudget::Delta(_))
        ));
        assert!(matches!(
            check(1_000.1, 1e-9, false),
            Err(UnsafeBudget::Epsilon(_))
        ));
        assert_eq!(check(1e300, 1e-9, true), Ok(()));
        let huge = check(1e300, 1e-9, false).unwrap_err().to_string();
        assert!(
            huge.starts_with("epsilon is 1e300, but above 1000 "),
            "{huge}"
        );
    }

    #[test]
    fn ordinary_budgets_pass_without_a_word() {
        for (epsilon, delta, people) in [
            (3.0, 1e-9, None),
            (10.0, 1e-4, None),
            (0.01, 1e-9, None),
            (0.5, 1e-9, Some(200)),
            (0.001, 1e-9, Some(1_000_000)),
        ] {
            assert_eq!(warnings(epsilon, delta, people), [""; 0]);
        }
    }

    #[test]
    fn odd_budgets_are_warned_of() {
        for (epsilon, delta, people, expected) in [
            (10.1, 1e-9, None, "above 10"),
            (1e4, 1e-9, None, "DANGEROUS: epsilon is 10000"),
            (0.001, 1e-9, None, "below 0.01"),
            (0.1, 1e-9, Some(900), "about 900 people: noise"),
            (3.0, 0.001, None, "above 0.0001"),
            (3.0, 1e-5, Some(200_000), "(about 200000)"),
            (3.0, 1e-3, Some(2_000), "(about 2000)"),
        ] {
            let warnings = warnings(epsilon, delta, people);
            assert_eq!(warnings.len(), 1, "{warnings:?}");
            assert!(warnings[0].contains(expected), "{warnings:?}");
        }
    }
}
