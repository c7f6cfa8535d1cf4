//! Whether a request may pass to the room.

use hyper::header::{AUTHORIZATION, HeaderName};
use hyper::{HeaderMap, StatusCode};
use tokio::sync::watch;

use crate::{HttpRefusal, StartToken};

/// The header in which a program shows the token. Like all of its kind it does not go to the room.
pub(crate) const TOKEN: HeaderName = HeaderName::from_static("x-synclave-token");

/// How a person accepted the agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptedBy {
    /// Beforehand, by its hash among the program's options.
    Option,
    /// By a yes in the terminal.
    Terminal,
    /// On the page.
    Page,
}

/// Stands between this machine's programs and the room: shut until a person has accepted the
/// agreement, and afterwards, if so wanted, only for those who show the token of this start.
#[derive(Debug)]
pub struct Gate {
    token: StartToken,
    demands_token: bool,
    accepted: watch::Sender<Option<AcceptedBy>>,
}

impl Gate {
    /// A gate that is shut. Where `demands_token`, every request to the room must show `token` once
    /// it is open; programs of other users of this machine have no part in the room then.
    pub fn shut(token: StartToken, demands_token: bool) -> Self {
        let (accepted, _) = watch::channel(None);
        Self {
            token,
            demands_token,
            accepted,
        }
    }

    /// Opens it, and returns whether it was shut: of several acceptances the first counts.
    pub fn open(&self, by: AcceptedBy) -> bool {
        self.accepted.send_if_modified(|accepted| {
            let first = accepted.is_none();
            accepted.get_or_insert(by);
            first
        })
    }

    /// How the agreement was accepted, once it is.
    pub fn accepted(&self) -> Option<AcceptedBy> {
        *self.accepted.borrow()
    }

    /// Waits until the agreement is accepted, and says how it was.
    pub async fn opened(&self) -> AcceptedBy {
        let mut accepted = self.accepted.subscribe();
        let accepted = accepted.wait_for(Option::is_some).await;
        // The sender lives as long as this borrow of the gate.
        accepted.ok().and_then(|by| *by).expect("it was waited for")
    }

    /// Whether requests to the room must show the token.
    pub fn demands_token(&self) -> bool {
        self.demands_token
    }

    /// The token of this start.
    pub fn token(&self) -> &StartToken {
        &self.token
    }

    /// Refuses a request to the room that may not pass (yet).
    ///
    /// # Errors
    /// 503 before the agreement is accepted; 403 without the token, where that is demanded.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), HttpRefusal> {
        self.check_accepted()?;
        match self.demands_token {
            true => self.check_token(headers),
            false => Ok(()),
        }
    }

    /// Refuses while it is shut, whoever asks.
    ///
    /// # Errors
    /// 503 before the agreement is accepted.
    pub fn check_accepted(&self) -> Result<(), HttpRefusal> {
        if self.accepted().is_some() {
            return Ok(());
        }
        Err(HttpRefusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "agreement-not-accepted",
            "Nothing goes to the room before its agreement is accepted: accept it in the terminal \
             or on the page of this address.",
        ))
    }

    /// Refuses a request that does not show the token, as `x-synclave-token` or as the bearer of
    /// `Authorization`.
    ///
    /// # Errors
    /// 403 without the token.
    pub fn check_token(&self, headers: &HeaderMap) -> Result<(), HttpRefusal> {
        let own = headers.get_all(TOKEN).iter();
        let bearer = headers.get_all(AUTHORIZATION).iter().filter_map(|value| {
            let value = value.as_bytes();
            let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
            scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
        });
        let mut shown = own.map(|value| value.as_bytes()).chain(bearer);
        if shown.any(|shown| self.token.is(shown)) {
            return Ok(());
        }
        Err(HttpRefusal::new(
            StatusCode::FORBIDDEN,
            "token-required",
            "This needs the token of this start, which is in the address that the terminal \
             printed: send it as the header x-synclave-token, or open that address in the browser.",
        ))
    }
}

#[cfg(test)]
mod tests {
    use hyper::HeaderMap;
    use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};

    use super::{AcceptedBy, Gate, TOKEN};
    use crate::StartToken;

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    fn answer(gate: &Gate, headers: &HeaderMap) -> &'static str {
        gate.check(headers)
            .map_or_else(|refusal| refusal.code, |()| "passes")
    }

    #[test]
    fn nothing_passes_before_the_agreement_is_accepted() {
        for demands_token in [false, true] {
            let gate = Gate::shut(StartToken::draw().unwrap(), demands_token);
            let right = with(TOKEN, gate.token().reveal());
            for headers in [&HeaderMap::new(), &right] {
                assert_eq!(answer(&gate, headers), "agreement-not-accepted");
            }
            gate.open(AcceptedBy::Terminal);
            assert_eq!(answer(&gate, &right), "passes");
        }
    }

    #[test]
    fn the_first_acceptance_counts() {
        let gate = Gate::shut(StartToken::draw().unwrap(), false);
        assert_eq!(gate.accepted(), None);
        assert!(gate.open(AcceptedBy::Page));
        assert!(!gate.open(AcceptedBy::Terminal));
        assert_eq!(gate.accepted(), Some(AcceptedBy::Page));
    }

    #[test]
    fn where_it_is_demanded_only_the_token_opens() {
        let gate = Gate::shut(StartToken::draw().unwrap(), true);
        gate.open(AcceptedBy::Option);
        let token = gate.token().reveal();
        let other = StartToken::draw().unwrap();
        for (headers, expected) in [
            (HeaderMap::new(), "token-required"),
            (with(TOKEN, other.reveal()), "token-required"),
            (with(TOKEN, ""), "token-required"),
            (with(AUTHORIZATION, token), "token-required"),
            (
                with(AUTHORIZATION, &format!("Basic {token}")),
                "token-required",
            ),
            (with(AUTHORIZATION, &format!("Bearer {token}")), "passes"),
            (with(AUTHORIZATION, &format!("bearer {token}")), "passes"),
            (with(TOKEN, token), "passes"),
        ] {
            assert_eq!(answer(&gate, &headers), expected, "{headers:?}");
        }
    }
}
