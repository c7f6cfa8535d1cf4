//! Tables as Parquet: read as they are, by a key, and under a schema.
//!
//! What was read comes back the same when it is written and read again; no small file makes much
//! work.
#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use synclave_fuzz::{accepted, check_survives_writing, hasher, limits};
use schema::{Declaration, Schema};
use tabular::read_parquet;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let yaml = include_str!("../seeds/schema.yaml");
    Schema::new(Declaration::from_yaml(yaml).expect("it is read")).expect("it holds")
});

/// The reader catches panics of its decoder; libFuzzer's hook would end the program before it can.
static PANICS_CAN_BE_CAUGHT: LazyLock<()> = LazyLock::new(|| {
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
});

fuzz_target!(|file: &[u8]| {
    LazyLock::force(&PANICS_CAN_BE_CAUGHT);
    let file = Bytes::copy_from_slice(file);
    let as_it_is = read_parquet(file.clone(), None, None, &hasher(), &limits());
    accepted(as_it_is.is_ok());
    as_it_is.into_iter().for_each(check_survives_writing);
    drop(read_parquet(file.clone(), Some("id"), None, &hasher(), &limits()));
    let declared = read_parquet(file, None, Some(&SCHEMA), &hasher(), &limits());
    declared.into_iter().for_each(check_survives_writing);
});
