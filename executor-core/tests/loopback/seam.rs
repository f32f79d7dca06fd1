//! What happens on the dispatcher of a [`Loopback`], and what must not: no code of the user's runs there.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use executor_core::backend::{Backend, closure_task};
use executor_core::{
    Executor, JobError, JobFuture, JobOptions, JobState, MapOptions, Rejection, Retries, Shutdown, as_completed, job,
    on_unread_failure,
};
use executor_testkit::jobs::{self, Plan, SetUp};
use executor_testkit::{Gate, Log, Pass, check};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::conformance::Loop;
use crate::pool::{DISPATCHER, Loopback, Settings};

/// Runs `test` in its turn among the laws: the spies and the hook are there once.
fn alone(name: &'static str, test: impl FnOnce()) {
    let verdict = check::<Loop>(name, |_| {
        SEEN.lock().unwrap().clear();
        test();
        // Still in its turn: the next test writes there too.
        let seen = std::mem::take(&mut *SEEN.lock().unwrap());
        let wrong: Vec<_> = seen.iter().filter(|(_, thread)| thread == DISPATCHER).map(|(what, _)| what).collect();
        assert!(wrong.is_empty(), "code of the user's ran on the dispatcher: {wrong:?}");
        Ok(())
    });
    verdict.unwrap();
}

/// What of the user's ran, and on which thread.
static SEEN: Mutex<Vec<(&str, String)>> = Mutex::new(Vec::new());

fn see(what: &'static str) {
    SEEN.lock().unwrap().push((what, thread::current().name().unwrap_or("").to_owned()));
}

/// How often something of the user's ran.
fn seen(what: &str) -> usize {
    SEEN.lock().unwrap().iter().filter(|(seen, _)| *seen == what).count()
}

/// Waits until it did.
fn await_seen(what: &str, times: usize) {
    while seen(what) < times {
        thread::yield_now();
    }
}

/// A value that tells what is done with it.
#[derive(Debug)]
struct Spy(u32);

impl Serialize for Spy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        see("serialize");
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Spy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        see("deserialize");
        u32::deserialize(deserializer).map(Spy)
    }
}

impl Drop for Spy {
    fn drop(&mut self) {
        see("drop");
    }
}

impl std::fmt::Display for Spy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        see("display");
        write!(f, "spy {}", self.0)
    }
}

impl Wake for Spy {
    fn wake(self: Arc<Self>) {
        see("wake");
    }
}

/// Goes through the gate, and gives the value back as what it says.
#[job]
fn pass_spy(gate: Pass, value: Spy, good: bool) -> Result<Spy, Spy> {
    gate.go();
    if good { Ok(value) } else { Err(value) }
}

fn pool(workers: usize) -> Loopback {
    Loopback::build(Settings::new(workers)).unwrap()
}

fn listen() -> Arc<Mutex<Vec<String>>> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    on_unread_failure(move |failure| {
        see("hook");
        tell.lock().unwrap().push(failure.to_string());
    });
    told
}

/// Hangs every kind of waiter on a job: a callback, and a waker of a future that is then dropped or kept.
fn watch<T: Send + 'static>(future: &mut JobFuture<T>) {
    future.handle().on_done(|_| see("callback"));
    let waker = Waker::from(Arc::new(Spy(0)));
    let polled = std::pin::Pin::new(future).poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
}

#[test]
fn outcomes_leave_the_dispatcher_unread() {
    alone("outcomes_leave_the_dispatcher_unread", || {
        let told = listen();
        let pool = pool(2);
        for round in 0..50 {
            for good in [true, false] {
                let gate = Gate::new();
                let mut future = pool.submit(pass_spy::job(gate.pass(), Spy(round), good));
                watch(&mut future);
                if round % 2 == 0 {
                    drop(future);
                    gate.open();
                } else {
                    gate.open();
                    assert_eq!(future.result().unwrap().is_ok(), good);
                }
            }
        }
        await_seen("callback", 100);
        await_seen("wake", 100);
        await_seen("hook", 25);
        drop(pool);
        let told = told.lock().unwrap();
        assert_eq!((told.len(), seen("callback"), seen("wake")), (25, 100, 100));
        // The text was made where the failure was reported, from the bytes.
        assert!(told.iter().all(|text| text.contains("it returned an error: spy ")), "{told:?}");
        assert_eq!(seen("display"), 25);
    });
}

#[test]
fn sets_maps_and_late_ends_leave_the_dispatcher_alone() {
    alone("sets_maps_and_late_ends_leave_the_dispatcher_alone", || {
        let pool = pool(2);
        let gate = Gate::new();
        let mut set = as_completed((0..4).map(|value| pool.submit(pass_spy::job(gate.pass(), Spy(value), true))));
        let mut map = pool
            .map_with(|value| pass_spy::job(gate.pass(), Spy(value), false), 0..20, MapOptions::new().window(4))
            .unwrap();
        gate.open();
        assert!(map.next().unwrap().unwrap().is_err());
        drop(map);
        assert!(set.next().unwrap().result().unwrap().is_ok());
        let mut stream = set.into_stream();
        let waker = Waker::from(Arc::new(Spy(0)));
        let polled = futures::Stream::poll_next(std::pin::Pin::new(&mut stream), &mut Context::from_waker(&waker));
        drop((polled, stream));
        pool.shutdown(Shutdown::Drain).unwrap();
    });
}

#[test]
fn ends_without_an_arrival_leave_the_dispatcher_alone() {
    alone("ends_without_an_arrival_leave_the_dispatcher_alone", || {
        let _told = listen();
        // An attempt that fails while the pool is ending is the last: the dispatcher gives the job up.
        let ending = pool(1);
        let gate = Gate::new();
        let options = JobOptions::new().retries(Retries::times(9).backoff(Duration::from_secs(3600)));
        let mut future = ending.submit_with(pass_spy::job(gate.pass(), Spy(1), false), options);
        gate.wait_for(1);
        watch(&mut future);
        ending.begin_shutdown(Shutdown::CancelPending);
        drop(future);
        gate.open();
        drop(ending);
        assert_eq!((seen("callback"), seen("wake"), seen("hook")), (1, 1, 1));

        // A pool whose initializer fails fails what waits.
        let (log, gate) = (Log::new(), Gate::new());
        let set_up = SetUp { pen: log.pen(), gate: Some(gate.pass()), plan: Plan::Fail("no luck".to_owned()) };
        let broken = Loopback::build(Settings::new(1).initializer(set_up)).unwrap();
        let mut future = broken.submit(pass_spy::job(gate.pass(), Spy(2), false));
        watch(&mut future);
        drop(future);
        gate.open();
        drop(broken);
        assert_eq!((seen("callback"), seen("wake"), seen("hook")), (2, 2, 2));
    });
}

#[test]
fn room_is_told_of_elsewhere() {
    alone("room_is_told_of_elsewhere", || {
        let mut settings = Settings::new(1);
        settings.queue_capacity = Some(1);
        let pool = Loopback::build(settings).unwrap();
        let gate = Gate::new();
        let _running = pool.submit(jobs::pass::job(gate.pass(), 1));
        gate.wait_for(1);
        let _waiting = pool.submit(jobs::pass::job(gate.pass(), 2));
        let mut waits = Box::pin(pool.submit_wait(pass_spy::job(gate.pass(), Spy(1), true)));
        let waker = Waker::from(Arc::new(Spy(0)));
        assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        gate.open();
        await_seen("wake", 1);
        drop(waits);
    });
}

#[test]
fn a_job_that_is_tried_again_is_encoded_once() {
    alone("a_job_that_is_tried_again_is_encoded_once", || {
        let pool = pool(2);
        let gate = Gate::new();
        gate.open();
        let options = JobOptions::new().retries(Retries::times(4));
        let future = pool.submit_with(pass_spy::job(gate.pass(), Spy(7), false), options);
        let handle = future.handle();
        handle.wait();
        assert_eq!(gate.arrived(), 5);
        // Once for the arguments, and once for the output of each attempt.
        assert_eq!((seen("serialize"), seen("deserialize")), (1 + 5, 5));
        let Err(Err(spy)) = future.result().map_err(drop).map(Err::<Spy, _>).unwrap() else { unreachable!() };
        assert_eq!((spy.0, seen("deserialize")), (7, 6));
    });
}

#[test]
fn a_kill_while_the_job_runs_is_its_outcome() {
    alone("a_kill_while_the_job_runs_is_its_outcome", || {
        let mut settings = Settings::new(1);
        settings.kills = true;
        let pool = Loopback::build(settings).unwrap();
        let gate = Gate::new();
        let options = JobOptions::new().retries(Retries::times(3));
        let future = pool.submit_with(jobs::pass_then_fail::job(gate.pass(), 1, None), options);
        gate.wait_for(1);
        assert_eq!(future.state(), JobState::Running);
        assert!(!future.cancel() && future.kill() && future.kill());
        assert_eq!((future.state(), pool.stats().running), (JobState::Running, 1));
        gate.open();
        assert!(matches!(future.result(), Err(JobError::Killed)));
        assert_eq!(gate.arrived(), 1, "a killed job is tried again");
        assert_eq!((pool.stats().failed, pool.stats().submitted()), (1, 1));
    });
}

#[test]
fn callbacks_must_not_wait_for_their_pool() {
    alone("callbacks_must_not_wait_for_their_pool", || {
        let pool = pool(1);
        let (tx, rx) = std::sync::mpsc::channel();
        let (gate, inner) = (Gate::new(), pool.clone());
        let called = pool.submit(jobs::pass::job(gate.pass(), 1));
        let pass = gate.pass();
        called.on_done(move |_| {
            let waited = inner.submit(jobs::pass::job(pass, 2)).result();
            tx.send((waited, inner.shutdown(Shutdown::Drain))).unwrap();
        });
        gate.admit(1);
        let (waited, ended) = rx.recv().unwrap();
        assert!(matches!(waited, Err(JobError::WouldBlock { .. })) && ended.is_err());
    });
}

#[test]
fn the_last_handle_may_go_in_a_callback() {
    alone("the_last_handle_may_go_in_a_callback", || {
        let pool = pool(1);
        let gate = Gate::new();
        let (last, next) = (pool.clone(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&next);
        pool.submit(jobs::pass::job(gate.pass(), 1)).on_done(move |_| {
            drop(last.submit(jobs::echo::job(1)));
            drop(last);
            counted.fetch_add(1, Ordering::SeqCst);
        });
        drop(pool);
        gate.open();
        while next.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
    });
}

#[test]
fn what_stays_in_this_process_is_refused() {
    alone("what_stays_in_this_process_is_refused", || {
        let pool = pool(1);
        let (task, future) = closure_task(&pool, || 1);
        let refused = pool.accept(task, executor_core::backend::Room::Wait).unwrap_err();
        assert!(!refused.is_full());
        refused.fail();
        assert!(matches!(future.result(), Err(JobError::Broken { .. })));
        pool.shutdown(Shutdown::Drain).unwrap();
        let late = pool.submit(jobs::echo::job(1)).result();
        assert!(matches!(late, Err(JobError::Rejected(Rejection::ShutDown))));
        assert_eq!(pool.stats().submitted(), 0);
    });
}
