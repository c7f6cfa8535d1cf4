//! Rooms: the verifying client, and rooms on this machine for tutorials and tests.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use attestation::Step;
use attestation::nitro::Measurements;
use bytes::Bytes;
use cli::{BadInput, trust};
use client::{ExpectedRoom, KeyPair, Session};
use enclave::{Config, Enclave, EnclaveLimits, Platform, Running};
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request};
use protocol::RoomId;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use serde::Deserialize;
use serde_json::json;
use service::Summary;
use synthesis::Progress;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::failure::Failure;
use crate::work::{LOOK, Watch, carry_out};

/// Of one reply: a model is the longest.
const MAX_REPLY_BYTES: usize = 1 << 30;

/// Where a room is expected, and what is expected of it, as the package's Python writes it down.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    url: String,
    port: u16,
    private_key: PathBuf,
    public_key: PathBuf,
    measurements: PathBuf,
    agreement: String,
    room: Option<String>,
    dangerous_root: Option<PathBuf>,
    proxy: Option<String>,
    outer_ca: Option<PathBuf>,
}

/// A room that was verified. Every further connection must show the same.
#[pyclass(frozen, module = "synclave._native")]
pub(crate) struct Room {
    open: Arc<Open>,
    notes: Vec<String>,
}

struct Open {
    session: Session,
    runtime: Runtime,
}

#[pymethods]
impl Room {
    /// Connects and verifies. Nothing is sent to what does not hold.
    #[staticmethod]
    fn connect(py: Python<'_>, expected: &str) -> PyResult<Self> {
        let expected: Expected = serde_json::from_str(expected)
            .map_err(|error| Failure::input(error).into_exception(py))?;
        let (open, notes) = carry_out(py, None, move |_| Ok(connect(&expected)?))?;
        Ok(Self {
            open: Arc::new(open),
            notes,
        })
    }

    /// For each check that passed what was checked and what was found.
    fn evidence(&self) -> Vec<(String, String)> {
        let steps = self.open.session.verified().steps().iter();
        let pair = |step: &Step| (step.check().to_owned(), step.found().to_owned());
        steps.map(pair).collect()
    }

    /// The agreement: its name, its two files byte for byte, and what they say, as JSON.
    fn agreement(&self, py: Python<'_>) -> PyResult<String> {
        let open = Arc::clone(&self.open);
        carry_out(py, None, move |_| {
            let agreement = open.session.agreement();
            let checked = trust::checked_agreement(agreement)?;
            let document = json!({
                "sha384": agreement.sha384().to_string(),
                "service_yaml": agreement.service_yaml(),
                "runtime_yaml": agreement.runtime_yaml(),
                "summary": Summary::new(&checked),
            });
            Ok(document.to_string())
        })
    }

    /// The room's id, in hex.
    #[getter]
    fn id(&self) -> String {
        RoomId::from_bytes(*self.open.session.verified().room()).to_string()
    }

    /// What the person should know of their own key file.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    /// Sends a request over a verified connection. Returns status and body of the reply.
    /// `progress` is told how many bytes of the body are on their way, of how many.
    #[pyo3(signature = (method, path, content_type=None, body=None, progress=None))]
    fn request<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: Option<PyBackedBytes>,
        progress: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(u16, Bound<'py, PyBytes>)> {
        let method: Result<Method, _> = method.parse();
        let method = method.map_err(|error| Failure::input(error).into_exception(py))?;
        let mut request = Request::builder().method(method).uri(path);
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let body = body.map_or_else(Bytes::new, Bytes::from_owner);
        let total = body.len() as u64;
        let request = request.body(body);
        let request = request.map_err(|error| Failure::input(error).into_exception(py))?;
        let open = Arc::clone(&self.open);
        let (status, body) = carry_out(py, progress.as_ref(), move |watch| {
            let telling = watch.clone();
            let tell = move |done| {
                // That nobody waits any more is seen below.
                let _ = telling.tell(Progress {
                    stage: "sending",
                    done,
                    total,
                });
            };
            let sent = open.session.send_telling(request, MAX_REPLY_BYTES, tell);
            let reply = open.runtime.block_on(async {
                tokio::select! {
                    reply = sent => reply.map_err(anyhow::Error::from),
                    // What is left of a table does not leave after Ctrl-C.
                    () = unwanted(watch) => Err(anyhow::anyhow!("nobody waits for the reply")),
                }
            })?;
            Ok((reply.status().as_u16(), reply.into_body()))
        })?;
        Ok((status, PyBytes::new(py, &body)))
    }
}

/// Returns once nobody waits for the work any more.
async fn unwanted(watch: &Watch) {
    while watch.is_wanted() {
        tokio::time::sleep(LOOK).await;
    }
}

/// As `synclave connect` does, up to where a local port would be opened.
fn connect(expected: &Expected) -> anyhow::Result<(Open, Vec<String>)> {
    let (proxy, outer_ca) = (expected.proxy.as_deref(), expected.outer_ca.as_deref());
    let endpoint = trust::endpoint(&expected.url, expected.port, proxy, outer_ca)?;
    let KeyPair { key, exposed } = client::read_keys(&expected.private_key, &expected.public_key)?;
    let expected = ExpectedRoom {
        verifier: trust::verifier(expected.dangerous_root.as_deref())?,
        policy: trust::policy_file(&expected.measurements)?,
        agreement: Some(trust::agreement(&expected.agreement)?),
        id: expected.room.as_deref().map(trust::room).transpose()?,
    };
    let runtime = Runtime::new().context("could not start")?;
    let session = runtime.block_on(Session::open(endpoint, key, expected))?;
    let notes = exposed.iter().map(ToString::to_string).collect();
    Ok((Open { session, runtime }, notes))
}

/// A room in this process. No hardware vouches for it.
#[pyclass(frozen, module = "synclave._native")]
pub(crate) struct SimulatedRoom {
    running: Mutex<Option<(Running, Runtime)>>,
    url: String,
    root_pem: String,
    measurements: String,
    agreement: String,
}

#[pymethods]
impl SimulatedRoom {
    /// Starts a room with the agreement in a folder, on a free port of this machine.
    #[staticmethod]
    fn start(py: Python<'_>, folder: PathBuf) -> PyResult<Self> {
        carry_out(py, None, move |_| {
            let problem = || BadInput(format!("could not start the room in {}", folder.display()));
            let agreement = enclave::read_agreement(&folder).with_context(problem)?;
            let platform = Platform::simulated().with_context(problem)?;
            let root_pem = platform.root_pem().unwrap_or_default();
            let measurements = platform.measurements().map(Measurements::to_json);
            let runtime = Runtime::new().context("could not start")?;
            let running = runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                let address = listener.local_addr()?;
                let running = Enclave::start(Config {
                    agreement,
                    platform,
                    listener: listener.into(),
                    limits: EnclaveLimits::default(),
                    events: Arc::new(drop),
                });
                Ok::<_, anyhow::Error>((running.with_context(problem)?, address))
            });
            let (running, address) = running?;
            Ok(Self {
                url: format!("http://{address}"),
                root_pem,
                measurements: measurements.unwrap_or_default(),
                agreement: running.agreement().to_string(),
                running: Mutex::new(Some((running, runtime))),
            })
        })
    }

    /// Ends it; what it held is overwritten.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let running = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some((running, runtime)) = running else {
            return Ok(());
        };
        carry_out(py, None, move |_| {
            runtime.block_on(running.shutdown());
            Ok(())
        })
    }

    /// Where it is reached.
    #[getter]
    fn url(&self) -> &str {
        &self.url
    }

    /// The root of its evidence, which nobody but its own clients should trust.
    #[getter]
    fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// The measurements in its evidence, as JSON.
    #[getter]
    fn measurements(&self) -> &str {
        &self.measurements
    }

    /// The name of its agreement, in hex.
    #[getter]
    fn agreement(&self) -> &str {
        &self.agreement
    }
}
