//! A party's seat in the room: what it has brought, and whether it has confirmed it.

use protocol::{Code, Commitment, PartyStatus, Problem};
use tabular::Upload;

use crate::commitments::Seen;

/// One data provider's place. A table may be replaced while it is not confirmed, and is taken away
/// once, for training.
#[derive(Debug)]
pub(crate) struct Seat {
    name: String,
    /// An upload is coming in.
    receiving: bool,
    table: Table,
}

// An enum and not flags: a confirmation without a table cannot be written down.
#[derive(Debug)]
enum Table {
    None,
    Uploaded(UploadedTable),
    /// And what the party has seen of the others' tables, on which its confirmation rests.
    Confirmed(UploadedTable, Seen),
    /// Training has it, or has overwritten it. It had so many rows.
    Taken(Commitment, u64),
}

/// A coded table and the commitment to the file it came from.
#[derive(Debug)]
pub(crate) struct UploadedTable {
    pub(crate) upload: Upload,
    pub(crate) commitment: Commitment,
}

impl Seat {
    pub(crate) fn new(name: String) -> Self {
        Seat {
            name,
            receiving: false,
            table: Table::None,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// An upload begins; [`Seat::end_upload`] must follow.
    pub(crate) fn begin_upload(&mut self) -> Result<(), Problem> {
        let detail = match self.table {
            // A second upload beside the first would need a third share of memory.
            Table::None | Table::Uploaded(_) if self.receiving => return Err(in_progress()),
            Table::None | Table::Uploaded(_) => {
                self.receiving = true;
                return Ok(());
            }
            // Not replaced silently: the party, and perhaps others, stand by this very table.
            Table::Confirmed(..) => {
                "You have confirmed your table; to replace it, withdraw that first (POST \
                 /withdraw_confirmation)."
            }
            Table::Taken(..) => "Every party has confirmed, so no table can be replaced any more.",
        };
        Err(Problem::new(Code::AlreadyConfirmed, detail))
    }

    /// The upload is over, whether it brought a table or not.
    pub(crate) fn end_upload(&mut self) {
        self.receiving = false;
    }

    /// The upload brought this table. Gives back the one that it replaces.
    pub(crate) fn take_in(&mut self, table: UploadedTable) -> Option<UploadedTable> {
        // `replace` leaves no moment in which the seat is empty of both.
        match std::mem::replace(&mut self.table, Table::Uploaded(table)) {
            Table::Uploaded(replaced) => Some(replaced),
            Table::None | Table::Confirmed(..) | Table::Taken(..) => None,
        }
    }

    /// Whether there is a table, and no other on its way.
    pub(crate) fn check_can_confirm(&self) -> Result<(), Problem> {
        if self.receiving {
            return Err(in_progress());
        }
        if self.has_uploaded() {
            return Ok(());
        }
        let detail = "There is nothing to confirm: upload your table first (POST /upload_data).";
        Err(Problem::new(Code::NothingUploaded, detail))
    }

    /// Confirms the table, if there is one. A confirmation that is there already stays, and comes
    /// to rest on what was seen if something was. Says whether that changed anything.
    pub(crate) fn confirm(&mut self, seen: Seen) -> bool {
        // Taken out and put back, since the table must move from one variant to the next without a
        // copy.
        match std::mem::replace(&mut self.table, Table::None) {
            Table::Uploaded(held) => {
                self.table = Table::Confirmed(held, seen);
                true
            }
            // An empty list adds nothing to what was seen before: repeated confirmations without
            // one change nothing.
            Table::Confirmed(held, before) if !seen.is_empty() && seen != before => {
                self.table = Table::Confirmed(held, seen);
                true
            }
            other => {
                self.table = other;
                false
            }
        }
    }

    /// Takes the confirmation back. Says whether there was one.
    pub(crate) fn withdraw(&mut self) -> bool {
        match std::mem::replace(&mut self.table, Table::None) {
            Table::Confirmed(held, _) => {
                self.table = Table::Uploaded(held);
                true
            }
            other => {
                self.table = other;
                false
            }
        }
    }

    /// Takes the confirmation back if it rests on what this party had uploaded. Says whether it
    /// did.
    pub(crate) fn lapse(&mut self, party: usize) -> bool {
        match &self.table {
            // A confirmation without commitments rests on nobody's table, and so stands.
            Table::Confirmed(_, seen) if seen.iter().any(|(other, _)| *other == party) => {
                self.withdraw()
            }
            _ => false,
        }
    }

    /// Takes a confirmed table away.
    pub(crate) fn take(&mut self) -> Option<Upload> {
        match std::mem::replace(&mut self.table, Table::None) {
            // The commitment stays: the receipt names it when the table is long gone.
            Table::Confirmed(UploadedTable { upload, commitment }, _) => {
                self.table = Table::Taken(commitment, rows(&upload));
                Some(upload)
            }
            other => {
                self.table = other;
                None
            }
        }
    }

    /// Overwrites the table, confirmed or not, or forgets that there was one.
    pub(crate) fn clear(&mut self) {
        self.table = Table::None;
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        matches!(self.table, Table::Confirmed(..) | Table::Taken(..))
    }

    pub(crate) fn has_uploaded(&self) -> bool {
        self.commitment().is_some()
    }

    pub(crate) fn commitment(&self) -> Option<&Commitment> {
        match &self.table {
            Table::None => None,
            Table::Uploaded(held) | Table::Confirmed(held, _) => Some(&held.commitment),
            Table::Taken(commitment, _) => Some(commitment),
        }
    }

    /// How many rows its table has; for its owner only.
    pub(crate) fn rows(&self) -> Option<u64> {
        match &self.table {
            Table::None => None,
            Table::Uploaded(held) | Table::Confirmed(held, _) => Some(rows(&held.upload)),
            Table::Taken(_, rows) => Some(*rows),
        }
    }

    pub(crate) fn status(&self) -> PartyStatus {
        PartyStatus {
            name: self.name.clone(),
            uploaded: self.has_uploaded(),
            confirmed: self.is_confirmed(),
            commitment: self.commitment().map(|commitment| commitment.digest),
        }
    }
}

fn rows(upload: &Upload) -> u64 {
    u64::try_from(upload.rows()).unwrap_or(u64::MAX)
}

fn in_progress() -> Problem {
    let detail = "Another upload of yours is still coming in; wait until it has ended.";
    Problem::new(Code::UploadInProgress, detail)
}
