//! `service.yaml`, checked; and the decision.

use std::sync::Arc;

use crate::endpoint::{Audience, Endpoint};
use crate::policy_error::PolicyError;
use crate::public_key::PublicKey;
use crate::service_check::checked;

/// Who may take part, and who may do what. It holds these promises:
///
/// - every role has exactly as many users as its cardinality says, and at least two provide data;
/// - no two users share a name (letter case aside) or a key, and no key is weak;
/// - every path is one that the room serves, and every role that is named exists.
///
/// The rule for a path: listed in `paths`, it is for the roles of its `access` and nobody else; not
/// listed, it is for its [`Audience`]. Sending and confirming data is for the data-providing role
/// always. That role is the one with access to `/upload_data`, or `data_provider` where that path
/// is not listed.
#[derive(Clone, Debug)]
pub struct ServicePolicy {
    pub(crate) users: Vec<User>,
    pub(crate) provider_role: Arc<str>,
    pub(crate) listed: Vec<Listing>,
    pub(crate) warnings: Vec<String>,
}

/// A path and the roles it is given to, as the file lists them.
pub(crate) type Listing = (Endpoint, Vec<Arc<str>>);

/// One who may take part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub(crate) name: Arc<str>,
    pub(crate) role: Arc<str>,
    pub(crate) key: PublicKey,
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
        /// Path of the endpoint.
        path: &'static str,
        /// The role of the one who asked.
        role: Arc<str>,
    },
}

impl ServicePolicy {
    /// Reads and checks `service.yaml`. Files of the workshop load as they are, once they list
    /// their users.
    ///
    /// # Errors
    /// The first thing that is wrong, as a sentence with its line.
    pub fn from_yaml(text: &[u8]) -> Result<Self, PolicyError> {
        checked(&strict_yaml::from_slice(text)?)
    }

    /// Decides whether the holder of this key (SPKI in DER, as the channel authenticated it) may
    /// make this request.
    ///
    /// `method` is in upper case; `path` is without the query.
    ///
    /// # Errors
    /// Why not, in this order: the key, the path, the method, the role.
    pub fn authorize(&self, spki: &[u8], method: &str, path: &str) -> Result<Authorized, Denied> {
        // The key first: who is not registered learns nothing of what there is.
        let user = self.user_of(spki).ok_or(Denied::NotRegistered)?;
        let endpoint = Endpoint::at(path).ok_or(Denied::UnknownPath)?;
        let allowed = endpoint.methods();
        if !allowed.contains(&method) {
            return Err(Denied::Method { allowed });
        }
        if !self.permits(endpoint, user) {
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
        // Keys are public, and the channel has checked that the caller holds the private one: a
        // comparison in constant time would protect nothing.
        self.users.iter().find(|user| user.key.spki() == spki)
    }

    /// What the file says that has no effect here: for the person who checks it.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether a user of this policy may make requests of the path. The decision itself is
    /// [`Self::authorize`]'s.
    pub fn permits(&self, endpoint: Endpoint, user: &User) -> bool {
        let role = &user.role;
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

    /// Returns the name of the role.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// The key that the channel authenticates.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }
}

impl Authorized {
    /// Returns the name of the user who asks.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// In which role.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// Returns the endpoint that is asked for.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }
}
