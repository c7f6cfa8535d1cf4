//! The body of a network's file: that of the columns' own model, and the network.

use std::sync::Arc;

use neural::{Blocks, Generator as Net, Shape};
use schema::Schema;
use serde::{Deserialize, Serialize};

use super::groups::Groups;
use super::{Network, NetworkField};
use crate::Model;
use crate::body::BodyRef;
use crate::random_field::RandomField;

/// Weights of a network, at most: evaluating it at all points takes some ten seconds.
pub(crate) const MOST_PARAMETERS: usize = 1 << 22;
/// Of a layer, at most.
const MOST_WIDTH: usize = 512;
/// Far beyond what a fit can give, and so small that no sum overflows: five layers of so large
/// weights and so many inputs give at most 10^20 512^4.
pub(crate) const LARGEST_PARAMETER: f32 = 1e4;

#[derive(Serialize)]
pub(crate) struct NetworkRef<'a> {
    #[serde(flatten)]
    columns: BodyRef<'a>,
    network: NetworkBodyRef<'a>,
}

#[derive(Serialize)]
struct NetworkBodyRef<'a> {
    groups: &'a [Groups],
    embedding: usize,
    hidden: &'a [usize],
    parameters: &'a [f32],
}

/// What a file says of a network.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkBody {
    groups: Vec<Groups>,
    embedding: usize,
    hidden: Vec<usize>,
    parameters: Vec<f32>,
}

impl<'a> NetworkRef<'a> {
    pub(crate) fn new(
        model: &'a Model,
        base: &'a RandomField,
        network: &'a Network,
    ) -> NetworkRef<'a> {
        NetworkRef {
            columns: BodyRef::of_network(model, base),
            network: NetworkBodyRef {
                groups: &network.groups,
                embedding: network.net.shape().embedding,
                hidden: &network.net.shape().hidden,
                parameters: network.net.parameters(),
            },
        }
    }
}

impl NetworkBody {
    /// What makes the rows, of the columns' model and this network. Everything is checked before it
    /// is used.
    pub(crate) fn onto(
        self,
        schema: &Arc<Schema>,
        base: RandomField,
    ) -> Result<NetworkField, String> {
        let refusal = || "its network is not that of its schema".to_owned();
        let sizes = schema.sizes();
        let right = self.groups.len() == sizes.len()
            && self
                .groups
                .iter()
                .zip(&sizes)
                .all(|(groups, &size)| groups.is_sound(size));
        if !right {
            return Err(refusal());
        }
        let too_wide = |&width: &usize| width > MOST_WIDTH;
        if self.hidden.len() > 4 || self.hidden.iter().chain([&self.embedding]).any(too_wide) {
            return Err(refusal());
        }
        let usable = |parameter: &f32| parameter.abs() <= LARGEST_PARAMETER;
        if self.parameters.len() > MOST_PARAMETERS || !self.parameters.iter().all(usable) {
            return Err("a weight of its network is not usable".to_owned());
        }
        let blocks = Blocks::new(&self.groups.iter().map(Groups::size).collect::<Vec<_>>());
        let shape = Shape {
            embedding: self.embedding,
            hidden: self.hidden,
        };
        let net = Net::from_parameters(&blocks, &shape, self.parameters).ok_or_else(refusal)?;
        let network = Network {
            groups: self.groups,
            net,
        };
        Ok(NetworkField::new(schema, base, network))
    }
}
