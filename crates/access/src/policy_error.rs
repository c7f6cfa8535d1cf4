//! What can be wrong with `service.yaml`.

use crate::key_strength::WeakOrUnreadableKey;
use crate::service_check::{DATA_PROVIDER, MAX_NAME, MAX_USERS};
use strict_yaml::YamlError;

/// Why a `service.yaml` is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not of the right form.
    #[error("{0}")]
    Yaml(#[from] YamlError),
    /// No users at all.
    #[error(
        "there are no `users`; list for each role the `user_name` and `public_key` of those who \
         take part"
    )]
    NoUsers,
    /// `auth` is empty.
    #[error(
        "`auth` is empty; it needs one entry with an `auth_name` and `auth_type: signed_headers`"
    )]
    NoAuth,
    /// A way of authenticating that does not exist here.
    #[error("line {line}: the auth_type `{found}` is unknown; the only one is `signed_headers`")]
    AuthType {
        /// Line of the file, from 1.
        line: u64,
        /// The text as it was written.
        found: String,
    },
    /// Something was named that is not defined, or defined twice.
    #[error("line {line}: {what} `{name}` is {problem}{}", hint(suggestion))]
    Name {
        /// Line of the file, from 1.
        line: u64,
        /// What was named: a user, a role or another entry.
        what: &'static str,
        /// The name that was given.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
        /// What may have been meant.
        suggestion: Option<String>,
    },
    /// A user's name that could not be used as a prefix of columns.
    #[error(
        "line {line}: the user name `{name}` must be 1 to {MAX_NAME} letters, digits, `_`, `-` or \
         `.` (ASCII), begin with a letter or digit, and be neither `mine` nor `theirs`"
    )]
    UserName {
        /// Line of the file, from 1.
        line: u64,
        /// The name that was given.
        name: String,
    },
    /// Too many or too few users of a role.
    #[error(
        "the role `{role}` must have exactly {cardinality} users (its role_cardinality), but \
         {found} are listed"
    )]
    Cardinality {
        /// Name of the role.
        role: String,
        /// What its cardinality says.
        cardinality: u32,
        /// Number of users that are listed.
        found: usize,
    },
    /// One data provider is not a collaboration.
    #[error(
        "line {line}: the role `{role}` provides the data, so its role_cardinality must be at \
         least 2"
    )]
    TooFewProviders {
        /// Line of the file, from 1.
        line: u64,
        /// Name of the role.
        role: String,
    },
    /// More users than a room takes.
    #[error("{found} users are listed; a room takes at most {MAX_USERS}")]
    TooManyUsers {
        /// Number of users that are listed.
        found: usize,
    },
    /// A key that cannot be used.
    #[error("line {line}: the public key of `{user}`: {cause}")]
    Key {
        /// Line of the file, from 1.
        line: u64,
        /// Name of the user whose key it is.
        user: String,
        /// What is wrong with it.
        #[source]
        cause: WeakOrUnreadableKey,
    },
    /// Whoever holds the key would be two people.
    #[error(
        "line {line}: `{second}` has the same public key as `{first}`; each user needs a key of \
         their own"
    )]
    SharedKey {
        /// Line of the file, from 1.
        line: u64,
        /// The user named first.
        first: String,
        /// The user named second.
        second: String,
    },
    /// No role may upload.
    #[error(
        "no role provides data; name one `{DATA_PROVIDER}`, or list /upload_data with the role \
         that uploads"
    )]
    NoProvider,
    /// More than one role, or another than `data_provider` although there is one, may upload.
    #[error(
        "line {line}: /upload_data must be given to one role, and to `{DATA_PROVIDER}` if there is \
         such a role"
    )]
    ProviderRole {
        /// Line of the file, from 1.
        line: u64,
    },
    /// Confirming was given to a role that has nothing to confirm.
    #[error("line {line}: {path} must have the same access as /upload_data, the role `{role}`")]
    ConfirmRole {
        /// Line of the file, from 1.
        line: u64,
        /// Path of the endpoint.
        path: &'static str,
        /// The data-providing role.
        role: String,
    },
    /// A path that nobody may use.
    #[error("line {line}: `access` of {path} names no role")]
    NoAccess {
        /// Line of the file, from 1.
        line: u64,
        /// Path of the endpoint.
        path: &'static str,
    },
    /// The enclave speaks to nobody.
    #[error(
        "line {line}: `outbound` lists `{name}`, but a room makes no outbound connections; remove \
         the entry"
    )]
    Outbound {
        /// Line of the file, from 1.
        line: u64,
        /// The entry's name.
        name: String,
    },
    /// Traffic that is not TCP.
    #[error("line {line}: the traffic type `{found}` is unknown; the only one is `tcp`")]
    TrafficType {
        /// Line of the file, from 1.
        line: u64,
        /// The text as it was written.
        found: String,
    },
}

fn hint(suggestion: &Option<String>) -> String {
    suggestion
        .as_ref()
        .map(|name| format!("; did you mean `{name}`?"))
        .unwrap_or_default()
}
