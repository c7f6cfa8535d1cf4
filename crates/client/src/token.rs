//! The secret of one start.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

/// 128 random bits, drawn anew at every start of the program and never written to a file that
/// others can read. Whoever shows them was told by the person who started it.
pub struct StartToken(String);

impl StartToken {
    const BYTES: usize = 16;

    /// Draws one from the operating system.
    ///
    /// # Errors
    /// [`NoRandomness`], where the operating system has none to give.
    pub fn draw() -> Result<Self, NoRandomness> {
        let mut bytes = [0; Self::BYTES];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
        Ok(Self(hex::encode(bytes)))
    }

    /// The token in hex, for the one who is to have it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Shows whoever has the token that this program has it too, and shows it to nobody else:
    /// HMAC-SHA-256 of `nonce` in hex, keyed with the token as it is revealed. A port that another
    /// program has taken in the meantime cannot answer this.
    pub fn proof(&self, nonce: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes());
        hex::encode(hmac::sign(&key, nonce.as_bytes()))
    }

    /// Whether this is the token. How long the answer takes tells nothing of where they differ.
    pub fn is(&self, shown: &[u8]) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), shown).is_ok()
    }
}

/// The operating system gives no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gives no randomness")]
pub struct NoRandomness;

impl fmt::Debug for StartToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StartToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::StartToken;

    #[test]
    fn a_token_is_itself_and_no_other() {
        let (token, other) = (StartToken::draw().unwrap(), StartToken::draw().unwrap());
        assert_eq!(token.reveal().len(), 32);
        assert!(token.is(token.reveal().as_bytes()));
        for wrong in [
            other.reveal(),
            "",
            &token.reveal()[1..],
            &token.reveal().to_uppercase(),
        ] {
            // Of digits alone it would be its own upper case.
            let same = wrong == token.reveal();
            assert_eq!(token.is(wrong.as_bytes()), same, "{wrong}");
        }
        assert!(!format!("{token:?}").contains(token.reveal()));
    }

    #[test]
    fn a_proof_is_the_hmac_of_the_question_under_the_tokens_text() {
        // By Python: hmac.new(b"00" * 16, b"ab" * 32, "sha256").hexdigest()
        let token = StartToken("00".repeat(16));
        assert_eq!(
            token.proof(&"ab".repeat(32)),
            "1275c53b9140c5472e68c2cd49edfc221dd93d48b6c0a77347107d15a4b25f87"
        );
        assert_ne!(token.proof("a"), token.proof("b"));
        assert_ne!(token.proof("a"), StartToken::draw().unwrap().proof("a"));
    }
}
