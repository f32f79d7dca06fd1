//! [`Gate`]: holds jobs where the law wants them.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread;

use serde::{Deserialize, Serialize};

use crate::helpers::THREAD_PREFIX;
use crate::station::{self, Address, Station};

/// Holds jobs until the law opens it: the law knows that they run, and they do not end before it says so.
///
/// The law keeps the gate, the jobs get its [`pass`](Gate::pass). Dropping a gate opens it, so that a law that fails
/// does not leave a job behind which its pool waits for; make the gate after the pool, so that it is dropped before.
///
/// # Examples
///
/// ```
/// use executor_testkit::Gate;
///
/// let gate = Gate::new();
/// let pass = gate.pass();
/// let job = std::thread::spawn(move || pass.go());
/// gate.wait_for(1);
/// gate.open();
/// job.join().unwrap();
/// ```
#[derive(Debug)]
#[must_use = "dropping a gate opens it"]
pub struct Gate {
    hinge: Arc<Hinge>,
    address: Address,
}

#[derive(Debug, Default)]
struct Hinge {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    arrived: usize,
    /// How many may go through before it is open.
    admitted: usize,
    open: bool,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        let hinge = Arc::<Hinge>::default();
        let address = station::open(Arc::clone(&hinge) as Arc<dyn Station>);
        Gate { hinge, address }
    }

    /// What a job goes through the gate with.
    #[must_use]
    pub fn pass(&self) -> Pass {
        Pass { address: self.address }
    }

    /// How many jobs have come to the gate so far, those included that went through.
    #[must_use]
    pub fn arrived(&self) -> usize {
        self.hinge.lock().arrived
    }

    /// Waits until `jobs` have come to the gate since it was made.
    pub fn wait_for(&self, jobs: usize) {
        drop(self.hinge.wait_while(|state| state.arrived < jobs));
    }

    /// Lets `jobs` through: those that wait, else the next that come.
    pub fn admit(&self, jobs: usize) {
        self.hinge.change(|state| state.admitted += jobs);
    }

    /// Lets all through from now on.
    pub fn open(&self) {
        self.hinge.change(|state| state.open = true);
    }
}

impl Default for Gate {
    fn default() -> Self {
        Gate::new()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
        station::close(self.address);
    }
}

impl Hinge {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn wait_while(&self, condition: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        self.changed.wait_while(self.lock(), |state| condition(state)).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Station for Hinge {
    fn call(&self, _: u64) -> u64 {
        self.change(|state| state.arrived += 1);
        let mut state = self.wait_while(|state| !state.open && state.admitted == 0);
        state.admitted = state.admitted.saturating_sub(1);
        0
    }
}

/// A job's way through a [`Gate`]. It travels with the job, to other processes too.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Pass {
    address: Address,
}

impl Pass {
    /// Tells the gate that the job is there, and waits until it is let through.
    ///
    /// # Panics
    ///
    /// If the process of the law has ended.
    pub fn go(&self) {
        self.address.call(0);
    }

    /// [`go`](Pass::go) for an async job: it does not block the thread that polls it.
    ///
    /// # Panics
    ///
    /// If no thread can be started that waits in its place.
    pub async fn go_async(&self) {
        let through = Arc::new(Mutex::new((false, None::<Waker>)));
        let address = self.address;
        let theirs = Arc::clone(&through);
        let waits = thread::Builder::new().name(format!("{THREAD_PREFIX}pass")).spawn(move || {
            address.call(0);
            let waker = {
                let mut through = theirs.lock().unwrap_or_else(PoisonError::into_inner);
                through.0 = true;
                through.1.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        });
        if let Err(error) = waits {
            panic!("no thread can be started that waits at the gate: {error}");
        }
        std::future::poll_fn(|cx| {
            let mut through = through.lock().unwrap_or_else(PoisonError::into_inner);
            if through.0 {
                return Poll::Ready(());
            }
            through.1 = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admitted_jobs_go_through_one_by_one() {
        let gate = Gate::new();
        let jobs: Vec<_> = (0..2)
            .map(|_| {
                let pass = gate.pass();
                thread::spawn(move || pass.go())
            })
            .collect();
        gate.wait_for(2);
        gate.admit(2);
        jobs.into_iter().for_each(|job| job.join().unwrap());
        assert_eq!(gate.arrived(), 2);
    }

    #[test]
    fn dropping_a_gate_opens_it() {
        let gate = Gate::new();
        let pass = gate.pass();
        let job = thread::spawn(move || pass.go());
        gate.wait_for(1);
        drop(gate);
        job.join().unwrap();
        pass.go();
    }

    #[test]
    fn an_async_job_goes_through() {
        let gate = Gate::new();
        gate.admit(1);
        futures::executor::block_on(gate.pass().go_async());
        assert_eq!(gate.arrived(), 1);
    }
}
