//! The security module as a virtio device: a vhost-user backend, which QEMU connects to.
//!
//! There is one queue. The guest's driver puts a request into it as a chain of readable
//! descriptors, and behind it a chain of writable ones for the answer. It kicks the queue for the
//! first time before it says that it is ready, which QEMU drops: `vhost-user-backend` looks at a
//! queue whenever it is enabled, and without that (before its version 0.24) the guest would wait
//! for ever.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};

use vhost::vhost_user::Listener;
use vhost::vhost_user::message::{VhostUserProtocolFeatures, VhostUserVirtioFeatures};
use vhost_user_backend::{VhostUserBackendMut, VhostUserDaemon, VringMutex, VringT};
use virtio_queue::QueueT;
use vm_memory::{GuestAddressSpace, GuestMemoryAtomic, GuestMemoryMmap};
use vmm_sys_util::epoll::EventSet;
use vmm_sys_util::event::{
    EventConsumer, EventFlag, EventNotifier, new_event_consumer_and_notifier,
};

use crate::Nsm;

/// The virtio device id of Nitro's security module.
pub const VIRTIO_ID: u32 = 33;

const QUEUE_SIZE: usize = 64;
/// Longest request that Nitro's driver sends.
const MAX_REQUEST_BYTES: u64 = 4096;

/// Why the device stopped.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The operating system gave no event.
    #[error("the security module's device could not start: {0}")]
    Start(#[from] io::Error),
    /// The virtual machine and the device did not understand each other.
    #[error("the security module's device stopped: {0}")]
    VhostUser(String),
}

impl From<vhost_user_backend::Error> for DeviceError {
    fn from(error: vhost_user_backend::Error) -> Self {
        Self::VhostUser(error.to_string())
    }
}

/// Serves the first virtual machine that connects, until it hangs up.
///
/// # Errors
/// [`DeviceError`]
pub fn serve(nsm: Nsm, listener: UnixListener) -> Result<(), DeviceError> {
    let memory = GuestMemoryAtomic::new(GuestMemoryMmap::new());
    let backend = Arc::new(Mutex::new(Backend::new(nsm, memory.clone())?));
    let mut daemon = VhostUserDaemon::new("nsm".to_owned(), backend, memory)?;
    daemon.start(&mut Listener::from(listener))?;
    daemon.wait()?;
    Ok(())
}

struct Backend {
    nsm: Nsm,
    memory: GuestMemoryAtomic<GuestMemoryMmap>,
    /// Read, and not answered yet.
    request: Option<Vec<u8>>,
    exit: (EventConsumer, EventNotifier),
}

impl Backend {
    fn new(nsm: Nsm, memory: GuestMemoryAtomic<GuestMemoryMmap>) -> io::Result<Self> {
        Ok(Self {
            nsm,
            memory,
            request: None,
            exit: new_event_consumer_and_notifier(EventFlag::NONBLOCK)?,
        })
    }

    /// Takes everything from the queue.
    fn serve_queue(&mut self, vring: &VringMutex) -> io::Result<()> {
        let memory = self.memory.memory();
        let mut served = false;
        loop {
            let next = vring
                .get_mut()
                .get_queue_mut()
                .pop_descriptor_chain(memory.clone());
            // Until the driver has set the queue up there is nothing in it.
            let Some(chain) = next else { break };
            let head = chain.head_index();
            let mut answer = chain.clone().writer(&memory).map_err(io::Error::other)?;
            let written = if answer.available_bytes() > 0 {
                let request = self.request.take().unwrap_or_default();
                let bytes = self.nsm.answer(&request, answer.available_bytes());
                answer.write_all(&bytes)?;
                answer.bytes_written()
            } else {
                let mut request = Vec::new();
                let reader = chain.reader(&memory).map_err(io::Error::other)?;
                reader.take(MAX_REQUEST_BYTES).read_to_end(&mut request)?;
                self.request = Some(request);
                0
            };
            let written = u32::try_from(written).map_err(io::Error::other)?;
            vring.add_used(head, written).map_err(io::Error::other)?;
            served = true;
        }
        if served {
            vring.signal_used_queue()?;
        }
        Ok(())
    }
}

impl VhostUserBackendMut for Backend {
    type Bitmap = ();
    type Vring = VringMutex;

    fn num_queues(&self) -> usize {
        1
    }

    fn max_queue_size(&self) -> usize {
        QUEUE_SIZE
    }

    fn features(&self) -> u64 {
        const VERSION_1: u64 = 1 << 32;
        VERSION_1 | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits()
    }

    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        VhostUserProtocolFeatures::empty()
    }

    fn set_event_idx(&mut self, _enabled: bool) {}

    fn update_memory(&mut self, memory: GuestMemoryAtomic<GuestMemoryMmap>) -> io::Result<()> {
        self.memory = memory;
        Ok(())
    }

    fn exit_event(&self, _thread: usize) -> Option<(EventConsumer, EventNotifier)> {
        let (consumer, notifier) = &self.exit;
        Some((consumer.try_clone().ok()?, notifier.try_clone().ok()?))
    }

    fn handle_event(
        &mut self,
        _event: u16,
        _set: EventSet,
        vrings: &[VringMutex],
        _thread: usize,
    ) -> io::Result<()> {
        let [vring] = vrings else {
            return Err(io::Error::other("there is one queue"));
        };
        self.serve_queue(vring)
    }
}
