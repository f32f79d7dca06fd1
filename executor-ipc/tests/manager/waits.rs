//! What is waited for: items and room in queues, locks, conditions, events, barriers.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use executor_ipc::manager::{ManagerError, Queue};

use crate::child::Host;
use crate::{Test, eventually, short};

pub(crate) const TESTS: &[Test] = &[
    ("a_queue_is_bounded_and_ordered", a_queue_is_bounded_and_ordered),
    ("a_queue_is_joined", a_queue_is_joined),
    ("a_queue_is_closed", a_queue_is_closed),
    ("a_call_that_waits_is_in_nobodys_way", a_call_that_waits_is_in_nobodys_way),
    ("waits_end_in_time", waits_end_in_time),
    ("a_condition_wakes_as_many_as_it_says", a_condition_wakes_as_many_as_it_says),
    ("an_event_wakes_all_who_wait", an_event_wakes_all_who_wait),
    ("a_barrier_goes_round", a_barrier_goes_round),
];

/// Laws 237 and 238.
fn a_queue_is_bounded_and_ordered(host: Host) {
    let hosted = host.start();
    let queue: Queue<u32> = hosted.manager.bounded_queue(3).unwrap();
    assert!(matches!(hosted.manager.bounded_queue::<u32>(0), Err(ManagerError::Invalid { .. })));
    assert!(matches!(queue.try_get(), Err(ManagerError::Empty)));
    (0..3).try_for_each(|n| queue.try_put(&n)).unwrap();
    assert!(matches!(queue.try_put(&3), Err(ManagerError::Full)));
    let begin = Instant::now();
    assert!(matches!(queue.put_timeout(&3, short()), Err(ManagerError::Timeout)));
    assert!(begin.elapsed() >= short());
    assert_eq!(queue.len().unwrap(), 3);
    thread::scope(|scope| {
        let putter = scope.spawn(|| (3..100).try_for_each(|n| queue.put(&n)));
        for n in 0..100 {
            assert_eq!(queue.get().unwrap(), n);
        }
        putter.join().unwrap().unwrap();
        // Many at once, more than there is room for.
        let many: Vec<u32> = (0..50).collect();
        let putter = scope.spawn({
            let (queue, many) = (queue.clone(), many.clone());
            move || queue.put_many(&many)
        });
        let mut got = Vec::new();
        while got.len() < many.len() {
            got.extend(queue.get_many(100).unwrap());
        }
        assert_eq!(got, many);
        putter.join().unwrap().unwrap();
    });
    drop(queue);
    hosted.end();
}

/// Law 239: join waits until every item was acknowledged; one too many is an error.
fn a_queue_is_joined(host: Host) {
    let hosted = host.start();
    let queue: Queue<u32> = hosted.manager.queue().unwrap();
    queue.join().unwrap();
    assert!(matches!(queue.task_done(), Err(ManagerError::TooManyDone)));
    queue.put_many(&[1, 2, 3]).unwrap();
    assert!(matches!(queue.task_done(), Err(ManagerError::TooManyDone)));
    assert_eq!(queue.get_many(2).unwrap(), [1, 2]);
    assert!(matches!(queue.join_timeout(short()), Err(ManagerError::Timeout)));
    assert_eq!(queue.get_many(10).unwrap(), [3]);
    thread::scope(|scope| {
        let joined = scope.spawn(|| queue.join());
        queue.task_done().unwrap();
        queue.task_done().unwrap();
        assert!(matches!(queue.join_timeout(short()), Err(ManagerError::Timeout)));
        assert!(!joined.is_finished());
        queue.task_done().unwrap();
        joined.join().unwrap().unwrap();
    });
    drop(queue);
    hosted.end();
}

/// Laws 242 and 243: nothing goes in, what is there comes out, and everybody who waits is told.
fn a_queue_is_closed(host: Host) {
    let hosted = host.start();
    let queue: Queue<u32> = hosted.manager.bounded_queue(2).unwrap();
    queue.put_many(&[1, 2]).unwrap();
    thread::scope(|scope| {
        let putter = scope.spawn(|| queue.put(&3));
        eventually("it waits", || hosted.manager.stats().unwrap().connections >= 2);
        queue.close().unwrap();
        queue.close().unwrap();
        assert!(matches!(putter.join().unwrap(), Err(ManagerError::Closed)));
        assert!(matches!(queue.try_put(&4), Err(ManagerError::Closed)));
        assert_eq!((queue.get().unwrap(), queue.try_get().unwrap()), (1, 2));
        assert!(matches!(queue.get(), Err(ManagerError::Closed)));
        assert!(matches!(queue.try_get(), Err(ManagerError::Closed)));
    });
    let empty: Queue<u32> = hosted.manager.queue().unwrap();
    thread::scope(|scope| {
        let takers = [(); 3].map(|()| scope.spawn(|| empty.get()));
        eventually("they wait", || hosted.manager.stats().unwrap().connections >= 4);
        empty.close().unwrap();
        for taker in takers {
            assert!(matches!(taker.join().unwrap(), Err(ManagerError::Closed)));
        }
    });
    drop((queue, empty));
    hosted.end();
}

fn a_call_that_waits_is_in_nobodys_way(host: Host) {
    let hosted = host.start();
    let (queue, lock) = (hosted.manager.queue::<u32>().unwrap(), hosted.manager.lock().unwrap());
    let guard = lock.lock().unwrap();
    thread::scope(|scope| {
        let takers = [(); 4].map(|()| scope.spawn(|| queue.get().unwrap()));
        let locker = scope.spawn(|| lock.lock().map(drop));
        let counter = hosted.manager.counter(0).unwrap();
        eventually("all wait", || hosted.manager.stats().unwrap().connections >= 6);
        assert!((0..100).all(|n| counter.fetch_add(1).unwrap() == n));
        assert!(!locker.is_finished());
        drop(guard);
        locker.join().unwrap().unwrap();
        queue.put_many(&[1, 2, 3, 4]).unwrap();
        assert_eq!(takers.map(|taker| taker.join().unwrap()).iter().sum::<u32>(), 10);
    });
    drop((queue, lock));
    hosted.end();
}

/// Laws 240, 249 and 251: a timed wait lasts as long as it says, and takes nothing.
fn waits_end_in_time(host: Host) {
    let hosted = host.start();
    let manager = &hosted.manager;
    let queue: Queue<u32> = manager.queue().unwrap();
    let (lock, semaphore) = (manager.lock().unwrap(), manager.semaphore(0).unwrap());
    let guard = lock.lock().unwrap();
    let lasts = |wait: &dyn Fn() -> bool| {
        let begin = Instant::now();
        assert!(wait());
        assert!(begin.elapsed() >= short());
    };
    lasts(&|| matches!(queue.get_timeout(short()), Err(ManagerError::Timeout)));
    lasts(&|| lock.lock_timeout(short()).unwrap().is_none());
    lasts(&|| semaphore.acquire_timeout(short()).unwrap().is_none());
    lasts(&|| !manager.event().unwrap().wait_timeout(short()).unwrap());
    lasts(&|| !manager.condition().unwrap().lock().unwrap().wait_timeout(short()).unwrap().1);
    // Whoever gave up is in no line.
    drop(guard);
    assert!(lock.try_lock().unwrap().is_some() && !lock.is_locked().unwrap());
    semaphore.add_permits(2).unwrap();
    let permit = semaphore.try_acquire().unwrap().unwrap();
    permit.forget().unwrap();
    assert_eq!(semaphore.available().unwrap(), 1);
    queue.put(&1).unwrap();
    // A limit of any length is one.
    assert_eq!(queue.get_timeout(Duration::MAX).unwrap(), 1);
    drop((queue, lock, semaphore));
    hosted.end();
}

/// Law 250: notify wakes as many as it says, none is left over, and a wait says whether it was notified.
fn a_condition_wakes_as_many_as_it_says(host: Host) {
    let hosted = host.start();
    let condition = hosted.manager.condition().unwrap();
    assert_eq!(condition.notify_all().unwrap(), 0);
    let (woken, wakes) = mpsc::channel();
    thread::scope(|scope| {
        for place in 0..6 {
            let (woken, condition) = (woken.clone(), &condition);
            let (begun, begins) = mpsc::channel();
            scope.spawn(move || {
                let guard = condition.lock().unwrap();
                begun.send(()).unwrap();
                let guard = guard.wait().unwrap();
                woken.send(place).unwrap();
                drop(guard);
            });
            begins.recv().unwrap();
            // It waits as soon as the lock is free.
            drop(condition.lock().unwrap());
        }
        assert!(condition.notify_one().unwrap());
        assert_eq!(wakes.recv().unwrap(), 0);
        assert_eq!(condition.notify(3).unwrap(), 3);
        let mut three: Vec<i32> = (0..3).map(|_| wakes.recv().unwrap()).collect();
        three.sort_unstable();
        assert_eq!(three, [1, 2, 3]);
        // None is left over for those who come later.
        let (_guard, is_notified) = condition.lock().unwrap().wait_timeout(Duration::from_millis(1)).unwrap();
        assert!(!is_notified);
        drop(_guard);
        assert_eq!(condition.notify_all().unwrap(), 2);
    });
    assert!(!condition.is_locked().unwrap());
    drop(condition);
    hosted.end();
}

/// Law 251: all who wait are woken, also if it is cleared at once.
fn an_event_wakes_all_who_wait(host: Host) {
    let hosted = host.start();
    let event = hosted.manager.event().unwrap();
    for round in 0..20 {
        thread::scope(|scope| {
            let waits = [(); 4].map(|()| scope.spawn(|| event.wait_timeout(Duration::from_secs(600)).unwrap()));
            // Some of them wait already, and the others come when it is set again.
            while !waits.iter().all(|wait| wait.is_finished()) {
                event.set().unwrap();
                event.clear().unwrap();
            }
            assert!(waits.into_iter().all(|wait| wait.join().unwrap()), "round {round}");
        });
    }
    assert!(!event.is_set().unwrap() && !event.set().unwrap() && event.is_set().unwrap());
    event.wait().unwrap();
    drop(event);
    hosted.end();
}

/// Laws 252 and 253: rounds, one place for each; broken by one that gives up or by abort; mended by reset.
fn a_barrier_goes_round(host: Host) {
    const PARTIES: usize = 4;
    let hosted = host.start();
    assert!(matches!(hosted.manager.barrier(0), Err(ManagerError::Invalid { .. })));
    let barrier = hosted.manager.barrier(PARTIES).unwrap();
    let round = |rounds: usize| {
        thread::scope(|scope| {
            let parties = [(); PARTIES]
                .map(|()| scope.spawn(|| (0..rounds).map(|_| barrier.wait().unwrap()).collect::<Vec<_>>()));
            let places = parties.map(|party| party.join().unwrap());
            for round in 0..rounds {
                let mut places: Vec<usize> = places.iter().map(|places| places[round]).collect();
                places.sort_unstable();
                assert_eq!(places, [0, 1, 2, 3]);
            }
        });
    };
    round(50);
    thread::scope(|scope| {
        let waits = scope.spawn(|| barrier.wait());
        eventually("one waits", || barrier.waiting().unwrap() == 1);
        assert!(matches!(barrier.wait_timeout(short()), Err(ManagerError::Timeout)));
        assert!(matches!(waits.join().unwrap(), Err(ManagerError::Broken)));
    });
    assert!(matches!(barrier.wait(), Err(ManagerError::Broken)));
    barrier.reset().unwrap();
    round(1);
    thread::scope(|scope| {
        let waits = scope.spawn(|| barrier.wait());
        eventually("one waits", || barrier.waiting().unwrap() == 1);
        barrier.reset().unwrap();
        assert!(matches!(waits.join().unwrap(), Err(ManagerError::Broken)));
    });
    round(1);
    barrier.abort().unwrap();
    assert!(matches!(barrier.wait(), Err(ManagerError::Broken)));
    assert_eq!(barrier.parties().unwrap(), PARTIES);
    drop(barrier);
    hosted.end();
}
