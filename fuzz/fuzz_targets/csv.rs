//! Tables as CSV, compressed or not, and as JSON: read as they are, by a key, and under a schema.
//!
//! What was read comes back the same when it is written and read again.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use synclave_fuzz::{accepted, check_survives_writing, hasher, limits};
use schema::{Declaration, Schema};
use tabular::{ReadOptions, read_csv, read_table};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let yaml = include_str!("../seeds/schema.yaml");
    Schema::new(Declaration::from_yaml(yaml).expect("it is read")).expect("it holds")
});

fuzz_target!(|file: &[u8]| {
    let as_it_is = read_csv(file, None, None, &hasher(), &limits());
    accepted(as_it_is.is_ok());
    as_it_is.into_iter().for_each(check_survives_writing);
    let options = ReadOptions::default();
    let found_out = read_table(file, &options, None, None, &hasher(), &limits(), &|| true);
    found_out.into_iter().for_each(check_survives_writing);
    drop(read_csv(file, Some("id"), None, &hasher(), &limits()));
    let declared = read_csv(file, None, Some(&SCHEMA), &hasher(), &limits());
    declared.into_iter().for_each(check_survives_writing);
});
