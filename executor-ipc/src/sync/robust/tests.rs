use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::gettid;

use super::*;
use crate::segment::{Segment, Shape};

fn lock(reentry: Reentry) -> Segment {
    let segment = Segment::new(Shape::new("Lock"), size_of::<RobustLock>()).unwrap();
    segment.at::<RobustLock>(0).make(reentry).unwrap();
    segment
}

#[test]
fn the_holder_is_the_thread_that_has_it() {
    for reentry in [Reentry::Refused, Reentry::Counted] {
        let segment = lock(reentry);
        let lock: &RobustLock = segment.at(0);
        let holder = || lock.holder().map(u32::cast_signed);
        assert!(holder().is_none() && !lock.is_held_here());
        for way in
            [Patience::Endless, Patience::None, Patience::of(Duration::from_secs(60)), Patience::of(Duration::MAX)]
        {
            assert_eq!(lock.take(way).unwrap().condition, Condition::Sound);
            assert_eq!(holder(), Some(gettid().as_raw_nonzero().get()));
            assert!(thread::scope(|scope| scope.spawn(|| lock.is_held_here()).join().unwrap()));
            lock.unlock();
            assert!(holder().is_none());
        }
    }
}

#[test]
fn what_a_thread_leaves_is_handed_over() {
    for reentry in [Reentry::Refused, Reentry::Counted] {
        let segment = lock(reentry);
        let lock: &RobustLock = segment.at(0);
        thread::scope(|scope| {
            let _ = scope.spawn(|| lock.lock()).join().unwrap();
        });
        assert!(lock.holder().is_none());
        let taken = lock.lock();
        assert_eq!((taken.condition, taken.from_the_dead), (Condition::OwnerDied, true));
        lock.unlock();
        // The mark stays, and nothing else.
        let taken = lock.try_lock().unwrap();
        assert_eq!((taken.condition, taken.from_the_dead), (Condition::OwnerDied, false));
        lock.mark(Condition::Sound);
        lock.unlock();
        assert_eq!(lock.lock().condition, Condition::Sound);
        lock.unlock();
    }
}

#[test]
fn a_count_ends_with_its_holder() {
    let segment = lock(Reentry::Counted);
    let lock: &RobustLock = segment.at(0);
    thread::scope(|scope| {
        scope.spawn(|| (0..3).for_each(|_| _ = lock.lock())).join().unwrap();
    });
    assert!(lock.lock().from_the_dead);
    lock.unlock();
    assert!(lock.holder().is_none());
    assert!(thread::scope(|scope| scope.spawn(|| lock.try_lock().is_some()).join().unwrap()));
}

#[test]
fn to_wait_for_oneself_is_a_panic_or_a_count() {
    let segment = lock(Reentry::Refused);
    let refused: &RobustLock = segment.at(0);
    let _ = refused.lock();
    assert!(refused.try_lock().is_none());
    for patience in [Patience::Endless, Patience::of(Duration::ZERO)] {
        let again = std::panic::AssertUnwindSafe(|| refused.take(patience));
        let panic = std::panic::catch_unwind(again).unwrap_err();
        assert!(panic.downcast_ref::<&str>().unwrap().contains("would wait for itself"));
    }
    refused.unlock();
    assert!(refused.holder().is_none());
    let segment = lock(Reentry::Counted);
    let counted: &RobustLock = segment.at(0);
    for patience in [Patience::Endless, Patience::None, Patience::of(Duration::ZERO)] {
        assert!(counted.take(patience).is_some());
    }
    for _ in 0..3 {
        assert!(counted.holder().is_some());
        counted.unlock();
    }
    assert!(counted.holder().is_none());
}

#[test]
fn a_wait_lasts_until_its_deadline() {
    let segment = lock(Reentry::Refused);
    let lock: &RobustLock = segment.at(0);
    let _ = lock.lock();
    thread::scope(|scope| {
        scope.spawn(|| {
            for timeout in [Duration::ZERO, Duration::from_millis(20)] {
                let began = Instant::now();
                assert!(lock.take(Patience::of(timeout)).is_none());
                assert!(began.elapsed() >= timeout);
            }
        });
    });
    lock.unlock();
    // After its deadline it still takes what is free.
    assert!(lock.take(Patience::of(Duration::ZERO)).is_some());
    lock.unlock();
}

#[test]
fn whoever_has_no_lock_releases_none() {
    let segment = lock(Reentry::Refused);
    let lock: &RobustLock = segment.at(0);
    let _ = lock.lock();
    thread::scope(|scope| {
        scope.spawn(|| lock.unlock());
    });
    assert!(lock.holder().is_some());
    lock.unlock();
}
