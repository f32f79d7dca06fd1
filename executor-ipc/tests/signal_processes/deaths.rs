//! What is left when somebody dies.

use executor_ipc::sync::{Barrier, BarrierError, Condvar, Mutex, Semaphore};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::peer::until;
use crate::{Process, Request, SHORT, begun, start};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("waiters_that_are_killed_are_not_counted", waiters_that_are_killed_are_not_counted),
    ("a_notification_of_the_dead_goes_to_another", a_notification_of_the_dead_goes_to_another),
    ("a_party_that_is_killed_breaks_the_barrier", a_party_that_is_killed_breaks_the_barrier),
    ("a_permit_of_the_dead_is_released_by_hand", a_permit_of_the_dead_is_released_by_hand),
];

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
