//! Semaphores, condition variables, events and barriers between processes, and what is left when somebody dies.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "these are tests")]

mod peer;

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use executor_ipc::SharedValue;
use executor_ipc::sync::{Barrier, BarrierError, Condvar, Event, Mutex, Semaphore};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use peer::{Asker, Peer, Random, is_long, run, serve, until};
use serde::{Deserialize, Serialize};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

fn main() {
    if serve(answer) {
        return;
    }
    run(&[
        ("as_many_processes_are_let_in_as_there_are_permits", as_many_processes_are_let_in_as_there_are_permits),
        ("a_release_elsewhere_wakes", a_release_elsewhere_wakes),
        ("a_notification_wakes_as_many_processes", a_notification_wakes_as_many_processes),
        ("an_event_that_is_set_elsewhere_wakes", an_event_that_is_set_elsewhere_wakes),
        ("a_barrier_keeps_processes_in_step", a_barrier_keeps_processes_in_step),
        ("a_barrier_breaks_for_all_processes", a_barrier_breaks_for_all_processes),
        ("waiters_that_are_killed_are_not_counted", waiters_that_are_killed_are_not_counted),
        ("a_notification_of_the_dead_goes_to_another", a_notification_of_the_dead_goes_to_another),
        ("a_party_that_is_killed_breaks_the_barrier", a_party_that_is_killed_breaks_the_barrier),
        ("a_permit_of_the_dead_is_released_by_hand", a_permit_of_the_dead_is_released_by_hand),
        ("a_semaphore_survives_storms_of_kills", a_semaphore_survives_storms_of_kills),
        ("a_condvar_survives_storms_of_kills", a_condvar_survives_storms_of_kills),
        ("an_event_survives_storms_of_kills", an_event_survives_storms_of_kills),
        ("a_barrier_survives_storms_of_kills", a_barrier_survives_storms_of_kills),
    ]);
}

/// Atomics that all processes count in.
type Counters = SharedValue<[AtomicU64; 4]>;

fn counters() -> Counters {
    SharedValue::new([const { AtomicU64::new(0) }; 4]).unwrap()
}

fn count(counters: &Counters, place: usize) -> u64 {
    counters[place].load(Ordering::SeqCst)
}

/// What a process is asked.
#[derive(Debug, Serialize, Deserialize)]
enum Request {
    /// To enter so many times, and to count who is inside, and who was too many there.
    Enter(Semaphore, Counters, u64),
    /// To take a permit, and to have it for ever.
    Keep(Semaphore),
    /// To wait for a permit.
    Acquire(Semaphore),
    /// To release one.
    Release(Semaphore),
    /// To wait until it is notified.
    Wait(Mutex<u64>, Condvar),
    Notify(Condvar, usize),
    AwaitEvent(Event),
    Set(Event),
    /// To come so many times, and to tell how often it led.
    Come(Barrier, Counters, u64),
    /// To come once, and to tell what came of it.
    ComeOnce(Barrier),
    Abort(Barrier),
    /// To go on until it is killed.
    StormSemaphore(Semaphore, Counters),
    StormCondvar(Mutex<u64>, Condvar, Counters),
    StormEvent(Event, Event, Counters),
    StormBarrier(Barrier, Counters),
}

fn answer(asker: &Asker, request: Request) {
    match request {
        Request::Enter(semaphore, counters, times) => {
            for _ in 0..times {
                let _permit = semaphore.acquire();
                let inside = counters[0].fetch_add(1, Ordering::SeqCst) + 1;
                counters[1].fetch_max(inside, Ordering::SeqCst);
                counters[0].fetch_sub(1, Ordering::SeqCst);
            }
            asker.tell(&true);
        }
        Request::Keep(semaphore) => {
            semaphore.acquire().forget();
            asker.tell(&true);
        }
        Request::Acquire(semaphore) => {
            asker.tell(&true);
            semaphore.acquire().forget();
            asker.tell(&true);
        }
        Request::Release(semaphore) => asker.tell(&semaphore.release().is_ok()),
        Request::Wait(mutex, condvar) => {
            let mut guard = condvar.wait(mutex.lock().unwrap()).unwrap();
            *guard += 1;
            drop(guard);
            asker.tell(&true);
        }
        Request::Notify(condvar, count) => {
            condvar.notify_many(count);
            asker.tell(&true);
        }
        Request::AwaitEvent(event) => {
            asker.tell(&event.is_set());
            event.wait();
            asker.tell(&event.is_set());
        }
        Request::Set(event) => {
            event.set();
            asker.tell(&true);
        }
        Request::Come(barrier, counters, rounds) => {
            let mut led = 0_u64;
            for _ in 0..rounds {
                counters[0].fetch_add(1, Ordering::SeqCst);
                led += u64::from(barrier.wait().unwrap().is_leader());
                let come = counters[0].load(Ordering::SeqCst);
                counters[1].fetch_max(u64::from(come < counters[2].load(Ordering::SeqCst)), Ordering::SeqCst);
            }
            asker.tell(&led);
        }
        Request::ComeOnce(barrier) => {
            let came = barrier.wait();
            asker.tell(&came.map_or_else(|error| error.to_string(), |_| String::new()));
        }
        Request::Abort(barrier) => {
            barrier.abort();
            asker.tell(&true);
        }
        Request::StormSemaphore(semaphore, counters) => {
            asker.tell(&true);
            loop {
                for _ in 0..500 {
                    let permit = semaphore.acquire();
                    counters[0].fetch_add(1, Ordering::SeqCst);
                    drop(permit);
                }
                // Others want to be run too.
                thread::sleep(Duration::from_micros(50));
            }
        }
        Request::StormCondvar(mutex, condvar, counters) => {
            asker.tell(&true);
            loop {
                let guard = mutex.lock().unwrap_or_else(|died| died.repair(|_| ()));
                let waited = condvar.wait_while(guard, |items| *items == 0);
                let mut guard = waited.unwrap_or_else(|died| died.repair(|_| ()));
                // After a death it may have come back before there was anything.
                if *guard > 0 {
                    *guard -= 1;
                    counters[0].fetch_add(1, Ordering::SeqCst);
                }
            }
        }
        Request::StormEvent(ping, pong, counters) => {
            asker.tell(&true);
            loop {
                ping.wait();
                ping.clear();
                counters[0].fetch_add(1, Ordering::SeqCst);
                pong.set();
            }
        }
        Request::StormBarrier(barrier, counters) => {
            asker.tell(&true);
            loop {
                match barrier.wait() {
                    Ok(_) => _ = counters[0].fetch_add(1, Ordering::SeqCst),
                    Err(BarrierError::Reset) => (),
                    // Somebody else resets it.
                    Err(_) => thread::yield_now(),
                }
            }
        }
    }
}

type Process = Peer<Request>;

fn start(request: Request) -> Process {
    let peer = Process::start();
    peer.tell(&request);
    peer
}

/// One that has told that it has begun.
fn begun(request: Request) -> Process {
    let peer = start(request);
    peer.hear::<bool>();
    peer
}

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

fn waiters_that_are_killed_are_not_counted() {
    let (woken, condvar) = (Mutex::new(0_u64).unwrap(), Condvar::new().unwrap());
    let [one, other, third] = [(); 3].map(|()| start(Request::Wait(woken.clone(), condvar.clone())));
    until("all wait", || condvar.waiting() == 3);
    one.kill();
    assert_eq!(condvar.waiting(), 2);
    // The dead take none.
    condvar.notify_many(2);
    for waiter in [other, third] {
        assert!(waiter.hear::<bool>());
        waiter.end();
    }
    assert_eq!((*woken.lock().unwrap(), condvar.waiting()), (2, 0));

    let semaphore = Semaphore::new(0).unwrap();
    let (one, other) = (begun(Request::Acquire(semaphore.clone())), begun(Request::Acquire(semaphore.clone())));
    assert!(semaphore.acquire_timeout(SHORT).is_none());
    one.kill();
    semaphore.release().unwrap();
    assert!(other.hear::<bool>());
    other.end();
    assert_eq!(semaphore.available_permits(), 0);
}

/// Whichever of two is notified, and killed before it can act on it.
fn a_notification_of_the_dead_goes_to_another() {
    let (woken, condvar) = (Mutex::new(0_u64).unwrap(), Condvar::new().unwrap());
    let mut was_notified = [false; 2];
    for round in 0..8 {
        let waiters = [1, 2].map(|count| {
            let waiter = start(Request::Wait(woken.clone(), condvar.clone()));
            until("it waits", || condvar.waiting() == count);
            waiter
        });
        waiters.iter().for_each(|waiter| signal(waiter, Signal::SIGSTOP));
        condvar.notify_one();
        assert_eq!(condvar.waiting(), 1);
        let [one, other] = waiters;
        // They are notified in turn.
        let (killed, left) = if round % 4 < 2 { (one, other) } else { (other, one) };
        killed.kill();
        was_notified[usize::from(condvar.waiting() == 1)] = true;
        signal(&left, Signal::SIGCONT);
        assert!(left.hear::<bool>());
        left.end();
        assert_eq!((*woken.lock().unwrap(), condvar.waiting()), (round + 1, 0));
    }
    // The killed one was it in some of these rounds, and in others not.
    assert_eq!(was_notified, [true; 2]);
}

fn signal(process: &Process, signal: Signal) {
    kill(Pid::from_raw(process.id().cast_signed()), signal).unwrap();
}

fn a_party_that_is_killed_breaks_the_barrier() {
    let barrier = Barrier::new(3).unwrap();
    let (one, other) = (start(Request::ComeOnce(barrier.clone())), start(Request::ComeOnce(barrier.clone())));
    until("they wait", || barrier.waiting() == 2);
    one.kill();
    assert_eq!(barrier.waiting(), 1);
    // Without anybody who comes.
    assert!(other.hear::<String>().contains("a party died while it waited"));
    assert_eq!(barrier.wait(), Err(BarrierError::PartyDied));
    other.end();
    barrier.reset();
    let one = start(Request::ComeOnce(barrier.clone()));
    until("it waits", || barrier.waiting() == 1);
    one.kill();
    // Or by who comes.
    assert_eq!(barrier.wait(), Err(BarrierError::PartyDied));
    barrier.reset();
    assert!(!barrier.is_broken() && barrier.waiting() == 0);
}

fn a_permit_of_the_dead_is_released_by_hand() {
    let semaphore = Semaphore::bounded(1).unwrap();
    let holder = begun(Request::Keep(semaphore.clone()));
    let waiting = begun(Request::Acquire(semaphore.clone()));
    holder.kill();
    assert!(semaphore.acquire_timeout(SHORT).is_none());
    semaphore.release().unwrap();
    assert!(waiting.hear::<bool>());
    waiting.end();
    assert_eq!(semaphore.available_permits(), 0);
}

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
