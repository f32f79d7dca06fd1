//! Deaths at every instant.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use executor_ipc::sync::{Barrier, BarrierError, Condvar, Event, Mutex, Semaphore};

use crate::peer::{Random, is_long, until};
use crate::{LONG, Process, Request, SHORT, begun, count, counters, start};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("a_semaphore_survives_storms_of_kills", a_semaphore_survives_storms_of_kills),
    ("a_condvar_survives_storms_of_kills", a_condvar_survives_storms_of_kills),
    ("an_event_survives_storms_of_kills", an_event_survives_storms_of_kills),
    ("a_barrier_survives_storms_of_kills", a_barrier_survives_storms_of_kills),
];

fn kills() -> u64 {
    if is_long() { 10_000 } else { 100 }
}

/// Two processes at work, of which one after the other is killed at some instant and replaced. Another thread calls `meanwhile` all the
/// while; `see_to` is called after each kill, and at the end, before the last two are killed.
fn storm(
    name: &'static str,
    request: impl Fn() -> Request,
    mut meanwhile: impl FnMut() + Send,
    mut see_to: impl FnMut(),
) {
    let mut random = Random::new(name);
    let mut peers = [begun(request()), begun(request())];
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                meanwhile();
            }
        });
        for kill in 0..kills() {
            thread::sleep(Duration::from_micros(random.below(300)));
            mem::replace(&mut peers[(kill % 2) as usize], begun(request())).kill();
            see_to();
        }
        over.store(true, Ordering::SeqCst);
    });
    see_to();
    peers.into_iter().for_each(Process::kill);
}

/// At most one permit goes with each of the dead.
fn a_semaphore_survives_storms_of_kills() {
    let (semaphore, counters) = (Semaphore::bounded(1).unwrap(), counters());
    let mut lost = 0;
    storm(
        "Semaphore",
        || Request::StormSemaphore(semaphore.clone(), counters.clone()),
        || drop(semaphore.acquire_timeout(SHORT)),
        || {
            // If nobody is let in any more, the permit is gone with the one who was killed.
            let before = count(&counters, 0);
            let began = Instant::now();
            while count(&counters, 0) == before {
                if began.elapsed() > SHORT && semaphore.available_permits() == 0 {
                    match semaphore.acquire_timeout(3 * SHORT) {
                        Some(permit) => drop(permit),
                        None if count(&counters, 0) == before => {
                            lost += 1;
                            semaphore.release().unwrap();
                        }
                        None => {}
                    }
                }
                assert!(began.elapsed() < LONG, "stuck: {semaphore:?}");
                thread::yield_now();
            }
        },
    );
    // The last two may have died with it.
    let left = semaphore.available_permits();
    println!("  {} kills, {lost} with the permit, {} permits had", kills() + 2, count(&counters, 0));
    if left == 0 {
        semaphore.release().unwrap();
    }
    let permit = semaphore.acquire_timeout(Duration::ZERO).unwrap();
    assert!(semaphore.try_acquire().is_none());
    drop(permit);
    semaphore.release().unwrap_err();
}

fn a_condvar_survives_storms_of_kills() {
    let (items, condvar, counters) = (Mutex::new(0_u64).unwrap(), Condvar::new().unwrap(), counters());
    let (put, deaths) = (AtomicU64::new(0), AtomicU64::new(0));
    let lock = || {
        items.lock().unwrap_or_else(|died| {
            deaths.fetch_add(1, Ordering::SeqCst);
            died.repair(|_| ())
        })
    };
    storm(
        "Condvar",
        || Request::StormCondvar(items.clone(), condvar.clone(), counters.clone()),
        || {
            *lock() += 1;
            put.fetch_add(1, Ordering::SeqCst);
            condvar.notify_one();
            thread::yield_now();
        },
        // Whoever lives takes what there is: no notification is gone with the dead.
        || until("some are taken", || *lock() < 100),
    );
    assert_eq!(condvar.waiting(), 0);
    let (put, left, taken) = (put.into_inner(), *lock(), count(&counters, 0));
    println!("  {} kills, {put} put, {taken} taken, {left} left, {deaths:?} deaths noticed here", kills() + 2);
    // Who died while it had the mutex may have taken one and not counted it.
    assert!(taken + left <= put && put <= taken + left + kills() + 2);
    // It works on.
    let waiting = start(Request::Wait(items.clone(), condvar.clone()));
    until("it waits", || condvar.waiting() == 1);
    condvar.notify_one();
    assert!(waiting.hear::<bool>());
    waiting.end();
}

fn an_event_survives_storms_of_kills() {
    let (ping, pong, counters) = (Event::new().unwrap(), Event::new().unwrap(), counters());
    let (answers, in_vain) = (AtomicU64::new(0), AtomicU64::new(0));
    storm(
        "Event",
        || Request::StormEvent(ping.clone(), pong.clone(), counters.clone()),
        || {
            pong.clear();
            ping.set();
            // Who was killed after it cleared one flag and before it set the other answers no more; those who live do.
            while !pong.wait_timeout(3 * SHORT) {
                in_vain.fetch_add(1, Ordering::SeqCst);
                ping.set();
            }
            answers.fetch_add(1, Ordering::SeqCst);
        },
        || {
            let before = count(&counters, 0);
            until("there are more answers", || {
                ping.set();
                count(&counters, 0) > before
            });
        },
    );
    let counted = count(&counters, 0);
    println!("  {} kills, {in_vain:?} asked again, {counted} answers", kills() + 2);
    assert!(answers.into_inner() <= counted);
    let waiting = start(Request::AwaitEvent(pong.clone()));
    waiting.hear::<bool>();
    pong.set();
    assert!(waiting.hear::<bool>());
    waiting.end();
}

/// Each of the dead breaks one round at most, and the barrier works after a reset.
fn a_barrier_survives_storms_of_kills() {
    let (barrier, counters) = (Barrier::new(3).unwrap(), counters());
    let (mut broken, mut passed) = (0_u64, 0_u64);
    storm(
        "Barrier",
        || Request::StormBarrier(barrier.clone(), counters.clone()),
        || thread::sleep(SHORT),
        || {
            let began = Instant::now();
            let mut rounds = 0;
            while rounds < 10 {
                match barrier.wait_timeout(LONG) {
                    Ok(_) => rounds += 1,
                    Err(BarrierError::PartyDied) => {
                        broken += 1;
                        barrier.reset();
                    }
                    Err(error) => panic!("{error}: {barrier:?}"),
                }
                assert!(began.elapsed() < LONG);
            }
            passed += rounds;
        },
    );
    println!("  {} kills, {broken} rounds broken, {passed} rounds passed", kills() + 2);
    assert!(broken > 0 && broken <= kills());
    assert_eq!(barrier.waiting(), 0);
    barrier.reset();
    assert_eq!(barrier.wait_timeout(Duration::ZERO), Err(BarrierError::Timeout));
}
