//! Keeping an enclave alive: each one is started, configured, offered to connections, and followed
//! by another when it ends.

use std::sync::Arc;
use std::time::Duration;

use protocol::{Agreement, RoomId};
use server_kit::Stage;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::configure::{ConfigureError, configure};
use crate::enclave_address::EnclaveAddress;
use crate::event::{Events, HostEvent};
use crate::ingress::Target;
use crate::launch::{Launch, LaunchError, Running};
use crate::metrics::Metrics;

/// How soon an enclave that has ended is followed by another.
#[derive(Clone, Copy, Debug)]
pub struct Restarts {
    /// The first pause; each further one is twice as long.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// How long an enclave must have lived for the next pause to be the first again.
    pub steady_after: Duration,
}

impl Default for Restarts {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
            steady_after: Duration::from_secs(120),
        }
    }
}

/// Why there is no enclave, and why trying again would not help.
#[derive(Debug, thiserror::Error)]
pub enum EnclaveError {
    /// It could not be started even once.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// It could not be configured.
    #[error(transparent)]
    Configure(#[from] ConfigureError),
}

pub(crate) struct Keeper {
    pub(crate) launch: Launch,
    pub(crate) agreement: Option<Agreement>,
    /// How long an enclave may take until it can be configured.
    pub(crate) boot: Duration,
    pub(crate) restarts: Restarts,
    pub(crate) events: Events,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) target: watch::Sender<Option<Target>>,
    pub(crate) stage: watch::Receiver<Stage>,
}

/// How an enclave's life ended without an error.
enum EnclaveEnd {
    /// It ended by itself, with this exit code if its program had one.
    Ended { code: Option<i32> },
    /// The host is to stop.
    Stopped,
}

impl Keeper {
    /// Keeps an enclave alive until the host is to stop; then it has ended.
    ///
    /// # Errors
    /// [`EnclaveError`], where another attempt would come to the same: nothing can be started at
    /// all, the enclave refuses its configuration, or has another one than it was sent. Any error
    /// is one where somebody else keeps the enclave alive.
    pub(crate) async fn keep(self) -> Result<(), EnclaveError> {
        // A room's id is remembered over restarts: that it changed is what an operator has to tell
        // the parties.
        let mut history = History::default();
        let mut pause = self.restarts.first_pause;
        while *self.stage.borrow() == Stage::Serving {
            let start = Instant::now();
            match self.live(&mut history).await {
                Ok(EnclaveEnd::Stopped) => return Ok(()),
                Ok(EnclaveEnd::Ended { code }) => (self.events)(HostEvent::EnclaveEnded { code }),
                Err(error) if self.is_final(&error, &history) => return Err(error),
                Err(error) => (self.events)(HostEvent::EnclaveFailed {
                    detail: error.to_string(),
                }),
            }
            self.metrics.enclave_failed();
            history.restarts += 1;
            // By its whole life: an enclave that lived for minutes did not fail at its start.
            if start.elapsed() >= self.restarts.steady_after {
                pause = self.restarts.first_pause;
            }
            let seconds = pause.as_secs();
            (self.events)(HostEvent::RestartPending { seconds });
            // A pause that does not end would keep a stopped host waiting.
            tokio::select! {
                () = sleep(pause) => {}
                () = Stage::Draining.reached(self.stage.clone()) => {}
            }
            // Doubled, up to a minute: a broken image must not be started in a loop.
            pause = (pause * 2).min(self.restarts.longest_pause);
        }
        Ok(())
    }

    fn is_final(&self, error: &EnclaveError, history: &History) -> bool {
        match error {
            // Somebody else keeps it alive, and would not be helped by our trying.
            _ if matches!(self.launch, Launch::Attached { .. }) => true,
            // Once one was started, a failure to start may pass; before, it is a mistake in the
            // options.
            EnclaveError::Launch(_) => !history.started,
            EnclaveError::Configure(error) => matches!(
                error,
                ConfigureError::Refused(_) | ConfigureError::Changed { .. }
            ),
        }
    }

    /// One enclave, from its start to its end. It is never left running.
    async fn live(&self, history: &mut History) -> Result<EnclaveEnd, EnclaveError> {
        if !matches!(self.launch, Launch::Attached { .. }) {
            let restarts = history.restarts;
            (self.events)(HostEvent::EnclaveStarting { restarts });
        }
        let (mut enclave, address) = Running::start(&self.launch).await?;
        history.started = true;
        let life = self.serve(&mut enclave, address, history).await;
        // Connections are turned away before the enclave is ended.
        self.offer(None);
        enclave.end().await;
        life
    }

    async fn serve(
        &self,
        enclave: &mut Running,
        address: EnclaveAddress,
        history: &mut History,
    ) -> Result<EnclaveEnd, EnclaveError> {
        if let Some(agreement) = &self.agreement {
            let room = tokio::select! {
                configured = configure(&address, agreement, self.boot) => configured?,
                // An enclave that dies while it is configured must not be waited for until the
                // deadline.
                code = enclave.ended() => return Ok(EnclaveEnd::Ended { code }),
                () = Stage::Draining.reached(self.stage.clone()) => return Ok(EnclaveEnd::Stopped),
            };
            (self.events)(HostEvent::EnclaveConfigured {
                enclave: address.to_string(),
                agreement: agreement.sha384(),
                room,
            });
            if let Some(old) = history.room.replace(room) {
                (self.events)(HostEvent::RoomReplaced { old, new: room });
            }
        } else {
            (self.events)(HostEvent::EnclaveAttached {
                enclave: address.to_string(),
            });
        }
        self.metrics.enclave_starts();
        self.offer(Some(Target {
            address,
            number: history.restarts,
        }));
        Ok(tokio::select! {
            code = enclave.ended() => EnclaveEnd::Ended { code },
            () = Stage::Closed.reached(self.stage.clone()) => EnclaveEnd::Stopped,
        })
    }

    /// Connections to any other target end.
    fn offer(&self, target: Option<Target>) {
        self.metrics.enclave_is(target.is_some());
        self.target.send_replace(target);
    }
}

/// What came before.
#[derive(Default)]
struct History {
    /// Whether an enclave was ever started.
    started: bool,
    restarts: u64,
    room: Option<RoomId>,
}
