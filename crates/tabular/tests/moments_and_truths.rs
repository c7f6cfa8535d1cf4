//! Columns of dates with times, and of true and false, written as rows and read again.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use schema::{Declaration, Schema, SchemaError};
use tabular::{Joined, KeyHasher, ReadLimits, read_csv, write_csv, write_json};

const VISITS: &str = "
seen: {datetime: {min: 2024-01-01T00:00, max: 2024-12-31T23:59:59, bins: 12}, nullable: true}
smoker: {boolean: true}
ill: {boolean: true, nullable: true, other: true}
";

fn schema(yaml: &str) -> Result<Schema, SchemaError> {
    Schema::new(Declaration::from_yaml(yaml)?)
}

fn codes_of(csv: &[u8], schema: &Schema) -> (Vec<Vec<u32>>, Vec<String>) {
    let (hasher, limits) = (KeyHasher::new([5; 16]), ReadLimits::default());
    let upload = read_csv(csv, None, Some(schema), &hasher, &limits).unwrap();
    let warnings = upload.warnings().to_vec();
    let table = Joined::single(upload).dangerous_into_coded();
    (table.dangerous_codes(), warnings)
}

proptest! {
    #[test]
    fn written_rows_read_back(
        rows in prop::collection::vec((0_u32..13, 0_u32..2, 0_u32..4), 1..50),
        seed: u64,
    ) {
        let schema = schema(VISITS).unwrap();
        let columns = [
            rows.iter().map(|row| row.0).collect(),
            rows.iter().map(|row| row.1).collect(),
            rows.iter().map(|row| row.2).collect::<Vec<u32>>(),
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
        prop_assert_eq!(codes_of(&csv, &schema), (columns.to_vec(), Vec::new()));
    }
}

#[test]
fn truths_are_not_texts_in_json_and_moments_are() {
    let schema = schema(
        "at: {datetime: {min: 2024-05-01T10:30, max: 2024-05-01T10:30}}\nok: {boolean: \
                true, nullable: true}",
    )
    .unwrap();
    let (columns, mut json) = ([vec![0; 3], vec![1, 0, 2]], Vec::new());
    write_json(
        &schema,
        &columns,
        &mut ChaCha20Rng::seed_from_u64(1),
        &mut json,
    )
    .unwrap();
    let rows: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let at = "2024-05-01T10:30:00";
    let expected =
        [Some(true), Some(false), None].map(|ok| serde_json::json!({"at": at, "ok": ok}));
    assert_eq!(rows, serde_json::Value::from(expected.to_vec()));
}
