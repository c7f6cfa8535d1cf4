//! `service.yaml`, checked; and the decision.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_saphyr::Spanned;

use crate::endpoint::{Audience, Endpoint};
use crate::public_key::{PublicKey, WeakOrUnreadableKey};
use crate::service_file::{InOrder, RoleEntry, ServiceFile, Traffic, UserEntry};
use crate::yaml::{YamlError, from_yaml, nearest};

/// The role whose users bring data, unless the file gives `/upload_data` to a role of another name.
const DATA_PROVIDER: &str = "data_provider";
const MAX_USERS: usize = 256;
const MAX_NAME: usize = 64;
/// Words that mean something else where a user's name may stand (`/columns?party=mine`).
const RESERVED_NAMES: [&str; 2] = ["mine", "theirs"];

/// A path and the roles it is given to, as the file lists them.
type Listing = (Endpoint, Vec<Arc<str>>);

/// Who may take part, and who may do what. It holds these promises:
///
/// - every role has exactly as many users as its cardinality says, and at least two provide data;
/// - no two users share a name (letter case aside) or a key, and no key is weak;
/// - every path is one that the room serves, and every role that is named exists.
///
/// The rule for a path: listed in `paths`, it is for the roles of its `access` and nobody else; not listed, it is for
/// its [`Audience`]. Sending and confirming data is for the data-providing role always. That role is the one with
/// access to `/upload_data`, or `data_provider` where that path is not listed.
#[derive(Clone, Debug)]
pub struct ServicePolicy {
    users: Vec<User>,
    provider_role: Arc<str>,
    listed: Vec<Listing>,
    warnings: Vec<String>,
}

/// One who may take part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    name: Arc<str>,
    role: Arc<str>,
    key: PublicKey,
}

/// That this user may make this request. Only [`ServicePolicy::authorize`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorized {
    user: Arc<str>,
    role: Arc<str>,
    endpoint: Endpoint,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The key belongs to no user of the agreement.
    #[error("your key is not registered in this room's agreement")]
    NotRegistered,
    /// Nothing is served at the path.
    #[error("there is nothing at this path; GET /openapi.json lists what there is")]
    UnknownPath,
    /// The path does not answer this method.
    #[error("this path answers {} only", allowed.join(" and "))]
    Method {
        /// What it answers.
        allowed: &'static [&'static str],
    },
    /// The agreement gives the path to other roles.
    #[error("the agreement does not give {path} to the role `{role}`")]
    Role {
        /// The path.
        path: &'static str,
        /// The role of the one who asked.
        role: Arc<str>,
    },
}

/// Why a `service.yaml` is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not of the right form.
    #[error("{0}")]
    Yaml(#[from] YamlError),
    /// No users at all.
    #[error(
        "there are no `users`; list for each role the `user_name` and `public_key` of those who take part"
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
        /// Where.
        line: u64,
        /// What was written.
        found: String,
    },
    /// Something was named that is not defined, or defined twice.
    #[error("line {line}: {what} `{name}` is {problem}{}", hint(suggestion))]
    Name {
        /// Where.
        line: u64,
        /// The kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
        /// What may have been meant.
        suggestion: Option<String>,
    },
    /// A user's name that could not be used as a prefix of columns.
    #[error(
        "line {line}: the user name `{name}` must be 1 to {MAX_NAME} letters, digits, `_`, `-` or `.` (ASCII), begin with a letter or digit, \
         and be neither `mine` nor `theirs`"
    )]
    UserName {
        /// Where.
        line: u64,
        /// The name.
        name: String,
    },
    /// Too many or too few users of a role.
    #[error(
        "the role `{role}` must have exactly {cardinality} users (its role_cardinality), but {found} are listed"
    )]
    Cardinality {
        /// The role.
        role: String,
        /// What its cardinality says.
        cardinality: u32,
        /// Users listed.
        found: usize,
    },
    /// One data provider is no collaboration.
    #[error(
        "line {line}: the role `{role}` provides the data, so its role_cardinality must be at least 2"
    )]
    TooFewProviders {
        /// Where.
        line: u64,
        /// The role.
        role: String,
    },
    /// More users than a room takes.
    #[error("{found} users are listed; a room takes at most {MAX_USERS}")]
    TooManyUsers {
        /// Users listed.
        found: usize,
    },
    /// A key that cannot be used.
    #[error("line {line}: the public key of `{user}`: {cause}")]
    Key {
        /// Where.
        line: u64,
        /// Whose.
        user: String,
        /// What is wrong.
        #[source]
        cause: WeakOrUnreadableKey,
    },
    /// Whoever holds the key would be two people.
    #[error(
        "line {line}: `{second}` has the same public key as `{first}`; each user needs a key of their own"
    )]
    SharedKey {
        /// Where.
        line: u64,
        /// The user named first.
        first: String,
        /// The user named second.
        second: String,
    },
    /// No role may upload.
    #[error(
        "no role provides data; name one `{DATA_PROVIDER}`, or list /upload_data with the role that uploads"
    )]
    NoProvider,
    /// More than one role, or another than `data_provider` although there is one, may upload.
    #[error(
        "line {line}: /upload_data must be given to one role, and to `{DATA_PROVIDER}` if there is such a role"
    )]
    ProviderRole {
        /// Where.
        line: u64,
    },
    /// Confirming was given to a role that has nothing to confirm.
    #[error(
        "line {line}: /confirm_data must have the same access as /upload_data, the role `{role}`"
    )]
    ConfirmRole {
        /// Where.
        line: u64,
        /// The data-providing role.
        role: String,
    },
    /// A path that nobody may use.
    #[error("line {line}: `access` of {path} names no role")]
    NoAccess {
        /// Where.
        line: u64,
        /// The path.
        path: &'static str,
    },
    /// The enclave speaks to nobody.
    #[error(
        "line {line}: `outbound` lists `{name}`, but a room makes no outbound connections; remove the entry"
    )]
    Outbound {
        /// Where.
        line: u64,
        /// The entry's name.
        name: String,
    },
    /// Traffic that is no TCP.
    #[error("line {line}: the traffic type `{found}` is unknown; the only one is `tcp`")]
    TrafficType {
        /// Where.
        line: u64,
        /// What was written.
        found: String,
    },
}

impl ServicePolicy {
    /// Reads and checks `service.yaml`. Files of the workshop load as they are, once they list their users.
    ///
    /// # Errors
    /// The first thing that is wrong, as a sentence with its line.
    pub fn from_yaml(text: &[u8]) -> Result<Self, PolicyError> {
        let file: ServiceFile = from_yaml(text)?;
        check_auth(&file)?;
        let roles = check_roles(&file.roles)?;
        let listed = check_paths(&file, &roles)?;
        let provider_role = provider_role(&file, &roles, &listed)?;
        let users = check_users(file.users.as_ref(), &file.roles)?;
        check_traffic(file.traffic.as_ref())?;
        Ok(ServicePolicy {
            users,
            provider_role,
            listed,
            warnings: warnings(&file),
        })
    }

    /// Decides whether the holder of this key (SPKI in DER, as the channel authenticated it) may make this request.
    ///
    /// `method` is in upper case; `path` is without the query.
    ///
    /// # Errors
    /// Why not, in this order: the key, the path, the method, the role.
    pub fn authorize(&self, spki: &[u8], method: &str, path: &str) -> Result<Authorized, Denied> {
        let user = self.user_of(spki).ok_or(Denied::NotRegistered)?;
        let endpoint = Endpoint::at(path).ok_or(Denied::UnknownPath)?;
        let allowed = endpoint.methods();
        if !allowed.contains(&method) {
            return Err(Denied::Method { allowed });
        }
        if !self.permits(endpoint, &user.role) {
            return Err(Denied::Role {
                path: endpoint.path(),
                role: user.role.clone(),
            });
        }
        Ok(Authorized {
            user: user.name.clone(),
            role: user.role.clone(),
            endpoint,
        })
    }

    /// Everyone who may take part, in the order of the file.
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// The users who provide data, in the order of the file.
    pub fn data_providers(&self) -> impl Iterator<Item = &User> {
        self.users
            .iter()
            .filter(|user| user.role == self.provider_role)
    }

    /// The user whose key this is.
    pub fn user_of(&self, spki: &[u8]) -> Option<&User> {
        self.users.iter().find(|user| user.key.spki() == spki)
    }

    /// What the file says that has no effect here: for the person who checks it.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn permits(&self, endpoint: Endpoint, role: &Arc<str>) -> bool {
        let is_provider = *role == self.provider_role;
        let listed = self
            .listed
            .iter()
            .find(|(listed, _)| *listed == endpoint)
            .map(|(_, roles)| roles);
        match (endpoint.audience(), listed) {
            (Audience::OnlyProviders, _) | (Audience::Providers, None) => is_provider,
            (Audience::Providers | Audience::Registered, Some(roles)) => roles.contains(role),
            (Audience::Registered, None) => true,
        }
    }
}

impl User {
    /// The name, which is also the prefix of a party's columns.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The role.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// The key that the channel authenticates.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }
}

impl Authorized {
    /// Who asks.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// In which role.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// What for.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }
}

fn check_auth(file: &ServiceFile) -> Result<(), PolicyError> {
    if file.auth.is_empty() {
        return Err(PolicyError::NoAuth);
    }
    let mut seen: Vec<&str> = Vec::new();
    for entry in &file.auth {
        if entry.auth_type.value != "signed_headers" {
            let line = line(&entry.auth_type);
            return Err(PolicyError::AuthType {
                line,
                found: entry.auth_type.value.clone(),
            });
        }
        if seen.contains(&entry.auth_name.value.as_str()) {
            return Err(twice("the auth_name", &entry.auth_name));
        }
        seen.push(&entry.auth_name.value);
    }
    let named = file.roles.iter().filter_map(|role| role.role_auth.as_ref());
    named
        .filter(|name| !seen.contains(&name.value.as_str()))
        .map(|name| not_defined("the role_auth", name, seen.iter().copied()))
        .next()
        .map_or(Ok(()), Err)
}

fn check_roles(entries: &[RoleEntry]) -> Result<Vec<Arc<str>>, PolicyError> {
    let mut roles: Vec<Arc<str>> = Vec::new();
    for entry in entries {
        let name = entry.role_name.value.as_str();
        if roles.iter().any(|role| **role == *name) {
            return Err(twice("the role", &entry.role_name));
        }
        roles.push(name.into());
    }
    Ok(roles)
}

fn check_paths(file: &ServiceFile, roles: &[Arc<str>]) -> Result<Vec<Listing>, PolicyError> {
    let mut listed: Vec<Listing> = Vec::new();
    for entry in &file.paths {
        let line = line(&entry.path);
        let known = || Endpoint::ALL.iter().map(|endpoint| endpoint.path());
        let endpoint = Endpoint::at(&entry.path.value).ok_or_else(|| PolicyError::Name {
            line,
            what: "the path",
            name: entry.path.value.clone(),
            problem: "not one that a room serves",
            suggestion: nearest(&entry.path.value, known()).map(str::to_owned),
        })?;
        if listed.iter().any(|(seen, _)| *seen == endpoint) {
            return Err(twice("the path", &entry.path));
        }
        let mut access = Vec::new();
        for name in &entry.access.0 {
            let role =
                roles
                    .iter()
                    .find(|role| ***role == **name)
                    .ok_or_else(|| PolicyError::Name {
                        line,
                        what: "the role",
                        name: name.clone(),
                        problem: "not defined in `roles`",
                        suggestion: nearest(name, roles.iter().map(|role| &**role))
                            .map(str::to_owned),
                    })?;
            access.push(role.clone());
        }
        if access.is_empty() {
            return Err(PolicyError::NoAccess {
                line,
                path: endpoint.path(),
            });
        }
        listed.push((endpoint, access));
    }
    Ok(listed)
}

fn provider_role(
    file: &ServiceFile,
    roles: &[Arc<str>],
    listed: &[Listing],
) -> Result<Arc<str>, PolicyError> {
    let access = |wanted: Endpoint| listed.iter().position(|(endpoint, _)| *endpoint == wanted);
    let default = roles.iter().find(|role| ***role == *DATA_PROVIDER);
    let provider = match access(Endpoint::UploadData) {
        Some(place) => match (listed[place].1.as_slice(), default) {
            ([only], None) => only,
            ([only], Some(default)) if only == default => only,
            _ => {
                return Err(PolicyError::ProviderRole {
                    line: line(&file.paths[place].path),
                });
            }
        },
        None => default.ok_or(PolicyError::NoProvider)?,
    };
    if let Some(place) = access(Endpoint::ConfirmData)
        && listed[place].1 != [provider.clone()]
    {
        let line = line(&file.paths[place].path);
        return Err(PolicyError::ConfirmRole {
            line,
            role: provider.to_string(),
        });
    }
    let entry = file
        .roles
        .iter()
        .find(|entry| entry.role_name.value == **provider);
    match entry.map(|entry| &entry.role_cardinality) {
        Some(cardinality) if cardinality.value < 2 => Err(PolicyError::TooFewProviders {
            line: line(cardinality),
            role: provider.to_string(),
        }),
        _ => Ok(provider.clone()),
    }
}

fn check_users(
    users: Option<&InOrder<Vec<UserEntry>>>,
    roles: &[RoleEntry],
) -> Result<Vec<User>, PolicyError> {
    let users = users.ok_or(PolicyError::NoUsers)?;
    let found = users.0.iter().map(|(_, entries)| entries.len()).sum();
    if found > MAX_USERS {
        return Err(PolicyError::TooManyUsers { found });
    }
    let mut of_role: BTreeMap<&str, usize> = BTreeMap::new();
    let mut checked: Vec<User> = Vec::new();
    for (role, entries) in &users.0 {
        if !roles
            .iter()
            .any(|known| known.role_name.value == role.value)
        {
            return Err(not_defined(
                "the role",
                role,
                roles.iter().map(|known| known.role_name.value.as_str()),
            ));
        }
        of_role.insert(&role.value, entries.len());
        let role: Arc<str> = role.value.as_str().into();
        for entry in entries {
            let user = check_user(entry, &role, &checked)?;
            checked.push(user);
        }
    }
    for role in roles {
        let (name, cardinality) = (&role.role_name.value, role.role_cardinality.value);
        let found = of_role.get(name.as_str()).copied().unwrap_or(0);
        if usize::try_from(cardinality) != Ok(found) {
            return Err(PolicyError::Cardinality {
                role: name.clone(),
                cardinality,
                found,
            });
        }
    }
    Ok(checked)
}

fn check_user(entry: &UserEntry, role: &Arc<str>, before: &[User]) -> Result<User, PolicyError> {
    let name = entry.user_name.value.as_str();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let reserved = RESERVED_NAMES
        .iter()
        .any(|word| word.eq_ignore_ascii_case(name));
    if !begins_well || name.len() > MAX_NAME || !name.chars().all(plain) || reserved {
        return Err(PolicyError::UserName {
            line: line(&entry.user_name),
            name: name.to_owned(),
        });
    }
    if before
        .iter()
        .any(|user| user.name.eq_ignore_ascii_case(name))
    {
        return Err(twice("the user name", &entry.user_name));
    }
    let line = line(&entry.public_key);
    let key = PublicKey::parse(&entry.public_key.value).map_err(|cause| PolicyError::Key {
        line,
        user: name.to_owned(),
        cause,
    })?;
    if let Some(first) = before.iter().find(|user| user.key == key) {
        return Err(PolicyError::SharedKey {
            line,
            first: first.name.to_string(),
            second: name.to_owned(),
        });
    }
    Ok(User {
        name: name.into(),
        role: role.clone(),
        key,
    })
}

fn check_traffic(traffic: Option<&Traffic>) -> Result<(), PolicyError> {
    let Some(traffic) = traffic else {
        return Ok(());
    };
    if let Some(entry) = traffic.outbound.first() {
        return Err(PolicyError::Outbound {
            line: line(&entry.name),
            name: entry.name.value.clone(),
        });
    }
    let kinds = traffic
        .inbound
        .iter()
        .chain(&traffic.stray)
        .filter_map(|inbound| inbound.kind.as_ref());
    match kinds.into_iter().find(|kind| kind.value != "tcp") {
        Some(kind) => Err(PolicyError::TrafficType {
            line: line(kind),
            found: kind.value.clone(),
        }),
        None => Ok(()),
    }
}

fn warnings(file: &ServiceFile) -> Vec<String> {
    let stray = file
        .traffic
        .as_ref()
        .is_some_and(|traffic| traffic.stray.is_some());
    let unused = [
        (file.base_image.is_some(), "`base_image`"),
        (!file.build_args.is_empty(), "`build_args`"),
        (stray, "`0` in `traffic`"),
    ];
    unused
        .into_iter()
        .filter(|(present, _)| *present)
        .map(|(_, key)| format!("{key} has no effect: the measurements name the program that runs"))
        .collect()
}

fn line<T>(value: &Spanned<T>) -> u64 {
    value.referenced.line()
}

fn twice(what: &'static str, name: &Spanned<String>) -> PolicyError {
    PolicyError::Name {
        line: line(name),
        what,
        name: name.value.clone(),
        problem: "given twice",
        suggestion: None,
    }
}

fn not_defined<'a>(
    what: &'static str,
    name: &Spanned<String>,
    known: impl IntoIterator<Item = &'a str>,
) -> PolicyError {
    PolicyError::Name {
        line: line(name),
        what,
        name: name.value.clone(),
        problem: "not defined",
        suggestion: nearest(&name.value, known).map(str::to_owned),
    }
}

fn hint(suggestion: &Option<String>) -> String {
    suggestion
        .as_ref()
        .map(|name| format!("; did you mean `{name}`?"))
        .unwrap_or_default()
}
