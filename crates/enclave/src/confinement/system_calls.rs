//! seccomp: the system calls that serving a room takes, and no others.
//!
//! The list is what `strace` shows of a room's life with glibc and with musl, and what their
//! allocators, threads and panics can need besides.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter,
};

use crate::Enforcement;

pub(super) fn give_up() -> Enforcement {
    const LISTED: &str = "the lists are constant, and tests compile them";
    let filters = [
        // Libraries look for files that need not be there (how many processors a container may
        // use): it is enough to refuse.
        refusing(&[PATHS, OLDER_PATHS].concat(), libc::EACCES).expect(LISTED),
        // Its arguments are in memory, where a filter cannot look. Told that it is not there,
        // libraries use `clone`.
        refusing(&[libc::SYS_clone3], libc::ENOSYS).expect(LISTED),
        allowing().expect(LISTED),
    ];
    // The last forbids adding another.
    match filters.iter().try_for_each(|filter| apply_filter(filter)) {
        Ok(()) => Enforcement::Fully,
        Err(_) => Enforcement::NotAtAll,
    }
}

/// Whatever names a file.
const PATHS: &[c_long] = &[
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_readlinkat,
    libc::SYS_statx,
];

/// Older forms of the same, which newer architectures do not have.
#[cfg(target_arch = "x86_64")]
const OLDER_PATHS: &[c_long] = &[
    libc::SYS_access,
    libc::SYS_lstat,
    libc::SYS_open,
    libc::SYS_readlink,
    libc::SYS_stat,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER_PATHS: &[c_long] = &[];

/// What may be called with any arguments.
const FREE: &[c_long] = &[
    // descriptors that are open
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    // connections
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_listen,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    // waiting
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_futex,
    libc::SYS_nanosleep,
    libc::SYS_ppoll,
    libc::SYS_restart_syscall,
    // memory
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // threads
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_membarrier,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
    libc::SYS_tkill,
    // the rest
    libc::SYS_getrandom,
    libc::SYS_sysinfo,
    // refused by a filter before
    libc::SYS_clone3,
];

/// Older forms, which newer architectures do not have.
#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[libc::SYS_epoll_wait, libc::SYS_poll];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// Makes a socket's calls return at once (FIONBIO); asks whether a descriptor is a terminal
/// (TCGETS); asks the security module, in the driver's header: read and write, 32 bytes, kind 0x0A,
/// number 0. C libraries differ in the type of such numbers.
const DEVICE_REQUESTS: [u64; 3] = [0x5421, 0x5401, 0xC020_0A00];
/// Of `linux/reboot.h`.
const RESTART: u64 = libc::LINUX_REBOOT_CMD_RESTART as u64;

/// What may be called with these arguments only.
fn bound() -> Result<Vec<(c_long, Vec<SeccompRule>)>, BackendError> {
    let not_executable = || rule(2, SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64), 0);
    let requests: Result<_, _> = DEVICE_REQUESTS
        .map(|code| rule(1, SeccompCmpOp::Eq, code))
        .into_iter()
        .collect();
    let thread = libc::CLONE_THREAD as u64;
    Ok(vec![
        (
            libc::SYS_clone,
            vec![rule(0, SeccompCmpOp::MaskedEq(thread), thread)?],
        ),
        (libc::SYS_ioctl, requests?),
        (libc::SYS_mmap, vec![not_executable()?]),
        (libc::SYS_mprotect, vec![not_executable()?]),
        (
            libc::SYS_prctl,
            vec![rule(0, SeccompCmpOp::Eq, libc::PR_SET_NAME as u64)?],
        ),
        (libc::SYS_reboot, vec![rule(2, SeccompCmpOp::Eq, RESTART)?]),
        // A pair is of this process alone; tokio makes one for signals.
        (
            libc::SYS_socketpair,
            vec![rule(0, SeccompCmpOp::Eq, libc::AF_UNIX as u64)?],
        ),
        (
            libc::SYS_socket,
            vec![rule(0, SeccompCmpOp::Eq, libc::AF_VSOCK as u64)?],
        ),
    ])
}

fn rule(argument: u8, is: SeccompCmpOp, value: u64) -> Result<SeccompRule, BackendError> {
    // All of these are 32-bit arguments: the upper half is the C library's own affair.
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, is, value)?;
    SeccompRule::new(vec![condition])
}

/// Kills the process for whatever is not listed.
fn allowing() -> Result<BpfProgram, BackendError> {
    let free = [FREE, OLDER, PATHS, OLDER_PATHS]
        .into_iter()
        .flatten()
        .map(|call| (*call, Vec::new()));
    let calls = free.chain(bound()?).collect();
    program(calls, SeccompAction::KillProcess, SeccompAction::Allow)
}

/// Answers these calls with an error, and says nothing about others.
fn refusing(calls: &[c_long], error: libc::c_int) -> Result<BpfProgram, BackendError> {
    let calls = calls.iter().map(|call| (*call, Vec::new())).collect();
    let refusal = SeccompAction::Errno(error.unsigned_abs());
    program(calls, SeccompAction::Allow, refusal)
}

fn program(
    calls: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    listed: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    let architecture = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(calls, otherwise, listed, architecture)?.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_compile_and_name_no_call_twice() {
        allowing().unwrap();
        let bound: Vec<c_long> = bound().unwrap().into_iter().map(|(call, _)| call).collect();
        let mut all = [FREE, OLDER, PATHS, OLDER_PATHS, &bound].concat();
        let listed = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), listed);
    }
}
