//! Counts of jobs, kept so that threads rarely share a cache line.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use executor_core::backend::Tally;

/// So many threads count apart from one another; more than that share. A machine with more cores has other costs than these.
const STRIPES: usize = 16;

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Which stripe this thread counts in.
    static STRIPE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The counts of one pool.
///
/// A snapshot reads the latest stage first; each count is released and acquired, so that a job that is seen as ended is seen as
/// begun too.
#[derive(Debug, Default)]
pub(crate) struct Counts([Stripe; STRIPES]);

/// What some threads counted. Aligned to two cache lines, because x86-64 fetches them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe {
    begun: AtomicU64,
    finished: AtomicU64,
    failed: AtomicU64,
}

/// A reading of [`Counts`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) begun: u64,
    pub(crate) finished: u64,
    pub(crate) failed: u64,
}

impl Counts {
    pub(crate) fn read(&self) -> Reading {
        // The sums wrap as the counts do.
        let total = |count: fn(&Stripe) -> &AtomicU64| {
            self.0.iter().fold(0_u64, |sum, stripe| sum.wrapping_add(count(stripe).load(Ordering::Acquire)))
        };
        // Failed before finished, as `overruled` says.
        let failed = total(|stripe| &stripe.failed);
        let finished = total(|stripe| &stripe.finished);
        let begun = total(|stripe| &stripe.begun);
        Reading { begun, finished, failed }
    }

    /// The counts of the calling thread.
    #[inline]
    fn mine(&self) -> &Stripe {
        let stripe = STRIPE.get().unwrap_or_else(|| {
            let stripe = THREADS.fetch_add(1, Ordering::Relaxed) % STRIPES;
            STRIPE.set(Some(stripe));
            stripe
        });
        &self.0[stripe]
    }
}

impl Tally for Counts {
    #[inline]
    fn begun(&self) {
        self.mine().begun.fetch_add(1, Ordering::Release);
    }

    #[inline]
    fn ended(&self, failed: bool) {
        let stripe = self.mine();
        if failed { &stripe.failed } else { &stripe.finished }.fetch_add(1, Ordering::Release);
    }

    fn overruled(&self) {
        // In this order, and read in the other one, so that no snapshot counts it twice. It is the thread that told the end.
        let stripe = self.mine();
        stripe.finished.fetch_sub(1, Ordering::Release);
        stripe.failed.fetch_add(1, Ordering::Release);
    }
}

/// Counts jobs that fail without having run: each is counted as begun too, so that the columns agree.
pub(crate) struct Unrun<'a>(pub(crate) &'a Counts);

impl Tally for Unrun<'_> {
    fn begun(&self) {}

    fn ended(&self, failed: bool) {
        self.0.begun();
        self.0.ended(failed);
    }
}
