//! The end of memory, seen coming.

use std::time::Duration;

use rustix::system::sysinfo;

use crate::Fault;

/// With less than this nothing can be counted on. The machine has no swap and no files that could
/// be dropped.
const RESERVE_BYTES: u64 = 16 << 20;
const INTERVAL: Duration = Duration::from_millis(50);

/// Waits until memory is about to run out, which may be for ever. A single leap beyond the end is
/// the kernel's affair: it cannot kill its first process, and stops.
pub(super) async fn exhausted() -> Fault {
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        let now = sysinfo();
        // Free and not available memory: there is no page cache to give back.
        if u64::from(now.mem_unit) * now.freeram < RESERVE_BYTES {
            return Fault::OutOfMemory;
        }
    }
}
