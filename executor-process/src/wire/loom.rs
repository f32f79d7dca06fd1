//! Models of the shared page: the owner's hands against a worker that walks a frame, in every order of their steps.
//!
//! The socket is not modelled, beyond what it orders: a report that a frame was passed is a flag that is released and
//! acquired. The death of a worker is a thread that ends after so many of its steps.

use std::sync::Arc;

use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::thread;

use crate::wire::page::Reach;
use crate::wire::{Activity, Page, Place, Region, Verdict};

const FIRST: Place = Place { slot: 0, sequence: 1 };
/// The next frame in the slot of the first.
const AGAIN: Place = Place { slot: 0, sequence: 2 };
/// The next frame in the other slot.
const SECOND: Place = Place { slot: 1, sequence: 2 };

/// Runs a model twice, with the threads of [`race`] changed about.
fn model(test: impl Fn(&Arc<Page>, bool) + Send + Sync + Copy + 'static) {
    for owner_first in [true, false] {
        loom::model(move || test(&Arc::new(Page::new(Region::zeros())), owner_first));
    }
}

/// Runs both at once. Loom begins with one of them, and may then overlook an order in which a mere load of that one comes
/// behind a swap of the other; so each model runs both ways.
fn race<O, W>(
    page: &Arc<Page>,
    owner_first: bool,
    owner: impl FnOnce(&Page) -> O + 'static,
    worker: impl FnOnce(&Page) -> W + 'static,
) -> (O, W)
where
    O: 'static,
    W: 'static,
{
    let theirs = Arc::clone(page);
    if owner_first {
        let worker = thread::spawn(move || worker(&theirs));
        let owner = owner(page);
        (owner, worker.join().expect("the model holds in the worker"))
    } else {
        let owner = thread::spawn(move || owner(&theirs));
        let worker = worker(page);
        (owner.join().expect("the model holds in the owner"), worker)
    }
}

/// Walks a frame as a worker does, and gives how many of its items ran.
fn walk(page: &Page, place: Place, items: u16) -> u16 {
    let mut item = 0;
    while item < items && page.begin(place, item, 0) {
        page.leave(place, item);
        item += 1;
    }
    item
}

#[test]
fn a_job_is_begun_or_withdrawn_and_never_both() {
    model(|page, first| {
        page.post(FIRST, 1);
        let (withdrawn, ran) = race(page, first, |page| page.withdraw_tail(FIRST, 0..1), |page| walk(page, FIRST, 1));
        assert_eq!(usize::from(ran) + withdrawn.len(), 1);
        assert_eq!(page.reach(FIRST), Some(Reach { begun: ran, limit: ran }));
    });
}

#[test]
fn two_that_withdraw_and_one_that_walks_share_the_items() {
    model(|page, first| {
        page.post(FIRST, 3);
        let canceller = {
            let page = Arc::clone(page);
            thread::spawn(move || page.withdraw_tail(FIRST, 2..3))
        };
        let (tail, ran) = race(page, first, |page| page.withdraw_tail(FIRST, 1..3), |page| walk(page, FIRST, 3));
        let last = canceller.join().unwrap();
        let mut items: Vec<u16> = (0..ran).chain(tail).chain(last).collect();
        items.sort_unstable();
        assert_eq!(items, [0, 1, 2], "each item has one end");
    });
}

#[test]
fn who_sees_an_item_begun_sees_what_the_worker_did_before() {
    model(|page, first| {
        page.post(FIRST, 1);
        let done = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&done);
        let look = move |page: &Page| {
            if page.reach(FIRST).unwrap().begun == 1 {
                assert_eq!(seen.load(Ordering::Relaxed), 1);
            }
        };
        let work = move |page: &Page| {
            done.store(1, Ordering::Relaxed);
            assert!(page.claim(FIRST, 0));
        };
        race(page, first, look, work);
    });
}

#[test]
fn who_withdraws_behind_an_item_sees_what_the_worker_did_before_it() {
    model(|page, first| {
        page.post(FIRST, 2);
        let done = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&done);
        let look = move |page: &Page| {
            if page.withdraw_tail(FIRST, 0..2) == (1..2) {
                assert_eq!(seen.load(Ordering::Relaxed), 1);
            }
        };
        let work = move |page: &Page| {
            done.store(1, Ordering::Relaxed);
            page.claim(FIRST, 0)
        };
        race(page, first, look, work);
    });
}

#[test]
fn the_worker_sees_what_the_owner_did_before_the_post() {
    // The socket is left out: a worker that guessed the place would see it too.
    model(|page, first| {
        let done = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&done);
        let post = move |page: &Page| {
            done.store(1, Ordering::Relaxed);
            page.post(FIRST, 1);
        };
        let work = move |page: &Page| {
            if page.claim(FIRST, 0) {
                assert_eq!(seen.load(Ordering::Relaxed), 1);
            }
        };
        race(page, first, post, work);
    });
}

#[test]
fn an_item_that_runs_has_begun() {
    model(|page, first| {
        page.post(FIRST, 1);
        let look = |page: &Page| {
            if let Activity::Running(place, item) = page.activity() {
                assert_eq!((place, item), (FIRST, 0));
                assert_eq!(page.reach(FIRST).unwrap().begun, 1);
            }
        };
        race(page, first, look, |page| walk(page, FIRST, 1));
    });
}

#[test]
fn the_time_of_an_item_is_never_given_for_another() {
    model(|page, first| {
        page.post(FIRST, 2);
        let look = |page: &Page| {
            if let Some((Activity::Running(_, item), since_ns)) = page.activity_since() {
                assert_eq!(since_ns, 100 + u64::from(item));
            }
        };
        let work = |page: &Page| {
            for item in 0..2 {
                assert!(page.begin(FIRST, item, 100 + u64::from(item)));
                page.leave(FIRST, item);
            }
        };
        race(page, first, look, work);
    });
}

#[test]
fn a_wish_to_stop_reaches_the_item_that_it_names() {
    model(|page, first| {
        page.post(FIRST, 2);
        let done = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&done);
        let ask = move |page: &Page| {
            done.store(1, Ordering::Relaxed);
            page.ask_stop(FIRST, 0);
        };
        let work = move |page: &Page| {
            assert!(page.begin(FIRST, 0, 0));
            if page.stop_asked(FIRST, 0) {
                assert_eq!(seen.load(Ordering::Relaxed), 1);
            }
            page.leave(FIRST, 0);
            assert!(page.begin(FIRST, 1, 0) && !page.stop_asked(FIRST, 1));
        };
        race(page, first, ask, work);
        assert!(page.stop_asked(FIRST, 0));
    });
}

#[test]
fn a_slot_that_is_used_again_is_safe_from_late_hands() {
    model(|page, first| {
        page.post(FIRST, 1);
        let passed = Arc::new(AtomicBool::new(false));
        let canceller = {
            let page = Arc::clone(page);
            thread::spawn(move || page.withdraw_tail(FIRST, 0..1).len())
        };
        let report = Arc::clone(&passed);
        let post_again = move |page: &Page| {
            let posted = passed.load(Ordering::Acquire);
            if posted {
                page.post(AGAIN, 1);
            }
            posted
        };
        let work = move |page: &Page| {
            let ran = walk(page, FIRST, 1);
            report.store(true, Ordering::Release);
            // A worker that is late asks for the frame that it has passed, and gets nothing of the next.
            assert!(!page.begin(FIRST, ran, 0));
            ran
        };
        let (posted, ran) = race(page, first, post_again, work);
        let withdrawn = canceller.join().unwrap();
        assert_eq!(usize::from(ran) + withdrawn, 1, "the first frame has one end");
        if posted {
            assert_eq!(page.reach(AGAIN), Some(Reach { begun: 0, limit: 1 }), "and the second is untouched");
            assert_eq!(page.reach(FIRST), None);
            assert_eq!(walk(page, AGAIN, 1), 1);
        }
    });
}

#[test]
fn what_passes_is_settled() {
    // What the owner checks when a frame is reported as passed holds whatever others do to it.
    model(|page, first| {
        page.post(FIRST, 2);
        let report = Arc::new(AtomicUsize::new(usize::MAX));
        let passed = Arc::clone(&report);
        let canceller = {
            let page = Arc::clone(page);
            thread::spawn(move || page.withdraw_tail(FIRST, 1..2).len())
        };
        let check = move |page: &Page| {
            if let Ok(outcomes) = u16::try_from(passed.load(Ordering::Acquire)) {
                assert_eq!(page.reach(FIRST), Some(Reach { begun: outcomes, limit: outcomes }));
            }
        };
        let work = move |page: &Page| report.store(usize::from(walk(page, FIRST, 2)), Ordering::Release);
        race(page, first, check, work);
        canceller.join().unwrap();
    });
}

/// What a worker did before it died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Did {
    /// How many items of each frame had their code entered.
    entered: [u16; 2],
    /// How many of them ended.
    ended: [u16; 2],
    /// How many of them were told.
    told: [u16; 2],
}

/// Walks two frames of two items each, and dies after so many steps. Outcomes are told one item late, as they are when
/// they wait in a buffer.
fn walk_and_die(page: &Page, steps: usize) -> Did {
    let (mut did, mut left) = (Did::default(), steps);
    let mut lives = || {
        left = left.saturating_sub(1);
        left > 0
    };
    for (frame, place) in [FIRST, SECOND].into_iter().enumerate() {
        for item in 0..2 {
            if !lives() {
                return did;
            }
            if !page.claim(place, item) {
                break;
            }
            if !lives() {
                return did;
            }
            page.enter(place, item, 0);
            did.entered[frame] += 1;
            if !lives() {
                return did;
            }
            page.leave(place, item);
            did.ended[frame] += 1;
            if !lives() {
                return did;
            }
            did.told[frame] = item;
        }
        did.told[frame] = did.ended[frame];
    }
    did
}

#[test]
fn a_death_at_any_step_is_told_as_it_was() {
    for steps in 1..=17 {
        model_of_death(steps);
    }
}

fn model_of_death(steps: usize) {
    model(move |page, first| {
        page.post(FIRST, 2);
        page.post(SECOND, 2);
        let withdraw = |page: &Page| [page.withdraw_tail(FIRST, 1..2), page.withdraw_tail(SECOND, 1..2)];
        let (withdrawn, did) = race(page, first, withdraw, move |page| walk_and_die(page, steps));
        let mut blamed = 0;
        for (frame, place) in [FIRST, SECOND].into_iter().enumerate() {
            let (told, ended, entered) = (did.told[frame], did.ended[frame], did.entered[frame]);
            let verdict = page.verdict(place, 2, told);
            let Verdict { lost, blamed: who, claimed, unbegun } = verdict.clone();
            let running = (entered > ended).then_some(ended);
            assert_eq!(lost, told..ended, "{did:?}, {verdict:?}");
            assert_eq!(who, running, "{did:?}, {verdict:?}");
            // What never ran is free to run elsewhere, or was withdrawn before, once.
            let rest: Vec<u16> = claimed.chain(unbegun).chain(withdrawn[frame].clone()).collect();
            assert_eq!(rest, (entered..2).collect::<Vec<_>>(), "{did:?}, {verdict:?}");
            blamed += u16::from(who.is_some());
        }
        assert!(blamed <= 1);
    });
}

#[test]
fn a_death_against_a_cancel_gives_each_item_once() {
    model(|page, first| {
        page.post(FIRST, 2);
        // The worker has died, and two threads of the owner come to the same frame.
        let (cancelled, verdict) =
            race(page, first, |page| page.withdraw_tail(FIRST, 1..2), |page| page.verdict(FIRST, 2, 0));
        assert!(verdict.lost.is_empty() && verdict.blamed.is_none() && verdict.claimed.is_empty());
        let items: Vec<u16> = verdict.unbegun.chain(cancelled).collect();
        assert_eq!(items, [0, 1]);
    });
}
