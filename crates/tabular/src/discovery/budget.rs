//! How much is spent on finding a domain, and on which step of it.

use privacy::{Counts, Ledger, LedgerError, NoiseRng, Rho};

/// What discovery may spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscoveryBudget {
    /// At most this.
    Fixed(Rho),
    /// As much as the table needs by its number of rows, which is measured first: few rows need a
    /// larger part of the budget to be told from noise.
    ByRows {
        /// Where there are many rows; the count of rows takes a twentieth of it.
        least: Rho,
        /// The most, whatever the number of rows. It is at least `least`.
        most: Rho,
    },
}

impl From<Rho> for DiscoveryBudget {
    fn from(rho: Rho) -> Self {
        Self::Fixed(rho)
    }
}

/// The rows that a column's whole share should be able to tell from noise, in its standard
/// deviations. The steps of a column have between one and four tenths of it, so that about 2 % of
/// the rows are clear in the last of them, which says where a range ends.
const WANTED_CLEARNESS: f64 = 200.0;

impl DiscoveryBudget {
    /// The most that may be spent.
    pub(super) fn most(self) -> Rho {
        match self {
            Self::Fixed(rho) => rho,
            Self::ByRows { least, most } => most.max(least),
        }
    }

    /// Settles what is spent on `columns` columns together. Where that depends on the number of
    /// rows, these are counted under the ledger.
    pub(super) fn settle(
        self,
        columns: u32,
        ledger: &mut Ledger,
        rng: &mut NoiseRng,
        rows: impl FnOnce() -> u32,
    ) -> Result<Rho, LedgerError> {
        let (least, most) = match self {
            Self::Fixed(rho) => return Ok(rho),
            Self::ByRows { least, most } => (least, most.max(least)),
        };
        let counting = least.share(1, 20);
        let counts = Counts::from_exact(vec![rows()]);
        let noisy = ledger.measure("number of rows", &counts, counting, rng)?;
        let left = |all: Rho| all.checked_sub(counting).unwrap_or(Rho::ZERO);
        #[expect(clippy::cast_precision_loss, reason = "it is noisy")]
        let rows = noisy.values()[0].max(0) as f64;
        let clearness = rows / ledger.sigma(left(least).share(1, columns));
        // Clearness grows with the square root of what is spent.
        let wanted = (WANTED_CLEARNESS / clearness).powi(2) * least.get();
        Ok(if wanted >= most.get() {
            left(most)
        } else {
            // In millionths, rounded down.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 0 and a million"
            )]
            let millionths = (wanted / most.get() * 1e6) as u32;
            left(most.share(millionths, 1_000_000).max(least))
        })
    }
}

/// What each step of a column costs, in tenths of the column's share. The last step takes all that
/// is left.
pub(super) mod tenths {
    pub(in crate::discovery) const ALL: u32 = 10;
    /// What the fields look like. Everything else follows from it, so that with few rows it must be
    /// clear before all.
    pub(in crate::discovery) const KIND: u32 = 2;
    /// In which form dates, or numbers that are not plain, are written.
    pub(in crate::discovery) const FORM: u32 = 2;
    /// Which of day and month comes first, where no date tells.
    pub(in crate::discovery) const ORDER: u32 = 1;

    /// What the steps cost that a column of numbers or dates takes before its bins.
    #[derive(Debug, Clone, Copy)]
    pub(in crate::discovery) struct Steps {
        /// Which numbers are so frequent that they may be all there are.
        pub(in crate::discovery) keys: u32,
        /// Where values lie. Coarse: it says where bins may begin, and these say where they do.
        pub(in crate::discovery) bounds: u32,
    }

    /// Filled fields, in standard deviations of the counts of kinds, from which on rows are many.
    const MANY: f64 = 60.0;

    impl Steps {
        /// By noisy counts. Where rows are many, the first steps are clear at less, and the bins
        /// are the better for it.
        pub(in crate::discovery) fn by_fields(filled: f64, sigma: f64) -> Self {
            match filled > MANY * sigma {
                true => Self { keys: 2, bounds: 1 },
                false => Self { keys: 3, bounds: 2 },
            }
        }
    }
}
