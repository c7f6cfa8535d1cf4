//! How much memory there is.

use std::path::{Component, Path, PathBuf};

use rustix::process::{Resource, getrlimit};
use rustix::system::sysinfo;

/// Of an address space that is bounded: the rest is for what is mapped and hardly touched, as
/// stacks and the allocator's own.
const USED_PART: u64 = 2;

/// Bytes of memory that this process may take: the least of the machine's, of its memory cgroups',
/// and of half its address space. To be asked before the process is confined, as cgroups are files.
pub(crate) fn available() -> u64 {
    let system = sysinfo();
    // Saturating, as a file or a call may say anything.
    let machine = u64::from(system.mem_unit).saturating_mul(system.totalram);
    let address_space = getrlimit(Resource::As)
        .current
        .map(|bytes| bytes / USED_PART);
    [Some(machine), address_space, cgroups()]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(machine)
}

/// The least limit of the cgroup that this process is in and of those above it.
fn cgroups() -> Option<u64> {
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    // Each line is a hierarchy of its own in version 1; the least limit counts.
    own.lines().filter_map(limit_of).min()
}

/// A line of `/proc/self/cgroup` is `number:controllers:/path`; version 2 has the number 0 and no
/// controllers.
fn limit_of(line: &str) -> Option<u64> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (root, file) = match parts.next()? {
        "" => ("/sys/fs/cgroup", "memory.max"),
        "memory" => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
        _ => return None,
    };
    let inside: PathBuf = Path::new(parts.next()?)
        .components()
        // Only plain parts: `..` could lead out of the folder of cgroups.
        .filter(|part| matches!(part, Component::Normal(_)))
        .collect();
    // A limit above applies to all below.
    let limits = inside.ancestors().filter_map(|folder| {
        let limit = std::fs::read_to_string(Path::new(root).join(folder).join(file)).ok()?;
        // `max` is not a number, and means no limit.
        limit.trim().parse().ok()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_some_memory_and_no_more_than_the_machine_has() {
        let system = sysinfo();
        let machine = u64::from(system.mem_unit) * system.totalram;
        assert!((1..=machine).contains(&available()));
    }

    #[test]
    fn lines_about_other_controllers_say_nothing() {
        assert_eq!(limit_of("3:cpu,cpuacct:/"), None);
        assert_eq!(limit_of("nonsense"), None);
    }
}
