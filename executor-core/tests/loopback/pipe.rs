//! [`Pipe`]: a queue of frames of bytes; and [`Lane`], the few bytes that both sides of a worker share.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// A queue of frames: all that passes between the pool and a worker, but for the lane.
#[derive(Default)]
pub(crate) struct Pipe {
    frames: Mutex<VecDeque<Vec<u8>>>,
    arrived: Condvar,
}

impl Pipe {
    pub(crate) fn send(&self, frame: Vec<u8>) {
        self.frames.lock().unwrap().push_back(frame);
        self.arrived.notify_one();
    }

    pub(crate) fn receive(&self) -> Vec<u8> {
        let frames = self.arrived.wait_while(self.frames.lock().unwrap(), |frames| frames.is_empty());
        frames.unwrap().pop_front().expect("there is a frame")
    }

    /// The next frame; `None` if the deadline comes first.
    pub(crate) fn receive_until(&self, deadline: Option<Instant>) -> Option<Vec<u8>> {
        let Some(deadline) = deadline else { return Some(self.receive()) };
        let mut frames = self.frames.lock().unwrap();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Some(frame) = frames.pop_front() {
                return Some(frame);
            }
            if left == Duration::ZERO {
                return None;
            }
            frames = self.arrived.wait_timeout(frames, left).unwrap().0;
        }
    }
}

const SENT: u64 = 1;
const BEGUN: u64 = 2;
const WITHDRAWN: u64 = 3;

/// The memory that the pool and a worker share: the number of the run that was sent last, and whether it has begun.
/// Both sides leave SENT by compare-and-swap, so that a job is begun or withdrawn and never both.
#[derive(Default)]
pub(crate) struct Lane(AtomicU64);

impl Lane {
    /// The pool sends run `number`.
    pub(crate) fn send(&self, number: u64) {
        self.0.store(number << 2 | SENT, Ordering::SeqCst);
    }

    /// The worker begins it; false if it was withdrawn.
    pub(crate) fn begin(&self, number: u64) -> bool {
        self.leave(number, BEGUN)
    }

    /// The pool withdraws it; false if it has begun.
    pub(crate) fn withdraw(&self, number: u64) -> bool {
        self.leave(number, WITHDRAWN)
    }

    fn leave(&self, number: u64, next: u64) -> bool {
        let [sent, next] = [SENT, next].map(|state| number << 2 | state);
        self.0.compare_exchange(sent, next, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    pub(crate) fn is_begun(&self, number: u64) -> bool {
        self.0.load(Ordering::SeqCst) == number << 2 | BEGUN
    }
}
