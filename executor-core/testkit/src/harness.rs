//! [`check`]: runs one law, and looks at what it left behind.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

use crate::helpers::{self, THREAD_PREFIX};
use crate::lab::Lab;
use crate::panics;
use crate::subject::Subject;
use crate::threads::{self, ThreadNumber};
use crate::time::comes_about;
use crate::verdict::{NotClaimed, Verdict};
use crate::watchdog;

/// Laws run one at a time, so that what one of them leaves behind is not laid at the door of another.
static TURN: Mutex<()> = Mutex::new(());

/// Threads that run a law or wait for their turn. A test runner starts them when it likes.
static LAW_THREADS: Mutex<BTreeSet<ThreadNumber>> = Mutex::new(BTreeSet::new());

/// Runs one law on the subject, under a watchdog, and checks what is left afterwards: no thread of a pool, nothing that
/// [`Subject::left_behind`] knows of, and no panic on another thread but those that the law threw on purpose.
///
/// The law's verdict is given back. [`laws!`](crate::laws!) calls this for each law.
///
/// # Panics
///
/// If the law is broken.
///
/// # Blocking
///
/// While another law runs in this process. A law that takes longer than 30 s, stretched by the variable
/// `EXECUTOR_TEST_SCALE`, hangs: the process prints what it knows of it and aborts.
///
/// # Errors
///
/// What the law needs and the subject does not claim.
pub fn check<S: Subject>(name: &'static str, law: impl FnOnce(&Lab<S>) -> Verdict) -> Verdict {
    let _presence = Presence::new();
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if S::needs_one_thread() {
        helpers::hold();
    }
    let _leash = watchdog::watch(name);
    panics::begin();
    let before = threads::all();
    let verdict = verdict_of(|| law(&Lab::new(name)));
    nothing_is_left::<S>(name, &before);
    let panics = panics::end();
    assert!(panics.is_empty(), "while the law `{name}` ran, something panicked: {}", panics.join("; "));
    verdict
}

/// What a law that is not claimed says, also where it has no other way to say so than to unwind: see [`Lab::pool`].
fn verdict_of(law: impl FnOnce() -> Verdict) -> Verdict {
    catch_unwind(AssertUnwindSafe(law)).unwrap_or_else(|panic| match panic.downcast::<NotClaimed>() {
        Ok(missing) => Err(*missing),
        Err(panic) => resume_unwind(panic),
    })
}

/// Runs one law for a test, and holds its verdict against the list of those that are not claimed.
///
/// # Panics
///
/// If the law is broken, if it is not claimed and not in the list, and if it is in the list and holds.
pub fn test_law<S: Subject>(name: &'static str, not_claimed: &[&str], law: impl FnOnce(&Lab<S>) -> Verdict) {
    let last = name.rsplit("::").next().unwrap_or(name).trim();
    let is_listed = not_claimed.contains(&last);
    match check(name, law) {
        Ok(()) => assert!(!is_listed, "the law `{last}` holds: take it off the list of what is not claimed"),
        Err(missing) => {
            say(&format!("law `{last}` is skipped: {missing}"));
            assert!(
                is_listed,
                "the law `{last}` is not checked, because {missing}; if that is right, add it to `not_claimed`"
            );
        }
    }
}

#[expect(clippy::print_stderr, reason = "the output of a test is where one looks for what it did not check")]
fn say(line: &str) {
    eprintln!("{line}");
}

fn nothing_is_left<S: Subject>(name: &str, before: &BTreeSet<ThreadNumber>) {
    let mut threads = Vec::new();
    let mut others = Vec::new();
    let clean = comes_about(|| {
        threads = new_threads::<S>(before);
        others = S::left_behind();
        threads.is_empty() && others.is_empty()
    });
    assert!(
        clean,
        "the law `{name}` left something behind: {} threads ({}), {}",
        threads.len(),
        threads.join(", "),
        others.join(", ")
    );
}

/// The names of the threads that are there now and were not before, without those that have nothing to do with pools.
fn new_threads<S: Subject>(before: &BTreeSet<ThreadNumber>) -> Vec<String> {
    let now = threads::all();
    let law_threads = LAW_THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    let new = now.difference(before).filter(|thread| !law_threads.contains(thread));
    let names = new.filter_map(|&thread| threads::name(thread));
    names.filter(|name| !name.starts_with(THREAD_PREFIX) && !S::is_lasting_thread(name)).collect()
}

/// Marks the calling thread as one that runs a law.
struct Presence(Option<ThreadNumber>);

impl Presence {
    fn new() -> Self {
        let thread = threads::current();
        LAW_THREADS.lock().unwrap_or_else(PoisonError::into_inner).extend(thread);
        Presence(thread)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if let Some(thread) = self.0 {
            LAW_THREADS.lock().unwrap_or_else(PoisonError::into_inner).remove(&thread);
        }
    }
}
