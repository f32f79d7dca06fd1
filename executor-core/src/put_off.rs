//! Callbacks and wakers that are put off, until a shutdown has cancelled all that it cancels.
//!
//! Who cancels one job after another must not call anybody back in between. A callback may wait for another of these jobs, or
//! for the end of the pool, and so for what its own thread has not come to yet.

use std::cell::RefCell;

use crate::bells::Waiter;
use crate::job_ref::JobRef;
use crate::sync::per_thread;

/// Those that were put off, in the order in which they would have been called.
type Calls = Vec<(JobRef, Waiter)>;

per_thread! {
    /// `None` while nothing is put off on this thread.
    static PUT_OFF: RefCell<Option<Calls>> = const { RefCell::new(None) };
}

/// Runs `f`, and calls the callbacks and wakers that it would call on this thread only when it has returned, in the same
/// order. Inside of another call it leaves them to that one.
pub fn callbacks_after<R>(f: impl FnOnce() -> R) -> R {
    struct CallThem(Option<Calls>);
    impl Drop for CallThem {
        fn drop(&mut self) {
            let outer = self.0.take();
            let calls = PUT_OFF.with(|put_off| put_off.replace(outer));
            for (job, waiter) in calls.into_iter().flatten() {
                waiter.ring(&job);
            }
        }
    }
    let _call_them = CallThem(PUT_OFF.with(|put_off| put_off.replace(Some(Calls::new()))));
    f()
}

/// Puts off a callback or a waker on `job`; gives it back if it is to be called now.
pub(crate) fn put_off(job: &JobRef, waiter: Waiter) -> Option<Waiter> {
    let mut waiter = Some(waiter);
    // On a thread that is being torn down nothing is put off.
    let _ = PUT_OFF.try_with(|put_off| {
        if let Some(calls) = &mut *put_off.borrow_mut() {
            calls.extend(waiter.take().map(|waiter| (job.clone(), waiter)));
        }
    });
    waiter
}
