//! [`Consumer`]: what one process has got and not acknowledged, and whether it is still there to do so.
//!
//! Each process that gets items has a slot of the queue: a word with the number of its open items, and a lock on the file, of the
//! byte with the number of the slot. Such a lock belongs to an open file (`F_OFD_SETLK`), so that the system releases it when
//! the process drops its last handle or ends, however it ends. A slot with open items whose lock nobody has is one
//! of the dead: those items will never be acknowledged. A child that was forked has the same open file, and counts as the same
//! consumer.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

use super::cursor::Cursor;
use super::memory::{Memory, SLOTS};

/// How many bits of a slot count its open items. With ten million items a second they suffice for thirty hours without a single
/// `task_done`; then the count stays where it is.
const OPEN_BITS: u32 = 40;
const OPEN_MAX: u64 = (1 << OPEN_BITS) - 1;

/// The word of a slot: how many items are open, and the number of the last item that was got.
///
/// It is written before the head of the queue, which is what counts. Who dies between the two has not got the item,
/// and the number says so: it is that of the item at the head. It has 24 bits, so that an item that was got 2²⁴ items ago by somebody
/// who dies just now is mistaken for that; then one item less is told of as lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    open: u64,
    last: u32,
}

impl Slot {
    #[inline]
    fn of_word(word: u64) -> Slot {
        Slot { open: word & OPEN_MAX, last: (word >> OPEN_BITS) as u32 }
    }

    #[inline]
    fn to_word(self) -> u64 {
        u64::from(self.last) << OPEN_BITS | self.open
    }

    /// The number of an item, in as many bits as there are.
    #[inline]
    fn number(item: Cursor) -> u32 {
        item.items & (u32::MAX >> (OPEN_BITS - u32::BITS))
    }
}

/// This process, as one that gets items. Clones of a handle share it.
#[derive(Debug, Default)]
pub(super) struct Consumer {
    /// The open file that the lock of the slot belongs to.
    file: OnceLock<OwnedFd>,
    slot: OnceLock<usize>,
}

impl Consumer {
    fn file(&self, memory: &Memory) -> io::Result<&OwnedFd> {
        if self.file.get().is_none() {
            let file = memory.reopen()?;
            // If another thread was quicker, this one is closed.
            self.file.set(file).ok();
        }
        self.file.get().ok_or_else(|| io::Error::other("no descriptor"))
    }

    /// The slot of this process. Whoever asks has the get lock.
    ///
    /// # Errors
    ///
    /// Those of the system, or that all slots are taken.
    #[inline]
    pub(super) fn slot(&self, memory: &Memory) -> io::Result<usize> {
        self.slot.get().copied().map_or_else(|| self.take_slot(memory), Ok)
    }

    #[cold]
    fn take_slot(&self, memory: &Memory) -> io::Result<usize> {
        if cfg!(miri) {
            // Miri has no locks on files, and one process.
            return Ok(*self.slot.get_or_init(|| 0));
        }
        let file = self.file(memory)?;
        for slot in 0..SLOTS {
            match fcntl(file, FcntlArg::F_OFD_SETLK(&lock_of(slot))) {
                Ok(_) => {
                    // One who had it before may have left items.
                    write_off(memory, slot);
                    memory.slots_used().fetch_max(slot as u32 + 1, Ordering::Relaxed);
                    self.slot.set(slot).ok();
                    return Ok(slot);
                }
                Err(Errno::EAGAIN | Errno::EACCES) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::Error::other(format!("{SLOTS} processes get items of this queue already")))
    }

    /// Counts the item at the head as got. Whoever does so has the get lock, and moves the head afterwards.
    #[inline]
    pub(super) fn got(&self, memory: &Memory, head: Cursor) -> io::Result<()> {
        let slot = memory.slot(self.slot(memory)?);
        update(slot, |Slot { open, .. }| Some(Slot { open: OPEN_MAX.min(open + 1), last: Slot::number(head) }));
        Ok(())
    }

    /// Counts one item less as open, and tells how many still are; `None` if none was.
    #[inline]
    pub(super) fn acknowledge(&self, memory: &Memory) -> Option<u64> {
        let slot = memory.slot(*self.slot.get()?);
        let before = update(slot, |Slot { open, last }| Some(Slot { open: open.checked_sub(1)?, last }))?;
        Some(before.open - 1)
    }

    /// True if no consumer has open items. Those of consumers that are gone are counted as lost. Whoever asks has the get lock.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn are_all_done(&self, memory: &Memory) -> io::Result<bool> {
        let used = SLOTS.min(memory.slots_used().load(Ordering::Relaxed) as usize);
        for slot in 0..used {
            // Pairs with that of `update`: see `Store::task_done`.
            if Slot::of_word(memory.slot(slot).load(Ordering::SeqCst)).open == 0 {
                continue;
            }
            if self.slot.get() == Some(&slot) || is_locked(self.file(memory)?, slot)? {
                return Ok(false);
            }
            write_off(memory, slot);
        }
        Ok(true)
    }
}

/// Counts what is open in the slot of one who is gone as lost. Whoever does so has the get lock.
fn write_off(memory: &Memory, slot: usize) {
    let word = memory.slot(slot);
    let Slot { open, last } = Slot::of_word(word.load(Ordering::SeqCst));
    if open > 0 {
        let head = Cursor::of_word(memory.head().load(Ordering::Relaxed));
        let never_got = u64::from(last == Slot::number(head));
        // In this order: who dies in between has it told twice rather than not at all.
        memory.lost().fetch_add(open - never_got, Ordering::Relaxed);
        word.store(0, Ordering::SeqCst);
    }
}

/// Changes a slot, and gives what it was before; `None` if it is not to be changed.
#[inline]
fn update(word: &AtomicU64, mut change: impl FnMut(Slot) -> Option<Slot>) -> Option<Slot> {
    let change = |word| change(Slot::of_word(word)).map(Slot::to_word);
    word.fetch_update(Ordering::SeqCst, Ordering::Relaxed, change).ok().map(Slot::of_word)
}

/// A lock of one byte of the file.
fn lock_of(slot: usize) -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: slot as libc::off_t,
        l_len: 1,
        l_pid: 0,
    }
}

/// True if somebody has the lock of a slot by another open file.
fn is_locked(file: &OwnedFd, slot: usize) -> io::Result<bool> {
    let mut lock = lock_of(slot);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock))?;
    Ok(lock.l_type != libc::F_UNLCK as libc::c_short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_one_word() {
        for slot in [Slot { open: 0, last: 0 }, Slot { open: OPEN_MAX, last: 0 }, Slot { open: 3, last: (1 << 24) - 1 }]
        {
            assert_eq!(Slot::of_word(slot.to_word()), slot);
        }
        assert_eq!(Slot::number(Cursor { items: u32::MAX, words: 0 }), (1 << 24) - 1);
    }
}
