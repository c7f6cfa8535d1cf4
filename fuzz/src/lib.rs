//! What the targets share.

use std::sync::LazyLock;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tabular::{CodedTable, Joined, KeyHasher, ReadLimits, Upload, read_csv, write_csv};

/// Notes whether an input was accepted. Seeds must be: `cargo xtask fuzz` runs them first, with
/// `SEEDS` in the environment, so that a seed that a change has made useless is noticed.
pub fn accepted(is_accepted: bool) {
    static SEEDS: LazyLock<bool> = LazyLock::new(|| std::env::var_os("SEEDS").is_some());
    assert!(is_accepted || !*SEEDS, "this seed is refused");
}

/// Small ones, so that what goes beyond them is found with small inputs.
pub fn limits() -> ReadLimits {
    ReadLimits {
        max_bytes: 1 << 20,
        max_rows: 10_000,
        max_columns: 100,
        max_field_bytes: 1 << 10,
        max_distinct: 10_000,
        max_memory_bytes: 1 << 26,
        max_rows_per_id: None,
    }
}

/// One key for all, so that a finding can be seen again.
pub fn hasher() -> KeyHasher {
    KeyHasher::new([7; 16])
}

/// Checks that a table is the same after it was written as CSV and read again under its own schema.
pub fn check_survives_writing(upload: Upload) {
    assert!(upload.rows() <= limits().max_rows as usize);
    if upload.column_names().next().is_none() {
        return;
    }
    let table = Joined::single(upload).dangerous_into_coded();
    let text = written(&table);
    let again = read_csv(text.as_slice(), None, Some(table.schema()), &hasher(), &limits());
    let again = again.expect("what was written is a table");
    let again = Joined::single(again).dangerous_into_coded();
    assert_eq!(again.dangerous_codes(), table.dangerous_codes());
}

fn written(table: &CodedTable) -> Vec<u8> {
    let mut text = Vec::new();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let codes = table.dangerous_codes();
    write_csv(table.schema(), &codes, &mut rng, &mut text, true).expect("memory takes everything");
    text
}
