//! The laws of each, between processes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use executor_ipc::sync::{Barrier, BarrierError, Condvar, Event, Mutex, Semaphore};

use crate::peer::until;
use crate::{LONG, Process, Request, SHORT, begun, count, counters, start};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("as_many_processes_are_let_in_as_there_are_permits", as_many_processes_are_let_in_as_there_are_permits),
    ("a_release_elsewhere_wakes", a_release_elsewhere_wakes),
    ("a_notification_wakes_as_many_processes", a_notification_wakes_as_many_processes),
    ("an_event_that_is_set_elsewhere_wakes", an_event_that_is_set_elsewhere_wakes),
    ("a_barrier_keeps_processes_in_step", a_barrier_keeps_processes_in_step),
    ("a_barrier_breaks_for_all_processes", a_barrier_breaks_for_all_processes),
];

/// Law 249.
fn as_many_processes_are_let_in_as_there_are_permits() {
    let (semaphore, counters) = (Semaphore::bounded(2).unwrap(), counters());
    let peers = [(); 3].map(|()| start(Request::Enter(semaphore.clone(), counters.clone(), 3_000)));
    for peer in peers {
        assert!(peer.hear::<bool>());
        peer.end();
    }
    assert_eq!((count(&counters, 0), semaphore.available_permits()), (0, 2));
    assert!((1..=2).contains(&count(&counters, 1)));
}

/// Law 249.
fn a_release_elsewhere_wakes() {
    let semaphore = Semaphore::bounded(1).unwrap();
    semaphore.acquire().forget();
    let waiting = begun(Request::Acquire(semaphore.clone()));
    let releasing = Process::start();
    assert!(semaphore.acquire_timeout(SHORT).is_none());
    assert!(releasing.ask::<bool>(&Request::Release(semaphore.clone())));
    assert!(waiting.hear::<bool>());
    assert_eq!(semaphore.available_permits(), 0);
    assert!(releasing.ask::<bool>(&Request::Release(semaphore.clone())));
    // The bound holds there too.
    assert!(!releasing.ask::<bool>(&Request::Release(semaphore.clone())));
    waiting.end();
    releasing.end();
    assert_eq!(semaphore.available_permits(), 1);
}

/// Law 250.
fn a_notification_wakes_as_many_processes() {
    let (woken, condvar) = (Mutex::new(0_u64).unwrap(), Condvar::new().unwrap());
    let mut waiters: Vec<Process> = (0..4).map(|_| start(Request::Wait(woken.clone(), condvar.clone()))).collect();
    until("all wait", || condvar.waiting() == 4);
    let notifier = Process::start();
    for (count, total) in [(1, 1), (2, 3), (9, 4)] {
        assert!(notifier.ask::<bool>(&Request::Notify(condvar.clone(), count)));
        assert_eq!(condvar.waiting(), 4 - total);
        until("they are woken", || *woken.lock().unwrap() == total as u64);
    }
    for waiter in waiters.drain(..) {
        assert!(waiter.hear::<bool>());
        waiter.end();
    }
    notifier.end();
}

/// Law 251.
fn an_event_that_is_set_elsewhere_wakes() {
    let event = Event::new().unwrap();
    let waiting = start(Request::AwaitEvent(event.clone()));
    assert!(!waiting.hear::<bool>());
    let setting = Process::start();
    assert!(!event.wait_timeout(SHORT));
    assert!(setting.ask::<bool>(&Request::Set(event.clone())));
    assert!(waiting.hear::<bool>() && event.wait_timeout(Duration::ZERO));
    event.clear();
    assert!(setting.ask::<bool>(&Request::Set(event.clone())));
    event.wait();
    waiting.end();
    setting.end();
}

/// Law 252.
fn a_barrier_keeps_processes_in_step() {
    let (barrier, counters) = (Barrier::new(3).unwrap(), counters());
    let rounds = 1_000;
    let peers = [(); 2].map(|()| start(Request::Come(barrier.clone(), counters.clone(), rounds)));
    let mut led = 0;
    for round in 1..=rounds {
        counters[0].fetch_add(1, Ordering::SeqCst);
        // Whoever passes before as many have come tells so.
        counters[2].store(3 * (round - 1), Ordering::SeqCst);
        led += u64::from(barrier.wait_timeout(LONG).unwrap().is_leader());
        let come = count(&counters, 0);
        assert!((3 * round..=3 * round + 2).contains(&come), "{come} in round {round}");
    }
    for peer in peers {
        led += peer.hear::<u64>();
        peer.end();
    }
    assert_eq!((led, count(&counters, 0), count(&counters, 1)), (rounds, 3 * rounds, 0));
}

/// Law 253.
fn a_barrier_breaks_for_all_processes() {
    let barrier = Barrier::new(3).unwrap();
    let (one, other) = (Process::start(), Process::start());
    let comes = || {
        one.tell(&Request::ComeOnce(barrier.clone()));
        until("it waits", || barrier.waiting() == 1);
    };
    comes();
    assert!(other.ask::<bool>(&Request::Abort(barrier.clone())));
    assert!(one.hear::<String>().contains("aborted"));
    assert_eq!(barrier.wait(), Err(BarrierError::Aborted));
    barrier.reset();
    comes();
    assert_eq!(barrier.wait_timeout(SHORT), Err(BarrierError::Timeout));
    assert!(one.hear::<String>().contains("not all parties came in time for one that waited"));
    barrier.reset();
    comes();
    barrier.reset();
    assert!(one.hear::<String>().contains("was reset"));
    comes();
    other.tell(&Request::ComeOnce(barrier.clone()));
    barrier.wait_timeout(LONG).unwrap();
    assert_eq!((one.hear::<String>(), other.hear::<String>()), (String::new(), String::new()));
    one.end();
    other.end();
}
