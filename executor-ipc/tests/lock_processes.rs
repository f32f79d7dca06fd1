//! Locks between processes: who has them, and what is left when somebody dies.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests")]

mod peer;

use std::hint::black_box;
use std::thread;
use std::time::Duration;

use bytemuck::{Pod, Zeroable};
use executor_ipc::sync::{LockTimeoutError, Mutex, ReentrantMutex, RwLock, TryLockError};
use peer::{Asker, Peer, Random, is_long, run, serve, until};
use serde::{Deserialize, Serialize};

fn main() {
    if serve(answer) {
        return;
    }
    run(&[
        ("one_process_at_a_time_has_it", one_process_at_a_time_has_it),
        ("what_another_process_has_is_not_had", what_another_process_has_is_not_had),
        ("the_debug_text_names_the_other_process", the_debug_text_names_the_other_process),
        ("a_holder_that_is_killed_is_told_of", a_holder_that_is_killed_is_told_of),
        ("who_waits_for_the_dead_gets_it_at_once", who_waits_for_the_dead_gets_it_at_once),
        ("a_reader_that_is_killed_harms_nobody", a_reader_that_is_killed_harms_nobody),
        ("a_writer_that_dies_waiting_harms_nobody", a_writer_that_dies_waiting_harms_nobody),
        ("a_lock_survives_storms_of_kills", a_lock_survives_storms_of_kills),
        ("a_reentrant_lock_survives_storms_of_kills", a_reentrant_lock_survives_storms_of_kills),
        ("a_rw_lock_survives_storms_of_kills", a_rw_lock_survives_storms_of_kills),
    ]);
}

/// What all processes count in.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
struct Tally {
    /// Equal to `ended`, but for whoever has the lock, and for what a dead one left.
    begun: u64,
    /// By each process.
    done: [u64; 2],
    ended: u64,
    /// How often somebody was told of a death, and how often the value was torn then.
    repairs: u64,
    torn: u64,
    /// How often it was torn, and nobody was told.
    untold: u64,
}

impl Tally {
    /// One more by this process, in steps between which it may be killed.
    fn step(&mut self, place: usize) {
        self.untold += u64::from(self.begun != self.ended);
        *black_box(&mut self.begun) += 1;
        (0..black_box(20)).for_each(|turn| _ = black_box(turn));
        *black_box(&mut self.done[place]) += 1;
        (0..black_box(20)).for_each(|turn| _ = black_box(turn));
        *black_box(&mut self.ended) += 1;
    }

    fn repair(&mut self) {
        self.repairs += 1;
        self.torn += u64::from(self.begun != self.ended);
        self.ended = self.begun;
    }

    fn check(&self, kills: u64) {
        let done: u64 = self.done.iter().sum();
        assert_eq!((self.begun, self.untold), (self.ended, 0), "{self:?}");
        // Each torn step counts as begun, and may not have been done.
        assert!(done <= self.ended && self.ended <= done + self.torn, "{self:?}");
        assert!(self.torn <= self.repairs && self.repairs <= kills, "{self:?}");
        println!(
            "  {kills} kills, {} while it was held, {} of them in the middle of {done} steps",
            self.repairs, self.torn
        );
        assert!(done > kills && self.repairs > 0, "{self:?}");
    }
}

/// A lock of each kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Lock {
    Mutex(Mutex<Tally>),
    Reentrant(ReentrantMutex<Tally>),
    RwLock(RwLock<Tally>),
}

impl Lock {
    fn all() -> [Lock; 3] {
        let tally = Tally::zeroed();
        [
            Lock::Mutex(Mutex::new(tally).unwrap()),
            Lock::Reentrant(ReentrantMutex::new(tally).unwrap()),
            Lock::RwLock(RwLock::new(tally).unwrap()),
        ]
    }

    /// Calls `change` under the lock, after a repair if somebody died.
    fn with<R>(&self, change: impl FnOnce(&mut Tally) -> R) -> R {
        match self {
            Lock::Mutex(mutex) => change(&mut mutex.lock().unwrap_or_else(|died| died.repair(|tally| tally.repair()))),
            Lock::Reentrant(mutex) => {
                let outer = mutex.lock().unwrap_or_else(|died| {
                    died.repair(|tally| {
                        let mut repaired = tally.get();
                        repaired.repair();
                        tally.set(repaired);
                    })
                });
                let inner = mutex.lock().unwrap();
                let mut tally = inner.get();
                let result = change(&mut tally);
                outer.set(tally);
                result
            }
            Lock::RwLock(lock) => change(&mut lock.write().unwrap_or_else(|died| died.repair(|tally| tally.repair()))),
        }
    }

    /// True if it was had, and nobody had died.
    fn try_it(&self) -> bool {
        match self {
            Lock::Mutex(mutex) => mutex.try_lock().is_ok(),
            Lock::Reentrant(mutex) => mutex.try_lock().is_ok(),
            Lock::RwLock(lock) => lock.try_write().is_ok(),
        }
    }

    /// True if somebody had it all the while.
    fn times_out(&self, timeout: Duration) -> bool {
        match self {
            Lock::Mutex(mutex) => matches!(mutex.lock_timeout(timeout), Err(LockTimeoutError::Timeout)),
            Lock::Reentrant(mutex) => matches!(mutex.lock_timeout(timeout), Err(LockTimeoutError::Timeout)),
            Lock::RwLock(lock) => matches!(lock.write_timeout(timeout), Err(LockTimeoutError::Timeout)),
        }
    }

    fn is_left_by_the_dead(&self) -> bool {
        match self {
            Lock::Mutex(mutex) => matches!(mutex.try_lock(), Err(TryLockError::OwnerDied(died)) if !died.panicked()),
            Lock::Reentrant(mutex) => {
                matches!(mutex.try_lock(), Err(TryLockError::OwnerDied(died)) if !died.panicked())
            }
            Lock::RwLock(lock) => {
                matches!(lock.try_read(), Err(TryLockError::OwnerDied(died)) if !died.panicked())
                    && matches!(lock.try_write(), Err(TryLockError::OwnerDied(died)) if !died.panicked())
            }
        }
    }
}

/// What a process is asked.
#[derive(Debug, Serialize, Deserialize)]
enum Request {
    /// To add so many steps, as the process of this place.
    Add(Lock, usize, u64),
    /// To have the lock until it is told to go on.
    Hold(Lock),
    /// To have it for reading until it is told to go on.
    Read(RwLock<Tally>),
    GoOn,
    /// To add steps, and to read between them, until it is killed.
    Storm(Lock, usize),
}

fn answer(asker: &Asker, request: Request) {
    match request {
        Request::Add(lock, place, steps) => {
            (0..steps).for_each(|_| lock.with(|tally| tally.step(place)));
            asker.tell(&true);
        }
        Request::Hold(lock) => {
            lock.with(|_| hold(asker));
            asker.tell(&true);
        }
        Request::Read(lock) => {
            let guard = lock.read().unwrap();
            hold(asker);
            drop(guard);
            asker.tell(&true);
        }
        Request::GoOn => unreachable!("nothing is held"),
        Request::Storm(lock, place) => {
            asker.tell(&true);
            loop {
                lock.with(|tally| tally.step(place));
                if let Lock::RwLock(lock) = &lock
                    && let Ok(tally) = lock.read()
                {
                    assert_eq!(tally.begun, tally.ended);
                }
            }
        }
    }
}

/// Says that something is held, and waits for leave to go on.
fn hold(asker: &Asker) {
    asker.tell(&true);
    assert!(matches!(asker.hear(), Some(Request::GoOn)));
}

type Process = Peer<Request>;

/// Law 246, 247.
fn one_process_at_a_time_has_it() {
    for lock in Lock::all() {
        let peers = [Process::start(), Process::start()];
        let steps = 3_000;
        for (place, peer) in peers.iter().enumerate() {
            peer.tell(&Request::Add(lock.clone(), place, steps));
        }
        for peer in peers {
            assert!(peer.hear::<bool>());
            peer.end();
        }
        let tally = lock.with(|tally| *tally);
        assert_eq!(tally, Tally { begun: 2 * steps, done: [steps; 2], ended: 2 * steps, ..Tally::zeroed() });
    }
}

/// Law 246, 247.
fn what_another_process_has_is_not_had() {
    for lock in Lock::all() {
        let peer = Process::start();
        assert!(peer.ask::<bool>(&Request::Hold(lock.clone())));
        assert!(!lock.try_it());
        assert!(lock.times_out(Duration::ZERO) && lock.times_out(Duration::from_millis(5)));
        assert!(peer.ask::<bool>(&Request::GoOn));
        assert!(lock.try_it());
        peer.end();
    }
}

/// Law 248.
fn the_debug_text_names_the_other_process() {
    for lock in Lock::all() {
        let peer = Process::start();
        assert!(peer.ask::<bool>(&Request::Hold(lock.clone())));
        let named = format!("thread {} \"lock_processes-", peer.id());
        let text = format!("{lock:?}");
        assert!(text.contains(&named) && text.contains(&format!("of process {}", peer.id())), "{text}");
        peer.kill();
        assert!(!format!("{lock:?}").contains("thread"));
    }
}

fn a_holder_that_is_killed_is_told_of() {
    for lock in Lock::all() {
        let peer = Process::start();
        assert!(peer.ask::<bool>(&Request::Hold(lock.clone())));
        peer.kill();
        // Until somebody repairs it, and not only once.
        assert!(lock.is_left_by_the_dead() && lock.is_left_by_the_dead());
        let other = Process::start();
        assert!(other.ask::<bool>(&Request::Add(lock.clone(), 1, 5)));
        other.end();
        let tally = lock.with(|tally| *tally);
        assert_eq!((tally.done, tally.repairs, tally.torn), ([0, 5], 1, 0));
        assert!(!lock.is_left_by_the_dead() && lock.try_it());
    }
}

fn who_waits_for_the_dead_gets_it_at_once() {
    for lock in Lock::all() {
        let (holder, waiter) = (Process::start(), Process::start());
        assert!(holder.ask::<bool>(&Request::Hold(lock.clone())));
        waiter.tell(&Request::Add(lock.clone(), 0, 1));
        let (over, is_over) = std::sync::mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| over.send(lock.with(|tally| *tally)).unwrap());
            // They sleep, or are on their way to it.
            assert!(is_over.recv_timeout(Duration::from_millis(10)).is_err());
            holder.kill();
            is_over.recv().unwrap();
        });
        assert!(waiter.hear::<bool>());
        waiter.end();
        let tally = lock.with(|tally| *tally);
        assert_eq!((tally.done, tally.repairs), ([1, 0], 1));
    }
}

fn a_reader_that_is_killed_harms_nobody() {
    let lock = RwLock::new(Tally::zeroed()).unwrap();
    let peers = [(); 5].map(|()| Process::start());
    for peer in &peers {
        assert!(peer.ask::<bool>(&Request::Read(lock.clone())));
    }
    let read = lock.read().unwrap();
    assert!(lock.try_write().is_err());
    peers.into_iter().for_each(Process::kill);
    assert!(lock.try_write().is_err());
    drop(read);
    lock.try_write().unwrap().step(0);
}

fn a_writer_that_dies_waiting_harms_nobody() {
    let lock = RwLock::new(Tally::zeroed()).unwrap();
    let (reader, writer) = (Process::start(), Process::start());
    assert!(reader.ask::<bool>(&Request::Read(lock.clone())));
    writer.tell(&Request::Hold(Lock::RwLock(lock.clone())));
    until("the writer waits", || lock.try_read().is_err());
    writer.kill();
    drop(lock.try_read().unwrap());
    assert!(reader.ask::<bool>(&Request::GoOn));
    reader.end();
    lock.try_write().unwrap().step(0);
}

/// Two processes add steps, and one after the other is killed at some instant.
fn storm(lock: &Lock) {
    let kills = if is_long() { 10_000 } else { 100 };
    let mut random = Random::new(lock_name(lock));
    let start = |place| {
        let peer = Process::start();
        assert!(peer.ask::<bool>(&Request::Storm(lock.clone(), place)));
        peer
    };
    let mut peers = [0, 1].map(start);
    for kill in 0..kills {
        thread::sleep(Duration::from_micros(random.below(300)));
        let place = kill % 2;
        std::mem::replace(&mut peers[place], start(place)).kill();
    }
    peers.into_iter().for_each(Process::kill);
    let tally = lock.with(|tally| *tally);
    tally.check(kills as u64 + 2);
    assert!(lock.try_it());
}

fn lock_name(lock: &Lock) -> &'static str {
    match lock {
        Lock::Mutex(_) => "Mutex",
        Lock::Reentrant(_) => "ReentrantMutex",
        Lock::RwLock(_) => "RwLock",
    }
}

fn a_lock_survives_storms_of_kills() {
    storm(&Lock::all()[0]);
}

fn a_reentrant_lock_survives_storms_of_kills() {
    storm(&Lock::all()[1]);
}

fn a_rw_lock_survives_storms_of_kills() {
    storm(&Lock::all()[2]);
}
