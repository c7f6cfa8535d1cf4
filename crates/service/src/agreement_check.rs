//! The checks that turn two files into an agreement.

use std::collections::BTreeMap;
use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use access::ServicePolicy;
use printable::first_hidden;
use privacy::{Delta, Epsilon, InvalidParameter, MAX_EPSILON, UnsafeBudget, needs_danger};
use protocol::Agreement;
use schema::{Declaration, Origin, Schema, SchemaError};
use strict_yaml::{Spanned, nearest};
use synthesis::{
    CheckedPlan, DISCOVERY_SHARES, FitPlan, KnownColumns, Method, MethodOptions, PlanError,
};
use tabular::{
    IdNormalisation, MAX_JOINED_ROWS, TableBounds, TooManyRowsPerId, most_joined_rows,
    rows_per_joined_id,
};

use crate::agreement::{AgreementError, AgreementLimits, CheckedAgreement, Party};
use crate::agreement_warnings::warnings;
use crate::memory::LEAST_PARTY_BYTES;
use crate::runtime_file::{LimitsFile, RowsPerId, RuntimeFile};

const DEFAULT_DELTA: f64 = 1e-9;
const DEFAULT_KEY: &str = "id";

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const DEFAULT_EXPIRES_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);
const LONGEST_EXPIRES_AFTER: Duration = Duration::from_secs(90 * 24 * 3600);

const DEFAULT_MAX_UPLOAD_BYTES: u64 = 2 << 30;
const DEFAULT_MAX_ROWS: u32 = 20_000_000;
const DEFAULT_MAX_COLUMNS: u32 = 1_000;
const DEFAULT_MAX_SAMPLES: u64 = 10_000_000;

/// Checks one thing after another, and makes the agreement if all hold.
pub(crate) fn checked(agreement: Agreement) -> Result<CheckedAgreement, AgreementError> {
    let policy = ServicePolicy::from_yaml(agreement.service_yaml().as_bytes())?;
    let file: RuntimeFile = strict_yaml::from_str(agreement.runtime_yaml())?;
    let method = checked_method(&file.method)?;
    let note = method.note(&file.method.value);
    let params = file.params.clone().unwrap_or_default();
    let options = MethodOptions::read(method, &params)
        .map_err(|cause| AgreementError::Params(cause.to_string()))?;
    let epsilon =
        Epsilon::new(file.epsilon.value).map_err(|cause| parameter(&file.epsilon, &cause))?;
    let delta = match &file.delta {
        Some(delta) => Delta::new(delta.value).map_err(|cause| parameter(delta, &cause))?,
        None => Delta::new(DEFAULT_DELTA).expect("the default lies between 0 and 1"),
    };
    check_danger(&file, epsilon)?;
    let key = checked_key(file.key.as_ref())?;
    let id_normalisation = checked_ids(file.id_normalise.as_ref())?;
    let names = checked_names(&file.party_names, &policy)?;
    let mut parties = checked_parties(names, &file.columns, &key)?;
    checked_rows_per_id(file.max_rows_per_id.as_ref(), &mut parties)?;
    check_discovery_share(file.discovery_share.as_ref(), &parties)?;
    if method.takes_workload() {
        check_workload(&file, &parties)?;
    }
    let limits = checked_limits(&file.limits)?;
    let most_rows = check_joined_rows(&file, limits, &parties)?;
    let mut plan = FitPlan::new(options, epsilon, delta);
    if let Some(given) = &file.minimum_rows {
        plan = plan.minimum_rows(checked_minimum_rows(given, most_rows)?);
    }
    let plan = checked_plan(&file, plan, &parties)?;
    let expires_after = checked_expiry(file.expires_after.as_ref())?;
    let mut checked = CheckedAgreement {
        warnings: Vec::new(),
        policy,
        parties,
        params,
        plan,
        people: file.people.map(|people| people.value.get()),
        key,
        id_normalisation,
        constraints: file.constraints,
        workload: file.workload.map(|workload| workload.value),
        target: file.target.map(|target| target.value),
        limits,
        expires_after,
        agreement,
    };
    checked.warnings = warnings(&checked);
    let note = note.map(|note| format!("runtime.yaml: {note}"));
    checked.warnings.extend(note);
    Ok(checked)
}

fn checked_method(method: &Spanned<String>) -> Result<Method, AgreementError> {
    method
        .value
        .parse()
        .map_err(|cause: <Method as std::str::FromStr>::Err| value(method, cause))
}

/// Whether the danger is spelled out only where there is one.
fn check_danger(file: &RuntimeFile, epsilon: Epsilon) -> Result<(), AgreementError> {
    match &file.dangerous {
        // `dangerous: true` that is not needed would stay when somebody later raises epsilon, and
        // allow unseen what it is there to point out.
        Some(dangerous) if dangerous.value && !needs_danger(epsilon) => {
            let message =
                format_args!("`dangerous: true` is for an epsilon above {MAX_EPSILON}; remove it");
            Err(value(dangerous, message))
        }
        _ => Ok(()),
    }
}

/// Everything that is known of the fit beforehand: the columns of parties that declare none are
/// not.
fn checked_plan(
    file: &RuntimeFile,
    plan: FitPlan,
    parties: &[Party],
) -> Result<CheckedPlan, AgreementError> {
    let declared = match (declared(parties)?, file.constraints.as_slice()) {
        (Some(schema), constraints) => Some(schema.constrained(constraints)?),
        (None, []) => None,
        (None, _) => {
            return Err(AgreementError::ConstraintsWithoutColumns);
        }
    };
    // A party that declares none has one column at least.
    let undeclared = parties.iter().map(|party| {
        let discovered = |schema: &Schema| schema.to_discover().len();
        party.schema.as_ref().map_or(1, discovered)
    });
    let columns = match (NonZeroUsize::new(undeclared.sum()), declared) {
        (None, Some(schema)) => KnownColumns::all(schema),
        (Some(undeclared), declared) => KnownColumns::some(declared, undeclared),
        (None, None) => unreachable!("there is a party, and it declares columns or does not"),
    };
    let mut plan = plan
        .rows_per_id(rows_per_id(parties).expect("the bounds were checked before"))
        .dangerous_epsilon(file.dangerous.as_ref().is_some_and(|danger| danger.value));
    if let Some(share) = &file.discovery_share {
        plan = plan.discovery_share(share.value);
    }
    if let Some(workload) = &file.workload {
        plan = plan.workload(workload.value.clone());
    }
    if let Some(target) = &file.target {
        plan = plan.target(target.value.clone());
    }
    plan.check(columns).map_err(|cause| refused(file, cause))
}

/// A refusal of the plan, with the line that it is about.
fn refused(file: &RuntimeFile, cause: PlanError) -> AgreementError {
    match cause {
        PlanError::UnsafeBudget(UnsafeBudget::Delta(_)) => {
            value(file.delta.as_ref().unwrap_or(&file.epsilon), cause)
        }
        PlanError::UnsafeBudget(UnsafeBudget::Epsilon(_)) => value(
            &file.epsilon,
            format_args!("{cause}; if all parties want it all the same, write `dangerous: true`"),
        ),
        PlanError::Budget(_) | PlanError::BudgetTooSmall { .. } => value(&file.epsilon, cause),
        PlanError::MinimumRows { .. } => match &file.minimum_rows {
            Some(rows) => value(rows, cause),
            None => AgreementError::Model(cause),
        },
        PlanError::DiscoveryShare(share) => value(
            file.discovery_share.as_ref().unwrap_or(&file.epsilon),
            format_args!(
                "discovery_share is {share}, but it must lie between 0 and 1, such as \
                 {}",
                DISCOVERY_SHARES.start()
            ),
        ),
        PlanError::TakesNoWorkload { .. } => match (&file.workload, &file.target) {
            (Some(workload), _) => value(workload, cause),
            (None, Some(target)) => value(target, cause),
            (None, None) => AgreementError::Model(cause),
        },
        PlanError::Workload(cause) => AgreementError::Workload(cause),
        other => AgreementError::Model(other),
    }
}

fn checked_key(key: Option<&Spanned<String>>) -> Result<String, AgreementError> {
    let Some(key) = key else {
        return Ok(DEFAULT_KEY.to_owned());
    };
    let name = key.value.as_str();
    if name.is_empty() || name.len() > 256 || first_hidden(name).is_some() || name.trim() != name {
        return Err(value(
            key,
            "the key must be the name of a column: 1 to 256 bytes, no spaces around them, no \
             control or invisible characters",
        ));
    }
    Ok(name.to_owned())
}

fn checked_ids(steps: Option<&Spanned<Vec<String>>>) -> Result<IdNormalisation, AgreementError> {
    let Some(steps) = steps else {
        return Ok(IdNormalisation::default());
    };
    IdNormalisation::parse(steps.value.iter().map(String::as_str))
        .map_err(|cause| value(steps, format_args!("id_normalise: {cause}")))
}

/// A number that the join can have at all.
fn checked_minimum_rows(given: &Spanned<u64>, most: u64) -> Result<NonZeroU32, AgreementError> {
    if given.value > most {
        let message = format_args!(
            "minimum_rows is {}, but with these limits the joined table has at most {most} rows",
            given.value
        );
        return Err(value(given, message));
    }
    let rows = u32::try_from(given.value).ok().and_then(NonZeroU32::new);
    rows.ok_or_else(|| {
        let message = "minimum_rows must be at least 1; leave it out to train on whatever meets";
        value(given, message)
    })
}

/// How many rows of one id each party may bring.
fn checked_rows_per_id(
    rows: Option<&Spanned<RowsPerId>>,
    parties: &mut [Party],
) -> Result<(), AgreementError> {
    let Some(rows) = rows else {
        return Ok(());
    };
    match &rows.value {
        RowsPerId::Everyone(bound) => parties
            .iter_mut()
            .for_each(|party| party.max_rows_per_id = Some(*bound)),
        RowsPerId::Each(bounds) => {
            for (name, bound) in bounds {
                let names = parties.iter().map(|party| party.name.as_str());
                let hint = nearest(name, names)
                    .map(|name| format!("; did you mean `{name}`?"))
                    .unwrap_or_default();
                let party = parties.iter_mut().find(|party| party.name == *name);
                let party = party.ok_or_else(|| {
                    let message =
                        format_args!("max_rows_per_id names `{name}`, who is not a party{hint}");
                    value(rows, message)
                })?;
                party.max_rows_per_id = Some(*bound);
            }
        }
    }
    rows_per_id(parties)
        .map(drop)
        .map_err(|cause| value(rows, cause))
}

/// How many rows one id may have in the joined table.
fn rows_per_id(parties: &[Party]) -> Result<NonZeroU32, TooManyRowsPerId> {
    let bounds = parties.iter().map(|party| party.max_rows_per_id);
    rows_per_joined_id(bounds.map(|bound| bound.unwrap_or(NonZeroU32::MIN)))
}

/// How many rows the join could have, whatever the data.
fn check_joined_rows(
    file: &RuntimeFile,
    limits: AgreementLimits,
    parties: &[Party],
) -> Result<u64, AgreementError> {
    let bounds = parties.iter().map(|party| TableBounds {
        rows: limits.max_rows,
        rows_per_id: party.max_rows_per_id.unwrap_or(NonZeroU32::MIN),
    });
    let cause = match most_joined_rows(bounds) {
        Ok(most) => return Ok(most),
        Err(cause) => cause,
    };
    match (&file.max_rows_per_id, &file.limits.max_rows) {
        (Some(rows), _) => Err(value(rows, cause)),
        (None, Some(rows)) => Err(value(rows, cause)),
        (None, None) => unreachable!("the default of {DEFAULT_MAX_ROWS} rows is allowed"),
    }
}

const _: () = assert!(DEFAULT_MAX_ROWS as u64 <= MAX_JOINED_ROWS);

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
                "`{}` is not a user who provides data in service.yaml{hint}",
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
        return Err(AgreementError::MissingParty((*missing).to_owned()));
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
            return Err(AgreementError::AmbiguousParties {
                party: name.clone(),
                longer: other.clone(),
            });
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
        return Err(AgreementError::ColumnsOfStranger {
            name: stranger.clone(),
            hint,
        });
    }
    let checked = |name: String| {
        let schema = columns
            .get(&name)
            .map(|declaration| checked_schema(&name, declaration, key))
            .transpose()?;
        Ok(Party {
            name,
            schema,
            max_rows_per_id: None,
        })
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
    if !schema.has_values() {
        return Err(AgreementError::Columns {
            party: party.to_owned(),
            cause: SchemaError::NoColumns,
        });
    }
    // A room states a guarantee to everyone, and must not open with none.
    if schema.origin() == Some(Origin::Data) {
        return Err(AgreementError::ColumnsFromData {
            party: party.to_owned(),
        });
    }
    if schema.position(key).is_some() {
        return Err(AgreementError::KeyDeclared {
            party: party.to_owned(),
            key: key.to_owned(),
        });
    }
    Ok(schema)
}

/// All declared columns under the names they have in the joined table.
fn declared(parties: &[Party]) -> Result<Option<Schema>, AgreementError> {
    let declared = parties
        .iter()
        .filter_map(|party| Some(party.schema.as_ref()?.prefixed(&party.name)));
    Ok(declared
        .map(Ok)
        .reduce(|all, one| all?.concat(one?))
        .transpose()?)
}

/// Whether a share for discovery is given only where something has to be discovered.
fn check_discovery_share(
    share: Option<&Spanned<f64>>,
    parties: &[Party],
) -> Result<(), AgreementError> {
    match share {
        Some(share) if !parties.iter().any(Party::needs_discovery) => Err(value(
            share,
            "discovery_share is given, but all columns are declared and none has `bins: quantile`; \
             remove it",
        )),
        _ => Ok(()),
    }
}

/// As far as it goes without the columns of parties that declare none.
fn check_workload(file: &RuntimeFile, parties: &[Party]) -> Result<(), AgreementError> {
    if let Some(workload) = &file.workload {
        for (marginal, position) in workload.value.iter().zip(1..) {
            marginal
                .check(position)
                .map_err(|cause| value(workload, cause))?;
            for name in &marginal.columns {
                let what = format!("marginal {position} of the workload");
                check_column(&what, name, parties).map_err(|cause| value(workload, cause))?;
            }
        }
    }
    if let Some(target) = &file.target {
        check_column("target", &target.value, parties).map_err(|cause| value(target, cause))?;
    }
    Ok(())
}

/// Whether a name may be that of a column of the joined table, `Party_column`.
fn check_column(what: &str, name: &str, parties: &[Party]) -> Result<(), String> {
    let owned = parties.iter().find_map(|party| {
        let column = name.strip_prefix(party.name())?.strip_prefix('_')?;
        Some((party, column))
    });
    let Some((party, column)) = owned else {
        let party = parties.first().map_or("Alice", Party::name);
        return Err(format!(
            "{what}: `{name}` is not a column of the joined table, whose names begin with their \
             party's, as in `{party}_age`"
        ));
    };
    // Nothing is known of the columns of a party that declares none before it uploads.
    let Some(schema) = &party.schema else {
        return Ok(());
    };
    if schema.position(column).is_some() || schema.discovers(column) {
        return Ok(());
    }
    let hint = schema
        .nearest(column)
        .map(|nearest| format!("; did you mean `{}_{nearest}`?", party.name))
        .unwrap_or_default();
    let party = party.name();
    Err(format!(
        "{what}: {party} declares no column `{column}`{hint}"
    ))
}

fn checked_limits(file: &LimitsFile) -> Result<AgreementLimits, AgreementError> {
    Ok(AgreementLimits {
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
        max_party_memory_bytes: file
            .max_party_memory_bytes
            .as_ref()
            .map(checked_party_memory)
            .transpose()?,
    })
}

/// Below the least share hardly any table would be accepted, and by then the room is open.
fn checked_party_memory(given: &Spanned<u64>) -> Result<u64, AgreementError> {
    if given.value < LEAST_PARTY_BYTES {
        let message = format_args!(
            "max_party_memory_bytes is {}, which holds no table of use: give {LEAST_PARTY_BYTES} \
             (32 MiB) at least, or leave it out for an even share",
            given.value
        );
        return Err(value(given, message));
    }
    Ok(given.value)
}

/// A whole number of hours or days, from one hour to 90 days.
fn checked_expiry(given: Option<&Spanned<String>>) -> Result<Duration, AgreementError> {
    let Some(given) = given else {
        return Ok(DEFAULT_EXPIRES_AFTER);
    };
    let parsed = given.value.split_once(' ').and_then(|(number, unit)| {
        // `parse` takes a sign as well.
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let unit = match unit {
            "hour" | "hours" => HOUR,
            "day" | "days" => DAY,
            _ => return None,
        };
        unit.checked_mul(number.parse().ok().filter(|_| digits)?)
    });
    parsed
        .filter(|time| (HOUR..=LONGEST_EXPIRES_AFTER).contains(time))
        .ok_or_else(|| {
            let message = format_args!(
                "expires_after is `{}`, but it must be from `1 hour` to `90 days`, such as `12 \
                 hours` or `7 days`",
                given.value
            );
            value(given, message)
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
