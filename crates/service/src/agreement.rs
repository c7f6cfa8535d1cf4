//! The agreement, checked: everything that can be wrong with it is found before the room opens.

use std::collections::BTreeMap;
use std::fmt;

use access::{PolicyError, ServicePolicy, YamlError, from_yaml, nearest};
use privacy::{Delta, Epsilon, InvalidParameter, Ledger, Rho};
use protocol::{Agreement, AgreementHash, Details, DetailsLimits, RoomId};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;
use synthesis::Method;
use tabular::{Bins, Declaration, DeclaredKind, Schema, SchemaError};

use crate::runtime_file::{LimitsFile, RuntimeFile};

const DEFAULT_DELTA: f64 = 1e-9;
const DEFAULT_KEY: &str = "id";
const DEFAULT_DISCOVERY_SHARE: f64 = 0.1;
/// Of delta, when categories have to be found: the rest is for the conversion from zCDP.
const THRESHOLD_SHARE: f64 = 0.5;

const DEFAULT_MAX_UPLOAD_BYTES: u64 = 2 << 30;
const DEFAULT_MAX_ROWS: u32 = 20_000_000;
const DEFAULT_MAX_COLUMNS: u32 = 1_000;
const DEFAULT_MAX_SAMPLES: u64 = 10_000_000;

/// An agreement in which both files make sense, and together.
#[derive(Clone, Debug)]
pub struct CheckedAgreement {
    agreement: Agreement,
    policy: ServicePolicy,
    parties: Vec<Party>,
    method: Method,
    params: Map<String, Value>,
    epsilon: Epsilon,
    delta: Delta,
    key: String,
    discovery_share: Option<f64>,
    limits: Limits,
    warnings: Vec<String>,
}

/// A data provider and what is known of its table beforehand.
#[derive(Clone, Debug)]
pub struct Party {
    name: String,
    schema: Option<Schema>,
}

/// How much a user may ask of the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one uploaded file.
    pub max_upload_bytes: u64,
    /// Rows of one uploaded file.
    pub max_rows: u32,
    /// Columns of one uploaded file.
    pub max_columns: u32,
    /// Rows of one request for samples.
    pub max_samples: u64,
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
        /// Where.
        line: u64,
        /// What is wrong, and what to do.
        message: String,
    },
    /// Declared columns that do not make sense.
    #[error("runtime.yaml: columns of {party}: {cause}")]
    Columns {
        /// Whose.
        party: String,
        /// What is wrong.
        #[source]
        cause: SchemaError,
    },
    /// The two files name different parties, or a declaration names none.
    #[error("runtime.yaml: {0}")]
    Parties(String),
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
        let policy = ServicePolicy::from_yaml(agreement.service_yaml().as_bytes())?;
        let file: RuntimeFile = from_yaml(agreement.runtime_yaml().as_bytes())?;
        let method = checked_method(&file.method)?;
        let params = file.params.clone().unwrap_or_default();
        method
            .check_params(&params)
            .map_err(|cause| AgreementError::Params(cause.to_string()))?;
        let epsilon =
            Epsilon::new(file.epsilon.value).map_err(|cause| parameter(&file.epsilon, &cause))?;
        let delta = match &file.delta {
            Some(delta) => Delta::new(delta.value).map_err(|cause| parameter(delta, &cause))?,
            None => Delta::new(DEFAULT_DELTA).expect("the default lies between 0 and 1"),
        };
        let key = checked_key(file.key.as_ref())?;
        check_rows_per_id(file.max_rows_per_id.as_ref())?;
        let names = checked_names(&file.party_names, &policy)?;
        let parties = checked_parties(names, &file.columns, &key)?;
        let needed = parties.iter().any(Party::needs_discovery);
        check_budget(&file, epsilon, delta, &parties)?;
        let discovery_share = checked_share(file.discovery_share.as_ref(), needed)?;
        Ok(CheckedAgreement {
            warnings: policy
                .warnings()
                .iter()
                .map(|warning| format!("service.yaml: {warning}"))
                .collect(),
            policy,
            parties,
            method,
            params,
            epsilon,
            delta,
            key,
            discovery_share,
            limits: checked_limits(&file.limits)?,
            agreement,
        })
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
        self.method
    }

    /// Parameters of the method.
    pub fn params(&self) -> &Map<String, Value> {
        &self.params
    }

    /// The whole budget.
    pub fn epsilon(&self) -> Epsilon {
        self.epsilon
    }

    /// The whole budget.
    pub fn delta(&self) -> Delta {
        self.delta
    }

    /// The column that says whose a row is.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How much a user may ask of the room.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Share of the budget for finding out undeclared columns and bins, if there are any.
    pub fn discovery_share(&self) -> Option<f64> {
        self.discovery_share
    }

    /// What the files say that has no effect.
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
        Details {
            method: self.method.to_string(),
            epsilon: self.epsilon.get(),
            params: self.params.clone(),
            party_names: self
                .parties
                .iter()
                .map(|party| party.name.clone())
                .collect(),
            delta: self.delta.get(),
            key: self.key.clone(),
            max_rows_per_id: 1,
            columns: self.parties.iter().filter_map(declared).collect(),
            discovery_share: self.discovery_share,
            neighbouring_relation: NEIGHBOURS.to_owned(),
            limits: DetailsLimits {
                max_upload_bytes: self.limits.max_upload_bytes,
                max_rows: self.limits.max_rows.into(),
                max_columns: self.limits.max_columns.into(),
                max_samples: self.limits.max_samples,
            },
            room,
            agreement_sha384: self.sha384(),
        }
    }

    /// A fresh ledger over the whole budget, and what of it is for discovery.
    pub(crate) fn open_ledger(&self) -> (Ledger, Rho) {
        let ledger = open_ledger(self.epsilon, self.delta, &self.parties)
            .expect("it opened when it was checked");
        let share = self.discovery_share.unwrap_or(0.0);
        let parts = ledger
            .total()
            .split(&[share, 1.0 - share])
            .expect("the share lies between 0 and 1");
        (ledger, parts[0])
    }
}

const NEIGHBOURS: &str = "Adding or removing everything about one id, in all parties' tables together. \
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

    /// Whether part of its columns can only be known once a private look at the tables was paid for.
    pub fn needs_discovery(&self) -> bool {
        let Some(schema) = &self.schema else {
            return true;
        };
        let declaration = schema.to_declaration();
        declaration
            .columns
            .iter()
            .any(|(_, declared)| match &declared.kind {
                DeclaredKind::Categories(_) => false,
                DeclaredKind::Integer(range) => matches!(range.bins, Bins::Quantile(_)),
                DeclaredKind::Number(range) => matches!(range.bins, Bins::Quantile(_)),
                DeclaredKind::Date(range) => matches!(range.bins, Bins::Quantile(_)),
            })
    }
}

fn checked_method(method: &Spanned<String>) -> Result<Method, AgreementError> {
    method
        .value
        .parse()
        .map_err(|cause: <Method as std::str::FromStr>::Err| value(method, cause))
}

fn checked_key(key: Option<&Spanned<String>>) -> Result<String, AgreementError> {
    let Some(key) = key else {
        return Ok(DEFAULT_KEY.to_owned());
    };
    let name = key.value.as_str();
    if name.is_empty()
        || name.len() > 256
        || name.chars().any(char::is_control)
        || name.trim() != name
    {
        return Err(value(
            key,
            "the key must be the name of a column: 1 to 256 characters, no spaces around them",
        ));
    }
    Ok(name.to_owned())
}

fn check_rows_per_id(rows: Option<&Spanned<u32>>) -> Result<(), AgreementError> {
    match rows {
        Some(rows) if rows.value != 1 => Err(value(
            rows,
            format_args!(
                "max_rows_per_id is {}, but only 1 is supported: each id may have one row in each table",
                rows.value
            ),
        )),
        _ => Ok(()),
    }
}

/// The parties' names, which must be those of the users who provide data.
fn checked_names(
    names: &[Spanned<String>],
    policy: &ServicePolicy,
) -> Result<Vec<String>, AgreementError> {
    let users: Vec<&str> = policy.data_providers().map(access::User::name).collect();
    let mut checked: Vec<String> = Vec::new();
    for name in names {
        if checked.contains(&name.value) {
            return Err(value(
                name,
                format_args!("party_names lists `{}` twice", name.value),
            ));
        }
        if !users.contains(&name.value.as_str()) {
            let hint = nearest(&name.value, users.iter().copied())
                .map(|user| format!("; did you mean `{user}`?"))
                .unwrap_or_default();
            let message = format_args!(
                "`{}` is no user who provides data in service.yaml{hint}",
                name.value
            );
            return Err(value(name, message));
        }
        checked.push(name.value.clone());
    }
    if let Some(missing) = users
        .iter()
        .find(|user| !checked.iter().any(|name| name == *user))
    {
        let message =
            format!("party_names lacks `{missing}`, who provides data according to service.yaml");
        return Err(AgreementError::Parties(message));
    }
    check_prefixes(&checked)?;
    Ok(checked)
}

/// Columns of the joined table begin with `NAME_`, which has to tell whose they are.
fn check_prefixes(names: &[String]) -> Result<(), AgreementError> {
    for name in names {
        if let Some(other) = names
            .iter()
            .find(|other| other.starts_with(&format!("{name}_")))
        {
            let message = format!(
                "the parties `{name}` and `{other}` cannot be told apart in names of columns such as `{other}_age`; rename one"
            );
            return Err(AgreementError::Parties(message));
        }
    }
    Ok(())
}

fn checked_parties(
    names: Vec<String>,
    columns: &BTreeMap<String, Declaration>,
    key: &str,
) -> Result<Vec<Party>, AgreementError> {
    if let Some(stranger) = columns.keys().find(|name| !names.contains(name)) {
        let hint = nearest(stranger, names.iter().map(String::as_str))
            .map(|name| format!("; did you mean `{name}`?"))
            .unwrap_or_default();
        let message = format!("columns are declared for `{stranger}`, who is no party{hint}");
        return Err(AgreementError::Parties(message));
    }
    let checked = |name: String| {
        let schema = columns
            .get(&name)
            .map(|declaration| checked_schema(&name, declaration, key))
            .transpose()?;
        Ok(Party { name, schema })
    };
    names.into_iter().map(checked).collect()
}

fn checked_schema(
    party: &str,
    declaration: &Declaration,
    key: &str,
) -> Result<Schema, AgreementError> {
    let schema = Schema::new(declaration.clone()).map_err(|cause| AgreementError::Columns {
        party: party.to_owned(),
        cause,
    })?;
    if schema.position(key).is_some() {
        let message = format!(
            "columns of {party}: `{key}` is the key by which tables are joined; do not declare it"
        );
        return Err(AgreementError::Parties(message));
    }
    Ok(schema)
}

fn checked_share(
    share: Option<&Spanned<f64>>,
    needed: bool,
) -> Result<Option<f64>, AgreementError> {
    match (share, needed) {
        (None, false) => Ok(None),
        (None, true) => Ok(Some(DEFAULT_DISCOVERY_SHARE)),
        (Some(share), false) => Err(value(
            share,
            "discovery_share is given, but all columns are declared and none has `bins: quantile`; remove it",
        )),
        (Some(share), true) if share.value > 0.0 && share.value < 1.0 => Ok(Some(share.value)),
        (Some(share), true) => Err(value(
            share,
            format_args!(
                "discovery_share is {}, but it must lie between 0 and 1, such as {DEFAULT_DISCOVERY_SHARE}",
                share.value
            ),
        )),
    }
}

/// Part of delta is for thresholding where categories have to be found.
fn open_ledger(
    epsilon: Epsilon,
    delta: Delta,
    parties: &[Party],
) -> Result<Ledger, InvalidParameter> {
    if parties.iter().any(|party| party.schema.is_none()) {
        Ledger::open_with_threshold_delta(epsilon, delta, THRESHOLD_SHARE)
    } else {
        Ok(Ledger::open(epsilon, delta))
    }
}

fn check_budget(
    file: &RuntimeFile,
    epsilon: Epsilon,
    delta: Delta,
    parties: &[Party],
) -> Result<(), AgreementError> {
    let ledger =
        open_ledger(epsilon, delta, parties).map_err(|cause| value(&file.epsilon, cause))?;
    if ledger.total() == Rho::ZERO {
        let message = format_args!(
            "an epsilon of {:e} with a delta of {delta} allows nothing to be measured",
            epsilon.get()
        );
        return Err(value(&file.epsilon, message));
    }
    Ok(())
}

fn checked_limits(file: &LimitsFile) -> Result<Limits, AgreementError> {
    Ok(Limits {
        max_upload_bytes: at_least_one(
            "max_upload_bytes",
            file.max_upload_bytes.as_ref(),
            DEFAULT_MAX_UPLOAD_BYTES,
        )?,
        max_rows: at_least_one("max_rows", file.max_rows.as_ref(), DEFAULT_MAX_ROWS)?,
        max_columns: at_least_one(
            "max_columns",
            file.max_columns.as_ref(),
            DEFAULT_MAX_COLUMNS,
        )?,
        max_samples: at_least_one(
            "max_samples",
            file.max_samples.as_ref(),
            DEFAULT_MAX_SAMPLES,
        )?,
    })
}

fn at_least_one<T: Copy + PartialEq + Default>(
    name: &str,
    given: Option<&Spanned<T>>,
    default: T,
) -> Result<T, AgreementError> {
    match given {
        None => Ok(default),
        Some(given) if given.value == T::default() => {
            Err(value(given, format_args!("{name} must be at least 1")))
        }
        Some(given) => Ok(given.value),
    }
}

fn parameter(at: &Spanned<f64>, cause: &InvalidParameter) -> AgreementError {
    value(at, cause)
}

fn value<T>(at: &Spanned<T>, message: impl fmt::Display) -> AgreementError {
    AgreementError::Value {
        line: at.referenced.line(),
        message: message.to_string(),
    }
}
