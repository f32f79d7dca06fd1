//! Every primitive of concurrency that this crate uses, from the standard library or, under
//! `--cfg executor_loom`, from loom. Poisoning is dealt with here: no user code runs under a lock of ours, so a
//! poisoned lock means a bug of ours that has already been reported as a panic, and the data is still whole.

#[cfg(not(executor_loom))]
mod imp {
    pub(crate) use std::sync::MutexGuard;
    pub(crate) use std::sync::atomic;
    pub(crate) use std::thread;
    pub(crate) use std::thread_local as per_thread;

    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) const fn new(value: T) -> Self {
            Mutex(std::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }

    pub(crate) fn now() -> std::time::Instant {
        std::time::Instant::now()
    }

    /// Parks the calling thread until it is unparked, or `deadline` has come, or for no reason.
    pub(crate) fn park_until(deadline: Option<std::time::Instant>) {
        match deadline {
            Some(deadline) => {
                thread::park_timeout(deadline.saturating_duration_since(std::time::Instant::now()));
            }
            None => thread::park(),
        }
    }

    /// The standard cell behind loom's interface.
    #[derive(Debug)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            UnsafeCell(std::cell::UnsafeCell::new(value))
        }

        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

#[cfg(executor_loom)]
mod imp {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::MutexGuard;
    pub(crate) use loom::sync::atomic;
    pub(crate) use loom::thread;

    /// Loom's, with the syntax of the standard one.
    macro_rules! per_thread {
        ($($(#[$attribute:meta])* static $name:ident: $type:ty = const { $init:expr };)*) => {
            loom::thread_local! { $($(#[$attribute])* static $name: $type = $init;)* }
        };
    }
    pub(crate) use per_thread;

    /// Models have no clock: time stands still, because every run of a model must be the same.
    pub(crate) fn now() -> std::time::Instant {
        static BEGAN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        *BEGAN.get_or_init(std::time::Instant::now)
    }

    /// Models have no clock: a deadline never comes.
    pub(crate) fn park_until(_deadline: Option<std::time::Instant>) {
        thread::park();
    }

    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Mutex(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }
}

pub(crate) use imp::*;
