//! The checks that turn `service.yaml` into a policy.

use std::collections::BTreeMap;
use std::sync::Arc;

use strict_yaml::{Spanned, nearest};

use crate::endpoint::Endpoint;
use crate::policy::{Listing, ServicePolicy, User};
use crate::policy_error::PolicyError;
use crate::public_key::PublicKey;
use crate::service_file::{InOrder, RoleEntry, ServiceFile, Traffic, UserEntry};

/// The role whose users bring data, unless the file gives `/upload_data` to a role of another name.
pub(crate) const DATA_PROVIDER: &str = "data_provider";
pub(crate) const MAX_USERS: usize = 256;
pub(crate) const MAX_NAME: usize = 64;
/// Words that mean something else where a user's name may be (`/columns?party=mine`).
const RESERVED_NAMES: [&str; 2] = ["mine", "theirs"];

/// Checks one thing after another, and makes the policy if all hold.
pub(crate) fn checked(file: &ServiceFile) -> Result<ServicePolicy, PolicyError> {
    check_auth(file)?;
    let roles = check_roles(&file.roles)?;
    let listed = check_paths(file, &roles)?;
    let provider_role = provider_role(file, &roles, &listed)?;
    let users = check_users(file.users.as_ref(), &file.roles)?;
    check_traffic(file.traffic.as_ref())?;
    Ok(ServicePolicy {
        users,
        provider_role,
        listed,
        warnings: warnings(file),
    })
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
    for endpoint in [Endpoint::ConfirmData, Endpoint::WithdrawConfirmation] {
        if let Some(place) = access(endpoint)
            && listed[place].1 != [provider.clone()]
        {
            return Err(PolicyError::ConfirmRole {
                line: line(&file.paths[place].path),
                path: endpoint.path(),
                role: provider.to_string(),
            });
        }
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
    // Names prefix columns and appear in receipts, where two that differ in letter case alone
    // would be taken for one.
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
    // A key is who one is to the room: with a shared one a user could act as another.
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
