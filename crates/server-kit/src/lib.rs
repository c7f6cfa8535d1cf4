//! What the servers of this workspace have in common: the [`Stage`]s of their end, the
//! [signals](StopSignals) that ask for it, a log of [`Events`] from a closed list, and how a
//! program [reports](report) its [`Failure`].
//!
//! A server that greets whoever connects, until it is told to stop:
//!
//! ```
//! use server_kit::{Events, LimitedEvents, Stage, StopSignals, events_to_stderr};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! use tokio::net::{TcpListener, TcpStream};
//! use tokio::sync::watch;
//!
//! #[derive(serde::Serialize)]
//! #[serde(tag = "event", rename_all = "snake_case")]
//! enum Event {
//!     Greeted,
//!     GreetingsLeftOut { count: u64 },
//!     Stopped,
//! }
//!
//! async fn serve(listener: TcpListener, events: Events<Event>, stage: watch::Receiver<Stage>) {
//!     // Whoever connects causes a line of the log, so that their number is bounded.
//!     let greetings = LimitedEvents::new(events.clone());
//!     let accept = async {
//!         while let Ok((mut stream, _)) = listener.accept().await {
//!             stream.write_all(b"hello").await.ok();
//!             greetings.tell(Event::Greeted, |count| Event::GreetingsLeftOut { count });
//!         }
//!     };
//!     tokio::select! {
//!         () = accept => {}
//!         () = Stage::Draining.reached(stage) => events(Event::Stopped),
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let signals = StopSignals::listen()?;
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! let (announce, stage) = watch::channel(Stage::Serving);
//! let server = tokio::spawn(serve(listener, events_to_stderr(), stage));
//!
//! let mut greeting = String::new();
//! let mut client = TcpStream::connect(address).await?;
//! client.read_to_string(&mut greeting).await?;
//! assert_eq!(greeting, "hello");
//!
//! // In a program nothing but `signals.received()` is waited for.
//! tokio::select! {
//!     () = signals.received() => {}
//!     () = std::future::ready(()) => {}
//! }
//! announce.send_replace(Stage::Draining);
//! server.await?;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod events;
mod failure;
mod quota;
mod signals;
mod stage;

pub use events::{Events, LimitedEvents, events_to_stderr};
pub use failure::{Failure, complain, report};
pub use signals::StopSignals;
pub use stage::Stage;
