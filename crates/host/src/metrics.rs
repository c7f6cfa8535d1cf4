//! Counters, in the text form that Prometheus reads.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::event::{Carrier, ConnectionEnd, RefusalReason};
use crate::relay::Moved;

/// Scrapes at once; more wait.
const MAX_SCRAPES: usize = 8;
const SCRAPE_DEADLINE: Duration = Duration::from_secs(10);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What has happened since the host was started.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    accepted: [AtomicU64; Carrier::NAMES.len()],
    refused: [AtomicU64; RefusalReason::NAMES.len()],
    ended: [AtomicU64; ConnectionEnd::NAMES.len()],
    open: AtomicU64,
    enclave_up: AtomicBool,
    enclave_starts: AtomicU64,
    enclave_failures: AtomicU64,
    pub(crate) moved: Moved,
}

/// A connection that counts as open until this is dropped.
pub(crate) struct OpenConnection(Arc<Metrics>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    pub(crate) fn accepted(self: &Arc<Self>, carrier: Carrier) -> OpenConnection {
        self.accepted[carrier as usize].fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        OpenConnection(Arc::clone(self))
    }

    pub(crate) fn refused(&self, reason: RefusalReason) {
        self.refused[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn ended(&self, how: ConnectionEnd) {
        self.ended[how as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn enclave_starts(&self) {
        self.enclave_starts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn enclave_failed(&self) {
        self.enclave_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn enclave_is(&self, up: bool) {
        self.enclave_up.store(up, Ordering::Relaxed);
    }

    /// The text form, version 0.0.4.
    pub(crate) fn render(self: &Arc<Self>) -> String {
        let mut registry = Registry::with_prefix("synclave_host");
        registry.register_collector(Box::new(Arc::clone(self)));
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).expect("a string takes everything");
        text
    }
}

/// In a fixed order, zeros included: the library's own families are in that of a hash, and leave
/// out what has not happened yet. It adds `_total` to the names of counters.
impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut counters = |name, help, label: &str, samples: &[(&str, &AtomicU64)]| {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            samples.iter().try_for_each(|(value, count)| {
                let count = ConstCounter::new(count.load(Ordering::Relaxed));
                count.encode(family.encode_family(&[(label, *value)])?)
            })
        };
        counters(
            "connections_accepted",
            "Connections accepted, by what carries the channel.",
            "carrier",
            &zip(Carrier::NAMES, &self.accepted),
        )?;
        counters(
            "connections_refused",
            "Connections closed before anything of them was relayed.",
            "reason",
            &zip(RefusalReason::NAMES, &self.refused),
        )?;
        counters(
            "connections_ended",
            "Connections that were relayed and have ended.",
            "how",
            &zip(ConnectionEnd::NAMES, &self.ended),
        )?;
        counters(
            "bytes",
            "Bytes of the attested channel that were relayed.",
            "direction",
            &[
                ("to_enclave", &self.moved.to_enclave),
                ("from_enclave", &self.moved.from_enclave),
            ],
        )?;
        let mut counter = |name, help, count: &AtomicU64| {
            let family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(count.load(Ordering::Relaxed)).encode(family)
        };
        counter(
            "enclave_starts",
            "Enclaves started or attached to.",
            &self.enclave_starts,
        )?;
        counter(
            "enclave_failures",
            "Enclaves that ended or could not be started.",
            &self.enclave_failures,
        )?;
        let mut gauge = |name, help, value: u64| {
            let family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(family)
        };
        gauge(
            "connections_open",
            "Connections that are open now.",
            self.open.load(Ordering::Relaxed),
        )?;
        gauge(
            "enclave_up",
            "Whether there is an enclave to relay to.",
            u64::from(self.enclave_up.load(Ordering::Relaxed)),
        )
    }
}

fn zip<'a>(names: &[&'a str], counts: &'a [AtomicU64]) -> Vec<(&'a str, &'a AtomicU64)> {
    names.iter().copied().zip(counts).collect()
}

/// Serves `GET /metrics` for as long as it is polled.
pub(crate) async fn serve(listener: TcpListener, metrics: Arc<Metrics>) {
    let scrapes = Arc::new(Semaphore::new(MAX_SCRAPES));
    loop {
        let scrape = Arc::clone(&scrapes)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let metrics = Arc::clone(&metrics);
        tokio::spawn(async move {
            let answering = answer(stream, metrics);
            drop(tokio::time::timeout(SCRAPE_DEADLINE, answering).await);
            drop(scrape);
        });
    }
}

async fn answer(stream: TcpStream, metrics: Arc<Metrics>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = match (request.uri().path(), request.method()) {
            ("/metrics", &Method::GET) => {
                let mut response = Response::new(Full::from(metrics.render()));
                let text = HeaderValue::from_static(prometheus_text::CONTENT_TYPE);
                response.headers_mut().insert(CONTENT_TYPE, text);
                response
            }
            ("/metrics", _) => status(StatusCode::METHOD_NOT_ALLOWED),
            _ => status(StatusCode::NOT_FOUND),
        };
        std::future::ready(Ok::<_, Infallible>(answer))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // A scrape that fails shows where it was made.
    drop(connection.await);
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_a_help_a_type_and_samples_under_our_prefix() {
        let metrics = Arc::new(Metrics::default());
        let open = metrics.accepted(Carrier::WebSocket);
        metrics.refused(RefusalReason::ProxyHeader);
        metrics.ended(ConnectionEnd::Idle);
        metrics.moved.from_enclave.fetch_add(7, Ordering::Relaxed);
        let text = metrics.render();
        for line in [
            "# HELP synclave_host_connections_open Connections that are open now.",
            "# TYPE synclave_host_connections_open gauge",
            "# TYPE synclave_host_connections_accepted_total counter",
            "synclave_host_connections_open 1",
            "synclave_host_connections_accepted_total{carrier=\"tcp\"} 0",
            "synclave_host_connections_accepted_total{carrier=\"websocket\"} 1",
            "synclave_host_connections_refused_total{reason=\"proxy_header\"} 1",
            "synclave_host_connections_refused_total{reason=\"deadline\"} 0",
            "synclave_host_connections_ended_total{how=\"idle\"} 1",
            "synclave_host_bytes_total{direction=\"from_enclave\"} 7",
            "synclave_host_enclave_up 0",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        drop(open);
        assert!(
            metrics
                .render()
                .contains("\nsynclave_host_connections_open 0\n")
        );
        for line in text.lines() {
            assert!(
                line.starts_with("# ") || line.starts_with("synclave_host_"),
                "{line}"
            );
        }
    }
}
