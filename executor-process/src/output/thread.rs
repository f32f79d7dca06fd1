//! [`OutputThread`]: where the user hears of lines.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::Instant;

use executor_core::backend::{PoolId, quietly};

use super::{Listener, OutputLine, Printed};
use crate::bell::{Bell, Ring};
use crate::callbacks;

/// How much may wait for the callback before the dispatcher reads no more, in bytes: what a burst of a worker fills in
/// some ms, and a callback that keeps up never sees.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// What a line takes beside its text, about.
const LINE_BYTES: usize = 128;

/// A thread that calls the callback, line by line in the order in which they were read.
pub(crate) struct OutputThread {
    shared: Arc<Shared>,
    id: ThreadId,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    /// That of the dispatcher.
    bell: Bell,
}

#[derive(Default)]
struct Queue {
    lines: VecDeque<Printed>,
    bytes: usize,
    /// The dispatcher is to be told when there is room.
    is_awaited: bool,
    /// No more lines come.
    over: bool,
    /// The thread has called the callback for the last line.
    done: bool,
}

impl OutputThread {
    /// Starts the thread, which rings `bell` when there is room again.
    ///
    /// # Errors
    ///
    /// If the system refuses it.
    pub(crate) fn start(listener: Listener, pool: PoolId, name: &str, bell: Bell) -> io::Result<OutputThread> {
        let shared = Arc::new(Shared { queue: Mutex::default(), changed: Condvar::new(), bell });
        let theirs = Arc::clone(&shared);
        let run = move || {
            callbacks::enter(pool);
            while let Some(line) = theirs.next() {
                // Its panic was reported by the panic hook, and the next line is another.
                quietly(|| listener.hear(line));
            }
            // What the callback has captured goes here, because it is the user's.
            quietly(|| drop(listener));
            theirs.lock().done = true;
            theirs.changed.notify_all();
        };
        let thread = thread::Builder::new().name(format!("{name}-output")).spawn(run)?;
        let id = thread.thread().id();
        Ok(OutputThread { shared, id, thread: Mutex::new(Some(thread)) })
    }

    /// True on the thread itself.
    pub(crate) fn is_current(&self) -> bool {
        thread::current().id() == self.id
    }

    /// Hands lines over. They are taken whatever waits already.
    pub(crate) fn push(&self, lines: impl IntoIterator<Item = Printed>) {
        let mut queue = self.shared.lock();
        for line in lines {
            queue.bytes += weight(&line.line);
            queue.lines.push_back(line);
        }
        drop(queue);
        self.shared.changed.notify_all();
    }

    /// True if so much waits that no more should come. The bell rings when that is over.
    pub(crate) fn is_full(&self) -> bool {
        let mut queue = self.shared.lock();
        queue.is_awaited = queue.bytes >= WAITING_BYTES_MAX;
        queue.is_awaited
    }

    /// No more lines come.
    pub(crate) fn close(&self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_all();
    }

    /// Waits until the last line was heard, or until `deadline`. On the thread itself, which is that of a callback, the caller
    /// must not wait.
    pub(crate) fn end(&self, deadline: Option<Instant>) {
        self.close();
        let mut queue = self.shared.lock();
        while !queue.done {
            queue = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => self.shared.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return,
                Some(left) => self.shared.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        drop(queue);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic of the callback was caught; there is none.
            let _ = thread.join();
        }
    }
}

impl Drop for OutputThread {
    /// For a pool that could not be built; the thread of any other has been closed before.
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a line; `None` if no more come.
    fn next(&self) -> Option<Printed> {
        let mut queue = self.lock();
        loop {
            if let Some(line) = queue.lines.pop_front() {
                queue.bytes -= weight(&line.line);
                // Not at once, so that the dispatcher does not wake for every line.
                if queue.is_awaited && queue.bytes <= WAITING_BYTES_MAX / 2 {
                    queue.is_awaited = false;
                    drop(queue);
                    self.bell.ring(Ring::Owner);
                }
                return Some(line);
            }
            if queue.over {
                return None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn weight(line: &OutputLine) -> usize {
    line.text.len() + LINE_BYTES
}
