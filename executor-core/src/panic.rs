//! Catching panics of user code, with the place where they began.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

use crate::error::{JobError, PanicPayload};

thread_local! {
    /// Where the latest panic of this thread began.
    static LOCATION: Cell<Option<String>> = const { Cell::new(None) };
}

/// Installs, once, a panic hook that notes the location and then calls the hook that was there.
///
/// The hook is the one way to learn the location, which the payload does not carry. A program that replaces the hook
/// later loses the location in [`JobError::Panicked`] and nothing else.
pub(crate) fn install_location_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            // A thread that is being torn down has no place to note it in; the location is then unknown.
            let _ = LOCATION.try_with(|location| location.set(info.location().map(ToString::to_string)));
            before(info);
        }));
    });
}

/// Where the latest panic of this thread began; a thread that is being torn down does not know.
fn take_location() -> Option<String> {
    LOCATION.try_with(Cell::take).ok().flatten()
}

/// Runs `f`; a panic becomes [`JobError::Panicked`] of the job that `name` names.
#[inline]
pub(crate) fn catch<R>(name: impl FnOnce() -> String, f: impl FnOnce() -> R) -> Result<R, JobError> {
    // The closure is consumed, and what it broke by unwinding is dropped with it or is the user's own shared state,
    // for which the user's own locks are poisoned.
    panic::catch_unwind(AssertUnwindSafe(f)).map_err(|payload| panicked(name(), payload))
}

fn panicked(job: String, payload: Box<dyn Any + Send>) -> JobError {
    let (message, location) = (message(&*payload), take_location());
    JobError::Panicked { job, message, location, payload: PanicPayload::new(Some(payload)) }
}

/// What a panic says.
fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&'static str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a value that is no text was thrown").to_owned()
}

/// Runs a hook of the user's, which is no job.
///
/// # Errors
///
/// Its panic, in words that follow the name of the hook: `panicked at src/main.rs:3:5: no database`.
pub fn catch_hook<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    panic::catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        let (message, location) = (message(&*payload), take_location());
        drop_quietly(payload);
        match location {
            Some(location) => format!("panicked at {location}: {message}"),
            None => format!("panicked: {message}"),
        }
    })
}

/// Runs a piece of user code whose failure concerns nobody: a callback, a waker, a drop. The panic was reported by the
/// panic hook; a payload whose own drop panics is dropped quietly too.
pub fn quietly(f: impl FnOnce()) {
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(f)) {
        take_location();
        // What this drop throws in turn is leaked: a type could go on for ever.
        if let Err(thrown) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            take_location();
            std::mem::forget(thrown);
        }
    }
}

/// Drops a value of the user's, whose drop may panic.
#[inline]
pub(crate) fn drop_quietly<T>(value: T) {
    if std::mem::needs_drop::<T>() {
        quietly(|| drop(value));
    }
}
