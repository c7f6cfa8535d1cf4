//! The one way into the engine: what is to be fitted, checked before anything is spent.

use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::RangeInclusive;

use privacy::{
    CountTest, Delta, Entry, Epsilon, Ledger, LedgerOptions, LedgerRecord, NoiseRng, Rho,
    check_budget,
};
use schema::{Column, Schema};
use tabular::{CodedTable, CountSource, DiscoveryBudget, Joined, MAX_FOUND_CATEGORIES};

use crate::budget::check_share;
use crate::constraints::Constraints;
use crate::fit_error::{FitError, PlanError};
use crate::mechanism::PreparedFit;
use crate::method::{Method, MethodOptions};
use crate::model::Model;
use crate::prior::PublicPrior;
use crate::run::{Run, Watcher};
use crate::workload::{
    NamedMarginal, Workload, check_marginals, check_most_columns, check_names, check_no_identifiers,
};

/// The least and the most of the budget that goes into discovery where something has to be
/// discovered, unless a plan says how much: the fewer the rows, by a noisy count of them, the more.
/// A column that is lost to noise costs more than what a fit could make of the difference.
pub const DISCOVERY_SHARES: RangeInclusive<f64> = 0.1..=0.4;

/// The share of delta that goes into finding categories. The rest is for the conversion to
/// (epsilon, delta).
const THRESHOLD_SHARE: f64 = 0.5;

/// How often it is tested, at most, whether as many rows met as a plan wants
/// ([`FitPlan::minimum_rows`]).
pub const MAX_ROW_TESTS: u32 = 3;

/// Each test costs one part in so many of the whole budget, or more where fewer rows are to be told
/// from none.
const ROW_TEST_PARTS: u32 = 100;
/// One part in so many of the whole budget is what all tests may cost together.
const MOST_FOR_ROW_TESTS: u32 = 2;

/// What the ledger says of a test, before its number.
const ROW_TEST: &str = "whether enough rows met, test ";

/// A method with its options, a guarantee, and what the synthetic data is to be good for.
///
/// Neighbouring tables differ by everything of one id; the guarantee is (epsilon,
/// delta)-differential privacy of all that a fit releases, discovery of columns included.
#[derive(Debug, Clone, PartialEq)]
pub struct FitPlan {
    options: MethodOptions,
    epsilon: Epsilon,
    delta: Delta,
    dangerous_epsilon: bool,
    rows_per_id: NonZeroU32,
    discovery_share: RangeInclusive<f64>,
    minimum_rows: Option<NonZeroU32>,
    workload: Option<Vec<NamedMarginal>>,
    target: Option<String>,
}

/// What is known of a table's columns before the table is read.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownColumns {
    declared: Option<Schema>,
    /// How many columns there are besides, at least.
    undeclared: usize,
    /// Whether undeclared columns are discovered, and so their categories.
    discovered: bool,
}

impl KnownColumns {
    /// All columns are declared. (Their bins may still have to be found.)
    #[must_use]
    pub fn all(schema: Schema) -> Self {
        KnownColumns {
            declared: Some(schema),
            undeclared: 0,
            discovered: false,
        }
    }

    /// These columns are declared, and others have to be discovered: at least this many.
    #[must_use]
    pub fn some(declared: Option<Schema>, undeclared: NonZeroUsize) -> Self {
        KnownColumns {
            declared,
            undeclared: undeclared.get(),
            discovered: true,
        }
    }

    /// These columns are declared, and others may have to be discovered.
    #[must_use]
    pub fn at_least(declared: Schema) -> Self {
        KnownColumns {
            declared: Some(declared),
            ..KnownColumns::none()
        }
    }

    /// Nothing is known, not even how many columns have to be discovered.
    #[must_use]
    pub fn none() -> Self {
        KnownColumns {
            declared: None,
            undeclared: 0,
            discovered: true,
        }
    }

    /// Nothing is known, and nothing will be discovered: the columns are taken from the data as
    /// they are, so that no guarantee holds.
    #[must_use]
    pub fn dangerous_from_data() -> Self {
        KnownColumns {
            discovered: false,
            ..KnownColumns::none()
        }
    }

    fn need_discovery(&self) -> bool {
        self.discovered || self.declared.as_ref().is_some_and(Schema::needs_discovery)
    }
}

impl From<Schema> for KnownColumns {
    fn from(schema: Schema) -> Self {
        KnownColumns::all(schema)
    }
}

impl FitPlan {
    /// All pairs of columns matter equally, one id has one row, and [`DISCOVERY_SHARES`] of the
    /// budget go into discovery where columns are undeclared.
    #[must_use]
    pub fn new(options: impl Into<MethodOptions>, epsilon: Epsilon, delta: Delta) -> Self {
        FitPlan {
            options: options.into(),
            epsilon,
            delta,
            dangerous_epsilon: false,
            rows_per_id: NonZeroU32::MIN,
            discovery_share: DISCOVERY_SHARES,
            minimum_rows: None,
            workload: None,
            target: None,
        }
    }

    /// How many rows one id has at most. Noise is as many times larger.
    #[must_use]
    pub fn rows_per_id(self, rows_per_id: NonZeroU32) -> Self {
        FitPlan {
            rows_per_id,
            ..self
        }
    }

    /// How many rows a table should have for a fit to be worth its budget. Before anything else is
    /// spent on a table in memory, a [`CountTest`] says whether it has: for a
    /// hundredth of the budget, or what it takes to tell so few rows from none. What the test costs
    /// is recorded like any other spend.
    ///
    /// A ledger pays for at most [`MAX_ROW_TESTS`], of tables about the same people
    /// ([`CheckedPlan::fit_within`]): enough of the budget for all of them is kept from the start,
    /// and what is not used goes into the fit. How many were made is public.
    #[must_use]
    pub fn minimum_rows(self, minimum_rows: NonZeroU32) -> Self {
        FitPlan {
            minimum_rows: Some(minimum_rows),
            ..self
        }
    }

    /// The share of the budget that goes into discovery where something has to be discovered, at
    /// most, whatever the number of rows.
    #[must_use]
    pub fn discovery_share(self, discovery_share: f64) -> Self {
        FitPlan {
            discovery_share: discovery_share..=discovery_share,
            ..self
        }
    }

    /// The marginals that matter, instead of all pairs.
    #[must_use]
    pub fn workload(self, workload: Vec<NamedMarginal>) -> Self {
        FitPlan {
            workload: Some(workload),
            ..self
        }
    }

    /// The column that the synthetic data should suit to predict.
    #[must_use]
    pub fn target(self, target: String) -> Self {
        FitPlan {
            target: Some(target),
            ..self
        }
    }

    /// Allows an epsilon above [`privacy::MAX_EPSILON`], which protects hardly anybody.
    #[must_use]
    pub fn dangerous_epsilon(self, dangerous_epsilon: bool) -> Self {
        FitPlan {
            dangerous_epsilon,
            ..self
        }
    }

    /// Checks all that follows from public facts, cheap things first.
    ///
    /// # Errors
    /// The first thing that would make a fit of such columns fail before it spends anything.
    pub fn check(self, columns: impl Into<KnownColumns>) -> Result<CheckedPlan, PlanError> {
        let columns = columns.into();
        let method = self.method();
        self.options.mechanism().check_options()?;
        check_budget(self.epsilon, self.delta, self.dangerous_epsilon)?;
        if !method.takes_workload() && (self.workload.is_some() || self.target.is_some()) {
            return Err(PlanError::TakesNoWorkload {
                method: method.name(),
                others: Method::names_where(Method::takes_workload),
            });
        }
        if let Some(workload) = &self.workload {
            check_marginals(workload, self.target.as_deref())?;
            let most = self.options.mechanism().most_columns_of_marginal();
            check_most_columns(workload, method.name(), most)?;
        }
        let shares = self.discovery_share.clone();
        let wrong = |share: &f64| !(*share > 0.0 && *share < 1.0);
        if columns.need_discovery()
            && let Some(share) = [*shares.start(), *shares.end()].into_iter().find(wrong)
        {
            return Err(PlanError::DiscoveryShare(share));
        }
        let mut plan = CheckedPlan {
            discovery_share: columns.need_discovery().then_some(shares),
            finds_categories: columns.discovered,
            memory: self.options.mechanism().most_memory(),
            row_test: None,
            plan: self,
        };
        let ledger = plan.try_ledger(plan.finds_categories)?;
        plan.row_test = plan.plan.row_test(&ledger)?;
        let declared = columns.declared.as_ref();
        declared.map(Constraints::check).transpose()?;
        if let Some(schema) = declared {
            let workload = plan.plan.workload.as_deref().unwrap_or_default();
            check_no_identifiers(workload, plan.plan.target.as_deref(), schema)?;
        }
        let mut sizes = declared.map_or(Vec::new(), Schema::sizes);
        // A guess of one value each: what is found out later is checked again before it is fitted.
        sizes.resize(sizes.len() + columns.undeclared, 1);
        if !sizes.is_empty() {
            plan.check_share(
                &sizes,
                &ledger,
                plan.row_tests_cost(),
                plan.discovery_share.as_ref(),
            )?;
        }
        // With columns yet to be found a workload cannot be resolved: it may name one of them.
        if let Some(schema) = declared.filter(|_| !columns.discovered) {
            plan.check_names(schema.columns().iter().map(Column::name))?;
            // Bins that have yet to be found are far fewer than what they are found among.
            if !schema.needs_discovery() {
                plan.memory = plan.prepare(schema)?.memory();
            }
        }
        Ok(plan)
    }

    fn method(&self) -> Method {
        self.options.method()
    }

    fn row_test(&self, ledger: &Ledger) -> Result<Option<CountTest>, PlanError> {
        let Some(rows) = self.minimum_rows else {
            return Ok(None);
        };
        // What all tests together leave must be worth a fit.
        let most = ledger.total().share(1, MOST_FOR_ROW_TESTS * MAX_ROW_TESTS);
        let test = CountTest::taking(ROW_TEST_PARTS, rows, ledger);
        if let Some(test) = test.filter(|test| test.rho() <= most) {
            return Ok(Some(test));
        }
        let whole = f64::from(MOST_FOR_ROW_TESTS * MAX_ROW_TESTS);
        let cost = CountTest::least_cost(rows, self.rows_per_id);
        Err(PlanError::MinimumRows {
            rows,
            epsilon: self.epsilon,
            least: ledger.least_epsilon(whole * cost),
            enough: CountTest::least_number(most, self.rows_per_id),
        })
    }
}

/// A plan that passed every check that needs no rows.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedPlan {
    plan: FitPlan,
    /// If something has to be discovered.
    discovery_share: Option<RangeInclusive<f64>>,
    /// Whether delta has to be shared with the search for categories.
    finds_categories: bool,
    row_test: Option<CountTest>,
    memory: u64,
}

impl CheckedPlan {
    /// How the model will be fitted.
    #[must_use]
    pub fn method(&self) -> Method {
        self.plan.method()
    }

    /// The epsilon of the guarantee.
    #[must_use]
    pub fn epsilon(&self) -> Epsilon {
        self.plan.epsilon
    }

    /// The delta of the guarantee.
    #[must_use]
    pub fn delta(&self) -> Delta {
        self.plan.delta
    }

    /// How many rows one id has at most.
    #[must_use]
    pub fn rows_per_id(&self) -> NonZeroU32 {
        self.plan.rows_per_id
    }

    /// The most of the budget that goes into discovery, if something has to be discovered.
    #[must_use]
    pub fn discovery_share(&self) -> Option<f64> {
        self.discovery_share.as_ref().map(|shares| *shares.end())
    }

    /// How it is tested whether a table has enough rows, where that was asked for.
    #[must_use]
    pub fn row_test(&self) -> Option<&CountTest> {
        self.row_test.as_ref()
    }

    /// How many such tests this ledger has paid for.
    #[must_use]
    pub fn row_tests_made(&self, ledger: &Ledger) -> u32 {
        let is_test = |entry: &&Entry| entry.label().starts_with(ROW_TEST);
        let tests = ledger.entries().iter().filter(is_test).count();
        u32::try_from(tests).expect("each of them was counted before it was made")
    }

    /// What all tests cost together, should all be made.
    fn row_tests_cost(&self) -> Rho {
        let each = self.row_test.iter().map(CountTest::rho);
        let cost = |one: Rho| (1..MAX_ROW_TESTS).try_fold(one, |sum, _| sum.checked_add(one));
        each.map(|one| cost(one).expect("a part of what there can be"))
            .next()
            .unwrap_or(Rho::ZERO)
    }

    /// Bytes that a fit may take at most for what it counts and models, beyond some that are as
    /// good as nothing beside a table: of the very columns where they are known, else of any.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.memory
    }

    /// The ledger that a fit opens: the whole budget, under the method's accounting.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.try_ledger(self.finds_categories)
            .expect("the plan was checked by opening one")
    }

    fn try_ledger(&self, finds_categories: bool) -> Result<Ledger, PlanError> {
        Ok(Ledger::open(LedgerOptions {
            threshold_share: finds_categories.then_some(THRESHOLD_SHARE),
            rows_per_id: self.plan.rows_per_id,
            ..LedgerOptions::new(
                self.plan.epsilon,
                self.plan.delta,
                self.plan.options.mechanism().accounting(),
            )
        })?)
    }

    /// Tests whether the table has enough rows, if the plan asks for that, finds out what is
    /// undeclared of its columns, paying for both, and codes the rows.
    ///
    /// # Errors
    /// If the plan cannot be carried out on these columns, or one id may have more rows in the
    /// table than the plan is for: nothing is spent then. [`FitError::TooFewRows`] after a test.
    pub fn open(&self, joined: Joined, rng: &mut NoiseRng) -> Result<OpenFit<'_>, FitError> {
        // Nothing of delta is kept for finding categories where it turns out that all columns are
        // declared.
        let mut ledger = self.try_ledger(self.finds_categories && joined.has_undeclared())?;
        let table = self.code(joined, &mut ledger, rng)?;
        Ok(OpenFit {
            plan: self,
            ledger,
            table,
            prior: None,
        })
    }

    fn code(
        &self,
        joined: Joined,
        ledger: &mut Ledger,
        rng: &mut NoiseRng,
    ) -> Result<CodedTable, FitError> {
        if joined.rows_per_id() > self.plan.rows_per_id {
            return Err(FitError::RowsPerId {
                table: joined.rows_per_id(),
                plan: self.plan.rows_per_id,
            });
        }
        if joined.needs_discovery() {
            // Names are known from the tables' headers: a misspelt one must not cost the budget of
            // discovery.
            self.check_names(joined.column_names())?;
            let shares = self.discovery_share.as_ref();
            let shares = shares.ok_or(PlanError::Undeclared)?;
            // The worst that discovery can find: should a fit be impossible then, nothing has been
            // spent.
            let next_test = self.row_test.as_ref().map_or(Rho::ZERO, CountTest::rho);
            self.check_share(&largest_sizes(&joined), ledger, next_test, Some(shares))?;
        }
        self.test_rows(&joined, ledger, rng)?;
        let mut discovery = DiscoveryBudget::Fixed(Rho::ZERO);
        if let Some(shares) = self
            .discovery_share
            .as_ref()
            .filter(|_| joined.needs_discovery())
        {
            let part = |share: f64| {
                let parts = ledger.remaining().split(&[share, 1.0 - share]);
                Ok::<Rho, PlanError>(parts?[0])
            };
            let (least, most) = (part(*shares.start())?, part(*shares.end())?);
            discovery = match least == most {
                true => DiscoveryBudget::Fixed(most),
                false => DiscoveryBudget::ByRows { least, most },
            };
        }
        Ok(joined.into_coded(ledger, discovery, rng)?)
    }

    fn test_rows(
        &self,
        joined: &Joined,
        ledger: &mut Ledger,
        rng: &mut NoiseRng,
    ) -> Result<(), FitError> {
        let Some(test) = &self.row_test else {
            return Ok(());
        };
        let number = self.row_tests_made(ledger) + 1;
        if number > MAX_ROW_TESTS {
            return Err(FitError::NoTestLeft);
        }
        let label = format!("{ROW_TEST}{number} of {MAX_ROW_TESTS}");
        match test.passes(&label, &joined.count_rows(), ledger, rng)? {
            true => Ok(()),
            false => Err(FitError::TooFewRows),
        }
    }

    /// Takes a table that is coded already.
    #[must_use]
    pub fn open_coded(&self, table: CodedTable) -> OpenFit<'_> {
        OpenFit {
            plan: self,
            ledger: self.ledger(),
            table,
            prior: None,
        }
    }

    /// Discovers what is undeclared and fits a model, with a ledger of its own.
    ///
    /// # Errors
    /// Those of [`open`](Self::open) and [`OpenFit::fit`].
    pub fn fit(
        &self,
        joined: Joined,
        rng: &mut NoiseRng,
        progress: &mut Watcher<'_>,
    ) -> Result<Model, FitError> {
        self.open(joined, rng)?.fit(rng, progress)
    }

    /// The same, for all that remains of a ledger that [`ledger`](Self::ledger) opened, and that
    /// tests of other tables about the same people may have been paid from. After
    /// [`FitError::TooFewRows`] another table can be tried with it.
    ///
    /// # Errors
    /// As [`fit`](Self::fit); [`FitError::NoTestLeft`].
    pub fn fit_within(
        &self,
        joined: Joined,
        ledger: &mut Ledger,
        rng: &mut NoiseRng,
        progress: &mut Watcher<'_>,
    ) -> Result<Model, FitError> {
        let table = self.code(joined, ledger, rng)?;
        self.fit_with_ledger(&table, None, ledger, rng, progress)
    }

    /// Fits a model to a table, wherever its rows are, spending all that remains of a ledger of the
    /// caller's: one that [`ledger`](Self::ledger) opened, of which part may be spent.
    ///
    /// The model depends on the table only through what the ledger released, so that the guarantee
    /// is the ledger's: (epsilon, delta)-differential privacy when everything of one id is added or
    /// removed. Where the table's domain was taken from the data ([`CountSource::domain`]) nothing
    /// is guaranteed, and the ledger's record says so.
    ///
    /// Starting from a prior takes nothing of the budget: scores against it have the sensitivity of
    /// scores against any model. The ledger's record names the prior, and where it is a model of
    /// perhaps the same people, the guarantee stated is that of both together.
    ///
    /// # Errors
    /// If the plan cannot be carried out on the table's columns, the ledger has too little left to
    /// share out among them, or `progress` breaks. Whatever was spent before stays recorded and
    /// spent.
    pub fn fit_with_ledger(
        &self,
        table: &dyn CountSource,
        prior: Option<&PublicPrior>,
        ledger: &mut Ledger,
        rng: &mut NoiseRng,
        progress: &mut Watcher<'_>,
    ) -> Result<Model, FitError> {
        let schema = table.schema();
        Constraints::check(schema).map_err(PlanError::from)?;
        if let Some(prior) = prior {
            self.check_prior(prior, schema)?;
        }
        let prepared = self.prepare(schema)?;
        // Again, now that the sizes are known, and of what the ledger has left.
        self.check_share(&schema.sizes(), ledger, Rho::ZERO, None)?;
        let mut run = Run::new(table, ledger, rng, progress)?;
        // Before anything is spent, so that the record names the prior whatever becomes of the fit.
        if let Some(prior) = prior {
            run.ledger.note_prior(prior.record.clone());
        }
        let fitted = prepared.fit(&mut run, prior)?;
        Ok(Model::new(
            schema.clone(),
            self.method(),
            fitted,
            run.ledger.record(),
        ))
    }

    fn prepare(&self, schema: &Schema) -> Result<Box<dyn PreparedFit>, PlanError> {
        let workload = match &self.plan.workload {
            Some(named) => Workload::new(named, schema)?,
            None => Workload::pairs(schema),
        };
        let workload = match &self.plan.target {
            Some(target) => workload.with_target(target, schema)?,
            None => workload,
        };
        self.plan.options.mechanism().prepare(schema, &workload)
    }

    fn check_names<'a>(&self, columns: impl Iterator<Item = &'a str>) -> Result<(), PlanError> {
        let columns: Vec<&str> = columns.collect();
        let workload = self.plan.workload.as_deref().unwrap_or_default();
        Ok(check_names(
            workload,
            self.plan.target.as_deref(),
            &columns,
        )?)
    }

    fn check_prior(&self, prior: &PublicPrior, schema: &Schema) -> Result<(), PlanError> {
        let method = self.method();
        if !method.takes_prior() {
            return Err(PlanError::TakesNoPrior {
                method: method.name(),
                others: Method::names_where(Method::takes_prior),
            });
        }
        Ok(prior.check(schema)?)
    }

    fn check_share(
        &self,
        sizes: &[usize],
        ledger: &Ledger,
        aside: Rho,
        discovery: Option<&RangeInclusive<f64>>,
    ) -> Result<(), PlanError> {
        let (mechanism, method) = (self.plan.options.mechanism(), self.method().name());
        mechanism.check_columns(sizes.len())?;
        check_share(method, mechanism, sizes, ledger, aside, discovery)
    }
}

/// The sizes of columns of which the smallest gets the smallest share of all that may be found.
fn largest_sizes(joined: &Joined) -> Vec<usize> {
    let mut found = 1;
    let size_of = |declared: Option<usize>| {
        declared.unwrap_or_else(|| std::mem::replace(&mut found, MAX_FOUND_CATEGORIES))
    };
    joined.declared_sizes().map(size_of).collect()
}

/// A coded table, what was paid for its domain, and what is left to spend on it.
#[derive(Debug)]
pub struct OpenFit<'a> {
    plan: &'a CheckedPlan,
    ledger: Ledger,
    table: CodedTable,
    prior: Option<PublicPrior>,
}

impl OpenFit<'_> {
    /// What was spent until now: on discovery, and on a fit, also on one that failed.
    #[must_use]
    pub fn spent(&self) -> LedgerRecord {
        self.ledger.record()
    }

    /// The table. Its schema is public.
    #[must_use]
    pub fn table(&self) -> &CodedTable {
        &self.table
    }

    /// Starts from what public data says of the columns.
    ///
    /// # Errors
    /// [`PlanError::TakesNoPrior`]; [`PlanError::Prior`] if the prior is of another schema.
    pub fn start_from(&mut self, prior: PublicPrior) -> Result<(), PlanError> {
        self.plan.check_prior(&prior, self.table.schema())?;
        self.prior = Some(prior);
        Ok(())
    }

    /// Fits the model, for all that remains of the ledger.
    ///
    /// # Errors
    /// As [`CheckedPlan::fit_with_ledger`].
    pub fn fit(
        &mut self,
        rng: &mut NoiseRng,
        progress: &mut Watcher<'_>,
    ) -> Result<Model, FitError> {
        let (table, prior) = (&self.table, self.prior.as_ref());
        self.plan
            .fit_with_ledger(table, prior, &mut self.ledger, rng, progress)
    }
}
