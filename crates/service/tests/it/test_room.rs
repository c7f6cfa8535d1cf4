//! A room with a recorder for its events, and requests as its users make them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use access::PublicKey;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;
use protocol::{Agreement, Code, Phase, Problem, RoomId};
use serde::de::DeserializeOwned;
use serde_json::Value;
use service::{
    CheckedAgreement, ClientIdentity, Events, MemoryShares, NoEvidence, Room, RoomEvent, RoomSetup,
    router,
};
use tower::ServiceExt as _;

pub(crate) const BOUNDARY: &str = "a-boundary";

/// The workshop's four lines.
pub(crate) const FOUR_LINES: &str = "method: MST\nepsilon: 3\nparty_names:\n  - Alice\n  - Bob\n";

/// Both tables declared, quickly fitted.
pub(crate) const DECLARED: &str = "\
method: INDEPENDENT
epsilon: 3
party_names: [Alice, Bob]
columns:
  Alice:
    buying: {categories: [low, high]}
    age: {integer: {min: 0, max: 99, bins: 10}}
  Bob:
    ill: {categories: [yes, no]}
";

pub(crate) struct TestRoom {
    pub(crate) room: Arc<Room>,
    router: Router,
    keys: HashMap<String, Vec<u8>>,
    events: Arc<Mutex<Vec<RoomEvent>>>,
    /// The platform's time; it gives none at 0.
    seconds: Arc<AtomicU64>,
    /// How often the room has asked for it.
    looks: Arc<AtomicU64>,
}

/// A reply, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// An Ed25519 key: nobody here has to sign with it.
pub(crate) fn key(byte: u8) -> PublicKey {
    let prefix = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    PublicKey::from_der(&[&prefix[..], &[byte; 32]].concat()).expect("a key to register")
}

/// A `service.yaml` with these data providers, and Zoe, who only looks on.
pub(crate) fn service_yaml(providers: &[&str]) -> String {
    let users: String = providers
        .iter()
        .zip(10..)
        .map(|(name, byte)| {
            format!(
                "  - user_name: {name}\n    public_key: {}\n",
                key(byte).to_text()
            )
        })
        .collect();
    format!(
        "auth: [{{auth_name: default, auth_type: signed_headers}}]\n\
         roles:\n\
         - {{role_name: data_provider, role_cardinality: {}, role_auth: default}}\n\
         - {{role_name: onlooker, role_cardinality: 1}}\n\
         users:\n  data_provider:\n{users}  onlooker:\n  - user_name: Zoe\n    public_key: {}\n",
        providers.len(),
        key(99).to_text(),
    )
}

pub(crate) fn agreement(providers: &[&str], runtime: &str) -> CheckedAgreement {
    let agreement = Agreement::new(service_yaml(providers), runtime).expect("two texts");
    CheckedAgreement::parse(agreement).expect("an agreement that holds")
}

impl TestRoom {
    /// Alice, Bob and Zoe.
    pub(crate) fn open(runtime: &str) -> Self {
        Self::open_for(&["Alice", "Bob"], runtime)
    }

    pub(crate) fn open_for(providers: &[&str], runtime: &str) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&events);
        let sink: Events = Arc::new(move |event| {
            record
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(event)
        });
        let mut room = Self::open_with(
            agreement(providers, runtime),
            sink,
            Arc::new(|data| Ok(data.to_vec())),
        );
        room.events = events;
        room
    }

    pub(crate) fn open_with(
        agreement: CheckedAgreement,
        events: Events,
        attest: service::Attest,
    ) -> Self {
        let keys = agreement.policy().users().iter();
        let keys = keys
            .map(|user| (user.name().to_owned(), user.key().spki().to_vec()))
            .collect();
        let memory = MemoryShares::new(&agreement, 2 << 30).expect("it is enough for two");
        let seconds = Arc::new(AtomicU64::new(1_700_000_000));
        let looks = Arc::new(AtomicU64::new(0));
        let (shown, count) = (Arc::clone(&seconds), Arc::clone(&looks));
        let platform = move || {
            count.fetch_add(1, Ordering::SeqCst);
            match shown.load(Ordering::SeqCst) {
                0 => Err(NoEvidence),
                seconds => Ok(seconds),
            }
        };
        let setup = RoomSetup {
            platform_time: Arc::new(platform),
            memory,
            agreement,
            id: RoomId::from_bytes([42; 32]),
            attest,
            events,
            rng: testkit::noise(7),
        };
        let room = Room::dangerous_open(setup, Duration::from_millis(5))
            .expect("the system gives entropy");
        TestRoom {
            router: router(Arc::clone(&room)),
            room,
            keys,
            events: Arc::default(),
            seconds,
            looks,
        }
    }

    /// Sets the platform's time forward, and waits until the room has looked at it.
    pub(crate) async fn pass(&self, time: Duration) {
        self.seconds.fetch_add(time.as_secs(), Ordering::SeqCst);
        self.look().await;
    }

    /// From now on the platform gives no time.
    pub(crate) fn lose_time(&self) {
        self.seconds.store(0, Ordering::SeqCst);
    }

    /// Waits until the room has looked at the time as it is now, or looks no more.
    pub(crate) async fn look(&self) {
        // The next question may be on its way already. When the third from now is asked, the one
        // before it was asked later than now, and its look has ended.
        let enough = self.looks.load(Ordering::SeqCst) + 3;
        for _ in 0..10_000 {
            let over = self.room.watch().borrow().status.is_final();
            if over || self.looks.load(Ordering::SeqCst) >= enough {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("the room does not look at the time");
    }

    pub(crate) fn events(&self) -> Vec<RoomEvent> {
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A request in this user's name; the empty name is a connection without identity.
    pub(crate) async fn send(&self, user: &str, mut request: Request<Body>) -> Response<Body> {
        if !user.is_empty() {
            let spki = self
                .keys
                .get(user)
                .cloned()
                .unwrap_or_else(|| key(200).spki().to_vec());
            request.extensions_mut().insert(ClientIdentity { spki });
        }
        self.router
            .clone()
            .oneshot(request)
            .await
            .expect("the router does not fail")
    }

    pub(crate) async fn ask(&self, user: &str, method: &str, path: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .expect("a request");
        Answer::read(self.send(user, request).await).await
    }

    pub(crate) async fn get(&self, user: &str, path: &str) -> Answer {
        self.ask(user, "GET", path).await
    }

    pub(crate) async fn upload(&self, user: &str, csv: &str) -> Answer {
        self.upload_body(user, Body::from(form(csv))).await
    }

    pub(crate) async fn upload_body(&self, user: &str, body: Body) -> Answer {
        Answer::read(self.send(user, upload_request(body)).await).await
    }

    pub(crate) async fn confirm(&self, user: &str) -> Answer {
        self.get(user, "/confirm_data").await
    }

    /// Uploads each table and confirms it, then waits for the end of training.
    pub(crate) async fn train(&self, tables: &[(&str, &str)]) -> Phase {
        for (user, csv) in tables {
            self.upload(user, csv).await.ok();
            self.confirm(user).await.ok();
        }
        self.finished().await
    }

    pub(crate) async fn finished(&self) -> Phase {
        let mut watch = self.room.watch();
        let status = tokio::time::timeout(
            Duration::from_secs(60),
            watch.wait_for(|status| status.status.is_final()),
        );
        status
            .await
            .expect("training ends within a minute")
            .expect("the room is there")
            .status
    }
}

impl Answer {
    pub(crate) async fn read(response: Response<Body>) -> Self {
        let (head, body) = response.into_parts();
        let bytes = body
            .collect()
            .await
            .expect("the body is complete")
            .to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// The body, if the reply is not an error.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    #[track_caller]
    pub(crate) fn json<T: DeserializeOwned>(self) -> T {
        let body = self.ok();
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"))
    }

    #[track_caller]
    pub(crate) fn value(self) -> Value {
        self.json()
    }

    /// The problem, which must have this code and the status that goes with it.
    #[track_caller]
    pub(crate) fn refused(self, code: Code) -> Problem {
        let problem: Problem =
            serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no problem: {self:?}"));
        assert_eq!(
            (problem.code, self.status),
            (code, code.status()),
            "{}",
            problem.detail
        );
        problem
    }
}

/// A multipart body with this file.
pub(crate) fn form(csv: &str) -> String {
    form_with(
        "Content-Disposition: form-data; name=\"file\"; filename=\"t.csv\"\r\nContent-Type: \
         text/csv",
        csv,
    )
}

pub(crate) fn form_with(part_headers: &str, content: &str) -> String {
    format!("--{BOUNDARY}\r\n{part_headers}\r\n\r\n{content}\r\n--{BOUNDARY}--\r\n")
}

pub(crate) fn upload_request(body: Body) -> Request<Body> {
    Request::builder()
        .method("POST")
        .uri("/upload_data")
        .header(
            "content-type",
            format!("multipart/form-data; boundary={BOUNDARY}"),
        )
        .body(body)
        .expect("a request")
}

/// Alice's table for [`DECLARED`]: ids 0 to 299.
pub(crate) fn alice() -> String {
    let rows = (0..300).map(|id| format!("{id},{},{}\n", ["low", "high"][id % 2], id % 100));
    format!("id,buying,age\n{}", rows.collect::<String>())
}

/// Bob's table for [`DECLARED`]: ids 100 to 399.
pub(crate) fn bob() -> String {
    let rows = (100..400).map(|id| format!("{id},{}\n", ["yes", "no"][id % 2]));
    format!("id,ill\n{}", rows.collect::<String>())
}

/// What `parse` answers where an agreement must be refused.
pub(crate) fn no_evidence() -> service::Attest {
    Arc::new(|_| Err(NoEvidence))
}
