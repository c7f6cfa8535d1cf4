//! The body of a fitted model's file, behind a right checksum, as anyone could write one.
//!
//! What loads can be saved, comes back the same, and can be used: in a bounded time it gives rows,
//! a report and a prior.
#![no_main]

use libfuzzer_sys::fuzz_target;
use privacy::{FileDigest, People};
use synthesis::{Model, PublicPrior};

fuzz_target!(|body: &[u8]| {
    let loaded = Model::load_body(body);
    synclave_fuzz::accepted(loaded.is_ok());
    let Ok(model) = loaded else { return };
    let file = saved(&model);
    let again = Model::load(&file).expect("what was saved can be loaded");
    assert!(saved(&again) == file, "a model changes by being saved and loaded");
    assert!(rows(&again) == rows(&model), "the same seed gives other rows");
    serde_json::to_string(&model.report()).expect("a report is written as JSON");
    let digest = FileDigest::from_bytes([0; 48]);
    drop(PublicPrior::from_model(&model, digest, People::PerhapsTheSame));
});

fn saved(model: &Model) -> Vec<u8> {
    let mut file = Vec::new();
    model.save(&mut file).expect("memory takes everything");
    file
}

fn rows(model: &Model) -> Vec<u8> {
    let mut text = Vec::new();
    let rows = model.default_rows().min(20);
    let mut sampled = model.sample(rows, Some(1));
    sampled.write_csv(&mut text).expect("memory takes everything");
    text
}
