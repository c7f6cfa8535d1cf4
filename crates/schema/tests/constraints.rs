//! Structural zeros and functional dependencies: what is refused, and what they allow.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use expect_test::{Expect, expect};
use proptest::prelude::*;
use schema::{Declaration, Schema, SchemaError};

const PEOPLE: &str = "
sex: {categories: [male, female]}
pregnant: {categories: [yes, no], nullable: true}
age: {integer: {min: 0, max: 119, bins: {cuts: [15, 18, 65]}}}
weight: {number: {min: 0, max: 200, bins: 4}}
born: {date: {min: 2000-01-01, max: 2009-12-31, bins: {cuts: [2005-01-01]}}}
zip: {categories: ['1010', '1020', '4020'], other: true}
city: {categories: [Vienna, Linz]}
income: {number: {min: 0, max: 1, bins: quantile}}
";

fn schema(constraints: &str) -> Result<Schema, SchemaError> {
    Schema::new(Declaration::from_yaml(&format!(
        "{PEOPLE}constraints: {constraints}"
    ))?)
}

fn check(constraints: &str, expected: Expect) {
    expected.assert_eq(&schema(constraints).unwrap_err().to_string());
}

#[test]
fn a_constraint_allows_all_but_what_it_names() {
    let schema = schema(
        "
- impossible: {pregnant: [yes, null], sex: [male]}
- impossible: {age: [..14, 65..], pregnant: [yes]}
- impossible: {weight: [150..], born: [2005-01-01..2009-12-31]}
- determines: {from: zip, to: city, map: {'1010': Vienna, 1020: Vienna, 4020: Linz}}
- determines: {from: city, to: sex, map: {Linz: male, Vienna: female}}
",
    )
    .unwrap();
    let shown: String = schema
        .constraints()
        .iter()
        .map(|constraint| {
            let columns: Vec<_> = constraint
                .columns()
                .iter()
                .map(|&column| &schema.columns()[column])
                .collect();
            let (a, b) = (columns[0], columns[1]);
            let cells = (0..a.size()).flat_map(|i| (0..b.size()).map(move |j| (i, j)));
            let forbidden: Vec<String> = cells
                .filter(|&(i, j)| {
                    !constraint.allows(&[u32::try_from(i).unwrap(), u32::try_from(j).unwrap()])
                })
                .map(|(i, j)| format!("{} and {}", a.label(i), b.label(j)))
                .collect();
            format!("{} {}: {}\n", a.name(), b.name(), forbidden.join("; "))
        })
        .collect();
    expect![[r#"
        sex pregnant: male and yes; male and null
        pregnant age: yes and 0 to 14; yes and 65 to 119
        weight born: 150 to 200 and 2005-01-01 to 2009-12-31
        zip city: 1010 and Linz; 1020 and Linz; 4020 and Vienna
        sex city: male and Vienna; female and Linz
    "#]]
    .assert_eq(&shown);
    let stored = serde_json::to_string(&schema).unwrap();
    assert_eq!(serde_json::from_str::<Schema>(&stored).unwrap(), schema);
    let prefixed = schema.prefixed("Alice");
    let stored = serde_json::to_string(&prefixed).unwrap();
    assert!(
        stored.contains(r#"{"impossible":{"Alice_sex":["male"],"Alice_pregnant":["yes",null]}}"#)
    );
    assert_eq!(serde_json::from_str::<Schema>(&stored).unwrap(), prefixed);
}

#[test]
fn unknown_columns_and_values_are_refused_with_the_nearest() {
    check(
        "[{impossible: {sexx: [male], pregnant: [yes]}}]",
        expect!["a constraint names the column `sexx`, which is not declared; did you mean `sex`?"],
    );
    check(
        "[{impossible: {sex: [Male], pregnant: [yes]}}]",
        expect![[
            r#"a constraint names the value "Male", which the column `sex` does not have; did you mean `male`?"#
        ]],
    );
    check(
        "[{impossible: {sex: [null], pregnant: [yes]}}]",
        expect![[
            r#"a constraint names `null` in the column `sex`, which is not nullable; the text is "null" in quotes"#
        ]],
    );
    check(
        "[{impossible: {age: [0..13], pregnant: [yes]}}]",
        expect![[
            r#"a constraint names the range "0..13" of the column `age`, which cuts through the bin `0 to 14` or leaves the declared range; let bins begin and end where it does (`bins: {cuts: [..]}`)"#
        ]],
    );
    check(
        "[{impossible: {age: [young], pregnant: [yes]}}]",
        expect![[
            r#"a constraint names "young" in the column `age`; give a range such as `0..14`, `..14` or `15..`"#
        ]],
    );
    check(
        "[{impossible: {weight: ['50'], pregnant: [yes]}}]",
        expect![[
            r#"a constraint names "50" in the column `weight`; give a range such as `0..14`, `..14` or `15..`"#
        ]],
    );
    check(
        "[{impossible: {income: [0..1], pregnant: [yes]}}]",
        expect![
            "a constraint names the column `income`, whose bins are only found in the data; \
             declare their number or `cuts`"
        ],
    );
}

#[test]
fn constraints_that_say_too_little_are_refused() {
    check(
        "[{impossible: {sex: [male]}}]",
        expect![
            "a constraint is about two or more different columns, and this one about `sex` alone; \
             a value that is impossible need not be declared"
        ],
    );
    check(
        "[{determines: {from: zip, to: zip, map: {}}}]",
        expect![
            "a constraint is about two or more different columns, and this one about `zip` alone; \
             a value that is impossible need not be declared"
        ],
    );
    check(
        "[{impossible: {sex: [], pregnant: [yes]}}]",
        expect!["a constraint lists no value of the column `sex`"],
    );
    check(
        "[{determines: {from: zip, to: city, map: {'1010': Vienna, '4020': Linz}}}]",
        expect![
            "a constraint does not say what `1020` of the column `zip` determines; its map must \
             have every declared value"
        ],
    );
    check(
        "[{determines: {from: age, to: sex, map: {..17: male, ..14: male, 15..17: male, 18..: \
         female}}}]",
        expect!["a constraint determines two values for `0 to 14` of the column `age`"],
    );
}

#[test]
fn what_is_not_a_constraint_is_refused_with_its_line() {
    check("5", expect!["line 10: expected a list of constraints here"]);
    check(
        "[{imposible: {sex: [male]}}]",
        expect!["line 10: unknown key `imposible`; did you mean `impossible`?"],
    );
    check(
        "[{determines: {from: zip, too: city}}]",
        expect!["line 10: unknown key `too`; did you mean `to`?"],
    );
    check(
        "[{determines: {from: zip, map: {}}}]",
        expect!["line 10: `determines` needs `from`, `to` and `map`; `to` is missing"],
    );
    check(
        "[{impossible: {sex: [male], pregnant: [yes]}, determines: {}}]",
        expect![
            "line 10: an entry of `constraints` is one constraint; begin the next with a dash of \
             its own"
        ],
    );
    check(
        "[{impossible: {sex: [male], sex: [female]}}]",
        expect!["line 10: the key `sex` is given twice"],
    );
}

#[test]
fn contradictions_are_refused_with_those_that_make_them() {
    check(
        "
- impossible: {weight: [150..], born: [2005-01-01..]}
- impossible: {sex: [male], pregnant: [yes]}
- impossible: {sex: [male], pregnant: [no, null]}
",
        expect![
            "no row could have `male` in the column `sex`: constraints 2 and 3 together exclude \
             it; take the value out, or allow it"
        ],
    );
    check(
        "[{determines: {from: sex, to: city, map: {male: Linz, female: Linz}}}]",
        expect![
            "no row could have `Vienna` in the column `city`: constraint 1 excludes it; take the \
             value out, or allow it"
        ],
    );
    // Each pair of them is possible, all three are not.
    check(
        "
- impossible: {sex: [male], city: [Linz]}
- impossible: {sex: [female], city: [Vienna]}
- impossible: {city: [Linz], weight: [0..50]}
- impossible: {city: [Vienna], weight: [50..]}
- impossible: {sex: [male], weight: [0..50]}
",
        expect![
            "no row could have `male` in the column `sex`: constraints 1, 4 and 5 together exclude \
             it; take the value out, or allow it"
        ],
    );
}

#[test]
fn too_many_combinations_are_refused() {
    let yaml = "
a: {integer: {min: 1, max: 3000, bins: 3000}}
b: {integer: {min: 1, max: 3000, bins: 3000}}
constraints: [{impossible: {a: ['1'], b: ['1']}}]
";
    let refused = Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the columns `a` and `b` of a constraint have more than 4194304 combinations of values; \
         declare fewer values or bins"
    );
}

#[test]
fn a_column_may_be_named_constraints() {
    let yaml = "constraints: {categories: [a, b]}\nx: {categories: [c]}\n";
    let schema = Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap();
    assert_eq!(schema.columns()[0].name(), "constraints");
    assert_eq!(schema.constraints(), []);
    let both = format!("{yaml}constraints: [{{impossible: {{constraints: [a], x: [c]}}}}]\n");
    let refused = Declaration::from_yaml(&both).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "line 3: the key `constraints` is given twice"
    );
    let list = "constraints: [{impossible: {constraints: [a], x: [c]}}]\n";
    let both = Declaration {
        constraints: Declaration::from_yaml(list).unwrap().constraints,
        ..schema.to_declaration()
    };
    assert_eq!(
        Schema::new(both).unwrap_err().to_string(),
        "a column is named `constraints` where there are constraints; rename it"
    );
}

/// Columns of three values each, and pairs or triples of values that are impossible.
fn random_constraints() -> impl Strategy<Value = Vec<Vec<(usize, Vec<u32>)>>> {
    let set = prop::sample::subsequence(vec![0_u32, 1, 2], 1..3);
    let columns = prop::sample::subsequence(vec![0_usize, 1, 2, 3], 2..4);
    let constraint = columns.prop_flat_map(move |columns| {
        let sets = vec![set.clone(); columns.len()];
        (Just(columns), sets).prop_map(|(columns, sets)| columns.into_iter().zip(sets).collect())
    });
    prop::collection::vec(constraint, 0..8)
}

proptest! {
    /// Refused exactly if some value is in none of the rows that all constraints allow.
    #[test]
    fn contradictions_are_those_found_by_trying_every_row(constraints in random_constraints()) {
        let yaml: String = constraints.iter().map(|constraint| {
            let parts: Vec<String> = constraint.iter().map(|(column, set)| format!("c{column}: \
                {set:?}")).collect();
            format!("- impossible: {{{}}}\n", parts.join(", "))
        }).collect();
        let columns: String = (0..4)
            .map(|i| format!("c{i}: {{categories: [0, 1, 2]}}\n"))
            .collect();
        let yaml = if yaml.is_empty() { columns } else { format!("{columns}constraints:\n{yaml}") };
        let schema = Schema::new(Declaration::from_yaml(&yaml).unwrap());
        let mut possible = [[false; 3]; 4];
        for row in 0..81_u32 {
            let row = [row / 27, row / 9 % 3, row / 3 % 3, row % 3];
            let forbidden = constraints.iter().any(|constraint| {
                constraint.iter().all(|(column, set)| set.contains(&row[*column]))
            });
            if !forbidden {
                for (column, code) in row.iter().enumerate() {
                    possible[column][*code as usize] = true;
                }
            }
        }
        let all_possible = possible.iter().flatten().all(|possible| *possible);
        prop_assert_eq!(schema.is_ok(), all_possible);
        if let Ok(schema) = schema {
            for (constraint, given) in schema.constraints().iter().zip(&constraints) {
                let given_columns: Vec<usize> = given.iter().map(|(column, _)| *column).collect();
                prop_assert_eq!(constraint.columns(), given_columns);
            }
        }
    }
}

#[test]
fn the_example_in_the_book_is_a_good_schema() {
    let page = include_str!("../../../docs/src/reference/schema.md");
    let example = page
        .split("```yaml\n")
        .find(|part| part.starts_with("sex:"));
    let yaml = example.unwrap().split("```").next().unwrap();
    let schema = Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap();
    assert_eq!((schema.columns().len(), schema.constraints().len()), (9, 3));
}
