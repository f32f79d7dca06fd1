//! Semaphores, condition variables, events and barriers between processes, and what is left when somebody dies.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests")]

#[path = "../peer/mod.rs"]
mod peer;

mod deaths;
mod laws;
mod storms;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use executor_ipc::SharedValue;
use executor_ipc::sync::{Barrier, BarrierError, Condvar, Event, Mutex, Semaphore};
use peer::{Asker, Peer, run, serve};
use serde::{Deserialize, Serialize};

/// Longer than any test takes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) const SHORT: Duration = Duration::from_millis(20);

fn main() {
    if serve(answer) {
        return;
    }
    run(&[laws::TESTS, deaths::TESTS, storms::TESTS].concat());
}

/// Atomics that all processes count in.
type Counters = SharedValue<[AtomicU64; 4]>;

pub(crate) fn counters() -> Counters {
    SharedValue::new([const { AtomicU64::new(0) }; 4]).unwrap()
}

pub(crate) fn count(counters: &Counters, place: usize) -> u64 {
    counters[place].load(Ordering::SeqCst)
}

/// What a process is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
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

pub(crate) type Process = Peer<Request>;

pub(crate) fn start(request: Request) -> Process {
    let peer = Process::start();
    peer.tell(&request);
    peer
}

/// One that has told that it has begun.
pub(crate) fn begun(request: Request) -> Process {
    let peer = start(request);
    peer.hear::<bool>();
    peer
}
