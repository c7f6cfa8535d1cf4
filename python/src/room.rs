//! Rooms: the verifying client, and rooms on this machine for tutorials and tests.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use attestation::nitro::{Measurements, NitroVerifier};
use attestation::{Policy, Step};
use bytes::Bytes;
use cli::BadInput;
use client::{Endpoint, ExpectedRoom, HttpProxy, KeyPair, OuterTrust, Session};
use enclave::{Config, Enclave, EnclaveLimits, Platform, Running};
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request};
use protocol::{AgreementHash, RoomId, read_text_file};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde::Deserialize;
use serde_json::json;
use service::{CheckedAgreement, Summary};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::failure::Failure;
use crate::work::carry_out;

/// Of measurements, or a root certificate.
const MAX_TEXT_BYTES: u64 = 1 << 20;
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
            let problem = || {
                BadInput(
                    "the room's agreement cannot be read here, so that nobody can judge it; use \
                     the version of synclave that it was written for"
                        .to_owned(),
                )
            };
            let checked = CheckedAgreement::parse(agreement.clone()).with_context(problem)?;
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
    #[pyo3(signature = (method, path, content_type=None, body=None))]
    fn request<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: Option<Vec<u8>>,
    ) -> PyResult<(u16, Bound<'py, PyBytes>)> {
        let method: Result<Method, _> = method.parse();
        let method = method.map_err(|error| Failure::input(error).into_exception(py))?;
        let mut request = Request::builder().method(method).uri(path);
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let request = request.body(Bytes::from(body.unwrap_or_default()));
        let request = request.map_err(|error| Failure::input(error).into_exception(py))?;
        let open = Arc::clone(&self.open);
        let (status, body) = carry_out(py, None, move |_| {
            let sent = open.session.send(request, MAX_REPLY_BYTES);
            let reply = open.runtime.block_on(sent).map_err(anyhow::Error::from)?;
            Ok((reply.status().as_u16(), reply.into_body()))
        })?;
        Ok((status, PyBytes::new(py, &body)))
    }
}

/// As `synclave connect` does, up to where a local port would be opened.
fn connect(expected: &Expected) -> anyhow::Result<(Open, Vec<String>)> {
    let endpoint = endpoint(expected)?;
    let KeyPair { key, exposed } = client::read_keys(&expected.private_key, &expected.public_key)?;
    let agreement: AgreementHash = (expected.agreement.trim().parse()).with_context(|| {
        BadInput(format!(
            "`{}` is no hash of an agreement",
            expected.agreement
        ))
    })?;
    let room: Option<RoomId> = (expected.room.as_deref())
        .map(|room| {
            let problem = || BadInput(format!("`{room}` is no id of a room"));
            room.trim().parse().with_context(problem)
        })
        .transpose()?;
    let verifier = match &expected.dangerous_root {
        None => NitroVerifier::aws(),
        Some(file) => {
            let problem = || BadInput(format!("could not use the root in {}", file.display()));
            let pem = read_text_file(file, MAX_TEXT_BYTES).with_context(problem)?;
            NitroVerifier::dangerous_from_pem(&pem).with_context(problem)?
        }
    };
    let file = &expected.measurements;
    let problem = || {
        BadInput(format!(
            "could not use the measurements in {}",
            file.display()
        ))
    };
    let text = read_text_file(file, MAX_TEXT_BYTES).with_context(problem)?;
    let measurements = Measurements::from_json(&text).with_context(problem)?;
    let expected = ExpectedRoom {
        verifier: Arc::new(verifier),
        policy: Policy::from(measurements),
        agreement: Some(agreement.to_bytes()),
        id: room.map(|room| room.to_bytes()),
    };
    let runtime = Runtime::new().context("could not start")?;
    let session = runtime.block_on(Session::open(endpoint, key, expected))?;
    let notes = exposed.iter().map(ToString::to_string).collect();
    Ok((Open { session, runtime }, notes))
}

fn endpoint(expected: &Expected) -> anyhow::Result<Endpoint> {
    let variable = |name: &str| std::env::var(name).ok();
    let endpoint = Endpoint::parse(&expected.url, expected.port)?;
    let proxy = match &expected.proxy {
        Some(named) => Some(HttpProxy::parse(named)?),
        None => HttpProxy::of_environment(&endpoint, variable)?,
    };
    let proxy = proxy
        .map(|proxy| proxy.with_password_of_environment(variable))
        .transpose()?;
    let trust = match &expected.outer_ca {
        Some(file) => OuterTrust::from_pem_file(file)?,
        None => OuterTrust::default(),
    };
    Ok(endpoint.through(proxy).trusting(trust))
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
