//! Every order in which parties can act, against a model of a few lines.

use std::time::{Duration, Instant};

use privacy::{Accounting, Delta, Epsilon, Ledger, LedgerOptions, NoiseRng};
use protocol::{Code, Commitment, Digest, Phase, RowTests, Salt};
use tabular::{KeyHasher, ReadLimits, read_csv};

use super::{Means, Received, RoomState};
use crate::commitments::Seen;
use crate::expiry::{ClockReading, Idle, LOOK_EVERY};
use crate::seat::UploadedTable;
use crate::training::NoModel;

const HOUR: Duration = Duration::from_secs(3600);

/// What a party, or the time, can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Begin(usize),
    /// The upload is complete, and what it replaces is to be overwritten.
    Finish(usize),
    /// The upload is over.
    End(usize),
    /// Reads the others' commitments.
    Look(usize),
    Confirm(usize),
    /// Confirms what was read last.
    ConfirmSeen(usize),
    Withdraw(usize),
    /// Training ends with a test by which too few rows met.
    TooFew,
    Expire,
}

use Action::{Begin, Confirm, ConfirmSeen, End, Expire, Finish, TooFew, Withdraw};

/// Fewer than there are, so that short orders come to the last.
const TESTS: u32 = 2;

/// What came of it: whether it changed something, or why it was refused.
type Outcome = Result<bool, Code>;

/// The rules, as a person would tell them. A table is its number.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Model {
    parties: Vec<Party>,
    tables: u64,
    trained_on: Option<Vec<u64>>,
    /// What was trained on before, when too few rows met.
    tried: Vec<Vec<u64>>,
    failed: bool,
    expired: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Party {
    receiving: bool,
    /// The upload that is not over is complete.
    finished: bool,
    table: Option<u64>,
    /// The tables of the other parties that the confirmation is for; of those who may bring what
    /// they like, none.
    confirmed: Option<Vec<Option<u64>>>,
    looked: Vec<Option<u64>>,
}

impl Model {
    fn new(parties: usize) -> Self {
        Model {
            parties: vec![Party::default(); parties],
            tables: 0,
            trained_on: None,
            tried: Vec::new(),
            failed: false,
            expired: false,
        }
    }

    fn act(&mut self, action: Action) -> Outcome {
        if let Finish(party) = action {
            self.parties[party].finished = true;
        }
        if self.expired && !matches!(action, End(_) | Action::Look(_) | Expire) {
            return Err(Code::Expired);
        }
        match action {
            Begin(party) => self.begin(party),
            Finish(party) => {
                self.tables += 1;
                self.parties[party].table = Some(self.tables);
                for other in &mut self.parties {
                    let rests = |seen: &mut Vec<Option<u64>>| seen[party].is_some();
                    other.confirmed.take_if(rests);
                }
                Ok(true)
            }
            End(party) => {
                let party = &mut self.parties[party];
                (party.receiving, party.finished) = (false, false);
                Ok(false)
            }
            Action::Look(party) => {
                self.parties[party].looked = self.parties.iter().map(|it| it.table).collect();
                Ok(false)
            }
            Confirm(party) => self.confirm(party, vec![None; self.parties.len()]),
            ConfirmSeen(party) => self.confirm(party, self.parties[party].looked.clone()),
            Withdraw(_) if self.trained_on.is_some() => Err(Code::TrainingStarted),
            Withdraw(party) => Ok(self.parties[party].confirmed.take().is_some()),
            TooFew if self.tried.len() + 1 == TESTS as usize => {
                self.failed = true;
                Ok(true)
            }
            TooFew => {
                self.tried.extend(self.trained_on.take());
                for party in &mut self.parties {
                    (party.table, party.confirmed) = (None, None);
                }
                Ok(true)
            }
            Expire if self.trained_on.is_some() || self.expired => Ok(false),
            Expire => {
                self.expired = true;
                for party in &mut self.parties {
                    (party.table, party.confirmed) = (None, None);
                }
                Ok(true)
            }
        }
    }

    fn begin(&mut self, party: usize) -> Outcome {
        let party = &mut self.parties[party];
        match (&party.confirmed, party.receiving) {
            (Some(_), _) => Err(Code::AlreadyConfirmed),
            (None, true) => Err(Code::UploadInProgress),
            (None, false) => {
                party.receiving = true;
                Ok(true)
            }
        }
    }

    fn confirm(&mut self, party: usize, mut seen: Vec<Option<u64>>) -> Outcome {
        let mine = &self.parties[party];
        if mine.receiving {
            return Err(Code::UploadInProgress);
        }
        if mine.table.is_none() {
            return Err(Code::NothingUploaded);
        }
        let as_seen =
            |(seen, party): (&Option<u64>, &Party)| seen.is_none() || *seen == party.table;
        if !seen.iter().zip(&self.parties).all(as_seen) {
            return Err(Code::UploadsChanged);
        }
        seen[party] = None;
        let bound = seen.iter().any(Option::is_some);
        let news = self.trained_on.is_none()
            && match &mine.confirmed {
                None => true,
                Some(before) => bound && *before != seen,
            };
        if news {
            self.parties[party].confirmed = Some(seen);
        }
        if self.parties.iter().all(|party| party.confirmed.is_some()) && self.trained_on.is_none() {
            let tables = self
                .parties
                .iter()
                .filter_map(|party| party.table)
                .collect();
            self.trained_on = Some(tables);
        }
        Ok(news)
    }

    /// The promise, said without regard to how it is kept.
    fn check_promise(&self) {
        let Some(tables) = &self.trained_on else {
            return;
        };
        for party in &self.parties {
            let seen = party.confirmed.as_ref().expect("all have confirmed");
            for (seen, table) in seen.iter().zip(tables) {
                assert!(seen.is_none_or(|seen| seen == *table), "{self:?}");
            }
        }
    }

    fn phase(&self) -> Phase {
        match (self.expired, &self.trained_on) {
            (true, _) => Phase::Expired,
            (false, Some(_)) if self.failed => Phase::Failed,
            (false, Some(_)) => Phase::Training,
            (false, None) if self.parties.iter().all(|party| party.table.is_some()) => {
                Phase::AwaitingConfirmation
            }
            (false, None) => Phase::AwaitingData,
        }
    }
}

/// The true state, its tables told apart by their numbers of rows.
struct Real {
    state: RoomState,
    now: Instant,
    seconds: u64,
    tables: u64,
    looked: Vec<Seen>,
    trainings: Vec<Vec<u64>>,
    /// With the training that is under way.
    means: Option<Means>,
}

impl Real {
    fn new(parties: usize) -> Self {
        let (now, names) = (Instant::now(), ["A", "B", "C"]);
        let idle = Idle::new(HOUR, LOOK_EVERY, now);
        let rng = NoiseRng::from_os().expect("the system gives entropy");
        Real {
            state: RoomState::new(
                names.into_iter().take(parties),
                Means {
                    rng,
                    ledger: ledger(),
                },
                Some(RowTests {
                    minimum_rows: 100,
                    made: 0,
                    left: TESTS,
                    guarantee: None,
                }),
                idle,
            ),
            now,
            seconds: 0,
            tables: 0,
            looked: vec![Seen::new(); parties],
            trainings: Vec::new(),
            means: None,
        }
    }

    fn act(&mut self, action: Action) -> Outcome {
        let now = self.now;
        let outcome = match action {
            Begin(party) => self.state.begin_upload(party).map(|()| true),
            Finish(party) => {
                let table = self.table();
                let Received { lapsed, .. } = self.state.receive(party, table, now);
                lapsed.map(|_| true)
            }
            End(party) => {
                self.state.end_upload(party);
                Ok(false)
            }
            Action::Look(party) => {
                let seen = self.state.seats().iter().enumerate();
                self.looked[party] = seen
                    .filter_map(|(place, seat)| Some((place, seat.commitment()?.digest)))
                    .collect();
                Ok(false)
            }
            Confirm(party) => self.confirm(party, Seen::new()),
            ConfirmSeen(party) => self.confirm(party, self.looked[party].clone()),
            Withdraw(party) => self.state.withdraw(party, now),
            TooFew => {
                let means = self.means.take().expect("a training is under way");
                let outcome = Err(NoModel::TooFewRows(Box::new(means)));
                self.state.end_training(outcome, now);
                Ok(true)
            }
            Expire => Ok(self.expire()),
        };
        outcome.map_err(|problem| problem.code)
    }

    fn confirm(&mut self, party: usize, seen: Seen) -> Result<bool, protocol::Problem> {
        let news = self.state.confirm(party, seen, self.now)?;
        if let Some(start) = self.state.begin_training() {
            let rows = start.tables.iter().map(|(_, upload)| upload.rows() as u64);
            self.trainings.push(rows.collect());
            self.means = Some(start.means);
        }
        Ok(news)
    }

    /// Two looks, between which the hour passes.
    fn expire(&mut self) -> bool {
        let mut look = |seconds| {
            self.seconds += seconds;
            let platform = Some(self.seconds);
            let (asked, now) = (self.now, self.now);
            self.state.expire_if_idle(ClockReading {
                asked,
                platform,
                now,
            })
        };
        look(0) || look(HOUR.as_secs())
    }

    fn table(&mut self) -> UploadedTable {
        self.tables += 1;
        table(self.tables)
    }
}

fn ledger() -> Ledger {
    let (epsilon, delta) = (Epsilon::new(1.0), Delta::new(1e-9));
    let (epsilon, delta) = (epsilon.expect("above 0"), delta.expect("between 0 and 1"));
    Ledger::open(LedgerOptions::new(epsilon, delta, Accounting::Gdp)).expect("a usual budget")
}

/// A table of this many rows, with their number for a commitment.
pub(crate) fn table(rows: u64) -> UploadedTable {
    let text: String = (0..rows).map(|id| format!("{id},x\n")).collect();
    let csv = format!("id,a\n{text}");
    let hasher = KeyHasher::new([7; 16]);
    let limits = ReadLimits::default();
    let upload = read_csv(csv.as_bytes(), Some("id"), None, &hasher, &limits);
    let mut digest = [0; 48];
    digest[..8].copy_from_slice(&rows.to_be_bytes());
    UploadedTable {
        upload: upload.expect("a small table"),
        commitment: Commitment {
            salt: Salt::from_bytes([0; 32]),
            digest: Digest::from_bytes(digest),
        },
    }
}

/// Whether the owner of a lease could do this: an upload ends only if it has begun, and completes
/// once.
fn is_possible(model: &Model, action: Action) -> bool {
    match action {
        Finish(party) => model.parties[party].receiving && !model.parties[party].finished,
        End(party) => model.parties[party].receiving,
        TooFew => model.trained_on.is_some() && !model.failed,
        // What the room's own parser refuses: a party that names no commitment, or not all.
        ConfirmSeen(party) => {
            let looked = &model.parties[party].looked;
            !looked.is_empty() && looked.iter().all(Option::is_some)
        }
        _ => true,
    }
}

fn actions(parties: usize) -> Vec<Action> {
    let of_each = (0..parties).flat_map(|party| {
        [
            Begin(party),
            Finish(party),
            End(party),
            Action::Look(party),
            Confirm(party),
            ConfirmSeen(party),
            Withdraw(party),
        ]
    });
    of_each.chain([TooFew, Expire]).collect()
}

/// Does the same to both, and compares all that can be seen.
fn step(model: &mut Model, real: &mut Real, action: Action, before: &[Action]) {
    let (expected, found) = (model.act(action), real.act(action));
    assert_eq!(found, expected, "{action:?} after {before:?}");
    let status = real.state.status(None);
    assert_eq!(status.status, model.phase(), "{action:?} after {before:?}");
    for (shown, party) in status.parties.iter().zip(&model.parties) {
        let shown_table = shown.commitment.map(|digest| {
            let number = digest.as_bytes()[..8].try_into();
            u64::from_be_bytes(number.expect("eight bytes"))
        });
        let found = (shown_table, shown.uploaded, shown.confirmed);
        let expected = (
            party.table,
            party.table.is_some(),
            party.confirmed.is_some(),
        );
        assert_eq!(found, expected, "{action:?} after {before:?}");
    }
    model.check_promise();
    let trainings: Vec<_> = model
        .tried
        .iter()
        .chain(&model.trained_on)
        .cloned()
        .collect();
    assert_eq!(real.trainings, trainings, "{action:?} after {before:?}");
}

/// Every order of up to `depth` actions after these, where an action that changes nothing is tried
/// and not gone on from.
fn explore(parties: usize, model: &Model, before: &mut Vec<Action>, depth: usize) -> u64 {
    if depth == 0 {
        return 1;
    }
    let mut tried = 0;
    for action in actions(parties) {
        if !is_possible(model, action) {
            continue;
        }
        let (mut next, mut real) = (model.clone(), Real::new(parties));
        for earlier in before.iter() {
            let _ = real.act(*earlier);
        }
        step(&mut next, &mut real, action, before);
        tried += 1;
        if next != *model {
            before.push(action);
            tried += explore(parties, &next, before, depth - 1);
            before.pop();
        }
    }
    tried
}

/// Where all have uploaded and looked, which is where it becomes interesting.
fn all_uploaded(parties: usize) -> (Model, Vec<Action>) {
    let mut model = Model::new(parties);
    let uploads = (0..parties).flat_map(|party| [Begin(party), Finish(party), End(party)]);
    let before: Vec<_> = uploads.chain((0..parties).map(Action::Look)).collect();
    for action in &before {
        let _ = model.act(*action);
    }
    (model, before)
}

/// From an empty room and from one with all uploads, to these depths. That is `least` orders and
/// more.
fn explore_both(parties: usize, [empty, uploaded]: [usize; 2], least: u64) {
    let from_empty = explore(parties, &Model::new(parties), &mut Vec::new(), empty);
    let (model, mut before) = all_uploaded(parties);
    let from_uploaded = explore(parties, &model, &mut before, uploaded);
    let tried = from_empty + from_uploaded;
    assert!(tried > least, "{from_empty} and {from_uploaded} orders");
}

#[test]
fn every_order_of_what_two_parties_do_follows_the_rules() {
    explore_both(2, [5, 4], 2_000);
}

#[test]
fn every_order_of_what_three_parties_do_follows_the_rules() {
    explore_both(3, [4, 3], 2_000);
}

#[test]
#[ignore = "slow: longer orders of the same"]
fn longer_orders_follow_the_rules_too() {
    explore_both(2, [7, 6], 150_000);
    explore_both(3, [5, 4], 50_000);
}

/// Long walks, on which actions that change nothing are gone on from as well. The same in every
/// run.
#[test]
fn long_walks_follow_the_rules() {
    let mut dice = 1_u64;
    let mut trained = 0;
    for walk in 0..300 {
        let parties = 2 + walk % 2;
        let (mut model, before) = all_uploaded(parties);
        let mut real = Real::new(parties);
        for action in &before {
            let _ = real.act(*action);
        }
        for _ in 0..40 {
            let possible = actions(parties)
                .into_iter()
                .filter(|it| is_possible(&model, *it));
            // They would end most walks before they have begun.
            let rare = |it: &Action| matches!(it, Expire | TooFew);
            let possible: Vec<_> = possible
                .filter(|it| !rare(it) || dice.is_multiple_of(7))
                .collect();
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let chosen = usize::try_from(dice >> 33).expect("31 bits") % possible.len();
            let action = possible[chosen];
            step(&mut model, &mut real, action, &[]);
        }
        trained += usize::from(model.trained_on.is_some());
    }
    assert!((30..270).contains(&trained), "{trained} of 300 trained");
}
