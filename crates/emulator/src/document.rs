//! Who signs documents, and what becomes of them on the way.

use std::time::{SystemTime, UNIX_EPOCH};

use attestation::nitro::AGREEMENT_PCR;
use attestation::nitro::authority::{Authority, DocumentFields, Forgery};

use crate::Lie;

const SIX_MINUTES_MILLIS: u64 = 6 * 60 * 1000;

/// Signs an enclave's documents under a root of its own, and lies if told to.
pub struct Signer {
    authority: Authority,
    lie: Option<Lie>,
    /// Signs in place of `authority` where the root is to be a wrong one.
    stranger: Authority,
    first_answer: Option<Vec<u8>>,
}

impl Signer {
    /// With a new root.
    pub fn new(lie: Option<Lie>) -> Self {
        Self::under(Authority::generate(), lie)
    }

    /// With a root that enclaves before this one had.
    pub fn under(authority: Authority, lie: Option<Lie>) -> Self {
        Self {
            authority,
            lie,
            stranger: Authority::generate(),
            first_answer: None,
        }
    }

    /// The certificate of the root that clients are told to trust.
    pub fn root_pem(&self) -> String {
        self.authority.root_pem()
    }

    pub(crate) fn lie(&self) -> Option<Lie> {
        self.lie
    }

    /// A document with these fields and the present time, as far as no lie changes it.
    pub(crate) fn document(&mut self, mut fields: DocumentFields) -> Vec<u8> {
        if self.lie == Some(Lie::Replayed)
            && fields.nonce.is_some()
            && let Some(first) = &self.first_answer
        {
            return first.clone();
        }
        let answers = fields.nonce.is_some();
        fields.timestamp_millis = now_millis();
        let document = self.signed(fields);
        if answers && self.first_answer.is_none() {
            self.first_answer = Some(document.clone());
        }
        document
    }

    fn signed(&self, mut fields: DocumentFields) -> Vec<u8> {
        let Some(lie) = self.lie else {
            return self.authority.document(&fields);
        };
        match lie {
            Lie::OtherAgreement => {
                if let Some(pcr) = fields.pcrs.get_mut(&AGREEMENT_PCR) {
                    pcr.fill(0xcd);
                }
            }
            Lie::Stale => fields.timestamp_millis -= SIX_MINUTES_MILLIS,
            Lie::Future => return self.authority.forge(&fields, Forgery::SixMinutesAhead),
            Lie::WrongRoot => return self.stranger.document(&fields),
            Lie::ExpiredLeaf => return self.authority.forge(&fields, Forgery::ExpiredLeaf),
            Lie::WrongKey => return self.authority.forge(&fields, Forgery::SignedByStranger),
            Lie::Unsigned => return self.authority.forge(&fields, Forgery::ZeroSignature),
            // These are told elsewhere.
            Lie::DebugMode
            | Lie::OtherImage
            | Lie::Replayed
            | Lie::NsmRefuses
            | Lie::NsmMissing => {}
        }
        self.authority.document(&fields)
    }
}

fn now_millis() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since_1970.expect("the clock is after 1970").as_millis();
    u64::try_from(millis).expect("64 bits of milliseconds last for ages")
}
