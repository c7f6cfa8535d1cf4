//! `runtime.yaml`, as one party could send it to another, beside a `service.yaml` that holds.
//!
//! What is accepted names exactly the parties of `service.yaml`, and a budget.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::Agreement;
use service::CheckedAgreement;

const SERVICE: &str = include_str!("../seeds/service_yaml/two_parties.yaml");

fuzz_target!(|file: &[u8]| {
    let checked = Agreement::new(SERVICE, file)
        .map(CheckedAgreement::parse)
        .is_ok_and(|parsed| parsed.is_ok_and(|agreement| check(&agreement)));
    synclave_fuzz::accepted(checked);
});

fn check(agreement: &CheckedAgreement) -> bool {
    let mut names: Vec<&str> = agreement.parties().iter().map(|party| party.name()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Alice", "Bob"]);
    assert!(agreement.epsilon().get() > 0.0);
    assert!(agreement.delta().get() < 1.0);
    for party in agreement.parties() {
        let key = party.schema().and_then(|schema| schema.position(agreement.key()));
        assert_eq!(key, None, "the key is declared as a column");
    }
    true
}
