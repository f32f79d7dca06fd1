//! [`Bell`]: where threads of any process sleep until somebody rings.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::futex::{self, Deadline};

/// A word to sleep at, and whether anybody may.
///
/// Each bell has a lock. Under it whoever is going to sleep [*registers*](Bell::register) and looks once more at what it waits
/// for; under it, too, that is changed, and the bell rung *before* the change. The page of this folder says why nobody is
/// forgotten.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bell<'a> {
    words: &'a BellWords,
}

/// How often it rang; and a word that is not 0 as long as somebody may sleep. That is cleared by whoever rings and finds nobody,
/// and not by those who slept, so that it does not matter how they ended.
pub(super) type BellWords = [AtomicU32; 2];

/// How often a bell had rung when somebody registered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registered(u32);

impl<'a> Bell<'a> {
    #[inline]
    pub(super) fn new(words: &'a BellWords) -> Bell<'a> {
        Bell { words }
    }

    /// Says that this thread is about to sleep. It has the lock, and looks at what it waits for afterwards.
    pub(super) fn register(self) -> Registered {
        let [rings, may_sleep] = self.words;
        // Pairs with `may_sleep` below, which is asked without the lock by those who acknowledge.
        may_sleep.store(1, Ordering::SeqCst);
        // The lock orders it.
        Registered(rings.load(Ordering::Relaxed))
    }

    /// Sleeps until the bell has rung since then, or until the deadline, or for no reason. Without the lock.
    pub(super) fn sleep(self, registered: Registered, deadline: Option<Deadline>) {
        let [rings, _] = self.words;
        futex::wait(rings, registered.0, deadline);
    }

    /// True if somebody may sleep here.
    #[inline]
    pub(super) fn may_sleep(self) -> bool {
        let [_, may_sleep] = self.words;
        may_sleep.load(Ordering::SeqCst) != 0
    }

    /// Wakes one sleeper, if there may be any. Under the lock.
    #[inline]
    pub(super) fn ring_one(self) {
        if self.may_sleep() {
            self.ring(1);
        }
    }

    /// Wakes all sleepers, if there may be any. Under the lock.
    #[inline]
    pub(super) fn ring_all(self) {
        if self.may_sleep() {
            self.ring(u32::MAX);
        }
    }

    #[cold]
    fn ring(self, count: u32) {
        let [rings, may_sleep] = self.words;
        // The system looks at it for whoever has registered and does not sleep yet.
        rings.fetch_add(1, Ordering::SeqCst);
        if futex::wake(rings, count) == 0 {
            may_sleep.store(0, Ordering::SeqCst);
        }
    }

    /// Wakes one more of those who sleep already, without the lock.
    pub(super) fn pass_on(self) {
        let [rings, _] = self.words;
        futex::wake(rings, 1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bell_that_rang_meanwhile_lets_nobody_sleep() {
        let words = BellWords::default();
        let bell = Bell::new(&words);
        let registered = bell.register();
        assert!(bell.may_sleep());
        bell.ring_one();
        bell.sleep(registered, None);
        assert!(!bell.may_sleep(), "nobody was found");
    }

    #[test]
    fn a_bell_without_sleepers_does_not_ring() {
        let words = BellWords::default();
        let bell = Bell::new(&words);
        bell.ring_one();
        bell.ring_all();
        assert_eq!(words[0].load(Ordering::Relaxed), 0);
    }

    #[test]
    fn one_ring_wakes_all_or_one() {
        let (words, over) = (BellWords::default(), AtomicBool::new(false));
        let bell = Bell::new(&words);
        thread::scope(|scope| {
            let sleepers = [(); 3].map(|()| {
                scope.spawn(|| {
                    while !over.load(Ordering::SeqCst) {
                        let registered = bell.register();
                        if !over.load(Ordering::SeqCst) {
                            bell.sleep(registered, None);
                        }
                    }
                })
            });
            // Whether they sleep already or not, there is nothing yet that ends their wait but this.
            thread::sleep(Duration::from_millis(5));
            bell.ring_one();
            over.store(true, Ordering::SeqCst);
            while sleepers.iter().any(|sleeper| !sleeper.is_finished()) {
                bell.ring_all();
                thread::yield_now();
            }
        });
    }
}
