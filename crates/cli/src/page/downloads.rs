//! What a browser may fetch by an address alone, as a download cannot carry the token.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use client::{NoRandomness, StartToken};
use hyper::Uri;

/// How long an address may wait to be used.
const LIFE: Duration = Duration::from_secs(60);
/// Addresses that wait; of more the oldest are forgotten.
const MOST: usize = 32;
/// What the room gives to take home.
const PATHS: [&str; 4] = ["/model", "/receipt", "/report", "/samples"];

/// Addresses that work once.
#[derive(Default)]
pub(super) struct Downloads(Mutex<Vec<Ticket>>);

struct Ticket {
    id: StartToken,
    since: Instant,
    target: Uri,
}

impl Downloads {
    /// The request that a download of `path` stands for, if that is one to take home.
    pub(super) fn target(path: &str) -> Option<Uri> {
        let target: Uri = path.parse().ok()?;
        let plain = path.starts_with('/') && target.authority().is_none();
        (plain && PATHS.contains(&target.path())).then_some(target)
    }

    /// A new name for `target`, which nobody can guess.
    pub(super) fn note(&self, target: Uri) -> Result<String, NoRandomness> {
        let id = StartToken::draw()?;
        let name = id.reveal().to_owned();
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|ticket| ticket.since.elapsed() < LIFE);
        if tickets.len() >= MOST {
            tickets.remove(0);
        }
        tickets.push(Ticket {
            id,
            since: Instant::now(),
            target,
        });
        Ok(name)
    }

    /// What `name` stands for, once.
    pub(super) fn take(&self, name: &str) -> Option<Uri> {
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|ticket| ticket.since.elapsed() < LIFE);
        let place = tickets
            .iter()
            .position(|ticket| ticket.id.is(name.as_bytes()))?;
        Some(tickets.remove(place).target)
    }
}

#[cfg(test)]
mod tests {
    use super::{Downloads, MOST};

    #[test]
    fn only_what_is_to_be_taken_home_can_be_downloaded() {
        for path in ["/samples?format=csv&num_samples=10", "/model", "/receipt"] {
            assert!(Downloads::target(path).is_some(), "{path}");
        }
        for path in [
            "/confirm_data",
            "/agreement",
            "/",
            "",
            "samples",
            "//evil.example/samples",
            "http://evil.example/samples",
            "/page/api/state",
            "/samples/../confirm_data",
            "/samples%2f",
            "/samples x",
        ] {
            assert!(Downloads::target(path).is_none(), "{path}");
        }
    }

    #[test]
    fn a_name_works_once_and_the_oldest_are_forgotten() {
        let downloads = Downloads::default();
        let target = || Downloads::target("/receipt").unwrap();
        let first = downloads.note(target()).unwrap();
        assert_eq!(downloads.take(&first), Some(target()));
        assert_eq!(downloads.take(&first), None);
        assert_eq!(downloads.take(""), None);
        let names: Vec<_> = (0..=MOST)
            .map(|_| downloads.note(target()).unwrap())
            .collect();
        assert_eq!(downloads.take(&names[0]), None);
        assert!(downloads.take(&names[1]).is_some());
    }
}
