//! A party's seat in the room: what it has brought, and whether it stands by it.

use protocol::{Code, Commitment, PartyStatus, Problem};
use tabular::Upload;

/// One data provider's place. A table may be replaced until it is confirmed, and is taken away once, for training.
#[derive(Debug)]
pub(crate) struct Seat {
    name: String,
    /// An upload is coming in.
    receiving: bool,
    table: Table,
}

#[derive(Debug)]
enum Table {
    None,
    Uploaded(Held),
    Confirmed(Held),
    /// Training has it, or has overwritten it.
    Taken(Commitment),
}

/// A coded table and the commitment to the file it came from.
#[derive(Debug)]
pub(crate) struct Held {
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
        if self.is_confirmed() {
            let detail = "You have confirmed your table, so it cannot be replaced any more.";
            return Err(Problem::new(Code::AlreadyConfirmed, detail));
        }
        if self.receiving {
            return Err(in_progress());
        }
        self.receiving = true;
        Ok(())
    }

    /// The upload is over; without a table, everything is as before it. Gives back the table that was replaced: overwriting it
    /// takes a while, which nobody should have to wait for.
    pub(crate) fn end_upload(&mut self, table: Option<Held>) -> Option<Held> {
        self.receiving = false;
        match std::mem::replace(&mut self.table, Table::Uploaded(table?)) {
            Table::Uploaded(replaced) => Some(replaced),
            Table::None | Table::Confirmed(_) | Table::Taken(_) => None,
        }
    }

    /// Confirms the table. Says whether that changed anything.
    pub(crate) fn confirm(&mut self) -> Result<bool, Problem> {
        if self.receiving {
            return Err(in_progress());
        }
        match std::mem::replace(&mut self.table, Table::None) {
            Table::None => {
                let detail =
                    "There is nothing to confirm: upload your table first (POST /upload_data).";
                Err(Problem::new(Code::NothingUploaded, detail))
            }
            Table::Uploaded(held) => {
                self.table = Table::Confirmed(held);
                Ok(true)
            }
            confirmed => {
                self.table = confirmed;
                Ok(false)
            }
        }
    }

    /// Takes a confirmed table away.
    pub(crate) fn take(&mut self) -> Option<Upload> {
        match std::mem::replace(&mut self.table, Table::None) {
            Table::Confirmed(Held { upload, commitment }) => {
                self.table = Table::Taken(commitment);
                Some(upload)
            }
            other => {
                self.table = other;
                None
            }
        }
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        matches!(self.table, Table::Confirmed(_) | Table::Taken(_))
    }

    pub(crate) fn has_uploaded(&self) -> bool {
        self.commitment().is_some()
    }

    pub(crate) fn commitment(&self) -> Option<&Commitment> {
        match &self.table {
            Table::None => None,
            Table::Uploaded(held) | Table::Confirmed(held) => Some(&held.commitment),
            Table::Taken(commitment) => Some(commitment),
        }
    }

    pub(crate) fn status(&self) -> PartyStatus {
        PartyStatus {
            name: self.name.clone(),
            uploaded: self.has_uploaded(),
            confirmed: self.is_confirmed(),
        }
    }
}

fn in_progress() -> Problem {
    let detail = "Another upload of yours is still coming in; wait until it has ended.";
    Problem::new(Code::UploadInProgress, detail)
}
