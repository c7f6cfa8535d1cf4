//! The hypervisor's randomness, for the kernel's generator.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::time::Duration;

use rustix::system::sysinfo;
use tokio::time::Instant;

use crate::Fault;
use crate::platform::NitroPlatform;

/// How much is asked for: four times the state of the kernel's generator, in case single replies
/// are short.
const BYTES: usize = 128;

/// The kernel's pool was given the hypervisor's randomness.
#[derive(Clone, Copy)]
pub(super) struct Fed {
    taken_in: Instant,
}

/// Gives the kernel what the security module draws. The kernel mixes it with its own sources, so
/// that neither need be trusted alone.
pub(super) fn feed(platform: &NitroPlatform) -> Result<Fed, Fault> {
    // For writing: what is written is mixed into the kernel's pool. No credit is asked for, as none
    // is needed.
    let mut pool = OpenOptions::new()
        .write(true)
        .open("/dev/random")
        .map_err(|_| Fault::NoEntropy)?;
    let mut given = 0;
    while given < BYTES {
        let random = platform.random().map_err(|error| Fault::from(&error))?;
        mix(&mut pool, &random).map_err(|_| Fault::NoEntropy)?;
        given += random.len();
    }
    let uptime = Duration::from_secs(u64::try_from(sysinfo().uptime).unwrap_or(0));
    Ok(Fed {
        taken_in: Instant::now() + until_reseeded(uptime),
    })
}

fn mix(pool: &mut impl Write, random: &[u8]) -> io::Result<()> {
    pool.write_all(random)
}

/// The generator takes from the pool now and then: in its first minutes after half of the time that
/// it has been up, but at least a second (`crng_reseed_interval` in the kernel's `random.c`).
/// Later, after a minute.
fn until_reseeded(uptime: Duration) -> Duration {
    let interval = (uptime / 2).clamp(Duration::from_secs(1), Duration::from_secs(60));
    interval + Duration::from_millis(100)
}

impl Fed {
    /// Waits until what was given is in what the generator gives. Keys are made after that.
    pub(super) async fn taken_in(self) {
        tokio::time::sleep_until(self.taken_in).await;
    }
}
