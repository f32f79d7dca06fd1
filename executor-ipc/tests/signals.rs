//! Semaphores, condition variables, events and barriers between the threads of one process.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use executor_ipc::attach::{collect, supply};
use executor_ipc::sync::{
    Barrier, BarrierError, Condvar, Event, Mutex, PARTIES_MAX, PERMITS_MAX, Semaphore, WAITERS_MAX,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

const THREADS: usize = 4;

/// The same object, as if it had come from another process.
fn sent<T: Serialize + DeserializeOwned>(object: &T) -> T {
    let (bytes, attachments) = collect(|| postcard::to_stdvec(object).unwrap());
    supply(attachments, || postcard::from_bytes(&bytes).unwrap())
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "never: {what}");
        thread::yield_now();
    }
}

/// What it gave, and that it took as long as this at least.
fn lasting<R>(at_least: Duration, action: impl FnOnce() -> R) -> R {
    let began = Instant::now();
    let result = action();
    assert!(began.elapsed() >= at_least);
    result
}

fn many<'scope, R: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    count: usize,
    action: impl Fn() -> R + Clone + Send + 'scope,
) -> Vec<ScopedJoinHandle<'scope, R>> {
    (0..count).map(|_| scope.spawn(action.clone())).collect()
}

fn joined<R>(threads: Vec<ScopedJoinHandle<'_, R>>) -> Vec<R> {
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

/// Law 249.
#[test]
fn a_semaphore_counts() {
    let semaphore = Semaphore::new(2).unwrap();
    assert_eq!(semaphore.available_permits(), 2);
    let (one, other) = (semaphore.acquire(), semaphore.try_acquire().unwrap());
    assert_eq!(semaphore.available_permits(), 0);
    assert!(semaphore.try_acquire().is_none());
    drop(one);
    assert_eq!(semaphore.available_permits(), 1);
    other.forget();
    assert_eq!(semaphore.available_permits(), 1);
    // It may have more than at first.
    semaphore.release_many(5).unwrap();
    assert_eq!(sent(&semaphore).available_permits(), 6);
    semaphore.release_many(0).unwrap();
    assert_eq!(semaphore.available_permits(), 6);
}

/// Law 249.
#[test]
fn a_bounded_semaphore_refuses_what_was_not_acquired() {
    let semaphore = Semaphore::bounded(2).unwrap();
    let said = semaphore.release().unwrap_err().to_string();
    assert!(said.starts_with("the semaphore has 2 of 2 permits"), "{said}");
    semaphore.acquire().forget();
    let same = sent(&semaphore);
    same.release_many(2).unwrap_err();
    assert_eq!(same.available_permits(), 1);
    same.release().unwrap();
    same.release().unwrap_err();
    // What was given back for it already is not given back twice.
    let permit = semaphore.acquire();
    semaphore.release().unwrap();
    drop(permit);
    assert_eq!(semaphore.available_permits(), 2);
    let closed = Semaphore::bounded(0).unwrap();
    assert!(closed.try_acquire().is_none() && closed.release().is_err());
}

#[test]
fn a_semaphore_has_as_many_permits_as_can_be_counted() {
    for permits in [PERMITS_MAX + 1, u32::MAX] {
        let said = Semaphore::new(permits).unwrap_err().to_string();
        assert!(said.contains("2147483647 permits at most"), "{said}");
        Semaphore::bounded(permits).unwrap_err();
    }
    let full = Semaphore::new(PERMITS_MAX).unwrap();
    full.release().unwrap_err();
    full.acquire().forget();
    full.release_many(u32::MAX).unwrap_err();
    full.release_many(2).unwrap_err();
    full.release().unwrap();
    assert_eq!(full.available_permits(), PERMITS_MAX);
}

/// Law 249.
#[test]
fn a_semaphore_is_waited_for_as_long_as_one_likes() {
    let semaphore = Semaphore::new(0).unwrap();
    for timeout in [Duration::ZERO, SHORT] {
        assert!(lasting(timeout, || semaphore.acquire_timeout(timeout)).is_none());
    }
    thread::scope(|scope| {
        let waiting = scope.spawn(|| semaphore.acquire_timeout(LONG).map(|permit| permit.forget()));
        let endless = scope.spawn(|| semaphore.acquire_timeout(Duration::MAX).map(|permit| permit.forget()));
        semaphore.release_many(2).unwrap();
        assert!(waiting.join().unwrap().is_some() && endless.join().unwrap().is_some());
    });
    semaphore.release().unwrap();
    assert!(semaphore.acquire_timeout(Duration::ZERO).is_some());
}

/// Law 249.
#[test]
fn as_many_are_let_in_as_there_are_permits() {
    let semaphore = Semaphore::bounded(2).unwrap();
    let inside = AtomicU32::new(0);
    thread::scope(|scope| {
        let inside = &inside;
        let all = many(scope, THREADS, || {
            let semaphore = sent(&semaphore);
            for round in 0..5_000 {
                let permit = match round % 3 {
                    0 => semaphore.acquire(),
                    1 => semaphore.acquire_timeout(LONG).unwrap(),
                    _ => loop {
                        // Gives up time and again, also when it was woken.
                        if let Some(permit) = semaphore.acquire_timeout(Duration::from_micros(1)) {
                            break permit;
                        }
                    },
                };
                assert!(inside.fetch_add(1, Ordering::SeqCst) < 2);
                inside.fetch_sub(1, Ordering::SeqCst);
                drop(permit);
            }
        });
        joined(all);
    });
    assert_eq!(semaphore.available_permits(), 2);
}

/// Every permit that is released is had by somebody, however they come and go.
#[test]
fn what_is_released_is_had() {
    let semaphore = Semaphore::new(0).unwrap();
    let rounds = 20_000;
    thread::scope(|scope| {
        let takers = many(scope, THREADS, || (0..rounds).for_each(|_| semaphore.acquire().forget()));
        let givers = many(scope, THREADS / 2, || (0..rounds).for_each(|_| semaphore.release_many(2).unwrap()));
        joined(givers);
        joined(takers);
    });
    assert_eq!(semaphore.available_permits(), 0);
}

/// Law 250.
#[test]
fn one_that_notifies_wakes_one_and_many_wakes_as_many() {
    let (woken, condvar) = (Mutex::new(0_usize).unwrap(), Condvar::new().unwrap());
    let is_woken = |count| until("they are woken", || *woken.lock().unwrap() == count);
    thread::scope(|scope| {
        let waiters = many(scope, 10, || {
            let condvar = sent(&condvar);
            *condvar.wait(woken.lock().unwrap()).unwrap() += 1;
        });
        until("all wait", || condvar.waiting() == 10);
        let mut total = 0;
        for (count, notify) in [(1, 1), (3, 3), (0, 0), (1, 1)] {
            condvar.notify_many(notify);
            total += count;
            assert_eq!(condvar.waiting(), 10 - total);
            is_woken(total);
        }
        condvar.notify_one();
        is_woken(6);
        // Whoever was not notified waits on; nobody comes to it by chance.
        thread::sleep(3 * SHORT);
        assert_eq!((*woken.lock().unwrap(), condvar.waiting()), (6, 4));
        condvar.notify_all();
        joined(waiters);
    });
    assert_eq!((*woken.lock().unwrap(), condvar.waiting()), (10, 0));
}

/// Law 250.
#[test]
fn no_notification_is_left_over() {
    let (mutex, condvar) = (Mutex::new(()).unwrap(), Condvar::new().unwrap());
    let times_out = || {
        let (guard, notified) = lasting(SHORT, || condvar.wait_timeout(mutex.lock().unwrap(), SHORT).unwrap());
        drop(guard);
        !notified
    };
    condvar.notify_one();
    condvar.notify_many(7);
    condvar.notify_all();
    assert!(times_out());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| condvar.wait_timeout(mutex.lock().unwrap(), LONG).unwrap().1);
        until("it waits", || condvar.waiting() == 1);
        condvar.notify_many(7);
        assert!(waiting.join().unwrap());
    });
    assert!(times_out());
    assert_eq!(condvar.waiting(), 0);
}

/// Law 250.
#[test]
fn a_predicate_is_waited_for_with_one_limit_for_all() {
    let (state, condvar) = (Mutex::new(0_u32).unwrap(), Condvar::new().unwrap());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| *condvar.wait_while(state.lock().unwrap(), |state| *state < 4).unwrap());
        let limited = scope.spawn(|| {
            let waited = condvar.wait_timeout_while(state.lock().unwrap(), LONG, |state| *state < 3).unwrap();
            (*waited.0 >= 3, waited.1)
        });
        for _ in 0..4 {
            *state.lock().unwrap() += 1;
            condvar.notify_all();
        }
        assert_eq!((waiting.join().unwrap(), limited.join().unwrap()), (4, (true, true)));

        // Notified time and again, and in vain.
        let over = AtomicU32::new(0);
        thread::scope(|scope| {
            let notifying = scope.spawn(|| {
                while over.load(Ordering::SeqCst) == 0 {
                    condvar.notify_all();
                    thread::yield_now();
                }
            });
            let in_vain =
                || condvar.wait_timeout_while(state.lock().unwrap(), 3 * SHORT, |state| *state == 4).unwrap().1;
            let became_so = lasting(3 * SHORT, in_vain);
            over.store(1, Ordering::SeqCst);
            notifying.join().unwrap();
            assert!(!became_so);
        });
    });
    // What is so already is not waited for.
    assert!(condvar.wait_timeout_while(state.lock().unwrap(), Duration::ZERO, |_| false).unwrap().1);
    assert!(!condvar.wait_timeout_while(state.lock().unwrap(), Duration::ZERO, |_| true).unwrap().1);
}

#[test]
fn a_queue_of_notifications_loses_none() {
    let (items, more) = (Mutex::new(0_usize).unwrap(), Condvar::new().unwrap());
    let rounds = 5_000;
    thread::scope(|scope| {
        let takers = many(scope, THREADS, || {
            for _ in 0..rounds {
                *more.wait_while(items.lock().unwrap(), |items| *items == 0).unwrap() -= 1;
            }
        });
        let givers = many(scope, THREADS, || {
            for _ in 0..rounds {
                *items.lock().unwrap() += 1;
                more.notify_one();
            }
        });
        joined(givers);
        joined(takers);
    });
    assert_eq!((*items.lock().unwrap(), more.waiting()), (0, 0));
}

#[test]
fn more_may_wait_than_there_are_seats() {
    let (open, condvar) = (Mutex::new(0_u8).unwrap(), Condvar::new().unwrap());
    thread::scope(|scope| {
        let waiters = many(scope, WAITERS_MAX + 5, || {
            drop(condvar.wait_while(open.lock().unwrap(), |open| *open == 0).unwrap());
        });
        until("all seats are taken", || condvar.waiting() == WAITERS_MAX);
        *open.lock().unwrap() = 1;
        condvar.notify_all();
        joined(waiters);
    });
    assert_eq!(condvar.waiting(), 0);
}

#[test]
fn who_waits_is_told_of_a_panic_under_the_mutex() {
    let (mutex, condvar) = (Mutex::new(0_u8).unwrap(), Condvar::new().unwrap());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let died = condvar.wait(mutex.lock().unwrap()).unwrap_err();
            assert!(died.panicked());
            drop(died);
            let died = condvar.wait_timeout(mutex.lock().unwrap_err().into_inner(), SHORT).unwrap_err();
            assert!(died.panicked());
            let (guard, notified) = died.repair(|(value, _)| **value = 7);
            assert_eq!((*guard, notified), (7, false));
        });
        until("it waits", || condvar.waiting() == 1);
        let panicking = catch_unwind(AssertUnwindSafe(|| {
            let _held = mutex.lock().unwrap();
            panic!("while it has the mutex");
        }));
        assert!(panicking.is_err());
        condvar.notify_one();
        waiting.join().unwrap();
    });
    assert_eq!(*mutex.lock().unwrap(), 7);
}

/// Law 251.
#[test]
fn an_event_is_set_and_cleared() {
    let event = Event::new().unwrap();
    let same = sent(&event);
    assert!(!event.is_set() && !event.wait_timeout(Duration::ZERO));
    assert!(!lasting(SHORT, || event.wait_timeout(SHORT)));
    for _ in 0..2 {
        event.set();
        assert!(same.is_set() && same.wait_timeout(Duration::ZERO) && same.wait_timeout(LONG));
        same.wait();
    }
    for _ in 0..2 {
        same.clear();
        assert!(!event.is_set() && !event.wait_timeout(Duration::ZERO));
    }
}

/// Law 251.
#[test]
fn an_event_wakes_all_who_wait() {
    let event = Event::new().unwrap();
    let data = AtomicU32::new(0);
    for round in 1..=200 {
        thread::scope(|scope| {
            let waiters = many(scope, THREADS, || {
                let woken = event.wait_timeout(LONG);
                (woken, data.load(Ordering::Relaxed))
            });
            data.store(round, Ordering::Relaxed);
            event.set();
            assert!(joined(waiters).into_iter().all(|told| told == (true, round)));
        });
        event.clear();
    }
}

#[test]
fn who_waits_for_an_event_does_not_miss_it_when_it_is_cleared_at_once() {
    let event = Event::new().unwrap();
    let rounds = 2_000;
    let (waits, woken) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..rounds {
                waits.fetch_add(1, Ordering::SeqCst);
                event.wait();
                woken.fetch_add(1, Ordering::SeqCst);
            }
        });
        for round in 1..=rounds {
            until("it is about to wait", || waits.load(Ordering::SeqCst) >= round);
            // It may come later than that, and waits for the next then.
            until("it is woken", || {
                event.set();
                event.clear();
                woken.load(Ordering::SeqCst) >= round
            });
        }
    });
    assert_eq!(woken.into_inner(), rounds);
}

/// Law 252.
#[test]
fn a_barrier_keeps_all_in_step() {
    for parties in [1, 2, 5] {
        let barrier = Barrier::new(parties).unwrap();
        let (leaders, come) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let rounds = 1_000;
        thread::scope(|scope| {
            let all = many(scope, parties, || {
                let barrier = sent(&barrier);
                for round in 0..rounds {
                    assert!(come.fetch_add(1, Ordering::Relaxed) >= round * parties);
                    let told = if round % 2 == 0 { barrier.wait() } else { barrier.wait_timeout(LONG) };
                    leaders.fetch_add(usize::from(told.unwrap().is_leader()), Ordering::Relaxed);
                    // All have come, and none is two rounds ahead.
                    let now = come.load(Ordering::Relaxed);
                    assert!((round + 1) * parties <= now && now <= (round + 2) * parties, "{now} in round {round}");
                }
            });
            joined(all);
        });
        assert_eq!((leaders.into_inner(), barrier.waiting(), barrier.parties()), (rounds, 0, parties));
        assert!(!barrier.is_broken());
    }
}

/// Law 252.
#[test]
fn the_action_runs_once_a_round_before_anybody_goes_on() {
    let barrier = Barrier::new(THREADS).unwrap();
    let actions = AtomicUsize::new(0);
    thread::scope(|scope| {
        let all = many(scope, THREADS, || {
            for round in 0..300 {
                let act = || _ = actions.fetch_add(1, Ordering::Relaxed);
                barrier.wait_with(act).unwrap();
                let now = actions.load(Ordering::Relaxed);
                assert!(round < now && now <= round + 2);
            }
        });
        joined(all);
    });
    assert_eq!(actions.into_inner(), 300);
}

/// More threads than parties: whoever comes while a round is complete waits for the next.
#[test]
fn a_barrier_lets_as_many_through_as_it_is_for() {
    let barrier = Barrier::new(2).unwrap();
    let (leaders, arrivals) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        let all = many(scope, 6, || {
            while arrivals.fetch_add(1, Ordering::Relaxed) < 600 {
                let told = barrier.wait_with(thread::yield_now).unwrap();
                leaders.fetch_add(usize::from(told.is_leader()), Ordering::Relaxed);
            }
        });
        joined(all);
    });
    assert_eq!((leaders.into_inner(), barrier.waiting()), (300, 0));
}

/// Law 253.
#[test]
fn a_barrier_is_aborted_for_all_and_reset() {
    let barrier = Barrier::new(3).unwrap();
    thread::scope(|scope| {
        let waiters = many(scope, 2, || barrier.wait());
        until("they wait", || barrier.waiting() == 2);
        barrier.abort();
        assert_eq!(joined(waiters), [Err(BarrierError::Aborted); 2]);
    });
    assert!(barrier.is_broken() && sent(&barrier).is_broken());
    assert_eq!(barrier.wait(), Err(BarrierError::Aborted));
    assert_eq!(barrier.wait_timeout(Duration::ZERO), Err(BarrierError::Aborted));
    barrier.reset();
    assert!(!barrier.is_broken());
    let works = || {
        thread::scope(|scope| {
            let told = joined(many(scope, 3, || barrier.wait().unwrap().is_leader()));
            assert_eq!(told.iter().filter(|&&leader| leader).count(), 1);
        });
    };
    works();
    thread::scope(|scope| {
        let waiters = many(scope, 2, || barrier.wait());
        until("they wait", || barrier.waiting() == 2);
        barrier.reset();
        assert_eq!(joined(waiters), [Err(BarrierError::Reset); 2]);
    });
    assert!(!barrier.is_broken());
    works();
}

/// Law 253.
#[test]
fn a_late_party_breaks_the_barrier_for_all() {
    let barrier = Barrier::new(3).unwrap();
    assert_eq!(barrier.wait_timeout(Duration::ZERO), Err(BarrierError::Timeout));
    barrier.reset();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| barrier.wait());
        until("it waits", || barrier.waiting() == 1);
        assert_eq!(lasting(SHORT, || barrier.wait_timeout(SHORT)), Err(BarrierError::Timeout));
        assert_eq!(waiting.join().unwrap(), Err(BarrierError::LateParty));
    });
    assert_eq!(barrier.wait(), Err(BarrierError::LateParty));
    assert_eq!(barrier.waiting(), 0);
}

#[test]
fn an_action_that_panics_breaks_the_barrier() {
    let barrier = Barrier::new(2).unwrap();
    let act = |panics: bool| catch_unwind(AssertUnwindSafe(|| barrier.wait_with(|| assert!(!panics)))).ok();
    thread::scope(|scope| {
        let all = joined(many(scope, 2, || act(true)));
        assert!(
            all == [None, Some(Err(BarrierError::ActionPanicked))]
                || all == [Some(Err(BarrierError::ActionPanicked)), None]
        );
    });
    assert_eq!(barrier.wait(), Err(BarrierError::ActionPanicked));
    // One that was broken or reset meanwhile is no success, and breaks nothing.
    for panics in [false, true] {
        barrier.reset();
        let reset = || {
            barrier.reset();
            assert!(!panics, "after a reset");
        };
        thread::scope(|scope| {
            let come = || catch_unwind(AssertUnwindSafe(|| barrier.wait_with(reset))).ok();
            let all = joined(many(scope, 2, come));
            assert!(all.contains(&Some(Err(BarrierError::Reset))));
            assert_eq!(all.contains(&None), panics);
        });
        assert!(!barrier.is_broken());
    }
}

#[test]
fn a_barrier_is_for_some_parties() {
    for parties in [0, PARTIES_MAX + 1, usize::MAX] {
        let said = Barrier::new(parties).unwrap_err().to_string();
        assert!(said.starts_with("a barrier is for 1 to 1024 parties"), "{said}");
    }
    assert_eq!(sent(&Barrier::new(PARTIES_MAX).unwrap()).parties(), PARTIES_MAX);
}

#[test]
fn the_debug_texts_tell_the_state() {
    let semaphore = Semaphore::new(3).unwrap();
    assert_eq!(format!("{semaphore:?}"), "Semaphore { available_permits: 3, .. }");
    let bounded = Semaphore::bounded(3).unwrap();
    let permit = bounded.acquire();
    assert_eq!(format!("{bounded:?}"), "Semaphore { available_permits: 2, bound: 3, .. }");
    assert!(format!("{permit:?}").starts_with("SemaphorePermit { semaphore: Semaphore"));
    let event = Event::new().unwrap();
    assert_eq!(format!("{event:?}"), "Event { is_set: false, .. }");
    assert_eq!(format!("{:?}", Condvar::new().unwrap()), "Condvar { waiting: 0, .. }");
    let barrier = Barrier::new(2).unwrap();
    assert_eq!(format!("{barrier:?}"), "Barrier { parties: 2, waiting: 0, broken: None, .. }");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| barrier.wait());
        until("it waits", || format!("{barrier:?}").contains("waiting: 1"));
        barrier.abort();
        waiting.join().unwrap().unwrap_err();
    });
    assert_eq!(format!("{barrier:?}"), "Barrier { parties: 2, waiting: 0, broken: Some(Aborted), .. }");
}

#[test]
fn a_handle_of_another_kind_is_refused() {
    fn refusal<T: DeserializeOwned>(object: &impl Serialize) -> String {
        let (bytes, attachments) = collect(|| serde_json::to_string(object).unwrap());
        supply(attachments, || serde_json::from_str::<T>(&bytes).map(drop).unwrap_err().to_string())
    }
    let semaphore = Semaphore::new(1).unwrap();
    assert_eq!(refusal::<Event>(&semaphore), "this Event cannot be taken in: it was sent as Semaphore");
    assert_eq!(refusal::<Barrier>(&Condvar::new().unwrap()), "this Barrier cannot be taken in: it was sent as Condvar");
    let said = serde_json::to_string(&semaphore).unwrap_err().to_string();
    assert!(said.starts_with("this Semaphore cannot be written into bytes: send it as a job argument"), "{said}");
}

#[test]
fn handles_go_to_other_threads() {
    fn goes<T: Send + Sync + Clone + UnwindSafe + RefUnwindSafe>() {}
    goes::<Semaphore>();
    goes::<Condvar>();
    goes::<Event>();
    goes::<Barrier>();
    fn is_shared<T: Send + Sync>() {}
    is_shared::<executor_ipc::sync::SemaphorePermit<'_>>();
}
