//! The thread on which wakers and callbacks of the user's run.

use std::cell::Cell;
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;
use std::thread::{self, JoinHandle};

use executor_core::backend::{Callbacks, PoolId, quietly};

thread_local! {
    /// The pool whose callbacks run on this thread.
    static CALLS_FOR: Cell<Option<PoolId>> = const { Cell::new(None) };
}

/// Makes the calling thread one on which callbacks of the pool run, and on which nothing may wait for the pool.
pub(crate) fn enter(pool: PoolId) {
    CALLS_FOR.with(|pools| pools.set(Some(pool)));
}

/// A thread that starts with the first callback. It lets the dispatcher go on, whatever a callback does.
pub(crate) struct CallbackThread {
    pool: PoolId,
    name: String,
    running: Mutex<Option<Running>>,
}

struct Running {
    calls: Sender<Call>,
    thread: JoinHandle<()>,
}

enum Call {
    Job(Callbacks),
    Waker(Waker),
}

impl CallbackThread {
    pub(crate) fn new(pool: PoolId, name: &str) -> Self {
        CallbackThread { pool, name: format!("{name}-callbacks"), running: Mutex::new(None) }
    }

    /// True on the thread itself, and on that for output.
    pub(crate) fn is_current(&self) -> bool {
        CALLS_FOR.with(Cell::get) == Some(self.pool)
    }

    /// Has the callbacks of a job called, in order.
    pub(crate) fn take(&self, callbacks: Option<Callbacks>) {
        if let Some(callbacks) = callbacks {
            self.call(Call::Job(callbacks));
        }
    }

    pub(crate) fn wake(&self, waker: Waker) {
        self.call(Call::Waker(waker));
    }

    fn call(&self, call: Call) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_none() {
            *running = self.start();
        }
        match &*running {
            // The thread lives as long as this end does.
            Some(running) => drop(running.calls.send(call)),
            // The system has no thread for it: better here than never.
            None => {
                drop(running);
                call.make();
            }
        }
    }

    fn start(&self) -> Option<Running> {
        let (calls, made) = mpsc::channel::<Call>();
        let pool = self.pool;
        let run = move || {
            enter(pool);
            made.into_iter().for_each(Call::make);
        };
        let thread = thread::Builder::new().name(self.name.clone()).spawn(run).ok()?;
        Some(Running { calls, thread })
    }

    /// Waits until all callbacks have run. On the thread itself it does not wait.
    pub(crate) fn end(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { calls, thread }) = running {
            drop(calls);
            if !self.is_current() {
                // A panic of a callback was caught; there is none.
                let _ = thread.join();
            }
        }
    }
}

impl Call {
    fn make(self) {
        match self {
            Call::Job(callbacks) => callbacks.call(),
            // Its panic was reported by the panic hook, and concerns nobody here.
            Call::Waker(waker) => quietly(|| waker.wake()),
        }
    }
}
