//! Training: from the tables to the model, on threads of its own.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use privacy::LedgerRecord;
use protocol::{Digest, TrainingProgress};
use synthesis::{FitError, Model, Progress, RowCount};
use tabular::{Joined, Upload};

use crate::agreement::CheckedAgreement;
use crate::room::Room;
use crate::state::{Means, Start};

/// What training leaves behind: nothing here is private any more.
pub(crate) struct Fitted {
    pub(crate) model: Arc<Model>,
    /// The model as a file, and its name.
    pub(crate) model_file: Bytes,
    pub(crate) model_digest: Digest,
    /// The quality report as JSON.
    pub(crate) report: Bytes,
    /// The same as a page.
    pub(crate) report_page: Bytes,
    pub(crate) ledger: LedgerRecord,
    pub(crate) row_count: RowCount,
}

/// Training gave no model.
pub(crate) enum NoModel {
    /// Why is not told: it could depend on the data.
    Failed,
    /// By a test that was paid for, too few rows met, and nothing was trained. What is left comes
    /// back.
    TooFewRows(Box<Means>),
}

/// What is being done, and how much of it.
type Latest = Arc<Mutex<Option<(&'static str, u64, u64)>>>;

/// Starts training and returns. One thread fits; another announces, at fixed times, how far it is.
pub(crate) fn train(room: &Arc<Room>, start: Start) {
    // Threads and no tasks: a fit takes the processor for seconds, and must not keep the room from
    // answering.
    let latest = Latest::default();
    let (told, at_work) = (Arc::clone(&latest), Arc::clone(room));
    let fitting = thread::Builder::new()
        .name("training".to_owned())
        .spawn(move || fit_model(at_work.agreement(), start.tables, start.means, &told));
    // Moved, so that the tables are dropped, and overwritten, where the fit ends.
    let Ok(fitting) = fitting else {
        return room.training_ended(Err(NoModel::Failed));
    };
    let announcing = Arc::clone(room);
    let announcer = thread::Builder::new()
        .name("announcing".to_owned())
        .spawn(move || announce(&announcing, fitting, &latest));
    if announcer.is_err() {
        // The fit goes on, but nobody would ever learn of its end.
        room.training_ended(Err(NoModel::Failed));
    }
}

/// Looks at each tick how far the fit is, until it has ended.
fn announce(room: &Room, fitting: thread::JoinHandle<Result<Fitted, NoModel>>, latest: &Latest) {
    // Zero would make the grid of ticks a busy loop.
    let every = room.announce_every().max(Duration::from_millis(1));
    let started = Instant::now();
    loop {
        let passed = started.elapsed();
        // The next tick of the grid, and not a pause after each look: pauses would add up to the
        // time that looking takes.
        let rest = passed.as_nanos() % every.as_nanos();
        thread::sleep(every - Duration::from_nanos(u64::try_from(rest).unwrap_or(0)));
        if fitting.is_finished() {
            // A panic has unwound, and so dropped the tables, like any other failure.
            let outcome = fitting.join().unwrap_or(Err(NoModel::Failed));
            return room.training_ended(outcome);
        }
        let now = *latest.lock().unwrap_or_else(PoisonError::into_inner);
        // The latest step at the time of the tick; what came between is not told.
        room.training_is_at(now.map(|(stage, done, total)| TrainingProgress {
            stage: stage.to_owned(),
            tenths: tenths(done, total),
        }));
    }
}

/// Joins, tests whether enough rows met if that was agreed, discovers, fits. The tables are
/// overwritten when it returns.
fn fit_model(
    agreement: &CheckedAgreement,
    tables: Vec<(String, Upload)>,
    mut means: Means,
    latest: &Latest,
) -> Result<Fitted, NoModel> {
    // A panic of another thread must not silence the announcements.
    let tell = |stage, done, total| {
        *latest.lock().unwrap_or_else(PoisonError::into_inner) = Some((stage, done, total));
    };
    tell("joining", 0, 1);
    let joined = Joined::join(tables)
        .constrained(agreement.constraints())
        .map_err(|_| NoModel::Failed)?;
    // Only the agreement decides: by whether columns are declared, and whether rows are tested.
    match (agreement.plan().row_test(), joined.needs_discovery()) {
        (None, false) => {}
        (None, true) => tell("discovering columns", 0, 1),
        (Some(_), false) => tell("testing whether enough rows met", 0, 1),
        (Some(_), true) => tell("testing whether enough rows met, discovering columns", 0, 1),
    }
    let mut progress = |progress: Progress| {
        tell(progress.stage, progress.done, progress.total);
        ControlFlow::Continue(())
    };
    let Means { rng, ledger } = &mut means;
    let fitted = agreement
        .plan()
        .fit_within(joined, ledger, rng, &mut progress);
    let model = match fitted {
        Ok(model) => model,
        Err(FitError::TooFewRows) => return Err(NoModel::TooFewRows(Box::new(means))),
        Err(_) => return Err(NoModel::Failed),
    };
    // Saved once: what is downloaded, what the receipt names and what samples are drawn from is one
    // model.
    let mut model_file = Vec::new();
    model.save(&mut model_file).map_err(|_| NoModel::Failed)?;
    let (report, report_page) = reports(&model).map_err(|_| NoModel::Failed)?;
    Ok(Fitted {
        model_digest: Digest::sha384(&model_file),
        model_file: model_file.into(),
        report,
        report_page,
        ledger: model.ledger().clone(),
        row_count: model.row_count(),
        model: Arc::new(model),
    })
}

/// The report of a model as `/report` gives it: as JSON, and as a page.
pub(crate) fn reports(model: &Model) -> serde_json::Result<(Bytes, Bytes)> {
    let report = model.report();
    let page = report::model_page(model, &report);
    let json = serde_json::to_vec(&report::model_json(model, &report))?;
    Ok((json.into(), page.into()))
}

fn tenths(done: u64, total: u64) -> u8 {
    // Rounded down: a tenth is told when it is done.
    let tenths = u128::from(done.min(total)) * 10 / u128::from(total.max(1));
    u8::try_from(tenths).unwrap_or(10)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;

    use access::PublicKey;
    use protocol::{Agreement, Phase, RoomId};

    use super::*;
    use crate::event::RoomEvent;
    use crate::memory::MemoryShares;
    use crate::room::RoomSetup;

    fn key(byte: u8) -> String {
        let prefix = [
            0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
        ];
        PublicKey::from_der(&[&prefix[..], &[byte; 32]].concat())
            .unwrap()
            .to_text()
    }

    /// A `service.yaml` with the parties A and B.
    pub(crate) fn two_parties() -> String {
        format!(
            "auth: [{{auth_name: a, auth_type: signed_headers}}]\n\
             roles: [{{role_name: data_provider, role_cardinality: 2}}]\n\
             users: {{data_provider: [{{user_name: A, public_key: {}}}, {{user_name: B, \
             public_key: {}}}]}}\n",
            key(1),
            key(2)
        )
    }

    pub(crate) fn room(told: &Arc<Mutex<Vec<RoomEvent>>>) -> Arc<Room> {
        let runtime = "method: INDEPENDENT\nepsilon: 1\nparty_names: [A, B]\n";
        let told = Arc::clone(told);
        let agreement = Agreement::new(two_parties(), runtime).unwrap();
        let agreement = CheckedAgreement::parse(agreement).unwrap();
        let setup = RoomSetup {
            memory: MemoryShares::new(&agreement, 1 << 30).unwrap(),
            agreement,
            id: RoomId::from_bytes([0; 32]),
            attest: Arc::new(|_| Err(crate::NoEvidence)),
            platform_time: Arc::new(|| Ok(1_700_000_000)),
            events: Arc::new(move |event| told.lock().unwrap().push(event)),
            rng: testkit::noise(1),
        };
        Room::dangerous_open(setup, Duration::from_millis(20)).unwrap()
    }

    #[test]
    fn a_panic_in_training_is_a_failure_like_any_other() {
        let told = Arc::default();
        let room = room(&told);
        let fitting = thread::spawn(|| panic!("what a panic says is not repeated"));
        announce(&room, fitting, &Latest::default());
        let status = room.watch().borrow().clone();
        assert_eq!((status.status, status.progress), (Phase::Failed, None));
        assert_eq!(*told.lock().unwrap(), [RoomEvent::TrainingFailed]);
    }

    #[test]
    fn the_end_is_announced_on_the_grid_of_ticks_and_not_when_it_comes() {
        let told = Arc::default();
        let room = room(&told);
        let started = Instant::now();
        let failing = thread::spawn(|| Err(NoModel::Failed));
        announce(&room, failing, &Latest::default());
        assert!(started.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn progress_is_told_in_tenths() {
        assert_eq!(tenths(0, 0), 0);
        assert_eq!(tenths(0, 7), 0);
        assert_eq!(tenths(3, 7), 4);
        assert_eq!(tenths(7, 7), 10);
        assert_eq!(tenths(9, 7), 10);
        assert_eq!(tenths(u64::MAX, u64::MAX), 10);
    }
}
