//! The local page: what `connect`, `view` and `demo --serve` answer a browser of this machine.
//!
//! The page's files are those of `page/` at the root of the repository. Its paths are described in
//! the book's reference; what they change needs the token of this start.

mod browser;
mod downloads;
mod evidence;
mod files;
mod routes;
mod served;

use std::sync::Arc;

use attestation::{Policy, Verifier};
use client::{AcceptedBy, BoundPort, Error, Gate, LocalSite, Proxy, Session, StartToken};
use protocol::{Agreement, AgreementHash, KeyFingerprint};
use serde_json::{Value, json};
use service::{ServedModel, Summary};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::page::downloads::Downloads;
use crate::page::evidence::{EvidenceRecord, spoken_hash, spoken_room};
use crate::printer::Printer;
use crate::receipt::Wanted;
use crate::trust::RootInWords;

pub(crate) use crate::page::evidence::is_refusal;
pub(crate) use crate::page::served::ServedPage;

/// One page at one local port.
pub(crate) struct Page {
    port: u16,
    gate: Arc<Gate>,
    subject: Subject,
    downloads: Downloads,
    left: watch::Sender<bool>,
}

/// What a page is about.
pub(crate) enum Subject {
    /// A room that was verified.
    Room(Box<PageRoom>),
    /// A room that was refused, of which there is nothing but the reason.
    Refused {
        reason: String,
        evidence: Box<EvidenceOfRefused>,
    },
    /// A model, and the name of its file.
    Model {
        model: Box<ServedModel>,
        file: String,
    },
}

/// What is known of a room that was refused.
pub(crate) struct EvidenceOfRefused(EvidenceRecord);

/// A room, as one party sees it.
pub(crate) struct PageRoom {
    session: Session,
    url: String,
    me: Value,
    agreement: Agreement,
    summary: Summary,
    text: String,
    evidence: EvidenceRecord,
    verifier: Arc<dyn Verifier>,
    policy: Policy,
}

/// What `connect` knows of a room besides its session.
pub(crate) struct RoomKnowledge {
    /// Where the enclave is reached.
    pub(crate) url: String,
    /// Who vouches for its platform, in words.
    pub(crate) root: RootInWords,
    pub(crate) verifier: Arc<dyn Verifier>,
    pub(crate) policy: Policy,
    /// The person's own key.
    pub(crate) own: KeyFingerprint,
}

impl PageRoom {
    /// `text` is what the terminal says of the agreement.
    pub(crate) fn new(
        session: Session,
        knowledge: RoomKnowledge,
        summary: Summary,
        text: String,
    ) -> Self {
        let RoomKnowledge {
            url,
            root,
            verifier,
            policy,
            own,
        } = knowledge;
        let me = summary.users.iter().find(|user| user.fingerprint == own);
        Self {
            url,
            me: me.map_or(Value::Null, |me| json!({"name": me.name, "role": me.role})),
            agreement: session.agreement().clone(),
            evidence: EvidenceRecord::held(session.verified().clone(), root),
            session,
            summary,
            text,
            verifier,
            policy,
        }
    }

    fn hash(&self) -> AgreementHash {
        self.agreement.sha384()
    }

    /// What its receipt must be about: this very room.
    fn receipt_wanted(&self) -> Wanted {
        Wanted {
            at: None,
            verifier: Arc::clone(&self.verifier),
            policy: Some(self.policy.clone()),
            agreement: Some(*self.session.verified().agreement()),
            room: Some(*self.session.verified().room()),
        }
    }
}

impl Subject {
    pub(crate) fn room(room: PageRoom) -> Self {
        Self::Room(Box::new(room))
    }

    /// A room that was refused because of `error`.
    pub(crate) fn refused(error: &Error, root: RootInWords) -> Self {
        Self::Refused {
            reason: error.to_string(),
            evidence: Box::new(EvidenceOfRefused(EvidenceRecord::refused(error, root))),
        }
    }
}

impl Page {
    /// A page about `subject` for the port `bound`. Where `demands_token`, the room's own paths
    /// want the token as well.
    pub(crate) fn new(
        bound: &BoundPort,
        subject: Subject,
        demands_token: bool,
    ) -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            port: bound.number(),
            gate: Arc::new(Gate::shut(StartToken::draw()?, demands_token)),
            subject,
            downloads: Downloads::default(),
            left: watch::channel(false).0,
        }))
    }

    /// Its address with the token: whoever has it may act on the page.
    pub(crate) fn address(&self) -> String {
        format!("{}/#token={}", self.origin(), self.gate.token().reveal())
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn origin(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Waits until somebody has left the room on the page.
    pub(crate) async fn left(&self) {
        drop(self.left.subscribe().wait_for(|left| *left).await);
    }

    /// Opens the browser at it; see [`browser::open`].
    pub(crate) fn open_browser(&self, printer: Printer) -> anyhow::Result<TempDir> {
        browser::open(&self.address(), printer)
    }

    /// What serves it, and the room behind its gate.
    pub(crate) fn proxy(self: &Arc<Self>, bound: BoundPort) -> Proxy {
        match &self.subject {
            Subject::Room(room) => Proxy::with_site(
                bound,
                room.session.clone(),
                Arc::clone(&self.gate),
                self.site(),
            ),
            Subject::Refused { .. } | Subject::Model { .. } => {
                Proxy::site_alone(bound, self.site())
            }
        }
    }

    /// Takes in what went wrong between here and the room.
    pub(crate) fn notice(&self, error: &Error) {
        if let Subject::Room(room) = &self.subject
            && is_refusal(error)
        {
            room.evidence.refuse(error);
        }
    }

    fn site(self: &Arc<Self>) -> LocalSite {
        let page = Arc::clone(self);
        LocalSite::new(move |request| {
            let page = Arc::clone(&page);
            async move { page.answer(request).await }
        })
    }

    /// Everything that the page shows at once.
    fn state(&self) -> Value {
        let mut state = json!({
            "mode": "room",
            "version": env!("CARGO_PKG_VERSION"),
            "address": self.origin(),
            "file": null,
            "room": null,
            "me": null,
            "evidence": null,
            "agreement": null,
            "token_required": self.gate.demands_token(),
        });
        match &self.subject {
            Subject::Model { file, .. } => {
                state["mode"] = "model".into();
                state["file"] = file.as_str().into();
            }
            Subject::Refused { evidence, .. } => state["evidence"] = evidence.0.document(),
            Subject::Room(room) => {
                let id = hex::encode(room.session.verified().room());
                state["room"] = json!({"url": room.url, "short": spoken_room(&id), "id": id});
                state["me"] = room.me.clone();
                state["evidence"] = room.evidence.document();
                state["agreement"] = self.agreement(room);
            }
        }
        state
    }

    fn agreement(&self, room: &PageRoom) -> Value {
        let accepted = self.gate.accepted();
        let hash = room.hash().to_string();
        json!({
            "short": spoken_hash(&hash),
            "sha384": hash,
            "accepted": accepted.is_some(),
            "accepted_by": accepted.map(|by| match by {
                AcceptedBy::Option => "option",
                AcceptedBy::Terminal => "terminal",
                AcceptedBy::Page => "page",
            }),
            "summary": room.summary,
            "text": room.text.lines().collect::<Vec<_>>(),
            "warnings": room.summary.warnings,
            "odds": room.summary.guarantee.presence,
            "service_yaml": room.agreement.service_yaml(),
            "runtime_yaml": room.agreement.runtime_yaml(),
        })
    }
}
