//! Constraints of joined tables.

use schema::{Declaration, Schema};
use tabular::{Joined, KeyHasher, ReadLimits, Upload, read_csv};

#[test]
fn the_join_keeps_each_tables_constraints_and_takes_more_across_them() {
    let upload = |csv: &str, declared: Option<&str>| -> Upload {
        let schema =
            declared.map(|yaml| Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap());
        read_csv(
            csv.as_bytes(),
            Some("id"),
            schema.as_ref(),
            &KeyHasher::new([5; 16]),
            &ReadLimits::default(),
        )
        .unwrap()
    };
    let joined = || {
        Joined::join(vec![
            ("A".into(), upload("id,u\n1,x\n2,y\n", None)),
            (
                "B".into(),
                upload(
                    "id,sex,pregnant\n1,m,yes\n2,f,no\n",
                    Some(
                        "{sex: {categories: [m, f]}, pregnant: {categories: [yes, no]}, \
                         constraints: [{impossible: {sex: [m], pregnant: [yes]}}]}",
                    ),
                ),
            ),
            (
                "C".into(),
                upload(
                    "id,old\n1,no\n2,yes\n",
                    Some("old: {categories: [yes, no]}"),
                ),
            ),
        ])
    };
    let more = |yaml: &str| {
        Declaration::from_yaml(&format!("constraints: {yaml}"))
            .unwrap()
            .constraints
    };
    let across = more("[{impossible: {C_old: [yes], B_pregnant: [yes]}}]");
    let table = joined()
        .constrained(&across)
        .unwrap()
        .dangerous_into_coded();
    let constraints = table.schema().constraints();
    assert_eq!(constraints[0].columns(), [1, 2]);
    assert_eq!(constraints[1].columns(), [2, 3]);
    assert!(!constraints[1].allows(&[0, 0]) && constraints[1].allows(&[1, 0]));
    // Rows that no model will make count as they are.
    assert_eq!(table.counts(&[1, 2]).dangerous_reveal(), [1, 0, 0, 1]);
    let undeclared = more("[{impossible: {A_u: [x], B_pregnant: [yes]}}]");
    assert_eq!(
        joined().constrained(&undeclared).unwrap_err().to_string(),
        "a constraint names the column `A_u`, which is not declared"
    );
}
