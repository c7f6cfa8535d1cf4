//! The room: its state machine and its use cases, without HTTP.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use privacy::NoiseRng;
use protocol::{
    Code, ColumnsReply, Details, Phase, Problem, ReceiptSamples, RoomId, RowTests, SignedReceipt,
    Status, TrainingProgress, Yourself,
};
use schema::Schema;
use synthesis::MAX_ROW_TESTS;
use tabular::KeyHasher;
use tokio::sync::watch;

use crate::agreement::CheckedAgreement;
use crate::columns::columns_reply;
use crate::commitments;
use crate::event::{Events, RoomEvent};
use crate::expiry::{self, ClockReading, Idle, LOOK_EVERY, PlatformTime};
use crate::joined_rows::joined_rows;
use crate::memory::MemoryShares;
use crate::seat::UploadedTable;
use crate::state::{Means, RoomState};
use crate::training::{Fitted, NoModel, train};
use crate::turnstile::Turnstile;

/// How often a room that trains says how far it is. What it says changes at these times only, the
/// end of training included, so that nobody learns more finely how long a step took: that can
/// depend on the data.
pub const ANNOUNCE_EVERY: Duration = Duration::from_millis(500);

/// Asks the platform for an attestation document with this user data, and neither nonce nor key.
pub type Attest = Arc<dyn Fn(&[u8]) -> Result<Vec<u8>, NoEvidence> + Send + Sync>;

/// The platform gave no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the platform gave no evidence")]
pub struct NoEvidence;

/// Why a room cannot open.
#[derive(Debug, thiserror::Error)]
pub enum CannotOpen {
    /// The tables' ids could not be hidden.
    #[error("the operating system gave no entropy, without which no room can open")]
    NoEntropy(#[from] getrandom::Error),
    /// Nobody would look at the time.
    #[error("the operating system gave no thread, without which no room can open: {0}")]
    NoThread(#[from] std::io::Error),
}

/// What a room is opened with.
pub struct RoomSetup {
    /// What will be done, by whom.
    pub agreement: CheckedAgreement,
    /// The name that the channel's evidence gives the room.
    pub id: RoomId,
    /// Where evidence for receipts comes from.
    pub attest: Attest,
    /// Where the time comes from after which an idle room expires.
    pub platform_time: PlatformTime,
    /// Where events go.
    pub events: Events,
    /// The source of all noise.
    pub rng: NoiseRng,
    /// What each party may take of the enclave's memory.
    pub memory: MemoryShares,
}

/// One collaboration: one agreement, its parties' tables until the model is fitted, and at most one
/// model.
///
/// It is promised that at most one model is trained, when the last party confirms, and none on
/// tables of which too few rows met by a test that the agreement asks for; that tables are
/// overwritten when training ends, however it ends, and when the parties have done nothing for as
/// long as the agreement's `expires_after`; and that nothing about the tables leaves but what the
/// ledger paid for, and to each owner what concerns its own file.
pub struct Room {
    agreement: CheckedAgreement,
    id: RoomId,
    hasher: KeyHasher,
    events: Events,
    memory: MemoryShares,
    announce_every: Duration,
    state: Mutex<RoomState>,
    status: watch::Sender<Status>,
    samples: Mutex<Vec<ReceiptSamples>>,
    // Nothing is ever sent: that the other end is gone is the message.
    /// Dropped with the room, which ends the thread that looks at the time.
    _alive: mpsc::Sender<()>,
    pub(crate) attest: Attest,
    pub(crate) turnstile: Turnstile,
    /// The last one that the platform vouched for.
    pub(crate) receipt: tokio::sync::Mutex<Option<SignedReceipt>>,
}

impl Room {
    /// Opens a room that awaits data.
    ///
    /// # Errors
    /// If the operating system gives no entropy, or no thread to look at the time.
    pub fn open(setup: RoomSetup) -> Result<Arc<Self>, CannotOpen> {
        Self::open_at_paces(setup, ANNOUNCE_EVERY, LOOK_EVERY)
    }

    /// Opens a room that has one pace instead of [`ANNOUNCE_EVERY`] and [`LOOK_EVERY`]. Dangerous
    /// where that is shorter than the first: whoever watches learns more finely how long training
    /// took, which can depend on the data. Tests use it so as not to wait.
    ///
    /// # Errors
    /// As [`Room::open`].
    pub fn dangerous_open(setup: RoomSetup, pace: Duration) -> Result<Arc<Self>, CannotOpen> {
        Self::open_at_paces(setup, pace, pace)
    }

    fn open_at_paces(
        setup: RoomSetup,
        announce_every: Duration,
        look_every: Duration,
    ) -> Result<Arc<Self>, CannotOpen> {
        // Overwritten when the room is open: only the hasher's state is left, which lives as long
        // as the room.
        let mut key = zeroize::Zeroizing::new([0; 16]);
        getrandom::fill(key.as_mut())?;
        let names = setup.agreement.parties().iter().map(|party| party.name());
        let allowed = setup.agreement.expires_after();
        // By the steady clock; the platform's time comes with the first look.
        let idle = Idle::new(allowed, look_every, Instant::now());
        // One ledger for all that the room will ever tell of its parties' people.
        let means = Means {
            rng: setup.rng,
            ledger: setup.agreement.plan().ledger(),
        };
        let row_tests = setup.agreement.plan().row_test().map(|test| RowTests {
            minimum_rows: test.least().get(),
            made: 0,
            left: MAX_ROW_TESTS,
            guarantee: None,
        });
        let state = RoomState::new(names, means, row_tests, idle);
        let (alive, gone) = mpsc::channel();
        let room = Arc::new(Room {
            status: watch::Sender::new(state.status(None)),
            state: Mutex::new(state),
            hasher: KeyHasher::new(*key).normalising(setup.agreement.id_normalisation()),
            agreement: setup.agreement,
            id: setup.id,
            events: setup.events,
            memory: setup.memory,
            announce_every,
            samples: Mutex::default(),
            _alive: alive,
            attest: setup.attest,
            turnstile: Turnstile::default(),
            receipt: tokio::sync::Mutex::default(),
        });
        // Last, when the room is whole: the thread may look at it at once.
        expiry::watch(&room, setup.platform_time, look_every, gone)?;
        Ok(room)
    }

    /// What was agreed.
    pub fn agreement(&self) -> &CheckedAgreement {
        &self.agreement
    }

    /// The room's name.
    pub fn id(&self) -> RoomId {
        self.id
    }

    /// How far the room has come, now and from now on.
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// What `/details` says.
    pub fn details(&self) -> Details {
        let mut details = self.agreement.details(self.id);
        details.limits.max_party_memory_bytes = Some(self.memory.party_bytes());
        details
    }

    /// What `/status` says to this user.
    pub fn status_for(&self, user: &str) -> Status {
        // From the room's own lock, as the announced status has no commitment's salt: that is told
        // to its owner alone.
        let state = self.lock();
        let fitted = state.fitted().ok();
        let yourself = state
            .seats()
            .iter()
            .find(|seat| seat.name() == user)
            .map(|seat| Yourself {
                name: user.to_owned(),
                commitment: seat.commitment().cloned(),
                rows: seat.rows(),
                // What the ledger paid for, beside what the party knows anyway.
                joined: fitted.as_deref().zip(seat.rows()).map(|(fitted, own)| {
                    let rows_per_id = self.agreement.plan().rows_per_id();
                    joined_rows(fitted.row_count, own, rows_per_id)
                }),
            });
        drop(state);
        Status {
            you: yourself,
            ..self.status.borrow().clone()
        }
    }

    /// The party confirms its table, and the others' with these commitments if some are named.
    /// When it is the last to say so, training starts.
    pub(crate) fn confirm(
        self: &Arc<Self>,
        user: &str,
        commitments: Option<&str>,
    ) -> Result<(), Problem> {
        let party = self.party(user)?;
        let seen = commitments
            .map(|text| commitments::parse(text, &self.names(), party))
            .transpose()?
            .unwrap_or_default();
        let mut state = self.lock();
        let news = state.confirm(party, seen, Instant::now())?;
        let start = state.begin_training();
        if news {
            self.announce(&state, None);
        }
        drop(state);
        if news {
            self.tell(RoomEvent::Confirmed { party });
        }
        if let Some(start) = start {
            self.tell(RoomEvent::TrainingStarted);
            train(self, start);
        }
        Ok(())
    }

    /// The party takes its confirmation back, which it can until all have confirmed. Says whether
    /// there was one.
    pub(crate) fn withdraw_confirmation(&self, user: &str) -> Result<bool, Problem> {
        let party = self.party(user)?;
        let mut state = self.lock();
        let news = state.withdraw(party, Instant::now())?;
        self.announce(&state, None);
        drop(state);
        if news {
            self.tell(RoomEvent::ConfirmationWithdrawn { party });
        }
        Ok(news)
    }

    /// Expires if it is time. Whether the room waits no more, so that no further look is needed.
    pub(crate) fn is_done_waiting(&self, look: ClockReading) -> bool {
        let mut state = self.lock();
        let expired = state.expire_if_idle(look);
        let done = state.is_done_waiting();
        drop(state);
        if expired {
            // After the tables are overwritten: whoever reads "expired" may rely on that.
            self.tell(RoomEvent::Expired);
            self.announce(&self.lock(), None);
        }
        done
    }

    /// Waits until the room has expired, which may be for ever.
    pub(crate) async fn expired(&self) {
        let mut watch = self.watch();
        drop(
            watch
                .wait_for(|status| status.status == Phase::Expired)
                .await,
        );
    }

    /// The party begins to upload; nobody else can do so for it until the lease is gone.
    pub(crate) fn begin_upload(self: &Arc<Self>, user: &str) -> Result<Lease, Problem> {
        let party = self.party(user)?;
        self.lock().begin_upload(party)?;
        Ok(Lease {
            room: Arc::clone(self),
            party,
        })
    }

    /// The model, once there is one.
    pub(crate) fn fitted(&self) -> Result<Arc<Fitted>, Problem> {
        self.lock().fitted()
    }

    /// The columns of one party: `mine`, `theirs` or a party's name.
    pub(crate) fn columns(&self, user: &str, which: &str) -> Result<ColumnsReply, Problem> {
        let names = self.names();
        let name = match which {
            "mine" => names.iter().find(|name| **name == user),
            "theirs" if names.len() == 2 && names.contains(&user) => {
                names.iter().find(|name| **name != user)
            }
            name => names.iter().find(|party| **party == name),
        };
        let Some(name) = name else {
            let detail = format!("`party` must name one party: {}.", names.join(", "));
            return Err(Problem::new(Code::UnknownParty, detail));
        };
        let party = &self.agreement.parties()[self.party(name)?];
        // Declared columns are public before training; discovered ones only by the fit, which paid
        // for them.
        match party.schema().filter(|_| !party.needs_discovery()) {
            Some(schema) => Ok(columns_reply(name, &schema.prefixed(name))),
            None => Ok(columns_reply(name, self.fitted()?.model.schema())),
        }
    }

    /// Notes for the receipt that this user asked for this many rows.
    pub(crate) fn note_samples(&self, user: &str, rows: u64) {
        self.tell(RoomEvent::SamplesRequested);
        // Only who asked and for how many rows: which rows were drawn follows from the model.
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let place = samples
            .iter()
            .position(|entry| entry.user == user)
            .unwrap_or_else(|| {
                samples.push(ReceiptSamples {
                    user: user.to_owned(),
                    requests: 0,
                    rows: 0,
                });
                samples.len() - 1
            });
        samples[place].requests += 1;
        samples[place].rows = samples[place].rows.saturating_add(rows);
    }

    /// Who has sampled how much so far.
    pub(crate) fn samples(&self) -> Vec<ReceiptSamples> {
        self.samples
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What each party's file is committed to by, in the order of the parties.
    pub(crate) fn commitments(&self) -> Vec<Option<protocol::Digest>> {
        self.lock()
            .seats()
            .iter()
            .map(|seat| seat.commitment().map(|commitment| commitment.digest))
            .collect()
    }

    pub(crate) fn hasher(&self) -> &KeyHasher {
        &self.hasher
    }

    pub(crate) fn memory(&self) -> MemoryShares {
        self.memory
    }

    pub(crate) fn announce_every(&self) -> Duration {
        self.announce_every
    }

    pub(crate) fn tell(&self, event: RoomEvent) {
        (self.events)(event);
    }

    /// How far training is; called at the announced times only.
    pub(crate) fn training_is_at(&self, progress: Option<TrainingProgress>) {
        self.announce(&self.lock(), progress);
    }

    /// Training is over; called once for each start, at one of the announced times.
    pub(crate) fn training_ended(&self, outcome: Result<Fitted, NoModel>) {
        let row_tests_left = self.lock().row_tests_left();
        self.tell(match &outcome {
            Ok(_) => RoomEvent::TrainingFinished,
            Err(NoModel::Failed) => RoomEvent::TrainingFailed,
            Err(NoModel::TooFewRows(_)) => RoomEvent::TooFewRows {
                tests_left: row_tests_left.saturating_sub(1),
            },
        });
        let mut state = self.lock();
        // Under the lock, so that no reader sees "trained" without a model.
        state.end_training(outcome, Instant::now());
        self.announce(&state, None);
    }

    fn names(&self) -> Vec<&str> {
        let parties = self.agreement.parties().iter();
        parties.map(|party| party.name()).collect()
    }

    /// The place of this user among the parties.
    pub(crate) fn party(&self, user: &str) -> Result<usize, Problem> {
        self.agreement
            .parties()
            .iter()
            .position(|party| party.name() == user)
            .ok_or_else(|| Problem::new(Code::Forbidden, "Only a data provider can do this."))
    }

    /// Under the lock, so that what is announced comes in order.
    fn announce(&self, state: &RoomState, progress: Option<TrainingProgress>) {
        let status = state.status(progress);
        // Watchers are woken by news only: a tick that tells nothing new would tell that time has
        // passed.
        self.status.send_if_modified(|announced| {
            let news = *announced != status;
            *announced = status;
            news
        });
    }

    /// No code that holds the lock can leave the state half changed, so a panic elsewhere does not
    /// spoil it.
    fn lock(&self) -> MutexGuard<'_, RoomState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to upload for one party, until it is dropped.
pub(crate) struct Lease {
    room: Arc<Room>,
    party: usize,
}

impl Lease {
    /// What was declared of the party's columns.
    pub(crate) fn schema(&self) -> Option<&Schema> {
        self.room.agreement.parties()[self.party].schema()
    }

    /// How many rows of one id the party may bring.
    pub(crate) fn max_rows_per_id(&self) -> Option<NonZeroU32> {
        self.room.agreement.parties()[self.party].max_rows_per_id()
    }

    /// How many rows one id may have in the tables of all other parties together.
    pub(crate) fn rows_of_others(&self) -> u32 {
        // Saturating: the bounds' product was checked for the agreement, of all parties together.
        let parties = self.room.agreement.parties().iter().enumerate();
        parties
            .filter(|(place, _)| *place != self.party)
            .filter_map(|(_, party)| party.max_rows_per_id())
            .fold(1, |rows, most| rows.saturating_mul(most.get()))
    }

    /// The party's name.
    pub(crate) fn party(&self) -> &str {
        self.room.agreement.parties()[self.party].name()
    }

    /// The upload is complete, and takes the place of an earlier one. In a room that has expired
    /// meanwhile it is refused.
    pub(crate) fn accept(self, table: UploadedTable) -> Result<(), Problem> {
        let (room, party) = (&self.room, self.party);
        let received = room.lock().receive(party, table, Instant::now());
        // Here, while the seat is not free: the share has no room for a third table of the party.
        drop(received.unneeded);
        let lapsed = received.lapsed?;
        room.announce(&room.lock(), None);
        room.tell(RoomEvent::UploadAccepted { party });
        for party in lapsed {
            room.tell(RoomEvent::ConfirmationLapsed { party });
        }
        Ok(())
    }
}

impl Drop for Lease {
    // Whatever ended the upload, a panic included, the seat is free again.
    fn drop(&mut self) {
        self.room.lock().end_upload(self.party);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::exhaustive::table;
    use crate::training::tests::room;

    #[test]
    fn a_seat_is_free_again_when_its_upload_has_ended_however() {
        let room = room(&Arc::default());
        drop(room.begin_upload("A").unwrap());
        for _ in 0..2 {
            let lease = room.begin_upload("A").unwrap();
            let second = room.begin_upload("A").err().map(|problem| problem.code);
            assert_eq!(second, Some(Code::UploadInProgress));
            lease.accept(table(3)).unwrap();
            assert!(room.watch().borrow().parties[0].uploaded);
        }
    }

    #[test]
    fn an_upload_that_ends_while_the_room_expires_leaves_it_to_the_room_to_say_so() {
        let told = Arc::default();
        let room = room(&told);
        let lease = room.begin_upload("A").unwrap();
        let now = Instant::now();
        assert!(room.lock().expire_if_idle(ClockReading {
            asked: now,
            platform: None,
            now: now + 2 * room.agreement().expires_after(),
        }));
        let refused = lease.accept(table(3)).map_err(|problem| problem.code);
        assert_eq!(refused, Err(Code::Expired));
        assert_eq!(room.watch().borrow().status, Phase::AwaitingData);
        assert_eq!(*told.lock().unwrap(), []);
    }
}
