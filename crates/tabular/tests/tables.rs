//! Whole tables: read, join, write, read again.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use schema::{Declaration, Schema};
use tabular::{
    CodedTable, Joined, KeyHasher, ReadLimits, TableBounds, Upload, most_joined_rows, read_csv,
    rows_per_joined_id, write_csv,
};

fn schema(yaml: &str) -> Schema {
    Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap()
}

fn read(csv: &[u8], key: Option<&str>, schema: &Schema) -> Upload {
    read_csv(
        csv,
        key,
        Some(schema),
        &KeyHasher::new([5; 16]),
        &ReadLimits::default(),
    )
    .unwrap()
}

const MIXED: &str = r#"{
    plain: {categories: [a, "b c", "d,e", "say \"f\"", " g", "h i", "=1", ""]},
    spare: {categories: [x, y], nullable: true, other: true},
    whole: {integer: {min: -1000, max: 1000, bins: 7}},
    number: {number: {min: -1, max: 1e6, bins: {cuts: [0, 0.001, 17, 5e5]}}, nullable: true},
    day: {date: {min: 1999-12-30, max: 2020-03-01, bins: 5}}
}"#;

proptest! {
    /// Whatever is written is read back as the same codes, without a word to the owner.
    #[test]
    fn written_rows_read_back(
        rows in proptest::collection::vec((0u32..8, 0u32..4, 0u32..7, 0u32..6, 0u32..5), 1..50),
        seed: u64,
    ) {
        let schema = schema(MIXED);
        let columns = vec![
            rows.iter().map(|row| row.0).collect(),
            rows.iter().map(|row| row.1).collect(),
            rows.iter().map(|row| row.2).collect(),
            rows.iter().map(|row| row.3).collect(),
            rows.iter().map(|row| row.4).collect::<Vec<u32>>(),
        ];
        let mut csv = Vec::new();
        write_csv(
            &schema,
            &columns,
            &mut ChaCha20Rng::seed_from_u64(seed),
            &mut csv,
            true,
        )
        .unwrap();
        let upload = read(&csv, None, &schema);
        prop_assert_eq!(upload.warnings(), &[] as &[String]);
        let table = Joined::single(upload).dangerous_into_coded();
        prop_assert_eq!(table.dangerous_codes(), columns);
    }

    /// The join of three tables is that of nested loops, up to the order of rows.
    #[test]
    fn the_join_is_that_of_nested_loops(
        tables in proptest::collection::vec(
            proptest::collection::btree_map(0u32..40, 0u32..9, 1..40),
            2..4,
        ),
    ) {
        let schema = schema("{v: {integer: {min: 0, max: 8}}}");
        let uploads = tables.iter().enumerate().map(|(party, table)| {
            let rows: String = table.iter().map(|(id, v)| format!("id{id},{v}\n")).collect();
            (format!("P{party}"), read(format!("key,v\n{rows}").as_bytes(), Some("key"), &schema))
        }).collect();
        let joined = Joined::join(uploads).dangerous_into_coded();
        let mut expected: Vec<Vec<u32>> = tables[0].iter()
            .filter_map(|(id, first)| {
                let others = tables[1..]
                    .iter()
                    .map(|table| table.get(id).copied())
                    .collect::<Option<Vec<u32>>>()?;
                Some([vec![*first], others].concat())
            })
            .collect();
        expected.sort();
        prop_assert_eq!(rows_of(&joined), expected);
        let names: Vec<&str> = joined
            .schema()
            .columns()
            .iter()
            .map(|column| column.name())
            .collect();
        prop_assert_eq!(names, &["P0_v", "P1_v", "P2_v"][..tables.len()]);
    }

    /// With repeated ids it is that of nested loops over at most so many rows of each id, and
    /// everything of one id, in all tables, changes at most as many rows as the bounds' product,
    /// and no row of another id.
    #[test]
    fn one_id_changes_no_more_rows_than_the_product_of_the_bounds(
        tables in proptest::collection::vec(
            proptest::collection::vec((0_u32..5, 0_u32..9), 1..25),
            1..4,
        ),
        bounds in proptest::collection::vec(1_u32..4, 3),
        gone in 0_u32..5,
    ) {
        let without: Vec<Vec<(u32, u32)>> = tables.iter()
            .map(|table| table.iter().copied().filter(|(id, _)| *id != gone).collect())
            .collect();
        let (with, rows_per_id) = join_bounded(&tables, &bounds);
        let (without, _) = join_bounded(&without, &bounds);
        let product: u32 = bounds[..tables.len()].iter().product();
        prop_assert_eq!(rows_per_id, product);
        let expected: u32 = (0..5).map(|id| tables.iter().zip(&bounds).map(|(table, bound)| {
            let rows =
                u32::try_from(table.iter().filter(|(other, _)| *other == id).count()).unwrap();
            rows.min(*bound)
        }).product::<u32>()).sum();
        prop_assert_eq!(with.values().sum::<u32>(), expected);
        let mut change = 0;
        for row in with.keys().chain(without.keys().filter(|row| !with.contains_key(*row))) {
            let count = |rows: &Rows| rows.get(row).copied().unwrap_or(0);
            prop_assert!(count(&with) >= count(&without));
            change += count(&with) - count(&without);
        }
        prop_assert!(change <= product, "{change} rows of at most {product}");
    }

    /// Nothing that can be uploaded makes the reader panic.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(prop_oneof![
        Just(b','), Just(b'"'), Just(b'\n'), Just(b'\r'), Just(b'i'), Just(b'd'),
        Just(0u8), Just(0xffu8), any::<u8>(),
    ], 0..60)) {
        let bytes = [b"id,a\n".as_slice(), &bytes].concat();
        let hasher = KeyHasher::new([1; 16]);
        if let Ok(upload) =
            read_csv(bytes.as_slice(), Some("id"), None, &hasher, &ReadLimits::default())
        {
            let rows = upload.rows();
            let table = Joined::single(upload).dangerous_into_coded();
            prop_assert_eq!(table.counts(&[]).dangerous_reveal(), [u32::try_from(rows).unwrap()]);
        }
    }
}

/// How often each row occurs.
type Rows = BTreeMap<Vec<u32>, u32>;

/// Joins tables of ids and values that keep at most so many rows of an id.
fn join_bounded(tables: &[Vec<(u32, u32)>], bounds: &[u32]) -> (Rows, u32) {
    let schema = schema("{v: {integer: {min: 0, max: 8}}}");
    let upload = |(table, bound): (&Vec<(u32, u32)>, &u32)| {
        // A table has at least one row: an id that no other table has.
        let own = tables.iter().position(|other| std::ptr::eq(other, table));
        let rows: String = table.iter().map(|(id, v)| format!("{id},{v}\n")).collect();
        let csv = format!("id,v\nonly {own:?},0\n{rows}");
        let limits = ReadLimits {
            max_rows: 1000,
            max_rows_per_id: NonZeroU32::new(*bound),
            ..ReadLimits::default()
        };
        let hasher = KeyHasher::new([5; 16]);
        read_csv(csv.as_bytes(), Some("id"), Some(&schema), &hasher, &limits).unwrap()
    };
    let mut uploads: Vec<Upload> = tables.iter().zip(bounds).map(upload).collect();
    let single = uploads.len() == 1;
    let joined = if single {
        Joined::single(uploads.pop().unwrap())
    } else {
        let named = uploads.into_iter().enumerate();
        Joined::join(named.map(|(i, upload)| (format!("P{i}"), upload)).collect())
    };
    let rows_per_id = joined.rows_per_id().get();
    let mut rows = Rows::new();
    for row in rows_of(&joined.dangerous_into_coded()) {
        *rows.entry(row).or_default() += 1;
    }
    if single {
        *rows.get_mut(&vec![0]).unwrap() -= 1;
        rows.retain(|_, count| *count > 0);
    }
    (rows, rows_per_id)
}

#[test]
fn bounds_whose_product_is_too_large_are_refused() {
    let bounds = |bounds: &[u32]| {
        rows_per_joined_id(bounds.iter().map(|bound| NonZeroU32::new(*bound).unwrap()))
    };
    assert_eq!(bounds(&[]).unwrap().get(), 1);
    assert_eq!(bounds(&[100, 100]).unwrap().get(), 10_000);
    assert_eq!(
        bounds(&[u32::MAX; 5]).unwrap_err().to_string(),
        "with these bounds one id could have 340282366920938463463374607431768211455 rows in the \
         joined table, which are more than the 10000 that noise could hide; lower max_rows_per_id"
    );
    assert!(bounds(&[100, 101]).is_err());
}

#[test]
fn bounds_that_allow_a_join_of_too_many_rows_are_refused() {
    let most = |bounds: &[(u32, u32)]| {
        let table = |&(rows, rows_per_id): &(u32, u32)| TableBounds {
            rows,
            rows_per_id: NonZeroU32::new(rows_per_id).unwrap(),
        };
        most_joined_rows(bounds.iter().map(table)).map_err(|refused| refused.to_string())
    };
    assert_eq!(most(&[(20_000_000, 1), (20_000_000, 1)]), Ok(20_000_000));
    assert_eq!(most(&[(20_000_000, 10), (20_000_000, 1)]), Ok(20_000_000));
    assert_eq!(most(&[(20_000_000, 10), (20_000_000, 10)]), Ok(200_000_000));
    assert_eq!(most(&[(100, 10), (20_000_000, 10), (5000, 2)]), Ok(2000));
    assert_eq!(
        most(&[(20_000_000, 100), (20_000_000, 100)]),
        Err(
            "with these bounds the joined table could have 2000000000 rows, which are more than \
             the 268435456 that are allowed; lower max_rows_per_id or max_rows"
                .to_owned()
        )
    );
    assert!(most(&[(u32::MAX, u32::MAX); 5]).is_err());
}

/// A table is joined as its bounds allow, and not as its data would.
#[test]
#[should_panic(expected = "could have 5000000000 rows")]
fn tables_read_with_such_bounds_are_not_joined() {
    let limits = ReadLimits {
        max_rows_per_id: NonZeroU32::new(100),
        ..ReadLimits::default()
    };
    let upload = |party: &str| {
        let (csv, hasher) = ("id,v\n1,2\n", KeyHasher::new([5; 16]));
        let upload = read_csv(csv.as_bytes(), Some("id"), None, &hasher, &limits);
        (party.to_owned(), upload.unwrap())
    };
    drop(Joined::join(vec![upload("A"), upload("B")]));
}

#[test]
fn the_owner_is_told_how_many_rows_are_left_out() {
    let limits = ReadLimits {
        max_rows_per_id: NonZeroU32::new(2),
        ..ReadLimits::default()
    };
    let csv = "id,a\n1,x\n1,y\n2,x\n1,z\n3,x\n";
    let upload = read_csv(
        csv.as_bytes(),
        Some("id"),
        None,
        &KeyHasher::new([5; 16]),
        &limits,
    );
    let upload = upload.unwrap();
    assert_eq!(
        upload.warnings(),
        ["1 row is left out: of each id a random choice of 2 at most takes part"]
    );
    assert_eq!(upload.rows(), 5);
    let table = Joined::single(upload).dangerous_into_coded();
    assert_eq!(table.counts(&[]).dangerous_reveal(), [4]);
}

#[test]
fn a_row_with_a_field_that_is_not_understood_is_left_out_with_its_id() {
    let limits = ReadLimits {
        max_rows_per_id: NonZeroU32::new(2),
        ..ReadLimits::default()
    };
    let yaml = "a: {categories: [x, y], tolerance: 0.5}\nb: {integer: {min: 0, max: 3}, tolerance: \
                0.5}\n";
    let schema = Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap();
    // The first row of id 1 goes, and the middle one of id 2: two of each are left.
    let csv = "id,a,b\n1,z,0\n1,x,1\n1,y,2\n2,y,0\n2,y,\n2,x,3\n";
    let hasher = KeyHasher::new([5; 16]);
    let upload = read_csv(csv.as_bytes(), Some("id"), Some(&schema), &hasher, &limits).unwrap();
    assert_eq!(
        upload.warnings(),
        [
            "column `a`: 1 field is not among the declared categories; a row with such a field is \
             left out (first on line 2)",
            "column `b`: 1 field is empty though the column is not nullable; a row with such a \
             field is left out (first on line 6)",
        ]
    );
    assert_eq!(upload.rows(), 4);
    let table = Joined::single(upload).dangerous_into_coded();
    assert_eq!(rows_of(&table), [[0, 1], [0, 3], [1, 0], [1, 2]]);
}

fn rows_of(table: &CodedTable) -> Vec<Vec<u32>> {
    let columns = table.dangerous_codes();
    let mut rows: Vec<Vec<u32>> = (0..columns[0].len())
        .map(|row| columns.iter().map(|column| column[row]).collect())
        .collect();
    rows.sort();
    rows
}

#[test]
fn undeclared_columns_that_clash_get_a_number() {
    let upload = |csv: &str| {
        read_csv(
            csv.as_bytes(),
            Some("id"),
            None,
            &KeyHasher::new([5; 16]),
            &ReadLimits::default(),
        )
        .unwrap()
    };
    let joined = Joined::join(vec![
        ("A".into(), upload("id,b_c,b_c_2\n1,x,y\n")),
        ("A_b".into(), upload("id,c\n1,z\n")),
    ]);
    let table = joined.dangerous_into_coded();
    let names: Vec<&str> = table
        .schema()
        .columns()
        .iter()
        .map(|column| column.name())
        .collect();
    assert_eq!(names, ["A_b_c", "A_b_c_2", "A_b_c_3"]);
}

/// The real table that the project is measured on, where it is at hand.
#[test]
fn the_adult_table_is_read() {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let Ok(csv) = std::fs::read(format!("{data}/adult.csv")) else {
        println!("skipped: no ../shared/data/adult.csv");
        return;
    };
    let domain = std::fs::read_to_string(format!("{data}/adult-domain.json")).unwrap();
    let domain: BTreeMap<String, u32> = serde_json::from_str(&domain).unwrap();
    let header = String::from_utf8_lossy(csv.split(|byte| *byte == b'\n').next().unwrap())
        .trim()
        .to_owned();
    let yaml: String = header
        .split(',')
        .map(|name| {
            format!(
                "{name:?}: {{integer: {{min: 0, max: {}, bins: {}}}}}\n",
                domain[name] - 1,
                domain[name]
            )
        })
        .collect();
    let schema = schema(&yaml);
    let upload = read(&csv, None, &schema);
    assert_eq!(upload.rows(), 39_074);
    assert_eq!(upload.warnings(), &[] as &[String]);
    let table = Joined::single(upload).dangerous_into_coded();
    for (i, size) in schema.sizes().into_iter().enumerate() {
        let mut expected = vec![0u32; size];
        for line in csv
            .split(|byte| *byte == b'\n')
            .skip(1)
            .filter(|line| !line.is_empty())
        {
            let field = line.split(|byte| *byte == b',').nth(i).unwrap();
            expected[str::from_utf8(field)
                .unwrap()
                .trim()
                .parse::<usize>()
                .unwrap()] += 1;
        }
        assert_eq!(table.counts(&[i]).dangerous_reveal(), expected);
    }
}

#[test]
fn the_longest_names_of_a_joined_table_survive_being_stored() {
    let name = "n".repeat(256);
    let declared = schema(&format!("{name}: {{categories: [x, y]}}"));
    let hasher = KeyHasher::new([5; 16]);
    let csv = format!("id,{name}\n1,x\n2,y\n");
    let party = |schema: Option<&Schema>| {
        let upload = read_csv(
            csv.as_bytes(),
            Some("id"),
            schema,
            &hasher,
            &ReadLimits::default(),
        );
        ("p".repeat(64), upload.unwrap())
    };
    let table = Joined::join(vec![party(Some(&declared)), party(None)]).dangerous_into_coded();
    let joined = table.schema();
    assert_eq!(joined.columns()[1].name().len(), 64 + 1 + 256 + 2);
    let stored = serde_json::to_string(joined).unwrap();
    assert_eq!(&serde_json::from_str::<Schema>(&stored).unwrap(), joined);

    let codes = table.dangerous_codes();
    let mut written = Vec::new();
    write_csv(
        joined,
        &codes,
        &mut ChaCha20Rng::seed_from_u64(1),
        &mut written,
        true,
    )
    .unwrap();
    let again = Joined::single(read(&written, None, joined)).dangerous_into_coded();
    assert_eq!(again.dangerous_codes(), codes);
}

#[test]
fn names_beyond_the_limits_are_refused() {
    let name = "n".repeat(257);
    let yaml = format!("{name}: {{categories: [x, y]}}");
    assert!(Schema::new(Declaration::from_yaml(&yaml).unwrap()).is_err());
    let csv = format!("{name}\nx\n");
    let hasher = KeyHasher::new([5; 16]);
    assert!(read_csv(csv.as_bytes(), None, None, &hasher, &ReadLimits::default()).is_err());
    let stored =
        |length: usize| format!("{{\"{}\":{{\"categories\":[\"x\"]}}}}", "n".repeat(length));
    assert!(serde_json::from_str::<Schema>(&stored(1024)).is_ok());
    let refused = serde_json::from_str::<Schema>(&stored(1025)).unwrap_err();
    assert!(refused.to_string().contains("a name has 1 to 1024 bytes"));
}
