//! When a room has waited long enough for its parties, so that it overwrites what they have
//! uploaded.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{io, thread};

use crate::room::{NoEvidence, Room};

/// How often a room looks at the time. It expires at one of these looks, and so up to one of them
/// late.
pub const LOOK_EVERY: Duration = Duration::from_secs(60);

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
pub(crate) struct Look {
    /// When the platform was asked, by the steady clock.
    pub(crate) asked: Instant,
    /// What it answered.
    pub(crate) platform: Option<u64>,
    /// When it had answered, by the steady clock.
    pub(crate) now: Instant,
}

impl Idle {
    pub(crate) fn new(allowed: Duration, look_every: Duration, now: Instant) -> Self {
        Idle {
            allowed,
            allowed_steady: allowed + allowed / 100 + 2 * look_every,
            last_activity: now,
            since: None,
            latest: 0,
        }
    }

    /// A party has changed something.
    pub(crate) fn interrupt(&mut self, now: Instant) {
        self.last_activity = now;
        self.since = None;
    }

    /// Whether nothing has happened for as long as is allowed.
    pub(crate) fn is_over(&mut self, look: Look) -> bool {
        if let Some(time) = look.platform {
            self.latest = self.latest.max(time);
            // A time that was asked for before the last activity says nothing about when that was.
            if look.asked >= self.last_activity {
                self.since.get_or_insert(self.latest);
            }
        }
        let idle = self.since.map_or(0, |since| self.latest - since);
        idle >= self.allowed.as_secs()
            || look.now.saturating_duration_since(self.last_activity) >= self.allowed_steady
    }
}

/// Looks at the time, on a thread of its own, until the room has expired, can no longer expire, or is
/// gone.
///
/// # Errors
/// When no thread can be started.
pub(crate) fn watch(
    room: &Arc<Room>,
    platform: PlatformTime,
    look_every: Duration,
    gone: Receiver<()>,
) -> io::Result<()> {
    // The thread does not hold the room while it sleeps, so that it can be dropped.
    let room = Arc::downgrade(room);
    let watching = thread::Builder::new().name("expiry".to_owned());
    let looking = move || {
        loop {
            let look = look(&platform);
            if room.upgrade().is_none_or(|room| room.is_done_waiting(look)) {
                return;
            }
            if gone.recv_timeout(look_every) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    };
    watching.spawn(looking).map(drop)
}

/// A platform that panics gives no time, and must not keep the steady clock from being looked at.
fn look(platform: &PlatformTime) -> Look {
    let asked = Instant::now();
    let answer = catch_unwind(AssertUnwindSafe(|| platform()));
    Look {
        asked,
        platform: answer.ok().and_then(Result::ok),
        now: Instant::now(),
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

        /// A look when the steady clock shows so many seconds, with the platform's time.
        fn look(&mut self, steady: u64, platform: Option<u64>) -> bool {
            let now = self.steady(steady);
            self.idle.is_over(Look {
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
        let late = Look {
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
        let platform: PlatformTime = Arc::new(|| panic!("what a panic says is not repeated"));
        assert_eq!(look(&platform).platform, None);
    }
}
