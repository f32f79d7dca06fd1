//! Objects in shared memory that arrive after another process has written over it: what the fuzz target `objects` calls, and
//! a test.
//!
//! Any word of the memory may be anything but those of the C library's locks, which it believes: limits and counts, marks and
//! notes, cursors and rings, values, and the trailer; and so may the message. An object must be refused, or be as good as one that
//! came so: whatever is asked of it must end without a panic.

use std::fs::File;
use std::hint::black_box;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::attach::{collect, supply};
use crate::sync::{Barrier, Condvar, Event, Mutex, ReentrantMutex, RwLock, Semaphore};
use crate::{Queue, SharedArray, SharedValue};

const WORD_BYTES: usize = 8;

/// A lock has a line, of which the C library has the first words.
const LINE_WORDS: usize = 8;
const LOCK_WORDS: usize = size_of::<libc::pthread_mutex_t>().div_ceil(WORD_BYTES);

/// Calls what may not wait.
const AT_ONCE: Duration = Duration::ZERO;

/// The fuzz target.
///
/// # Panics
///
/// If an object does what it must not.
#[cfg(feature = "fuzzing")]
pub fn objects(bytes: &[u8]) {
    arrive_overwritten(bytes);
}

/// The first byte chooses the object. The second says how many of those behind it replace the start of its message. Of the others, ten
/// at a time are a place in its memory and the word that is written there.
///
/// # Panics
///
/// If an object does what it must not.
fn arrive_overwritten(bytes: &[u8]) {
    let [choice, count, ref rest @ ..] = *bytes else { return };
    let Some((message, words)) = rest.split_at_checked(count.into()) else { return };
    let overwritten = Overwritten { message, words };
    let no_line = |_| false;
    match choice % 12 {
        0 => overwritten.arrive(Semaphore::bounded(2), no_line, |semaphore| {
            drop((semaphore.try_acquire(), semaphore.acquire_timeout(AT_ONCE)));
            let _ = (semaphore.release(), semaphore.release_many(u32::MAX));
            assert!(semaphore.available_permits() <= 1 << 31);
        }),
        1 => overwritten.arrive(Event::new(), no_line, |event| {
            event.clear();
            let _ = event.wait_timeout(AT_ONCE);
            event.set();
            assert!(event.is_set() && event.wait_timeout(AT_ONCE));
        }),
        2 => overwritten.arrive(Mutex::new([1_u64; 4]), locks(1), |mutex| {
            match mutex.lock() {
                Ok(mut guard) => guard[3] += 1 & !guard[3],
                Err(died) => drop(died.repair(|guard| **guard = [0; 4])),
            }
            assert!(mutex.try_lock().is_ok());
        }),
        3 => overwritten.arrive(ReentrantMutex::new(1_u64), locks(1), |mutex| {
            let (one, other) = (mutex.lock(), mutex.try_lock());
            black_box((one.is_ok(), other.is_ok(), mutex.is_locked()));
        }),
        4 => overwritten.arrive(RwLock::new(1_u64), locks(33), |lock| {
            let (one, other) = (lock.try_read(), lock.try_read());
            black_box((one.is_ok(), other.is_ok()));
            drop((one, other));
            drop(lock.try_write());
        }),
        5 => overwritten.arrive(SharedValue::new(1_u64), locks(1), |value| {
            value.set(black_box(value.get().map_or(0, |value| value)));
            assert!(value.get().is_ok());
        }),
        6 => overwritten.arrive(SharedArray::<u64>::new(40), locks(1), |array| {
            let elements = array.lock().unwrap_or_else(|died| died.into_inner());
            assert!(elements.len() == array.len() && elements.len() <= MEMORY_BYTES_MAX / 8);
            black_box(elements.iter().fold(0, |sum: u64, element| sum.wrapping_add(*element)));
        }),
        7 => overwritten.arrive(SharedArray::<AtomicU64>::new(40).map(|array| array.slice(3..)), locks(1), |array| {
            assert!(array.len() <= MEMORY_BYTES_MAX / 8);
            array.iter().for_each(|atom| _ = atom.fetch_add(1, Ordering::Relaxed));
        }),
        8 => overwritten.arrive(Condvar::new(), seats, |condvar| {
            let Ok(mutex) = Mutex::new(0) else { return };
            let Ok(guard) = mutex.lock() else { return };
            assert!(condvar.waiting() <= 4096);
            black_box(condvar.wait_timeout(guard, AT_ONCE).is_ok());
            condvar.notify_many(2);
            condvar.notify_all();
        }),
        9 => overwritten.arrive(Barrier::new(2), seats, |barrier| {
            assert!(barrier.parties() <= 1024 && barrier.waiting() <= 2048);
            let _ = (barrier.wait_timeout(AT_ONCE), barrier.is_broken());
            barrier.abort();
            assert!(barrier.is_broken() && barrier.wait().is_err());
            barrier.reset();
            assert!(!barrier.is_broken());
        }),
        10 => overwritten.arrive(queue(Queue::bounded(3)), locks(2), use_queue),
        _ => overwritten.arrive(queue(Queue::with_limits(None, 4096)), locks(2), use_queue),
    }
}

/// No memory of these objects has more.
const MEMORY_BYTES_MAX: usize = 1 << 26;

/// The lines of locks at the start of the memory.
fn locks(count: usize) -> impl Fn(usize) -> bool {
    move |line| line < count
}

/// The lines of seats, and the gate before them.
fn seats(line: usize) -> bool {
    line != 1
}

fn queue(queue: io::Result<Queue<u64>>) -> io::Result<Queue<u64>> {
    let queue = queue?;
    // Some are got and not acknowledged, and some are left.
    (0..3).try_for_each(|item| queue.put(&item)).map_err(io::Error::other)?;
    queue.get().map(|_| queue).map_err(io::Error::other)
}

fn use_queue(queue: &Queue<u64>) {
    for item in 0..4 {
        black_box((queue.len(), queue.is_closed()));
        black_box((queue.try_put(&item).is_ok(), queue.put_timeout(&item, AT_ONCE).is_ok()));
        black_box((queue.try_get().is_ok(), queue.get_timeout(AT_ONCE).is_ok()));
        black_box((queue.task_done().is_ok(), queue.join_timeout(AT_ONCE).is_ok()));
    }
    black_box(queue.close_now());
    assert!(queue.is_closed() && queue.try_put(&0).is_err());
}

/// What is written, and where.
struct Overwritten<'a> {
    message: &'a [u8],
    words: &'a [u8],
}

impl Overwritten<'_> {
    /// Sends an object, writes over its message and its memory, and uses what arrives.
    fn arrive<T: Serialize + DeserializeOwned + std::fmt::Debug>(
        &self,
        object: io::Result<T>,
        is_locks: impl Fn(usize) -> bool,
        used: impl Fn(&T),
    ) {
        // Without memory there is nothing to look at.
        let Ok(object) = object else { return };
        let (encoded, attachments) = collect(|| postcard::to_stdvec(&object));
        let mut message = encoded.expect("an object can be sent");
        for (byte, other) in message.iter_mut().zip(self.message) {
            *byte = *other;
        }
        let memory = attachments.iter().next().expect("an object has a descriptor").try_clone_to_owned();
        if memory.and_then(|memory| self.write(memory, is_locks)).is_err() {
            return;
        }
        // Where it is known, its trailer is not looked at.
        drop(object);
        if let Ok(arrived) = supply(attachments, || postcard::from_bytes::<T>(&message)) {
            black_box(format!("{arrived:?}"));
            used(&arrived);
            black_box(format!("{arrived:?}"));
        }
    }

    fn write(&self, memory: OwnedFd, is_locks: impl Fn(usize) -> bool) -> io::Result<()> {
        let memory = File::from(memory);
        let words = memory.metadata()?.len() as usize / WORD_BYTES;
        let trailer = words - LINE_WORDS;
        for place_and_word in self.words.chunks_exact(2 + WORD_BYTES) {
            let (place, word) = place_and_word.split_at(2);
            let place = usize::from(place[0]) << 8 | usize::from(place[1]);
            // High numbers are places before the end, where the trailer is.
            let place = if place >= 1 << 15 { words - 1 - (place & 0xf) } else { place % words };
            let is_lock = place < trailer && is_locks(place / LINE_WORDS) && place % LINE_WORDS < LOCK_WORDS;
            if !is_lock {
                memory.write_all_at(word, (place * WORD_BYTES) as u64)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Words near the start of the memory, where all is that is no value, and in the trailer.
    fn writes() -> impl Strategy<Value = Vec<u8>> {
        let place = prop_oneof![0..64_u16, 40..800_u16, 0x8000..0x8010_u16];
        let word = prop_oneof![any::<u64>(), 0..5_u64, (0..64_u32).prop_map(|bit| 1 << bit), Just(u64::MAX)];
        let write = (place, word).prop_map(|(place, word)| [&place.to_be_bytes()[..], &word.to_le_bytes()].concat());
        proptest::collection::vec(write, 0..6).prop_map(|writes| writes.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn an_object_that_somebody_wrote_over_is_refused_or_one(message: Option<[u8; 3]>, words in writes()) {
            let message = message.as_ref().map_or(&[][..], |message| &message[..]);
            for choice in 0..12 {
                arrive_overwritten(&[&[choice, message.len() as u8][..], message, &words].concat());
            }
        }
    }
}
