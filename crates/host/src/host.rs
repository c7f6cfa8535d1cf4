//! Everything together.

use std::sync::Arc;
use std::time::Duration;

use admission::Places;
use protocol::Agreement;
use server_kit::Stage;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::ConnectionLimits;
use crate::event::{Events, HostEvent};
use crate::ingress::{Entrance, Ingress};
use crate::keeper::{EnclaveError, Keeper, Restarts};
use crate::launch::Launch;
use crate::log::Log;
use crate::metrics::{self, Metrics};

/// What a host is started with.
pub struct Config {
    /// Where connections come in.
    pub entrances: Vec<Entrance>,
    /// Where metrics are asked for.
    pub metrics: Option<TcpListener>,
    /// Where the enclave comes from.
    pub launch: Launch,
    /// What every enclave is configured with; `None` where somebody else does that.
    pub agreement: Option<Agreement>,
    /// How long an enclave may take until it can be configured.
    pub boot: Duration,
    /// How soon another one follows.
    pub restarts: Restarts,
    /// What connections may take.
    pub limits: ConnectionLimits,
    /// How long connections may take to end once the host is told to stop.
    pub drain: Duration,
    /// Where events go.
    pub events: Events,
}

/// Keeps an enclave alive and relays connections to it until `stop` completes. Then nothing more is
/// accepted, connections have [`Config::drain`] to end, the others are closed, and the enclave is
/// ended if it was started here.
///
/// # Errors
/// [`EnclaveError`]: there is no enclave, and trying again would not help. All connections are
/// closed by then.
pub async fn serve(config: Config, stop: impl Future<Output = ()>) -> Result<(), EnclaveError> {
    let Config {
        entrances,
        metrics,
        launch,
        agreement,
        boot,
        restarts,
        limits,
        drain,
        events,
    } = config;
    let counters = Arc::new(Metrics::default());
    // Stages are announced by a channel that all parts watch: nobody has to know the others.
    let (stage, watched) = watch::channel(Stage::Serving);
    let (target, current) = watch::channel(None);
    let places = Places::new(admission::PlaceLimits {
        connections: limits.connections,
        of_one_client: limits.connections_per_client,
        unsettled: limits.unfinished,
    });
    let ingress = Arc::new(Ingress {
        limits,
        log: Log::new(&events),
        metrics: Arc::clone(&counters),
        places: Arc::clone(&places),
        target: current,
        stage: watched.clone(),
    });

    // Whatever way this ends, nothing is accepted afterwards.
    // A JoinSet aborts its tasks when it is dropped.
    let mut accepting = JoinSet::new();
    for entrance in entrances {
        if let Ok(address) = entrance.listener.local_addr() {
            // Where the operating system chose the port, this is how it is learnt.
            let carrier = entrance.carrier;
            events(HostEvent::Listening { carrier, address });
        }
        accepting.spawn(Arc::clone(&ingress).accept_all(entrance));
    }
    let mut scraping = JoinSet::new();
    if let Some(listener) = metrics {
        if let Ok(address) = listener.local_addr() {
            events(HostEvent::MetricsListening { address });
        }
        scraping.spawn(metrics::serve(listener, Arc::clone(&counters)));
    }
    let keeper = Keeper {
        launch,
        agreement,
        boot,
        restarts,
        events: Arc::clone(&events),
        metrics: counters,
        target,
        stage: watched,
    };
    let mut keeping = JoinSet::new();
    keeping.spawn(keeper.keep());

    // The keeper alone ends by itself; all else goes on until it is told.
    let failed = tokio::select! {
        kept = keeping.join_next() => kept,
        () = stop => None,
    };
    accepting.shutdown().await;
    // Nothing to drain where the enclave is gone: its connections have ended.
    if failed.is_none() {
        let connections = places.open();
        events(HostEvent::Draining { connections });
        stage.send_replace(Stage::Draining);
        drop(timeout(drain, places.emptied()).await);
    }
    stage.send_replace(Stage::Closed);
    let ended = match failed {
        Some(ended) => Some(ended),
        // The enclave is ended by the keeper, which has seen the stage.
        None => keeping.join_next().await,
    };
    events(HostEvent::Stopped);
    ended.map_or(Ok(()), |ended| ended.expect("the keeper does not panic"))
}
