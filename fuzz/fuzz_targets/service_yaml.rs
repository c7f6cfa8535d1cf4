//! `service.yaml`, as one party could send it to another.
//!
//! In what is accepted, at least two parties provide data, and nobody can be taken for somebody
//! else.
#![no_main]

use access::ServicePolicy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let read = ServicePolicy::from_yaml(file);
    synclave_fuzz::accepted(read.is_ok());
    let Ok(policy) = read else { return };
    assert!(policy.data_providers().count() >= 2);
    for user in policy.users() {
        let by_key = policy.user_of(user.key().spki());
        assert_eq!(by_key.map(access::User::name), Some(user.name()));
    }
    for provider in policy.data_providers() {
        let allowed = policy.authorize(provider.key().spki(), "POST", "/upload_data");
        assert!(allowed.is_ok(), "{allowed:?}");
    }
    assert!(policy.authorize(b"a stranger's key", "GET", "/samples").is_err());
});
