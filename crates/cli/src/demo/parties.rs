//! The room of the demo, and what each party does.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use attestation::nitro::{Measurements, NitroVerifier};
use attestation::{Policy, Verifier};
use client::{Endpoint, ExpectedRoom, KeyAlgorithm, KeyPair, Proxy, Session};
use enclave::{Config, Enclave, EnclaveLimits, Platform, Running};
use indicatif::{ProgressBar, ProgressStyle};
use protocol::{Agreement, Phase, RoomId, Status};
use tokio::net::TcpListener;

use crate::demo::Party;
use crate::demo::http::LocalPort;
use crate::printer::Printer;
use crate::whole_file;

const SERVICE: &str = include_str!("../../assets/demo/service.yaml");
const RUNTIME: &str = include_str!("../../assets/demo/runtime.yaml");

/// New keys for both parties, and the two files they agree on, in `folder`.
pub(super) fn agree(folder: &Path, epsilon: f64) -> anyhow::Result<Agreement> {
    let keys = folder.join("keys");
    let mut service = SERVICE.to_owned();
    for (party, place) in [("insurer", "INSURER_KEY"), ("clinic", "CLINIC_KEY")] {
        // The keys of an earlier demo are of no use to anyone.
        for half in ["private", "public"] {
            drop(fs::remove_file(keys.join(format!("{party}_{half}.der"))));
        }
        let key = client::keygen(party, &keys, KeyAlgorithm::P256)?;
        service = service.replace(place, &key.key.public_text());
    }
    let runtime = RUNTIME.replace("EPSILON", &epsilon.to_string());
    let room = folder.join("room");
    fs::create_dir_all(&room)?;
    for (name, text) in [("service.yaml", &service), ("runtime.yaml", &runtime)] {
        whole_file::write(&room.join(name), |out| Ok(out.write_all(text.as_bytes())?))?;
    }
    Ok(Agreement::new(service, runtime)?)
}

/// A running room, and what the parties know of it beforehand: its root and its measurements.
pub(super) struct RunningRoom {
    running: Running,
    address: SocketAddr,
    root_pem: String,
    measurements: Measurements,
}

impl RunningRoom {
    pub(super) async fn open(folder: &Path, agreement: Agreement) -> anyhow::Result<Self> {
        const SIMULATED: &str = "a simulated platform has a root and measurements of its own";
        let platform = Platform::simulated()?;
        let root_pem = platform.root_pem().expect(SIMULATED);
        let measurements = *platform.measurements().expect(SIMULATED);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let running = Enclave::start(Config {
            agreement,
            platform,
            listener: listener.into(),
            limits: EnclaveLimits::default(),
            events: Arc::new(drop),
        })?;
        for (name, text) in [
            ("root.pem", &root_pem),
            ("measurements.json", &measurements.to_json()),
        ] {
            whole_file::write(
                &folder.join(name),
                |out| Ok(out.write_all(text.as_bytes())?),
            )?;
        }
        Ok(Self {
            running,
            address,
            root_pem,
            measurements,
        })
    }

    pub(super) fn room(&self) -> RoomId {
        self.running.room()
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn agreement(&self) -> [u8; 48] {
        self.running.agreement().to_bytes()
    }

    pub(super) fn policy(&self) -> Policy {
        Policy::from(self.measurements)
    }

    pub(super) fn verifier(&self) -> anyhow::Result<Arc<dyn Verifier>> {
        Ok(Arc::new(NitroVerifier::dangerous_from_pem(&self.root_pem)?))
    }

    /// The first half of what `synclave connect` does: to verify.
    pub(super) async fn connect(&self, folder: &Path, party: &Party) -> anyhow::Result<Session> {
        let pair = party.keys(folder)?;
        let address = self.address();
        let endpoint = Endpoint::parse(&address.ip().to_string(), address.port())?;
        let expected = ExpectedRoom {
            verifier: self.verifier()?,
            policy: self.policy(),
            // Known here because the demo made it; a party would have it from `validate`.
            agreement: Some(self.agreement()),
            id: None,
        };
        Ok(Session::open(endpoint, pair.key, expected).await?)
    }

    pub(super) async fn close(self) {
        self.running.shutdown().await;
    }
}

impl Party {
    /// Its keys, as [`agree`] has left them in `folder`.
    pub(super) fn keys(&self, folder: &Path) -> anyhow::Result<KeyPair> {
        let keys = folder.join("keys");
        Ok(client::read_keys(
            &keys.join(format!("{}_private.der", self.name)),
            &keys.join(format!("{}_public.der", self.name)),
        )?)
    }
}

/// The second half: a local port to a room that was verified.
pub(super) async fn open_port(session: Session, printer: Printer) -> anyhow::Result<LocalPort> {
    let proxy = Proxy::bind(session, 0).await?;
    let port = LocalPort(proxy.port());
    tokio::spawn(proxy.serve(std::future::pending(), move |error| {
        printer.warn(error);
    }));
    Ok(port)
}

pub(super) async fn upload(
    party: &Party,
    local: LocalPort,
    printer: Printer,
) -> anyhow::Result<()> {
    let file = format!("{}.csv", party.name);
    let reply = local
        .upload("/upload_data", &file, party.table.as_bytes())
        .await?;
    printer.say(format_args!("   {}: {} rows", party.name, reply["rows"]));
    for warning in reply["warnings"].as_array().into_iter().flatten() {
        printer.say(format_args!(
            "     {}",
            warning.as_str().unwrap_or_default()
        ));
    }
    Ok(())
}

/// Watches `/status`, and draws it for a person.
pub(super) async fn wait_until_trained(local: LocalPort, printer: Printer) -> anyhow::Result<()> {
    let bar = if printer.interactive() {
        ProgressBar::new(10)
    } else {
        ProgressBar::hidden()
    };
    bar.set_style(
        ProgressStyle::with_template("   {bar:30} {msg}").context("a constant template")?,
    );
    loop {
        let status: Status = serde_json::from_value(local.get_json("/status").await?)?;
        if let Some(progress) = &status.progress {
            bar.set_position(progress.tenths.into());
            bar.set_message(printable::escaped(&progress.stage).into_owned());
        }
        match status.status {
            Phase::Trained => break,
            Phase::Failed => bail!("the room could not fit a model"),
            Phase::Expired => bail!("the room has expired"),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    bar.finish_and_clear();
    Ok(())
}
