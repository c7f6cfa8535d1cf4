//! The shape of `service.yaml`, nothing checked beyond it.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use strict_yaml::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceFile {
    pub(crate) auth: Vec<AuthEntry>,
    #[serde(default)]
    pub(crate) paths: Vec<PathEntry>,
    pub(crate) roles: Vec<RoleEntry>,
    #[serde(default)]
    pub(crate) traffic: Option<Traffic>,
    pub(crate) users: Option<InOrder<Vec<UserEntry>>>,
    // What the workshop's build service needed. Nothing here depends on it.
    #[serde(default)]
    #[expect(dead_code, reason = "for readers of the agreement")]
    pub(crate) meta: Option<Meta>,
    #[serde(default)]
    pub(crate) base_image: Option<String>,
    #[serde(default)]
    pub(crate) build_args: Vec<BuildArgument>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthEntry {
    pub(crate) auth_name: Spanned<String>,
    pub(crate) auth_type: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PathEntry {
    pub(crate) path: Spanned<String>,
    pub(crate) access: OneOrMany,
    #[serde(default)]
    #[expect(dead_code, reason = "for readers of the agreement")]
    pub(crate) short_description: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleEntry {
    pub(crate) role_name: Spanned<String>,
    pub(crate) role_cardinality: Spanned<u32>,
    #[serde(default)]
    pub(crate) role_auth: Option<Spanned<String>>,
    #[serde(default)]
    #[expect(dead_code, reason = "for readers of the agreement")]
    pub(crate) role_description: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserEntry {
    pub(crate) user_name: Spanned<String>,
    #[serde(alias = "public key")]
    pub(crate) public_key: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Traffic {
    #[serde(default)]
    pub(crate) inbound: Vec<Inbound>,
    #[serde(default)]
    pub(crate) outbound: Vec<Outbound>,
    // A slip in the workshop's own files, which their console wrote beside `inbound`.
    #[serde(default, rename = "0")]
    pub(crate) stray: Option<Inbound>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Inbound {
    #[expect(
        dead_code,
        reason = "for the host's readers; the enclave listens where its platform says"
    )]
    pub(crate) name: String,
    #[expect(
        dead_code,
        reason = "for the host's readers; the enclave listens where its platform says"
    )]
    pub(crate) port: u16,
    #[serde(default, rename = "type")]
    pub(crate) kind: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "any entry is refused, whatever it holds")]
pub(crate) struct Outbound {
    pub(crate) name: Spanned<String>,
    pub(crate) domain: String,
    pub(crate) port: u16,
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "for readers of the agreement")]
pub(crate) struct Meta {
    author: Option<String>,
    author_email: Option<String>,
    git: Option<String>,
    version: Option<String>,
    docs: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the workshop's build service used them")]
pub(crate) struct BuildArgument {
    name: String,
    required_arg: Option<bool>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// One name or a list of names.
#[derive(Debug)]
pub(crate) struct OneOrMany(pub(crate) Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a role's name or a list of them")
            }

            fn visit_str<E>(self, name: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![name.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<OneOrMany, A::Error> {
                let mut all = Vec::new();
                while let Some(name) = names.next_element()? {
                    all.push(name);
                }
                Ok(OneOrMany(all))
            }
        }
        deserializer.deserialize_any(Names)
    }
}

/// A mapping in the order of the file, with the line of each key.
#[derive(Debug)]
pub(crate) struct InOrder<V>(pub(crate) Vec<(Spanned<String>, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for InOrder<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<V>(std::marker::PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = InOrder<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from role names to lists of users")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder<V>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(InOrder(entries))
            }
        }
        deserializer.deserialize_map(Entries(std::marker::PhantomData))
    }
}
