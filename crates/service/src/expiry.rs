//! When a room has waited long enough for its parties, so that it overwrites what they have
//! uploaded.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use std::{io, thread};

use crate::event::RoomEvent;
use crate::room::{NoEvidence, Room};

/// How often a room looks at the time. It expires at one of these looks, and so up to one of them
/// late.
pub const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How long a look waits for the platform's answer, which takes milliseconds where all is well.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the platform for the time that it vouches for in a document, in seconds since 1970. May
/// block.
pub type PlatformTime = Arc<dyn Fn() -> Result<u64, NoEvidence> + Send + Sync>;

/// How long nothing has happened in a room, by two clocks.
///
/// The platform's time decides: the host has no hand in it. It is clamped, so that it never runs
/// backwards. The machine's steady clock is the limit for a platform that gives no time, or lets it
/// stand still: raw data is not kept for ever on that account.
#[derive(Debug)]
pub(crate) struct Idle {
    allowed: Duration,
    /// What the steady clock may show at most.
    allowed_steady: Duration,
    last_activity: Instant,
    /// The platform's time at the first look after that.
    since: Option<u64>,
    /// The latest time that the platform has given.
    latest: u64,
}

/// What one look at the clocks showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClockReading {
    /// When the platform was asked, by the steady clock.
    pub(crate) asked: Instant,
    /// The time that it gave, in seconds since 1970; `None` if it gave none.
    pub(crate) platform: Option<u64>,
    /// When it had answered, by the steady clock.
    pub(crate) now: Instant,
}

impl Idle {
    pub(crate) fn new(allowed: Duration, look_every: Duration, now: Instant) -> Self {
        Idle {
            allowed,
            // Some more than what is allowed by the platform's time, as that decides where it is
            // given: steady clocks may run a little fast, and two looks may lie between.
            allowed_steady: allowed + allowed / 100 + 2 * look_every,
            last_activity: now,
            since: None,
            latest: 0,
        }
    }

    /// A party has changed something.
    pub(crate) fn interrupt(&mut self, now: Instant) {
        self.last_activity = now;
        // The next answer that was asked for after this moment starts the count anew.
        self.since = None;
    }

    /// Whether nothing has happened for as long as is allowed.
    pub(crate) fn is_over(&mut self, look: ClockReading) -> bool {
        // Never backwards: a host that rolls time back cannot keep a room waiting.
        if let Some(time) = look.platform {
            self.latest = self.latest.max(time);
            // A time that was asked for before the last activity says nothing about when that was.
            if look.asked >= self.last_activity {
                self.since.get_or_insert(self.latest);
            }
        }
        // No platform time since the last activity counts as none passed; the steady clock still
        // ends the room.
        let idle = self.since.map_or(0, |since| self.latest - since);
        idle >= self.allowed.as_secs()
            || look.now.saturating_duration_since(self.last_activity) >= self.allowed_steady
    }
}

/// Looks at the time, on a thread of its own, until the room has expired, can no longer expire, or
/// is gone.
///
/// # Errors
/// When no thread can be started.
pub(crate) fn watch(
    room: &Arc<Room>,
    platform: PlatformTime,
    look_every: Duration,
    gone: Receiver<()>,
) -> io::Result<()> {
    let mut clock = PlatformClock::start(platform)?;
    // The thread does not hold the room while it sleeps, so that it can be dropped.
    // Weak, or the room would live until its thread ends, which waits for the room.
    let room = Arc::downgrade(room);
    let watching = thread::Builder::new().name("expiry".to_owned());
    let looking = move || {
        let mut had_time = true;
        loop {
            let look = clock.look(PATIENCE);
            let Some(room) = room.upgrade() else {
                return;
            };
            // Once for each time it is lost, not at every look.
            if had_time && look.platform.is_none() {
                room.tell(RoomEvent::NoPlatformTime);
            }
            had_time = look.platform.is_some();
            if room.is_done_waiting(look) {
                return;
            }
            drop(room);
            // The room is gone, or nobody can ever tell: either way there is nothing to wait for.
            if gone.recv_timeout(look_every) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    };
    watching.spawn(looking).map(drop)
}

/// The platform's time, asked for on a thread of its own: a platform that never answers must not
/// keep the steady clock from being looked at.
struct PlatformClock {
    questions: Sender<()>,
    answers: Receiver<Option<u64>>,
    /// When the question was asked whose answer is awaited, by the steady clock.
    asked: Option<Instant>,
}

impl PlatformClock {
    fn start(platform: PlatformTime) -> io::Result<Self> {
        let (questions, asked) = channel();
        let (answer, answers) = channel();
        let answering = move || {
            for () in asked {
                // A platform that panics gives no time, and may give one when it is asked again.
                // A panic of the platform's driver must not end the thread that asks it.
                let time = catch_unwind(AssertUnwindSafe(|| platform()));
                if answer.send(time.ok().and_then(Result::ok)).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new()
            .name("platform-time".to_owned())
            .spawn(answering)?;
        Ok(PlatformClock {
            questions,
            answers,
            asked: None,
        })
    }

    /// Waits for the platform's answer, though no longer than this. One that comes later is for a
    /// later look, which asks nothing itself, so that a platform that hangs is asked once only.
    fn look(&mut self, patience: Duration) -> ClockReading {
        // Sent to a thread that may hang: the answer is awaited below, with patience.
        let asked = self.asked.take().unwrap_or_else(|| {
            let now = Instant::now();
            let _without_that_thread_there_is_no_answer_either = self.questions.send(());
            now
        });
        let answer = self.answers.recv_timeout(patience);
        if answer == Err(RecvTimeoutError::Timeout) {
            self.asked = Some(asked);
        }
        ClockReading {
            asked,
            platform: answer.ok().flatten(),
            now: Instant::now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;
    const NOON: u64 = 1_700_000_000;

    struct Bench {
        start: Instant,
        idle: Idle,
    }

    impl Bench {
        /// A room that may wait an hour and is looked at once a minute.
        fn new() -> Self {
            let start = Instant::now();
            let idle = Idle::new(Duration::from_secs(HOUR), LOOK_EVERY, start);
            Bench { start, idle }
        }

        fn steady(&self, seconds: u64) -> Instant {
            self.start + Duration::from_secs(seconds)
        }

        /// A look when the steady clock shows this many seconds, with the platform's time.
        fn look(&mut self, steady: u64, platform: Option<u64>) -> bool {
            let now = self.steady(steady);
            self.idle.is_over(ClockReading {
                asked: now,
                platform,
                now,
            })
        }
    }

    #[test]
    fn the_platforms_time_decides_to_the_second() {
        let mut bench = Bench::new();
        assert!(!bench.look(0, Some(NOON)));
        assert!(!bench.look(10, Some(NOON + HOUR - 1)));
        assert!(bench.look(10, Some(NOON + HOUR)));
    }

    #[test]
    fn an_activity_begins_the_wait_anew() {
        let mut bench = Bench::new();
        assert!(!bench.look(0, Some(NOON)));
        bench.idle.interrupt(bench.steady(3000));
        assert!(!bench.look(3060, Some(NOON + 3060)));
        assert!(!bench.look(3600, Some(NOON + HOUR)));
        assert!(!bench.look(6600, Some(NOON + 3060 + HOUR - 1)));
        assert!(bench.look(6660, Some(NOON + 3060 + HOUR)));
    }

    #[test]
    fn a_time_asked_for_before_the_last_activity_is_not_counted_from() {
        let mut bench = Bench::new();
        bench.idle.interrupt(bench.steady(100));
        let late = ClockReading {
            asked: bench.steady(90),
            platform: Some(NOON),
            now: bench.steady(110),
        };
        assert!(!bench.idle.is_over(late));
        assert!(!bench.look(120, Some(NOON + HOUR)));
        assert!(bench.look(180, Some(NOON + 2 * HOUR)));
    }

    #[test]
    fn the_platforms_time_does_not_run_backwards() {
        let mut bench = Bench::new();
        assert!(!bench.look(0, Some(NOON)));
        assert!(!bench.look(60, Some(NOON + 3000)));
        // Set back, it neither counts as time passed nor begins the wait anew.
        assert!(!bench.look(120, Some(NOON - 10 * HOUR)));
        assert!(!bench.look(180, Some(NOON + 3599)));
        assert!(bench.look(240, Some(NOON + 3600)));
        let mut after = Bench::new();
        assert!(!after.look(0, Some(NOON)));
        after.idle.interrupt(after.steady(30));
        assert!(!after.look(60, Some(NOON - HOUR)));
        assert!(!after.look(120, Some(NOON + HOUR - 1)));
    }

    #[test]
    fn a_platform_without_time_or_with_one_that_stands_still_keeps_nothing_for_ever() {
        // An hour, a hundredth of it, and two looks.
        let limit = 3600 + 36 + 120;
        for platform in [None, Some(NOON)] {
            let mut bench = Bench::new();
            for minute in 0..limit / 60 {
                assert!(!bench.look(minute * 60, platform), "{platform:?} {minute}");
            }
            assert!(!bench.look(limit - 1, platform));
            assert!(bench.look(limit, platform));
        }
    }

    #[test]
    fn a_platform_that_panics_gives_no_time() {
        let mut panics = 1..=2;
        let platform = std::sync::Mutex::new(move || match panics.next() {
            Some(_) => panic!("what a panic says is not repeated"),
            None => Ok(NOON),
        });
        let platform = move || {
            let mut next = platform
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            next()
        };
        let mut clock = PlatformClock::start(Arc::new(platform)).unwrap();
        let times = [(); 3].map(|()| clock.look(LOOK_EVERY).platform);
        assert_eq!(times, [None, None, Some(NOON)]);
    }

    #[test]
    fn a_platform_that_does_not_answer_is_waited_for_once_and_its_late_answer_is_taken_as_old() {
        let (answer, answers) = channel();
        let answers = std::sync::Mutex::new(answers);
        let platform = move || answers.lock().unwrap().recv().map_err(|_| NoEvidence);
        let mut clock = PlatformClock::start(Arc::new(platform)).unwrap();
        let short = Duration::from_millis(20);
        let hung = [(); 3].map(|()| clock.look(short));
        for look in &hung {
            assert_eq!((look.platform, look.asked), (None, hung[0].asked));
            assert!(look.now >= look.asked + short);
        }
        // The steady clock alone ends the room.
        let mut idle = Idle::new(Duration::from_secs(HOUR), LOOK_EVERY, hung[0].asked);
        let limit = Duration::from_secs(HOUR + HOUR / 100) + 2 * LOOK_EVERY;
        let after = |time| ClockReading {
            now: hung[0].asked + time,
            ..hung[2]
        };
        assert!(!idle.is_over(after(limit - Duration::from_secs(1))));
        assert!(idle.is_over(after(limit)));
        // One answer for one question, whenever it comes.
        for time in [NOON, NOON + 1] {
            answer.send(time).unwrap();
        }
        let late = clock.look(LOOK_EVERY);
        assert_eq!((late.platform, late.asked), (Some(NOON), hung[0].asked));
        let next = clock.look(LOOK_EVERY);
        assert_eq!(next.platform, Some(NOON + 1));
        assert!(next.asked >= late.now);
    }
}
