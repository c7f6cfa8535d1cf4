//! The agreement, checked: everything that can be wrong with it is found before the room opens.

use std::num::NonZeroU32;
use std::time::Duration;

use access::{PolicyError, ServicePolicy};
use privacy::{CountTest, Delta, Epsilon};
use protocol::{Agreement, AgreementHash, Details, DetailsLimits, MinimumRows, RoomId};
use schema::{DeclaredConstraint, Schema, SchemaError};
use serde_json::{Map, Value};
use strict_yaml::YamlError;
use synthesis::{CheckedPlan, MAX_ROW_TESTS, Method, NamedMarginal, PlanError, WorkloadError};
use tabular::{IdNormalisation, IdStep};

use crate::agreement_check::checked;

/// An agreement in which both files make sense, and together.
#[derive(Clone, Debug)]
pub struct CheckedAgreement {
    pub(crate) agreement: Agreement,
    pub(crate) policy: ServicePolicy,
    pub(crate) parties: Vec<Party>,
    pub(crate) params: Map<String, Value>,
    pub(crate) plan: CheckedPlan,
    pub(crate) people: Option<u64>,
    pub(crate) key: String,
    pub(crate) id_normalisation: IdNormalisation,
    pub(crate) constraints: Vec<DeclaredConstraint>,
    pub(crate) workload: Option<Vec<NamedMarginal>>,
    pub(crate) target: Option<String>,
    pub(crate) limits: AgreementLimits,
    pub(crate) expires_after: Duration,
    pub(crate) warnings: Vec<String>,
}

/// A data provider and what is known of its table beforehand.
#[derive(Clone, Debug)]
pub struct Party {
    pub(crate) name: String,
    pub(crate) schema: Option<Schema>,
    pub(crate) max_rows_per_id: Option<NonZeroU32>,
}

/// How much a user may ask of the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgreementLimits {
    /// Bytes of one uploaded file.
    pub max_upload_bytes: u64,
    /// Rows of one uploaded file.
    pub max_rows: u32,
    /// Columns of one uploaded file.
    pub max_columns: u32,
    /// Rows of one request for samples.
    pub max_samples: u64,
    /// Bytes of the enclave's memory for everything of one party, if the agreement names them.
    pub max_party_memory_bytes: Option<u64>,
}

/// Why an agreement is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AgreementError {
    /// In `service.yaml`.
    #[error("service.yaml: {0}")]
    Service(#[from] PolicyError),
    /// `runtime.yaml` is not of the right form.
    #[error("runtime.yaml: {0}")]
    Yaml(#[from] YamlError),
    /// A value that cannot be.
    #[error("runtime.yaml: line {line}: {message}")]
    Value {
        /// Line of the file, from 1.
        line: u64,
        /// What is wrong, and what to do.
        message: String,
    },
    /// Declared columns that do not make sense.
    #[error("runtime.yaml: columns of {party}: {cause}")]
    Columns {
        /// Name of the party whose columns they are.
        party: String,
        /// What is wrong with it.
        #[source]
        cause: SchemaError,
    },
    /// Constraints on the joined table that do not make sense, or together with those of the
    /// parties' columns.
    #[error("runtime.yaml: constraints: {0}")]
    Constraints(#[from] SchemaError),
    /// Constraints that no model could hold, or something that the method cannot do with the
    /// declared columns.
    #[error("runtime.yaml: {0}")]
    Model(PlanError),
    /// A user provides data, and is not among the parties.
    #[error("runtime.yaml: party_names lacks `{0}`, who provides data according to service.yaml")]
    MissingParty(String),
    /// Names of columns of the joined table begin with the party's name, and could not tell these
    /// two apart.
    #[error(
        "runtime.yaml: the parties `{party}` and `{longer}` cannot be told apart in names of \
         columns such as `{longer}_age`; rename one"
    )]
    AmbiguousParties {
        /// Name of one party.
        party: String,
        /// Name of the other, which begins with that of the first.
        longer: String,
    },
    /// Columns are declared for somebody who is not a party.
    #[error("runtime.yaml: columns are declared for `{name}`, who is not a party{hint}")]
    ColumnsOfStranger {
        /// The name in the declaration.
        name: String,
        /// Which party may be meant, as the end of the sentence, or nothing.
        hint: String,
    },
    /// The declared values and ranges of a party were taken from its table, and nobody has read
    /// them.
    #[error(
        "runtime.yaml: columns of {party}: `origin: data` says that values and ranges were taken \
         from the table itself, so that no guarantee would hold; let its owner read them, take out \
         what could not have been known beforehand, and write `origin: reviewed`"
    )]
    ColumnsFromData {
        /// Name of the party.
        party: String,
    },
    /// A party declares the column by which the tables are joined.
    #[error(
        "runtime.yaml: columns of {party}: `{key}` is the key by which tables are joined; do not \
         declare it"
    )]
    KeyDeclared {
        /// Name of the party.
        party: String,
        /// Name of the key.
        key: String,
    },
    /// Constraints without any declared column.
    #[error(
        "runtime.yaml: constraints are given, but no columns are declared for them to be about"
    )]
    ConstraintsWithoutColumns,
    /// A workload or target that the declared columns do not allow.
    #[error("runtime.yaml: {0}")]
    Workload(#[from] WorkloadError),
    /// Parameters that the method does not have or take.
    #[error("runtime.yaml: params: {0}")]
    Params(String),
}

impl CheckedAgreement {
    /// Reads and checks both files, each for itself and against the other.
    ///
    /// # Errors
    /// The first thing that is wrong, as a sentence that names the file and, where known, the line.
    pub fn parse(agreement: Agreement) -> Result<Self, AgreementError> {
        checked(agreement)
    }

    /// The two files.
    pub fn agreement(&self) -> &Agreement {
        &self.agreement
    }

    /// The agreement's name.
    pub fn sha384(&self) -> AgreementHash {
        self.agreement.sha384()
    }

    /// Who may do what.
    pub fn policy(&self) -> &ServicePolicy {
        &self.policy
    }

    /// The data providers, in the order of `party_names`.
    pub fn parties(&self) -> &[Party] {
        &self.parties
    }

    /// How the model is fitted.
    pub fn method(&self) -> Method {
        self.plan.method()
    }

    /// What is fitted to the joined table, and under which guarantee.
    pub fn plan(&self) -> &CheckedPlan {
        &self.plan
    }

    /// Parameters of the method.
    pub fn params(&self) -> &Map<String, Value> {
        &self.params
    }

    /// The whole budget.
    pub fn epsilon(&self) -> Epsilon {
        self.plan.epsilon()
    }

    /// The whole budget.
    pub fn delta(&self) -> Delta {
        self.plan.delta()
    }

    /// The column that says whose a row is.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What is done to all parties' ids before they are counted and compared.
    pub fn id_normalisation(&self) -> IdNormalisation {
        self.id_normalisation
    }

    /// How it is tested whether enough rows meet, if it is.
    pub(crate) fn minimum_rows(&self) -> Option<MinimumRows> {
        let test = self.plan.row_test()?;
        let total = self.plan.ledger().total();
        Some(MinimumRows {
            rows: test.least().get(),
            tests: MAX_ROW_TESTS,
            share: test.rho().get() / total.get(),
            threshold: test.threshold(),
            sigma: test.sigma(),
            error: CountTest::ERROR,
        })
    }

    /// How much a user may ask of the room.
    pub fn limits(&self) -> AgreementLimits {
        self.limits
    }

    /// How long the parties may do nothing before the room overwrites what they have uploaded.
    pub fn expires_after(&self) -> Duration {
        self.expires_after
    }

    /// Share of the budget for finding out undeclared columns and bins, if there are any.
    pub fn discovery_share(&self) -> Option<f64> {
        self.plan.discovery_share()
    }

    /// What no row of the joined table can look like, besides what the parties' columns say of
    /// their own.
    pub fn constraints(&self) -> &[DeclaredConstraint] {
        &self.constraints
    }

    /// The marginals that matter, by the names of the joined table's columns; none for all pairs.
    pub fn workload(&self) -> Option<&[NamedMarginal]> {
        self.workload.as_deref()
    }

    /// The column of the joined table that the synthetic data should suit to predict.
    pub fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// The first column of this party that workload or target name and that is not among these.
    pub(crate) fn lacks<'a>(&'a self, party: &str, has: impl Fn(&str) -> bool) -> Option<&'a str> {
        let prefix = format!("{party}_");
        let marginals = self.workload.iter().flatten();
        let named = marginals
            .flat_map(|marginal| &marginal.columns)
            .chain(&self.target);
        named
            .filter_map(|name| name.strip_prefix(&prefix))
            .find(|name| !has(name))
    }

    /// About how many people the tables are of, as the agreement states in public.
    pub fn people(&self) -> Option<u64> {
        self.people
    }

    /// What the files say that has no effect, or that should make the parties think twice: a
    /// sentence for each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What `/details` says of a room with this agreement.
    pub fn details(&self, room: RoomId) -> Details {
        let declared = |party: &Party| {
            let schema = party.schema.as_ref()?;
            let columns =
                serde_json::to_value(schema).expect("a schema is made of texts and finite numbers");
            Some((party.name.clone(), columns))
        };
        let rows = |party: &Party| {
            let rows = party.max_rows_per_id.unwrap_or(NonZeroU32::MIN);
            (party.name.clone(), rows.get())
        };
        Details {
            method: self.method().to_string(),
            epsilon: self.epsilon().get(),
            params: self.params.clone(),
            party_names: self
                .parties
                .iter()
                .map(|party| party.name.clone())
                .collect(),
            delta: self.delta().get(),
            key: self.key.clone(),
            max_rows_per_id: self.parties.iter().map(rows).collect(),
            rows_per_id: self.plan.rows_per_id().get(),
            id_normalise: self
                .id_normalisation
                .steps()
                .map(|step| IdStep::name(step).to_owned())
                .collect(),
            minimum_rows: self.minimum_rows(),
            columns: self.parties.iter().filter_map(declared).collect(),
            constraints: serde_json::to_value(&self.constraints)
                .expect("constraints are made of texts"),
            discovery_share: self.discovery_share(),
            workload: self.workload.as_ref().map(|workload| {
                serde_json::to_value(workload).expect("made of texts and finite numbers")
            }),
            target: self.target.clone(),
            neighbouring_relation: NEIGHBOURS.to_owned(),
            expires_after_seconds: self.expires_after.as_secs(),
            limits: self.details_limits(),
            room,
            agreement_sha384: self.sha384(),
        }
    }

    /// The limits as the room states them.
    pub(crate) fn details_limits(&self) -> DetailsLimits {
        DetailsLimits {
            max_upload_bytes: self.limits.max_upload_bytes,
            max_rows: self.limits.max_rows.into(),
            max_columns: self.limits.max_columns.into(),
            max_samples: self.limits.max_samples,
            max_party_memory_bytes: self.limits.max_party_memory_bytes,
        }
    }
}

const NEIGHBOURS: &str = "Adding or removing everything about one id, in all parties' tables \
                          together. \
    The receipt also states the weaker guarantee for changing one id's values.";

impl Party {
    /// The name, which is also the prefix of its columns.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The declared columns; none if they are to be discovered.
    pub fn schema(&self) -> Option<&Schema> {
        self.schema.as_ref()
    }

    /// How many rows of one id take part, of more a random choice; `None` refuses a table that
    /// repeats an id.
    pub fn max_rows_per_id(&self) -> Option<NonZeroU32> {
        self.max_rows_per_id
    }

    /// Whether part of its columns can only be known once a private look at the tables was paid
    /// for.
    pub fn needs_discovery(&self) -> bool {
        let discovers =
            |schema: &Schema| schema.needs_discovery() || !schema.to_discover().is_empty();
        self.schema.as_ref().is_none_or(discovers)
    }
}
