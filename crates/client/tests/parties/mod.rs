//! A room on loopback, its parties, and an HTTP client that writes its own bytes.

#![allow(dead_code, reason = "each test program uses its own part of this")]
#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

pub(crate) mod http;

use std::path::Path;
use std::sync::{Arc, Mutex};

use attestation::Policy;
use attestation::nitro::NitroVerifier;
use client::{
    ClientKey, Endpoint, Error, ExpectedRoom, KeyAlgorithm, NewKey, Proxy, Session, keygen,
    read_keys,
};
use enclave::{Config, Enclave, EnclaveEvent, EnclaveLimits, Platform, Running};
use protocol::Agreement;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The workshop's runtime.yaml.
pub(crate) const FOUR_LINES: &str = "method: MST\nepsilon: 3\nparty_names:\n- Alice\n- Bob\n";

/// Keys of Alice, Bob and Eve, who is not in the agreement; and the agreement.
pub(crate) struct Parties {
    pub(crate) folder: TempDir,
    pub(crate) alice: NewKey,
    pub(crate) bob: NewKey,
    pub(crate) eve: NewKey,
    pub(crate) agreement: Agreement,
    /// Everything that the enclaves of these parties told their machine.
    pub(crate) log: Arc<Mutex<Vec<EnclaveEvent>>>,
}

impl Parties {
    pub(crate) fn new(runtime_yaml: &str) -> Self {
        Self::with_keys(runtime_yaml, KeyAlgorithm::P256)
    }

    pub(crate) fn with_keys(runtime_yaml: &str, algorithm: KeyAlgorithm) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [alice, bob, eve] =
            ["alice", "bob", "eve"].map(|name| keygen(name, folder.path(), algorithm).unwrap());
        let agreement = Agreement::new(service_yaml(&alice, &bob), runtime_yaml).unwrap();
        Self {
            folder,
            alice,
            bob,
            eve,
            agreement,
            log: Arc::default(),
        }
    }

    /// Starts an enclave with the agreement; on any free port where `listener` is none.
    pub(crate) async fn start(
        &self,
        platform: &Platform,
        listener: Option<TcpListener>,
    ) -> Running {
        self.start_with(EnclaveLimits::default(), platform, listener)
            .await
    }

    pub(crate) async fn start_with(
        &self,
        limits: EnclaveLimits,
        platform: &Platform,
        listener: Option<TcpListener>,
    ) -> Running {
        let listener = match listener {
            Some(listener) => listener,
            None => TcpListener::bind("127.0.0.1:0").await.unwrap(),
        };
        let log = Arc::clone(&self.log);
        Enclave::start(Config {
            agreement: self.agreement.clone(),
            platform: platform.clone(),
            listener: listener.into(),
            limits,
            events: Arc::new(move |event| log.lock().unwrap().push(event)),
        })
        .unwrap()
    }
}

pub(crate) fn service_yaml(alice: &NewKey, bob: &NewKey) -> String {
    let paths: String = [
        "/upload_data",
        "/confirm_data",
        "/formats",
        "/samples",
        "/details",
        "/model_status",
    ]
    .iter()
    .map(|path| {
        format!(
            "- path: {path}\n  access: data_provider\n  short_description: a path of the workshop\n"
        )
    })
    .collect();
    format!(
        "auth:\n- auth_name: default\n  auth_type: signed_headers\npaths:\n{paths}roles:\n- \
         role_name: data_provider\n  role_auth: default\n  role_cardinality: 2\n  \
         role_description: uploads and downloads\ntraffic:\n  inbound:\n  - name: main_io\n    \
         port: 443\n    type: tcp\n  outbound: []\nusers:\n  data_provider:\n  - user_name: \
         Alice\n    public_key: {}\n  - user_name: Bob\n    public_key: {}\n",
        alice.key.public_text(),
        bob.key.public_text(),
    )
}

pub(crate) fn key(pair: &NewKey) -> ClientKey {
    read_keys(&pair.private_file, &pair.public_file)
        .unwrap()
        .key
}

/// What a party expects who was given the enclave's root and measurements.
pub(crate) fn expected_room(running: &Running) -> ExpectedRoom {
    ExpectedRoom {
        verifier: Arc::new(
            NitroVerifier::dangerous_from_pem(&running.root_pem().unwrap()).unwrap(),
        ),
        policy: Policy::from(*running.measurements().unwrap()),
        agreement: None,
        id: None,
    }
}

pub(crate) async fn open(running: &Running, pair: &NewKey) -> Result<Session, Error> {
    Session::open(endpoint(running), key(pair), expected_room(running)).await
}

pub(crate) fn endpoint(running: &Running) -> Endpoint {
    Endpoint::parse(&running.address().to_string(), 443).unwrap()
}

/// A proxy that serves; it ends when this is dropped.
pub(crate) struct Serving {
    pub(crate) port: u16,
    /// What it reported about the room.
    pub(crate) reported: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Serving {
    pub(crate) async fn start(session: Session) -> Self {
        let proxy = Proxy::bind(session, 0).await.unwrap();
        let port = proxy.port();
        let (stop, stopped) = oneshot::channel::<()>();
        let reported: Arc<Mutex<Vec<String>>> = Arc::default();
        let report = Arc::clone(&reported);
        let task = tokio::spawn(proxy.serve(async { drop(stopped.await) }, move |error| {
            report.lock().unwrap().push(error.to_string())
        }));
        Self {
            port,
            reported,
            stop: Some(stop),
            task,
        }
    }

    pub(crate) async fn connect(running: &Running, pair: &NewKey) -> Self {
        Self::start(open(running, pair).await.unwrap()).await
    }

    /// Ends it as a person would, and waits until it has.
    pub(crate) async fn end(mut self) {
        drop(self.stop.take());
        self.task.await.unwrap();
    }
}

/// Cars: the price class and doors with Alice; the value, which depends on the price, and the age
/// with Bob.
pub(crate) fn tables(rows: u32) -> (String, String) {
    let mut state = 1_u32;
    let mut dice = move |sides: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % sides
    };
    let (mut alice, mut bob) = ("id,buying,doors\n".to_owned(), "id,value,age\n".to_owned());
    for id in 0..rows {
        let price = dice(4);
        let value = if price < 2 && dice(10) < 8 {
            "good"
        } else {
            "unacc"
        };
        alice.push_str(&format!(
            "{id},{},{}\n",
            ["low", "med", "high", "vhigh"][price as usize],
            2 + dice(4)
        ));
        bob.push_str(&format!("{id},{value},{}\n", dice(20)));
    }
    (alice, bob)
}

/// Every file below `folder`.
pub(crate) fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path))
        } else {
            found.push(path)
        }
    }
    found
}
