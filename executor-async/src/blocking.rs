//! Which threads may block.
//!
//! A thread of an async runtime must go on: what it blocks for may need the very thread. So a blocking wait is refused
//! wherever there is a runtime ([`Handle::try_current`]), but for the threads on which a pool runs a job of a function, and
//! for code that says that it knows better.

use std::cell::Cell;
use std::marker::PhantomData;

use tokio::runtime::Handle;

thread_local! {
    static ALLOWED: Cell<bool> = const { Cell::new(false) };
}

/// Lets `f` block on futures of an [`AsyncExecutor`](crate::AsyncExecutor) though it is called on a thread of a runtime,
/// where that is an error otherwise.
///
/// It is for code that has seen to it that the runtime goes on without this thread, as inside
/// [`tokio::task::block_in_place`]. Elsewhere the wait may never end.
///
/// # Examples
///
/// ```
/// use executor_async::{AsyncExecutor, allow_blocking};
///
/// let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
/// let pool = AsyncExecutor::on(runtime.handle().clone())?;
/// let sum = runtime.block_on(async {
///     let future = pool.spawn_blocking(|| 1 + 1);
///     tokio::task::block_in_place(|| allow_blocking(|| future.result()))
/// });
/// assert_eq!(sum?, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn allow_blocking<R>(f: impl FnOnce() -> R) -> R {
    let _permission = Permission::set(true);
    f()
}

/// Keeps blocking allowed, or not, on the thread that made it.
#[must_use = "dropping it brings back what was before"]
pub(crate) struct Permission {
    before: bool,
    /// It speaks of this thread.
    not_send: PhantomData<*const ()>,
}

impl Permission {
    pub(crate) fn set(allowed: bool) -> Self {
        Permission { before: ALLOWED.replace(allowed), not_send: PhantomData }
    }
}

impl Drop for Permission {
    fn drop(&mut self) {
        ALLOWED.set(self.before);
    }
}

/// True if the calling thread may block.
pub(crate) fn is_allowed() -> bool {
    ALLOWED.get() || Handle::try_current().is_err()
}
