//! What a browser may fetch by an address alone, as a download cannot carry the token.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use client::{NoRandomness, SiteBody, StartToken};
use hyper::{Response, Uri};

/// How long a reply waits to be fetched.
const LIFE: Duration = Duration::from_secs(60);
/// Replies that wait; of more the oldest are dropped. Each keeps a connection to the room, of which
/// there are only so many.
const MOST: usize = 8;
/// What the room gives to take home.
const PATHS: [&str; 4] = ["/model", "/receipt", "/report", "/samples"];

/// Replies that wait for a browser, each at an address that works once.
#[derive(Default)]
pub(super) struct Downloads(Arc<Mutex<Vec<Ticket>>>);

struct Ticket {
    id: StartToken,
    reply: Response<SiteBody>,
}

impl Downloads {
    /// The request that a download of `path` stands for, if that is one to take home.
    pub(super) fn target(path: &str) -> Option<Uri> {
        let target: Uri = path.parse().ok()?;
        let plain = path.starts_with('/') && target.authority().is_none();
        (plain && PATHS.contains(&target.path())).then_some(target)
    }

    /// Keeps `reply` for a minute, and returns its name, which nobody can guess.
    pub(super) fn keep(&self, reply: Response<SiteBody>) -> Result<String, NoRandomness> {
        let id = StartToken::draw()?;
        let name = id.reveal().to_owned();
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tickets.len() >= MOST {
            tickets.remove(0);
        }
        tickets.push(Ticket { id, reply });
        drop(tickets);
        let (tickets, forgotten) = (Arc::clone(&self.0), name.clone());
        tokio::spawn(async move {
            tokio::time::sleep(LIFE).await;
            // Dropped, so that what nobody fetches keeps no connection.
            drop(remove(&tickets, &forgotten));
        });
        Ok(name)
    }

    /// The reply of this name, once.
    pub(super) fn take(&self, name: &str) -> Option<Response<SiteBody>> {
        remove(&self.0, name)
    }
}

fn remove(tickets: &Mutex<Vec<Ticket>>, name: &str) -> Option<Response<SiteBody>> {
    let mut tickets = tickets.lock().unwrap_or_else(PoisonError::into_inner);
    let place = tickets
        .iter()
        .position(|ticket| ticket.id.is(name.as_bytes()))?;
    Some(tickets.remove(place).reply)
}

#[cfg(test)]
mod tests {
    use client::site_body;
    use http_body_util::Empty;
    use hyper::Response;

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

    #[tokio::test]
    async fn a_reply_is_there_once_and_the_oldest_are_dropped() {
        let downloads = Downloads::default();
        let keep = || {
            let reply = Response::new(site_body(Empty::new()));
            downloads.keep(reply).unwrap()
        };
        let first = keep();
        assert!(downloads.take(&first).is_some());
        assert!(downloads.take(&first).is_none());
        assert!(downloads.take("").is_none());
        let names: Vec<_> = (0..=MOST).map(|_| keep()).collect();
        assert!(downloads.take(&names[0]).is_none());
        assert!(downloads.take(&names[1]).is_some());
    }
}
