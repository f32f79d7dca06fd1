//! A set of jobs that tells which of them are done, in the order in which they ended.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Instant;

use crate::panic::quietly;
use crate::sync::{Mutex, park_until, thread};

/// The done members of a set, by their place in it, and the one consumer who waits for them.
pub(crate) struct Completion(Mutex<Ready>);

#[derive(Default)]
struct Ready {
    indices: VecDeque<u32>,
    consumer: Option<Consumer>,
}

enum Consumer {
    Thread(thread::Thread),
    Task(Waker),
}

impl Completion {
    pub(crate) fn new() -> Self {
        Completion(Mutex::new(Ready::default()))
    }

    /// Tells that member `index` is done; gives the waker of an async consumer, which is code of the user's.
    pub(crate) fn push(&self, index: u32) -> Option<Waker> {
        let consumer = {
            let mut ready = self.0.lock();
            ready.indices.push_back(index);
            ready.consumer.take()
        };
        match consumer? {
            Consumer::Thread(thread) => {
                thread.unpark();
                None
            }
            Consumer::Task(waker) => Some(waker),
        }
    }

    pub(crate) fn pop(&self) -> Option<u32> {
        self.0.lock().indices.pop_front()
    }

    /// Parks the calling thread until a member may be done, or `deadline` has come.
    pub(crate) fn park(&self, deadline: Option<Instant>) {
        {
            let mut ready = self.0.lock();
            if !ready.indices.is_empty() {
                return;
            }
            ready.consumer = Some(Consumer::Thread(thread::current()));
        }
        park_until(deadline);
    }

    /// Wakes `waker` at the next member, and pops one that is there already.
    pub(crate) fn poll_pop(&self, waker: &Waker) -> Option<u32> {
        // Cloning and dropping a waker are user code, so they come outside the lock.
        let new = Consumer::Task(waker.clone());
        let mut ready = self.0.lock();
        let index = ready.indices.pop_front();
        let old = if index.is_none() { ready.consumer.replace(new) } else { Some(new) };
        drop(ready);
        quietly(|| drop(old));
        index
    }

    /// Wakes a parked consumer, without a member, so that it looks at the pool again.
    pub(crate) fn nudge(&self) {
        let consumer = self.0.lock().consumer.take();
        match consumer {
            Some(Consumer::Thread(thread)) => thread.unpark(),
            Some(Consumer::Task(waker)) => quietly(|| waker.wake()),
            None => {}
        }
    }
}
