use crate::Clique;

/// Why a model could not be built, estimated or asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A domain was declared with an attribute that has no code, or more codes than a code can
    /// name.
    #[error("attribute {attribute} has {size} codes; it needs between 1 and 4294967295")]
    BadSize {
        /// Position of the attribute in the domain.
        attribute: usize,
        /// The size that was asked for.
        size: usize,
    },
    /// A clique names an attribute outside the domain.
    #[error("clique {clique} names an attribute outside the domain of {attributes} attributes")]
    UnknownAttribute {
        /// The clique that names it.
        clique: Clique,
        /// Number of attributes of the domain.
        attributes: usize,
    },
    /// Values do not fill the table of their clique.
    #[error("clique {clique} has {expected} cells, but {found} values were given")]
    WrongLength {
        /// The clique whose table was given.
        clique: Clique,
        /// How many cells the clique has.
        expected: usize,
        /// How many values were given.
        found: usize,
    },
    /// A table, or all tables of a junction tree together, would be too large to hold in memory.
    #[error(
        "the model needs {cells} cells, more than the limit of {limit}; use fewer or smaller \
         cliques"
    )]
    TooLarge {
        /// How many cells it needs; the largest number where there are more.
        cells: u128,
        /// How many cells are allowed.
        limit: u128,
    },
    /// A measured value or potential is not a usable number.
    #[error("clique {clique} holds a value that is not usable: {reason}")]
    BadValue {
        /// The clique whose table holds the value.
        clique: Clique,
        /// What a value must be.
        reason: &'static str,
    },
    /// A noise scale is zero, negative, infinite or not a number.
    #[error("clique {clique} was given a standard deviation that is not positive and finite")]
    BadSigma {
        /// The clique of the measurement.
        clique: Clique,
    },
    /// A total is negative, infinite or not a number.
    #[error("the total must be positive and finite")]
    BadTotal,
    /// The potentials forbid every combination of codes.
    #[error("the potentials leave no combination of codes possible")]
    NoMass,
    /// The evidence has probability zero.
    #[error("the model gives the evidence probability 0")]
    Impossible,
    /// The caller asked to stop.
    #[error("the estimation was cancelled")]
    Cancelled,
    /// The warm start belongs to another domain.
    #[error("the model to start from has another domain")]
    OtherDomain,
}
