//! Domains found under differential privacy, and taken from the data as they are.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write;
use std::num::NonZeroU32;

use expect_test::{Expect, expect};
use privacy::{Accounting, Delta, Epsilon, Ledger, LedgerOptions, NoiseRng, Rho};
use schema::{Kind, Schema, ValueForm};
use tabular::{
    CodedTable, DiscoveryBudget, DiscoveryError, Joined, KeyHasher, ReadLimits, Upload, read_csv,
};

fn hasher() -> KeyHasher {
    KeyHasher::new([5; 16])
}

fn upload(csv: &str, schema: Option<&Schema>) -> Upload {
    read_csv(
        csv.as_bytes(),
        Some("id"),
        schema,
        &hasher(),
        &ReadLimits::default(),
    )
    .unwrap()
}

fn ledger(epsilon: f64) -> Ledger {
    let (epsilon, delta) = (Epsilon::new(epsilon).unwrap(), Delta::new(1e-9).unwrap());
    let threshold_share = Some(0.5);
    Ledger::open(LedgerOptions {
        threshold_share,
        ..LedgerOptions::new(epsilon, delta, Accounting::Zcdp)
    })
    .unwrap()
}

fn tenth(ledger: &Ledger) -> Rho {
    ledger.total().share(1, 10)
}

/// A small generator for made-up people; no noise comes from it.
struct Dice(u64);

impl Dice {
    fn unit(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.0 >> 32).unwrap()) / 4_294_967_296.0
    }

    /// One of several, the first most often.
    fn pick<const N: usize>(&mut self, from: [&'static str; N]) -> &'static str {
        let mut left = self.unit().sqrt();
        let each = |_: &&&str| {
            left *= 1.6;
            left > 1.0
        };
        from.iter().find(each).unwrap_or(&from[N - 1])
    }

    fn bell(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// People with an age, an income, a group, a day, a flag, a note that is mostly unique, and nothing
/// in one column.
fn people(rows: usize) -> String {
    let mut dice = Dice(1);
    let mut csv = String::from("id,age,income,group,joined,flag,note,void\n");
    for id in 0..rows {
        let age = (45.0 + 14.0 * dice.bell()).clamp(17.0, 90.0).floor();
        let income = if dice.unit() < 0.3 {
            0.0
        } else {
            (9.0 + 0.8 * dice.bell()).exp()
        };
        let group = dice.pick(["red", "green", "blue", "other", "rare"]);
        let joined = format!(
            "20{:02}-{:02}-{:02}",
            10 + id % 10,
            1 + id % 12,
            1 + id % 28
        );
        let flag = if dice.unit() < 0.2 {
            String::new()
        } else {
            format!("{}", u8::from(dice.unit() < 0.5))
        };
        writeln!(
            csv,
            "{id},{age},{income:.2},{group},{joined},{flag},note {id},"
        )
        .unwrap();
    }
    csv
}

fn describe(table: &CodedTable) -> String {
    let mut text = String::new();
    for column in table.schema().columns() {
        let kind = match column.kind() {
            Kind::Categories(texts) if texts.len() > 8 => format!("{} categories", texts.len()),
            Kind::Categories(texts) => format!("categories {}", texts.join(" ")),
            Kind::Integer(grid) => format!(
                "integer {} to {} in {} bins",
                grid.range().min,
                grid.range().max,
                grid.len()
            ),
            Kind::Number(grid) => format!(
                "number {:.0} to {:.0} in {} bins",
                grid.range().min,
                grid.range().max,
                grid.len()
            ),
            Kind::Date(grid) => format!(
                "date {} to {} in {} bins",
                grid.range().min,
                grid.range().max,
                grid.len()
            ),
            Kind::Datetime(grid) => format!(
                "datetime {} to {} in {} bins",
                grid.range().min,
                grid.range().max,
                grid.len()
            ),
            Kind::Boolean => panic!("truths are declared, and never discovered"),
        };
        let nullable = if column.is_nullable() { ", null" } else { "" };
        let other = if column.has_other() { ", other" } else { "" };
        let form = match column.form() {
            ValueForm::Usual => String::new(),
            ValueForm::Date(form) => format!(", as {}", form.pattern()),
            ValueForm::Number { form, decimals } => {
                let dress = (
                    form.decimal,
                    form.thousands,
                    form.sign.map(|sign| sign.text),
                );
                format!(", {decimals:?} decimals {dress:?}")
            }
            ValueForm::Boolean(_) => panic!("truths are declared, and never discovered"),
        };
        writeln!(text, "{}: {kind}{nullable}{other}{form}", column.name()).unwrap();
    }
    text
}

fn check_private(rows: usize, epsilon: f64, expected: Expect) {
    let joined = Joined::single(upload(&people(rows), None));
    let mut ledger = ledger(epsilon);
    let discovery = tenth(&ledger);
    let table = joined
        .into_coded(
            &mut ledger,
            discovery,
            &mut NoiseRng::dangerous_from_seed(1),
        )
        .unwrap();
    assert!(ledger.spent() <= discovery);
    expected.assert_eq(&describe(&table));
}

#[test]
fn with_budget_the_domain_comes_out_close_to_what_it_is() {
    check_private(
        20_000,
        5.0,
        expect![[r#"
            age: integer 15 to 80 in 32 bins
            income: number 0 to 65536 in 25 bins, Some(2) decimals (Point, None, None)
            group: categories blue green other rare red, other
            joined: date 2010-01-01 to 2019-12-31 in 32 bins
            flag: integer 0 to 1 in 2 bins, null
            note: categories , other
            void: categories , null, other
        "#]],
    );
}

#[test]
fn with_little_budget_it_comes_out_coarse() {
    check_private(
        20_000,
        0.5,
        expect![[r#"
            age: integer 16 to 84 in 30 bins
            income: number 0 to 65536 in 25 bins, Some(2) decimals (Point, None, None)
            group: categories blue green other red, other
            joined: date 2010-01-01 to 2019-12-31 in 31 bins
            flag: integer -1 to 1 in 3 bins, null
            note: categories , other
            void: categories , null, other
        "#]],
    );
}

#[test]
fn with_hardly_any_rows_nothing_comes_out() {
    check_private(
        20,
        1.0,
        expect![[r#"
        age: categories , other
        income: categories , other
        group: categories , other
        joined: categories , other
        flag: categories , other
        note: categories , other
        void: categories , other
    "#]],
    );
}

#[test]
fn from_the_data_as_they_are_everything_comes_out() {
    let table = Joined::single(upload(&people(2_000), None)).dangerous_into_coded();
    expect![[r#"
        age: integer 17 to 85 in 33 bins
        income: number 0 to 93623 in 25 bins, Some(2) decimals (Point, None, None)
        group: categories blue green other rare red, other
        joined: date 2010-01-01 to 2019-12-31 in 32 bins
        flag: integer 0 to 1 in 2 bins, null
        note: 1024 categories, other
        void: categories , null, other
    "#]]
    .assert_eq(&describe(&table));
}

#[test]
fn every_row_keeps_a_code() {
    for seed in 0..5 {
        let joined = Joined::single(upload(&people(3_000), None));
        let mut ledger = ledger(1.0);
        let discovery = tenth(&ledger);
        let table = joined
            .into_coded(
                &mut ledger,
                discovery,
                &mut NoiseRng::dangerous_from_seed(seed),
            )
            .unwrap();
        for (i, size) in table.schema().sizes().into_iter().enumerate() {
            let counts = table.counts(&[i]).dangerous_reveal();
            assert_eq!(counts.len(), size);
            assert_eq!(counts.iter().sum::<u32>(), 3_000);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_domain() {
    let schema = |seed| {
        let mut ledger = ledger(1.0);
        let discovery = tenth(&ledger);
        let table = Joined::single(upload(&people(3_000), None))
            .into_coded(
                &mut ledger,
                discovery,
                &mut NoiseRng::dangerous_from_seed(seed),
            )
            .unwrap();
        (table.schema().clone(), ledger.close())
    };
    assert_eq!(schema(7), schema(7));
}

/// A row that matches nobody in the other table must change nothing at all: not what is found, not
/// what is spent.
#[test]
fn rows_outside_the_join_have_no_influence() {
    let found = |left: &str| {
        let mut ledger = ledger(3.0);
        let discovery = tenth(&ledger);
        let right = "id,b\n".to_owned()
            + &(0..4_000)
                .map(|id| format!("{id},{}\n", id % 3))
                .collect::<String>();
        let joined = Joined::join(vec![
            ("A".into(), upload(left, None)),
            ("B".into(), upload(&right, None)),
        ]);
        let table = joined
            .into_coded(
                &mut ledger,
                discovery,
                &mut NoiseRng::dangerous_from_seed(3),
            )
            .unwrap();
        (describe(&table), ledger.close())
    };
    let left = people(4_000);
    let with_strangers =
        left.clone() + "x1,999999,1e12,new,1900-01-01,7,canary,full\nx2,-5,x,,,,,\n";
    assert_eq!(found(&left), found(&with_strangers));
}

#[test]
fn an_empty_join_is_discovered_and_coded_like_any_other() {
    let joined = Joined::join(vec![
        ("A".into(), upload("id,a,n\n1,x,7\n2,y,8\n", None)),
        ("B".into(), upload("id,b\n3,2020-01-01\n", None)),
    ]);
    let mut ledger = ledger(1.0);
    let discovery = tenth(&ledger);
    let table = joined
        .into_coded(
            &mut ledger,
            discovery,
            &mut NoiseRng::dangerous_from_seed(1),
        )
        .unwrap();
    assert_eq!(table.schema().columns().len(), 3);
    assert_eq!(table.counts(&[]).dangerous_reveal(), [0]);
}

const WITH_QUANTILES: &str = "
age: {integer: {min: 0, max: 120, bins: quantile}}
income: {number: {min: 0, max: 1e6, bins: {quantile: 8}}, nullable: true}
group: {categories: [red, green, blue], other: true}";

fn declared(yaml: &str) -> Schema {
    Schema::new(schema::Declaration::from_yaml(yaml).unwrap()).unwrap()
}

#[test]
fn declared_quantiles_are_paid_for_and_the_rest_is_free() {
    let joined = Joined::single(upload(&people(20_000), Some(&declared(WITH_QUANTILES))));
    assert!(joined.needs_discovery());
    let (epsilon, delta) = (Epsilon::new(2.0).unwrap(), Delta::new(1e-9).unwrap());
    let mut ledger = Ledger::open(LedgerOptions::new(epsilon, delta, Accounting::Zcdp)).unwrap();
    let discovery = tenth(&ledger);
    let table = joined
        .into_coded(
            &mut ledger,
            discovery,
            &mut NoiseRng::dangerous_from_seed(1),
        )
        .unwrap();
    let record = ledger.close();
    let spent: Vec<(&str, Rho)> = record
        .entries()
        .iter()
        .map(|entry| (entry.label(), entry.rho()))
        .collect();
    assert_eq!(
        spent,
        [
            ("bins of `age`", discovery.share(1, 2)),
            ("bins of `income`", discovery.share(1, 2))
        ]
    );
    expect![[r#"
        age: integer 0 to 120 in 32 bins
        income: number 0 to 1000000 in 8 bins, null
        group: categories red green blue, other
    "#]]
    .assert_eq(&describe(&table));
    let masses = table.counts(&[1]).dangerous_reveal();
    expect![[r#"
        [6114, 1439, 2304, 2110, 1692, 2281, 2082, 1978, 0]
    "#]]
    .assert_eq(&format!("{masses:?}\n"));
}

#[test]
fn a_declared_domain_costs_nothing() {
    let schema = declared("age: {integer: {min: 0, max: 120}}");
    let joined = Joined::single(upload(&people(100), Some(&schema)));
    assert!(!joined.needs_discovery());
    let mut ledger = ledger(1.0);
    let discovery = tenth(&ledger);
    let table = joined
        .into_coded(
            &mut ledger,
            discovery,
            &mut NoiseRng::dangerous_from_seed(1),
        )
        .unwrap();
    assert_eq!(ledger.spent(), Rho::ZERO);
    assert_eq!(*table.schema(), schema);
}

#[test]
fn refusals_come_before_anything_is_spent() {
    let joined = || Joined::single(upload(&people(100), None));
    let rng = &mut NoiseRng::dangerous_from_seed(1);
    let (epsilon, delta) = (Epsilon::new(1.0).unwrap(), Delta::new(1e-9).unwrap());

    let mut without_delta =
        Ledger::open(LedgerOptions::new(epsilon, delta, Accounting::Zcdp)).unwrap();
    let discovery = tenth(&without_delta);
    let refused = joined()
        .into_coded(&mut without_delta, discovery, rng)
        .unwrap_err();
    assert_eq!(refused, DiscoveryError::NoThresholdDelta);
    assert_eq!(without_delta.spent(), Rho::ZERO);

    let mut poor = ledger(0.1);
    let refused = joined()
        .into_coded(&mut poor, ledger(1.0).total(), rng)
        .unwrap_err();
    expect!["`discovery of the domain` asks for rho 0.01"].assert_eq(&refused.to_string()[..43]);
    assert_eq!(poor.spent(), Rho::ZERO);

    let mut none = ledger(1.0);
    let refused = joined().into_coded(&mut none, Rho::ZERO, rng).unwrap_err();
    expect!["`kind of `age`` was given no budget: raise epsilon, or give it a larger share"]
        .assert_eq(&refused.to_string());
    assert_eq!(none.spent(), Rho::ZERO);
}

#[test]
fn a_found_schema_is_stored_and_read_again() {
    let mut ledger = ledger(3.0);
    let discovery = tenth(&ledger);
    let table = Joined::single(upload(&people(5_000), None))
        .into_coded(
            &mut ledger,
            discovery,
            &mut NoiseRng::dangerous_from_seed(1),
        )
        .unwrap();
    let stored = serde_json::to_string(table.schema()).unwrap();
    let read: Schema = serde_json::from_str(&stored).unwrap();
    assert_eq!(read, *table.schema());
    assert_eq!(declared(&stored), read);
}

/// What a person does to compare synthetic with real data: the domain is taken from the real table,
/// and both are coded under it.
#[test]
fn two_tables_are_coded_under_the_schema_of_one() {
    let real = Joined::single(upload("id,a,n\n1,x,1\n2,y,2\n3,x,9\n", None)).dangerous_into_coded();
    let other = upload("id,a,n\n1,x,1\n2,z,9\n", Some(real.schema()));
    let other = Joined::single(other).dangerous_into_coded();
    assert_eq!(other.schema(), real.schema());
    assert_eq!(real.counts(&[0]).dangerous_reveal(), [2, 1, 0]);
    assert_eq!(other.counts(&[0]).dangerous_reveal(), [1, 0, 1]);
}

/// Of more categories than are kept, those with equal counts are chosen by their texts: the order
/// of the rows is private.
#[test]
fn the_order_of_rows_has_no_influence() {
    let csv = |ids: &mut dyn Iterator<Item = u32>| {
        let rows: String = ids.map(|id| format!("{id},text {id}\n")).collect();
        format!("id,a\n{rows}")
    };
    let up = Joined::single(upload(&csv(&mut (0..2_000)), None)).dangerous_into_coded();
    let down = Joined::single(upload(&csv(&mut (0..2_000).rev()), None)).dangerous_into_coded();
    assert_eq!(up.schema(), down.schema());
}

/// With the whole budget of a tenth of epsilon 1 for one column, hardly anything lies outside the
/// range that is found.
#[test]
fn found_ranges_hold_nearly_all_values() {
    let mut dice = Dice(9);
    let values: Vec<f64> = (0..20_000).map(|_| (3.0 + dice.bell()).exp()).collect();
    let csv: String = values
        .iter()
        .enumerate()
        .map(|(id, value)| format!("{id},{value:.3}\n"))
        .collect();
    let csv = format!("id,n\n{csv}");
    for seed in 0..20 {
        let mut ledger = ledger(1.0);
        let discovery = tenth(&ledger);
        let table = Joined::single(upload(&csv, None))
            .into_coded(
                &mut ledger,
                discovery,
                &mut NoiseRng::dangerous_from_seed(seed),
            )
            .unwrap();
        let Kind::Number(grid) = table.schema().columns()[0].kind() else {
            panic!("{:?}", table.schema());
        };
        let range = grid.range();
        let outside = values
            .iter()
            .filter(|value| !(range.min..=range.max).contains(*value))
            .count();
        assert!(
            outside < 1_000,
            "{outside} outside {} to {} (seed {seed})",
            range.min,
            range.max
        );
        assert!(
            range.max < 1e5,
            "{} is far above the largest value (seed {seed})",
            range.max
        );
        let heaviest = table
            .counts(&[0])
            .dangerous_reveal()
            .into_iter()
            .max()
            .unwrap();
        assert!(
            heaviest < 5_000,
            "a bin holds {heaviest} of 20,000 rows (seed {seed})"
        );
    }
}

/// Noise alone is not taken for data: of columns without a row, nothing but `other` comes out, and
/// rarely a null.
#[test]
fn nothing_is_found_where_there_is_nothing() {
    let mut nullable = 0;
    for seed in 0..200 {
        let joined = Joined::join(vec![
            ("A".into(), upload("id,a,b\n1,x,7\n2,y,8\n", None)),
            ("B".into(), upload("id,c\n3,2020-01-01\n", None)),
        ]);
        let mut ledger = ledger(1.0);
        let discovery = tenth(&ledger);
        let table = joined
            .into_coded(
                &mut ledger,
                discovery,
                &mut NoiseRng::dangerous_from_seed(seed),
            )
            .unwrap();
        for column in table.schema().columns() {
            nullable += usize::from(column.is_nullable());
            if let Kind::Categories(texts) = column.kind() {
                assert!(texts.is_empty() && column.has_other());
            }
        }
    }
    // Beyond three standard deviations in 0.13 % of 600 columns.
    assert!(nullable <= 5, "{nullable}");
}

/// Noise for one row of an id is not enough for two, in discovery or after it.
#[test]
fn a_ledger_for_fewer_rows_of_an_id_is_refused() {
    let limits = ReadLimits {
        max_rows_per_id: NonZeroU32::new(2),
        ..ReadLimits::default()
    };
    let read = || {
        let csv = "id,a\n1,x\n1,y\n2,x\n".as_bytes();
        Joined::single(read_csv(csv, Some("id"), None, &KeyHasher::new([5; 16]), &limits).unwrap())
    };
    let mut ledger = Ledger::open(LedgerOptions::new(
        Epsilon::new(1.0).unwrap(),
        Delta::new(1e-6).unwrap(),
        Accounting::Zcdp,
    ))
    .unwrap();
    let rho = ledger.total();
    let refused = read().into_coded(&mut ledger, rho, &mut NoiseRng::from_os().unwrap());
    assert_eq!(
        refused.unwrap_err().to_string(),
        "one id may have 2 rows in the table, and the ledger was opened for 1; open it for as many"
    );
    assert_eq!(ledger.remaining(), rho);
    assert_eq!(read().dangerous_into_coded().rows_per_id().get(), 2);
}

#[test]
fn texts_that_nobody_would_see_as_they_are_count_as_other() {
    let hostile = [
        "\u{1b}[2J",
        "a\u{202e}b",
        "l\u{200b}ow",
        "x\ty",
        "\u{9b}31m",
        "\u{fffe}",
    ];
    let ordinary = ["low", "می\u{200c}خواهم", "👩\u{200d}🔬", "=1+1"];
    let mut csv = String::from("id,a\n");
    for id in 0..8000 {
        let texts = hostile.iter().chain(&ordinary);
        let text = texts.cycle().nth(id % 10).unwrap();
        writeln!(csv, "{id},\"{text}\"").unwrap();
    }
    let expect_found = |table: &CodedTable| {
        let [column] = table.schema().columns() else {
            panic!("one column")
        };
        let Kind::Categories(found) = column.kind() else {
            panic!("texts")
        };
        let mut ordinary = ordinary.map(str::to_owned);
        ordinary.sort();
        assert_eq!(found.as_slice(), ordinary);
        assert!(column.has_other());
        // What is written can be declared, and read back.
        let declared = Schema::new(table.schema().to_declaration()).unwrap();
        assert_eq!(&declared, table.schema());
    };
    let mut ledger = ledger(3.0);
    let discovery = tenth(&ledger);
    let table = Joined::single(upload(&csv, None))
        .into_coded(&mut ledger, discovery, &mut NoiseRng::from_os().unwrap())
        .unwrap();
    expect_found(&table);
    expect_found(&Joined::single(upload(&csv, None)).dangerous_into_coded());
}

#[test]
fn numbers_with_leading_zeros_are_texts_and_nothing_is_made_up_between_them() {
    let kinds = |field: fn(usize) -> String| {
        let mut csv = String::from("id,a\n");
        for id in 0..5000 {
            writeln!(csv, "{id},{}", field(id)).unwrap();
        }
        let table = Joined::single(upload(&csv, None)).dangerous_into_coded();
        table.schema().columns()[0].kind().name()
    };
    assert_eq!(
        kinds(|id| format!("{:05}", 500 + id % 7 * 4000)),
        "categories"
    );
    assert_eq!(kinds(|id| format!("{}", 10500 + id % 37 * 4000)), "integer");
    assert_eq!(kinds(|id| format!("{}e{}", id % 9, id % 4)), "categories");
    assert_eq!(kinds(|id| format!("{:?}", 1.5e-7 * id as f64)), "number");
    // A zero typed before one value of five thousand.
    assert_eq!(
        kinds(|id| if id == 9 { "09".into() } else { id.to_string() }),
        "integer"
    );
}

fn discovered(csv: &str, epsilon: f64, seed: u64) -> CodedTable {
    let mut ledger = ledger(epsilon);
    let discovery = tenth(&ledger);
    let rng = &mut NoiseRng::dangerous_from_seed(seed);
    let joined = Joined::single(upload(csv, None));
    joined.into_coded(&mut ledger, discovery, rng).unwrap()
}

/// A table of one column.
fn column(rows: usize, mut field: impl FnMut(usize, &mut Dice) -> String) -> String {
    let mut dice = Dice(3);
    let mut csv = String::from("id;a\n");
    for id in 0..rows {
        writeln!(csv, "{id};{}", field(id, &mut dice)).unwrap();
    }
    // Commas within fields.
    csv.lines()
        .map(|line| line.split_once(';').unwrap())
        .map(|(id, field)| format!("{id},\"{field}\"\n"))
        .collect()
}

fn below(dice: &mut Dice, limit: u32) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "below the limit"
    )]
    let number = (dice.unit() * f64::from(limit)) as u32;
    number
}

#[test]
fn few_numbers_are_all_there_is() {
    let check = |field: fn(&mut Dice) -> String, expected: &str| {
        let table = discovered(&column(4_000, |_, dice| field(dice)), 3.0, 1);
        assert_eq!(describe(&table), expected);
    };
    check(
        |dice| ["1010", "1020", "4020", "1020.0", " 1010"][below(dice, 5) as usize].to_owned(),
        "a: categories 1010 1020 4020, other\n",
    );
    check(
        |dice| below(dice, 4).to_string(),
        "a: integer 0 to 3 in 4 bins\n",
    );
    check(
        |dice| ["0.5", "1.0", "2.5"][below(dice, 3) as usize].to_owned(),
        "a: categories 0.5 1 2.5, other\n",
    );
}

/// Once a series of months came back with days of all kinds.
#[test]
fn the_first_days_of_months_stay_the_first() {
    let month = |_: usize, dice: &mut Dice| {
        let month = below(dice, 96);
        format!("{}-{:02}-01", 2012 + month / 12, 1 + month % 12)
    };
    let table = discovered(&column(4_000, month), 3.0, 1);
    let column = &table.schema().columns()[0];
    let form = column.form().date().unwrap();
    assert_eq!(form.pattern(), "%Y-%m-01");
    let Kind::Date(grid) = column.kind() else {
        panic!("{column:?}");
    };
    for bin in 0..grid.len() {
        assert_eq!(grid.start(bin), form.told_day(grid.start(bin)));
    }
    let codes = &table.dangerous_codes()[0];
    assert!(codes.iter().all(|code| (*code as usize) < grid.len()));
}

/// A table whose own category is called `other` must not lose it among those that are rare.
#[test]
fn the_word_other_is_a_category_like_any_other() {
    let word = |row: usize, dice: &mut Dice| match row % 20 {
        0 => format!("rare {row}"),
        _ => ["red", "blue", "other"][below(dice, 3) as usize].to_owned(),
    };
    let table = discovered(&column(4_000, word), 3.0, 1);
    assert_eq!(describe(&table), "a: categories blue other red, other\n");
    let column = &table.schema().columns()[0];
    let labels: Vec<_> = (0..4).map(|code| column.label(code).into_owned()).collect();
    assert_eq!(labels, ["blue", "other", "red", "other values"]);
    let counts = table.counts(&[0]).dangerous_reveal();
    assert_eq!(counts[3], 200);
    let again = Schema::new(table.schema().clone().into()).unwrap();
    assert_eq!(&again, table.schema());
}

#[test]
fn dates_are_known_in_the_form_in_which_they_are_written() {
    let check = |field: fn([u32; 6]) -> String, expected: &str| {
        let csv = column(4_000, |_, dice| {
            let mut part = |limit| below(dice, limit);
            field([part(9), part(12), part(28), part(24), part(60), part(60)])
        });
        let described = describe(&discovered(&csv, 3.0, 1));
        let (kind, form) = described.split_once(" bins").unwrap();
        let kind = kind.split(' ').nth(1).unwrap();
        assert_eq!(format!("{kind}{form}"), expected, "{described}");
    };
    check(
        |[y, m, d, ..]| format!("{:02}/{:02}/{}", d + 1, m + 1, 2016 + y),
        "date, as %d/%m/%Y\n",
    );
    check(
        |[y, m, d, ..]| format!("{}/{}/{}", m + 1, d + 1, 2016 + y),
        "date, as %-m/%-d/%Y\n",
    );
    check(
        |[y, m, d, ..]| format!("{}{:02}{:02}", 2016 + y, m + 1, d + 1),
        "date, as %Y%m%d\n",
    );
    check(
        |[y, m, d, ..]| format!("{}-{:02}-{:02}", 2016 + y, m + 1, d + 1),
        "date\n",
    );
    check(
        |[y, m, d, h, min, s]| {
            let (y, m, d) = (2016 + y, m + 1, d + 1);
            format!("{y}-{m:02}-{d:02}T{h:02}:{min:02}:{s:02}+01:00")
        },
        "datetime, as %Y-%m-%dT%H:%M:%S%:z\n",
    );
}

#[test]
fn numbers_are_known_in_the_form_in_which_they_are_written() {
    let check = |field: fn(u32, u32) -> String, expected: &str| {
        let csv = column(4_000, |_, dice| {
            let (a, b) = (below(dice, 900), below(dice, 100));
            field(a + 100, b)
        });
        let described = describe(&discovered(&csv, 3.0, 1));
        let (kind, form) = described.split_once(" bins").unwrap();
        let kind = kind.split(' ').nth(1).unwrap();
        assert_eq!(format!("{kind}{form}"), expected, "{described}");
    };
    check(
        |a, b| format!("{a}.{b:02}"),
        "number, Some(2) decimals (Point, None, None)\n",
    );
    check(
        |a, b| format!("{a},{b:02}"),
        "number, Some(2) decimals (Comma, None, None)\n",
    );
    check(
        |a, _| format!("${a},000.00"),
        "integer, Some(2) decimals (Point, Some(Comma), Some('$'))\n",
    );
    check(
        |a, b| format!("{a}.0{b:02},5 €"),
        "number, Some(1) decimals (Comma, Some(Point), Some('€'))\n",
    );
    check(|a, _| format!("{a}.0"), "integer\n");
}

#[test]
fn spellings_of_missing_are_empty_fields() {
    let words = ["NA", "null", "", "NaN", "N/A", "None", "nan", "NULL"];
    let csv = column(4_000, |id, dice| match below(dice, 10) {
        0..3 => words[id % words.len()].to_owned(),
        _ => below(dice, 70).to_string(),
    });
    let described = describe(&discovered(&csv, 3.0, 1));
    assert!(
        described.starts_with("a: integer ") && described.ends_with(" bins, null\n"),
        "{described}"
    );
}

/// 406 rows of 9 columns at epsilon 3, 753 of 18, and both at 1.
#[test]
fn columns_of_few_rows_keep_their_numbers() {
    let lost = |rows: usize, columns: usize, epsilon: f64, seed| {
        let mut dice = Dice(seed);
        let names: Vec<String> = (0..columns).map(|i| format!(",x{i}")).collect();
        let mut csv = format!("id{}\n", names.concat());
        for id in 0..rows {
            write!(csv, "{id}").unwrap();
            for i in 0..columns {
                match i % 3 {
                    0 => write!(csv, ",{:.1}", 50.0 + 12.0 * dice.bell()).unwrap(),
                    1 => write!(csv, ",{}", 18 + below(&mut dice, 73)).unwrap(),
                    _ => write!(csv, ",{:.2}", (6.0 + dice.bell()).exp()).unwrap(),
                }
            }
            csv.push('\n');
        }
        let mut ledger = Ledger::open(LedgerOptions {
            threshold_share: Some(0.5),
            ..LedgerOptions::new(
                Epsilon::new(epsilon).unwrap(),
                Delta::new(1e-6).unwrap(),
                Accounting::Gdp,
            )
        })
        .unwrap();
        let discovery = DiscoveryBudget::ByRows {
            least: ledger.total().share(1, 10),
            most: ledger.total().share(4, 10),
        };
        let rng = &mut NoiseRng::dangerous_from_seed(seed);
        let joined = Joined::single(upload(&csv, None));
        let table = joined.into_coded(&mut ledger, discovery, rng).unwrap();
        let columns = table.schema().columns().iter();
        columns
            .filter(|column| column.kind().name() == "categories")
            .count()
    };
    let sum = |rows, columns, epsilon| -> usize {
        (0..10).map(|seed| lost(rows, columns, epsilon, seed)).sum()
    };
    assert_eq!(sum(406, 9, 3.0), 0);
    assert!(sum(753, 18, 3.0) <= 3);
    assert!(sum(406, 9, 1.0) <= 10 * 9 / 5);
    assert!(sum(753, 18, 1.0) <= 10 * 18 / 5);
}

#[test]
fn few_rows_are_given_more_of_the_budget() {
    let spent = |rows: usize| {
        let mut ledger = ledger(1.0);
        let (least, most) = (ledger.total().share(1, 10), ledger.total().share(4, 10));
        let rng = &mut NoiseRng::dangerous_from_seed(1);
        let joined = Joined::single(upload(&people(rows), None));
        let budget = DiscoveryBudget::ByRows { least, most };
        joined.into_coded(&mut ledger, budget, rng).unwrap();
        let record = ledger.record();
        assert_eq!(record.entries()[0].label(), "number of rows");
        let sum = record.entries().iter().map(|entry| entry.rho().get());
        sum.sum::<f64>() / ledger.total().get()
    };
    let (few, more, many) = (spent(300), spent(1_500), spent(30_000));
    assert!(few <= 0.4 && many <= 0.1, "{few} {many}");
    assert!(few > more && more > many, "{few} {more} {many}");
}

/// What decides is noisy counts. Where noise hides every row, the same noise leads to the same kind
/// by the same steps, whatever one of the rows holds. (Ranges are of the noise alone, which is not
/// the same after a release of keys: each key that occurs takes a draw.)
#[test]
fn under_much_noise_no_single_row_decides_anything() {
    let found = |field: Option<&str>, seed| {
        let mut ledger = ledger(0.05);
        let discovery = tenth(&ledger);
        let rng = &mut NoiseRng::dangerous_from_seed(seed);
        let row = field.map_or_else(String::new, |field| format!("x,\"{field}\"\n"));
        let csv = column(200, |_, dice| below(dice, 70).to_string()) + &row;
        let joined = Joined::single(upload(&csv, None));
        let table = joined.into_coded(&mut ledger, discovery, rng).unwrap();
        let column = &table.schema().columns()[0];
        let record = ledger.close();
        let steps = record.entries().iter();
        (
            column.kind().name(),
            (column.is_nullable(), column.has_other()),
            steps
                .map(|entry| entry.label().to_owned())
                .collect::<Vec<_>>(),
        )
    };
    for seed in 0..50 {
        let without = found(None, seed);
        for field in [
            "",
            "007",
            "1e300",
            "0.5",
            "0,5",
            "$1,000.00",
            "20200131",
            "31/12/1850",
            "2020-01-01T10:30:00Z",
            "text",
        ] {
            assert_eq!(found(Some(field), seed), without, "{field}");
        }
    }
}

/// Each step is a spend with a label, and those of one column are its share at most.
#[test]
fn each_column_spends_its_share_at_most() {
    let mut ledger = ledger(3.0);
    let discovery = tenth(&ledger);
    let rng = &mut NoiseRng::dangerous_from_seed(1);
    let joined = Joined::single(upload(&people(5_000), None));
    joined.into_coded(&mut ledger, discovery, rng).unwrap();
    let record = ledger.close();
    let share = discovery.share(1, 7).get();
    for column in ["age", "income", "group", "joined", "flag", "note", "void"] {
        let of = record.entries().iter().filter(|entry| {
            let (_, name) = entry.label().split_once(" of ").unwrap();
            name == format!("`{column}`")
        });
        let spent: f64 = of.map(|entry| entry.rho().get()).sum();
        assert!(
            spent > 0.0 && spent <= share,
            "{column}: {spent} of {share}"
        );
    }
    let labels: Vec<&str> = record
        .entries()
        .iter()
        .map(|entry| entry.label())
        .filter(|label| label.contains("`joined`") || label.contains("`flag`"))
        .collect();
    assert_eq!(
        labels,
        [
            "kind of `joined`",
            "form of `joined`",
            "bounds of `joined`",
            "range of `joined`",
            "bins of `joined`",
            "kind of `flag`",
            "values of `flag`",
            "bounds of `flag`",
            "range of `flag`",
            "bins of `flag`",
        ]
    );
}
