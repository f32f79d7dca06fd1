//! What the system says about this process: CPU time, context switches, resident memory.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::outcome::{Failure, Outcome};

/// What a stretch of doing nothing cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Idle {
    /// CPU time of all threads, in percent of one core.
    pub(crate) cpu_percent: f64,
    /// How often per second a thread of the process woke up and went to sleep again.
    pub(crate) wakes_per_second: f64,
}

/// Sleeps for `length` and tells what the other threads of this process did meanwhile.
pub(crate) fn sleep_and_watch(length: Duration) -> Outcome<Idle> {
    let before = getrusage(UsageWho::RUSAGE_SELF)?;
    let begin = Instant::now();
    thread::sleep(length);
    let seconds = begin.elapsed().as_secs_f64();
    let after = getrusage(UsageWho::RUSAGE_SELF)?;
    let cpu_seconds = cpu_seconds(&after) - cpu_seconds(&before);
    // One of the switches is this thread's own sleep.
    let wakes = (after.voluntary_context_switches() - before.voluntary_context_switches() - 1).max(0);
    Ok(Idle { cpu_percent: 100.0 * cpu_seconds / seconds, wakes_per_second: wakes as f64 / seconds })
}

/// The memory that is resident now, in bytes. `smaps_rollup` walks the page tables; the figures in `status` lag behind
/// by some pages per core.
pub(crate) fn resident_bytes() -> Outcome<u64> {
    field_kib("/proc/self/smaps_rollup", "Rss:")
        .or_else(|| field_kib("/proc/self/status", "VmRSS:"))
        .map(|kib| kib * 1024)
        .ok_or_else(|| Failure::because("neither smaps_rollup nor status of /proc/self tells the resident memory"))
}

/// The memory that is resident in the process `pid`, in KiB, where what several processes share counts as a share for each.
#[cfg(feature = "process")]
pub(crate) fn proportional_kib_of(pid: u32) -> Outcome<u64> {
    field_kib(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
        .ok_or_else(|| Failure::because(format!("/proc/{pid}/smaps_rollup does not tell the memory of a worker")))
}

/// The CPU time that the process `pid` has used so far, in clock ticks (usually 10 ms), by `proc_pid_stat(5)`.
pub(crate) fn cpu_ticks_of(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets and may hold anything, so fields are counted after it:
    // `utime` and `stime` are the fields 14 and 15 of the whole.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn cpu_seconds(usage: &Usage) -> f64 {
    (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / 1e6
}

fn field_kib(path: &str, field: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
