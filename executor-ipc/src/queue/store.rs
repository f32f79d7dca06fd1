//! [`Store`]: a queue of bytes. The page of this folder has the steps, and why they hold.

use std::hint;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Overwritten;
use super::bell::{Bell, Registered};
use super::consumer::Consumer;
use super::cursor::{Cursor, Span};
use super::error::{GetError, JoinError, PutError, TaskDoneError};
use super::memory::{Limits, Memory};
use super::ring::Ring;
use crate::futex::Deadline;
use crate::segment::Shape;
use crate::sync::robust::{Patience, RobustLock};

/// How often a thread looks at what the other side does before it sleeps: about 2.5 µs. To be woken takes 4 to 20 (2 vCPU, Linux
/// 6.18), and a producer and a consumer that are both busy are never that far apart.
const LOOKS: u32 = 100;

/// How often a thread tries for a lock before it sleeps there: who has it needs it for less than that.
const LOCK_TRIES: u32 = 100;

/// How long a thread sleeps before it looks by itself. Nothing needs it but a wake-up that was given to somebody who was killed,
/// or stopped, before it could act on it, at a bell or at a lock; and items of dead consumers, of whose end nobody is told.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A ring above this size is given up when it is empty, unless the last item took a good part of it: 1 MiB.
const KEPT_RING: u32 = 17;

/// What part of a long ring an item takes at least where items of its size keep the ring: one sixty-fourth.
const KEPT_PART: u32 = 6;

/// What is in the word `closed`.
const CLOSED: u32 = 1;

/// The memory of a queue, as one process has it.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) memory: Memory,
    consumer: Consumer,
    /// Of how many lost items those who join here were told.
    told: AtomicU64,
}

/// A lock of the queue that this thread has.
struct Locked<'a>(&'a RobustLock);

impl Drop for Locked<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.unlock();
    }
}

/// Takes one of the two locks. They are held for short times only, so that even those who do not wait for an item wait for
/// them. What a dead holder left needs no repair, so that its end does not matter. `None` if the deadline is past.
///
/// Nobody sleeps at a lock for long without a look: if one that was woken there is killed while somebody else has taken the lock
/// already, the system sees nothing to do, and the new holder does not know that others sleep.
#[inline]
fn locked(lock: &RobustLock, patience: Patience) -> Option<Locked<'_>> {
    for _ in 0..LOCK_TRIES {
        if let Some(_taken) = lock.try_lock() {
            return Some(Locked(lock));
        }
        hint::spin_loop();
    }
    loop {
        if let Some(_taken) = lock.take(soon(patience).map_or(Patience::Endless, Patience::Until)) {
            return Some(Locked(lock));
        }
        if let Some(Over::Later) = over(patience) {
            return None;
        }
    }
}

/// What came of a look.
enum Looked {
    Done,
    /// There was no room, or no item, when the other side had come so far.
    Not(u64),
}

impl Store {
    pub(super) fn new(shape: Shape, limits: Limits) -> io::Result<Store> {
        Ok(Store::of(Memory::new(shape, limits)?))
    }

    pub(super) fn of(memory: Memory) -> Store {
        Store { memory, consumer: Consumer::default(), told: AtomicU64::new(0) }
    }

    /// How many bytes of memory there are for items, at most.
    pub(super) fn bytes_max(&self) -> u64 {
        8 << self.memory.limits.last_ring
    }

    /// How many items there are.
    pub(super) fn len(&self) -> usize {
        let head = Cursor::of_word(self.memory.head().load(Ordering::Acquire));
        // After the head, so that it is not behind it.
        let tail = Cursor::of_word(self.memory.tail().load(Ordering::Acquire));
        let items = head.until(tail, usize::MAX).map_or(0, |span| u64::from(span.items));
        // What was put since the head was read is not to show as more than there can be.
        usize::try_from(items.min(self.memory.limits.items_max)).unwrap_or(usize::MAX)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.memory.closed().load(Ordering::Acquire) != 0
    }

    /// Puts an item, and waits for room as long as it may.
    pub(super) fn put(&self, bytes: &[u8], patience: Patience) -> Result<(), PutError> {
        let words = Ring::words_for(bytes.len()).filter(|&words| words <= 1 << self.memory.limits.last_ring);
        let too_large = || PutError::TooLarge { bytes: bytes.len() as u64, bytes_max: self.bytes_max() };
        let words = words.ok_or_else(too_large)?;
        let mut has_waited = false;
        let outcome = loop {
            match self.try_put(bytes, words, patience) {
                Ok(Looked::Done) => break Ok(()),
                Ok(Looked::Not(head)) => match over(patience) {
                    Some(Over::AtOnce) => break Err(PutError::Full),
                    Some(Over::Later) => break Err(PutError::Timeout),
                    None => self.wait_for_room(head, words, patience)?,
                },
                Err(error) => break Err(error),
            }
            has_waited = true;
        };
        // There may be room for more than this one, or this one was woken and does not take it.
        if has_waited && (outcome.is_err() || (self.len() as u64) < self.memory.limits.items_max) {
            self.memory.room_bell().pass_on();
        }
        outcome
    }

    #[inline]
    fn try_put(&self, bytes: &[u8], words: u32, patience: Patience) -> Result<Looked, PutError> {
        let _lock = locked(self.memory.put_lock(), patience).ok_or(PutError::Timeout)?;
        self.look_for_room(bytes, words, patience)
    }

    /// Writes the item behind the others if there is room. This thread has the put lock.
    #[inline]
    fn look_for_room(&self, bytes: &[u8], words: u32, patience: Patience) -> Result<Looked, PutError> {
        let memory = &self.memory;
        if memory.closed().load(Ordering::Relaxed) != 0 {
            return Err(PutError::Closed);
        }
        let tail = Cursor::of_word(memory.tail().load(Ordering::Relaxed));
        // Pairs with the store in `look_for_item`: what was there has been read.
        let head = memory.head().load(Ordering::Acquire);
        let (mut ring, size) = memory.ring()?;
        let span = Cursor::of_word(head).until(tail, 1 << size)?;
        if self.is_full(span, words) {
            let has_bound = memory.limits.items_max != u64::MAX;
            return if has_bound {
                Ok(Looked::Not(head))
            } else {
                Err(PutError::OutOfRoom { bytes_max: self.bytes_max() })
            };
        }
        if u64::from(span.words) + u64::from(words) > 1 << size {
            self.grow(tail, words, patience)?;
            ring = memory.ring()?.0;
        }
        ring.write(tail.words, bytes);
        memory.item_bell().ring_one();
        // The store that counts. Pairs with the load in `look_for_item`.
        memory.tail().store(tail.behind(words).to_word(), Ordering::Release);
        Ok(Looked::Done)
    }

    /// True if there is no room for an item of so many words, also in the longest ring.
    #[inline]
    fn is_full(&self, span: Span, words: u32) -> bool {
        let Limits { items_max, last_ring, .. } = self.memory.limits;
        u64::from(span.items) >= items_max || u64::from(span.words) + u64::from(words) > 1 << last_ring
    }

    /// Moves the items to a ring that has room for one more. This thread has the put lock.
    #[cold]
    fn grow(&self, tail: Cursor, words: u32, patience: Patience) -> Result<(), PutError> {
        let memory = &self.memory;
        let _lock = locked(memory.get_lock(), patience).ok_or(PutError::Timeout)?;
        let head = Cursor::of_word(memory.head().load(Ordering::Relaxed));
        let (ring, size) = memory.ring()?;
        let span = head.until(tail, 1 << size)?;
        let needed = u64::from(span.words) + u64::from(words);
        // Somebody may have made room meanwhile.
        if needed > 1 << size {
            let size_needed = needed.next_power_of_two().ilog2().min(memory.limits.last_ring);
            memory.resize((ring, size), size_needed, head, span.words);
        }
        Ok(())
    }

    /// Waits until the head has moved, or for another reason to look again.
    fn wait_for_room(&self, seen: u64, words: u32, patience: Patience) -> Result<(), Overwritten> {
        let memory = &self.memory;
        let has_changed = || memory.head().load(Ordering::Relaxed) != seen || self.is_closed();
        if looks(has_changed) {
            return Ok(());
        }
        let Some(lock) = locked(memory.get_lock(), patience) else { return Ok(()) };
        let registered = memory.room_bell().register();
        let head = Cursor::of_word(memory.head().load(Ordering::Relaxed));
        let tail = Cursor::of_word(memory.tail().load(Ordering::Acquire));
        let span = head.until(tail, 1 << memory.ring()?.1)?;
        if self.is_full(span, words) && !self.is_closed() {
            drop(lock);
            sleep(memory.room_bell(), registered, patience);
        }
        Ok(())
    }

    /// Gets an item into `bytes`, and waits for one as long as it may.
    pub(super) fn get(&self, bytes: &mut Vec<u8>, patience: Patience) -> Result<(), GetError> {
        let mut has_waited = false;
        let outcome = loop {
            match self.try_get(bytes, patience) {
                Ok(Looked::Done) => break Ok(()),
                Ok(Looked::Not(tail)) => match over(patience) {
                    Some(Over::AtOnce) => break Err(GetError::Empty),
                    Some(Over::Later) => break Err(GetError::Timeout),
                    None => self.wait_for_item(tail, patience),
                },
                Err(error) => break Err(error),
            }
            has_waited = true;
        };
        // Whoever was woken for what is left may have died; or this one was woken and takes nothing.
        if has_waited && (outcome.is_err() || !self.is_empty()) {
            self.memory.item_bell().pass_on();
        }
        outcome
    }

    #[inline]
    fn try_get(&self, bytes: &mut Vec<u8>, patience: Patience) -> Result<Looked, GetError> {
        let _lock = locked(self.memory.get_lock(), patience).ok_or(GetError::Timeout)?;
        self.look_for_item(bytes)
    }

    /// Reads the first item if there is one. This thread has the get lock.
    #[inline]
    fn look_for_item(&self, bytes: &mut Vec<u8>) -> Result<Looked, GetError> {
        let memory = &self.memory;
        let head = Cursor::of_word(memory.head().load(Ordering::Relaxed));
        // Pairs with the store in `look_for_room`: what is before the tail is written.
        let tail = memory.tail().load(Ordering::Acquire);
        let (ring, size) = memory.ring()?;
        let span = head.until(Cursor::of_word(tail), 1 << size)?;
        if span.items == 0 {
            // Whoever closes has this lock too, so that nothing can have been put between the two looks but before.
            return if self.is_closed() { Err(GetError::Closed) } else { Ok(Looked::Not(tail)) };
        }
        let words = ring.read(head.words, span.words, bytes)?;
        self.consumer.got(memory, head).map_err(GetError::System)?;
        memory.room_bell().ring_one();
        let head = head.behind(words).to_word();
        // The store that counts. Pairs with the load in `look_for_room`.
        memory.head().store(head, Ordering::Release);
        if size > KEPT_RING && head == tail && words >> (size - KEPT_PART) == 0 {
            self.shrink();
        }
        Ok(Looked::Done)
    }

    /// Gives up a long ring that is empty. This thread has the get lock.
    #[cold]
    fn shrink(&self) {
        let memory = &self.memory;
        // Not in the usual order, and so without waiting.
        let Some(_taken) = memory.put_lock().try_lock() else { return };
        let _lock = Locked(memory.put_lock());
        let head = memory.head().load(Ordering::Relaxed);
        let is_empty = memory.tail().load(Ordering::Relaxed) == head;
        if let Ok((ring, size)) = memory.ring()
            && is_empty
            && size > KEPT_RING
        {
            memory.resize((ring, size), KEPT_RING, Cursor::of_word(head), 0);
        }
    }

    /// Waits until the tail has moved, or for another reason to look again.
    fn wait_for_item(&self, seen: u64, patience: Patience) {
        let memory = &self.memory;
        let has_changed = || memory.tail().load(Ordering::Relaxed) != seen || self.is_closed();
        if looks(has_changed) {
            return;
        }
        let Some(lock) = locked(memory.put_lock(), patience) else { return };
        let registered = memory.item_bell().register();
        if !has_changed() {
            drop(lock);
            sleep(memory.item_bell(), registered, patience);
        }
    }

    /// Acknowledges an item that was got.
    #[inline]
    pub(super) fn task_done(&self) -> Result<(), TaskDoneError> {
        let open = self.consumer.acknowledge(&self.memory).ok_or(TaskDoneError)?;
        // Whoever joins registers, and then looks at the slots; here it is the other way around. So one of the two sees the
        // other, as all four are in one order.
        if open == 0 && self.memory.join_bell().may_sleep() && self.is_empty() {
            self.tell_joiners();
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.memory.head().load(Ordering::SeqCst) == self.memory.tail().load(Ordering::SeqCst)
    }

    #[cold]
    fn tell_joiners(&self) {
        if let Some(_lock) = locked(self.memory.get_lock(), Patience::Endless) {
            self.memory.join_bell().ring_all();
        }
    }

    /// Waits until every item was acknowledged.
    pub(super) fn join(&self, patience: Patience) -> Result<(), JoinError> {
        let memory = &self.memory;
        loop {
            let lock = locked(memory.get_lock(), patience).ok_or(JoinError::Timeout)?;
            let registered = memory.join_bell().register();
            let is_over = self.is_empty() && self.consumer.are_all_done(memory).map_err(JoinError::System)?;
            let lost = memory.lost().load(Ordering::Relaxed);
            drop(lock);
            match patience {
                _ if is_over => {
                    let items = lost.wrapping_sub(self.told.swap(lost, Ordering::Relaxed));
                    return if items == 0 { Ok(()) } else { Err(JoinError::ConsumerDied { items }) };
                }
                _ if over(patience).is_some() => return Err(JoinError::Timeout),
                _ => sleep(memory.join_bell(), registered, patience),
            }
        }
    }

    /// Refuses what is put from now on, and tells how many items were dropped, which are none unless `drop_items`.
    pub(super) fn close(&self, drop_items: bool) -> u64 {
        let memory = &self.memory;
        let _put_lock = locked(memory.put_lock(), Patience::Endless);
        let get_lock = locked(memory.get_lock(), Patience::Endless);
        memory.item_bell().ring_all();
        memory.room_bell().ring_all();
        memory.closed().store(CLOSED, Ordering::Release);
        if !drop_items {
            return 0;
        }
        memory.join_bell().ring_all();
        let head = Cursor::of_word(memory.head().load(Ordering::Relaxed));
        let tail = memory.tail().load(Ordering::Relaxed);
        memory.head().store(tail, Ordering::Release);
        if let Ok((ring, size @ KEPT_RING..)) = memory.ring() {
            memory.resize((ring, size), KEPT_RING, Cursor::of_word(tail), 0);
        }
        drop(get_lock);
        u64::from(Cursor::of_word(tail).items.wrapping_sub(head.items))
    }
}

/// Why nobody waits any more.
enum Over {
    /// It was not to wait at all.
    AtOnce,
    /// The time is over.
    Later,
}

fn over(patience: Patience) -> Option<Over> {
    match patience {
        Patience::None => Some(Over::AtOnce),
        Patience::Until(deadline) => deadline.is_past().then_some(Over::Later),
        Patience::Endless => None,
    }
}

/// Looks for a short while, and tells whether it became so.
fn looks(is_so: impl Fn() -> bool) -> bool {
    (0..LOOKS).any(|_| {
        hint::spin_loop();
        is_so()
    })
}

/// Sleeps until the bell rings, until the deadline, or until it is time to look by oneself.
fn sleep(bell: Bell<'_>, registered: Registered, patience: Patience) {
    bell.sleep(registered, soon(patience));
}

/// When to look again: at the deadline, and not later than in a while.
fn soon(patience: Patience) -> Option<Deadline> {
    let again = Deadline::after(LOOK_AGAIN);
    match patience {
        Patience::Until(deadline) => again.map(|again| again.min(deadline)),
        Patience::None | Patience::Endless => again,
    }
}
