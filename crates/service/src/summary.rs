//! An agreement as a person judges it: what was parsed, whatever the files look like.

use std::num::NonZeroU32;

use access::{Endpoint, User};
use privacy::{Delta, DomainSpend, Epsilon, Neighbours, needs_danger, odds};
use protocol::{AgreementHash, DetailsLimits, KeyFingerprint, MinimumRows};
use schema::{Declaration, DeclaredConstraint};
use serde::Serialize;
use serde_json::{Map, Value};
use synthesis::NamedMarginal;
use tabular::IdStep;

use crate::agreement::{CheckedAgreement, Party};

/// Everything in an agreement that a party has to judge before it brings data. Texts of the parties
/// in it (names, categories) are as they were written: whoever shows them escapes them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The agreement's name.
    pub agreement_sha384: AgreementHash,
    /// How the model is fitted.
    pub method: String,
    /// Parameters of the method.
    pub params: Map<String, Value>,
    /// The whole budget.
    pub epsilon: Epsilon,
    /// The whole budget.
    pub delta: Delta,
    /// Whether the agreement had to spell out that its epsilon protects hardly anybody.
    pub dangerous: bool,
    /// What the budget guarantees, in words.
    pub guarantee: Guarantee,
    /// About how many people the tables are of, where the agreement states it.
    pub people: Option<u64>,
    /// The column that says whose a row is.
    pub key: String,
    /// What is done to ids before they are counted and compared, besides taking away the spaces
    /// around them.
    pub id_normalise: Vec<&'static str>,
    /// How it is tested before training whether enough rows meet, if it is.
    pub minimum_rows: Option<MinimumRows>,
    /// Rows that one id may have in the joined table, for which the noise is made.
    pub rows_per_id: u32,
    /// The data providers' tables, in the order of the agreement.
    pub parties: Vec<TableSummary>,
    /// Share of the budget that finding out undeclared columns or bins costs at most, if anything
    /// is to be found out.
    pub discovery_share: Option<f64>,
    /// What no row of the joined table can look like, besides what the parties' columns say of
    /// their own.
    pub constraints: Vec<DeclaredConstraint>,
    /// The marginals that matter; none for all pairs, or where the method takes none.
    pub workload: Option<Vec<NamedMarginal>>,
    /// The column that the synthetic data should suit to predict.
    pub target: Option<String>,
    /// After this many seconds without activity the room overwrites its uploads.
    pub expires_after_seconds: u64,
    /// What requests may ask for.
    pub limits: DetailsLimits,
    /// Everyone who may take part, in the order of the agreement.
    pub users: Vec<UserSummary>,
    /// What leaves the room, and for whom.
    pub releases: Vec<Release>,
    /// What should make the parties think twice.
    pub warnings: Vec<String>,
}

/// The guarantee in words, each a whole sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Guarantee {
    /// For adding or removing everything about one id.
    pub presence: String,
    /// For changing everything about one id, whatever the fit spends within the budget.
    pub changing: String,
    /// What counts as everything about one id.
    pub rows: String,
}

/// What is known of a party's table beforehand.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TableSummary {
    /// Name of the party.
    pub name: String,
    /// Rows of one id that take part, of more a random choice; none where a table that repeats an
    /// id is refused.
    pub max_rows_per_id: Option<u32>,
    /// The columns, besides which no others take part, declared or to be discovered; none where all
    /// there are take part, and are discovered.
    pub columns: Option<Declaration>,
}

/// A user, the key it proves itself by, and what it may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserSummary {
    /// The name that was given.
    pub name: String,
    /// Name of the role.
    pub role: String,
    /// Whether it brings data.
    pub provides_data: bool,
    /// What kind of key it has.
    pub algorithm: String,
    /// The fingerprint of its key, which `synclave keygen` printed to its owner.
    pub fingerprint: KeyFingerprint,
    /// The paths that it may make requests of.
    pub may: Vec<&'static str>,
}

/// Something that leaves the room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Release {
    /// What it is, in words.
    pub what: &'static str,
    /// Where it is served.
    pub path: &'static str,
    /// Names of the users who may have it.
    pub to: Vec<String>,
}

/// What leaves the room, most telling first. The other paths tell how far the room has come, and
/// what was agreed.
const RELEASED: [(Endpoint, &str); 7] = [
    (Endpoint::Samples, "synthetic rows, any number of them"),
    (Endpoint::Model, "the fitted model"),
    (Endpoint::Report, "the model's report of errors"),
    (
        Endpoint::Columns,
        "names and order of all columns, declared values, and values found under the budget",
    ),
    (
        Endpoint::Details,
        "names and order of declared columns, and their values",
    ),
    (
        Endpoint::Receipt,
        "the receipt: the ledger, who took part, commitments to the uploads",
    ),
    (Endpoint::Status, "who has uploaded and confirmed, and when"),
];

impl Summary {
    /// Of an agreement that holds.
    pub fn new(agreement: &CheckedAgreement) -> Self {
        let users = agreement.policy.users().iter();
        Summary {
            agreement_sha384: agreement.sha384(),
            method: agreement.method().to_string(),
            params: agreement.params.clone(),
            epsilon: agreement.epsilon(),
            delta: agreement.delta(),
            dangerous: needs_danger(agreement.epsilon()),
            guarantee: guarantee(agreement),
            people: agreement.people,
            key: agreement.key.clone(),
            id_normalise: agreement
                .id_normalisation
                .steps()
                .map(IdStep::name)
                .collect(),
            minimum_rows: agreement.minimum_rows(),
            rows_per_id: agreement.plan.rows_per_id().get(),
            parties: agreement.parties.iter().map(table).collect(),
            discovery_share: agreement.discovery_share(),
            constraints: agreement.constraints.clone(),
            workload: agreement.workload.clone(),
            target: agreement.target.clone(),
            expires_after_seconds: agreement.expires_after.as_secs(),
            limits: agreement.details_limits(),
            users: users.map(|one| user(agreement, one)).collect(),
            releases: RELEASED
                .iter()
                .map(|(endpoint, what)| release(agreement, *endpoint, what))
                .collect(),
            warnings: agreement.warnings.clone(),
        }
    }
}

fn guarantee(agreement: &CheckedAgreement) -> Guarantee {
    // What finding a party's schema has cost comes on top of all that the room spends.
    let schemas = agreement
        .parties
        .iter()
        .filter_map(|party| party.schema.as_ref());
    let spends: Vec<DomainSpend> = schemas
        .filter_map(|schema| tabular::domain_spend(schema.origin()?))
        .collect();
    let with_schemas = |neighbours, (epsilon, delta): (f64, f64)| {
        let spent = spends.iter().map(|spend| spend.guaranteed(neighbours));
        let (epsilon, delta) = spent.fold((epsilon, delta), |sum, spent| {
            (sum.0 + spent.0, sum.1 + spent.1)
        });
        odds(neighbours, epsilon, delta.min(1.0))
    };
    let presence = (agreement.epsilon().get(), agreement.delta().get());
    let changing = agreement.plan.ledger().changing_at_most();
    let rows = match agreement.plan.rows_per_id().get() {
        1 => "One id has one row in each table.".to_owned(),
        rows => format!(
            "All rows of one id count together: up to {rows} in the joined table, for which the \
             noise is made."
        ),
    };
    Guarantee {
        presence: with_schemas(Neighbours::AddRemove, presence),
        changing: with_schemas(Neighbours::ReplaceOne, changing),
        rows,
    }
}

fn table(party: &Party) -> TableSummary {
    TableSummary {
        name: party.name.clone(),
        max_rows_per_id: party.max_rows_per_id.map(NonZeroU32::get),
        columns: party.schema.as_ref().map(schema::Schema::to_declaration),
    }
}

fn user(agreement: &CheckedAgreement, user: &User) -> UserSummary {
    let may = |endpoint: &Endpoint| agreement.policy.permits(*endpoint, user);
    let endpoints = Endpoint::ALL.into_iter().filter(may);
    UserSummary {
        name: user.name().to_owned(),
        role: user.role().to_owned(),
        provides_data: agreement
            .parties
            .iter()
            .any(|party| party.name == user.name()),
        algorithm: user.key().algorithm().to_string(),
        fingerprint: KeyFingerprint::of_key(user.key().spki()),
        may: endpoints.map(Endpoint::path).collect(),
    }
}

fn release(agreement: &CheckedAgreement, endpoint: Endpoint, what: &'static str) -> Release {
    let users = agreement.policy.users().iter();
    Release {
        what,
        path: endpoint.path(),
        to: users
            .filter(|user| agreement.policy.permits(endpoint, user))
            .map(|user| user.name().to_owned())
            .collect(),
    }
}
