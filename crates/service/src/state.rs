//! What may happen when in a room: its states and the ways between them, without threads, clocks or
//! HTTP.

use std::sync::Arc;
use std::time::Instant;

use privacy::{Ledger, NoiseRng};
use protocol::{Code, Phase, Problem, RowTests, Status, TrainingProgress};
use tabular::Upload;

use crate::commitments::Seen;
use crate::expiry::{ClockReading, Idle};
use crate::seat::{Seat, UploadedTable};
use crate::training::{Fitted, NoModel};

/// The parties' seats, and how far the room has come. Whoever changes it holds the room's lock, so
/// that of two changes at once one comes first.
pub(crate) struct RoomState {
    seats: Vec<Seat>,
    phase: RoomPhase,
    idle: Idle,
    /// Where the agreement wants to know whether enough rows meet.
    row_tests: Option<RowTests>,
}

// One way leads back to `Gathering`: from a test by which too few rows met, with the ledger that
// paid for it; nothing was trained then. No way leads back from a model.
enum RoomPhase {
    /// What there is to train with waits here.
    Gathering(Means),
    Training,
    Trained(Arc<Fitted>),
    Failed,
    /// Nothing is held any more.
    Expired,
}

/// What a model is paid with. There is one of each, so that no budget is spent twice.
pub(crate) struct Means {
    pub(crate) rng: NoiseRng,
    pub(crate) ledger: Ledger,
}

/// What training begins with.
pub(crate) struct Start {
    pub(crate) tables: Vec<(String, Upload)>,
    pub(crate) means: Means,
}

/// How a new table was received.
pub(crate) struct Received {
    /// The parties whose confirmations were for the table before it, and hold no more; or why it
    /// was not taken in.
    pub(crate) lapsed: Result<Vec<usize>, Problem>,
    /// The table that is not needed: the one before it, or itself. Overwriting it takes a while,
    /// which nobody should have to wait for.
    pub(crate) unneeded: Option<UploadedTable>,
}

impl RoomState {
    /// Awaiting data of the parties with these names.
    pub(crate) fn new<'a>(
        names: impl Iterator<Item = &'a str>,
        means: Means,
        row_tests: Option<RowTests>,
        idle: Idle,
    ) -> Self {
        RoomState {
            seats: names.map(|name| Seat::new(name.to_owned())).collect(),
            phase: RoomPhase::Gathering(means),
            idle,
            row_tests,
        }
    }

    /// The parties, in the order of the agreement.
    pub(crate) fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// An upload begins; [`RoomState::end_upload`] must follow.
    pub(crate) fn begin_upload(&mut self, party: usize) -> Result<(), Problem> {
        self.check_not_expired()?;
        self.seats[party].begin_upload()
    }

    /// The upload is over, whether it brought a table or not.
    pub(crate) fn end_upload(&mut self, party: usize) {
        self.seats[party].end_upload();
    }

    /// The upload brought this table. Confirmations that were given for an earlier table of this
    /// party lapse.
    ///
    /// The upload is to be ended when the unneeded table is overwritten and not before: until then
    /// the party takes the memory of both.
    pub(crate) fn receive(&mut self, party: usize, table: UploadedTable, now: Instant) -> Received {
        // An upload may be under way when the room expires: what it brings is not taken in.
        if let Err(expired) = self.check_not_expired() {
            return Received {
                lapsed: Err(expired),
                unneeded: Some(table),
            };
        }
        // Only a table that was taken in counts as activity: refused ones would let one party keep
        // a room open for ever.
        self.idle.interrupt(now);
        let unneeded = self.seats[party].take_in(table);
        let lapsed = (0..self.seats.len())
            .filter(|other| self.seats[*other].lapse(party))
            .collect();
        Received {
            lapsed: Ok(lapsed),
            unneeded,
        }
    }

    /// The party confirms its table, and what it has seen of the others'. Says whether that
    /// changed anything.
    pub(crate) fn confirm(
        &mut self,
        party: usize,
        mut seen: Seen,
        now: Instant,
    ) -> Result<bool, Problem> {
        self.check_not_expired()?;
        // Its own table first: "upload something" is the more useful answer.
        self.seats[party].check_can_confirm()?;
        self.check_seen(party, &seen)?;
        // Its own table cannot change under its confirmation, which is the same without naming it.
        seen.retain(|(other, _)| *other != party);
        let news = self.seats[party].confirm(seen);
        // A repeated confirmation is not activity, for the same reason.
        if news {
            self.idle.interrupt(now);
        }
        Ok(news)
    }

    /// The party takes its confirmation back. Says whether that changed anything.
    pub(crate) fn withdraw(&mut self, party: usize, now: Instant) -> Result<bool, Problem> {
        // In `Gathering` alone: once all have confirmed, training may have begun with these tables.
        // (A room that is back from a test has no confirmations.)
        match self.phase {
            RoomPhase::Gathering(_) => {
                let news = self.seats[party].withdraw();
                if news {
                    self.idle.interrupt(now);
                }
                Ok(news)
            }
            RoomPhase::Expired => Err(expired()),
            RoomPhase::Training | RoomPhase::Trained(_) | RoomPhase::Failed => {
                let detail = "Every party has confirmed and training has started, so a \
                    confirmation cannot be taken back any more.";
                Err(Problem::new(Code::TrainingStarted, detail))
            }
        }
    }

    /// The tables and the means, when all have confirmed; not again while the means are gone.
    pub(crate) fn begin_training(&mut self) -> Option<Start> {
        // Checked before anything is taken: the means must not leave the room for nothing.
        if !self.seats.iter().all(Seat::is_confirmed) {
            return None;
        }
        // The means go with the start, so that a second has none to pay or draw noise with.
        match std::mem::replace(&mut self.phase, RoomPhase::Training) {
            RoomPhase::Gathering(means) => {
                let table = |seat: &mut Seat| Some((seat.name().to_owned(), seat.take()?));
                let tables = self.seats.iter_mut().filter_map(table).collect();
                Some(Start { tables, means })
            }
            later => {
                self.phase = later;
                None
            }
        }
    }

    /// Training is over. If too few rows met and that can be tested once more, the room awaits new
    /// tables.
    pub(crate) fn end_training(&mut self, outcome: Result<Fitted, NoModel>, now: Instant) {
        self.phase = match outcome {
            Ok(fitted) => {
                self.count_row_test(None);
                RoomPhase::Trained(Arc::new(fitted))
            }
            Err(NoModel::Failed) => RoomPhase::Failed,
            Err(NoModel::TooFewRows(means)) => {
                self.count_row_test(Some(&means.ledger));
                if self.row_tests_left() == 0 {
                    RoomPhase::Failed
                } else {
                    // Confirmations were for tables that are overwritten by now.
                    self.seats.iter_mut().for_each(Seat::clear);
                    self.idle.interrupt(now);
                    RoomPhase::Gathering(*means)
                }
            }
        };
    }

    fn count_row_test(&mut self, failed: Option<&Ledger>) {
        if let Some(tests) = &mut self.row_tests {
            tests.made += 1;
            tests.left = tests.left.saturating_sub(1);
            if let Some(ledger) = failed {
                let record = ledger.record();
                let guarantee = record.guarantees().first();
                tests.guarantee = guarantee.map(|it| it.sentence().to_owned());
            }
        }
    }

    /// How often it can still be tested whether enough rows meet.
    pub(crate) fn row_tests_left(&self) -> u32 {
        self.row_tests.as_ref().map_or(0, |tests| tests.left)
    }

    /// Ends a room that waits for its parties in vain, and overwrites the tables that it holds.
    /// Says whether it did.
    ///
    /// That takes a while, once in a room's life, in which nobody else gets at the state. So
    /// whoever is told that the room has expired can rely on it that the tables are overwritten.
    pub(crate) fn expire_if_idle(&mut self, look: ClockReading) -> bool {
        // Only while gathering: a room that trains or has trained holds no table.
        let expires = matches!(self.phase, RoomPhase::Gathering(_)) && self.idle.is_over(look);
        if expires {
            self.phase = RoomPhase::Expired;
            // Overwritten here and not by whoever notices: the lock is held, so that nobody sees an
            // expired room with tables.
            self.seats.iter_mut().for_each(Seat::clear);
        }
        expires
    }

    /// Whether the room waits for its parties no more.
    pub(crate) fn is_done_waiting(&self) -> bool {
        match self.phase {
            RoomPhase::Gathering(_) => false,
            // It may come back to waiting.
            RoomPhase::Training => self.row_tests_left() == 0,
            RoomPhase::Trained(_) | RoomPhase::Failed | RoomPhase::Expired => true,
        }
    }

    /// The model, once there is one.
    pub(crate) fn fitted(&self) -> Result<Arc<Fitted>, Problem> {
        match &self.phase {
            RoomPhase::Trained(fitted) => Ok(Arc::clone(fitted)),
            RoomPhase::Failed => {
                let detail = match &self.row_tests {
                    Some(tests) if tests.left == 0 => format!(
                        "Fewer rows met than the agreement's minimum_rows ({}) by each of {} \
                         tests, so nothing is trained in this room; compare what your ids look \
                         like, and open a new one.",
                        tests.minimum_rows, tests.made
                    ),
                    _ => "Training ended without a model, and cannot be repeated in this room; \
                          open a new one."
                        .to_owned(),
                };
                Err(Problem::new(Code::TrainingFailed, detail))
            }
            RoomPhase::Expired => Err(expired()),
            RoomPhase::Gathering(_) | RoomPhase::Training => {
                let detail = match &self.row_tests {
                    Some(tests) if tests.made > 0 => format!(
                        "There is no model yet: fewer rows met than the agreement's minimum_rows \
                         ({}) in test {} of {}. Compare what your ids look like, then upload and \
                         confirm again.",
                        tests.minimum_rows,
                        tests.made,
                        tests.made + tests.left
                    ),
                    _ => "There is no model yet: every party must upload and confirm, and \
                          training must end."
                        .to_owned(),
                };
                Err(Problem::new(Code::NotFitted, detail))
            }
        }
    }

    /// What everybody may know of it.
    pub(crate) fn status(&self, progress: Option<TrainingProgress>) -> Status {
        let phase = match &self.phase {
            RoomPhase::Gathering(_) if self.seats.iter().all(Seat::has_uploaded) => {
                Phase::AwaitingConfirmation
            }
            RoomPhase::Gathering(_) => Phase::AwaitingData,
            RoomPhase::Training => Phase::Training,
            RoomPhase::Trained(_) => Phase::Trained,
            RoomPhase::Failed => Phase::Failed,
            RoomPhase::Expired => Phase::Expired,
        };
        Status {
            status: phase,
            parties: self.seats.iter().map(Seat::status).collect(),
            progress,
            row_tests: self.row_tests.clone(),
            you: None,
        }
    }

    // Told apart from other refusals, since only a new room helps.
    fn check_not_expired(&self) -> Result<(), Problem> {
        match self.phase {
            RoomPhase::Expired => Err(expired()),
            _ => Ok(()),
        }
    }

    /// Whether each table is still the one that was seen.
    fn check_seen(&self, party: usize, seen: &Seen) -> Result<(), Problem> {
        let differs = |(other, digest): &&(usize, protocol::Digest)| {
            // By digest: the salted commitment is all that other parties know of a table.
            self.seats[*other].commitment().map(|it| it.digest) != Some(*digest)
        };
        let Some((other, _)) = seen.iter().find(differs) else {
            return Ok(());
        };
        let earlier = if self.seats[party].is_confirmed() {
            "What you confirmed before still stands"
        } else {
            "Nothing is confirmed"
        };
        let detail = format!(
            "The upload of {} is not the one with this commitment, or not any more: see /status. \
             {earlier}.",
            self.seats[*other].name()
        );
        Err(Problem::new(Code::UploadsChanged, detail))
    }
}

/// What whoever asks something of an expired room is told.
pub(crate) fn expired() -> Problem {
    let detail = "The parties did nothing for longer than the agreement's expires_after, so what \
        was uploaded is overwritten and this room is closed; open a new one.";
    Problem::new(Code::Expired, detail)
}

#[cfg(test)]
pub(crate) mod exhaustive;
