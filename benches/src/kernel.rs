//! The work that every peer is given: plain functions, the same for all.
//!
//! The result of each is checked by the case, and no loop here can be optimised away, so nobody wins by not working.

use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// A function from item to result that a peer runs as one job.
///
/// It is a type parameter and not a function pointer, so that each peer's compiled job calls it directly.
pub(crate) trait Kernel: Fn(u64) -> u64 + Copy + Send + 'static {}

impl<F: Fn(u64) -> u64 + Copy + Send + 'static> Kernel for F {}

/// The two sizes of job.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Element {
    /// [`inc`].
    Tiny,
    /// [`long`].
    Long,
}

/// How many turns of the loop take 5 µs on this machine. The parent measures it once and tells every child, so that
/// all of them do the same work even when the machine slows down.
static TURNS: AtomicU64 = AtomicU64::new(0);

/// How many links of the chain have run.
static LINKS: AtomicU64 = AtomicU64::new(0);

/// Set when the chain is to end.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// How long a link of the chain keeps its worker busy, in units of [`long`]: four of 5 µs.
const LINK_LONGS: u64 = 4;

/// How long a link of the chain works, in seconds.
pub(crate) const LINK_SECONDS: f64 = 20e-6;

/// The tiny job: about a nanosecond.
#[inline]
pub(crate) fn inc(n: u64) -> u64 {
    black_box(n) + 1
}

/// The job of about 5 µs, with the result of [`inc`].
#[inline]
pub(crate) fn long(n: u64) -> u64 {
    // Relaxed: the number was stored before any worker was started.
    turn(TURNS.load(Ordering::Relaxed));
    n + 1
}

/// The sum of the results of `inc` or `long` over `0..count`.
pub(crate) fn sum_of(count: u64) -> u64 {
    count * (count + 1) / 2
}

/// A number for the thread that runs this, never 0 and never the same for two threads.
pub(crate) fn thread_number(_n: u64) -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        // Relaxed: only the numbers have to differ.
        static NUMBER: Cell<u64> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed));
    }
    NUMBER.get()
}

/// One link of the chain that keeps a worker busy: about 20 µs of work. True while the job should submit the next
/// link, from inside, before it ends.
pub(crate) fn link() -> bool {
    turn(LINK_LONGS * TURNS.load(Ordering::Relaxed));
    // Relaxed: a count that is read for a percentage, and a flag that may be seen late.
    LINKS.fetch_add(1, Ordering::Relaxed);
    !STOPPED.load(Ordering::Relaxed)
}

/// How many links have run so far.
pub(crate) fn links() -> u64 {
    LINKS.load(Ordering::Relaxed)
}

/// Lets the chain end with the link that is running now.
pub(crate) fn stop_chain() {
    STOPPED.store(true, Ordering::Relaxed);
}

/// The `n`-th Fibonacci number, for checking.
pub(crate) fn fib(n: u64) -> u64 {
    if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
}

/// How many jobs a nested `fib(n)` is when each call is one.
pub(crate) fn fib_calls(n: u64) -> u64 {
    2 * fib(n + 1) - 1
}

/// Sets how many turns take 5 µs.
pub(crate) fn set_turns(turns: u64) {
    TURNS.store(turns, Ordering::Relaxed);
}

/// Measures how many turns take 5 µs on a core that nothing disturbs: the best of many short tries.
pub(crate) fn measure_turns() -> u64 {
    const TURNS_PER_TRY: u64 = 100_000;
    const TRIES: usize = 50;
    let best = (0..TRIES)
        .map(|_| {
            let begin = Instant::now();
            turn(TURNS_PER_TRY);
            begin.elapsed()
        })
        .min()
        .unwrap_or_default();
    let turns_per_nano = TURNS_PER_TRY as f64 / best.as_nanos().max(1) as f64;
    ((5_000.0 * turns_per_nano) as u64).max(1)
}

/// A chain of dependent steps (xorshift64, Marsaglia 2003) that no compiler can shorten.
#[inline]
fn turn(turns: u64) {
    let mut state = black_box(0x9e37_79b9_7f4a_7c15_u64);
    for _ in 0..turns {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    black_box(state);
}
