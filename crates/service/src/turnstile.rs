//! How many long requests of one kind a user may have under way at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::{Code, Problem};

/// A request that takes long, and of which a user may have a few at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LongRequest {
    /// Samples on their way out: each takes a thread and some memory.
    Samples,
    /// Streams of events.
    Events,
}

impl LongRequest {
    fn limit(self) -> usize {
        // A person with a notebook and a browser needs a few; each takes a thread and a buffer of
        // the enclave.
        match self {
            LongRequest::Samples => 4,
            LongRequest::Events => 8,
        }
    }
}

/// Counts what is under way for each user.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turnstile(Arc<Mutex<HashMap<(String, LongRequest), usize>>>);

/// A place that is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    turnstile: Turnstile,
    key: (String, LongRequest),
}

impl Turnstile {
    pub(crate) fn enter(&self, user: &str, kind: LongRequest) -> Result<Place, Problem> {
        let key = (user.to_owned(), kind);
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(key.clone()).or_default();
        // Refused and not queued: a queue would itself be a place to fill.
        if *count == kind.limit() {
            let detail = format!(
                "You have {} such requests under way; wait for one of them to end.",
                kind.limit()
            );
            return Err(Problem::new(Code::TooManyRequests, detail));
        }
        *count += 1;
        Ok(Place {
            turnstile: self.clone(),
            key,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self
            .turnstile
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.key) {
            *count -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_for_each_user_and_kind_and_given_back() {
        let turnstile = Turnstile::default();
        let mut places: Vec<_> = (0..4)
            .map(|_| turnstile.enter("Alice", LongRequest::Samples).unwrap())
            .collect();
        assert_eq!(
            turnstile
                .enter("Alice", LongRequest::Samples)
                .unwrap_err()
                .code,
            Code::TooManyRequests
        );
        assert!(turnstile.enter("Bob", LongRequest::Samples).is_ok());
        assert!(turnstile.enter("Alice", LongRequest::Events).is_ok());
        places.pop();
        assert!(turnstile.enter("Alice", LongRequest::Samples).is_ok());
    }
}
