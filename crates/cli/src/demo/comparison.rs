//! What joint synthesis keeps, and separate synthesis loses.

use std::fmt;
use std::ops::ControlFlow;

use anyhow::Context;
use privacy::NoiseRng;
use protocol::Agreement;
use schema::Schema;
use serde_json::{Value, json};
use service::CheckedAgreement;
use synthesis::{FitPlan, KnownColumns, MethodOptions, evaluate};
use tabular::{CodedTable, Joined, KeyHasher, ReadLimits, Upload};

use crate::demo::Party;

/// From here on a relation is called clear (Cramer's V in the real rows).
const CLEAR: f64 = 0.1;
/// A relation is kept when at least this part of its strength is.
const KEPT: f64 = 0.5;
/// How many relations are shown.
const SHOWN: usize = 12;

/// Relations between the two parties' columns, the strongest first.
pub(super) struct Comparison {
    relations: Vec<Relation>,
}

struct Relation {
    columns: String,
    real: f64,
    joint: f64,
    separate: f64,
}

/// Associations (Cramer's V) of each column of one party with each of the other: in the real rows,
/// in the joint synthetic rows, and in two tables that the parties made apart, with the same method
/// and budget, laid side by side.
pub(super) fn compare(
    parties: &[Party; 2],
    joint_csv: &[u8],
    agreement: &Agreement,
) -> anyhow::Result<Comparison> {
    let agreement = CheckedAgreement::parse(agreement.clone())?;
    let schemas: Vec<&Schema> = agreement
        .parties()
        .iter()
        .map(|party| party.schema().context("the demo declares all columns"))
        .collect::<anyhow::Result<_>>()?;
    // Read twice, as a join takes its tables.
    let uploads = || -> anyhow::Result<Vec<(String, Upload)>> {
        let read = |(party, schema): (&Party, &&Schema)| {
            Ok((
                party.name.to_owned(),
                read(party.table.as_bytes(), Some("id"), schema)?,
            ))
        };
        parties.iter().zip(&schemas).map(read).collect()
    };
    let real = Joined::join(uploads()?).dangerous_into_coded();
    let joint = Joined::single(read(joint_csv, None, real.schema())?).dangerous_into_coded();
    let mut separate = Vec::new();
    // What each party could do without the other: same method and budget, side by side by position.
    for (_, upload) in uploads()? {
        separate.extend(alone(upload, &agreement)?);
    }
    let separate = CodedTable::from_codes(real.schema().clone(), &separate)?;

    let with_joint = evaluate(&real, &joint)?;
    let with_separate = evaluate(&real, &separate)?;
    let boundary = schemas[0].columns().len();
    let place = |name: &str| real.schema().position(name);
    let mut relations: Vec<Relation> = with_joint
        .pairs
        .iter()
        .zip(&with_separate.pairs)
        .filter(|(pair, _)| {
            let [left, right] = &pair.columns;
            place(left) < Some(boundary) && place(right) >= Some(boundary)
        })
        .map(|(joint, separate)| Relation {
            columns: joint.columns.join(" x "),
            real: joint.real_association,
            joint: joint.synthetic_association,
            separate: separate.synthetic_association,
        })
        .collect();
    relations.sort_by(|a, b| b.real.total_cmp(&a.real));
    Ok(Comparison { relations })
}

fn read(csv: &[u8], key: Option<&str>, schema: &Schema) -> anyhow::Result<Upload> {
    // The tables are public and stay on this machine: the hash of their ids need not be secret.
    let hasher = KeyHasher::new([0; 16]);
    Ok(tabular::read_csv(
        csv,
        key,
        Some(schema),
        &hasher,
        &ReadLimits::default(),
    )?)
}

/// As many synthetic rows as one party makes by itself, as codes.
fn alone(upload: Upload, agreement: &CheckedAgreement) -> anyhow::Result<Vec<Vec<u32>>> {
    // The demo owns the table: in a real fit this number would be noisy.
    let rows = u64::try_from(upload.rows())?;
    let table = Joined::single(upload).dangerous_into_coded();
    let options = MethodOptions::read(agreement.method(), agreement.params())?;
    let plan = FitPlan::new(options, agreement.epsilon(), agreement.delta());
    // Taken from the data: this fit is only compared with, and leaves nothing behind.
    let plan = plan.check(KnownColumns::dangerous_from_data())?;
    let mut go_on = |_| ControlFlow::Continue(());
    let model = plan
        .open_coded(table)
        .fit(&mut NoiseRng::from_os()?, &mut go_on)?;
    let mut columns = vec![Vec::new(); model.schema().columns().len()];
    let mut samples = model.sample(rows, None);
    while let Some(chunk) = samples.next_chunk() {
        for (column, more) in columns.iter_mut().zip(chunk) {
            column.extend(more);
        }
    }
    Ok(columns)
}

impl Comparison {
    pub(super) fn document(&self) -> Value {
        let relation = |relation: &Relation| {
            json!({
                "columns": relation.columns,
                "real": relation.real,
                "joint": relation.joint,
                "separate": relation.separate,
            })
        };
        json!(self.relations.iter().map(relation).collect::<Vec<_>>())
    }

    /// How many relations are clear in the real rows, and of these how many the joint and the
    /// separate rows keep.
    fn kept(&self) -> (usize, usize, usize) {
        let clear: Vec<_> = self
            .relations
            .iter()
            .filter(|relation| relation.real >= CLEAR)
            .collect();
        let count = |of: fn(&Relation) -> f64| {
            clear
                .iter()
                .filter(|relation| of(relation) >= KEPT * relation.real)
                .count()
        };
        (clear.len(), count(|it| it.joint), count(|it| it.separate))
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "   relation between the parties (Cramer's V)              real  joint  separate"
        )?;
        for relation in self.relations.iter().take(SHOWN) {
            let Relation {
                columns,
                real,
                joint,
                separate,
            } = relation;
            writeln!(
                f,
                "   {columns:<52} {real:>8.2} {joint:>6.2} {separate:>9.2}"
            )?;
        }
        let (clear, joint, separate) = self.kept();
        write!(
            f,
            "   Of {clear} clear relations (V of {CLEAR} or more) the joint rows keep {joint} to \
             at least half their strength, the separate ones {separate}."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relation_is_kept_from_half_its_strength_on() {
        let relation = |real, joint, separate| Relation {
            columns: String::new(),
            real,
            joint,
            separate,
        };
        let comparison = Comparison {
            relations: vec![
                relation(0.4, 0.2, 0.0),
                relation(0.1, 0.04, 0.06),
                relation(0.09, 0.09, 0.09),
            ],
        };
        assert_eq!(comparison.kept(), (2, 1, 1));
    }
}
