//! Locks that work between the threads of one process and between processes alike: [`Mutex`], [`ReentrantMutex`] and [`RwLock`] guard a
//! value; [`Semaphore`], [`Condvar`], [`Event`] and [`Barrier`] are what threads wait for one another with. What a death does to
//! one of the latter is on its own page.
//!
//! Each is a handle to a few bytes of shared memory: a clone is the same lock, and so is what arrives where a handle was sent,
//! as a job argument or over a channel of this crate.
//!
//! # What they guard
//!
//! Values of [plain data](bytemuck::AnyBitPattern): numbers, arrays of them, and structs of them that derive `Pod` or `AnyBitPattern` of
//! the crate `bytemuck` (version 1, feature `derive`). They lie in the memory itself. A reference to them is lent under the lock only, as in one process.
//!
//! # When a holder dies
//!
//! However it ends, a lock that it has is free at once, and the value may be half changed. Whoever locks next is told so by
//! [`OwnerDied`], and has the lock nevertheless. So it is after a panic, as with the locks of std. The news stays until somebody
//! [repairs](OwnerDied::repair) the value; nothing is ever locked for good.
//!
//! # What is relied upon
//!
//! Processes that share a lock are one program and keep to the rules of Rust, as the threads of one process do. What comes from
//! elsewhere is checked when it arrives: that it is memory of this crate, sealed in its size, and an object of that kind and that type.
//! A stray write to the memory of a lock does the harm that it would do between threads.
//!
//! A process that forks while it has a lock goes on to have it, and its child does not: what the child inherits of a guard is to be
//! forgotten.

mod barrier;
mod condvar;
mod error;
mod event;
mod mutex;
mod mutex_guard;
mod reentrant_mutex;
mod rw_guards;
mod rw_lock;
mod semaphore;

pub(crate) mod guarded;
mod holder;
pub(crate) mod robust;
mod seats;
mod sleep;

pub(crate) use error::{tried, waited};

pub use barrier::{Barrier, BarrierError, BarrierWaitResult, PARTIES_MAX};
pub use condvar::{Condvar, WAITERS_MAX};
pub use error::{LockResult, LockTimeoutError, OwnerDied, Repairable, TryLockError};
pub use event::Event;
pub use mutex::Mutex;
pub use mutex_guard::MutexGuard;
pub use reentrant_mutex::{ReentrantMutex, ReentrantMutexGuard};
pub use rw_guards::{RwLockReadGuard, RwLockWriteGuard};
pub use rw_lock::{READERS_MAX, RwLock};
pub use semaphore::{PERMITS_MAX, ReleaseError, Semaphore, SemaphorePermit};
