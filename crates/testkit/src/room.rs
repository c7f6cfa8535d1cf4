//! What a room of two is opened with.

/// A `service.yaml` with the data providers Alice and Bob, who have these public keys.
pub fn service_yaml(alice: &str, bob: &str) -> String {
    format!(
        "auth: [{{auth_name: default, auth_type: signed_headers}}]\n\
         roles: [{{role_name: data_provider, role_auth: default, role_cardinality: 2}}]\n\
         users:\n  data_provider:\n  - {{user_name: Alice, public_key: {alice}}}\n  - {{user_name: \
         Bob, public_key: {bob}}}\n"
    )
}
