#![expect(unsafe_code, reason = "the C library's mutex is reached by address")]
//! The floor of locks that survive their holders: the C library's robust mutex in shared memory, and nothing around it.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU64, Ordering};

use executor_core::{Executor, JobFuture, job};
use executor_ipc::SharedArray;
use executor_ipc::sync::Barrier;
use executor_process::ProcessExecutor;
use libc::{c_int, pthread_mutex_t};
use serde::{Deserialize, Serialize};

use super::{Ipc, Turns, sync};
use crate::outcome::Outcome;
use crate::peers::{Open, Peer};

/// A mutex, and a number behind it.
pub(crate) const PEER: Peer = Peer {
    name: "bare-pthread",
    package: "benches",
    how: "the floor: a robust mutex of the C library in shared memory, its calls and nothing else",
    open: Open::Ipc(|| Ok(Box::new(Bare))),
};

struct Bare;

const WORDS: usize = size_of::<pthread_mutex_t>().div_ceil(size_of::<AtomicU64>());
const _: () = assert!(align_of::<pthread_mutex_t>() <= align_of::<AtomicU64>());

/// Atomics as memory that several processes have: [`WORDS`] for the mutex, and one for the number.
#[derive(Serialize, Deserialize)]
struct Pthread(SharedArray<AtomicU64>);

impl Pthread {
    fn new() -> Outcome<Self> {
        let pthread = Pthread(SharedArray::new(WORDS + 1)?);
        let mut attributes = MaybeUninit::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: there is room for attributes.
        done(unsafe { libc::pthread_mutexattr_init(attributes) })?;
        // SAFETY: they have been made above, as for the calls below.
        done(unsafe { libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED) })?;
        // SAFETY: as above.
        done(unsafe { libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST) })?;
        // SAFETY: as above; and there is room for a mutex, aligned, which nobody uses yet.
        done(unsafe { libc::pthread_mutex_init(pthread.mutex(), attributes) })?;
        Ok(pthread)
    }

    /// The first words, which may be written to, since they are atomics.
    fn mutex(&self) -> *mut pthread_mutex_t {
        self.0[..WORDS].as_ptr().cast_mut().cast()
    }
}

fn done(code: c_int) -> Outcome<()> {
    if code == 0 { Ok(()) } else { Err(std::io::Error::from_raw_os_error(code).into()) }
}

impl sync::Gate for Pthread {
    fn pass(&self) {
        // SAFETY: it is a mutex, and stays mapped while it is borrowed.
        let locked = unsafe { libc::pthread_mutex_lock(self.mutex()) };
        assert_eq!(locked, 0);
        // One load and one store, as of a plain number: the mutex orders them.
        let number = &self.0[WORDS];
        number.store(number.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        // SAFETY: as above, and this thread has it.
        let unlocked = unsafe { libc::pthread_mutex_unlock(self.mutex()) };
        assert_eq!(unlocked, 0);
    }
}

/// In another process.
#[job]
fn pass(pthread: Pthread, both: Barrier, count: u64) -> u64 {
    sync::pass(&pthread, &both, count)
}

impl sync::Elsewhere for Pthread {
    fn pass_elsewhere(&self, pool: &ProcessExecutor, both: &Barrier, count: u64) -> JobFuture<u64> {
        pool.submit(pass::job(Pthread(self.0.clone()), both.clone(), count))
    }
}

impl Ipc for Bare {
    fn mutex(&self, count: u64) -> Outcome<Turns> {
        sync::gate(&Pthread::new()?, count)
    }
}
