//! Panics while a law runs: those that the law throws on purpose are quiet, others on other threads break it.

use std::cell::Cell;
use std::panic::{self, PanicHookInfo};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::{self, ThreadId};

/// Every panic that a law throws on purpose has this in its message.
pub const ON_PURPOSE: &str = "on purpose";

/// A payload that is no text, thrown on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OddPayload(pub u64);

/// A payload that panics when it is dropped.
#[derive(Debug)]
pub struct BombPayload;

impl Drop for BombPayload {
    fn drop(&mut self) {
        panic!("the payload of a panic was dropped, {ON_PURPOSE}");
    }
}

struct Watch {
    law_thread: ThreadId,
    /// What broke the law, if it unwinds.
    failure: Option<String>,
    unexpected: Vec<String>,
}

thread_local! {
    /// True on a thread that runs a law, ran one, or waits for its turn. It panics when its law is broken, which is not
    /// the fault of the law that runs then.
    static IS_TEST: Cell<bool> = const { Cell::new(false) };
}

static WATCH: Mutex<Option<Watch>> = Mutex::new(None);

fn watch() -> std::sync::MutexGuard<'static, Option<Watch>> {
    WATCH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins to watch; the calling thread is the law's.
pub(crate) fn begin() {
    IS_TEST.set(true);
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !is_on_purpose(info) {
                note(info);
                before(info);
            }
        }));
    });
    *watch() = Some(Watch { law_thread: thread::current().id(), failure: None, unexpected: Vec::new() });
}

/// What broke the law that runs now, for the report of a law that hangs while it unwinds.
pub(crate) fn failure() -> Option<String> {
    watch().as_ref()?.failure.clone()
}

/// The panics on other threads than the law's that were not on purpose.
pub(crate) fn end() -> Vec<String> {
    watch().take().map_or_else(Vec::new, |watch| watch.unexpected)
}

fn text<'a>(info: &'a PanicHookInfo<'_>) -> Option<&'a str> {
    let payload = info.payload();
    payload.downcast_ref::<&'static str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

fn is_on_purpose(info: &PanicHookInfo<'_>) -> bool {
    info.payload().is::<OddPayload>()
        || info.payload().is::<BombPayload>()
        || text(info).is_some_and(|text| text.contains(ON_PURPOSE))
}

fn note(info: &PanicHookInfo<'_>) {
    let thread = thread::current();
    // A panic while this lock is held would be one of this file's own; it must not wait for itself.
    let Ok(mut watch) = WATCH.try_lock() else { return };
    let Some(watch) = watch.as_mut() else { return };
    if watch.law_thread == thread.id() {
        watch.failure = Some(info.to_string());
    } else if !IS_TEST.get() {
        watch.unexpected.push(format!("thread `{}`: {info}", thread.name().unwrap_or("without a name")));
    }
}
