//! How the enclave's memory is shared out.

use crate::agreement::CheckedAgreement;

/// Of the enclave's memory, what is kept for everything but the parties' tables: the program, its
/// connections, and what the fit needs besides the joined table (counts, the model, and its
/// samples), all of which is bounded by public facts.
const RESERVE: u64 = 192 << 20;
/// And this part of the whole memory besides.
const RESERVED_PART: u64 = 8;

/// With less than this for each party a room is of no use: reading a table of one row takes 5 MiB
/// of the half that a table may take.
pub(crate) const LEAST_PARTY_BYTES: u64 = 32 << 20;

/// The parties' shares of the enclave's memory. They are fixed before the room opens, by the size
/// of that memory and the agreement alone; so whether a table is taken in never depends on what
/// another party has uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryShares {
    party: u64,
}

/// The enclave has too little memory for the agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the enclave has {memory} bytes of memory, and {parties} parties with {party} bytes each need \
     {needed}; give it more{}",
    if *.agreed { ", or lower max_party_memory_bytes in runtime.yaml" } else { "" }
)]
pub struct TooLittleMemory {
    memory: u64,
    parties: u64,
    party: u64,
    needed: u64,
    /// Whether the agreement names the share.
    agreed: bool,
}

impl MemoryShares {
    /// Shares out the memory that the enclave has, in bytes: each party gets what the agreement
    /// says (`limits: {max_party_memory_bytes: ..}`), or an even part of what is not kept back.
    ///
    /// # Errors
    /// If there is too little memory.
    pub fn new(agreement: &CheckedAgreement, memory: u64) -> Result<Self, TooLittleMemory> {
        let parties = agreement.parties().len() as u64;
        // An eighth of all besides a fixed part: buffers of connections and of the fit grow with
        // the machine.
        let reserve = RESERVE + memory / RESERVED_PART;
        let reserve = reserve.saturating_add(agreement.plan().memory());
        // Even by number of parties, not by need: what one party needs must not show in what
        // another gets.
        let even = memory.saturating_sub(reserve) / parties;
        let agreed = agreement.limits().max_party_memory_bytes;
        // At least the least share, so that too little memory is refused at the start and not at
        // the first upload.
        let party = agreed.unwrap_or(even.max(LEAST_PARTY_BYTES));
        // Saturating: the agreement may name any number of bytes.
        let needed = reserve.saturating_add(party.saturating_mul(parties));
        if needed > memory {
            return Err(TooLittleMemory {
                memory,
                parties,
                party,
                needed,
                agreed: agreed.is_some(),
            });
        }
        Ok(Self { party })
    }

    /// Bytes that everything of one party may take: its tables, and its columns of the joined
    /// table.
    #[must_use]
    pub fn party_bytes(self) -> u64 {
        self.party
    }

    /// Bytes that one table may take while it is read. Half, as the table that it replaces is kept
    /// until it is whole: so whoever has uploaded a table can always upload another as large.
    #[must_use]
    pub fn table_bytes(self) -> u64 {
        self.party / 2
    }
}

#[cfg(test)]
mod tests {
    use protocol::Agreement;

    use super::*;
    use crate::training::tests::two_parties;

    fn shares(limits: &str, memory: u64) -> Result<MemoryShares, TooLittleMemory> {
        let runtime = format!("method: MST\nepsilon: 1\nparty_names: [A, B]\n{limits}");
        let agreement = Agreement::new(two_parties(), runtime).unwrap();
        MemoryShares::new(&CheckedAgreement::parse(agreement).unwrap(), memory)
    }

    #[test]
    fn what_is_not_kept_back_is_shared_evenly() {
        let shares = shares("", 1 << 30).unwrap();
        assert_eq!(shares.party_bytes(), ((1 << 30) - (320 << 20)) / 2);
        assert_eq!(shares.table_bytes(), shares.party_bytes() / 2);
    }

    #[test]
    fn what_the_method_counts_at_once_is_kept_back_too() {
        let of = |runtime: &str| {
            let agreement = Agreement::new(two_parties(), runtime).unwrap();
            let agreement = CheckedAgreement::parse(agreement).unwrap();
            MemoryShares::new(&agreement, 4 << 30)
                .unwrap()
                .party_bytes()
        };
        let aim = "method: AIM\nepsilon: 1\nparty_names: [A, B]\n";
        let small = "columns: {A: {a: {categories: [x, y]}}, B: {b: {categories: [x, y]}}}\n";
        let (mst, unknown) = (of(&aim.replace("AIM", "MST")), of(aim));
        let declared = of(&format!("{aim}{small}"));
        // Each of the two parties gives half of 2^27 counts of 4 bytes, and of a model of 80 MiB.
        assert_eq!(mst - unknown, ((512 + 3 * 80) / 2) << 20);
        assert!(
            mst > declared && declared - unknown > 255 << 20,
            "{declared}"
        );
    }

    #[test]
    fn the_agreement_can_name_the_share() {
        let limits = "limits: {max_party_memory_bytes: 100000000}\n";
        assert_eq!(shares(limits, 1 << 30).unwrap().party_bytes(), 100_000_000);
        let refused = shares(limits, 400_000_000).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the enclave has 400000000 bytes of memory, and 2 parties with 100000000 bytes each \
             need 451326592; give it more, or lower max_party_memory_bytes in runtime.yaml"
        );
    }

    #[test]
    fn too_little_memory_is_said_before_a_room_opens() {
        assert!(shares("", 300 << 20).is_ok());
        assert!(shares("", 200 << 20).is_err());
    }
}
