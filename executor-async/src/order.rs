//! [`Order`]: what a step under the lock of a pool leads to, after the lock.

use std::sync::Arc;

use executor_core::backend::{JobRef, Next, Seat, Task};

/// What a step leads to, after the lock.
#[must_use]
#[derive(Default)]
pub(crate) struct Order {
    /// An async job goes to the runtime, above the limit.
    pub(crate) poll: Option<Task>,
    /// So many drivers go to the runtime, and begin the async jobs that wait.
    pub(crate) drivers: usize,
    /// A thread takes this seat, and runs this first.
    pub(crate) thread: Option<(Seating, Option<Next>)>,
    /// The seat of the async jobs is to be initialized.
    pub(crate) prepares: bool,
    /// No more looked at; only dropped after the lock.
    pub(crate) unawaited: Vec<JobRef>,
}

/// A worker's seat.
pub(crate) struct Seating {
    pub(crate) seat: Arc<Seat>,
    /// The initializer ran there.
    pub(crate) ready: bool,
}
